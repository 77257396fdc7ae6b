// docs/embed.md happens as written: each command is run, each piece of code is in examples/app, two people chat in its page,
// and who is away gets an e-mail.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { test } from 'node:test';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../clients/js/test/servers.mjs';
import { Browser, DEADLINE_MS } from './browser.mjs';

const root = new URL('../../', import.meta.url);
const text = readFileSync(new URL('docs/embed.md', root), 'utf8');
const CHATD = process.env.CHATD ?? fileURLToPath(new URL('target/debug/chatd', root));

const fenced = (language) => [...text.matchAll(new RegExp('^```' + language + '\\n([^]*?)^```$', 'gm'))].map(([, block]) => block);

/** The folder of the application, and what is started in it. */
class Terminal {
  #env;
  #folder = mkdtempSync(join(tmpdir(), 'chatd-embed-'));
  #jobs = [];
  #look = () => {};
  /** What the application says, line by line. */
  lines = [];

  constructor(t, env) {
    const PATH = `${dirname(CHATD)}:${dirname(process.execPath)}:${process.env.PATH}`;
    this.#env = { ...process.env, PATH, CHATD_MYSQL: undefined, CHATD_REDIS: undefined, ...env };
    cpSync(new URL('examples/app', root), this.#folder, { recursive: true });
    t.after(async () => {
      for (const job of this.#jobs) await end(job, 'SIGKILL');
      rmSync(this.#folder, { recursive: true });
    });
  }

  async run(command) {
    const [, job] = /^kill %(\d); wait %\1$/.exec(command) ?? [];
    if (job) return end(this.#jobs[job - 1], 'SIGTERM');
    // What goes on is a job, which the signals to it reach.
    const goesOn = command.endsWith(' &');
    const said = goesOn ? `exec ${command.replace(/ &$/, '')}` : command;
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'sh', '-c', said], {
      cwd: this.#folder, env: this.#env, stdio: ['ignore', 'pipe', 'inherit'],
    });
    if (!goesOn) {
      const [status] = await once(child, 'exit');
      return assert.equal(status, 0, command);
    }
    this.#jobs.push(child);
    await new Promise((resolve, reject) => {
      child.once('exit', () => reject(new Error(`it ends: ${command}`)));
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (line.startsWith('ready ')) resolve();
        this.lines.push(line);
        this.#look();
      });
    });
  }

  /** Waits until a line says that. */
  says(text) {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`nobody says ${text}:\n${this.lines.join('\n')}`)), DEADLINE_MS);
      this.#look = () => {
        if (!this.lines.includes(text)) return;
        clearTimeout(late);
        resolve();
      };
      this.#look();
    });
  }

  /** What is in a file of the folder. */
  read(name) {
    return readFileSync(join(this.#folder, name), 'utf8');
  }
}

async function end(job, signal) {
  if (job.exitCode !== null || job.signalCode !== null) return;
  const ended = once(job, 'exit');
  job.kill(signal);
  await ended;
}

const commands = fenced('console').join('').split('\n').filter((line) => line.startsWith('$ ')).map((line) => line.slice(2));
/** How many of them are before the webhook. */
const BEFORE_WEBHOOK = 4;

/** The document's terminal, on ports that are free; the first commands are run, and `go` runs those that follow. */
async function start(t) {
  const [port, chat] = [await freePort(), await freePort()];
  const CHATD_JS = fileURLToPath(new URL('clients/js/chatd.js', root));
  const terminal = new Terminal(t, { CHATD_JS, PORT: `${port}`, CHAT: `ws://127.0.0.1:${chat}/ws` });
  const run = async (from, to) => {
    for (const command of commands.slice(from, to)) {
      const own = command.replaceAll('localhost:3000', `localhost:${port}`).replace(/^chatd (.*) &$/, (_, options) =>
        `chatd ${options} --port ${chat} --cores 1 --admin off &`);
      await terminal.run(own);
    }
  };
  await run(1, BEFORE_WEBHOOK);
  return { url: `http://localhost:${port}/`, terminal, go: () => run(BEFORE_WEBHOOK) };
}

const PEOPLE = [...text.matchAll(/`(amy|ben)` with `([^`]+)`/g)].map(([, ...person]) => person);

/** Everybody, logged in and in the chat, each with a window. */
async function come(t, url) {
  const browser = await Browser.start(t);
  const people = [];
  for (const [name, password] of PEOPLE) {
    const person = await browser.person(name);
    await person.go(url);
    await person.fill('[name=name]', name);
    await person.fill('[name=password]', password);
    await person.press('Enter');
    await person.sees('#state', `chatting as ${name}`);
    people.push(person);
  }
  return people;
}

async function say(one, words) {
  await one.fill('#text', words);
  await one.press('Enter');
  await one.sees('#log li', `you: ${words} ✓`);
}

test('the commands are what a reader expects', () => {
  assert.deepEqual(commands.map((line) => line.split(' ')[0]), ['cd', 'node', 'chatd', 'node', '(umask', 'kill', 'chatd']);
  // The chat of before, with two options more.
  assert.ok(commands[6].startsWith(commands[2].replace(/ &$/, ' --webhook-url ')));
  assert.equal(PEOPLE.length, 2);
});

test('each piece of code is in the application', () => {
  const folder = new URL('examples/app/', root);
  const files = readdirSync(folder).map((name) => readFileSync(new URL(name, folder), 'utf8'));
  const pieces = fenced('js');
  assert.ok(pieces.length >= 12);
  for (const piece of pieces) assert.ok(files.some((file) => file.includes(piece)), piece);
  for (const [, name] of text.matchAll(/`(amy|ben)` with/g)) assert.ok(files.some((file) => file.includes(`'${name}'`)));
});

test('two people of the application chat in its page', async (t) => {
  const { url } = await start(t);
  const people = await come(t, url);
  const [amy, ben] = people;
  for (const [one, other, words] of [[amy, ben, 'Tea? <b>'], [ben, amy, 'Yes 🍵']]) {
    await say(one, words);
    await other.sees('#log li', `${one.name}: ${words}`);
  }
  for (const person of people) assert.deepEqual(person.complaints, []);
});

test('who is away gets an e-mail of what was not delivered, and who is there none', async (t) => {
  const { url, terminal, go } = await start(t);
  const [amy, ben] = await come(t, url);
  await go();
  const secret = terminal.read('webhook-secret').trim();
  assert.ok(secret.length >= 40);
  // Both pages come back by themselves: the chat has begun anew.
  for (const state of ['the connection is lost', 'chatting as']) for (const person of [amy, ben]) await person.saw('#state', state);
  for (const [one, other] of [[amy, ben], [ben, amy]]) {
    const isConfirmed = other.confirms();
    await say(one, `Here again, ${other.name}`);
    await other.sees('#log li', `${one.name}: Here again, ${other.name}`);
    // What is not confirmed is not delivered.
    await isConfirmed;
  }
  await ben.go('about:blank');
  const [, mail] = /^(mail to .*)$/m.exec(fenced('text').join(''));
  await say(amy, 'Are you there?');
  await say(amy, '"<b>" 🍵');
  const second = 'mail to ben@app.example: "amy wrote to you: \\"<b>\\" 🍵"';
  await terminal.says(second);
  assert.deepEqual(terminal.lines.filter((line) => line.startsWith('mail ')), [mail, second]);
});

test('only what chatd has signed, and a moment ago, is believed, and each event is taken once', async (t) => {
  const { url, terminal, go } = await start(t);
  await go();
  const secret = terminal.read('webhook-secret').trim();
  const event = (id, msg) => ({ id, type: 'undelivered', ts: 1, user: 2, external: 'u-2', devices: [], frame: { name: 'eve', msg } });
  const now = () => Math.floor(Date.now() / 1_000);
  const sign = (seconds, body, key = secret) => `t=${seconds},v1=${createHmac('sha256', key).update(`${seconds}.${body}`).digest('hex')}`;
  const post = async (body, signature) => {
    const headers = signature === undefined ? {} : { 'X-Chatd-Signature': signature };
    return (await fetch(`${url}chat-events`, { method: 'POST', body, headers })).status;
  };
  const forged = JSON.stringify({ events: [event(9_000_001, 'forged')] });
  const right = sign(now(), forged);
  for (const signature of [
    undefined, '', 't=,v1=', right.replace(/..$/, ''), right.toUpperCase(), `${right}00`, right.replace(/^t=\d+/, `t=${now() + 1}`),
    sign(now(), forged, 'another secret'), sign(now(), `${forged} `), sign(now() - 3_600, forged), sign(now() + 3_600, forged),
  ]) {
    assert.equal(await post(forged, signature), 401, signature);
  }
  const taken = [event(9_000_002, 'once\nmail to eve'), { id: 9_000_003, type: 'not known yet', ts: 1 }];
  for (const events of [taken, taken, [...taken, event(9_000_004, 'later')]]) {
    const body = JSON.stringify({ events });
    assert.equal(await post(body, sign(now(), body)), 200);
  }
  const mail = (msg) => `mail to ben@app.example: "eve wrote to you: ${msg}"`;
  await terminal.says(mail('later'));
  assert.deepEqual(terminal.lines.filter((line) => line.startsWith('mail ')), [mail('once\\nmail to eve'), mail('later')]);
});

test('who is not logged in gets no token, and a wrong password no session', async (t) => {
  const { url } = await start(t);
  const token = (cookie = '') => fetch(`${url}chat-token`, { headers: { cookie } });
  assert.equal((await token()).status, 401);
  assert.equal((await token('session=made-up')).status, 401);
  const logIn = (password) =>
    fetch(`${url}login`, { method: 'POST', body: new URLSearchParams({ name: 'amy', password }), redirect: 'manual' });
  assert.equal((await logIn('guess')).status, 403);
  const cookie = (await logIn('green door')).headers.get('set-cookie').split(';')[0];
  assert.match(await (await token(cookie)).text(), /^[\w-]+\.[\w-]+\.[\w-]+$/);
});
