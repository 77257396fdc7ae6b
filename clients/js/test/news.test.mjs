// What is changed, and what happens to groups and friendships, without a server: what is said, and what is told of it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Trial, atPlaces, beside, caught, outcome, row, stands, synced } from './trial.mjs';
import { ERRNO } from '../chatd.js';

/** What is told of these kinds, in order. */
function news(trial, ...types) {
  const told = [];
  for (const type of types) trial.client.on(type, (each) => void told.push(each));
  return told;
}

const change = (chg, more = {}) => ({
  msgid: 46, with: 2, chg, pos: 3, kind: 'edit', by: 2, ts: 9, rev: chg, msg: `says ${chg}`, ...more,
});
const happens = (pos, more = {}) => ({
  msgid: 51, groupid: 3, what: 'joined', by: 2, name: 'ben', cid: `e${pos}`, mid: `${pos}`, pos, ts: 1, ...more,
});
const done = (cid, re, more = {}) => ({ msgid: 20, errno: 0, cid, re, ...more });

test('a change is told once, in order, and one that does not follow has what is lacking fetched', () => {
  const trial = beside([stands(5, { chg: 2 })]);
  const told = news(trial, 'changed');
  trial.hear(change(2));
  assert.deepEqual(told, [], 'it was made before this program began');
  trial.hear(change(3));
  trial.hear(change(3));
  assert.deepEqual(told.map(({ chg, text }) => [chg, text]), [[3, 'says 3']]);
  trial.hear(change(6));
  const [{ since, cid }] = trial.saidOf(36);
  assert.deepEqual(since, [{ with: 2, after: 5, chg: 3 }]);
  // What comes meanwhile is kept back, also what the answer has.
  trial.hear(change(5));
  trial.hear(change(7));
  assert.equal(told.length, 1);
  trial.hear(synced(cid, [], { head: 5, chg: 6, changes: [change(4), change(5), change(6)] }));
  assert.deepEqual(told.map(({ chg }) => chg), [3, 4, 5, 6, 7]);
  assert.equal(trial.saidOf(36).length, 1);
  assert.deepEqual(trial.client.places, [{ conversation: { user: 2 }, pos: 5, chg: 7 }]);
});

test('changes that were missed come after what was missed, in several answers, and no change is skipped', () => {
  const trial = beside([stands(5)]);
  const told = news(trial, 'message', 'changed', 'recalled');
  trial.lose();
  trial.reconnect();
  trial.clear();
  trial.letIn({ heads: [stands(7, { chg: 2 })], heads_complete: true });
  const ask = () => trial.saidOf(36).at(-1);
  assert.deepEqual(ask().since, [{ with: 2, after: 5, chg: 0 }]);
  const stub = { by: 2, mid: '7', pos: 7, recalled: true, ts: 4 };
  const recall = change(1, { kind: 'recall', msg: undefined, pos: 7 });
  trial.hear(synced(ask().cid, [row(6, { rev: 1, reactions: [{ emoji: '👍', n: 2, mine: true }, { emoji: 7 }] }), stub], {
    chg: 3, complete: false, changes: [recall],
  }));
  assert.deepEqual(ask().since, [{ with: 2, after: 7, chg: 1 }]);
  // A gap beyond the answer is asked for once more; what is not there then is not to be had.
  trial.hear(change(9));
  trial.hear(synced(ask().cid, [], { head: 7, chg: 3, changes: [change(2), change(3)] }));
  assert.deepEqual(ask().since, [{ with: 2, after: 7, chg: 3 }]);
  trial.hear(synced(ask().cid, [], { head: 7, chg: 3 }));
  assert.deepEqual(told.map(({ kind, text, chg, pos }) => [kind, text ?? null, chg ?? pos]), [
    ['said', 'c6', 6], ['recalled', null, 7], ['recall', null, 1], ['edit', 'says 2', 2], ['edit', 'says 3', 3],
    ['edit', 'says 9', 9],
  ]);
  assert.deepEqual([told[0].rev, told[0].reactions], [1, [{ emoji: '👍', n: 2, mine: true }]]);
  assert.equal(trial.saidOf(36).length, 3);
});

test('what is changed is asked for again under its cid, and what it came to is told like everything else', async () => {
  const trial = beside([stands(5, { chg: 1 })]);
  const told = news(trial, 'changed');
  const there = { user: 2 };
  const asked = [
    trial.client.edit(there, 3, 'new'), trial.client.recall(there, 4), trial.client.react({ group: 3 }, 5, '🎉'),
    trial.client.react(there, 3, '🎉', false),
  ];
  const before = trial.said.map(({ cid, ...fields }) => fields);
  assert.deepEqual(before, [
    { msgid: 43, with: 2, pos: 3, msg: 'new' }, { msgid: 44, with: 2, pos: 4 },
    { msgid: 45, groupid: 3, pos: 5, emoji: '🎉', on: true }, { msgid: 45, with: 2, pos: 3, emoji: '🎉', on: false },
  ]);
  const cids = trial.said.map(({ cid }) => cid);
  trial.lose();
  trial.reconnect();
  trial.clear();
  trial.letIn({ heads: [stands(5, { chg: 1 })], heads_complete: true });
  assert.deepEqual(trial.said.map(({ cid }) => cid), cids);
  trial.hear(done(cids[0], 43, { chg: 2 }));
  // Nobody tells what this session did itself: it is fetched, with whatever else there is.
  const [{ since, cid }] = trial.saidOf(36);
  assert.deepEqual(since, [{ with: 2, after: 5, chg: 1 }]);
  trial.hear(synced(cid, [], { head: 5, chg: 2, changes: [change(2, { by: 1, msg: 'new' })] }));
  assert.deepEqual(told.map(({ chg, by, text }) => [chg, by, text]), [[2, 1, 'new']]);
  // One that changed nothing, or was told before.
  trial.hear(done(cids[1], 44, { chg: 2 }));
  trial.hear(done(cids[2], 45, { chg: 8 }));
  trial.hear({ msgid: 21, errno: 104, errmsg: 'too late', re: 45, cid: cids[3] });
  assert.deepEqual(await Promise.all(asked.slice(0, 3)), [2, 2, 8]);
  assert.equal((await outcome(asked[3])).error.errno, ERRNO.NOT_YOURS);
  assert.equal(trial.saidOf(36).length, 1);
});

test('a change that is made while others are fetched is fetched too', () => {
  const trial = beside([stands(5, { chg: 1 })]);
  const told = news(trial, 'changed');
  const [one, two] = ['one', 'two'].map((text) => {
    caught(trial.client.edit({ user: 2 }, 3, text));
    return trial.said.at(-1).cid;
  });
  trial.hear(done(one, 43, { chg: 2 }));
  const [{ cid }] = trial.saidOf(36);
  trial.hear(done(two, 43, { chg: 3 }));
  trial.hear(synced(cid, [], { head: 5, chg: 2, changes: [change(2)] }));
  const [, { cid: second, since }] = trial.saidOf(36);
  assert.deepEqual(since, [{ with: 2, after: 5, chg: 2 }]);
  trial.hear(synced(second, [], { head: 5, chg: 3, changes: [change(3)] }));
  assert.deepEqual(told.map(({ chg }) => chg), [2, 3]);
  assert.equal(trial.saidOf(36).length, 2);
  // A server that does not know of it holds nothing up.
  trial.client.edit({ user: 2 }, 3, 'three').catch(() => {});
  trial.hear(done(trial.said.at(-1).cid, 43, { chg: 9 }));
  for (let n = 2; n < 4; n += 1) trial.hear(synced(trial.saidOf(36)[n].cid, [], { head: 5, chg: 3 }));
  assert.equal(trial.saidOf(36).length, 4);
});

test('a session that lives beside no other is told changes as they come', () => {
  const trial = Trial.inside({ caps: ['changed', 'group'] });
  const told = news(trial, 'changed');
  for (const chg of [9, 12]) trial.hear(change(chg, { kind: 'react', emoji: '<b>', on: true, n: 2 }));
  assert.deepEqual(told.map(({ chg, emoji, n }) => [chg, emoji, n]), [[9, '<b>', 2], [12, '<b>', 2]]);
  trial.hear({ ...change(13), pos: 'x' });
  trial.hear({ ...change(13), with: undefined });
  assert.deepEqual(trial.types, ['garbled']);
});

test('what happens to a group is a row: told in its place, once, and confirmed', async () => {
  const group = { groupid: 3, with: undefined, name: 'tea' };
  const trial = beside([stands(4, group)]);
  const told = news(trial, 'group');
  trial.hear(happens(5));
  trial.hear(happens(5));
  trial.hear({ ...atPlaces(6), with: undefined, groupid: 3 });
  assert.deepEqual(trial.saidOf(36), [], 'the place of the event is known');
  const until = happens(7, { what: 'kicked', userid: 9, username: '<i>', until: -1 });
  trial.hear(until);
  const [joined, kicked] = told;
  assert.deepEqual([joined.what, joined.by, joined.name, joined.whom, joined.until], ['joined', 2, 'ben', null, 0]);
  assert.deepEqual([kicked.whom, kicked.until, kicked.own], [{ id: 9, name: '<i>' }, Infinity, false]);
  trial.clock.pass(50);
  assert.deepEqual(trial.saidOf(24), [{ msgid: 24, mids: ['5', '5', '7'] }]);
  // What is no row is told each time, and needs no confirming.
  const asks = { msgid: 51, groupid: 3, what: 'asks', by: 8, name: 'eve', mid: '77' };
  trial.hear(asks);
  trial.hear(asks);
  assert.deepEqual(told.map(({ what }) => what), ['joined', 'kicked', 'asks', 'asks']);
  trial.hear({ ...asks, by: undefined });
  assert.deepEqual(trial.types, ['garbled']);
  assert.deepEqual(trial.client.places, [{ conversation: { group: 3 }, pos: 7, chg: 0 }]);
});

test('what waited of groups is confirmed though nobody listens, and history has it beside what was said', async () => {
  const trial = beside([]);
  trial.lose();
  trial.reconnect();
  trial.letIn({ heads: [], heads_complete: true, offlinemsg: [happens(1), row(9)] });
  trial.clock.pass(50);
  assert.deepEqual(trial.saidOf(24).at(-1).mids, ['1', '9']);
  const page = trial.client.history({ group: 3 });
  const { cid } = trial.said.at(-1);
  const set = happens(2, { what: 'set', groupname: 'x', join: 'ask' });
  const stub = { by: 2, mid: '4', pos: 4, recalled: true, ts: 4 };
  trial.hear({ msgid: 27, errno: 0, cid, chg: 3, complete: true, groupid: 3, messages: [set, row(3, { msgid: 10 }), stub, 7] });
  const { rows, messages, chg } = await page;
  assert.deepEqual(rows.map(({ kind, pos, conversation }) => [kind, pos, conversation.group]), [
    ['event', 2, 3], ['said', 3, 3], ['recalled', 4, 3],
  ]);
  assert.deepEqual(rows[0].set, { name: 'x', description: null, join: 'ask' });
  assert.deepEqual([messages.length, chg], [1, 3]);
});

test('groups are run with one word each', async () => {
  const trial = beside([stands(4, { groupid: 3, with: undefined })]);
  const { client } = trial;
  const asked = [
    client.setRole(3, 7, 'admin'), client.kick(3, 7), client.kick(3, 7, { banUntil: Infinity }),
    client.mute(3, 7, new Date(5)), client.muteAll(3, 0), client.mute(3, 7), client.setGroup(3, { join: 'ask' }),
    client.answerJoin(3, 7, false), client.joinRequests(3),
  ];
  assert.deepEqual(trial.said.map(({ cid, groupid, ...fields }) => [groupid, fields]), [
    [3, { msgid: 47, userid: 7, role: 'admin' }], [3, { msgid: 48, userid: 7 }], [3, { msgid: 48, userid: 7, ban_until: -1 }],
    [3, { msgid: 49, userid: 7, until: 5 }], [3, { msgid: 49, all: true, until: 0 }], [3, { msgid: 49, userid: 7, until: -1 }],
    [3, { msgid: 50, join: 'ask' }], [3, { msgid: 55, userid: 7, yes: false }], [3, { msgid: 56 }],
  ]);
  const cids = trial.said.map(({ cid }) => cid);
  trial.hear(done(cids[0], 47, { groupid: 3, mid: '5', ts: 2, pos: 5 }));
  assert.deepEqual(await asked[0], { cid: cids[0], mid: '5', ts: 2, pos: 5 });
  assert.deepEqual(client.places, [{ conversation: { group: 3 }, pos: 5, chg: 0 }]);
  // Not every server has said that it knows: it is said again, until it is acknowledged.
  trial.clear();
  trial.hear({ msgid: 21, errno: 110, errmsg: 'busy', re: 48, cid: cids[1], retry_after_ms: 500 });
  trial.clock.pass(500);
  assert.deepEqual(trial.saidOf(48).map(({ cid }) => cid), [cids[1]]);
  trial.hear(done(cids[8], 56, { groupid: 3, users: [{ id: 8, name: 'eve', ts: 4 }, {}] }));
  assert.deepEqual(await asked[8], [{ id: 8, name: 'eve', note: '', ts: 4 }]);
  for (const wrong of [() => client.mute(3, 7, -5), () => client.kick(3, 7, { banUntil: 'x' }), () => client.setRole(3, 7, 1)]) {
    await assert.rejects(wrong(), TypeError);
  }
  asked.forEach(caught);
});

test('friendships, settings and a search are asked for and told', async () => {
  const trial = new Trial(['tcp://a:1'], { multi: true });
  const told = news(trial, 'friend', 'settings');
  const login = trial.client.login('amy', 'pw');
  trial.opened();
  const settings = { who_writes: 'all', read_receipts: false };
  trial.letIn({ heads: [], heads_complete: true, settings, asking: [{ id: 5, name: 'eve', note: '<i>', ts: 3 }, { id: 6 }] });
  assert.deepEqual((await login).settings, { whoWrites: 'all', readReceipts: false });
  assert.deepEqual((await login).asking, [{ id: 5, name: 'eve', note: '<i>', ts: 3 }]);
  trial.clear();
  const { client } = trial;
  const asked = [
    client.askFriend(5, 'It is me'), client.askFriend(6), client.answerFriend(5, true), client.settings(),
    client.settings({ whoWrites: 'friends', readReceipts: false }),
    client.search('tea four', { conversation: { group: 3 }, beforeMid: '9', limit: 5 }), client.search('x'),
  ];
  assert.deepEqual(trial.said.map(({ cid, ...fields }) => fields), [
    { msgid: 52, userid: 5, note: 'It is me' }, { msgid: 52, userid: 6 }, { msgid: 53, userid: 5, yes: true }, { msgid: 60 },
    { msgid: 60, who_writes: 'friends', read_receipts: false },
    { msgid: 57, q: 'tea four', groupid: 3, before_mid: '9', limit: 5 }, { msgid: 57, q: 'x' },
  ]);
  const cids = trial.said.map(({ cid }) => cid);
  trial.hear(done(cids[3], 60, { who_writes: 'all', read_receipts: true }));
  assert.deepEqual(await asked[3], { whoWrites: 'all', readReceipts: true });
  const found = { ...row(4, { toid: 2, id: 1 }), with: 2 };
  const inGroup = row(5, { msgid: 10, groupid: 3, toid: undefined });
  trial.hear({ msgid: 58, errno: 0, cid: cids[6], before_mid: '4', searched_to: 77, complete: false, messages: [inGroup, found] });
  const { messages, ...where } = await asked[6];
  assert.deepEqual(messages.map(({ conversation, own, pos }) => [conversation, own, pos]), [
    [{ group: 3 }, false, 5], [{ user: 2 }, true, 4],
  ]);
  assert.deepEqual(where, { beforeMid: '4', searchedTo: 77, complete: false });
  trial.hear({ msgid: 54, id: 5, name: 'eve', what: 'asks', note: 'hi' });
  trial.hear({ msgid: 60, who_writes: 'none', read_receipts: true });
  trial.hear({ msgid: 54, id: 5, what: 'blocked', own: true });
  assert.deepEqual(told, [
    { id: 5, name: 'eve', what: 'asks', note: 'hi', own: false }, { whoWrites: 'none', readReceipts: true },
    { id: 5, name: null, what: 'blocked', note: '', own: true },
  ]);
  // Whether the first of two tries was granted is not known: then the second is.
  trial.lose();
  trial.reconnect();
  trial.letIn({ heads: [], heads_complete: true });
  trial.hear({ msgid: 21, errno: 105, errmsg: 'nobody asks', re: 53, cid: cids[2] });
  assert.deepEqual(await outcome(asked[2]), { value: undefined });
  asked.forEach(caught);
});

test('what is announced is told as what it is, and answers nothing', () => {
  const trial = beside([stands(5)]);
  const told = news(trial, 'announcement', 'notice');
  trial.hear({ msgid: 21, errno: 0, errmsg: 'Down at ten' });
  assert.deepEqual(told, [{ text: 'Down at ten' }]);
  trial.hear({ msgid: 21, errno: 102, errmsg: 'what?' });
  assert.equal(told[1].errno, 102);
});
