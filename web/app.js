// The page to chat on: shows what the client tells, and asks for what is typed and pressed.
//
// What people wrote comes into the page as text and nothing else (textContent, and bdi around every name). The page lives
// beside other devices of its user: what is unread is what the server's markers say, on all of them. Where the server has
// no history for that, a message is confirmed when it was read, so what is unread is unread after a reload too. All that
// is known of a conversation is in its Talk; what is seen of it is drawn from that. No inline style, no markup from
// strings, nothing from elsewhere.

import { Client, ERRNO, compareMids } from '/chatd.js';

const $ = (id) => document.getElementById(id);
const scheme = location.protocol === 'https:' ? 'wss' : 'ws';

/** What this device calls itself: "Firefox on Linux". */
function deviceName() {
  const agent = navigator.userAgent;
  const first = (known) => known.find(([, sign]) => sign.test(agent))?.[0];
  const browser = first([
    ['Edge', /Edg/], ['Opera', /OPR\//], ['Samsung Internet', /SamsungBrowser/], ['Firefox', /Firefox|FxiOS/],
    ['Chrome', /Chrome|CriOS/], ['Safari', /Safari/],
  ]);
  const system = first([
    ['Android', /Android/], ['iPhone', /iPhone/], ['iPad', /iPad/], ['Windows', /Windows/], ['Mac', /Mac OS/],
    ['ChromeOS', /CrOS/], ['Linux', /Linux/],
  ]);
  return `${browser ?? 'Browser'}${system ? ` on ${system}` : ''}`.slice(0, 50);
}

const client = new Client(`${scheme}://${location.host}/ws`, { confirm: 'manual', multi: true, device: deviceName() });

/** Messages of a conversation that is not open: above, the oldest go, and are fetched again when looked for. */
const MOST_KEPT = 200;
/** The same of the open one, while its end is looked at. */
const MOST_OPEN = 2_000;
/** Conversations whose last message is fetched at the login. */
const MOST_PEEKS = 40;
/** People who are no friends, of whom it is kept that they were talked with. */
const MOST_PEOPLE = 100;
/** How near to an edge is at it. */
const NEAR_PX = 120;

let me = null;
/** How many messages of this user are not safe yet. */
let waiting = 0;
/** The talk that is open. */
let open = null;
const talks = new Map();

// Elements.

/** A new element. Its text, and its children's, is never markup. */
function make(tag, { text, ...attributes } = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name, value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? '' : value);
  }
  if (text !== undefined) element.textContent = text;
  element.append(...children);
  return element;
}

function paintFace(element, { kind, id, name, online }, shown) {
  const [first] = new Intl.Segmenter().segment(name.trim());
  element.textContent = first?.segment.toUpperCase() ?? '?';
  element.className = `face hue${id % 8}${kind === 'group' ? ' group' : ''}`;
  if (shown) element.dataset.online = online;
  else delete element.dataset.online;
}

function face(who, shown) {
  const element = make('span', { 'aria-hidden': 'true' });
  paintFace(element, who, shown);
  return element;
}

const button = (text, click, name = '') => make('button', { type: 'button', text, click, class: name });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' });
const calendar = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const short = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
const recent = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' });
const dayOf = (ts) => new Date(ts).toDateString();

let toasting = 0;
/** Says something in passing, also to who does not see. */
function say(sentence) {
  clearTimeout(toasting);
  // Anew, so that it is above a dialog that was opened meanwhile.
  $('toast').hidePopover();
  $('toast').showPopover();
  $('toast').textContent = sentence;
  toasting = setTimeout(() => $('toast').hidePopover(), 6_000);
}

/** Asks something; whether the answer was yes. */
function ask(sentence, yes, no = 'Cancel') {
  const dialog = $('question');
  $('question-text').textContent = sentence;
  $('question-yes').textContent = yes;
  $('question-no').textContent = no;
  dialog.returnValue = 'no';
  dialog.showModal();
  return new Promise((resolve) =>
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true }));
}

/** Why something was not done, for people. */
function because(error) {
  const known = {
    [ERRNO.NOT_YOURS]: 'They do not take messages from you.',
    [ERRNO.NO_SUCH_USER]: 'Nobody is called that.',
    [ERRNO.NO_SUCH_GROUP]: 'There is no such group.',
    [ERRNO.NOT_A_MEMBER]: 'You are not a member of this group.',
    [ERRNO.EXISTS]: 'That is so already.',
    [ERRNO.TOO_LARGE]: 'That is too long.',
    [ERRNO.BUSY]: 'The server is too busy just now.',
  };
  if (error.errno === ERRNO.TOO_FAST) {
    const wait = error.retryAfterMs ? ` Try again in ${Math.ceil(error.retryAfterMs / 1_000)} s.` : '';
    return `Too many tries.${wait}`;
  }
  return known[error.errno] ?? `${error.message[0].toUpperCase()}${error.message.slice(1)}`;
}

/** Does what was pressed, and says so if it is not done. */
async function attempt(act) {
  try {
    return await act();
  } catch (error) {
    say(because(error));
    return undefined;
  }
}

// Conversations.

class Talk {
  messages = [];
  #known = new Map();
  unread = [];
  online = false;
  isFriend = false;
  isBlocked = false;
  isGone = false;
  members = null;
  draft = '';
  /** Its last place that is known, and how it stood when the server last said so: that place, its mid, what was unread. */
  head = 0;
  stood = { head: 0, mid: null, unread: 0 };
  /** Up to which place this user and the other one have read it. */
  readTo = 0;
  peerRead = 0;
  /** Who types in it, and until when that counts. */
  typing = new Map();
  /** The lowest place that was fetched in one piece with the end, and whether that is the first of all. */
  oldest = null;
  isWhole = false;
  isLoading = false;
  hasGaps = false;

  constructor(kind, id, name) {
    Object.assign(this, { kind, id, name, key: kind + id, conversation: { [kind]: id } });
    this.nameElement = make('bdi', { text: name });
    this.peek = make('span', { class: 'peek', dir: 'auto' });
    this.time = make('time');
    this.count = make('span', { class: 'count', hidden: true });
    this.face = face(this, kind === 'user');
    const name_ = make('span', { class: 'name' }, this.nameElement);
    const entry = { class: 'entry', type: 'button', click: () => enter(this) };
    this.element = make('li', {}, make('button', entry, this.face, name_, this.time, this.peek, this.count));
  }

  rename(name) {
    this.name = name;
    this.nameElement.textContent = name;
  }

  get last() {
    return this.messages.at(-1);
  }

  get unreadCount() {
    return this.stood.unread + this.unread.length;
  }

  /** Whether the server counted this one when it said how the conversation stands. */
  isCounted({ pos, mid }) {
    if (pos !== null) return pos <= Math.max(this.stood.head, this.readTo);
    return this.stood.mid !== null && compareMids(mid, this.stood.mid) <= 0;
  }

  /** This user has read it up to there. */
  isRead(pos) {
    this.readTo = Math.max(this.readTo, pos);
    this.unread = this.unread.filter((message) => message.pos === null || message.pos > pos);
    this.stood.unread = Math.min(this.stood.unread, Math.max(0, this.stood.head - pos));
  }

  isReadByPeer(pos) {
    const before = this.peerRead;
    this.peerRead = Math.max(before, pos);
    for (const message of this.messages) {
      if (message.line && message.from === me.id && message.pos > before && message.pos <= pos) drawState(message);
    }
  }

  isTyping(id, until) {
    clearTimeout(this.typing.get(id));
    this.typing.delete(id);
    if (until > 0) this.typing.set(id, setTimeout(() => this.isTyping(id, 0), until));
    if (this === open) drawHead();
    changed();
  }

  /** What is said of who types; nothing where nobody does. */
  get typers() {
    if (this.typing.size === 0) return '';
    if (this.kind === 'user') return 'typing…';
    const [id] = this.typing.keys();
    const name = this.messages.findLast(({ from }) => from === id)?.name;
    return this.typing.size > 1 ? 'several are typing…' : `${name ?? 'somebody'} is typing…`;
  }

  /** What is known of it by now, whether it was said, heard or fetched: once. */
  add(message) {
    const key = `${message.from} ${message.cid ?? message.mid}`;
    const known = message.mid ? this.#known.get(key) : undefined;
    this.head = Math.max(this.head, message.pos ?? 0);
    if (known) {
      known.pos ??= message.pos;
      return known;
    }
    message.talk = this;
    if (message.mid) this.#known.set(key, message);
    const isAfter = ({ mid }) => message.mid === null || (mid !== null && compareMids(mid, message.mid) <= 0);
    let at = this.messages.length;
    while (at > 0 && !isAfter(this.messages[at - 1])) at -= 1;
    this.messages.splice(at, 0, message);
    if (this === open) place(this, at);
    return message;
  }

  remove(message) {
    this.messages.splice(this.messages.indexOf(message), 1);
    message.line?.remove();
  }

  /** Forgets all but the last messages; the rest is fetched when it is looked for. */
  trim() {
    if (this.messages.length <= MOST_KEPT) return;
    for (const { from, cid, mid, line } of this.messages.splice(0, this.messages.length - MOST_KEPT)) {
      this.#known.delete(`${from} ${cid ?? mid}`);
      line?.remove();
    }
    Object.assign(this, { oldest: null, isWhole: false });
  }
}

function talkWith(kind, id, name) {
  const key = kind + id;
  if (!talks.has(key)) talks.set(key, new Talk(kind, id, name));
  return talks.get(key);
}

const unreadInAll = () => [...talks.values()].reduce((sum, { unreadCount }) => sum + unreadCount, 0);

let drawing = 0;
/** Has the list drawn once, however much changes until then. */
function changed() {
  const unread = unreadInAll();
  document.title = unread > 0 ? `(${unread}) chatd` : 'chatd';
  drawing ||= requestAnimationFrame(drawList);
}

function drawList() {
  drawing = 0;
  const wanted = $('filter').value.trim().toLowerCase();
  const shown = [...talks.values()].filter(({ name }) => name.toLowerCase().includes(wanted));
  shown.sort((a, b) => newestFirst(a, b) || a.name.localeCompare(b.name));
  const focused = document.activeElement;
  shown.forEach((talk, at) => {
    drawEntry(talk);
    if ($('list').children[at] !== talk.element) $('list').insertBefore(talk.element, $('list').children[at] ?? null);
  });
  while ($('list').children.length > shown.length) $('list').lastChild.remove();
  if (focused !== document.activeElement && focused?.isConnected) focused.focus();
  $('nobody').hidden = talks.size > 0;
  keepPeople();
}

function newestFirst(a, b) {
  const [x, y] = [a, b].map(({ last, stood }) => last ?? (stood.mid === null ? undefined : stood));
  if (!x || !y) return Number(Boolean(y)) - Number(Boolean(x));
  if (x.mid === null || y.mid === null) return Number(y.mid === null) - Number(x.mid === null);
  return compareMids(y.mid, x.mid);
}

function drawEntry(talk) {
  const { last, unreadCount, typers } = talk;
  paintFace(talk.face, talk, talk.kind === 'user' && talk.isFriend);
  const who = !last ? '' : last.from === me.id ? 'You: ' : talk.kind === 'group' ? `${last.name}: ` : '';
  talk.peek.textContent = typers || (last ? who + last.text.slice(0, 120) : '');
  talk.peek.classList.toggle('typing', typers !== '');
  const when = last && dayOf(last.ts) === dayOf(Date.now()) ? clock : short;
  talk.time.textContent = last ? when.format(last.ts) : '';
  talk.count.textContent = unreadCount > 99 ? '99+' : unreadCount;
  talk.count.hidden = unreadCount === 0;
  const entry = talk.element.firstChild;
  entry.classList.toggle('unread', unreadCount > 0);
  if (talk === open) entry.setAttribute('aria-current', 'true');
  else entry.removeAttribute('aria-current');
  const presence = talk.isFriend ? (talk.online ? ', online' : ', offline') : talk.kind === 'group' ? ', group' : '';
  entry.setAttribute('aria-label', `${talk.name}${presence}${unreadCount > 0 ? `, ${unreadCount} unread` : ''}`);
}

// What is said in the open one.

function lineOf(message) {
  if (message.line) return message.line;
  const mine = message.from === me.id;
  const mark = make('span', { class: 'mark', dir: 'ltr', title: whole.format(message.ts) });
  const text = make('span', { class: 'text', text: message.text });
  const from = make('span', { class: 'from' }, make('bdi', { text: message.name }));
  const bubble = make('div', { class: 'bubble', dir: 'auto' }, text, mark);
  const said = make('div', { class: `said${mine ? ' mine' : ''}` }, from, bubble);
  message.line = make('li', {}, make('p', { class: 'day', hidden: true }), said);
  drawState(message);
  return message.line;
}

function drawState(message) {
  const [, said] = message.line.children;
  const mark = said.querySelector('.mark');
  said.classList.toggle('waiting', message.state === 'waiting');
  said.classList.toggle('failed', message.state === 'failed');
  mark.textContent = `${clock.format(message.ts)} `;
  const signs = { waiting: ['○', ', not safe yet'], failed: ['✕', ', not said'], safe: ['✓', ', safe'], read: ['✓✓', ', read'] };
  const { talk, pos } = message;
  const isRead = talk?.kind === 'user' && pos !== null && pos <= talk.peerRead;
  const [sign, meaning] = message.from === me.id ? signs[isRead ? 'read' : message.state ?? 'safe'] : [];
  if (sign) {
    const seen = make('b', { 'aria-hidden': 'true', text: sign });
    mark.append(seen, make('span', { class: 'unseen', text: meaning }));
  }
  said.querySelector('.why')?.remove();
  if (message.state !== 'failed') return;
  const again = button('Say again', () => {
    open.remove(message);
    send(open, message.text);
  });
  said.append(make('p', { class: 'why' }, make('span', { text: message.why }), again));
}

/** What a line shows because of the one before it. */
function relate(talk, at) {
  const [before, message] = [talk.messages[at - 1], talk.messages[at]];
  if (!message) return;
  const [day, said] = lineOf(message).children;
  day.hidden = before !== undefined && dayOf(before.ts) === dayOf(message.ts);
  day.textContent = day.hidden ? '' : calendar.format(message.ts);
  const isNear = before && before.from === message.from && message.ts - before.ts < 300_000 && day.hidden;
  said.classList.toggle('first', !isNear);
  said.querySelector('.from').hidden = talk.kind !== 'group';
}

function place(talk, at) {
  const wasAtEnd = isAtEnd();
  const message = talk.messages[at];
  $('log').insertBefore(lineOf(message), talk.messages[at + 1]?.line ?? null);
  relate(talk, at);
  relate(talk, at + 1);
  if (at === talk.messages.length - 1 && !talk.isLoading) message.line.classList.add('fresh');
  if (talk.messages.length === 1) drawOlder(talk);
  if (wasAtEnd || message.state === 'waiting') toEnd();
}

const isAtEnd = () => $('scroll').scrollHeight - $('scroll').scrollTop - $('scroll').clientHeight < NEAR_PX;

function toEnd() {
  $('scroll').scrollTop = $('scroll').scrollHeight;
}

/** Whether what comes is seen as it comes. */
const isSeen = (talk) => talk === open && document.visibilityState === 'visible' && !$('house').hidden && isAtEnd();

function read(talk) {
  if (!talk || !isSeen(talk)) return;
  $('newest').hidden = true;
  if (talk.messages.length > MOST_OPEN) talk.trim();
  if (client.multi) return mark(talk);
  if (talk.unread.length === 0) return;
  for (const message of talk.unread.splice(0)) client.confirm(message);
  changed();
}

/** Says up to where this user has read, once that is seen and its place is known. */
function mark(talk) {
  const { conversation, head, stood } = talk;
  if (stood.unread > 0 && (talk.isLoading || talk.oldest === null)) return;
  if (talk.unreadCount > 0) {
    talk.unread = [];
    stood.unread = 0;
    changed();
  }
  if (head <= talk.readTo) return;
  const before = talk.readTo;
  talk.readTo = head;
  // One that is not kept is said again with the next.
  client.read(conversation, head).catch(() => talk.readTo === head && (talk.readTo = before));
}

/** Fetches the page before what is there; the newest one where nothing is. */
async function load(talk) {
  if (talk.isLoading || talk.isWhole || talk.isGone) return;
  talk.isLoading = true;
  drawOlder(talk);
  try {
    const span = talk.oldest === null ? {} : { before: talk.oldest };
    const { messages, complete } = await client.history(talk.conversation, span);
    talk.hasGaps ||= !complete;
    insert(talk, messages);
    talk.oldest = messages[0]?.pos ?? talk.oldest;
    talk.isWhole = messages.length === 0 || talk.oldest === 1;
  } catch (error) {
    if (error.kind === 'refused') talk.isWhole = true;
    if (error.errno === ERRNO.NOT_A_MEMBER || error.errno === ERRNO.NO_SUCH_GROUP) talk.isGone = true;
  }
  talk.isLoading = false;
  drawOlder(talk);
  changed();
  read(talk);
  if (talk === open && !talk.isWhole && client.user && $('scroll').scrollTop < NEAR_PX) await load(talk);
}

/** Puts fetched messages where they belong, and leaves in place what is looked at. */
function insert(talk, messages) {
  const scroll = $('scroll');
  const [wasAtEnd, below] = [isAtEnd(), scroll.scrollHeight - scroll.scrollTop];
  scroll.setAttribute('aria-busy', 'true');
  for (const message of messages) talk.add(message);
  scroll.removeAttribute('aria-busy');
  if (talk !== open) return;
  if (wasAtEnd) toEnd();
  else scroll.scrollTop = scroll.scrollHeight - below;
}

function drawOlder(talk) {
  if (talk !== open) return;
  const gaps = talk.hasGaps ? 'Not all that was said here is kept. ' : '';
  const begin = talk.messages.length > 0 ? 'This is the beginning.' : 'Nothing was said here yet.';
  $('older').textContent = gaps + (talk.isLoading ? 'Looking for what was said before…' : talk.isWhole ? begin : '');
}

function enter(talk) {
  if (open !== talk) leave();
  open = talk;
  if (!$('house').classList.contains('inside')) history.pushState({ talk: talk.key }, '');
  $('house').classList.add('inside');
  $('blank').hidden = true;
  $('room').hidden = false;
  drawHead();
  $('scroll').setAttribute('aria-busy', 'true');
  $('log').replaceChildren(...talk.messages.map(lineOf));
  talk.messages.forEach((_, at) => relate(talk, at));
  $('scroll').removeAttribute('aria-busy');
  $('text').value = talk.draft;
  fit();
  toEnd();
  drawOlder(talk);
  changed();
  read(talk);
  load(talk);
  if (matchMedia('(max-width: 44rem)').matches) $('talk-head').focus();
  else $('text').focus();
}

function leave() {
  if (!open) return;
  const talk = open;
  client.typing(talk.conversation, false);
  talk.draft = $('text').value;
  open = null;
  $('house').classList.remove('inside');
  $('room').hidden = true;
  $('blank').hidden = false;
  $('newest').hidden = true;
  $('log').replaceChildren();
  talk.trim();
  changed();
}

function drawHead() {
  if (!open) return;
  const { kind, id, name, online, isFriend, isBlocked, isGone, members, typers } = open;
  paintFace($('talk-face'), open, kind === 'user' && isFriend);
  $('talk-name').textContent = name;
  const size = members === null ? '' : members === 1 ? '1 member · ' : `${members} members · `;
  const presence = isFriend ? (online ? 'online' : 'offline') : `no. ${id}`;
  const state = kind === 'group' ? `${size}no. ${id}` : presence;
  $('talk-state').textContent = isGone ? 'You are not in this group.' : typers || state;
  const acts = kind === 'group'
    ? [['Members…', () => showMembers(open)], ['Leave group…', () => leaveGroup(open), 'danger']]
    : [
        isFriend ? ['Remove friend', () => unfriend(open)] : ['Add friend', () => befriend(open.id, open.name)],
        isBlocked ? ['Unblock', () => block(open, false)] : ['Block…', () => block(open, true), 'danger'],
      ];
  $('talk-acts').replaceChildren(...acts.map(([text, act, style]) => button(text, () => attempt(act), style)));
  $('talk-menu').hidden = isGone;
}

// What is done.

function send(talk, text) {
  client.typing(talk.conversation, false);
  const message = {
    from: me.id, name: me.name, text, ts: Date.now(), cid: null, mid: null, pos: null, state: 'waiting',
  };
  talk.add(message);
  changed();
  waiting += 1;
  client.say(talk.conversation, text).then(
    (receipt) => {
      talk.remove(message);
      Object.assign(message, receipt, { ts: receipt.ts ?? message.ts, state: 'safe' });
      const known = talk.add(message);
      if (known.line) drawState(known);
    },
    (error) => {
      Object.assign(message, { state: 'failed', why: because(error) });
      if (message.line) drawState(message);
    },
  ).finally(() => {
    waiting -= 1;
    drawBanner();
    changed();
  });
  drawBanner();
}

async function befriend(id, name) {
  await client.addFriend(id);
  const talk = talkWith('user', id, name);
  Object.assign(talk, { isFriend: true, isUnfriended: false });
  say(`${name} is a friend now.`);
  drawHead();
  changed();
  return talk;
}

async function unfriend(talk) {
  await client.removeFriend(talk.id);
  Object.assign(talk, { isFriend: false, isUnfriended: true });
  say(`${talk.name} is no friend any more.`);
  drawHead();
  changed();
}

async function block(talk, on) {
  if (on && !(await ask(`Hear nothing from ${talk.name} any more?`, 'Block'))) return;
  try {
    await (on ? client.block(talk.id) : client.unblock(talk.id));
  } catch (error) {
    if (error.errno !== ERRNO.EXISTS) throw error;
  }
  talk.isBlocked = on;
  say(on ? `${talk.name} is blocked.` : `${talk.name} is heard again.`);
  drawHead();
}

async function leaveGroup(talk) {
  if (!(await ask(`Leave ${talk.name}? If you made it, it is dissolved for everybody.`, 'Leave'))) return;
  await client.leaveGroup(talk.id);
  if (open === talk) leave();
  talks.delete(talk.key);
  changed();
}

async function showMembers(talk) {
  $('members').replaceChildren();
  $('people-title').textContent = `Members of ${talk.name}`;
  $('people-note').textContent = 'Asking…';
  $('people').showModal();
  let count = 0;
  for await (const { members } of client.memberPages(talk.id)) {
    count += members.length;
    $('members').append(...members.map((member) => make('li', {}, personRow(member, member.role))));
  }
  talk.members = count;
  $('people-note').textContent = count === 1 ? '1 member' : `${count} members`;
  drawHead();
}

function personRow(person, role) {
  const presence = person.online ? 'online' : 'offline';
  const about = `no. ${person.id} · ${presence}${role === 'creator' ? ' · made the group' : ''}`;
  const name = make('span', { class: 'who' }, make('bdi', { text: person.name }), make('small', { text: about }));
  const row = make('div', { class: 'person' }, face({ ...person, kind: 'user' }, true), name);
  const write = () => {
    closeDialogs();
    enter(talkWith('user', person.id, person.name));
  };
  if (person.id === me.id) return row;
  // The last, so that it stays where it is when the other one goes.
  row.append(button('Write', write));
  if (talks.get(`user${person.id}`)?.isFriend) return row;
  const add = button('Add friend', () => attempt(async () => {
    const talk = await befriend(person.id, person.name);
    talk.online = person.online;
    add.remove();
    changed();
  }));
  row.lastChild.before(add);
  return row;
}

async function showDevices() {
  $('device-list').replaceChildren();
  $('devices-note').textContent = 'Asking…';
  $('devices').showModal();
  const devices = await client.devices();
  $('device-list').append(...devices.map(deviceRow));
  $('devices-note').textContent = devices.length === 1 ? 'No other device is logged in.' : '';
}

function deviceRow({ id, name, used, online, isThis }) {
  const shown = name || 'A device without a name';
  const about = isThis ? 'this one' : online ? 'online' : used ? `last used ${recent.format(used)}` : 'offline';
  const who = make('span', { class: 'who' }, make('bdi', { text: shown }), make('small', { text: about }));
  const row = make('li', { class: 'person' }, who);
  if (isThis) return row;
  const out = button('Sign out', () => attempt(async () => {
    out.disabled = true;
    try {
      await client.dropDevice(id);
    } catch (error) {
      out.disabled = false;
      if (error.errno !== ERRNO.NO_SUCH_USER) throw error;
    }
    const next = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    (next?.querySelector('button') ?? $('devices').querySelector('[data-close]')).focus();
    $('devices-note').textContent = `${shown} is signed out.`;
  }));
  out.setAttribute('aria-label', `Sign out ${shown}`);
  row.append(out);
  return row;
}

function closeDialogs() {
  for (const dialog of document.querySelectorAll('dialog[open]')) dialog.close();
}

/** What is typed into the dialog for new conversations, and what comes of it. */
function onSubmit(form, act) {
  $(form).addEventListener('submit', async (event) => {
    event.preventDefault();
    $('new-error').textContent = '';
    const submit = $(form).querySelector('[type=submit]');
    submit.disabled = true;
    try {
      await act();
    } catch (error) {
      $('new-error').textContent = because(error);
    }
    submit.disabled = false;
  });
}

onSubmit('find', async () => {
  $('found').replaceChildren();
  const who = $('find-who').value.trim();
  const person = await client.find(/^[1-9]\d{0,9}$/.test(who) ? Number(who) : who);
  $('found').replaceChildren(personRow(person));
});

onSubmit('make', async () => {
  const name = $('make-name').value.trim();
  const id = await client.createGroup(name, $('make-about').value.trim());
  const talk = talkWith('group', id, name);
  talk.members = 1;
  closeDialogs();
  $('make').reset();
  enter(talk);
});

onSubmit('join', async () => {
  const id = await client.joinGroup(Number($('join-id').value));
  // A group's name comes with a login.
  const talk = talkWith('group', id, `Group ${id}`);
  closeDialogs();
  $('join').reset();
  enter(talk);
});

// What the client tells.

client.on('message', (message) => {
  const { user, group } = message.conversation;
  const isDirect = group === undefined;
  const isNew = !talks.has(`user${user}`);
  const talk = isDirect ? talkWith('user', user, message.name) : talkWith('group', group, `Group ${group}`);
  if (isDirect && isNew && message.own && user !== me.id) nameIt(talk);
  const known = talk.add(message);
  if (talk.typing.has(message.from)) talk.isTyping(message.from, 0);
  const isUnread = known === message && !message.own && !(client.multi && talk.isCounted(message));
  // Beside other devices it is the marker that says what is unread.
  if (client.multi || !isUnread) client.confirm(message);
  if (isUnread) talk.unread.push(message);
  read(talk);
  if (talk === open && talk.unread.length > 0) $('newest').hidden = isAtEnd();
  changed();
});

/** Somebody whom this user wrote to, or made a friend, on another device: what tells of it has no name. */
async function nameIt(talk) {
  talk.rename(`No. ${talk.id}`);
  try {
    talk.rename((await client.find(talk.id)).name);
  } catch {
    return;
  }
  if (talk === open) drawHead();
  changed();
}

const talkOf = ({ user, group }) => talks.get(group === undefined ? `user${user}` : `group${group}`);

client.on('heads', (heads) => {
  for (const { conversation, name, head, mid, ts, read, unread, peerRead } of heads) {
    const { user, group } = conversation;
    const talk = group === undefined ? talkWith('user', user, name) : talkWith('group', group, name);
    talk.rename(name);
    Object.assign(talk, { head: Math.max(head, talk.head), readTo: Math.max(read, talk.readTo), unread: [] });
    talk.stood = { head, mid, ts, unread };
    talk.isReadByPeer(peerRead ?? 0);
  }
  drawHead();
  changed();
});

client.on('stored', ({ conversation, places }) => {
  const talk = talkOf(conversation);
  if (!talk) return;
  for (const { mid, pos } of places) {
    talk.head = Math.max(talk.head, pos);
    const message = talk.messages.findLast((each) => each.mid === mid);
    if (!message) continue;
    message.pos ??= pos;
    if (message.line) drawState(message);
  }
  // Another device may have read it before its place was told here.
  if (talk.unread.length > 0) talk.isRead(talk.readTo);
  read(talk);
  changed();
});

client.on('read', ({ conversation, by, pos }) => {
  const talk = talkOf(conversation);
  if (by === me.id) talk?.isRead(pos);
  else talk?.isReadByPeer(pos);
  changed();
});

client.on('typing', ({ conversation, by, on, expiresMs }) => {
  if (by !== me.id) talkOf(conversation)?.isTyping(by, on ? expiresMs : 0);
});

client.on('presence', ({ id, online }) => {
  const isNew = !talks.has(`user${id}`);
  const talk = talkWith('user', id, '');
  if (isNew) nameIt(talk);
  // It is told of friends only: this one was made on another device, where it is news.
  if (!talk.isUnfriended) talk.isFriend = true;
  talk.online = online;
  if (talk === open) drawHead();
  changed();
});

client.on('loggedin', ({ id, name, friends, groups, again }) => {
  me = { id, name };
  for (const talk of talks.values()) Object.assign(talk, { isFriend: false, isGone: talk.kind === 'group' });
  for (const friend of friends) {
    const talk = talkWith('user', friend.id, friend.name);
    Object.assign(talk, { isFriend: true, online: friend.online });
    talk.rename(friend.name);
  }
  for (const group of groups) {
    const talk = talkWith('group', group.id, group.name);
    Object.assign(talk, { isGone: false, members: group.members });
    talk.rename(group.name);
  }
  recallPeople();
  showHouse();
  drawBanner('');
  if (again) say('Connected again.');
  catchUp();
});

/** What was said from elsewhere meanwhile, of the open conversation, and what was said last, of the others. */
async function catchUp() {
  // How the conversations stand is told after the login.
  await null;
  if (open) {
    open.trim();
    Object.assign(open, { oldest: null, isWhole: false });
    load(open);
  }
  let peeks = 0;
  for (const talk of [...talks.values()].sort(newestFirst)) {
    if (talk === open || talk.messages.length > 0 || talk.isGone || peeks >= MOST_PEEKS) continue;
    peeks += 1;
    try {
      insert(talk, (await client.history(talk.conversation, { limit: 1 })).messages);
      changed();
    } catch (error) {
      if (error.kind !== 'refused') return;
    }
  }
}

let outage = '';
/** Tells what the connection is like; `told` is the news. */
function drawBanner(told = outage) {
  outage = told;
  const kept = waiting === 1 ? ' One message waits and is kept.' : ` ${waiting} messages wait and are kept.`;
  $('banner').textContent = told + (waiting > 0 ? kept : '');
  $('banner').hidden = !told;
}

client.on('lost', ({ reason, retryInMs }) => {
  if (retryInMs !== null) drawBanner(`Connection lost (${reason}). Trying again…`);
});
client.on('unreachable', ({ reason }) => {
  drawBanner(`The server cannot be reached (${reason}). Trying again…`);
  $('gate-note').textContent = 'The server cannot be reached. Trying again…';
});
client.on('connected', () => {
  $('gate-note').textContent = '';
  if (outage) drawBanner('Connected. Logging in again…');
});
client.on('delayed', (refusal) => drawBanner(`The server does not let you in just now: ${because(refusal)}`));
client.on('notice', (refusal) => say(because(refusal)));
client.on('token', (token) => token && keepToken(token));
client.on('signedout', (refusal) => {
  const replaced = refusal.errno === ERRNO.REPLACED || refusal.errno === ERRNO.ONLINE_ALREADY;
  if (!replaced) dropToken();
  showGate(replaced ? 'This session was ended from elsewhere.' : `You are logged out: ${because(refusal)}`);
});

// The way in and out. A token is kept for as long as this tab lives, or on the device where that is wanted. It is not a
// cookie: no other page can make the browser send it.

function store(which) {
  try {
    return window[which];
  } catch {
    return null;
  }
}

const TOKEN = 'chatd token';
const PEOPLE = 'chatd people';

function keptToken() {
  return store('sessionStorage')?.getItem(TOKEN) ?? store('localStorage')?.getItem(TOKEN) ?? null;
}

function keepToken(token) {
  const stays = $('stay').checked || store('localStorage')?.getItem(TOKEN);
  store(stays ? 'localStorage' : 'sessionStorage')?.setItem(TOKEN, token);
}

function dropToken() {
  for (const which of ['sessionStorage', 'localStorage']) {
    store(which)?.removeItem(TOKEN);
    store(which)?.removeItem(PEOPLE);
  }
}

/** Who is no friend and was talked with is kept beside the token, and as long: no list of the server has them. */
function keepPeople() {
  if (!client.user || $('house').hidden) return;
  const people = [...talks.values()].filter(({ kind, isFriend }) => kind === 'user' && !isFriend);
  const kept = JSON.stringify({ me: me.id, people: people.slice(-MOST_PEOPLE).map(({ id, name }) => [id, name]) });
  store(store('localStorage')?.getItem(TOKEN) ? 'localStorage' : 'sessionStorage')?.setItem(PEOPLE, kept);
}

function recallPeople() {
  for (const which of ['sessionStorage', 'localStorage']) {
    const kept = JSON.parse(store(which)?.getItem(PEOPLE) ?? 'null');
    if (kept?.me === me.id) kept.people.forEach(([id, name]) => talkWith('user', id, name));
  }
}

function showGate(note = '') {
  leave();
  closeDialogs();
  talks.clear();
  changed();
  outage = '';
  $('house').hidden = true;
  $('gate').hidden = false;
  $('gate-note').textContent = note;
  $('again').hidden = keptToken() === null;
  $('password').value = '';
  setWay();
  $(keptToken() === null ? 'name' : 'again').focus();
}

function showHouse() {
  $('gate').hidden = true;
  $('house').hidden = false;
  $('me-name').textContent = me.name;
  $('me-id').textContent = `no. ${me.id}`;
  paintFace($('me-face'), { kind: 'user', ...me });
  drawHead();
  changed();
}

function setWay() {
  const registers = $('enter').elements.way.value === 'register';
  $('go').textContent = registers ? 'Register' : 'Log in';
  $('gate-title').textContent = registers ? 'Welcome' : 'Good to see you';
  $('password').autocomplete = registers ? 'new-password' : 'current-password';
  $('gate-error').textContent = '';
}

const takeover = () =>
  ask('You are logged in somewhere else. End that session and go on here?', 'Go on here', 'Leave it');

/** Comes in beside other devices, where the server has the history for that. */
async function besideOthers(enter) {
  try {
    return await enter({ multi: true });
  } catch (error) {
    if (error.errno !== ERRNO.BAD_FIELD) throw error;
    return enter({ multi: false });
  }
}

/** A session that does not live beside others is replaced, if that is wanted. */
async function logIn(name, password) {
  try {
    await besideOthers((how) => client.login(name, password, how));
  } catch (error) {
    if (error.errno !== ERRNO.ONLINE_ALREADY || !(await takeover())) throw error;
    await client.login(name, password, { multi: false, takeover: true });
  }
}

/** Does what lets somebody in, with the form out of use meanwhile. */
async function letIn(act) {
  $('gate-error').textContent = '';
  $('enter').inert = true;
  try {
    await act();
    $('enter').reset();
    setWay();
  } catch (error) {
    $('enter').inert = false;
    if (error.errno === ERRNO.ONLINE_ALREADY) return;
    const wrong = $('enter').elements.way.value === 'register' ? 'This name is taken.' : 'Name or password is wrong.';
    const isPlain = error.errno === ERRNO.REFUSED && /^refused|^id or password/.test(error.message);
    $('gate-error').textContent = isPlain ? wrong : because(error);
    $('password').focus();
  }
  $('enter').inert = false;
}

$('enter').addEventListener('submit', (event) => {
  event.preventDefault();
  const [name, password] = [$('name').value.trim(), $('password').value];
  const registers = $('enter').elements.way.value === 'register';
  dropToken();
  letIn(async () => {
    if (registers) await client.register(name, password);
    await logIn(name, password);
  });
});

$('enter').addEventListener('change', setWay);

/** Comes back with the token that was kept. */
async function comeBack() {
  $('gate-note').textContent = 'Coming back…';
  $('enter').inert = true;
  try {
    await besideOthers((how) => client.resume(keptToken(), how));
  } catch (error) {
    if (error.errno === ERRNO.REFUSED) dropToken();
    const elsewhere = 'You are logged in somewhere else. Log in to go on here.';
    showGate(error.errno === ERRNO.ONLINE_ALREADY ? elsewhere : error.errno === ERRNO.REFUSED ? '' : because(error));
  }
  $('enter').inert = false;
}

$('again').addEventListener('click', comeBack);

$('out').addEventListener('click', async () => {
  const warning = 'Not everything that you said is safe yet. Log out all the same?';
  if (waiting > 0 && !(await ask(warning, 'Log out'))) return;
  dropToken();
  attempt(() => client.logout());
  showGate('You are logged out.');
});

$('ask-devices').addEventListener('click', () => attempt(showDevices));

$('ask-password').addEventListener('click', () => {
  $('secret-name').value = me.name;
  $('secret-error').textContent = '';
  $('secret').showModal();
});

$('change').addEventListener('submit', async (event) => {
  event.preventDefault();
  try {
    await client.changePassword($('secret-old').value, $('secret-new').value);
    $('secret').close();
    say('Your password is changed.');
  } catch (error) {
    $('secret-error').textContent = error.errno === ERRNO.REFUSED ? 'The present password is another.' : because(error);
  }
});

$('secret').addEventListener('close', () => $('change').reset());

// What is pressed.

$('composer').addEventListener('submit', (event) => {
  event.preventDefault();
  const text = $('text').value.trim();
  if (!text || !open || open.isGone) return;
  send(open, text);
  $('text').value = '';
  fit();
  $('text').focus();
});

$('text').addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $('composer').requestSubmit();
});

/** As high as what is typed, where the browser does not see to it. */
function fit() {
  if (CSS.supports('field-sizing', 'content')) return;
  $('text').rows = Math.min(6, $('text').value.split('\n').length);
}

$('text').addEventListener('input', () => {
  fit();
  if (open && !open.isGone) client.typing(open.conversation, $('text').value.trim() !== '');
});

$('scroll').addEventListener('scroll', () => {
  if (!open) return;
  if ($('scroll').scrollTop < NEAR_PX) load(open);
  read(open);
});

$('newest').addEventListener('click', () => {
  toEnd();
  $('text').focus();
});

$('back').addEventListener('click', () => history.back());

addEventListener('popstate', () => {
  const entry = open?.element.firstChild;
  leave();
  entry?.focus();
});

addEventListener('keydown', (event) => {
  if (event.key !== 'Escape' || document.querySelector('dialog[open]')) return;
  const menu = document.querySelector('details.menu[open]');
  if (menu) {
    menu.open = false;
    menu.firstElementChild.focus();
  } else if (open && $('house').classList.contains('inside')) {
    history.back();
  }
});

addEventListener('click', ({ target }) => {
  for (const menu of document.querySelectorAll('details.menu[open]')) {
    if (!menu.contains(target) || target.closest('.sheet')) menu.open = false;
  }
  target.closest?.('[data-close]')?.closest('dialog').close();
});

$('list').addEventListener('keydown', (event) => {
  const entries = [...$('list').querySelectorAll('.entry')];
  const at = entries.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: entries.length - 1 }[event.key];
  if (to === undefined || !entries[to]) return;
  event.preventDefault();
  entries[to].focus();
});

$('filter').addEventListener('input', changed);

$('ask-new').addEventListener('click', () => {
  $('found').replaceChildren();
  $('new-error').textContent = '';
  $('new').showModal();
});

addEventListener('online', () => client.wake());

document.addEventListener('visibilitychange', () => {
  if (document.visibilityState !== 'visible') return;
  client.wake();
  read(open);
});

addEventListener('beforeunload', (event) => {
  if (waiting > 0) event.preventDefault();
});

$('gate').hidden = false;
setWay();
if (keptToken() === null) $('name').focus();
else comeBack();
