// The way to a server: frames come out whole however they come in, and none is too long.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:tls';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { StandIn } from './servers.mjs';
import { Client } from '../chatd.js';

async function inside(t) {
  const server = await StandIn.start(t);
  const client = new Client(`tcp://127.0.0.1:${server.port}`);
  t.after(() => client.close());
  const texts = [];
  let look = () => {};
  client.on('message', ({ text }) => {
    texts.push(text);
    look();
  });
  const count = (count) =>
    new Promise((resolve) => {
      look = () => texts.length >= count && resolve(texts);
      look();
    });
  const login = client.login('amy', 'pw');
  const line = await server.accept();
  await line.letIn('amy');
  await login;
  return { server, client, line, count };
}

const push = (n, msg) => ({
  cid: `c${n}`, mid: `${n}`, ts: 1, id: 2, msg, msgid: 6, name: 'ben', time: 't', toid: 1,
});

/** Waits until the client has read all that was written: it answers what is asked last. */
async function read(line, n) {
  line.say({ msgid: 22, n });
  for (let frame = await line.hear(); frame?.n !== n; frame = await line.hear()) assert.notEqual(frame, null);
}

test('frames come out whole however they come in', async (t) => {
  const { line, count } = await inside(t);
  const texts = ['a', 'žluťoučký 🍵', '"}{\\', 'x'.repeat(16_000)];
  const stream = Buffer.from(texts.map((text, n) => `${JSON.stringify(push(n, text))}\r\n\n`).join(''));
  line.socket.setNoDelay(true);
  // Each byte of the first three by itself, and each of them arrives before the next is sent.
  const short = stream.length - 16_200;
  for (let at = 0; at < short; at += 1) {
    line.write(stream.subarray(at, at + 1));
    if (at % 32 === 0) await new Promise(setImmediate);
  }
  line.write(stream.subarray(short));
  assert.deepEqual(await count(4), texts);
});

test('what is no text or makes no sense is told, and the connection goes on', async (t) => {
  const { client, line, count } = await inside(t);
  const told = [];
  client.on('garbled', (nothing) => void told.push(nothing));
  line.write(Buffer.from('rubbish\n{}\n[1,2]\n\xff\xfe\n{"msgid":2,"errno":0}\n', 'latin1'));
  line.say(push(1, 'still here'));
  assert.deepEqual(await count(1), ['still here']);
  assert.deepEqual(told, [null]);
});

test('a frame without an end ends the connection and not the client', async (t) => {
  const { server, client, line, count } = await inside(t);
  const lost = client.once('lost');
  const before = process.memoryUsage().arrayBuffers;
  const ended = new Promise((resolve) => line.socket.on('close', resolve));
  line.write(Buffer.alloc(32 << 20, 'x'));
  assert.equal((await lost).reason, `a frame of more than ${144 << 10} bytes came`);
  await ended;
  assert.ok(process.memoryUsage().arrayBuffers < before + (40 << 20));
  const again = await server.accept();
  const { token } = await again.letIn('amy');
  assert.equal(token, 't0k');
  again.say(push(1, 'back'));
  assert.deepEqual(await count(1), ['back']);
});

test('a reader that is slow slows the server down and fills no memory', async (t) => {
  const server = await StandIn.start(t);
  const client = new Client(`tcp://127.0.0.1:${server.port}`);
  t.after(() => client.close());
  const open = [];
  client.on('message', () => new Promise((resolve) => open.push(resolve)));
  const login = client.login('amy', 'pw');
  const line = await server.accept();
  await line.letIn('amy');
  await login;
  const text = 'x'.repeat(16_000);
  const COUNT = 2_000;
  let written = 0;
  const fill = () => {
    while (written < COUNT) {
      written += 1;
      if (!line.socket.write(`${JSON.stringify(push(written, text))}\n`)) return line.socket.once('drain', fill);
    }
  };
  fill();
  // Each round of the loop lets the client read what it wants to; once it wants no more, nothing changes any more.
  for (let last = -1, same = 0; same < 500; same = open.length === last ? same + 1 : 0) {
    last = open.length;
    await new Promise(setImmediate);
  }
  assert.ok(open.length * text.length < 3 << 20, `${open.length} are not dealt with`);
  // And once it has dealt with them, it reads on.
  while (open.length > 0 || written < COUNT) {
    open.splice(0).forEach((resolve) => resolve());
    await new Promise(setImmediate);
  }
  await read(line, 7);
});

/** A certificate for a name, made for this test. */
function certificate(t, name) {
  const folder = mkdtempSync(join(tmpdir(), 'chatd-js-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const files = ['-keyout', key, '-out', cert];
  execFileSync('openssl', ['req', ...kind, ...files, '-subj', `/CN=${name}`, '-addext', `subjectAltName=${name}`], {
    stdio: 'pipe',
  });
  return { key: readFileSync(key), cert: readFileSync(cert) };
}

test('a server behind TLS is talked to if its certificate is trusted and for its name, and else not', async (t) => {
  const own = certificate(t, 'IP:127.0.0.1');
  const server = await StandIn.start(t, createServer, own);
  const address = `tls://127.0.0.1:${server.port}`;
  const trusting = new Client(address, { tls: { ca: own.cert } });
  t.after(() => trusting.close());
  const login = trusting.login('amy', 'pw');
  const line = await server.accept();
  assert.equal(line.socket.encrypted, true);
  await line.letIn('amy');
  assert.equal((await login).name, 'amy');

  const other = certificate(t, 'DNS:chat.example');
  const elsewhere = await StandIn.start(t, createServer, other);
  for (const [at, tls, why] of [
    [address, {}, /self.signed/i],
    [`tls://127.0.0.1:${elsewhere.port}`, { ca: other.cert }, /altnames|not in the cert/i],
  ]) {
    const client = new Client(at, { tls });
    t.after(() => client.close());
    client.register('amy', 'pw').catch(() => {});
    assert.match((await client.once('unreachable')).reason, why);
  }
});

test('where there is no WebSocket, that is said', async (t) => {
  const there = globalThis.WebSocket;
  globalThis.WebSocket = undefined;
  t.after(() => (globalThis.WebSocket = there));
  const client = new Client('ws://127.0.0.1:1/ws');
  t.after(() => client.close());
  const registered = client.register('amy', 'pw');
  registered.catch(() => {});
  assert.match((await client.once('unreachable')).reason, /no WebSocket/);
});
