// Changes, groups, friendships and search, with the real server.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Chatd, Heard, cable, further, next } from './servers.mjs';
import { ERRNO } from '../chatd.js';

const device = (name) => ({ multi: true, device: name });
const refused = (errno) => (error) => error.errno === errno;

/** All that is told of this kind. */
function all(client, type) {
  const told = [];
  client.on(type, (each) => void told.push(each));
  return told;
}

test('what is changed is told to every device of both, and history shows it', async (t) => {
  const chatd = await Chatd.start(t);
  const amy = await chatd.enter(t, 'amy', device('desk'));
  const pad = await further(t, chatd, 'amy', device('pad'));
  const ben = await chatd.enter(t, 'ben', device('phone'));
  const told = [amy, pad, ben].map(({ client }) => all(client, 'changed'));
  const [there, here] = [{ user: ben.id }, { user: amy.id }];
  const places = [];
  for (const text of ['Tee?', 'Secret', 'Kettle is on']) places.push((await amy.client.say(there, text)).pos);
  assert.equal(await amy.client.edit(there, places[0], 'Tea?'), 1);
  assert.equal(await ben.client.react(here, places[0], '🎉'), 2);
  assert.equal(await pad.client.react(there, places[0], '🎉'), 3);
  assert.equal(await pad.client.react(there, places[0], '🎉'), 3, 'nothing is another then');
  assert.equal(await pad.client.recall(there, places[1]), 4);
  assert.equal(await ben.client.react(here, places[0], '🎉', false), 5);
  await assert.rejects(ben.client.edit(here, places[0], 'x'), refused(ERRNO.NOT_YOURS));
  await assert.rejects(amy.client.edit(there, places[1], 'x'), refused(ERRNO.NO_SUCH_USER));
  const kinds = ({ chg, kind, pos, text, emoji, on, n, rev }) => [chg, kind, pos, text, emoji, on, n, rev];
  const expected = [
    [1, 'edit', places[0], 'Tea?', null, false, null, 1], [2, 'react', places[0], null, '🎉', true, 1, 1],
    [3, 'react', places[0], null, '🎉', true, 2, 1], [4, 'recall', places[1], null, null, false, null],
    [5, 'react', places[0], null, '🎉', false, 1, 1],
  ];
  for (const [at, { client }] of [amy, pad, ben].entries()) {
    // Each has heard of all, when the last one has come.
    if (told[at].length < 5) await next(client, 'changed', ({ chg }) => chg === 5);
    assert.deepEqual(told[at].map(kinds).map((each) => each.slice(0, each[1] === 'recall' ? 7 : 8)), expected);
  }
  const { rows, messages, chg } = await ben.client.history(here);
  assert.deepEqual(rows.map(({ kind }) => kind), ['said', 'recalled', 'said']);
  assert.deepEqual(messages.map(({ text, rev, reactions }) => [text, rev, reactions]), [
    ['Tea?', 1, [{ emoji: '🎉', n: 1, mine: false }]], ['Kettle is on', 0, []],
  ]);
  assert.equal(chg, 5);
  // A session that understands none of it sees what is said now, and no place of what was recalled.
  const plain = chatd.client(t);
  ben.client.close();
  await plain.login('ben', 'password of ben', { takeover: true });
  assert.deepEqual((await plain.history(here)).rows.map(({ text }) => text), ['Tea?', 'Kettle is on']);
});

test('a device that is cut off again and again ends with every change, once and in order', async (t) => {
  const chatd = await Chatd.start(t);
  const desk = await chatd.enter(t, 'amy', device('desk'));
  const ben = await chatd.enter(t, 'ben', device('ben'));
  const line = await cable(t, chatd);
  const pad = await further(t, chatd, 'amy', device('pad'), line.address);
  const [there, here] = [{ user: ben.id }, { user: desk.id }];
  const changed = all(pad.client, 'changed');
  const said = [];
  for (let n = 1; n <= 20; n += 1) said.push((await ben.client.say(here, `m${n}`)).pos);
  let last = 0;
  for (let round = 0; round < 10; round += 1) {
    const asked = [];
    for (let n = 0; n < 12; n += 1) {
      const pos = said[(round * 7 + n * 3) % said.length];
      asked.push(ben.client.edit(here, pos, `round ${round} ${n}`), desk.client.react(there, pos, '👍', n % 2 === round % 2));
      if (n % 4 === 0) asked.push(pad.client.react(there, pos, `p${n}`, round % 2 === 0));
    }
    await asked[round];
    line.cut();
    if (round % 3 > 0) await Promise.all(asked.slice(0, 2));
    line.mend();
    pad.client.wake();
    last = Math.max(last, ...(await Promise.all(asked)));
  }
  if (changed.at(-1)?.chg !== last) await next(pad.client, 'changed', ({ chg }) => chg === last);
  assert.deepEqual(changed.map(({ chg }) => chg), Array.from({ length: last }, (_, n) => n + 1));
  // What was told, done one after the other, is what history shows.
  const texts = new Map();
  for (const { kind, pos, text } of changed) if (kind === 'edit') texts.set(pos, text);
  const { messages } = await pad.client.history(there);
  for (const { pos, text } of messages) assert.equal(texts.get(pos) ?? text, text);
  assert.ok(texts.size > 10);
});

test('a group is run, and each change is a row that all are told, once', async (t) => {
  const chatd = await Chatd.start(t);
  const amy = await chatd.enter(t, 'amy', device('amy'));
  const ben = await chatd.enter(t, 'ben', device('ben'));
  const cat = await chatd.enter(t, 'cat', device('cat'));
  const group = await amy.client.createGroup('tea');
  const told = all(ben.client, 'group');
  await ben.client.joinGroup(group);
  await cat.client.joinGroup(group);
  await amy.client.setRole(group, ben.id, 'admin');
  const muted = await ben.client.mute(group, cat.id);
  assert.ok(muted.mid && muted.pos > 0);
  await assert.rejects(cat.client.say({ group }, 'x'), refused(ERRNO.MUTED));
  const { members } = await ben.client.members(group);
  assert.deepEqual(members.map(({ name, role, mutedUntil }) => [name, role, mutedUntil]), [
    ['amy', 'owner', 0], ['ben', 'admin', 0], ['cat', 'normal', Infinity],
  ]);
  await assert.rejects(ben.client.setRole(group, cat.id, 'admin'), refused(ERRNO.NOT_YOURS));
  await assert.rejects(cat.client.mute(group, ben.id), refused(ERRNO.NOT_YOURS));
  await ben.client.mute(group, cat.id, 0);
  const out = next(cat.client, 'group', ({ what }) => what === 'kicked');
  await amy.client.kick(group, cat.id, { banUntil: Infinity });
  const { whom, until } = await out;
  assert.deepEqual([whom, until], [{ id: cat.id, name: 'cat' }, Infinity]);
  await assert.rejects(cat.client.joinGroup(group), refused(ERRNO.NOT_YOURS));
  await amy.client.kick(group, cat.id, { banUntil: 0 });
  await amy.client.setGroup(group, { name: 'Tea & co', join: 'ask' });
  const asks = [amy, ben].map(({ client }) => next(client, 'group', ({ what }) => what === 'asks'));
  await assert.rejects(cat.client.joinGroup(group), refused(ERRNO.PENDING));
  for (const event of asks) assert.deepEqual([(await event).name, (await event).mid], ['cat', null]);
  assert.deepEqual((await ben.client.joinRequests(group)).map(({ id, name }) => [id, name]), [[cat.id, 'cat']]);
  const no = next(cat.client, 'group', ({ what }) => what === 'refused');
  await ben.client.answerJoin(group, cat.id, false);
  await no;
  await assert.rejects(cat.client.joinGroup(group), refused(ERRNO.PENDING));
  const yes = next(cat.client, 'group', ({ what }) => what === 'joined');
  await amy.client.answerJoin(group, cat.id, true);
  assert.equal((await yes).by, amy.id);
  await amy.client.setRole(group, ben.id, 'owner');
  await amy.client.muteAll(group);
  await assert.rejects(cat.client.say({ group }, 'x'), refused(ERRNO.MUTED));
  await amy.client.say({ group }, 'I may');
  await ben.heard.count(1);
  // What several people do within a moment comes by several ways; their places say in which order it was done.
  const rowsTold = () => told.filter(({ mid }) => mid !== null).sort((a, b) => a.pos - b.pos);
  while (rowsTold().length < 8) await next(ben.client, 'group');
  const seen = rowsTold().map(({ what, by, role, until }) => [what, by, role, until]);
  assert.deepEqual(seen, [
    ['joined', cat.id, null, 0], ['role', amy.id, 'admin', 0], ['kicked', amy.id, null, Infinity], ['banned', amy.id, null, 0],
    ['set', amy.id, null, 0], ['joined', amy.id, null, 0], ['role', amy.id, 'owner', 0], ['muted', amy.id, null, Infinity],
  ]);
  // What happened is never unread.
  assert.deepEqual((await ben.client.heads()).heads.map(({ unread }) => unread), [1]);
  // History has all of them, also what ben did himself, at places without a gap.
  const { rows, messages } = await ben.client.history({ group });
  assert.deepEqual(rows.map(({ pos }) => pos), Array.from(rows, (_, n) => rows[0].pos + n));
  assert.deepEqual([messages.length, rows.filter(({ what }) => what === 'muted').length], [1, 3]);
  const again = new Heard(await further(t, chatd, 'cat', device('other')).then(({ client }) => client));
  assert.equal(again.messages.length, 0);
});

test('friendships that both want, settings, and what is found', async (t) => {
  const chatd = await Chatd.start(t);
  const amy = await chatd.enter(t, 'amy', device('desk'));
  const pad = await further(t, chatd, 'amy', device('pad'));
  const ben = await chatd.enter(t, 'ben', device('ben'));
  const asks = next(amy.client, 'friend');
  await ben.client.askFriend(amy.id, 'From the pier');
  assert.deepEqual(await asks, { id: ben.id, name: 'ben', what: 'asks', note: 'From the pier', own: false });
  await assert.rejects(ben.client.askFriend(amy.id), refused(ERRNO.EXISTS));
  const later = await further(t, chatd, 'amy', device('later'));
  later.client.close();
  const third = chatd.client(t, device('third'));
  const { asking, settings } = await third.login('amy', 'password of amy');
  assert.deepEqual(asking.map(({ id, name, note }) => [id, name, note]), [[ben.id, 'ben', 'From the pier']]);
  assert.deepEqual(settings, { whoWrites: 'all', readReceipts: true });
  const accepted = [ben, pad].map(({ client }) => next(client, 'friend', ({ what }) => what === 'accepted'));
  await amy.client.answerFriend(ben.id, true);
  for (const event of accepted) assert.equal((await event).what, 'accepted');
  for (const [{ client }, name] of [[amy, 'ben'], [ben, 'amy']]) {
    assert.deepEqual((await client.friends()).map((friend) => friend.name), [name]);
  }
  const gone = next(ben.client, 'friend');
  await amy.client.removeFriend(ben.id);
  assert.equal((await gone).what, 'gone');
  assert.deepEqual(await ben.client.friends(), []);
  const chosen = next(pad.client, 'settings');
  assert.deepEqual(await amy.client.settings({ whoWrites: 'none' }), { whoWrites: 'none', readReceipts: true });
  assert.deepEqual(await chosen, { whoWrites: 'none', readReceipts: true });
  await assert.rejects(ben.client.say({ user: amy.id }, 'x'), refused(ERRNO.NOT_YOURS));
  await amy.client.settings({ whoWrites: 'all', readReceipts: false });
  await ben.client.say({ user: amy.id }, 'A kettle for the boat');
  await amy.client.say({ user: ben.id }, 'Which Kettle?');
  // What is stored is found a little later.
  let found = { messages: [] };
  while (found.messages.length < 2) found = await amy.client.search('kettle');
  assert.deepEqual(found.messages.map(({ text, own, conversation, pos }) => [text, own, conversation, pos]), [
    ['Which Kettle?', true, { user: ben.id }, 2], ['A kettle for the boat', false, { user: ben.id }, 1],
  ]);
  const first = await amy.client.search('kettle', { conversation: { user: ben.id }, limit: 1 });
  assert.deepEqual([first.messages.length, first.complete], [1, false]);
  const second = await amy.client.search('kettle', { beforeMid: first.beforeMid });
  assert.deepEqual(second.messages.map(({ text }) => text), ['A kettle for the boat']);
  await assert.rejects(amy.client.search('?!'), refused(ERRNO.BAD_FIELD));
});
