// A conversation: what is known of it. It draws nothing itself; what is seen of it is drawn from it.

import { compareMids } from '/chatd.js';
import { draw, page, talks } from './page.js';

/** Messages of a conversation that is not open: above, the oldest go, and are fetched again when looked for. */
const MOST_KEPT = 200;

/** All that is known of one. */
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
    if (this === page.open) draw.place(this, at);
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

export function talkWith(kind, id, name) {
  const key = kind + id;
  if (!talks.has(key)) talks.set(key, new Talk(kind, id, name));
  return talks.get(key);
}

export const unreadInAll = () => [...talks.values()].reduce((sum, { unreadCount }) => sum + unreadCount, 0);

export function newestFirst(a, b) {
  const [x, y] = [a, b].map(({ last, stood }) => last ?? (stood.mid === null ? undefined : stood));
  if (!x || !y) return Number(Boolean(y)) - Number(Boolean(x));
  if (x.mid === null || y.mid === null) return Number(y.mid === null) - Number(x.mid === null);
  return compareMids(y.mid, x.mid);
}

export const talkOf = ({ user, group }) => talks.get(group === undefined ? `user${user}` : `group${group}`);
