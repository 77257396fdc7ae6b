// The rules of being connected, without a network: those of the Rust client's session, and of confirming by listeners.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Trial, caught, outcome, settle } from './trial.mjs';
import { Client, ChatError, compareMids, parseAddress } from '../chatd.js';

const done = (cid, more = {}) => ({ msgid: 20, errno: 0, cid, ...more });

test('nobody needs no connection and gets one when somebody comes', async () => {
  const trial = new Trial();
  assert.deepEqual(trial.tried, []);
  const login = trial.client.login(7, 'pw');
  assert.deepEqual(trial.tried, ['tcp://a:1']);
  trial.opened();
  assert.deepEqual(trial.said, [{ msgid: 1, id: 7, password: 'pw', v: 2 }]);
  trial.letIn({ friends: [{ id: 2, name: 'ben', state: 'online' }, 5, { id: 'x' }] });
  const welcome = { id: 1, name: 'amy', friends: [{ id: 2, name: 'ben', online: true }], groups: [], asking: [], settings: null };
  assert.deepEqual(await login, welcome);
  assert.deepEqual(trial.client.user, { id: 1, name: 'amy' });
  assert.equal(trial.client.token, 't0k');
});

test('whoever was given a token comes back with it and says again what was not acknowledged', async () => {
  const trial = Trial.inside();
  const first = trial.client.say({ user: 2 }, 'first');
  const second = trial.client.say({ group: 3 }, 'second');
  const [one, two] = trial.said;
  assert.equal(one.toid, 2);
  assert.equal(two.groupid, 3);
  assert.match(one.time, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
  trial.hear(done(one.cid, { mid: '5', ts: 6, pos: 7 }));
  assert.deepEqual(await first, { cid: one.cid, mid: '5', ts: 6, pos: 7 });
  trial.lose();
  const third = trial.client.say({ user: 2 }, 'third');
  trial.clear();
  trial.reconnect();
  assert.deepEqual(trial.said, [{ msgid: 25, token: 't0k', v: 2 }]);
  trial.letIn({ token: 'n3w' });
  assert.deepEqual(trial.said[1], two, 'word for word');
  assert.equal(trial.said[2].msg, 'third');
  assert.notEqual(trial.said[2].cid, two.cid);
  for (const { cid } of trial.said.slice(1)) trial.hear(done(cid, { mid: '8', ts: 9 }));
  assert.equal((await second).mid, '8');
  assert.equal((await third).pos, null);
  assert.equal(trial.client.token, 'n3w');
  assert.equal(trial.client.unanswered, 0);
});

test('a token that is good no more is forgotten for the password', async () => {
  const trial = Trial.inside();
  trial.lose();
  trial.clear();
  trial.reconnect();
  trial.refuseLogin(1);
  assert.deepEqual(trial.saidOf(1), [{ msgid: 1, name: 'amy', password: 'pw', v: 2 }]);
  trial.letIn();
  assert.deepEqual(trial.types, ['connected', 'loggedin']);
  assert.equal(trial.told[1].told.again, true);
});

test('who has a token only and may not come back is told, and nothing waits for ever', async () => {
  const trial = new Trial();
  const resumed = trial.client.resume('0ld');
  trial.opened();
  trial.letIn();
  await resumed;
  trial.lose();
  const waits = caught(trial.client.say({ user: 2 }, 'lost?'));
  trial.reconnect();
  trial.refuseLogin(1);
  assert.equal((await outcome(waits)).error.kind, 'logged_out');
  assert.equal(trial.told.at(-1).type, 'signedout');
  assert.equal((await outcome(trial.client.say({ user: 2 }, 'anybody?'))).error.kind, 'logged_out');
  assert.equal(trial.client.token, null);
});

test('a changed password is what is logged in with from then on', async () => {
  const trial = Trial.inside();
  const tokens = [];
  trial.client.on('token', (token) => tokens.push(token));
  const changed = trial.client.changePassword('pw', 'anew');
  trial.hear(done(trial.said[0].cid, { token: 'n3w' }));
  await changed;
  assert.deepEqual(tokens, ['n3w']);
  trial.lose();
  trial.clear();
  trial.reconnect();
  assert.equal(trial.said[0].token, 'n3w');
  trial.refuseLogin(1);
  assert.equal(trial.said[1].password, 'anew');
});

test('nothing is told twice and what comes again is confirmed again', async () => {
  const trial = Trial.inside();
  trial.comes(2, 'a', 10);
  trial.comes(3, 'a', 11);
  trial.clock.pass(50);
  assert.deepEqual(trial.saidOf(24), [{ msgid: 24, mids: ['10', '11'] }]);
  trial.lose();
  trial.reconnect();
  trial.clear();
  trial.letIn({ offlinemsg: [{ cid: 'a', mid: '12', ts: 1, id: 2, msg: 'a', msgid: 6, name: 'b', time: 't' }] });
  trial.clock.pass(50);
  assert.deepEqual(trial.saidOf(24), [{ msgid: 24, mids: ['12'] }]);
  assert.deepEqual(trial.hears, ['a', 'a']);
});

test('a message is confirmed when its listeners are done, and one that they fail at comes again', async () => {
  const trial = new Trial();
  trial.client.login('amy', 'pw');
  trial.opened();
  trial.letIn();
  trial.comes(2, 'unheard', 9);
  const told = [];
  let finish = null;
  trial.client.on('message', ({ text }) => {
    told.push(text);
    return new Promise((resolve) => (finish = resolve));
  });
  trial.comes(2, 'a', 10);
  trial.comes(2, 'a', 10);
  await settle();
  trial.clock.pass(100);
  assert.deepEqual(trial.saidOf(24), [], 'not yet, and not because it came again');
  finish();
  await settle();
  trial.clock.pass(50);
  assert.deepEqual(trial.saidOf(24), [{ msgid: 24, mids: ['10'] }]);
  // Nobody listened to the first one: it is there at the next login.
  trial.comes(2, 'unheard', 9);
  assert.deepEqual(told, ['a', 'unheard']);
});

test('a listener that throws leaves its message unconfirmed', async () => {
  const reported = [];
  globalThis.reportError = ({ message }) => reported.push(message);
  const trial = new Trial();
  trial.client.login('amy', 'pw');
  trial.opened();
  trial.letIn();
  const told = [];
  trial.client.on('message', ({ text }) => {
    told.push(text);
    if (told.length === 1) throw new Error('oh');
  });
  trial.comes(2, 'a', 10);
  await settle();
  trial.clock.pass(50);
  assert.deepEqual(trial.saidOf(24), []);
  trial.comes(2, 'a', 10);
  trial.clock.pass(50);
  assert.deepEqual(told, ['a', 'a']);
  assert.deepEqual(trial.saidOf(24), [{ msgid: 24, mids: ['10'] }]);
  delete globalThis.reportError;
  assert.deepEqual(reported, ['oh'], 'and the mistake is told');
});

test('with manual confirming it is the program that says so', async () => {
  const trial = Trial.inside({ confirm: 'manual' });
  const messages = [];
  trial.client.on('message', (message) => void messages.push(message));
  trial.comes(2, 'a', 10);
  trial.comes(2, 'a', 10);
  trial.clock.pass(1_000);
  assert.deepEqual(trial.saidOf(24), []);
  trial.client.confirm(messages[0]);
  trial.clock.pass(50);
  assert.deepEqual(trial.saidOf(24), [{ msgid: 24, mids: ['10'] }]);
});

test('what has arrived is confirmed together, and before a logout or an end', async () => {
  const trial = Trial.inside();
  for (let n = 1; n <= 450; n += 1) trial.comes(2, `m${n}`, n);
  trial.client.logout();
  const sizes = trial.saidOf(24).map(({ mids }) => mids.length);
  assert.equal(sizes.reduce((a, b) => a + b), 450);
  assert.ok(Math.max(...sizes) <= 200 && sizes.length <= 4, `${sizes}`);
  assert.equal(trial.said.at(-1).msgid, 3);

  const other = Trial.inside();
  other.client.on('message', () => other.client.close());
  other.comes(2, 'last', 7);
  assert.deepEqual(other.said, [{ msgid: 24, mids: ['7'] }]);
  assert.deepEqual(other.types, ['hung up']);
});

test('a ping is answered, and a server that answers none is left', async () => {
  const trial = Trial.inside();
  trial.hear({ msgid: 22, n: 9 });
  assert.deepEqual(trial.said, [{ msgid: 23, n: 9 }]);
  trial.clear();
  trial.clock.pass(20_000);
  assert.deepEqual(trial.said, [{ msgid: 22, n: 1 }]);
  trial.hear({ msgid: 23, n: 1 });
  trial.clock.pass(19_999);
  assert.equal(trial.said.length, 1);
  trial.clock.pass(10_001);
  assert.deepEqual(trial.types, ['hung up', 'lost']);
  assert.equal(trial.told[1].told.reason, 'the server does not answer');
  trial.wake();
  assert.equal(trial.tried.at(-1), 'tcp://b:1', 'the next one may do better');
});

test('a server that owes an answer is asked sooner, and so is one that is doubted', async () => {
  const trial = Trial.inside();
  trial.client.say({ user: 2 }, 'hm');
  trial.clock.pass(5_000);
  assert.equal(trial.saidOf(22).length, 1);
  const other = Trial.inside();
  other.client.wake();
  other.client.wake();
  assert.equal(other.saidOf(22).length, 1);
});

test('a server that takes connections and says nothing is left for another', async () => {
  const trial = new Trial(['tcp://a:1', 'tcp://b:1']);
  trial.client.login('amy', 'pw');
  trial.opened();
  trial.clock.pass(30_000);
  assert.deepEqual(trial.types, ['connected', 'hung up', 'lost']);
  trial.wake();
  trial.opened();
  assert.deepEqual(trial.tried, ['tcp://a:1', 'tcp://b:1']);
  assert.equal(trial.saidOf(1).length, 2);
});

test('a registration to a server that says nothing is tried elsewhere', async () => {
  const trial = new Trial(['tcp://a:1', 'tcp://b:1']);
  const registered = trial.client.register('amy', 'pw');
  trial.opened();
  trial.clock.pass(30_000);
  trial.wake();
  trial.opened();
  trial.hear({ msgid: 5, errno: 0, id: 9 });
  assert.equal(await registered, 9);
});

test('several servers are tried in turn, rounds are apart, and an outage is told once', async () => {
  const trial = new Trial(['tcp://a:1', 'tcp://b:1', 'tcp://c:1']);
  trial.client.login('amy', 'pw');
  for (let n = 0; n < 2; n += 1) {
    trial.lose('refused');
    trial.clock.pass(0);
  }
  assert.deepEqual(trial.tried, ['tcp://a:1', 'tcp://b:1', 'tcp://c:1']);
  let waited = 0;
  for (let round = 0; round < 9; round += 1) {
    trial.lose('refused');
    const wait = trial.clock.due - trial.clock.now();
    assert.ok(wait >= waited / 4 && wait <= 15_000 && (round > 0 || wait <= 400), `${wait}`);
    waited = wait;
    trial.wake();
    trial.lose('refused');
    trial.clock.pass(0);
    trial.lose('refused');
    trial.clock.pass(0);
  }
  assert.ok(waited > 7_400, 'the waits grow');
  assert.deepEqual(trial.types, ['unreachable']);
  trial.lose('refused');
  trial.client.wake();
  trial.opened();
  assert.equal(trial.told[1].told.again, true);
});

test('what works is stayed with, and what only answers is not', async () => {
  const trial = Trial.inside();
  trial.lose();
  assert.ok(trial.told[0].told.retryInMs <= 300);
  trial.reconnect();
  assert.deepEqual(trial.tried, ['tcp://a:1', 'tcp://a:1']);
  trial.lose();
  trial.wake();
  assert.equal(trial.tried.at(-1), 'tcp://b:1');
  assert.deepEqual(trial.types, ['lost', 'connected', 'lost']);
});

test('whoever is replaced does not come back by itself', async () => {
  const trial = Trial.inside();
  trial.hear({ msgid: 21, errno: 113, errmsg: 'replaced by a newer session' });
  trial.lose();
  assert.deepEqual(trial.types, ['signedout', 'lost']);
  assert.equal(trial.told[0].told.errno, 113);
  assert.equal(trial.told[1].told.retryInMs, null);
  assert.equal(trial.clock.due, Infinity);
  assert.equal(trial.client.user, null);
  // And who asks to come back is told at once that somebody is there.
  const resumed = caught(trial.client.resume('t0k'));
  trial.reconnect();
  trial.refuseLogin(2);
  assert.equal((await outcome(resumed)).error.errno, 2);
});

test('a ghost of the old session is waited for, but not for ever', async () => {
  const trial = Trial.inside();
  trial.lose();
  trial.reconnect();
  trial.refuseLogin(2);
  trial.clock.pass(500);
  trial.refuseLogin(2);
  assert.deepEqual(trial.types, ['lost', 'connected', 'delayed']);
  // A token would have replaced the session: this is somebody else.
  trial.clock.pass(9_000);
  for (let n = 0; n < 40 && !trial.types.includes('signedout'); n += 1) {
    trial.refuseLogin(2);
    trial.clock.pass(500);
  }
  assert.equal(trial.types.at(-1), 'signedout');
});

test('an account in use is refused at once, and takes over where that is wanted', async () => {
  const trial = new Trial();
  const asked = [];
  const login = trial.client.login('amy', 'pw', { takeover: (refusal) => Boolean(asked.push(refusal.errno)) });
  trial.opened();
  trial.refuseLogin(2);
  await settle();
  assert.deepEqual(asked, [2]);
  assert.equal(trial.said[1].takeover, true);
  trial.letIn();
  assert.equal((await login).id, 1);
  // To come back throws nobody out.
  trial.lose();
  trial.reconnect();
  trial.refuseLogin(1);
  assert.equal('takeover' in trial.said.at(-1), false);

  const other = new Trial();
  const refused = caught(other.client.login('amy', 'pw', { takeover: async () => false }));
  other.opened();
  other.refuseLogin(2, { errmsg: 'this account is using, input another!' });
  const { error } = await outcome(refused);
  assert.ok(error instanceof ChatError && error instanceof Error);
  assert.deepEqual([error.kind, error.errno], ['refused', 2]);
  assert.equal(error.message, 'this account is using, input another!');
});

test('a server that is too busy for a login is asked again for a while', async () => {
  const trial = new Trial();
  const login = caught(trial.client.login('amy', 'pw'));
  trial.opened();
  trial.refuseLogin(110, { retry_after_ms: 2_000 });
  assert.deepEqual(trial.types, ['connected', 'delayed']);
  trial.clock.pass(1_999);
  assert.equal(trial.saidOf(1).length, 1);
  trial.clock.pass(1);
  assert.equal(trial.saidOf(1).length, 2);
  trial.clock.pass(29_000);
  trial.refuseLogin(109);
  trial.clock.pass(20_000);
  trial.refuseLogin(109);
  assert.equal((await outcome(login)).error.errno, 109);
});

test('a message that the server cannot store is said again, nothing overtakes it, and in the end it is believed', async () => {
  const trial = Trial.inside();
  const [first, second] = [caught(trial.client.say({ user: 2 }, 'one')), trial.client.say({ user: 2 }, 'two')];
  const [one, two] = trial.said;
  trial.clear();
  trial.hear({ msgid: 21, errno: 110, cid: one.cid, re: 6, errmsg: 'busy', retry_after_ms: 100 });
  trial.hear({ msgid: 21, errno: 110, cid: two.cid, re: 6, errmsg: 'busy', retry_after_ms: 1 });
  trial.clock.pass(99);
  assert.deepEqual(trial.said, []);
  trial.clock.pass(1);
  assert.deepEqual(trial.said, [one, two]);
  trial.hear(done(two.cid, { mid: '3' }));
  await second;
  for (let n = 0; n < 7; n += 1) {
    trial.hear({ msgid: 21, errno: 110, cid: one.cid, re: 6, errmsg: 'busy' });
    trial.clock.pass(1_000);
  }
  const { error } = await outcome(first);
  assert.equal(error.errno, 110);
});

test('what was done before the answer was lost counts as done', async () => {
  const trial = Trial.inside();
  const all = [
    [trial.client.addFriend(2), 108], [trial.client.joinGroup(3), 108], [trial.client.removeFriend(2), 105],
    [trial.client.leaveGroup(3), 107], [trial.client.block(2), 108], [trial.client.unblock(2), 105],
  ];
  const created = trial.client.createGroup(' tea ');
  trial.lose();
  trial.reconnect();
  trial.clear();
  trial.letIn({ groups: [{ id: 9, groupname: 'tea', groupdesc: '', members: 1 }] });
  assert.equal(await created, 9);
  assert.equal(trial.said.length, 6);
  for (const [n, [, errno]] of all.entries()) {
    trial.hear({ msgid: 21, errno, errmsg: 'no', cid: trial.said[n].cid, re: trial.said[n].msgid });
  }
  assert.deepEqual(await Promise.all(all.map(([asked]) => asked)), [
    undefined, 3, undefined, undefined, undefined, undefined,
  ]);
  const again = caught(trial.client.addFriend(2));
  trial.hear({ msgid: 21, errno: 108, errmsg: 'exists already', cid: trial.said.at(-1).cid, re: 7 });
  assert.equal((await outcome(again)).error.errno, 108);
});

test('the end of the connection is a logout too', async () => {
  const trial = Trial.inside();
  const out = trial.client.logout();
  const after = caught(trial.client.say({ user: 2 }, 'x'));
  trial.lose();
  await out;
  assert.equal((await outcome(after)).error.kind, 'logged_out');
  assert.equal(trial.clock.due, Infinity);
});

test('a registration that may have happened says so', async () => {
  const trial = new Trial();
  const registered = caught(trial.client.register('amy', 'pw'));
  const { error: busy } = await outcome(trial.client.register('ben', 'pw'));
  assert.equal(busy.kind, 'busy');
  trial.opened();
  assert.deepEqual(trial.said, [{ msgid: 4, name: 'amy', password: 'pw', v: 2 }]);
  trial.lose();
  trial.reconnect();
  trial.hear({ msgid: 5, errno: 1 });
  assert.match((await outcome(registered)).error.message, /perhaps by this registration/);
});

test('two logins at once are one too many', async () => {
  const trial = Trial.inside();
  assert.equal((await outcome(trial.client.login(2, 'pw'))).error.kind, 'busy');
});

test('so many requests may wait and no more, and a window of them is under way', async () => {
  const trial = Trial.inside({ mostWaiting: 70 });
  const said = Array.from({ length: 71 }, (_, n) => caught(trial.client.say({ user: 2 }, `${n}`)));
  assert.equal((await outcome(said[70])).error.kind, 'full');
  assert.equal(trial.said.length, 64);
  trial.hear(done(trial.said[5].cid, { mid: '1' }));
  assert.equal(trial.said.length, 65);
  assert.equal(new Set(trial.said.map(({ cid }) => cid)).size, 65);
});

test('what is too large is not said, and what a server takes for too large is not said again and again', async () => {
  const trial = Trial.inside();
  const { error } = await outcome(trial.client.say({ user: 2 }, '\u0001'.repeat(16 << 10)));
  assert.equal(error.kind, 'too_large');
  const [short, long] = ['x', 'x'.repeat(9_000)].map((text) => caught(trial.client.say({ user: 2 }, text)));
  trial.hear({ msgid: 21, errno: 111, errmsg: 'too large' });
  trial.lose();
  assert.equal((await outcome(long)).error.errno, 111);
  trial.reconnect();
  trial.clear();
  trial.letIn();
  assert.equal(trial.said.length, 1);
  trial.hear(done(trial.said[0].cid, { mid: '1' }));
  await short;
});

test('half a character costs no connection', async () => {
  const trial = Trial.inside();
  trial.client.say({ user: 2 }, 'a\ud83d b\ude00 😀');
  assert.equal(trial.said[0].msg, 'a\ufffd b\ufffd 😀');
});

test('what the server says before it hangs up is the reason', async () => {
  const trial = Trial.inside();
  trial.hear({ msgid: 21, errno: 115, errmsg: 'reading too slowly' });
  assert.deepEqual(trial.told, []);
  trial.lose();
  assert.equal(trial.told[0].told.reason, 'the server said: reading too slowly');
  assert.equal(trial.told[0].told.error.errno, 115);
  trial.reconnect();
  trial.letIn();
  trial.clear();
  trial.hear({ msgid: 21, errno: 102, errmsg: 'what?' });
  assert.equal(trial.told[0].told.message, 'what?');
  assert.deepEqual(trial.types, ['notice']);
});

test('a login answer in pieces is one login', async () => {
  const trial = new Trial();
  const login = trial.client.login('amy', 'pw');
  trial.opened();
  const part = (id) => ({ friends: [{ id, name: `f${id}`, state: 'offline' }], complete: false });
  trial.letIn(part(2));
  trial.letIn(part(3));
  assert.equal(trial.client.user, null);
  trial.letIn({ groups: [{ id: 4, groupname: 'g', groupdesc: 'd', members: 2 }] });
  const { friends, groups } = await login;
  assert.deepEqual(friends.map(({ id }) => id), [2, 3]);
  assert.deepEqual(groups, [
    { id: 4, name: 'g', description: 'd', members: 2, role: null, mutedUntil: 0, join: null },
  ]);
});

test('a friend list in pieces is one', async () => {
  const trial = Trial.inside();
  const friends = trial.client.friends();
  trial.hear({ msgid: 13, errno: 0, complete: false, friends: [{ id: 2, name: 'b', state: 'online' }] });
  trial.hear({ msgid: 13, errno: 0, complete: true, friends: [{ id: 3, name: 'c', state: 'offline' }] });
  trial.hear(done(trial.said[0].cid));
  assert.deepEqual((await friends).map(({ online }) => online), [true, false]);
});

test('pages answer who asked for them and are of that conversation', async () => {
  const trial = Trial.inside();
  const pages = trial.client.historyPages({ user: 2 }, { limit: 2 });
  const row = (pos, id) => ({ cid: `c${pos}`, mid: `${pos}`, pos, ts: 1, id, msg: 'm', msgid: 6, name: 'n', time: 't' });
  const page = async (messages, complete = true) => {
    const next = pages.next();
    await settle();
    const { cid, ...asked } = trial.said.at(-1);
    trial.hear({ msgid: 27, errno: 0, cid, complete, messages });
    return [asked, (await next).value];
  };
  const [newest, first] = await page([row(3, 1), row(4, 2)]);
  assert.deepEqual(newest, { msgid: 26, with: 2, limit: 2 });
  assert.deepEqual(first.messages.map(({ conversation }) => conversation), [{ user: 2 }, { user: 2 }]);
  const [before, second] = await page([row(1, 1), { rubbish: 1 }], false);
  assert.deepEqual(before, { msgid: 26, with: 2, before: 3, limit: 2 });
  assert.deepEqual([second.messages.length, second.complete], [1, false]);
  assert.equal((await pages.next()).done, true, 'the first place is the end');
  assert.equal(trial.saidOf(26).length, 2);
});

test('what makes no sense is told once a connection and costs nothing', async () => {
  const trial = Trial.inside();
  const found = caught(trial.client.find('ben'));
  for (const rubbish of ['', '{}', '[1]', 'null', '{"msgid":"6"}', { msgid: 6 }, { msgid: 28 }, { msgid: 10, id: 2 }]) {
    trial.hear(rubbish);
  }
  trial.hear({ msgid: 77, what: 'is this' });
  trial.hear({ msgid: 30, errno: 0, cid: trial.said[0].cid });
  assert.deepEqual(trial.types, ['garbled']);
  assert.equal((await outcome(found)).error.kind, 'garbled');
  trial.comes(2, 'fine', 3);
  assert.deepEqual(trial.hears, ['fine']);
});

test('a server without v2 is not talked to', async () => {
  const trial = new Trial();
  const login = caught(trial.client.login(1, 'pw'));
  trial.opened();
  trial.hear({ msgid: 2, errno: 0, id: 1, name: 'amy', friends: [], groups: [], offlinemsg: [] });
  assert.equal((await outcome(login)).error.kind, 'not_spoken');
  assert.equal(trial.clock.due, Infinity);
});

test('an end rejects what is not settled, and tells nothing more', async () => {
  const trial = Trial.inside();
  const said = caught(trial.client.say({ user: 2 }, 'x'));
  trial.client.close();
  trial.client.close();
  assert.equal((await outcome(said)).error.kind, 'closed');
  trial.comes(2, 'late', 3);
  assert.deepEqual(trial.hears, []);
  assert.equal((await outcome(trial.client.login(1, 'pw'))).error.kind, 'closed');
  assert.equal(trial.clock.due, Infinity);
});

test('mistakes of the program are told to the program', async () => {
  const trial = Trial.inside();
  const { client } = trial;
  const mistakes = [
    client.say({ user: '2' }, 'x'), client.say({}, 'x'), client.say(undefined, 'x'), client.say({ user: 2 }, 5),
    client.say({ group: 0 }, 'x'), client.addFriend(2 ** 31), client.find(null), client.history({ user: 2 }, { limit: -1 }),
    client.history({ user: 2 }, { after: '1' }), client.login(1.5, 'x'), client.register('x'), client.resume(null),
  ].map(caught);
  for (const mistake of mistakes) assert.ok((await outcome(mistake)).error instanceof TypeError);
  assert.throws(() => client.on('messages', () => {}), TypeError);
  assert.throws(() => client.on('message', 'x'), TypeError);
  assert.throws(() => new Client([]), TypeError);
  assert.deepEqual(trial.said, []);
});

test('people write addresses in many ways', () => {
  for (const [typed, meant] of [
    ['ws://chat.example', 'ws://chat.example/ws'],
    ['wss://chat.example:8443/', 'wss://chat.example:8443/ws'],
    ['ws://[::1]:6000/chat/ws', 'ws://[::1]:6000/chat/ws'],
    ['tcp://127.0.0.1:8000', 'tcp://127.0.0.1:8000'],
    ['tls://chat.example', 'tls://chat.example:6000'],
    ['tcp://[::1]:21', 'tcp://[::1]:21'],
  ]) {
    assert.equal(parseAddress(typed).text, meant);
  }
  for (const wrong of ['', 'chat.example', 'http://x', 'tcp://', 'tcp://x:0', 'tcp://x:65536', 'tcp://x/y', 'ws://u:p@x']) {
    assert.throws(() => parseAddress(wrong), TypeError, wrong);
  }
});

test('ids of messages are numbers, whatever their length', () => {
  const mids = ['9007199254740993', '9', '10', '9007199254740992'];
  assert.deepEqual(mids.sort(compareMids), ['9', '10', '9007199254740992', '9007199254740993']);
});
