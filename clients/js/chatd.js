// The client's half of chatd for JavaScript: connection, protocol, reconnection. One module, no dependency.
//
// A Client says requests, each of which gives a promise, and tells events. The connection is its problem, not yours:
// it tries several addresses in turn, waits between rounds, comes back with the token that the server gave, and says
// again under the same cid what the server has not acknowledged, so that the server stores it once. What others say is
// told once, and confirmed when the listeners of it are done.
//
// From the top: what is exported; the rules (Client), in sections: what may be asked (of conversations, changes, groups, people),
// being connected, logging in, what the server says, catching up, telling; what they are made of, each knowing nothing of the
// others (outbox, seen, places, arrived, pulse, route); reading and writing frames; the ways to a server. Every queue is bounded.
// It stays one file: whoever hands it out, or has it from a server, hands out and asks for one.
// The whole interface with its types: chatd.d.ts. The protocol: docs/protocol.md, v2.

/** The numbers of the protocol's refusals that a program may want to tell apart. */
export const ERRNO = Object.freeze({
  REFUSED: 1,
  ONLINE_ALREADY: 2,
  NOT_A_FRAME: 100,
  UNKNOWN: 101,
  BAD_FIELD: 102,
  LOG_IN_FIRST: 103,
  NOT_YOURS: 104,
  NO_SUCH_USER: 105,
  NO_SUCH_GROUP: 106,
  NOT_A_MEMBER: 107,
  EXISTS: 108,
  TOO_FAST: 109,
  BUSY: 110,
  TOO_LARGE: 111,
  OTHER_CONTENT: 112,
  REPLACED: 113,
  STOPPING: 114,
  TOO_SLOW: 115,
  TOO_MANY: 116,
  EXPIRED: 117,
  MUTED: 118,
  PENDING: 119,
});

/** Why something was not done: `kind`, a sentence for people in `message`, and of a server's refusal its `errno`. */
export class ChatError extends Error {
  constructor(kind, message, { errno = 0, retryAfterMs = null } = {}) {
    super(message);
    this.name = 'ChatError';
    this.kind = kind;
    this.errno = errno;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Which of two message ids comes first, as a sort wants it. They are 64-bit numbers, written out. */
export function compareMids(a, b) {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}

const EVENTS = new Set([
  'connected', 'lost', 'unreachable', 'loggedin', 'heads', 'delayed', 'signedout', 'message', 'recalled', 'changed', 'group',
  'stored', 'read', 'typing', 'presence', 'friends', 'friend', 'settings', 'token', 'announcement', 'notice',
  'garbled',
]);

const MSG = Object.freeze({
  LOGIN: 1, LOGIN_ACK: 2, LOGOUT: 3, REGISTER: 4, REGISTER_ACK: 5, ONE_CHAT: 6, ADD_FRIEND: 7, CREATE_GROUP: 8,
  ADD_GROUP: 9, GROUP_CHAT: 10, DEL_GROUP: 11, DEL_FRIEND: 12, FRIENDS: 13, ACK: 20, ERROR: 21, PING: 22, PONG: 23,
  CONFIRM: 24, RESUME: 25, HISTORY: 26, HISTORY_ACK: 27, PRESENCE: 28, FIND: 29, FIND_ACK: 30, PASSWORD: 31, BLOCK: 32,
  UNBLOCK: 33, MEMBERS: 34, MEMBERS_ACK: 35, SYNC: 36, SYNC_ACK: 37, READ: 38, TYPING: 39, DEVICES: 40, DEVICES_ACK: 41,
  DROP_DEVICE: 42, EDIT: 43, RECALL: 44, REACT: 45, CHANGED: 46, ROLE: 47, KICK: 48, MUTE: 49, GROUP_SET: 50, GROUP_EVENT: 51,
  FRIEND_ASK: 52, FRIEND_ANSWER: 53, FRIEND_EVENT: 54, JOIN_ANSWER: 55, JOINS: 56, SEARCH: 57, SEARCH_ACK: 58, SETTINGS: 60,
  STORED: 61,
});

/** The longest frame that a server may send, and the longest that it takes. */
const FRAME_BYTES = 144 << 10;
const REQUEST_BYTES = 64 << 10;
/** Requests that may wait for the connection, if nothing else is said, and those under way at once. */
const MOST_WAITING = 1_000;
const WINDOW = 64;
/** Entries of a list that comes in pieces; above, the rest is left out. */
const MOST_LISTED = 20_000;
/** Characters of messages whose listeners are not done: above, no more is read where reading can be stopped. */
const MOST_UNDONE = 1 << 20;
/** How long one try to connect may take. */
const CONNECT_MS = 8_000;
/** How often a request is said that the server is too busy for, and how far apart. */
const BUSY_TRIES = 8;
const BUSY_MS = 1_000;
/** How long a server may hold the session of a connection that died without a word. */
const GHOST_MS = 45_000;
/** How soon after a loss a login of the user's own is taken for a return. */
const RETURN_MS = 10_000;
/** How long a server is asked that is too busy to log anybody in, and how far apart. */
const PATIENCE_MS = 45_000;
const WAIT_MS = 500;
/** How long a server may take to answer a login: with a password to be hashed, and without. */
const LOGIN_MS = 30_000;
const RESUME_MS = 10_000;
/** What a session that lives beside others of its user understands, if nothing else is said. */
const CAPS = ['own', 'read', 'typing', 'changed', 'group', 'friend'];
/** Conversations that are caught up with at once, and messages of each. */
const MOST_SYNCED = 20;
const SYNC_MESSAGES = 100;
/** How far apart two TYPINGs in a conversation are; the server drops what is nearer. */
const TYPING_MS = 3_000;

const PASSING = new Set([ERRNO.BUSY, ERRNO.TOO_FAST, ERRNO.STOPPING]);
/** After one of these of no request in particular the server hangs up. */
const FAREWELLS = new Set([
  ERRNO.NOT_A_FRAME, ERRNO.TOO_LARGE, ERRNO.REPLACED, ERRNO.STOPPING, ERRNO.TOO_SLOW, ERRNO.TOO_MANY,
]);

const CLOCK = {
  now: () => performance.now(),
  set: (call, ms) => setTimeout(call, ms),
  clear: (timer) => clearTimeout(timer),
};

/** One user's dealings with the servers. */
export class Client {
  #options;
  #clock;
  #timer = null;
  #listeners = new Map();
  /** Events to be told, in order; whoever tells them is told by `#telling`. */
  #told = [];
  #telling = false;
  #closing = false;
  /** Characters of messages that were told and whose listeners are not done. */
  #undone = 0;

  #route;
  /** 'down' (not to be tried before `#tryAt`), 'connecting', 'up' or 'closed'. */
  #link = 'down';
  #tryAt;
  #way = null;
  /** Nobody (null), or {state: 'entering' | 'inside', who: {user, password, takeover, token}, …}. */
  #account = null;
  #registration = null;
  #outbox;
  #seen = new Seen();
  #arrived = new Arrived();
  #places = new Places();
  /** The request that catches up with other devices, while one is under way. */
  #syncing = null;
  /** Where this user was last said to be typing, and when. */
  #typed = { key: null, at: -Infinity, isOn: false };
  #pulse;
  #parts = { entrance: null, friends: [] };
  /** The last friend list heard, for whoever asked for it. */
  #friends = [];
  /** The groups that this user is known to be in. */
  #groups = new Set();
  /** What the server said before it hung up. */
  #lastWords = null;
  #lostAt = -Infinity;
  #connected = false;
  #outageTold = false;
  #garbledTold = false;

  constructor(addresses, options = {}) {
    this.#options = { mostWaiting: MOST_WAITING, confirm: 'handled', tls: {}, ...options };
    this.#clock = this.#options.clock ?? CLOCK;
    this.#route = new Route([addresses].flat().map(parseAddress));
    this.#outbox = new Outbox(this.#options.mostWaiting);
    this.#tryAt = this.#clock.now();
    this.#pulse = new Pulse(this.#tryAt);
  }

  // Listening.

  on(type, listener) {
    if (!EVENTS.has(type)) throw new TypeError(`there is no event ${type}`);
    if (typeof listener !== 'function') throw new TypeError('a listener is a function');
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  once(type) {
    return new Promise((resolve) => {
      const off = this.on(type, (told) => {
        off();
        resolve(told);
      });
    });
  }

  // Who this is.

  get user() {
    return this.#account?.state === 'inside' ? { id: this.#account.id, name: this.#account.name } : null;
  }

  get token() {
    return this.#account?.who.token ?? null;
  }

  get multi() {
    return this.#account?.state === 'inside' && this.#account.multi;
  }

  get places() {
    return this.#places.all;
  }

  get connected() {
    return this.#link === 'up';
  }

  get unanswered() {
    return this.#outbox.length;
  }

  // What may be asked.

  async register(name, password, { token } = {}) {
    const invitation = token === undefined ? {} : { token: text(token, 'an invitation') };
    const frame = { msgid: MSG.REGISTER, name: text(name, 'a name'), password: text(password, 'a password'), ...invitation, v: 2 };
    this.#isOpen();
    if (this.#registration) throw new ChatError('busy', 'another registration is under way');
    return new Promise((resolve, reject) => {
      this.#registration = { frame, resolve, reject, attempts: 0, answerBy: Infinity };
      this.#run();
    });
  }

  async login(who, ...rest) {
    const isVouchedFor = isObject(who);
    const { takeover = false, ...how } = rest[isVouchedFor ? 0 : 1] ?? {};
    const by = isVouchedFor ? vouched(who) : { user: named(who), password: text(rest[0], 'a password') };
    const enter = (replace) => this.#enter({ ...NOTHING, ...by, takeover: replace }, how);
    if (typeof takeover !== 'function') return enter(takeover === true);
    try {
      return await enter(false);
    } catch (error) {
      if (error.errno !== ERRNO.ONLINE_ALREADY || !(await takeover(error))) throw error;
      return enter(true);
    }
  }

  async resume(token, how = {}) {
    return this.#enter({ ...NOTHING, token: text(token, 'a token') }, how);
  }

  async logout() {
    this.#arrived.hurry(this.#clock.now());
    return this.#ask({ msgid: MSG.LOGOUT, own: true });
  }

  async say(conversation, message, { time = localTime(), reply, data } = {}) {
    const { user, group } = conversation ?? {};
    const to = group === undefined
      ? { msgid: MSG.ONE_CHAT, toid: id(user, 'user') }
      : { msgid: MSG.GROUP_CHAT, groupid: id(group, 'group') };
    const extras = { reply: reply === undefined ? undefined : place(reply), data: data === undefined ? undefined : object(data) };
    const fields = { ...to, msg: text(message, 'a message'), time: text(time, 'a time'), ...extras };
    const answer = (ack, { cid }) => {
      const pos = number(ack.pos);
      if (pos !== null && this.#account.multi) this.#places.has(conversation, pos);
      return { cid, mid: string(ack.mid), ts: number(ack.ts), pos };
    };
    return this.#ask({ ...fields, own: true }, { answer });
  }

  async addFriend(friend) {
    const fields = { msgid: MSG.ADD_FRIEND, friendid: id(friend, 'user'), own: true };
    return this.#ask(fields, { doneBefore: [ERRNO.EXISTS] });
  }

  async removeFriend(friend) {
    const fields = { msgid: MSG.DEL_FRIEND, friendid: id(friend, 'user'), own: true };
    return this.#ask(fields, { doneBefore: [ERRNO.NO_SUCH_USER] });
  }

  async friends() {
    return this.#ask({ msgid: MSG.FRIENDS, own: true }, { answer: () => this.#friends.splice(0) });
  }

  async createGroup(name, description = '') {
    const [groupname, groupdesc] = [text(name, 'a name'), text(description, 'a description')];
    const fields = { msgid: MSG.CREATE_GROUP, groupname, groupdesc, own: true };
    return this.#ask(fields, { answer: (ack) => this.#joined(ack) });
  }

  async joinGroup(group) {
    const fields = { msgid: MSG.ADD_GROUP, groupid: id(group, 'group'), own: true };
    return this.#ask(fields, { answer: (ack) => this.#joined(ack), doneBefore: [ERRNO.EXISTS], orElse: group });
  }

  async leaveGroup(group) {
    const fields = { msgid: MSG.DEL_GROUP, groupid: id(group, 'group'), own: true };
    const doneBefore = [ERRNO.NO_SUCH_GROUP, ERRNO.NOT_A_MEMBER];
    return this.#ask(fields, { answer: () => void this.#groups.delete(group), doneBefore });
  }

  async find(who) {
    return this.#ask({ msgid: MSG.FIND, ...named(who) }, { answer: (found) => person(found) ?? garbled() });
  }

  async history(conversation, { before, after, limit = 50 } = {}) {
    const of = whereIs(conversation);
    const span = { before: before && place(before), after: after === undefined ? undefined : place(after) };
    const told = (page) => ({ chg: number(page.chg), complete: page.complete === true });
    const answer = (page) => ({ ...rowsAndMessages(this.#rows(page.messages, of)), ...told(page) });
    return this.#ask({ msgid: MSG.HISTORY, ...of, ...span, limit: place(limit) }, { answer });
  }

  async *historyPages(conversation, { before, limit } = {}) {
    for (let last = before; last !== 1; ) {
      const page = await this.history(conversation, { before: last, limit });
      if (page.rows.length === 0) return;
      last = page.rows[0].pos;
      yield page;
    }
  }

  async sync(since, { limit } = {}) {
    const asked = since.map(({ conversation, pos, chg }) => behind(conversation, place(pos), chg));
    const fields = { msgid: MSG.SYNC, since: asked, limit: limit === undefined ? undefined : place(limit) };
    return this.#ask(fields, { answer: (_, entry) => entry.synced });
  }

  async heads({ beforeMid, limit } = {}) {
    const from = beforeMid === undefined ? undefined : text(beforeMid, 'a mid');
    const fields = { before_mid: from, limit: limit === undefined ? undefined : place(limit) };
    const answer = (page) => ({ heads: list(page.heads, head), complete: page.heads_complete === true });
    return this.#ask({ msgid: MSG.SYNC, ...fields }, { answer });
  }

  async read(conversation, pos, options = {}) {
    const quietly = options.private === true ? { private: true } : {};
    const fields = { msgid: MSG.READ, ...whereIs(conversation), pos: place(pos), ...quietly };
    return this.#ask(fields, { answer: (ack) => number(ack.pos) ?? pos });
  }

  typing(conversation, on = true) {
    const of = whereIs(conversation);
    const [key, now] = [placeOf(conversation), this.#clock.now()];
    const typed = this.#typed.key === key ? this.#typed : { at: -Infinity, isOn: false };
    // What nobody was told of needs no end, and what cannot be told now is worth nothing later.
    if (on ? now - typed.at < TYPING_MS : !typed.isOn) return false;
    if (this.#link !== 'up' || this.#account?.state !== 'inside') return false;
    this.#typed = { key, at: on ? now : typed.at, isOn: on };
    this.#write({ msgid: MSG.TYPING, ...of, on });
    return true;
  }

  async devices() {
    return this.#ask({ msgid: MSG.DEVICES }, { answer: (page) => list(page.devices, device) });
  }

  async dropDevice(device) {
    const fields = { msgid: MSG.DROP_DEVICE, deviceid: text(device, 'the id of a device') };
    return this.#ask(fields, { doneBefore: [ERRNO.NO_SUCH_USER] });
  }

  async members(group, { after, limit = 200 } = {}) {
    const fields = { groupid: id(group, 'group'), after: after && id(after, 'user'), limit: place(limit) };
    const answer = (page) => ({ members: list(page.users, member), complete: page.complete === true });
    return this.#ask({ msgid: MSG.MEMBERS, ...fields }, { answer });
  }

  async *memberPages(group, { limit } = {}) {
    for (let after, complete = false; !complete; ) {
      const page = await this.members(group, { after, limit });
      if (page.members.length === 0) return;
      complete = page.complete;
      after = page.members.at(-1).id;
      yield page;
    }
  }

  // What was said, changed and found.

  async edit(conversation, pos, message) {
    return this.#change({ msgid: MSG.EDIT, ...spot(conversation, pos), msg: text(message, 'a message') }, conversation);
  }

  async recall(conversation, pos) {
    return this.#change({ msgid: MSG.RECALL, ...spot(conversation, pos) }, conversation);
  }

  async react(conversation, pos, emoji, on = true) {
    const fields = { msgid: MSG.REACT, ...spot(conversation, pos), emoji: text(emoji, 'an emoji'), on: on === true };
    return this.#change(fields, conversation);
  }

  /** What changed is told as it is to everybody; its number says what was to be heard by now. */
  #change(fields, conversation) {
    const answer = (ack) => {
      const chg = number(ack.chg) ?? garbled();
      if (this.#account.multi && this.#places.isToBe(conversation, chg)) this.#catchUp();
      return chg;
    };
    return this.#ask(fields, { answer });
  }

  async search(words, { conversation, beforeMid, limit } = {}) {
    const where = conversation === undefined ? {} : whereIs(conversation);
    const before = beforeMid === undefined ? undefined : text(beforeMid, 'a mid');
    const span = { before_mid: before, limit: limit === undefined ? undefined : place(limit) };
    const read = (each) => message(each, this.#account?.id, number(each.with) === null ? undefined : { user: each.with });
    const answer = (page) => ({
      messages: list(page.messages, read),
      beforeMid: string(page.before_mid),
      searchedTo: number(page.searched_to),
      complete: page.complete === true,
    });
    return this.#ask({ msgid: MSG.SEARCH, q: text(words, 'what is searched for'), ...where, ...span }, { answer });
  }

  // How a group is run.

  async setRole(group, user, role) {
    return this.#rule(group, { msgid: MSG.ROLE, userid: id(user, 'user'), role: text(role, 'a role') });
  }

  async kick(group, user, { banUntil } = {}) {
    const ban = banUntil === undefined ? undefined : moment(banUntil);
    return this.#rule(group, { msgid: MSG.KICK, userid: id(user, 'user'), ban_until: ban });
  }

  async mute(group, user, until = Infinity) {
    return this.#rule(group, { msgid: MSG.MUTE, userid: id(user, 'user'), until: moment(until) });
  }

  async muteAll(group, until = Infinity) {
    return this.#rule(group, { msgid: MSG.MUTE, all: true, until: moment(until) });
  }

  async setGroup(group, { name, description, join } = {}) {
    const optional = (value, what) => (value === undefined ? undefined : text(value, what));
    const fields = { groupname: optional(name, 'a name'), groupdesc: optional(description, 'a description') };
    return this.#rule(group, { msgid: MSG.GROUP_SET, ...fields, join: optional(join, 'a way to join') });
  }

  async answerJoin(group, user, yes) {
    return this.#rule(group, { msgid: MSG.JOIN_ANSWER, userid: id(user, 'user'), yes: yes === true });
  }

  async joinRequests(group) {
    return this.#ask({ msgid: MSG.JOINS, groupid: id(group, 'group') }, { answer: (ack) => list(ack.users, asker) });
  }

  /** A change of a group; the row of its conversation that tells of it, where there is one. */
  #rule(group, fields) {
    const answer = (ack, { cid }) => {
      const pos = number(ack.pos);
      if (pos !== null && this.#account.multi) this.#places.has({ group }, pos);
      return { cid, mid: string(ack.mid), ts: number(ack.ts), pos };
    };
    return this.#ask({ ...fields, groupid: id(group, 'group') }, { answer });
  }

  // Whom this user lets come near.

  async askFriend(friend, note = '') {
    const said = note === '' ? undefined : text(note, 'a note');
    const fields = { msgid: MSG.FRIEND_ASK, userid: id(friend, 'user'), note: said };
    return this.#ask(fields, { doneBefore: [ERRNO.EXISTS] });
  }

  async answerFriend(friend, yes) {
    const fields = { msgid: MSG.FRIEND_ANSWER, userid: id(friend, 'user'), yes: yes === true };
    return this.#ask(fields, { doneBefore: [ERRNO.NO_SUCH_USER, ERRNO.EXISTS] });
  }

  async settings({ whoWrites, readReceipts } = {}) {
    const writers = whoWrites === undefined ? undefined : text(whoWrites, 'who may write');
    const receipts = readReceipts === undefined ? undefined : readReceipts === true;
    const fields = { msgid: MSG.SETTINGS, who_writes: writers, read_receipts: receipts };
    return this.#ask(fields, { answer: (ack) => chosen(ack) ?? garbled() });
  }

  async block(user) {
    return this.#ask({ msgid: MSG.BLOCK, userid: id(user, 'user') }, { doneBefore: [ERRNO.EXISTS] });
  }

  async unblock(user) {
    return this.#ask({ msgid: MSG.UNBLOCK, userid: id(user, 'user') }, { doneBefore: [ERRNO.NO_SUCH_USER] });
  }

  async changePassword(old, anew) {
    const fields = { msgid: MSG.PASSWORD, old: text(old, 'a password'), new: text(anew, 'a password') };
    return this.#ask(fields, {
      answer: (ack) => {
        // Every token is revoked with the old password.
        Object.assign(this.#account.who, { password: anew, token: string(ack.token) });
        this.#tell('token', this.token);
      },
    });
  }

  confirm(message) {
    if (message.mid) this.#isDone(message, this.#seen.find(message));
  }

  wake() {
    const now = this.#clock.now();
    if (this.#link === 'down') this.#tryAt = now;
    if (this.#link === 'up' && this.#account?.state === 'inside') this.#pulse.doubt(now);
    this.#run();
  }

  close() {
    this.#closing = true;
    // The message that is being told is to be confirmed first.
    if (!this.#telling) this.#end();
  }

  #end() {
    if (this.#link === 'closed') return;
    const now = this.#clock.now();
    this.#arrived.hurry(now);
    if (this.#link === 'up' && this.#account?.state === 'inside') this.#confirm(now);
    this.#link = 'closed';
    this.#clock.clear(this.#timer);
    this.#way?.close();
    this.#way = null;
    const closed = new ChatError('closed', 'the client was closed');
    this.#registration?.reject(closed);
    this.#account?.ask?.reject(closed);
    this.#registration = this.#account = null;
    for (const entry of this.#outbox.drain()) entry.reject(closed);
  }

  // Being connected.

  #isOpen() {
    if (this.#closing) throw new ChatError('closed', 'the client was closed');
  }

  #enter(who, { multi = this.#options.multi === true, places } = {}) {
    this.#isOpen();
    if (this.#account) throw new ChatError('busy', 'another login is under way, or somebody is logged in');
    const device = this.#options.device === undefined ? {} : { device: text(this.#options.device, 'a name') };
    const caps = this.#options.caps ?? (multi ? CAPS : []);
    const how = { ...device, ...(multi ? { multi: true } : {}), ...(caps.length > 0 ? { caps } : {}) };
    const read = ({ conversation, pos, chg }) => ({ ...behind(conversation, place(pos), chg), conversation, pos, chg });
    const known = places?.map(read);
    return new Promise((resolve, reject) => {
      this.#account = entering({ ...who, how, places: known }, { resolve, reject }, this.#clock.now());
      this.#run();
    });
  }

  #ask({ own = false, ...fields }, settle = {}) {
    this.#isOpen();
    if (!this.#account) throw new ChatError('logged_out', 'nobody is logged in');
    return new Promise((resolve, reject) => {
      const entry = { fields, own, resolve, reject, answer: () => {}, doneBefore: [], orElse: undefined, ...settle };
      if (this.#outbox.push(entry)) return this.#run();
      reject(new ChatError('full', 'too much waits for the connection already'));
    });
  }

  /** Does what can be done now, tells what there is to tell, and sees to being called again. */
  #run() {
    const now = this.#clock.now();
    if (this.#link === 'down' && this.#needsLink() && now >= this.#tryAt) this.#connect();
    if (this.#link === 'up') this.#advance(now);
    this.#clock.clear(this.#timer);
    const at = this.#wakeAt();
    if (at < Infinity) this.#timer = this.#clock.set(() => this.#run(), Math.max(0, Math.ceil(at - now)));
    this.#deliver();
  }

  #needsLink() {
    return this.#registration !== null || this.#account !== null;
  }

  #wakeAt() {
    if (this.#link === 'down') return this.#needsLink() ? this.#tryAt : Infinity;
    if (this.#link !== 'up') return Infinity;
    const registered = this.#registration?.answerBy ?? Infinity;
    const { state, askAt = Infinity, answerBy = Infinity } = this.#account ?? {};
    if (state === 'entering') return Math.min(askAt, answerBy, registered);
    if (state !== 'inside') return registered;
    return Math.min(registered, this.#outbox.wakeAt(), this.#arrived.due, this.#pulse.wakeAt(this.#outbox.owesSince()));
  }

  #connect() {
    this.#link = 'connecting';
    const address = this.#route.address;
    const open = this.#options.transport ?? openWay;
    const mine = (call) => (told) => {
      if (this.#way !== way || this.#link === 'closed') return;
      call(told, this.#clock.now());
      this.#run();
    };
    const way = {};
    this.#way = way;
    const hear = {
      opened: mine(() => this.#isConnected(address)),
      frame: mine((frame, now) => this.#frame(frame, now)),
      ended: mine((reason, now) =>
        this.#link === 'connecting' ? this.#isUnreachable(address, reason, now) : this.#isLost(reason, now)),
    };
    Object.assign(way, open(address, hear, { clock: this.#clock, tls: this.#options.tls }));
  }

  #isConnected(address) {
    this.#link = 'up';
    this.#pulse = new Pulse(this.#clock.now());
    this.#parts = { entrance: null, friends: [] };
    this.#route.reached();
    this.#lastWords = null;
    this.#garbledTold = false;
    if (this.#undone > MOST_UNDONE) this.#way.pause?.();
    const again = this.#connected || this.#outageTold;
    [this.#connected, this.#outageTold] = [true, false];
    this.#tell('connected', { address: address.text, again });
  }

  #isUnreachable(address, reason, now) {
    this.#link = 'down';
    this.#way = null;
    this.#tryAt = this.#route.failed(now);
    if (!this.#route.exhausted || this.#outageTold) return;
    this.#outageTold = true;
    this.#tell('unreachable', { address: address.text, reason });
  }

  #isLost(reason, now) {
    const wait = this.#route.lost();
    this.#link = 'down';
    this.#way = null;
    this.#tryAt = now + wait;
    this.#lostAt = now;
    this.#outbox.interrupt();
    if (this.#registration) this.#registration.answerBy = Infinity;
    this.#leaveLink(now);
    const words = this.#lastWords;
    this.#lastWords = null;
    if (words?.errno === ERRNO.TOO_LARGE) this.#outbox.takeLongestWritten()?.reject(words);
    if (words?.errno === ERRNO.REPLACED) {
      // The session that stays is no ghost of this one.
      this.#lostAt = -Infinity;
      if (this.#account) this.#signOut(words);
    }
    if (this.#outageTold) return;
    this.#outageTold = true;
    const said = words ? `the server said: ${words.message}` : reason;
    this.#tell('lost', { reason: said, error: words, retryInMs: this.#needsLink() ? wait : null });
  }

  /** The connection is gone, and with it the server's session. */
  #leaveLink(now) {
    const first = this.#outbox.first;
    if (first?.fields.msgid === MSG.LOGOUT) {
      // The end of the connection has done what was asked.
      this.#outbox.take(first.cid);
      first.resolve();
      return this.#forgetAccount();
    }
    if (this.#account?.state === 'entering') Object.assign(this.#account, { askAt: now, answerBy: Infinity });
    if (this.#account?.state === 'inside') this.#account = entering(this.#account.who, null, now);
  }

  #hangUp(reason, now) {
    this.#way?.close();
    this.#isLost(reason, now);
  }

  #write(...frames) {
    this.#way.send(frames.map(encode));
  }

  #advance(now) {
    const registration = this.#registration;
    if (registration?.answerBy === Infinity) {
      Object.assign(registration, { attempts: registration.attempts + 1, answerBy: now + LOGIN_MS });
      this.#write(registration.frame);
    }
    if (now >= Math.min(registration?.answerBy ?? Infinity, this.#account?.answerBy ?? Infinity)) {
      this.#route.doubted();
      return this.#hangUp('the server does not answer', now);
    }
    if (this.#account?.state === 'entering') return this.#askToEnter(now);
    if (this.#account?.state !== 'inside') return;
    if (this.#undone > MOST_UNDONE) this.#pulse.heard(now);
    const beat = this.#pulse.beat(now, this.#outbox.owesSince());
    if (beat === Pulse.DEAD) {
      this.#route.doubted();
      return this.#hangUp('the server does not answer', now);
    }
    if (beat !== null) this.#write({ msgid: MSG.PING, n: beat });
    this.#confirm(now);
    this.#flush(now);
  }

  #confirm(now) {
    for (let mids = this.#arrived.take(now); mids; mids = this.#arrived.take(now)) {
      this.#write({ msgid: MSG.CONFIRM, mids });
    }
  }

  #flush(now) {
    const frames = [];
    for (let entry = this.#outbox.next(now); entry; entry = this.#outbox.next(now)) {
      const own = entry.own ? { id: this.#account.id } : {};
      const frame = encode({ cid: entry.cid, ...own, ...entry.fields });
      if (byteLength(frame) > REQUEST_BYTES) {
        this.#outbox.take(entry.cid);
        entry.reject(new ChatError('too_large', 'too long', { errno: ERRNO.TOO_LARGE }));
      } else {
        frames.push(frame);
      }
    }
    if (frames.length > 0) this.#way.send(frames);
  }

  // Logging in, again after every loss, and out.

  #askToEnter(now) {
    const { who, ask, askAt } = this.#account;
    if (now < askAt) return;
    Object.assign(this.#account, { askAt: Infinity, answerBy: now + (who.token ? RESUME_MS : LOGIN_MS) });
    if (who.token) return this.#write({ msgid: MSG.RESUME, token: who.token, ...who.how, v: 2 });
    // To come back never throws anybody out.
    const takeover = ask && who.takeover ? { takeover: true } : {};
    if (who.jwt) return this.#askWithJwt(this.#account, takeover);
    this.#write({ msgid: MSG.LOGIN, ...who.user, password: who.password, ...takeover, ...who.how, v: 2 });
  }

  /** The application is asked for its word each time: an old one may be over. */
  async #askWithJwt(account, takeover) {
    const way = this.#way;
    // Whoever waits for it may have left meanwhile, or the connection.
    const isOver = () => this.#account !== account || this.#way !== way || account.state !== 'entering' || this.#link !== 'up';
    let jwt;
    try {
      jwt = text(await account.who.jwt(), 'a jwt');
    } catch (error) {
      if (isOver()) return;
      this.#refuseEntrance(new ChatError('no_jwt', `there is no jwt to log in with: ${error?.message ?? error}`));
      return this.#deliver();
    }
    if (!isOver()) this.#write({ msgid: MSG.LOGIN, jwt, ...takeover, ...account.who.how, v: 2 });
  }

  /** The session expires soon: it goes on if the application says so once more. */
  async #renew() {
    const account = this.#account;
    if (account?.state !== 'inside' || !account.who.jwt || account.isRenewing) return;
    account.isRenewing = true;
    try {
      const jwt = text(await account.who.jwt(), 'a jwt');
      if (this.#account === account && !this.#closing) await this.#ask({ msgid: MSG.LOGIN, jwt, v: 2 });
    } catch (error) {
      // It ends when it would have ended.
      if (this.#account !== account) return;
      const why = error instanceof ChatError ? error : new ChatError('no_jwt', `there is no jwt to go on with: ${error?.message ?? error}`);
      this.#tell('notice', why);
      this.#deliver();
    } finally {
      account.isRenewing = false;
    }
  }

  #isLoggedIn(frame, now) {
    const whole = this.#entrance(frame);
    if (!whole || this.#account?.state !== 'entering') return;
    const { who, ask } = this.#account;
    if (whole.token === null) {
      this.#refuseEntrance(new ChatError('not_spoken', 'this server is an older one and does not speak v2'));
      return this.#hangUp('the server does not speak v2', now);
    }
    const { id, name, friends, groups, asking, settings, waiting, token, heads } = whole;
    this.#account = { state: 'inside', who: { ...who, token, places: undefined }, id, name, multi: heads !== null };
    this.#seen.isReadBy(id);
    this.#places.isReadBy(id, who.places);
    this.#typed = { key: null, at: -Infinity, isOn: false };
    const made = this.#groupsMadeBefore(groups);
    this.#groups = new Set(groups.map((group) => group.id));
    const welcome = { id, name, friends, groups, asking, settings };
    this.#tell('token', token);
    this.#tell('loggedin', { ...welcome, again: ask === null });
    if (heads) this.#areHeads(heads, whole.headsComplete);
    for (const each of waiting) this.#isSaid(each, now);
    for (const [entry, group] of made) entry.resolve(group);
    ask?.resolve(welcome);
  }

  /** Requests for a group whose answer was lost with the connection, and the group is there now. */
  #groupsMadeBefore(groups) {
    const made = [];
    for (const entry of this.#outbox.written(MSG.CREATE_GROUP)) {
      const isIt = ({ id, name }) => name === entry.fields.groupname.trim() && !this.#groups.has(id);
      const group = groups.find(isIt);
      if (group) made.push([this.#outbox.take(entry.cid), group.id]);
    }
    return made;
  }

  /** One frame of a login answer; all of it, with the last one. */
  #entrance(frame) {
    const [id, name] = [number(frame.id), string(frame.name)];
    if (id === null || name === null) garbled();
    const part = {
      id, name, token: string(frame.token), friends: list(frame.friends, person), groups: list(frame.groups, group),
      asking: list(frame.asking, asker), settings: chosen(frame.settings ?? {}),
      waiting: list(frame.offlinemsg, (each) => row(each, id)),
    };
    const whole = this.#parts.entrance ?? { ...part, friends: [], groups: [], asking: [], waiting: [], heads: null };
    for (const key of ['friends', 'groups', 'asking', 'waiting']) append(whole[key], part[key]);
    if (Array.isArray(frame.heads)) append((whole.heads ??= []), list(frame.heads, head));
    whole.settings = part.settings ?? whole.settings;
    whole.headsComplete = frame.heads_complete ?? whole.headsComplete;
    whole.token = part.token ?? whole.token;
    this.#parts.entrance = frame.complete === false ? whole : null;
    return frame.complete === false ? null : whole;
  }

  #isRefusedEntrance(refusal, now) {
    const account = this.#account;
    if (account?.state !== 'entering') return;
    account.answerBy = Infinity;
    const { errno } = refusal;
    const comesAgain = account.who.password !== null || account.who.jwt !== null;
    if (account.who.token && comesAgain && !PASSING.has(errno) && errno !== ERRNO.ONLINE_ALREADY) {
      // It is too old, or was revoked: the password, or the application's word, may still be good.
      account.who.token = null;
      account.askAt = now;
      return;
    }
    const first = account.refusedAt === null;
    account.refusedAt ??= now;
    if (now - account.refusedAt >= this.#patience(errno, account, now, first)) return this.#refuseEntrance(refusal);
    account.askAt = now + (refusal.retryAfterMs ?? WAIT_MS);
    if (first) this.#tell('delayed', refusal);
  }

  #patience(errno, { ask, who }, now, first) {
    if (PASSING.has(errno)) return PATIENCE_MS;
    if (errno !== ERRNO.ONLINE_ALREADY) return 0;
    // A token would have replaced the old session: this is somebody else.
    if (!ask) return who.token ? RETURN_MS : GHOST_MS;
    return now - this.#lostAt < RETURN_MS || !first ? RETURN_MS : 0;
  }

  #refuseEntrance(refusal) {
    const { ask } = this.#account;
    if (!ask) return this.#signOut(refusal);
    ask.reject(refusal);
    this.#forgetAccount();
  }

  #signOut(refusal) {
    this.#tell('signedout', refusal);
    this.#forgetAccount();
  }

  /** Nobody is logged in from now on, and nothing of what waited will be said. */
  #forgetAccount() {
    this.#account?.ask?.reject(new ChatError('logged_out', 'nobody is logged in'));
    this.#account = null;
    this.#arrived = new Arrived();
    this.#groups.clear();
    for (const entry of this.#outbox.drain()) entry.reject(new ChatError('logged_out', 'nobody is logged in'));
    this.#tell('token', null);
  }

  // What the server says.

  #frame(line, now) {
    this.#pulse.heard(now);
    try {
      this.#hear(decode(line), now);
    } catch (error) {
      if (!(error instanceof Garbled)) throw error;
      if (!this.#garbledTold) this.#tell('garbled', null);
      this.#garbledTold = true;
    }
  }

  #hear(frame, now) {
    const errno = number(frame.errno) ?? 0;
    const refused = errno !== 0 || frame.msgid === MSG.ERROR;
    if (!refused) this.#route.worked();
    switch (frame.msgid) {
      case MSG.LOGIN_ACK:
        // A session that goes on has asked under a cid.
        if (this.#outbox.find(string(frame.cid))) return refused ? this.#isRefused(frame, now) : this.#isAnswered(frame);
        return refused ? this.#isRefusedEntrance(refusal(frame), now) : this.#isLoggedIn(frame, now);
      case MSG.REGISTER_ACK:
        return refused ? this.#isNotRegistered(refusal(frame)) : this.#isRegistered(number(frame.id) ?? garbled());
      case MSG.ONE_CHAT:
      case MSG.GROUP_CHAT:
        return this.#isSaid(message(frame, this.#account?.id) ?? garbled(), now);
      case MSG.GROUP_EVENT:
        return this.#hasHappened(happening(frame, this.#account?.id) ?? garbled(), now);
      case MSG.CHANGED:
        return this.#isChanged(change(frame, conversationOf(frame)) ?? garbled());
      case MSG.FRIEND_EVENT:
        return this.#tell('friend', friendship(frame) ?? garbled());
      case MSG.SETTINGS:
        return refused ? this.#isRefused(frame, now) : this.#tell('settings', chosen(frame) ?? garbled());
      case MSG.STORED:
        return this.#isStored(conversationOf(frame) ?? garbled(), list(frame.places, stored));
      case MSG.READ:
        return this.#tell('read', { ...markOf(frame), pos: number(frame.pos) ?? garbled() });
      case MSG.TYPING:
        return this.#tell('typing', { ...markOf(frame), on: frame.on === true, expiresMs: number(frame.expires_ms) ?? 0 });
      case MSG.SYNC_ACK:
        return refused ? this.#isRefused(frame, now) : this.#isSynced(frame);
      case MSG.PRESENCE:
        return this.#tell('presence', { id: number(frame.id) ?? garbled(), online: frame.state === 'online' });
      case MSG.FRIENDS:
        return this.#areFriends(frame);
      case MSG.PING:
        return this.#write({ msgid: MSG.PONG, n: number(frame.n) ?? 0 });
      case MSG.ERROR:
        // Without an error and about no request: it is for everybody.
        if (frame.errno === 0 && frame.cid === undefined) {
          return this.#tell('announcement', { text: string(frame.errmsg) ?? garbled() });
        }
        return this.#isRefused(frame, now);
      case MSG.ACK:
      case MSG.FIND_ACK:
      case MSG.HISTORY_ACK:
      case MSG.MEMBERS_ACK:
      case MSG.DEVICES_ACK:
      case MSG.SEARCH_ACK:
        return refused ? this.#isRefused(frame, now) : this.#isAnswered(frame);
      default:
      // PONG, and what this client does not know.
    }
  }

  #isRegistered(id) {
    this.#registration?.resolve(id);
    this.#registration = null;
  }

  #isNotRegistered(refusal) {
    if (!this.#registration) return;
    const again = this.#registration.attempts > 1 && refusal.errno === ERRNO.REFUSED;
    const taken = 'the name is taken, perhaps by this registration: the connection was lost before its answer came';
    this.#registration.reject(again ? new ChatError('refused', taken, { errno: refusal.errno }) : refusal);
    this.#registration = null;
  }

  #areFriends(frame) {
    append(this.#parts.friends, list(frame.friends, person));
    if (frame.complete === false) return;
    this.#friends = this.#parts.friends.splice(0);
    this.#tell('friends', [...this.#friends]);
  }

  #joined(ack) {
    const group = number(ack.groupid) ?? garbled();
    this.#groups.add(group);
    return group;
  }

  #isAnswered(frame) {
    const entry = this.#outbox.take(string(frame.cid));
    if (!entry) return;
    try {
      entry.resolve(entry.answer(frame, entry));
    } catch (error) {
      if (!(error instanceof Garbled)) throw error;
      entry.reject(new ChatError('garbled', 'the answer makes no sense'));
      throw error;
    }
    if (entry.fields.msgid === MSG.LOGOUT) this.#forgetAccount();
  }

  #isRefused(frame, now) {
    const why = refusal(frame);
    if (frame.re === MSG.LOGIN || frame.re === MSG.RESUME) return this.#isRefusedEntrance(why, now);
    if (frame.re === MSG.REGISTER) return this.#isNotRegistered(why);
    const cid = string(frame.cid);
    if (cid === null && why.errno === ERRNO.EXPIRED) return this.#expires(why);
    if (cid === null && FAREWELLS.has(why.errno)) this.#lastWords = why;
    else if (cid === null) this.#tell('notice', why);
    const entry = this.#outbox.find(cid);
    if (!entry) return;
    if (PASSING.has(why.errno) && entry.attempts < BUSY_TRIES) {
      return this.#outbox.putOff(entry, now + (why.retryAfterMs ?? BUSY_MS));
    }
    this.#outbox.take(cid);
    // What was written before, on a connection that was lost, may have been granted then.
    if (entry.attempts > 1 && entry.doneBefore.includes(why.errno)) entry.resolve(entry.orElse);
    else entry.reject(why);
  }

  /** Said once before the end, and at the end. */
  #expires(why) {
    this.#lastWords = why;
    if (this.#account?.who.jwt) this.#renew();
    else this.#tell('notice', why);
  }

  // Catching up with other devices, by place.

  #rows(rows, of) {
    return list(rows, (each) => row(each, this.#account?.id, { ...conversationOf(of) }));
  }

  #isSynced(frame) {
    if (Array.isArray(frame.heads)) {
      const heads = list(frame.heads, head);
      if (string(frame.cid) !== null) return this.#isAnswered(frame);
      return this.#account?.multi ? this.#areHeads(heads, frame.heads_complete === true) : undefined;
    }
    const entry = this.#outbox.find(string(frame.cid));
    if (!entry) return;
    const part = list(frame.convs, (each) => {
      const conversation = conversationOf(each);
      if (!conversation) return null;
      const mark = { head: number(each.head) ?? 0, chg: number(each.chg), peerRead: number(each.peer_read) };
      const changes = list(each.changes, (one) => change(one, conversation));
      const rows = rowsAndMessages(this.#rows(each.messages, each));
      return { conversation, ...rows, changes, ...mark, complete: each.complete !== false };
    });
    // What came before the connection was lost comes again.
    if (entry.syncedBy !== entry.attempts) Object.assign(entry, { syncedBy: entry.attempts, synced: [] });
    append(entry.synced, part);
    if (frame.complete !== false) this.#isAnswered(frame);
  }

  /** Where the conversations stand: what stands further than what was told is asked for. */
  #areHeads(heads, isComplete) {
    this.#tell('heads', heads);
    for (const each of heads) this.#places.stands(each);
    if (isComplete) this.#places.isBegun = true;
    else if (heads.length > 0) {
      const answer = (page) => this.#areHeads(list(page.heads, head), page.heads_complete === true);
      this.#askMyself({ msgid: MSG.SYNC, before_mid: heads.at(-1).mid }, { answer });
    }
    this.#catchUp();
  }

  #isStored(conversation, places) {
    this.#tell('stored', { conversation, places });
    if (!this.#account?.multi) return;
    this.#places.isStored(conversation, places.map(({ pos }) => pos));
    this.#catchUp();
  }

  #catchUp() {
    const lacking = this.#syncing ? [] : this.#places.lacking(MOST_SYNCED);
    if (lacking.length === 0) return;
    const since = lacking.map(({ conversation, at, chg }) => behind(conversation, at, chg));
    this.#syncing = lacking;
    const isOver = () => {
      this.#syncing = null;
      if (!this.#account) return;
      // It is told what there is; the next place that does not follow asks again.
      for (const place of lacking) this.#release(place, this.#places.isLeft(place));
    };
    this.#askMyself({ msgid: MSG.SYNC, since, limit: SYNC_MESSAGES }, {
      answer: (_, { synced }) => {
        this.#syncing = null;
        for (const place of lacking) {
          const found = synced.find(({ conversation }) => placeOf(conversation) === placeOf(place.conversation));
          if (found) this.#haveCome(place, found);
          if (found && !found.complete && found.rows.length + found.changes.length > 0) continue;
          if (found) this.#places.isAt(place, found.chg);
          this.#release(place, this.#places.isComplete(place));
        }
        this.#catchUp();
      },
      reject: isOver,
    });
  }

  /** What was missed: messages as they are now, and then what of it was news. */
  #haveCome(place, { rows, changes }) {
    for (const each of rows) {
      if (each.pos === null || each.pos <= place.at) continue;
      place.at = each.pos;
      this.#take(each, this.#clock.now());
    }
    for (const each of changes) if (this.#places.isAt(place, each.chg)) this.#tell('changed', each);
  }

  /** What was kept back, in the order in which it came. */
  #release(place, held) {
    for (const each of held) {
      if (each.chg === undefined) this.#take(each, this.#clock.now());
      else if (this.#places.isAt(place, each.chg)) this.#tell('changed', each);
    }
  }

  /** A request of the client's own, that waits in no line of the program's. */
  #askMyself(fields, settle) {
    const nothing = () => {};
    this.#outbox.push({ fields, own: false, resolve: nothing, reject: nothing, doneBefore: [], ...settle }, true);
  }

  #isSaid(row, now) {
    if (this.#link !== 'up') return;
    const place = this.#account?.multi ? this.#places.hold(row) : null;
    if (place) this.#isHeld(place, now);
    else this.#take(row, now);
  }

  /** Nothing of what is held counts as told: it comes again, with what is fetched then. */
  #isHeld(place, now) {
    if (place.held.length > Places.MOST_HELD) this.#hangUp('too much came while what was missed was fetched', now);
  }

  /** One that is a row of the conversation comes with its place. */
  #hasHappened(event, now) {
    const { group } = event.conversation;
    const concerned = event.whom?.id ?? event.by;
    if (event.what === 'joined' && concerned === this.#account?.id) this.#groups.add(group);
    if (event.what === 'kicked' && concerned === this.#account?.id) this.#groups.delete(group);
    if (event.pos !== null && this.#account?.multi) this.#places.has(event.conversation, event.pos);
    if (event.mid === null) this.#tell('group', event);
    else this.#isSaid(event, now);
  }

  /** A change that does not follow the last one says that something is lacking. */
  #isChanged(change) {
    if (!this.#account?.multi) return this.#tell('changed', change);
    const place = this.#places.isChanged(change);
    if (!place) return;
    if (!place.isBehind) return this.#tell('changed', change);
    this.#isHeld(place, this.#clock.now());
    this.#catchUp();
  }

  #take(row, now) {
    // What was said here has its receipt, also if it was said by the session before this one.
    if (row.own && row.conversation.user !== row.from && this.#outbox.isOf(row.cid)) return;
    const known = this.#seen.look(row);
    if (known.isNew) return this.#tell(TELLS[row.kind], row);
    // The server cannot know that it was dealt with, or is about to be.
    if (known.done && isConfirmed(row)) this.#arrived.add(row.mid, now);
  }

  // Telling.

  #tell(type, told) {
    this.#told.push({ type, told });
  }

  #deliver() {
    if (this.#telling) return;
    this.#telling = true;
    for (let next = this.#told.shift(); next && !this.#closing; next = this.#told.shift()) {
      const results = this.#call(next.type, next.told);
      if (next.type === 'message' || (next.type === 'group' && next.told.mid !== null)) this.#whenDone(next.told, results);
    }
    this.#telling = false;
    if (this.#closing) this.#end();
  }

  #call(type, told) {
    return [...(this.#listeners.get(type) ?? [])].map((listener) => {
      try {
        return listener(told);
      } catch (error) {
        report(error);
        return FAILED;
      }
    });
  }

  /** Confirms a message once all its listeners are done with it. One that nobody took comes again. */
  #whenDone(message, results) {
    const known = this.#seen.find(message);
    // What happened to a group is told to whoever wants to know; a message waits for who takes it.
    if (results.length === 0) return message.kind === 'event' ? this.#isDone(message, known) : this.#seen.forget(known);
    if (results.includes(FAILED)) return this.#seen.forget(known);
    const isHandled = this.#options.confirm === 'handled';
    if (!results.some((result) => typeof result?.then === 'function')) {
      if (isHandled) this.#isDone(message, known);
      return;
    }
    const length = message.text?.length ?? 0;
    this.#isUndone(length);
    Promise.all(results).then(
      () => {
        this.#isUndone(-length);
        if (isHandled) this.#isDone(message, known);
      },
      (error) => {
        this.#isUndone(-length);
        this.#seen.forget(known);
        report(error);
      },
    );
  }

  #isUndone(length) {
    const before = this.#undone > MOST_UNDONE;
    this.#undone += length;
    const after = this.#undone > MOST_UNDONE;
    if (before !== after) this.#way?.[after ? 'pause' : 'go']?.();
  }

  #isDone(message, known) {
    if (known) known.done = true;
    if (!isConfirmed(message) || !this.#account || this.#link === 'closed') return;
    this.#arrived.add(message.mid, this.#clock.now());
    this.#run();
  }
}

/** As what a row of a conversation is told. */
const TELLS = { said: 'message', recalled: 'recalled', event: 'group' };

/** Whether the server waits to hear that it has arrived. What the user said on another device waits for nobody. */
function isConfirmed({ kind, mid, own, from, conversation }) {
  if (!mid || kind === 'recalled') return false;
  return kind === 'event' || !own || conversation.user === from;
}

/** What a listener gives that threw. */
const FAILED = Symbol('failed');

/** A mistake of a listener is the program's, as it would be anywhere else: uncaught. */
function report(error) {
  if (typeof reportError === 'function') return reportError(error);
  queueMicrotask(() => {
    throw error;
  });
}

function entering(who, ask, now) {
  return { state: 'entering', who, ask, askAt: now, answerBy: Infinity, refusedAt: null };
}

/** What was asked for and is not answered: in order, each under its own cid, at most `WINDOW` of them under way. */
class Outbox {
  #entries = [];
  #underWay = 0;
  #numbered = 0;
  #prefix = Array.from(crypto.getRandomValues(new Uint32Array(4)), (word) => word.toString(36)).join('');

  constructor(most) {
    this.most = most;
  }

  get length() {
    return this.#entries.length;
  }

  get first() {
    return this.#entries[0];
  }

  push(entry, inAnyCase = false) {
    if (this.#entries.length >= this.most && !inAnyCase) return false;
    this.#numbered += 1;
    this.#entries.push(Object.assign(entry, {
      cid: `${this.#prefix}-${this.#numbered}`, attempts: 0, since: null, notBefore: -Infinity,
    }));
    return true;
  }

  /** The next request to be written, under way from now on. While one has to wait, those behind it wait too. */
  next(now) {
    if (this.#underWay >= WINDOW) return null;
    const entry = this.#entries.find((entry) => entry.since === null);
    if (!entry || entry.notBefore > now) return null;
    Object.assign(entry, { since: now, attempts: entry.attempts + 1 });
    this.#underWay += 1;
    return entry;
  }

  wakeAt() {
    if (this.#underWay >= WINDOW) return Infinity;
    const entry = this.#entries.find((entry) => entry.since === null);
    return entry ? entry.notBefore : Infinity;
  }

  /** Since when an answer is waited for; null where none is. */
  owesSince() {
    return this.#entries.find((entry) => entry.since !== null)?.since ?? null;
  }

  find(cid) {
    return cid === null ? undefined : this.#entries.find((entry) => entry.cid === cid);
  }

  /** Whether a cid is one of those that are given here. */
  isOf(cid) {
    return cid?.startsWith(`${this.#prefix}-`) === true;
  }

  take(cid) {
    const entry = this.find(cid);
    if (!entry) return undefined;
    this.#entries.splice(this.#entries.indexOf(entry), 1);
    if (entry.since !== null) this.#underWay -= 1;
    return entry;
  }

  putOff(entry, at) {
    if (entry.since !== null) this.#underWay -= 1;
    Object.assign(entry, { since: null, notBefore: at });
  }

  /** The connection is gone: what was under way is to be written again. */
  interrupt() {
    for (const entry of this.#entries) Object.assign(entry, { since: null, notBefore: -Infinity });
    this.#underWay = 0;
  }

  /** Requests of this kind that were written and are not answered. */
  written(msgid) {
    return this.#entries.filter((entry) => entry.fields.msgid === msgid && entry.attempts > 0);
  }

  /** A server with a smaller bound hangs up on a frame without saying which, and would do so again and again. */
  takeLongestWritten() {
    const length = (entry) => entry.fields.msg?.length ?? 0;
    const written = this.#entries.filter((entry) => entry.attempts > 0);
    const longest = written.reduce((most, entry) => (most && length(most) >= length(entry) ? most : entry), undefined);
    return longest && this.take(longest.cid);
  }

  drain() {
    this.#underWay = 0;
    return this.#entries.splice(0);
  }
}

/**
 * Which messages were told, so that none is told twice. A server delivers at least once, and a message that was said
 * again may come under another mid: sender and cid tell it.
 */
class Seen {
  static #REMEMBERED = 4_096;
  #reader = null;
  #known = new Map();

  /** From now on this user's messages are looked at. A user who returns has not forgotten. */
  isReadBy(reader) {
    if (this.#reader !== reader) this.#known.clear();
    this.#reader = reader;
  }

  look(message) {
    const known = this.find(message);
    if (known) return { isNew: false, done: known.done };
    const key = keyOf(message);
    this.#known.set(key, { key, done: false });
    if (this.#known.size > Seen.#REMEMBERED) this.#known.delete(this.#known.keys().next().value);
    return { isNew: true, done: false };
  }

  find(message) {
    return this.#known.get(keyOf(message));
  }

  /** It was not dealt with, and is to be told when it comes again. */
  forget(known) {
    if (known) this.#known.delete(known.key);
  }
}

/**
 * Up to which place of each conversation everything was told, and up to which change, for a session that lives beside
 * others of its user.
 */
class Places {
  static MOST_HELD = 1_000;
  static #FRESH = { isBehind: false, tried: null, toBe: 0 };
  #reader = null;
  #places = new Map();
  /** Whether all heads were seen: a conversation that is not known then is new. */
  isBegun = false;

  /** A login: what was held comes again. `known` is up to where the program has everything, where it says so. */
  isReadBy(reader, known) {
    if (this.#reader !== reader || known) {
      this.#places.clear();
      this.isBegun = known !== undefined;
      for (const { conversation, pos, chg } of known ?? []) Object.assign(this.#of(conversation), { at: pos, chg: chg ?? null });
    }
    this.#reader = reader;
    for (const place of this.#places.values()) {
      place.beyond.clear();
      Object.assign(place, { ...Places.#FRESH, held: [] });
    }
  }

  get all() {
    const shown = ({ conversation, at, chg }) => ({ conversation, pos: at, ...(chg === null ? {} : { chg }) });
    return [...this.#places.values()].map(shown);
  }

  #of(conversation, at = 0) {
    const key = placeOf(conversation);
    const chg = this.isBegun ? 0 : null;
    const known = this.#places.get(key) ?? { conversation, at, chg, beyond: new Set(), ...Places.#FRESH, held: [] };
    if (this.#places.size < MOST_LISTED) this.#places.set(key, known);
    return known;
  }

  /** A conversation stands at its head. What was said before the program began is for it to look up. */
  stands({ conversation, head, chg }) {
    const place = this.#of(conversation, this.isBegun ? 0 : head);
    place.chg ??= chg;
    if (head > place.at || chg > place.chg) Object.assign(place, { isBehind: true, toBe: Math.max(place.toBe, chg) });
  }

  /** It is told up to this change, if it was not; whether it was not. */
  isAt(place, chg) {
    if (chg === null || (place.chg !== null && chg <= place.chg)) return false;
    place.chg = chg;
    return true;
  }

  /** Where a change belongs that came by itself: that is told now, or kept back if something is lacking. */
  isChanged(change) {
    const { conversation, chg } = change;
    if (!this.isBegun && !this.#places.has(placeOf(conversation))) return { isBehind: false };
    const place = this.#of(conversation);
    place.chg ??= chg - 1;
    if (chg <= place.chg) return null;
    if (chg > place.chg + 1) place.isBehind = true;
    if (place.isBehind) place.held.push(change);
    else place.chg = chg;
    return place;
  }

  /** There are so many changes, and all of them were to be heard by now; whether some were not. */
  isToBe(conversation, chg) {
    const place = this.#places.get(placeOf(conversation));
    if (!place || place.chg === null || chg <= place.chg) return false;
    // An answer that is under way may have been made before.
    Object.assign(place, { isBehind: true, toBe: Math.max(place.toBe, chg) });
    return true;
  }

  /** The program has the message of this place. */
  has(conversation, pos) {
    const place = this.#of(conversation, this.isBegun ? 0 : pos - 1);
    if (pos > place.at) place.beyond.add(pos);
    // What is kept back is not told yet.
    if (!place.isBehind) this.#advance(place);
    if (place.beyond.size > Places.MOST_HELD) place.isBehind = true;
    return place;
  }

  /** A place that does not follow says that something is lacking. */
  isStored(conversation, places) {
    for (const pos of [...places].sort((a, b) => a - b)) {
      const place = this.has(conversation, pos);
      if (place.beyond.size > 0) place.isBehind = true;
    }
  }

  #advance(place) {
    while (place.beyond.delete(place.at + 1)) place.at += 1;
  }

  lacking(most) {
    return [...this.#places.values()].filter(({ isBehind }) => isBehind).slice(0, most);
  }

  /** Keeps back what came after something that is lacking; where, or null if nothing is. */
  hold(message) {
    const place = this.#places.get(placeOf(message.conversation));
    if (!place?.isBehind) return null;
    place.held.push(message);
    return place;
  }

  /** Nothing more is asked for: what was kept back is to be told now. */
  isComplete(place) {
    const last = Math.max(place.at, ...place.beyond);
    let end = place.at;
    while (place.beyond.has(end + 1)) end += 1;
    const tried = `${place.at} ${place.chg}`;
    const isShort = end < last || place.chg < place.toBe || this.#skipsChange(place);
    if (isShort && place.tried !== tried) {
      // What is beyond was said after the answer was made: once more, from where it is now.
      place.tried = tried;
      return [];
    }
    // What is not there at the second time is not to be had.
    place.at = last;
    place.beyond.clear();
    return this.isLeft(place);
  }

  /** Whether one of the changes that were kept back does not follow. */
  #skipsChange({ chg, held }) {
    let last = chg;
    for (const { chg: next } of held) {
      if (next === undefined || next <= last) continue;
      if (last !== null && next > last + 1) return true;
      last = next;
    }
    return false;
  }

  /** It is not asked for now. */
  isLeft(place) {
    Object.assign(place, Places.#FRESH);
    return place.held.splice(0);
  }
}

function placeOf({ user, group }) {
  return group === undefined ? `user ${user}` : `group ${group}`;
}

function keyOf({ kind, from, cid, mid }) {
  return kind === 'said' ? `${from} ${cid ?? mid}` : `${kind} ${mid}`;
}

/** Messages that arrived and that the server is yet to be told of: collected for a moment, many in one frame. */
class Arrived {
  static #COLLECT_MS = 50;
  static #MANY = 200;
  /** Above, the oldest are dropped: the server says those again, and they are confirmed then. */
  static #MOST = 4_096;
  #mids = [];
  due = Infinity;

  add(mid, now) {
    if (this.#mids.length >= Arrived.#MOST) this.#mids.splice(0, Arrived.#MOST / 2);
    this.#mids.push(mid);
    if (this.#mids.length >= Arrived.#MANY) this.due = Math.min(this.due, now);
    else this.due = Math.min(this.due, now + Arrived.#COLLECT_MS);
  }

  /** Not to wait any longer. */
  hurry(now) {
    if (this.#mids.length > 0) this.due = now;
  }

  take(now) {
    if (this.due > now) return null;
    const mids = this.#mids.splice(0, Arrived.#MANY);
    if (this.#mids.length === 0) this.due = Infinity;
    return mids;
  }
}

/** Whether the server is still there: the TCP of a machine whose server hangs goes on acknowledging. */
class Pulse {
  static DEAD = -1;
  /** A server that says nothing for so long is asked whether it is there; the same, where it owes an answer. */
  static #SILENCE_MS = 20_000;
  static #IMPATIENCE_MS = 5_000;
  static #ANSWER_MS = 10_000;
  #heardAt;
  #askedAt = null;
  #asked = 0;

  constructor(now) {
    this.#heardAt = now;
  }

  heard(now) {
    this.#heardAt = now;
    this.#askedAt = null;
  }

  /** It is to be asked at once. */
  doubt(now) {
    this.#heardAt = Math.min(this.#heardAt, now - Pulse.#SILENCE_MS);
  }

  wakeAt(owesSince) {
    if (this.#askedAt !== null) return this.#askedAt + Pulse.#ANSWER_MS;
    const idle = this.#heardAt + Pulse.#SILENCE_MS;
    return owesSince === null ? idle : Math.min(idle, Math.max(this.#heardAt, owesSince) + Pulse.#IMPATIENCE_MS);
  }

  /** The number to ask with now, `DEAD`, or null where nothing is to be done yet. */
  beat(now, owesSince) {
    if (now < this.wakeAt(owesSince)) return null;
    if (this.#askedAt !== null) return Pulse.DEAD;
    this.#askedAt = now;
    this.#asked += 1;
    return this.#asked;
  }
}

/** Which address is tried next, and when. One that works is stayed with. */
class Route {
  static #FIRST_MS = 400;
  static #LONGEST_MS = 15_000;
  /** A connection that worked is tried again almost at once, by not all clients at the same instant. */
  static #SPREAD_MS = 300;
  #addresses;
  #at = 0;
  /** Tries that have failed since the last that did not, and rounds of them. */
  #failed = 0;
  #rounds = 0;
  /** Whether the server said something sensible on the last connection. */
  #worked = false;

  constructor(addresses) {
    if (addresses.length === 0) throw new TypeError('a client needs an address');
    this.#addresses = addresses;
  }

  get address() {
    return this.#addresses[this.#at];
  }

  get exhausted() {
    return this.#failed >= this.#addresses.length;
  }

  /** Between half and all of a wait that doubles: clients that lost one server do not come back at one instant. */
  #backoff() {
    const full = Math.min(Route.#LONGEST_MS, Route.#FIRST_MS * 2 ** Math.min(this.#rounds, 20));
    this.#rounds += 1;
    return full * (0.5 + Math.random() / 2);
  }

  #turn() {
    this.#at = (this.#at + 1) % this.#addresses.length;
  }

  failed(now) {
    this.#turn();
    this.#failed += 1;
    return this.#failed % this.#addresses.length === 0 ? now + this.#backoff() : now;
  }

  reached() {
    this.#failed = 0;
    this.#worked = false;
  }

  worked() {
    this.#worked = true;
    this.#rounds = 0;
  }

  /** The server has stopped saying anything: another one may do better. */
  doubted() {
    this.#worked = false;
  }

  /** The connection is lost: how long to wait. Where it never worked, somebody else is tried. */
  lost() {
    if (this.#worked) return Math.random() * Route.#SPREAD_MS;
    this.#turn();
    return this.#backoff();
  }
}

// Reading and writing.

class Garbled extends Error {}

function garbled() {
  throw new Garbled();
}

/** A surrogate without its other half is no text, and would cost the connection. */
const LONE = /\p{Surrogate}/gu;

function encode(frame) {
  return JSON.stringify(frame, (_, value) => (typeof value === 'string' ? value.replace(LONE, '\ufffd') : value));
}

const byteLength = (line) => new TextEncoder().encode(line).length;

function decode(line) {
  let frame = null;
  try {
    frame = JSON.parse(line);
  } catch {
    garbled();
  }
  if (typeof frame !== 'object' || frame === null || !Number.isInteger(frame.msgid)) garbled();
  return frame;
}

const string = (value) => (typeof value === 'string' ? value : null);
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const number = (value) => (Number.isSafeInteger(value) && value >= 0 ? value : null);

/** The entries of a list that make sense: the rest of an answer is worth more than its worst line. */
function list(entries, read) {
  if (!Array.isArray(entries)) return [];
  const known = entries.map((entry) => (typeof entry === 'object' && entry !== null ? read(entry) : null));
  return known.filter((entry) => entry !== null);
}

function append(whole, part) {
  whole.push(...part.slice(0, Math.max(0, MOST_LISTED - whole.length)));
}

function person({ id, name, state }) {
  if (number(id) === null || string(name) === null) return null;
  return { id, name, online: state === 'online' };
}

/** A role by its name; the oldest clients knew the owner as the creator. */
const roleOf = (role) => (role === 'creator' || role === 'owner' ? 'owner' : role === 'admin' ? 'admin' : 'normal');

/** Until when something holds: a moment in milliseconds, `Infinity`, or 0 where it does not. */
const until = (value) => (value === -1 ? Infinity : number(value) ?? 0);

function member(entry) {
  const known = person(entry);
  return known && { ...known, role: roleOf(entry.role), mutedUntil: until(entry.muted) };
}

function group({ id, groupname, groupdesc, members, role, join, muted }) {
  if (number(id) === null || string(groupname) === null) return null;
  const about = { name: groupname, description: string(groupdesc) ?? '', members: number(members) };
  const mine = { role: string(role) && roleOf(role), join: string(join), mutedUntil: until(muted) };
  return { id, ...about, ...mine };
}

/** Somebody who waits for an answer. */
function asker({ id, name, note, ts }) {
  if (number(id) === null || string(name) === null) return null;
  return { id, name, note: string(note) ?? '', ts: number(ts) };
}

/** A word of a friendship. What another device of this user did needs no name. */
function friendship({ id, name, what, note, own }) {
  if (number(id) === null || string(what) === null) return null;
  return { id, name: string(name), what, note: string(note) ?? '', own: own === true };
}

function chosen({ who_writes: whoWrites, read_receipts: readReceipts }) {
  return string(whoWrites) && typeof readReceipts === 'boolean' ? { whoWrites, readReceipts } : null;
}

/** Where something was said, seen by who hears it; null where that makes no sense. */
function conversationOf(frame) {
  if (number(frame.groupid) !== null) return { group: frame.groupid };
  return number(frame.with) === null ? null : { user: frame.with };
}

function markOf(frame) {
  return { conversation: conversationOf(frame) ?? garbled(), by: number(frame.id) ?? garbled() };
}

function stored({ mid, pos }) {
  return string(mid) === null || number(pos) === null ? null : { mid, pos };
}

function head(entry) {
  const conversation = conversationOf(entry);
  if (!conversation || number(entry.head) === null || string(entry.mid) === null) return null;
  const { head, mid } = entry;
  const counts = { read: number(entry.read) ?? 0, unread: number(entry.unread) ?? 0, peerRead: number(entry.peer_read) };
  return { conversation, name: string(entry.name) ?? '', head, chg: number(entry.chg) ?? 0, mid, ts: number(entry.ts), ...counts };
}

function device(entry) {
  if (string(entry.id) === null) return null;
  const times = { created: number(entry.created), used: number(entry.used) };
  const { id, online } = entry;
  return { id, name: string(entry.device) ?? '', ...times, online: online === true, isThis: entry.this === true };
}

function message(frame, me, where) {
  const { msgid, id, name, msg, groupid } = frame;
  const own = id === me;
  const pushed = msgid === MSG.GROUP_CHAT ? { group: number(groupid) } : { user: number(own ? frame.toid : id) };
  const conversation = where ?? pushed;
  if (Object.values(conversation)[0] === null || number(id) === null) return null;
  if (string(name) === null || string(msg) === null) return null;
  const time = string(frame.time) ?? '';
  const now = { rev: number(frame.rev) ?? 0, reactions: list(frame.reactions, reaction) };
  const extras = { reply: number(frame.reply), data: isObject(frame.data) ? frame.data : null };
  return { kind: 'said', conversation, from: id, name, text: msg, time, own, ...extras, ...now, ...placedAt(frame) };
}

function placedAt({ cid, mid, ts, pos }) {
  return { cid: string(cid), mid: string(mid), ts: number(ts), pos: number(pos) };
}

/** Whatever stands at a place of a conversation. */
function row(frame, me, where) {
  if (frame.msgid === MSG.GROUP_EVENT) return happening(frame, me, where);
  return frame.recalled === true ? recalled(frame, me, where) : message(frame, me, where);
}

function recalled(frame, me, where) {
  const conversation = where ?? conversationOf(frame);
  const { mid, ts, pos } = placedAt(frame);
  if (!conversation || mid === null || pos === null || number(frame.by) === null) return null;
  return { kind: 'recalled', conversation, by: frame.by, own: frame.by === me, mid, ts, pos };
}

/** What only some are told, and is nowhere afterwards. */
const NO_ROWS = new Set(['asks', 'refused']);

/** What happened to a group. */
function happening(frame, me, where) {
  const { what, by, name, userid, username, role, groupname, groupdesc, join } = frame;
  const conversation = number(frame.groupid) === null ? where : { group: frame.groupid };
  if (conversation?.group === undefined || string(what) === null || number(by) === null) return null;
  const whom = number(userid) === null ? null : { id: userid, name: string(username) ?? '' };
  const set = { name: string(groupname), description: string(groupdesc), join: string(join) };
  const said = { what, by, name: string(name) ?? '', whom, role: string(role) && roleOf(role), until: until(frame.until), set };
  const at = placedAt(frame);
  return { kind: 'event', conversation, own: by === me, ...said, ...at, mid: NO_ROWS.has(what) ? null : at.mid };
}

function reaction({ emoji, n, mine }) {
  return string(emoji) === null || number(n) === null ? null : { emoji, n, mine: mine === true };
}

/** What was done to a message; nothing, if it is of a kind that this client does not know or makes no sense. */
function change(frame, conversation) {
  const [chg, pos, by] = [number(frame.chg), number(frame.pos), number(frame.by)];
  if (!conversation || chg === null || pos === null || by === null || string(frame.kind) === null) return null;
  const reacted = { emoji: string(frame.emoji), on: frame.on === true, n: number(frame.n) };
  const done = { kind: frame.kind, rev: number(frame.rev) ?? 0, text: string(frame.msg), ...reacted };
  return { conversation, chg, pos, mid: string(frame.mid), by, ts: number(frame.ts), ...done };
}

const rowsAndMessages = (rows) => ({ rows, messages: rows.filter(({ kind }) => kind === 'said') });

function refusal(frame) {
  const errno = number(frame.errno) ?? 0;
  const sentence = string(frame.errmsg) || `refused (errno ${errno})`;
  return new ChatError('refused', sentence, { errno, retryAfterMs: number(frame.retry_after_ms) });
}

// What a program may say: a mistake of the program's is a TypeError.

function text(value, what) {
  if (typeof value !== 'string') throw new TypeError(`${what} is a string`);
  return value;
}

function id(value, what) {
  const isId = Number.isInteger(value) && value >= 1 && value <= 0x7fff_ffff;
  if (!isId) throw new TypeError(`${value} is no id of a ${what}`);
  return value;
}

/** What is passed on as it is now: said again, it is the same, whatever became of the object. */
function object(value) {
  if (!isObject(value)) throw new TypeError('data is an object');
  return JSON.parse(JSON.stringify(value));
}

function place(value) {
  if (!Number.isSafeInteger(value) || value < 0) throw new TypeError(`${value} is no number of messages`);
  return value;
}

/** Until when: `Infinity` for ever, 0 for not at all. */
function moment(value) {
  if (value === Infinity) return -1;
  const at = value instanceof Date ? value.getTime() : value;
  if (!Number.isSafeInteger(at) || at < 0) throw new TypeError(`${value} is no moment`);
  return at;
}

/** What somebody comes with, until that is said. */
const NOTHING = Object.freeze({ user: null, password: null, jwt: null, takeover: false, token: null });

/** What an application says of its user: a jwt, or what gives one whenever it is asked. */
function vouched({ jwt }) {
  if (typeof jwt === 'function') return { jwt };
  text(jwt, 'a jwt');
  return { jwt: () => jwt };
}

function named(who) {
  return typeof who === 'string' ? { name: who } : { id: id(who, 'user') };
}

/** A conversation as the protocol names it. */
function whereIs(conversation) {
  const { user, group } = conversation ?? {};
  return group === undefined ? { with: id(user, 'user') } : { groupid: id(group, 'group') };
}

/** A place in it. */
function spot(conversation, pos) {
  return { ...whereIs(conversation), pos: place(pos) };
}

/** How far somebody is in it. */
function behind(conversation, after, chg) {
  return { ...whereIs(conversation), after, ...(chg === undefined || chg === null ? {} : { chg: place(chg) }) };
}

function localTime() {
  const now = new Date();
  const two = (value) => String(value).padStart(2, '0');
  const day = [now.getFullYear(), two(now.getMonth() + 1), two(now.getDate())].join('-');
  return `${day} ${[now.getHours(), now.getMinutes(), now.getSeconds()].map(two).join(':')}`;
}

/** `ws://host/ws`, `wss://…`, `tcp://host:port` or `tls://host:port`. */
export function parseAddress(address) {
  const [, scheme, rest] = /^(wss?|tcp|tls):\/\/(.+)$/.exec(address) ?? [];
  if (!scheme) throw new TypeError(`${address} is no address: ws://, wss://, tcp:// or tls://`);
  // The scheme http has a port of its own, which a URL leaves out.
  const isWeb = scheme.startsWith('ws');
  let url;
  try {
    url = new URL(isWeb ? address : `ftp://${rest}`);
  } catch {
    throw new TypeError(`${address} is no address`);
  }
  if (!url.hostname || url.username || url.password) throw new TypeError(`${address} is no address`);
  if (isWeb) {
    if (url.pathname === '/') url.pathname = '/ws';
    return Object.freeze({ scheme, url: url.href, text: url.href });
  }
  const port = Number(url.port || (/:21$/.test(rest) ? 21 : 6000));
  if (port === 0 || url.pathname.length > 1) throw new TypeError(`${address} is no address`);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return Object.freeze({ scheme, host, port, text: `${scheme}://${url.hostname}:${port}` });
}

// The ways to a server. Each tells `opened`, `frame` and once `ended`, and nothing after it was closed.

function openWay(address, hear, options) {
  return address.url ? openWebSocket(address, hear, options) : openSocket(address, hear, options);
}

/** Tells how a way ended once and for all. */
function ending(hear, clock) {
  const way = { isOver: false };
  way.end = (reason) => {
    if (way.isOver) return;
    way.isOver = true;
    clock.clear(way.timer);
    hear.ended(reason);
  };
  way.timer = clock.set(() => {
    way.end('it takes too long to connect');
    way.stop?.();
  }, CONNECT_MS);
  way.opened = () => {
    clock.clear(way.timer);
    if (!way.isOver) hear.opened();
  };
  way.forget = () => {
    way.isOver = true;
    clock.clear(way.timer);
  };
  return way;
}

const TOO_LARGE = `a frame of more than ${FRAME_BYTES} bytes came`;

function openWebSocket(address, hear, { clock }) {
  const way = ending(hear, clock);
  let socket = null;
  way.stop = () => socket?.close();
  if (typeof WebSocket === 'undefined') {
    queueMicrotask(() => way.end('this platform has no WebSocket: use tcp:// or tls://'));
    return { send() {}, close: way.forget };
  }
  try {
    socket = new WebSocket(address.url);
  } catch (error) {
    queueMicrotask(() => way.end(error.message));
    return { send() {}, close: way.forget };
  }
  socket.binaryType = 'arraybuffer';
  socket.onopen = way.opened;
  socket.onmessage = ({ data }) => {
    if (way.isOver) return;
    if (typeof data === 'string' && data.length <= FRAME_BYTES) return hear.frame(data);
    way.end(typeof data === 'string' ? TOO_LARGE : 'the server said something that is no text');
    socket.close();
  };
  socket.onclose = ({ code, reason }) => {
    const because = reason || (code === 1006 ? 'the connection broke' : 'the server closed it');
    way.end(because);
  };
  const close = () => {
    way.forget();
    socket.close();
  };
  return { send: (frames) => frames.forEach((frame) => socket.send(frame)), close };
}

function openSocket(address, hear, { clock, tls }) {
  const way = ending(hear, clock);
  let socket = null;
  way.stop = () => socket?.destroy();
  const close = () => {
    way.forget();
    // What was written goes out first, if the server takes it in.
    socket?.end();
    socket?.setTimeout(2_000, () => socket.destroy());
    socket?.resume();
  };
  connectSocket(address, tls).then(
    (connected) => {
      socket = connected;
      if (way.isOver) return socket.destroy();
      const lines = new Lines(hear, way, () => socket.destroy());
      socket.setNoDelay(true);
      socket.setKeepAlive(true, 10_000);
      socket.on(address.scheme === 'tls' ? 'secureConnect' : 'connect', way.opened);
      socket.on('data', (bytes) => lines.take(bytes));
      socket.on('error', (error) => way.end(error.message || error.code));
      socket.on('close', () => way.end('the server closed it'));
    },
    (error) => way.end(error.message),
  );
  return {
    send: (frames) => socket.write(frames.join('\n') + '\n'),
    close,
    pause: () => socket?.pause(),
    go: () => socket?.resume(),
  };
}

async function connectSocket({ scheme, host, port }, tls) {
  // Named so that no bundler for browsers looks for them.
  const [plain, encrypted] = ['node:net', 'node:tls'];
  if (scheme === 'tcp') return (await import(/* @vite-ignore */ plain)).connect({ host, port });
  const servername = /^[\d.]+$|:/.test(host) ? undefined : host;
  return (await import(/* @vite-ignore */ encrypted)).connect({ servername, ...tls, host, port });
}

/** Cuts what comes into frames, of which a part that is too long is never kept. */
class Lines {
  #hear;
  #way;
  #stop;
  #parts = [];
  #bytes = 0;
  #text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

  constructor(hear, way, stop) {
    [this.#hear, this.#way, this.#stop] = [hear, way, stop];
  }

  take(bytes) {
    let from = 0;
    for (let end = bytes.indexOf(10); end >= 0 && !this.#way.isOver; end = bytes.indexOf(10, from)) {
      this.#keep(bytes.subarray(from, end));
      from = end + 1;
      this.#say();
    }
    this.#keep(bytes.subarray(from));
  }

  #keep(part) {
    this.#bytes += part.length;
    if (this.#bytes <= FRAME_BYTES) return void this.#parts.push(part);
    this.#parts = [];
    this.#way.end(TOO_LARGE);
    this.#stop();
  }

  #say() {
    const whole = new Uint8Array(this.#bytes);
    let at = 0;
    for (const part of this.#parts) {
      whole.set(part, at);
      at += part.length;
    }
    [this.#parts, this.#bytes] = [[], 0];
    if (this.#way.isOver || at === 0) return;
    let line = null;
    try {
      line = this.#text.decode(whole);
    } catch {
      // No text: it is heard as something that makes no sense.
    }
    if (line?.trim() !== '') this.#hear.frame(line);
  }
}
