// Several devices of one user, with the real server; and what a session does about places, without one.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Chatd, Heard, cable, further, next } from './servers.mjs';
import { Trial, atPlaces, beside, row, stands, synced } from './trial.mjs';
import { ERRNO } from '../chatd.js';

const device = (name) => ({ multi: true, device: name });

const numbers = (from, to, text) => Array.from({ length: to - from + 1 }, (_, n) => `${text} ${from + n}`);

test('what one device says the other hears, what comes comes to both, and what is read is read on both', async (t) => {
  const chatd = await Chatd.start(t);
  const amy = await chatd.enter(t, 'amy', device('desk'));
  const ben = await chatd.enter(t, 'ben', { caps: ['read', 'typing'] });
  const pad = await further(t, chatd, 'amy', device('pad'));
  assert.deepEqual([amy.client.multi, pad.client.multi, ben.client.multi], [true, true, false]);

  const stored = next(pad.client, 'stored');
  const receipt = await amy.client.say({ user: ben.id }, 'At the pier');
  const [own] = await pad.heard.count(1);
  assert.deepEqual([own.own, own.from, own.conversation, own.mid], [true, amy.id, { user: ben.id }, receipt.mid]);
  assert.deepEqual(await stored, { conversation: { user: ben.id }, places: [{ mid: receipt.mid, pos: 1 }] });
  const group = await amy.client.createGroup('boats');
  await ben.client.joinGroup(group);
  await pad.client.say({ group }, 'Which one?');
  const [inGroup] = await amy.heard.count(1);
  assert.deepEqual([inGroup.own, inGroup.conversation], [true, { group }]);
  assert.equal((await ben.heard.count(2))[1].own, false);

  await ben.client.say({ user: amy.id }, 'Coming');
  for (const { heard } of [amy, pad]) assert.equal((await heard.count(2)).at(-1).text, 'Coming');
  let { heads, complete } = await pad.client.heads();
  assert.equal(complete, true);
  assert.deepEqual(heads.map(({ conversation, name, head, read, unread, peerRead }) =>
    [conversation, name, head, read, unread, peerRead]), [
    [{ user: ben.id }, 'ben', 2, 0, 1, 0], [{ group }, 'boats', 2, 0, 0, null],
  ]);
  const told = [amy, ben].map(({ client }) => next(client, 'read'));
  assert.equal(await pad.client.read({ user: ben.id }, 99), 2);
  assert.deepEqual(await told[0], { conversation: { user: ben.id }, by: amy.id, pos: 2 });
  assert.deepEqual(await told[1], { conversation: { user: amy.id }, by: amy.id, pos: 2 });
  ({ heads } = await amy.client.heads({ limit: 1 }));
  assert.deepEqual(heads.map(({ read, unread }) => [read, unread]), [[2, 0]]);
  ({ heads } = await amy.client.heads({ beforeMid: heads[0].mid }));
  assert.deepEqual(heads.map(({ conversation }) => conversation), [{ group }]);
  assert.deepEqual((await ben.client.heads()).heads.find(({ conversation }) => conversation.user === amy.id).peerRead, 2);

  const typing = next(ben.client, 'typing');
  assert.deepEqual([amy.client.typing({ user: ben.id }), amy.client.typing({ user: ben.id })], [true, false]);
  assert.deepEqual(await typing, { conversation: { user: amy.id }, by: amy.id, on: true, expiresMs: 6_000 });
  const ended = next(ben.client, 'typing');
  assert.equal(amy.client.typing({ user: ben.id }, false), true);
  assert.equal((await ended).on, false);
  assert.deepEqual([amy.heard, pad.heard, ben.heard].map(({ texts }) => texts), [
    ['Which one?', 'Coming'], ['At the pier', 'Coming'], ['At the pier', 'Which one?'],
  ]);
});

test('devices are listed by what they call themselves, and sent away', async (t) => {
  const chatd = await Chatd.start(t);
  const desk = await chatd.enter(t, 'amy', device('desk'));
  const pad = await further(t, chatd, 'amy', device('<b>pad</b>'));
  const devices = await pad.client.devices();
  assert.deepEqual(devices.map(({ name, isThis }) => [name, isThis]).sort(), [['<b>pad</b>', true], ['desk', false]]);
  assert.equal(devices.find(({ isThis }) => isThis).online, true);
  assert.ok(devices.every(({ created, used }) => created > 0 && used >= created));
  const { token } = desk.client;
  const out = next(desk.client, 'signedout');
  await pad.client.dropDevice(devices.find(({ isThis }) => !isThis).id);
  assert.equal((await out).errno, ERRNO.REPLACED);
  await assert.rejects(desk.client.resume(token), ({ errno }) => errno === ERRNO.REFUSED);
  assert.deepEqual((await pad.client.devices()).map(({ name }) => name), ['<b>pad</b>']);
  await assert.rejects(pad.client.dropDevice('7'), ({ errno }) => errno === ERRNO.NO_SUCH_USER);
  // A session that does not live beside others is refused as ever.
  const alone = chatd.client(t);
  const refused = ({ errno }) => errno === ERRNO.ONLINE_ALREADY;
  await assert.rejects(alone.login('amy', 'password of amy'), refused);
});

test('a device that was cut off is told what it missed, once and in order, though another has confirmed it', async (t) => {
  const chatd = await Chatd.start(t);
  const desk = await chatd.enter(t, 'amy', device('desk'));
  const ben = await chatd.enter(t, 'ben');
  const cat = await chatd.enter(t, 'cat');
  const line = await cable(t, chatd);
  const pad = await further(t, chatd, 'amy', device('pad'), line.address);
  await ben.client.say({ user: desk.id }, 'before');
  await pad.heard.count(1);
  line.cut();
  await next(pad.client, 'lost');
  // More than a page of one conversation, one that is new, and what the user said on the other device.
  const missed = numbers(1, 430, 'missed');
  await Promise.all(missed.map((text) => ben.client.say({ user: desk.id }, text)));
  await desk.heard.count(431);
  await desk.client.say({ user: ben.id }, 'seen');
  await cat.client.say({ user: desk.id }, 'hello');
  await desk.heard.count(432);
  const mine = pad.client.say({ user: ben.id }, 'said while it was cut off');
  line.mend();
  pad.client.wake();
  await mine;
  await ben.client.say({ user: desk.id }, 'after');
  const heard = await pad.heard.count(434);
  const ofBen = heard.filter(({ conversation }) => conversation.user === ben.id);
  assert.deepEqual(ofBen.map(({ text }) => text), ['before', ...missed, 'seen', 'after']);
  assert.deepEqual(ofBen.filter(({ own }) => own).map(({ text }) => text), ['seen']);
  assert.deepEqual(heard.filter(({ conversation }) => conversation.user === cat.id).map(({ text }) => text), ['hello']);
  const { places } = pad.client;

  // A program that begins anew says where it has everything up to, and is told the rest.
  pad.client.close();
  await cat.client.say({ user: desk.id }, 'still there?');
  await desk.heard.count(435);
  const anew = chatd.client(t, device('pad'));
  const again = new Heard(anew);
  await anew.login('amy', 'password of amy', { places });
  await again.count(1);
  const read = await anew.sync(places.filter(({ conversation }) => conversation.user === cat.id), { limit: 5 });
  assert.deepEqual(read.map(({ messages, head, complete }) => [messages.map(({ text }) => text), head, complete]), [
    [['still there?'], 2, true],
  ]);
  assert.equal(again.texts.at(-1), 'still there?');
});

test('a device that is cut off again and again, while all talk, misses nothing and repeats nothing', async (t) => {
  const chatd = await Chatd.start(t);
  const desk = await chatd.enter(t, 'amy', device('desk'));
  const ben = await chatd.enter(t, 'ben');
  const group = await ben.client.createGroup('boats');
  await desk.client.joinGroup(group);
  const line = await cable(t, chatd);
  const pad = await further(t, chatd, 'amy', device('pad'), line.address);
  const [ROUNDS, EACH] = [12, 20];
  for (let round = 0; round < ROUNDS; round += 1) {
    const said = [];
    for (let n = round * EACH + 1; n <= (round + 1) * EACH; n += 1) {
      said.push(ben.client.say({ user: desk.id }, `b${n}`), ben.client.say({ group }, `g${n}`));
      said.push(desk.client.say({ user: ben.id }, `d${n}`), pad.client.say({ user: ben.id }, `p${n}`));
    }
    // In the middle of it, somewhere else each time.
    await said[round * 5];
    line.cut();
    if (round % 3 > 0) await Promise.all(said.filter((_, n) => n % 4 !== 3));
    line.mend();
    pad.client.wake();
    await Promise.all(said);
  }
  const heard = await pad.heard.count(3 * ROUNDS * EACH);
  for (const sign of ['b', 'g', 'd']) {
    const texts = heard.map(({ text }) => text).filter((text) => text.startsWith(sign));
    assert.deepEqual(texts, Array.from({ length: ROUNDS * EACH }, (_, n) => `${sign}${n + 1}`));
  }
  assert.equal(heard.length, 3 * ROUNDS * EACH);
  const others = await desk.heard.count(3 * ROUNDS * EACH);
  assert.equal(new Set(others.map(({ text }) => text)).size, others.length);
});

test('a login says what the device is called and understands, and nothing where nothing was chosen', () => {
  const { entry } = beside();
  assert.deepEqual([entry.device, entry.multi, entry.caps], ['desk', true, ['own', 'read', 'typing', 'changed', 'group', 'friend']]);
  const plain = beside([], {});
  assert.deepEqual(plain.entry, { msgid: 1, name: 'amy', password: 'pw', v: 2 });
  const chosen = beside([], { caps: ['read'] });
  assert.deepEqual(chosen.entry, { msgid: 1, name: 'amy', password: 'pw', caps: ['read'], v: 2 });
});

test('a place that does not follow is asked for, and what came after it is kept back until then', () => {
  const trial = beside([stands(4)]);
  trial.comes(2, 'c5', 5);
  trial.hear(atPlaces(5));
  assert.deepEqual(trial.saidOf(36), []);
  trial.comes(2, 'c8', 8);
  trial.hear(atPlaces(8));
  const [{ since, cid }] = trial.saidOf(36);
  assert.deepEqual(since, [{ with: 2, after: 5, chg: 0 }]);
  trial.comes(2, 'c9', 9);
  assert.deepEqual(trial.hears, ['c5', 'c8']);
  // One frame of several; the conversation goes on after it.
  trial.hear({ msgid: 37, errno: 0, cid, complete: false, convs: [] });
  trial.hear(synced(cid, [row(6)], { complete: false }));
  const [, { since: more, cid: second }] = trial.saidOf(36);
  assert.deepEqual(more, [{ with: 2, after: 6, chg: 0 }]);
  trial.hear(synced(second, [row(7), row(8)]));
  assert.deepEqual(trial.hears, ['c5', 'c8', 'c6', 'c7', 'c9']);
  trial.hear(atPlaces(9));
  assert.equal(trial.saidOf(36).length, 2);
  assert.deepEqual(trial.client.places, [{ conversation: { user: 2 }, pos: 9, chg: 0 }]);
});

test('after a return what was missed is told before what comes, and what is said here is no news', () => {
  const trial = beside([stands(1)]);
  trial.client.say({ user: 2 }, 'mine');
  const [{ cid: mine }] = trial.said;
  trial.lose();
  trial.reconnect();
  trial.clear();
  // The heads have a conversation that is new, and one that stands further.
  const other = { groupid: 3, name: 'tea', head: 7, mid: '9', ts: 1, read: 0, unread: 1 };
  const waits = row(4, { pos: undefined });
  trial.letIn({ heads: [other, stands(4)], heads_complete: true, offlinemsg: [waits] });
  const [{ since, cid }] = trial.saidOf(36);
  assert.deepEqual(since, [{ with: 2, after: 1, chg: 0 }, { groupid: 3, after: 0, chg: 0 }]);
  assert.deepEqual(trial.hears, []);
  const own = row(3, { id: 1, toid: 2, cid: mine, msg: 'mine' });
  const elsewhere = row(2, { id: 1, toid: 2, cid: 'x-1', msg: 'elsewhere' });
  // The connection is lost in the middle, and the answer comes again from its beginning.
  trial.hear({ ...synced(cid, [elsewhere]), complete: false });
  trial.lose();
  trial.reconnect();
  trial.clear();
  trial.letIn({ heads: [other, stands(4)], heads_complete: true, offlinemsg: [waits] });
  const again = trial.saidOf(36);
  assert.deepEqual(again.map((frame) => frame.cid), [cid]);
  // Pushed by the session before, which is another one to the server.
  trial.hear({ ...row(3, { id: 1, toid: 2, cid: mine, own: true }), pos: undefined });
  trial.hear(synced(cid, [elsewhere, own, row(4)]));
  assert.deepEqual(trial.hears, ['elsewhere', 'c4']);
  trial.clock.pass(50);
  assert.deepEqual(trial.saidOf(24), [{ msgid: 24, mids: ['4'] }], 'and one\'s own needs no confirming');
});

test('a server that cannot say what follows holds nothing up', () => {
  const trial = beside([stands(1)]);
  trial.hear(atPlaces(3));
  trial.comes(2, 'held', 4);
  const ask = () => trial.saidOf(36).at(-1).cid;
  trial.hear(synced(ask(), []));
  trial.hear(synced(ask(), []));
  assert.equal(trial.saidOf(36).length, 2);
  assert.deepEqual(trial.hears, ['held']);
  // And neither does one that refuses.
  trial.hear(atPlaces(7));
  trial.comes(2, 'too', 8);
  trial.hear({ msgid: 21, errno: 102, errmsg: 'no', re: 36, cid: ask() });
  assert.deepEqual(trial.hears, ['held', 'too']);
});

test('what is kept back is bounded, and nothing of it is lost', () => {
  const trial = beside([stands(1)]);
  trial.hear(atPlaces(3));
  for (let n = 4; n <= 1_003; n += 1) trial.comes(2, `c${n}`, n);
  trial.hear(atPlaces(...Array.from({ length: 1_000 }, (_, n) => n + 4)));
  assert.deepEqual(trial.types, []);
  trial.comes(2, 'c1004', 1_004);
  assert.deepEqual(trial.types, ['hung up', 'lost']);
  trial.reconnect();
  trial.letIn({ heads: [stands(1_004)], heads_complete: true });
  const cid = trial.saidOf(36).at(-1).cid;
  trial.hear(synced(cid, Array.from({ length: 1_003 }, (_, n) => row(n + 2))));
  assert.deepEqual(trial.hears, Array.from({ length: 1_003 }, (_, n) => `c${n + 2}`));
  assert.deepEqual(trial.client.places, [{ conversation: { user: 2 }, pos: 1_004, chg: 0 }]);
});

test('what is kept back when the connection is lost is told after the next one', () => {
  const trial = beside([stands(5)]);
  trial.hear(atPlaces(8));
  const { cid } = trial.saidOf(36)[0];
  trial.comes(2, 'c9', 9);
  trial.hear(synced(cid, [row(6), row(7), row(8)], { complete: false }));
  trial.hear(atPlaces(9));
  assert.deepEqual(trial.client.places, [{ conversation: { user: 2 }, pos: 8, chg: 0 }]);
  trial.lose();
  trial.reconnect();
  trial.clear();
  trial.letIn({ heads: [stands(9)], heads_complete: true });
  const [{ cid: again, since }] = trial.saidOf(36);
  assert.deepEqual(since, [{ with: 2, after: 8, chg: 0 }]);
  trial.hear(synced(again, [row(9)]));
  assert.deepEqual(trial.hears, ['c6', 'c7', 'c8', 'c9']);
  assert.equal(trial.saidOf(36).length, 1);
});

test('heads that do not fit into one frame are asked for to their end', () => {
  const trial = new Trial(['tcp://a:1'], { multi: true });
  const told = [];
  trial.client.on('heads', (heads) => told.push(...heads.map(({ head }) => head)));
  trial.client.login('amy', 'pw');
  trial.opened();
  trial.letIn({ heads: [stands(9)], heads_complete: false });
  const [{ cid, before_mid: before }] = trial.saidOf(36);
  assert.equal(before, '9');
  trial.hear({ msgid: 37, errno: 0, cid, heads: [stands(5, { with: 3, mid: '5' })], heads_complete: true });
  assert.deepEqual(told, [9, 5]);
  assert.equal(trial.saidOf(36).length, 1);
  // Unasked, because something may have been missed.
  trial.hear({ msgid: 37, errno: 0, heads: [stands(11)], heads_complete: true });
  assert.deepEqual(trial.saidOf(36).at(-1).since, [{ with: 2, after: 9, chg: 0 }]);
});
