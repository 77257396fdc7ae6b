// Servers for the tests: the real chatd (the program that $CHATD names), and one that says what a test wants.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Client } from '../chatd.js';

/** Of `chatd dev-cert`, which this process trusts: `npm test` and tests/js.rs see to both. */
const CERTIFICATE = process.env.CHATD_DEV_CERT;
export const PROGRAM = process.env.CHATD ?? new URL('../../../target/debug/chatd', import.meta.url).pathname;

/** A chatd with a directory and a port of its own, which stay its own when it is killed and started again. */
export class Chatd {
  #data = mkdtempSync(join(tmpdir(), 'chatd-js-'));
  #child = null;
  #tls = {};
  port = 0;

  /**
   * Its clients come by `way`: tcp, ws, tls or wss; `certificate` is the folder of what it shows to the last two, and
   * `keep` what it keeps, and `more` are more of its options.
   */
  static async start(test, way = 'tcp', { certificate = CERTIFICATE, keep = 'all', more = [] } = {}) {
    const chatd = new Chatd();
    Object.assign(chatd, { way, keep, more });
    if (way === 'tls' || way === 'wss') {
      if (!certificate) throw new Error('there is no certificate: `npm test` makes one');
      chatd.#tls = { CHATD_TLS_CERT: join(certificate, 'cert.pem'), CHATD_TLS_KEY: join(certificate, 'key.pem') };
    }
    test.after(() => chatd.#remove());
    chatd.port = await freePort();
    await chatd.start();
    return chatd;
  }

  async start() {
    const own = ['--cores', '2', '--port', `${this.port}`, '--data', this.#data, '--keep', this.keep, ...this.more];
    const cheap = ['--admin', 'off', '--password-cost', 'm=8,t=1,p=1'];
    // It ends when this process does, however that happens.
    this.#child = spawn('setpriv', ['--pdeathsig', 'KILL', PROGRAM, ...own, ...cheap], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, CHATD_MYSQL: undefined, CHATD_REDIS: undefined, ...this.#tls },
    });
    for await (const line of createInterface({ input: this.#child.stdout })) {
      if (line.startsWith('ready ')) return;
    }
    throw new Error('chatd does not start');
  }

  async end(signal) {
    const ended = once(this.#child, 'exit');
    this.#child.kill(signal);
    await ended;
    // The kernel takes a moment to close the sockets of a ring.
    while (!(await isFree(this.port))) await new Promise(setImmediate);
  }

  async #remove() {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.end('SIGKILL');
    rmSync(this.#data, { recursive: true });
  }

  get address() {
    return `${this.way}://127.0.0.1:${this.port}${this.way.startsWith('ws') ? '/ws' : ''}`;
  }

  /** A client of it, which is closed when the test ends. */
  client(test, options = {}, address = this.address) {
    const client = new Client(address, options);
    test.after(() => client.close());
    return client;
  }

  /** The same, of a user who registers and logs in; what that user hears. */
  async enter(test, name, options) {
    const client = this.client(test, options);
    const heard = new Heard(client);
    await client.register(name, `password of ${name}`);
    await client.login(name, `password of ${name}`);
    return { client, heard, id: client.user.id };
  }
}

/**
 * A port that nobody listens on now: not one of those that the kernel gives to connections that go out, since such a
 * connection might have it when a server wants to listen, or one that was killed comes back.
 */
export async function freePort() {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 22_000);
    if (await isFree(port)) return port;
  }
}

async function isFree(port) {
  const server = createServer().listen(port, '127.0.0.1');
  const free = await once(server, 'listening').then(() => true, () => false);
  if (free) await new Promise((resolve) => server.close(resolve));
  return free;
}

/** The events that a client tells, to be waited for. */
export class Heard {
  messages = [];
  #wanted = [];

  constructor(client) {
    client.on('message', (message) => {
      this.messages.push(message);
      for (const look of this.#wanted) look();
    });
  }

  get texts() {
    return this.messages.map(({ text }) => text);
  }

  /** When so many messages have come, in all. */
  count(count) {
    return new Promise((resolve) => {
      const look = () => this.messages.length >= count && resolve(this.messages);
      this.#wanted.push(look);
      look();
    });
  }
}

/** A further device of somebody who is registered. */
export async function further(t, chatd, name, options, address) {
  const client = chatd.client(t, options, address);
  const heard = new Heard(client);
  await client.login(name, `password of ${name}`);
  return { client, heard };
}

/** Waits until nobody takes somebody for online: all that was said on that connection before its end was heard. */
export async function away(client, name) {
  while ((await client.find(name)).online);
}

/** The next event of this kind of which this is so. */
export function next(client, type, isIt = () => true) {
  return new Promise((resolve) => {
    const off = client.on(type, (told) => {
      if (!isIt(told)) return;
      off();
      resolve(told);
    });
  });
}

/** The way to a real server, which a test can cut. */
export async function cable(t, chatd) {
  const lines = new Set();
  let isCut = false;
  const server = createServer((near) => {
    if (isCut) return near.destroy();
    const far = connect(chatd.port, '127.0.0.1');
    for (const end of [near, far]) {
      lines.add(end);
      end.on('error', () => {}).on('close', () => [near, far].forEach((each) => each.destroy()));
    }
    near.pipe(far).pipe(near);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return {
    address: `tcp://127.0.0.1:${server.address().port}`,
    cut() {
      isCut = true;
      for (const end of lines) end.destroy();
      lines.clear();
    },
    mend: () => (isCut = false),
  };
}

/** A server that says what a test wants, and nothing else. */
export class StandIn {
  #waiting = [];
  #come = [];

  static async start(test, make = createServer, options = {}) {
    const standIn = new StandIn();
    const come = (socket) => {
      const line = new Line(socket);
      const next = standIn.#waiting.shift();
      if (next) next(line);
      else standIn.#come.push(line);
    };
    standIn.server = make(options, come).on('tlsClientError', () => {}).listen(0, '127.0.0.1');
    await once(standIn.server, 'listening');
    standIn.port = standIn.server.address().port;
    test.after(() => standIn.server.close());
    return standIn;
  }

  /** The next client that comes. */
  async accept() {
    return this.#come.shift() ?? new Promise((resolve) => this.#waiting.push(resolve));
  }
}

/** A client's connection to it. */
class Line {
  #frames;

  constructor(socket) {
    this.socket = socket;
    socket.on('error', () => {});
    this.#frames = createInterface({ input: socket })[Symbol.asyncIterator]();
  }

  async hear() {
    const { value, done } = await this.#frames.next();
    return done ? null : JSON.parse(value);
  }

  say(frame) {
    this.write(`${JSON.stringify(frame)}\n`);
  }

  write(bytes) {
    this.socket.write(bytes);
  }

  async letIn(name) {
    const login = await this.hear();
    const lists = { friends: [], groups: [], offlinemsg: [] };
    this.say({ msgid: 2, errno: 0, id: 1, name, token: 't0k', complete: true, ...lists });
    return login;
  }
}
