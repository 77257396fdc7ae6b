// docs/embed.md happens as written: each command is run, each piece of code is in examples/app, and two people chat in its page.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Browser } from './browser.mjs';

const root = new URL('../../', import.meta.url);
const text = readFileSync(new URL('docs/embed.md', root), 'utf8');
const CHATD = process.env.CHATD ?? fileURLToPath(new URL('target/debug/chatd', root));

const fenced = (language) => [...text.matchAll(new RegExp('^```' + language + '\\n([^]*?)^```$', 'gm'))].map(([, block]) => block);

async function freePort() {
  const server = createServer().listen(0, 'localhost');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** The folder of the application, and what is started in it. */
class Terminal {
  #env;
  #folder = mkdtempSync(join(tmpdir(), 'chatd-embed-'));
  #children = [];

  constructor(t, env) {
    const PATH = `${dirname(CHATD)}:${dirname(process.execPath)}:${process.env.PATH}`;
    this.#env = { ...process.env, PATH, CHATD_MYSQL: undefined, CHATD_REDIS: undefined, ...env };
    cpSync(new URL('examples/app', root), this.#folder, { recursive: true });
    t.after(async () => {
      for (const child of this.#children) {
        const ended = once(child, 'exit');
        child.kill('SIGKILL');
        await ended;
      }
      rmSync(this.#folder, { recursive: true });
    });
  }

  async run(command, env = {}) {
    const goesOn = command.endsWith(' &');
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'sh', '-c', `exec ${command.replace(/ &$/, '')}`], {
      cwd: this.#folder, env: { ...this.#env, ...env }, stdio: ['ignore', 'pipe', 'inherit'],
    });
    if (!goesOn) {
      const [status] = await once(child, 'exit');
      return assert.equal(status, 0, command);
    }
    this.#children.push(child);
    for await (const line of createInterface({ input: child.stdout })) {
      if (line.startsWith('ready ')) return line.slice('ready '.length);
    }
    throw new Error(`it ends: ${command}`);
  }
}

/** Everything in the document's terminal, on ports that are free. */
async function start(t) {
  const port = await freePort();
  const terminal = new Terminal(t, { CHATD_JS: fileURLToPath(new URL('clients/js/chatd.js', root)) });
  const commands = fenced('console').join('').split('\n').filter((line) => line.startsWith('$ '));
  assert.deepEqual(commands.map((line) => line.split(' ')[1]), ['cd', 'node', 'chatd', 'node']);
  let chat;
  for (const line of commands.slice(1)) {
    const command = line.slice(2).replace('localhost:3000', `localhost:${port}`);
    if (command.startsWith('chatd ')) {
      chat = await terminal.run(command.replace(/ &$/, ' --port 0 --cores 1 --admin off &'));
    } else {
      await terminal.run(command, { PORT: `${port}`, CHAT: `ws://${chat}/ws` });
    }
  }
  return `http://localhost:${port}/`;
}

test('each piece of code is in the application', () => {
  const folder = new URL('examples/app/', root);
  const files = readdirSync(folder).map((name) => readFileSync(new URL(name, folder), 'utf8'));
  const pieces = fenced('js');
  assert.ok(pieces.length >= 8);
  for (const piece of pieces) assert.ok(files.some((file) => file.includes(piece)), piece);
  for (const [, name] of text.matchAll(/`(amy|ben)` with/g)) assert.ok(files.some((file) => file.includes(`'${name}'`)));
});

test('two people of the application chat in its page', async (t) => {
  const url = await start(t);
  const browser = await Browser.start(t);
  const people = [];
  for (const [, name, password] of text.matchAll(/`(amy|ben)` with `([^`]+)`/g)) {
    const person = await browser.person(name);
    await person.go(url);
    await person.fill('[name=name]', name);
    await person.fill('[name=password]', password);
    await person.press('Enter');
    await person.sees('#state', `chatting as ${name}`);
    people.push(person);
  }
  const [amy, ben] = people;
  for (const [one, other, words] of [[amy, ben, 'Tea? <b>'], [ben, amy, 'Yes 🍵']]) {
    await one.fill('#text', words);
    await one.press('Enter');
    await one.sees('#log li', `you: ${words} ✓`);
    await other.sees('#log li', `${one.name}: ${words}`);
  }
  for (const person of people) assert.deepEqual(person.complaints, []);
});

test('who is not logged in gets no token, and a wrong password no session', async (t) => {
  const url = await start(t);
  const token = (cookie = '') => fetch(`${url}chat-token`, { headers: { cookie } });
  assert.equal((await token()).status, 401);
  assert.equal((await token('session=made-up')).status, 401);
  const logIn = (password) =>
    fetch(`${url}login`, { method: 'POST', body: new URLSearchParams({ name: 'amy', password }), redirect: 'manual' });
  assert.equal((await logIn('guess')).status, 403);
  const cookie = (await logIn('green door')).headers.get('set-cookie').split(';')[0];
  assert.match(await (await token(cookie)).text(), /^[\w-]+\.[\w-]+\.[\w-]+$/);
});
