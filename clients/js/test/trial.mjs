// A client without a network and without time: what it says is read, what it hears is said by the test.

import { Client } from '../chatd.js';

/** Time that passes when it is told to. */
class Clock {
  #now = 0;
  #timers = new Map();
  #next = 0;

  now() {
    return this.#now;
  }

  set(call, ms) {
    this.#next += 1;
    this.#timers.set(this.#next, { call, at: this.#now + ms });
    return this.#next;
  }

  clear(timer) {
    this.#timers.delete(timer);
  }

  get due() {
    return Math.min(...[...this.#timers.values()].map(({ at }) => at));
  }

  /** Lets so much time pass, with everything that is due meanwhile. */
  pass(ms) {
    const end = this.#now + ms;
    while (this.due <= end) {
      const [timer, { call, at }] = [...this.#timers].reduce((a, b) => (b[1].at < a[1].at ? b : a));
      this.#timers.delete(timer);
      this.#now = Math.max(this.#now, at);
      call();
    }
    this.#now = end;
  }
}

/** Lets everything happen that promises have pending. */
export const settle = () => new Promise((resolve) => setImmediate(resolve));

export class Trial {
  clock = new Clock();
  /** Addresses that were tried, frames that were said, events that were told. */
  tried = [];
  said = [];
  told = [];
  #hear = null;

  constructor(addresses = ['tcp://a:1'], options = {}) {
    const transport = (address, hear) => {
      this.tried.push(address.text);
      this.#hear = hear;
      return {
        send: (frames) => this.said.push(...frames.map((frame) => JSON.parse(frame))),
        close: () => this.told.push({ type: 'hung up' }),
      };
    };
    this.client = new Client(addresses, { clock: this.clock, transport, ...options });
    const types = ['connected', 'lost', 'unreachable', 'loggedin', 'delayed', 'signedout', 'presence', 'friends',
      'notice', 'garbled'];
    for (const type of types) this.client.on(type, (told) => this.told.push({ type, told }));
  }

  /** Logged in by name, with a token. */
  static inside(options) {
    const trial = new Trial(['tcp://a:1', 'tcp://b:1'], options);
    trial.hears = [];
    trial.client.on('message', (message) => void trial.hears.push(message.text));
    trial.login = trial.client.login('amy', 'pw');
    trial.opened();
    trial.letIn();
    trial.clear();
    return trial;
  }

  clear() {
    [this.said, this.told] = [[], []];
  }

  opened() {
    this.#hear.opened();
  }

  lose(reason = 'the server closed it') {
    this.#hear.ended(reason);
  }

  hear(frame) {
    this.#hear.frame(typeof frame === 'string' ? frame : JSON.stringify(frame));
  }

  letIn(more = {}) {
    this.hear({
      msgid: 2, errno: 0, id: 1, name: 'amy', token: 't0k', complete: true, friends: [], groups: [], offlinemsg: [],
      ...more,
    });
  }

  refuseLogin(errno, more = {}) {
    this.hear({ msgid: 2, errno, errmsg: 'no', ...more });
  }

  /** A message of another user. */
  comes(from, cid, mid, more = {}) {
    this.hear({ cid, mid: String(mid), ts: 1, id: from, msg: cid, msgid: 6, name: 'ben', time: 't', toid: 1, ...more });
  }

  /** Lets time pass until the next thing is due. */
  wake() {
    this.clock.pass(this.clock.due - this.clock.now());
  }

  reconnect() {
    this.wake();
    this.opened();
  }

  /** The types of what was told. */
  get types() {
    return this.told.map(({ type }) => type);
  }

  /** What was said of this msgid. */
  saidOf(msgid) {
    return this.said.filter((frame) => frame.msgid === msgid);
  }
}

/** A promise that may fail before anybody looks at it. */
export function caught(promise) {
  promise.catch(() => {});
  return promise;
}

/** What came of a promise that should be settled by now. */
export async function outcome(promise) {
  const result = promise.then((value) => ({ value }), (error) => ({ error }));
  await settle();
  return Promise.race([result, Promise.resolve({ pending: true })]);
}

/** A session beside others, whose server is the test: where its conversations stand is said at the login. */
export function beside(heads = [], options = { multi: true, device: 'desk' }) {
  const trial = new Trial(['tcp://a:1'], options);
  trial.hears = [];
  trial.client.on('message', ({ text }) => void trial.hears.push(text));
  trial.client.login('amy', 'pw');
  trial.opened();
  trial.entry = trial.said[0];
  trial.letIn({ heads, heads_complete: true });
  trial.clear();
  return trial;
}

export const stands = (head, more = {}) => ({
  with: 2, name: 'ben', head, mid: `${head}`, ts: 1, read: 0, unread: 0, ...more,
});
export const row = (pos, more = {}) => ({
  cid: `c${pos}`, mid: `${pos}`, pos, ts: 1, id: 2, msg: `c${pos}`, msgid: 6, name: 'ben', time: 't', toid: 1, ...more,
});
export const synced = (cid, rows, more = {}) => ({
  msgid: 37, errno: 0, cid, complete: true,
  convs: [{ with: 2, messages: rows, head: rows.at(-1)?.pos ?? 0, complete: true, changes: [], chg: 0, ...more }],
});
export const atPlaces = (...places) => ({ msgid: 61, with: 2, places: places.map((pos) => ({ mid: `${pos}`, pos })) });
