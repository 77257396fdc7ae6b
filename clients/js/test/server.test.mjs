// The client with the real server.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Chatd, PROGRAM, away, next } from './servers.mjs';
import { Client, ERRNO, compareMids } from '../chatd.js';

const refused = (errno) => (error) => error.kind === 'refused' && error.errno === errno && error.message !== '';

async function all(pages, of) {
  const found = [];
  for await (const page of pages) found.push(...of(page));
  return found;
}

/** The same, by each way to a server that there is. */
function over(name, run) {
  for (const way of ['tcp', 'ws', 'tls', 'wss']) test(`${name}, over ${way}`, (t) => run(t, way));
}

over('two people meet, talk, and find each other again', async (t, way) => {
  const chatd = await Chatd.start(t, way);
  const amy = await chatd.enter(t, 'amy');
  const { id: ben, name } = { id: await amy.client.register('Zoë', 'pw'), name: 'zoë' };
  assert.deepEqual(await amy.client.find(name), { id: ben, name: 'Zoë', online: false });
  await assert.rejects(amy.client.find('nobody'), refused(ERRNO.NO_SUCH_USER));
  await assert.rejects(amy.client.register('ZOË', 'pw'), refused(ERRNO.REFUSED));
  await amy.client.addFriend(ben);
  await assert.rejects(amy.client.addFriend(ben), refused(ERRNO.EXISTS));
  const online = next(amy.client, 'presence', ({ online }) => online);
  const receipt = await amy.client.say({ user: ben }, 'Tea? 🍵', { time: '2026-11-23 16:00:00' });
  assert.equal(receipt.pos, 1);

  const other = chatd.client(t);
  const heard = [];
  other.on('message', (message) => void heard.push(message));
  await assert.rejects(other.login(ben, 'guess'), refused(ERRNO.REFUSED));
  const welcome = await other.login('Zoë', 'pw');
  assert.deepEqual(welcome, { id: ben, name: 'Zoë', friends: [], groups: [], asking: [], settings: null });
  const { cid, mid, ts } = receipt;
  const said = {
    kind: 'said', conversation: { user: amy.id }, from: amy.id, name: 'amy', text: 'Tea? 🍵', time: '2026-11-23 16:00:00',
    reply: null, data: null, rev: 0, reactions: [],
  };
  assert.deepEqual(heard, [{ ...said, own: false, cid, mid, ts, pos: null }]);
  assert.deepEqual(await online, { id: ben, online: true });
  assert.deepEqual(await amy.client.friends(), [{ id: ben, name: 'Zoë', online: true }]);

  await other.say({ user: amy.id }, 'Yes');
  await amy.heard.count(1);
  const pages = await all(amy.client.historyPages({ user: ben }), (page) => [page]);
  assert.equal(pages.length, 1);
  assert.equal(pages[0].complete, true);
  assert.deepEqual(pages[0].messages.map((each) => [each.from, each.text, each.pos]), [
    [amy.id, 'Tea? 🍵', 1], [ben, 'Yes', 2],
  ]);
  await amy.client.removeFriend(ben);
  assert.deepEqual(await amy.client.friends(), []);
});

test('a message says what it replies to, and carries an object of the application', async (t) => {
  const chatd = await Chatd.start(t);
  const [amy, ben] = [await chatd.enter(t, 'amy'), await chatd.enter(t, 'ben')];
  await amy.client.say({ user: ben.id }, 'Which?');
  const data = { list: [17, 0.5], by: { name: 'Zoë "}' } };
  const saying = ben.client.say({ user: amy.id }, 'That one', { reply: 1, data });
  data.list.push('afterwards');
  const { pos } = await saying;
  const sent = { list: [17, 0.5], by: { name: 'Zoë "}' } };
  const [heard] = await amy.heard.count(1);
  assert.deepEqual([heard.text, heard.reply, heard.data], ['That one', 1, sent]);
  const { messages } = await amy.client.history({ user: ben.id });
  assert.deepEqual(messages.map((each) => [each.pos, each.reply, each.data]), [[1, null, null], [pos, 1, sent]]);
  await assert.rejects(ben.client.say({ user: amy.id }, 'x', { data: { long: 'x'.repeat(5_000) } }), refused(ERRNO.TOO_LARGE));
  await assert.rejects(ben.client.say({ user: amy.id }, 'x', { data: [1] }), TypeError);
  await assert.rejects(ben.client.say({ user: amy.id }, 'x', { reply: -1 }), TypeError);
});

test('groups are made, joined, talked in, looked into and left', async (t) => {
  const chatd = await Chatd.start(t);
  const people = [];
  for (const name of ['amy', 'ben', 'cat', 'dan', 'eve']) people.push(await chatd.enter(t, name));
  const [amy, ben, ...others] = people;
  const group = await amy.client.createGroup('tea', 'at four');
  await assert.rejects(amy.client.createGroup('Tea'), refused(ERRNO.EXISTS));
  for (const { client } of [ben, ...others]) assert.equal(await client.joinGroup(group), group);
  await ben.client.say({ group }, 'Kettle is on');
  for (const { heard } of [amy, ...others]) {
    const [{ conversation, name }] = await heard.count(1);
    assert.deepEqual([conversation, name], [{ group }, 'ben']);
  }
  const members = await all(amy.client.memberPages(group, { limit: 2 }), (page) => page.members);
  assert.deepEqual(members.map(({ name, role }) => [name, role]), [
    ['amy', 'owner'], ['ben', 'normal'], ['cat', 'normal'], ['dan', 'normal'], ['eve', 'normal'],
  ]);
  await ben.client.leaveGroup(group);
  await assert.rejects(ben.client.say({ group }, 'x'), refused(ERRNO.NOT_A_MEMBER));
  await amy.client.logout();
  const { groups } = await amy.client.login('amy', 'password of amy');
  assert.deepEqual(groups, [
    { id: group, name: 'tea', description: 'at four', members: 4, role: null, mutedUntil: 0, join: null },
  ]);
  await amy.client.leaveGroup(group);
  await assert.rejects(amy.client.say({ group }, 'x'), refused(ERRNO.NO_SUCH_GROUP));
});

over('a long history is paged back to its first message', async (t, way) => {
  const chatd = await Chatd.start(t, way);
  const amy = await chatd.enter(t, 'amy');
  const ben = await chatd.enter(t, 'ben');
  const texts = Array.from({ length: 230 }, (_, n) => `message ${n + 1}`);
  await Promise.all(texts.map((text) => amy.client.say({ user: ben.id }, text)));
  const pages = await all(ben.client.historyPages({ user: amy.id }), (page) => [page]);
  assert.deepEqual(pages.map(({ messages }) => messages.length), [50, 50, 50, 50, 30]);
  assert.ok(pages.every(({ complete }) => complete));
  const rows = pages.reverse().flatMap(({ messages }) => messages);
  assert.deepEqual(rows.map(({ text }) => text), texts);
  const after = await ben.client.history({ user: amy.id }, { after: 228 });
  assert.deepEqual(after.messages.map(({ pos }) => pos), [229, 230]);
});

test('friends come and go, and blocking ends what is heard', async (t) => {
  const chatd = await Chatd.start(t);
  const amy = await chatd.enter(t, 'amy');
  const ben = await chatd.enter(t, 'ben');
  let told = amy.client.once('presence');
  await amy.client.addFriend(ben.id);
  assert.deepEqual(await told, { id: ben.id, online: true });
  told = amy.client.once('presence');
  await ben.client.logout();
  assert.deepEqual(await told, { id: ben.id, online: false });
  await ben.client.login('ben', 'password of ben');
  await amy.client.block(ben.id);
  await assert.rejects(ben.client.say({ user: amy.id }, 'hello?'), refused(ERRNO.NOT_YOURS));
  await amy.client.unblock(ben.id);
  await ben.client.say({ user: amy.id }, 'hello!');
  await amy.heard.count(1);
  assert.deepEqual(amy.heard.texts, ['hello!']);
});

test('a token brings its session back, and is worthless after a logout or a new password', async (t) => {
  const chatd = await Chatd.start(t);
  const amy = await chatd.enter(t, 'amy');
  const { token } = amy.client;
  const second = chatd.client(t);
  const out = amy.client.once('signedout');
  assert.equal((await second.resume(token)).name, 'amy');
  assert.equal((await out).errno, ERRNO.REPLACED);
  assert.equal(amy.client.user, null);
  await second.changePassword('password of amy', 'anew');
  assert.notEqual(second.token, token);
  const third = chatd.client(t);
  await assert.rejects(third.resume(token), refused(ERRNO.REFUSED));
  const last = second.token;
  await second.logout();
  assert.equal(second.token, null);
  await assert.rejects(third.resume(last), refused(ERRNO.REFUSED));
  await assert.rejects(third.login('amy', 'password of amy'), refused(ERRNO.REFUSED));
  await third.login('amy', 'anew');
});

test('whoever is logged in elsewhere is asked, and may take over', async (t) => {
  const chatd = await Chatd.start(t);
  const amy = await chatd.enter(t, 'amy');
  const second = chatd.client(t);
  const asked = [];
  const ask = (answer) => (refusal) => {
    asked.push(refusal.errno);
    return answer;
  };
  await assert.rejects(second.login('amy', 'password of amy', { takeover: ask(false) }), refused(2));
  assert.ok(amy.client.user);
  const out = amy.client.once('signedout');
  await second.login('amy', 'password of amy', { takeover: ask(Promise.resolve(true)) });
  assert.equal((await out).errno, ERRNO.REPLACED);
  assert.deepEqual(asked, [2, 2]);
});

over('what was told and not dealt with is there at the next login', async (t, way) => {
  const chatd = await Chatd.start(t, way);
  const amy = await chatd.enter(t, 'amy');
  const ben = await chatd.enter(t, 'ben', { confirm: 'manual' });
  await amy.client.say({ user: ben.id }, 'kept');
  await amy.client.say({ user: ben.id }, 'lost');
  const [kept] = await ben.heard.count(2);
  ben.client.confirm(kept);
  ben.client.close();
  // Another connection may be heard before what was said last on this one.
  await away(amy.client, 'ben');
  const again = chatd.client(t);
  const texts = [];
  again.on('message', ({ text }) => void texts.push(text));
  await again.login('ben', 'password of ben');
  assert.deepEqual(texts, ['lost']);
});

over('a server that is killed while two talk loses nothing and repeats nothing', async (t, way) => {
  const EACH = 60;
  const chatd = await Chatd.start(t, way);
  const [amy, ben] = [await chatd.enter(t, 'amy'), await chatd.enter(t, 'ben')];
  const back = [amy, ben].map(({ client }) => client.once('loggedin'));
  const said = [];
  let killed = null;
  for (let n = 0; n < EACH; n += 1) {
    said.push(amy.client.say({ user: ben.id }, `a${n}`), ben.client.say({ user: amy.id }, `b${n}`));
    // Somewhere in the middle: some are acknowledged, some are not.
    if (n === EACH / 2) {
      await said[20];
      killed = chatd.end('SIGKILL');
    }
  }
  await killed;
  await chatd.start();
  const receipts = await Promise.all(said);
  await Promise.all([amy.heard.count(EACH), ben.heard.count(EACH)]);
  const numbered = (who) => Array.from({ length: EACH }, (_, n) => `${who}${n}`);
  assert.deepEqual([...amy.heard.texts].sort(), numbered('b').sort());
  assert.deepEqual([...ben.heard.texts].sort(), numbered('a').sort());
  for (const loggedIn of back) assert.equal((await loggedIn).again, true);
  // The history has each of them once, in places without a gap, under the ids that were acknowledged.
  const rows = await all(amy.client.historyPages({ user: ben.id }), (page) => page.messages);
  rows.sort((a, b) => a.pos - b.pos);
  assert.deepEqual(rows.map(({ pos }) => pos), Array.from({ length: 2 * EACH }, (_, n) => n + 1));
  assert.deepEqual(rows.map(({ text }) => text).sort(), [...numbered('a'), ...numbered('b')].sort());
  assert.deepEqual(rows.map(({ mid }) => mid).sort(compareMids), receipts.map(({ mid }) => mid).sort(compareMids));
  // And nothing of it waits for anybody any more.
  await ben.client.logout();
  const before = ben.heard.texts.length;
  await ben.client.login('ben', 'password of ben');
  assert.equal(ben.heard.texts.length, before);
});

over('a server that stops says so, and another one of the list is gone to', async (t, way) => {
  const [first, second] = [await Chatd.start(t, way), await Chatd.start(t, way)];
  await second.enter(t, 'amy').then(({ client }) => client.logout());
  const client = first.client(t, {}, [first.address, second.address]);
  await client.register('amy', 'password of amy');
  await client.login('amy', 'password of amy');
  const lost = client.once('lost');
  const back = client.once('loggedin');
  await first.end('SIGTERM');
  const { error } = await lost;
  assert.equal(error.errno, ERRNO.STOPPING);
  assert.equal((await back).again, true);
  assert.equal(client.connected, true);
});

test('what waits is bounded, and so is what a page may hold', async (t) => {
  const chatd = await Chatd.start(t);
  const amy = await chatd.enter(t, 'amy', { mostWaiting: 2 });
  await chatd.end('SIGKILL');
  const said = [1, 2, 3].map((n) => amy.client.say({ user: 1 }, `note ${n}`));
  await assert.rejects(said[2], { kind: 'full' });
  assert.equal(amy.client.unanswered, 2);
  await chatd.start();
  await Promise.all(said.slice(0, 2));
  assert.equal(amy.client.unanswered, 0);
});

over('a text comes out as it went in', async (t, way) => {
  const chatd = await Chatd.start(t, way);
  const amy = await chatd.enter(t, 'amy');
  const texts = ['', ' ', '\u0000\u0007\u001b[2J', '\u202eevil\u2066', '"\\\n\r\t', '你好 🍵 👩‍👩‍👧 e\u0301', '</script><b>'];
  for (const text of texts) await amy.client.say({ user: amy.id }, text);
  const { messages } = await amy.client.history({ user: amy.id });
  assert.deepEqual(messages.map(({ text }) => text), texts);
  await assert.rejects(amy.client.say({ user: amy.id }, 'x'.repeat((16 << 10) + 1)), refused(ERRNO.TOO_LARGE));
  await amy.client.say({ user: amy.id }, 'x'.repeat(16 << 10));
});

test('a client that cannot reach anybody says so once and goes on trying', async (t) => {
  const chatd = await Chatd.start(t);
  await chatd.end('SIGKILL');
  const client = chatd.client(t);
  const [told, unreachable] = [[], client.once('unreachable')];
  client.on('unreachable', (event) => void told.push(event));
  const registered = client.register('amy', 'pw');
  const { reason, address } = await unreachable;
  assert.match(reason, /ECONNREFUSED/);
  assert.equal(address, chatd.address);
  await chatd.start();
  assert.equal(await registered, 1);
  assert.equal(told.length, 1);
});

test('a client that was closed lets the program end', async (t) => {
  const chatd = await Chatd.start(t);
  const amy = await chatd.enter(t, 'amy');
  const said = amy.client.say({ user: 1 }, 'x');
  amy.client.close();
  await assert.rejects(said, { kind: 'closed' });
  assert.throws(() => new Client('http://example.org'), TypeError);
});

test('a server whose certificate nobody here trusts is told nothing', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'chatd-js-'));
  t.after(() => rmSync(folder, { recursive: true }));
  execFileSync(PROGRAM, ['dev-cert', folder]);
  for (const way of ['tls', 'wss']) {
    const chatd = await Chatd.start(t, way, { certificate: folder });
    const client = chatd.client(t);
    client.register('amy', 'pw').catch(() => {});
    const { reason } = await client.once('unreachable');
    if (way === 'tls') assert.match(reason, /certificate|self.signed/i);
    client.close();
    // The same server by its other way: nobody has registered.
    const other = chatd.client(t, {}, `tcp://127.0.0.1:${chatd.port}`);
    assert.equal(await other.register('amy', 'pw'), 1, way);
  }
});
