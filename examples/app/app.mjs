// An application with users of its own, who chat in its page: docs/embed.md tells it step by step. Node 20, no dependencies.

import { createHmac, createPrivateKey, generateKeyPairSync, randomBytes, scryptSync, sign, timingSafeEqual } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';

const PORT = Number(process.env.PORT ?? 3000);
/** Where the chat is, as browsers reach it. */
const CHAT = process.env.CHAT ?? 'ws://localhost:6000/ws';

/** Who this application is, and what its tokens are for: what chatd is told with --jwt-issuer and --jwt-audience. */
const [ISSUER, AUDIENCE] = ['https://app.example', 'chat'];
/** A token is good for so long; the page asks for the next one before that is over. */
const TOKEN_SECONDS = 300;
/** What chatd tells is signed with this; how far the clocks of both may be apart; how long a request of it may be, and a form. */
const SECRET_FILE = 'webhook-secret';
const LEEWAY_SECONDS = 300;
const [EVENTS_BYTES, FORM_BYTES] = [8 << 20, 64 << 10];
/** Events that are remembered. */
const MOST_TAKEN = 100_000;

// Users and sessions: whatever yours are.

function user(id, name, password) {
  const salt = randomBytes(16);
  return { id, name, email: `${name}@app.example`, salt, hash: scryptSync(password, salt, 32) };
}

const users = [user('u-1', 'amy', 'green door'), user('u-2', 'ben', 'blue chair')];
const sessions = new Map();

function logIn(name, password) {
  const user = users.find((user) => user.name === name);
  if (!user || !timingSafeEqual(scryptSync(password, user.salt, 32), user.hash)) return null;
  const session = randomBytes(32).toString('base64url');
  sessions.set(session, user);
  return session;
}

function userOf(request) {
  const [, session] = /(?:^|; )session=([\w-]+)/.exec(request.headers.cookie ?? '') ?? [];
  return sessions.get(session);
}

// What makes them users of the chat.

function makeKeys() {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  writeFileSync('app-key.pem', privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  writeFileSync('chat-key.pem', publicKey.export({ type: 'spki', format: 'pem' }));
}

function chatToken({ id, name }, key) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1_000) + TOKEN_SECONDS;
  const claims = { iss: ISSUER, aud: AUDIENCE, sub: id, name, exp };
  const text = `${part({ alg: 'EdDSA', typ: 'JWT' })}.${part(claims)}`;
  return `${text}.${sign(null, Buffer.from(text), key).toString('base64url')}`;
}

// What the chat tells: docs/webhooks.md.

/** Whether chatd said this, a moment ago. */
function isSigned(header, body) {
  const [, seconds, signature] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(header ?? '') ?? [];
  if (!seconds || Math.abs(Date.now() / 1_000 - seconds) > LEEWAY_SECONDS) return false;
  const secret = readFileSync(SECRET_FILE, 'utf8').trimEnd();
  const wanted = createHmac('sha256', secret).update(`${seconds}.`).update(body).digest();
  return timingSafeEqual(Buffer.from(signature, 'hex'), wanted);
}

const taken = new Set();

/** Takes each event once, however often it comes. In yours that is a row of a table, in the transaction of what you do. */
function take(event) {
  if (taken.has(event.id)) return;
  if (event.type === 'undelivered') remind(event);
  taken.add(event.id);
  if (taken.size > MOST_TAKEN) taken.delete(taken.values().next().value);
}

/** `external` is the user as your tokens call it: their `sub`. */
function remind(event) {
  // Of a group one event tells of several readers.
  for (const { external } of event.users ?? [event]) {
    const reader = users.find(({ id }) => id === external);
    if (reader) sendMail(reader.email, `${event.frame.name} wrote to you: ${event.frame.msg}`);
  }
}

/** An e-mail, in yours. What people wrote is data here too: no line of it can look like one of this program. */
function sendMail(to, text) {
  console.log(`mail to ${to}: ${JSON.stringify(text)}`);
}

// The web server.

const file = (name) => readFileSync(new URL(name, import.meta.url), 'utf8');
const FILES = {
  '/page.js': ['text/javascript', () => file('page.js')],
  '/style.css': ['text/css', () => file('style.css')],
  '/chatd.js': ['text/javascript', () => readFileSync(process.env.CHATD_JS ?? new URL('../../clients/js/chatd.js', import.meta.url))],
};

async function bodyOf(request, most) {
  const parts = [];
  let bytes = 0;
  for await (const part of request) {
    bytes += part.length;
    if (bytes > most) throw new Error('too long');
    parts.push(part);
  }
  return Buffer.concat(parts);
}

async function serve(request, response, key) {
  const path = new URL(request.url, 'http://app').pathname;
  const user = userOf(request);
  const answer = (status, type, body, more = {}) => response.writeHead(status, { 'Content-Type': type, ...more }).end(body);
  if (request.method === 'POST' && path === '/login') {
    const form = new URLSearchParams(String(await bodyOf(request, FORM_BYTES)));
    const session = logIn(form.get('name'), form.get('password') ?? '');
    if (!session) return answer(403, 'text/plain', 'wrong name or password\n');
    const cookie = `session=${session}; HttpOnly; SameSite=Lax; Path=/`;
    return answer(303, 'text/plain', '', { Location: '/', 'Set-Cookie': cookie });
  }
  if (path === '/chat-token') {
    if (!user) return answer(401, 'text/plain', 'log in first\n');
    return answer(200, 'text/plain', chatToken(user, key), { 'Cache-Control': 'no-store' });
  }
  if (request.method === 'POST' && path === '/chat-events') {
    const body = await bodyOf(request, EVENTS_BYTES);
    if (!isSigned(request.headers['x-chatd-signature'], body)) return answer(401, 'text/plain', 'not signed\n');
    for (const event of JSON.parse(body).events) take(event);
    return answer(200, 'text/plain', 'taken\n');
  }
  if (path === '/') {
    const others = users.filter((other) => other !== user).map(({ name }) => `<option>${name}</option>`);
    const page = file(user ? 'page.html' : 'login.html').replace('CHAT', CHAT).replace('OTHERS', others.join(''));
    return answer(200, 'text/html; charset=utf-8', page);
  }
  if (!FILES[path]) return answer(404, 'text/plain', 'no such page\n');
  const [type, read] = FILES[path];
  return answer(200, type, read());
}

function start() {
  const key = createPrivateKey(readFileSync('app-key.pem'));
  const server = createServer((request, response) => {
    serve(request, response, key).catch((error) => response.writeHead(500).end(`${error.message}\n`));
  });
  server.listen(PORT, 'localhost', () => console.log(`ready http://localhost:${server.address().port}/`));
}

if (process.argv[2] === 'keys') makeKeys();
else start();
