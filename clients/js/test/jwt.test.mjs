// Users of another application, with the real server: what the application signs, and when it is asked for it.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Chatd, Heard } from './servers.mjs';
import { ERRNO } from '../chatd.js';

const SECRET = 'thirty-two bytes of a shared secret';

function signed(sub, { seconds = 3_600, name = sub } = {}) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { iss: 'app', aud: 'chat', sub, name, exp: Math.floor(Date.now() / 1_000) + seconds };
  const text = `${part({ alg: 'HS256' })}.${part(claims)}`;
  return `${text}.${createHmac('sha256', SECRET).update(text).digest('base64url')}`;
}

async function start(t) {
  const folder = mkdtempSync(join(tmpdir(), 'chatd-jwt-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'secret'), SECRET);
  const more = [`--jwt-secret=${join(folder, 'secret')}`, '--jwt-issuer=app', '--jwt-audience=chat'];
  return Chatd.start(t, 'tcp', { more });
}

const refused = (errno) => (error) => error.kind === 'refused' && error.errno === errno;

test('a jwt lets in, once as a string and once as a function, and the two talk', async (t) => {
  const chatd = await start(t);
  const [amy, ben] = [chatd.client(t), chatd.client(t)];
  const heard = new Heard(ben);
  const first = await amy.login({ jwt: signed('u-1', { name: 'Amy' }) });
  assert.equal(first.name, 'Amy');
  const { id } = await ben.login({ jwt: async () => signed('u-2') }, { multi: true, device: 'desk' });
  assert.equal(ben.multi, true);
  await amy.say({ user: id }, 'Hello');
  assert.deepEqual((await heard.count(1)).map(({ text }) => text), ['Hello']);
  // The same user, from elsewhere.
  const again = chatd.client(t);
  await assert.rejects(again.login({ jwt: signed('u-1') }), refused(ERRNO.ONLINE_ALREADY));
  assert.equal((await again.login({ jwt: signed('u-1') }, { takeover: () => true })).id, first.id);
});

test('what is not believed, expired or not given lets nobody in', async (t) => {
  const client = (await start(t)).client(t);
  await assert.rejects(client.login({ jwt: `${signed('u-1')}x` }), refused(ERRNO.REFUSED));
  await assert.rejects(client.login({ jwt: signed('u-1', { seconds: -120 }) }), refused(ERRNO.EXPIRED));
  const fails = () => Promise.reject(new Error('the application is down'));
  await assert.rejects(client.login({ jwt: fails }), ({ kind, message }) => kind === 'no_jwt' && /is down/.test(message));
  await assert.rejects(client.login({ jwt: () => 7 }), ({ kind }) => kind === 'no_jwt');
  await assert.rejects(client.login({ jwt: 7 }), TypeError);
  assert.equal((await client.login({ jwt: signed('u-1') })).name, 'u-1', 'and can be tried again');
});

/** What is signed the first time ends soon; what is asked for after that. */
function asking(after) {
  let [count, again] = [0, null];
  const isAskedAgain = new Promise((resolve) => (again = resolve));
  const jwt = () => {
    count += 1;
    if (count === 1) return signed('u-1', { seconds: 31 });
    // It is said to the server after this.
    setImmediate(again);
    return after();
  };
  return { jwt, isAskedAgain };
}

test('the session goes on when the application signs once more', async (t) => {
  const client = (await start(t)).client(t);
  const notices = [];
  client.on('notice', (notice) => notices.push(notice));
  const { jwt, isAskedAgain } = asking(() => signed('u-1'));
  const { id } = await client.login({ jwt });
  await isAskedAgain;
  // It is answered after the new word was, which would have been refused before.
  assert.equal((await client.find('u-1')).id, id);
  assert.deepEqual(notices, []);
});

test('the session ends as it would have when the application signs for somebody else, or not at all', async (t) => {
  const chatd = await start(t);
  for (const [after, expected] of [
    [() => signed('u-2'), ['refused', ERRNO.NOT_YOURS]],
    [() => Promise.reject(new Error('the application is down')), ['no_jwt', 0]],
  ]) {
    const client = chatd.client(t);
    const notice = client.once('notice');
    await client.login({ jwt: asking(after).jwt }, { takeover: true });
    const { kind, errno } = await notice;
    assert.deepEqual([kind, errno], expected);
    assert.ok(client.user, 'it is still there');
  }
});

test('who has only a string is told before it ends', async (t) => {
  const client = (await start(t)).client(t);
  const told = client.once('notice');
  await client.login({ jwt: signed('u-1', { seconds: 31 }) });
  assert.equal((await Promise.race([told, client.once('signedout')])).errno, ERRNO.EXPIRED);
});
