// A conversation: what is known of it. It draws nothing itself; what is seen of it is drawn from it.

import { compareMids } from '/chatd.js';
import { client, draw, page, talks } from './page.js';

/** Rows of a conversation that is not open: above, the oldest go, and are fetched again when looked for. */
const MOST_KEPT = 200;
/** Rows that are kept to be quoted only. */
const MOST_QUOTED = 200;
/** Changes that are remembered, for a page that was made before them and comes after them. */
const MOST_NEWS = 200;

/** What tells a row from all others. */
const keyOf = ({ kind, from, cid, mid }) => (kind === 'said' ? `${from} ${cid ?? mid}` : `${kind} ${mid}`);

/** All that is known of one. Its `messages` are rows: what was said, what was recalled, what happened to the group. */
class Talk {
  messages = [];
  #known = new Map();
  #news = [];
  unread = [];
  online = false;
  isFriend = false;
  isBlocked = false;
  isGone = false;
  members = null;
  /** Of a group: what it is about, how one joins, what this user is in it and until when muted, how many ask to join. */
  description = '';
  join = null;
  role = null;
  mutedUntil = 0;
  allMutedUntil = 0;
  asking = 0;
  draft = '';
  /** What the next message replies to: a row, or null. */
  replyTo = null;
  /** What is quoted and is not among the messages, by place: null where nothing is there. Places that are to be fetched for that. */
  quoted = new Map();
  wanted = new Set();
  /**
   * Its last place that is known, and how it stood when the server last said so: that place, its mid, what was unread; and how many
   * of those are counted here only, and were forgotten before their places were known.
   */
  head = 0;
  stood = { head: 0, mid: null, unread: 0, unplaced: 0 };
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
  }

  get last() {
    return this.messages.at(-1);
  }

  /** What is unread in it; nothing in a group that one is out of, or that is there no more. */
  get unreadCount() {
    return this.isGone ? 0 : this.stood.unread + this.unread.length;
  }

  /** Whether this user runs the group. */
  get isRun() {
    return !this.isGone && (this.role === 'owner' || this.role === 'admin');
  }

  /** Until when this user may say nothing here. */
  get silentUntil() {
    return Math.max(this.mutedUntil, this.role === 'normal' ? this.allMutedUntil : 0);
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
    const { head, unplaced } = this.stood;
    const most = pos > 0 && pos >= this.head ? 0 : Math.max(0, head - pos) + unplaced;
    this.stood.unread = Math.min(this.stood.unread, most);
  }

  isReadByPeer(pos) {
    const before = this.peerRead;
    this.peerRead = Math.max(before, pos);
    for (const message of this.messages) {
      if (message.line && message.from === page.me.id && message.pos > before && message.pos <= pos) draw.state(message);
    }
  }

  isTyping(id, until) {
    clearTimeout(this.typing.get(id));
    this.typing.delete(id);
    if (until > 0) this.typing.set(id, setTimeout(() => this.isTyping(id, 0), until));
    if (this === page.open) draw.head();
    draw.list();
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
  add(row) {
    const known = row.mid ? this.#known.get(keyOf(row)) : undefined;
    this.head = Math.max(this.head, row.pos ?? 0);
    if (known) {
      this.isPlaced(known, row.pos);
      return known;
    }
    const said = row.kind === 'recalled' ? this.#saidAs(row) : undefined;
    if (said) {
      this.#isRecalled(said, row);
      return said;
    }
    row.talk = this;
    if (row.mid) this.#known.set(keyOf(row), row);
    const isAfter = ({ mid }) => row.mid === null || (mid !== null && compareMids(mid, row.mid) <= 0);
    let at = this.messages.length;
    while (at > 0 && !isAfter(this.messages[at - 1])) at -= 1;
    this.messages.splice(at, 0, row);
    if (this === page.open) draw.place(this, at);
    this.isPlaced(row, row.pos);
    return row;
  }

  /** What was fetched: as it was at change `chg`, if that is known. What changed since is done to it again. */
  addFetched(row, chg = null) {
    const known = this.add(row);
    if (chg === null || row.kind !== 'said') return;
    if (known !== row && known.kind === 'said') {
      Object.assign(known, { text: row.text, rev: row.rev, reactions: row.reactions });
      if (known.line) draw.state(known);
      this.#requote(known.pos);
    }
    for (const change of this.#news) if (change.chg > chg && change.pos === row.pos) this.#alter(known, change);
  }

  /** The place of a row is known: whoever quotes it has waited for that. */
  isPlaced(row, pos) {
    row.pos ??= pos;
    const wasNothing = this.quoted.get(pos) === null;
    this.quoted.delete(pos);
    if (this.wanted.delete(pos) || wasNothing) this.#requote(pos);
  }

  /** What stands at a place: undefined where that is not known, null where nothing does. */
  at(pos) {
    return this.messages.findLast((each) => each.pos === pos) ?? this.quoted.get(pos);
  }

  /** A row, or null, that was fetched to be quoted: as it was at change `chg`. If it has changed since, it is still wanted. */
  quote(pos, row, chg) {
    if (this.#news.some((change) => change.pos === pos && change.kind !== 'react' && change.chg > chg)) return;
    const known = row && this.#known.get(keyOf(row));
    if (known) known.pos ??= pos;
    else this.quoted.set(pos, row);
    if (this.quoted.size > MOST_QUOTED) this.quoted.delete(this.quoted.keys().next().value);
    this.wanted.delete(pos);
    this.#requote(pos);
  }

  /** Draws anew what quotes this place. */
  #requote(pos) {
    for (const row of this.messages) if (row.reply === pos && row.line) draw.quote(row);
    if (this.replyTo?.pos === pos && this === page.open) draw.reply();
  }

  #saidAs({ pos, mid }) {
    return this.messages.find((each) => each.kind === 'said' && each.mid !== null && (each.mid === mid || each.pos === pos));
  }

  /** Something that was said is changed. Whether it is known here. */
  change(change) {
    this.#news = [...this.#news.slice(1 - MOST_NEWS), change];
    const row = this.#saidAs(change);
    if (row) this.#alter(row, change);
    else if (change.kind !== 'react') {
      this.quoted.delete(change.pos);
      this.#requote(change.pos);
    }
    return row !== undefined;
  }

  #alter(row, { kind, pos, by, ts, rev, text, emoji, on, n }) {
    row.pos ??= pos;
    if (row.kind !== 'said') return;
    if (kind === 'recall') this.#isRecalled(row, { by, ts, pos });
    if (kind === 'edit' && rev >= row.rev) Object.assign(row, { text, rev });
    if (kind === 'edit') this.#requote(row.pos);
    if (kind === 'react') {
      const before = row.reactions.find((each) => each.emoji === emoji);
      const after = { emoji, n: n ?? 0, mine: by === page.me.id ? on : before?.mine === true };
      const kept = before ? row.reactions.map((each) => (each === before ? after : each)) : [...row.reactions, after];
      row.reactions = kept.filter((each) => each.n > 0);
    }
    if (row.line) draw.state(row);
  }

  /** It keeps its place, and says nothing any more; it was perhaps unread. */
  #isRecalled(row, { by, ts, pos }) {
    this.#known.delete(keyOf(row));
    Object.assign(row, { kind: 'recalled', by, recalledAt: ts, pos: row.pos ?? pos, text: '', reactions: [] });
    this.#known.set(keyOf(row), row);
    const before = this.unread.length;
    this.unread = this.unread.filter((each) => each !== row);
    const isUnread = row.from !== page.me.id && row.pos > this.readTo && row.pos <= this.stood.head;
    if (this.unread.length === before && isUnread) this.stood.unread = Math.max(0, this.stood.unread - 1);
    if (row.line) draw.state(row);
    this.#requote(row.pos);
  }

  remove(message) {
    this.messages.splice(this.messages.indexOf(message), 1);
    message.line?.remove();
  }

  /** Forgets all but the last rows; the rest is fetched when it is looked for. */
  trim() {
    if (this.messages.length <= MOST_KEPT) return;
    const forgotten = new Set(this.messages.splice(0, this.messages.length - MOST_KEPT));
    for (const row of forgotten) {
      this.#known.delete(keyOf(row));
      row.line?.remove();
    }
    Object.assign(this, { oldest: null, isWhole: false });
    // Beside other devices unread ones are a number; else each of them is confirmed when it is read.
    if (client.multi) this.#counts(forgotten);
  }

  /** Counts the unread among these rows, which are forgotten, as if the server had said how it stood after them. */
  #counts(forgotten) {
    const { stood, unread } = this;
    const { pos, mid, ts } = [...forgotten].findLast((row) => row.pos !== null) ?? { pos: 0 };
    this.unread = unread.filter((each) => !forgotten.has(each));
    stood.unread += unread.length - this.unread.length;
    stood.unplaced += unread.filter((each) => forgotten.has(each) && each.pos === null).length;
    if (pos > stood.head) Object.assign(stood, { head: pos, mid, ts });
  }
}

/** The conversation with somebody, or in a group, whose name may not be known yet. */
export function talkWith(kind, id, name = null) {
  const key = kind + id;
  const shown = name ?? (kind === 'group' ? `Group ${id}` : `No. ${id}`);
  if (!talks.has(key)) talks.set(key, Object.assign(new Talk(kind, id, shown), { isNamed: name !== null }));
  return talks.get(key);
}

export const talkOf = ({ user, group }) => talks.get(group === undefined ? `user${user}` : `group${group}`);

export const unreadInAll = () => [...talks.values()].reduce((sum, { unreadCount }) => sum + unreadCount, 0);

export function newestFirst(a, b) {
  const [x, y] = [a, b].map(({ last, stood }) => last ?? (stood.mid === null ? undefined : stood));
  if (!x || !y) return Number(Boolean(y)) - Number(Boolean(x));
  if (x.mid === null || y.mid === null) return Number(y.mid === null) - Number(x.mid === null);
  return compareMids(y.mid, x.mid);
}
