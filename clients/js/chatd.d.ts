/**
 * The JavaScript client of chatd, for browsers and Node 20 or newer.
 *
 * @packageDocumentation
 */

/** Where something is said: between this user and another, or in a group. */
export type Conversation = { user: number; group?: undefined } | { group: number; user?: undefined };

/** What somebody said. Names and texts are what people typed: show them as text, never as HTML. */
export interface Message {
  kind: 'said';
  /** Where it was said, as seen by this user: an answer goes there. */
  conversation: Conversation;
  /** Who said it, and that user's name by the server's own record. */
  from: number;
  name: string;
  text: string;
  /** Whether this user said it: on another of its devices, or to itself. */
  own: boolean;
  /** When, as the sender wrote it; see `ts`. */
  time: string;
  /** The place of the message that it replies to; whether there is one, nobody looked. */
  reply: number | null;
  /** What the sender's application says with it. */
  data: Record<string, unknown> | null;
  /** How often it was edited. */
  rev: number;
  /** How others react to it, as it was when it was fetched: emoji are what people typed, too. */
  reactions: Reaction[];
  /** What the sender calls it. It and the sender together tell a message from all others. */
  cid: string | null;
  /** Its id, a 64-bit number written out: all clients show messages in this order. See {@link compareMids}. */
  mid: string | null;
  /** When the server took it, in milliseconds since 1970. */
  ts: number | null;
  /** Its place in its conversation, from 1. A message that has only just been said has none yet. */
  pos: number | null;
}

/** How many react to a message in one way, and whether this user does. */
export interface Reaction {
  emoji: string;
  n: number;
  mine: boolean;
}

/** The place of a message that was recalled. */
export interface Recalled {
  kind: 'recalled';
  conversation: Conversation;
  /** Who has recalled it, and when. */
  by: number;
  own: boolean;
  mid: string;
  ts: number | null;
  pos: number;
}

/** Whether one may join a group, has to ask, or may not. */
export type Join = 'open' | 'ask' | 'closed';

export type Role = 'owner' | 'admin' | 'normal';

/** Something that happened to a group. Those with a `mid` are rows of its conversation, and never unread. */
export interface GroupEvent {
  kind: 'event';
  conversation: Conversation;
  /**
   * `joined`, `left`, `role`, `kicked`, `banned`, `muted`, `set`; and what is no row: `asks` to join (told to owner and
   * admins), `refused` (told to whoever asked). A server may know more.
   */
  what: string;
  /** Who did it, that user's name, and whether it was this user. */
  by: number;
  name: string;
  own: boolean;
  /** To whom, if that is somebody else; `muted` without one is about all normal members. */
  whom: { id: number; name: string } | null;
  /** Of `role`. */
  role: Role | null;
  /** Of `kicked` (how long the ban goes on), `banned` and `muted`: a moment, `Infinity`, or 0 where it is over. */
  until: number;
  /** Of `set`: what is another now. */
  set: { name: string | null; description: string | null; join: string | null };
  cid: string | null;
  mid: string | null;
  ts: number | null;
  pos: number | null;
}

/** What stands at a place of a conversation. */
export type Row = Message | Recalled | GroupEvent;

/** What was done to a message. Each says how it is afterwards. */
export interface Change {
  conversation: Conversation;
  /** Its number in the conversation, from 1 without gaps. */
  chg: number;
  /** Which message. */
  pos: number;
  mid: string | null;
  /** `edit`: it says `text`. `recall`: it says nothing any more. `react`: `n` react with `emoji`. */
  kind: string;
  by: number;
  ts: number | null;
  /** How often the message is edited by then. */
  rev: number;
  text: string | null;
  /** Whether `by` reacts so, or does so no more, and how many do. */
  emoji: string | null;
  on: boolean;
  n: number | null;
}

/** That a message is safe: no failure of one machine loses it. */
export interface Receipt {
  cid: string;
  mid: string | null;
  ts: number | null;
  pos: number | null;
}

/** A user, as a friend list tells of one. */
export interface Person {
  id: number;
  name: string;
  /** Whether the user was online when the server said so. */
  online: boolean;
}

/** A user in a group. */
export interface Member extends Person {
  role: Role;
  /** Until when what the member says is refused: a moment, `Infinity`, or 0. */
  mutedUntil: number;
}

/** Somebody who waits for an answer: to join a group, or to be a friend. */
export interface Asker {
  id: number;
  name: string;
  /** What was said with it. */
  note: string;
  ts: number | null;
}

/** Whom this user lets come near. */
export interface Settings {
  /** Whose direct messages it takes. */
  whoWrites: 'all' | 'friends' | 'none';
  /** Whether others are told what it has read. */
  readReceipts: boolean;
}

/** A group that the user is a member of. */
export interface Group {
  id: number;
  name: string;
  description: string;
  /** How many are in it. */
  members: number | null;
  /** What this user is in it, until when it is muted, and how one joins; null where the session has not the cap `group`. */
  role: Role | null;
  mutedUntil: number;
  join: string | null;
}

/** Where a conversation stands. */
export interface Head {
  conversation: Conversation;
  /** Of the other user, or of the group. */
  name: string;
  /** The place of its last message, and that message's id and time. */
  head: number;
  /** How many changes of messages it has. */
  chg: number;
  mid: string;
  ts: number | null;
  /** Up to which place this user has read it, on any device, and how much of others is unread. */
  read: number;
  unread: number;
  /** Up to which place the other user has read it; null in a group, and where that is not told. */
  peerRead: number | null;
}

/** Up to which place of a conversation something is so. */
export interface Place {
  conversation: Conversation;
  pos: number;
  /** And up to which change; without it, changes are not asked for. */
  chg?: number;
}

/** What follows a place in a conversation. */
export interface Synced {
  conversation: Conversation;
  /** By place, without a gap; and those of them that are messages. */
  rows: Row[];
  messages: Message[];
  /** Changes of messages that the device had. `rows` show them already. */
  changes: Change[];
  /** The place of its last message, and how many changes there are. */
  head: number;
  chg: number | null;
  peerRead: number | null;
  /** Whether nothing follows the last of them. */
  complete: boolean;
}

/** A device that the user is logged in on, or can come back on. */
export interface Device {
  id: string;
  /** What it calls itself: show it as text. */
  name: string;
  /** In milliseconds since 1970; `created` is 0 where that is not known. */
  created: number | null;
  used: number | null;
  online: boolean;
  isThis: boolean;
}

/** What a login or a return may say besides. */
export interface How {
  /** Whether this session lives beside others of its user; by itself {@link Options.multi}. */
  multi?: boolean;
  /** With `multi`: where the program has everything up to already, from {@link Client.places}. What follows is told. */
  places?: Place[];
}

/** What the server says to whoever logs in. */
export interface Welcome {
  id: number;
  name: string;
  friends: Person[];
  groups: Group[];
  /** Who wants to be a friend and has no answer yet. */
  asking: Asker[];
  /** Null where the session has no caps. */
  settings: Settings | null;
}

/** One page of what was said, lowest place first. */
export interface HistoryPage {
  /** All of it, as far as the session understands it: see {@link Options.caps}. */
  rows: Row[];
  /** What of it was said. */
  messages: Message[];
  /** Up to which change it shows them; null where the session has not the cap `changed`. */
  chg: number | null;
  /** Whether nothing that was said between the first and the last of them is missing. */
  complete: boolean;
}

/** What was found, newest first. */
export interface Found {
  messages: Message[];
  /** Where the next page begins; null where there is none. */
  beforeMid: string | null;
  /** What was said after this moment was not looked at yet. */
  searchedTo: number | null;
  /** Whether that is all. */
  complete: boolean;
}

/** One page of who is in a group, by id. */
export interface MemberPage {
  members: Member[];
  /** Whether these were the last ones. */
  complete: boolean;
}

/**
 * Why something was not done.
 *
 * - `refused`: the server's no, with its `errno`
 * - `logged_out`: nobody is logged in, or not any more
 * - `busy`: another login or registration is under way, or somebody is logged in already
 * - `full`: too much waits for the connection; this was not taken
 * - `too_large`: it is longer than the server takes
 * - `not_spoken`: the server is an older one and does not speak v2
 * - `garbled`: the server's answer makes no sense
 * - `closed`: the client was closed
 * - `no_jwt`: the program was asked for a jwt and gave none
 */
export type ErrorKind =
  | 'refused' | 'logged_out' | 'busy' | 'full' | 'too_large' | 'not_spoken' | 'garbled' | 'closed' | 'no_jwt';

/** Why something was not done. `message` is a sentence for people, which may have come from the server. */
export class ChatError extends Error {
  constructor(kind: ErrorKind, message: string, more?: { errno?: number; retryAfterMs?: number | null });
  readonly kind: ErrorKind;
  /** The protocol's number ({@link ERRNO}); 0 where it was not the server that refused. */
  readonly errno: number;
  /** When it is worth trying again. */
  readonly retryAfterMs: number | null;
}

/** The numbers of the protocol's refusals. */
export const ERRNO: Readonly<{
  REFUSED: 1;
  ONLINE_ALREADY: 2;
  NOT_A_FRAME: 100;
  UNKNOWN: 101;
  BAD_FIELD: 102;
  LOG_IN_FIRST: 103;
  NOT_YOURS: 104;
  NO_SUCH_USER: 105;
  NO_SUCH_GROUP: 106;
  NOT_A_MEMBER: 107;
  EXISTS: 108;
  TOO_FAST: 109;
  BUSY: 110;
  TOO_LARGE: 111;
  OTHER_CONTENT: 112;
  REPLACED: 113;
  STOPPING: 114;
  TOO_SLOW: 115;
  TOO_MANY: 116;
  EXPIRED: 117;
  MUTED: 118;
  PENDING: 119;
}>;

/** Everything that is told, and what with. */
export interface Events {
  /** There is a connection. `again`: there was one before, or it was told that there was none. */
  connected: { address: string; again: boolean };
  /**
   * The connection is lost. Where somebody is logged in, or something is asked for, it is tried again and again without a
   * further word until `connected`; `retryInMs` is null otherwise. `error` is what the server said before it hung up.
   */
  lost: { reason: string; error: ChatError | null; retryInMs: number | null };
  /** No address could be reached. Told once an outage; it is tried again and again. */
  unreachable: { address: string; reason: string };
  /** Somebody is logged in. What waited follows as messages. `again`: the same login, on a new connection. */
  loggedin: Welcome & { again: boolean };
  /**
   * Where the conversations stand, newest first: of a `multi` session, after `loggedin`, in one piece or several, and
   * when it may have missed something. What was not told meanwhile follows as messages.
   */
  heads: Head[];
  /** The server does not let the user in just now, and is asked again. */
  delayed: ChatError;
  /** The user could not be logged in again, or was replaced by a newer session (errno 113), and is nobody now. */
  signedout: ChatError;
  /** Somebody said something. Each message is told once, and confirmed when its listeners are done: see `confirm`. */
  message: Message;
  /** A message that was not told was recalled meanwhile. Of a `multi` session that catches up. */
  recalled: Recalled;
  /** A message was edited, recalled, or somebody reacts to it. Each is told once; to a `multi` session its own, too. */
  changed: Change;
  /** Something happened to a group. What this session did itself is in the receipt, and not told. */
  group: GroupEvent;
  /** Where messages are that were told: see {@link Options.caps}. */
  stored: { conversation: Conversation; places: { mid: string; pos: number }[] };
  /** Somebody has read a conversation up to a place: the other user, or this one, on another device. */
  read: { conversation: Conversation; by: number; pos: number };
  /** Somebody types, or does not any more. It counts for `expiresMs`. */
  typing: { conversation: Conversation; by: number; on: boolean; expiresMs: number };
  /** A friend has come or gone. */
  presence: { id: number; online: boolean };
  /** The whole friend list, which somebody asked for. */
  friends: Person[];
  /**
   * Somebody wants to be a friend (`asks`), is one now (`accepted`), or is none any more (`gone`). `own`: another device of
   * this user has done that (`added`, `gone`, `blocked`, `unblocked`, `asked`, `refused`), and it may have no name.
   */
  friend: { id: number; name: string | null; what: string; note: string; own: boolean };
  /** Another device has changed the settings. */
  settings: Settings;
  /** The token to come back with is another now; null: it is good no more. */
  token: string | null;
  /** Whoever runs the server says this to everybody who is online. */
  announcement: { text: string };
  /** The server says something that answers no request. */
  notice: ChatError;
  /** The server said something that makes no sense. Told once a connection. */
  garbled: null;
}

/** Time, for tests. `now` never goes back. */
export interface Clock {
  now(): number;
  set(call: () => void, ms: number): unknown;
  clear(timer: unknown): void;
}

/** An address that was read. */
export interface Address {
  readonly scheme: 'ws' | 'wss' | 'tcp' | 'tls';
  /** Of ws and wss. */
  readonly url?: string;
  /** Of tcp and tls. */
  readonly host?: string;
  readonly port?: number;
  /** As it is shown. */
  readonly text: string;
}

/** What is told of a connection: `opened` once, then frames, without what ends them, and once how it ended. */
export interface Hear {
  opened(): void;
  frame(line: string): void;
  ended(reason: string): void;
}

/** A connection. After `close` it tells nothing more. */
export interface Way {
  send(frames: string[]): void;
  close(): void;
  /** To read no more for now, and to go on reading, where that can be done. */
  pause?(): void;
  go?(): void;
}

export interface Options {
  /** Requests that may wait for the connection; 1,000. Above, they fail with `full`. */
  mostWaiting?: number;
  /**
   * When the server is told that a message has arrived; until then it is the server's to keep, and comes again.
   * `handled`: when every listener has returned, and the promises that they returned are fulfilled. A listener that
   * fails leaves it unconfirmed. `manual`: when {@link Client.confirm} says so.
   */
  confirm?: 'handled' | 'manual';
  /**
   * Whether the session lives beside others of its user, which may be ten; by itself not. It hears then what the others
   * say (`own`), and after a loss it is told by place what it missed, in order. A server without history refuses it
   * (errno 102).
   */
  multi?: boolean;
  /** What this device calls itself in the list of devices: 1 to 50 characters. */
  device?: string;
  /**
   * What the program understands: `own`, `read`, `typing`, `changed`, `group`, `friend`. By itself all of it with `multi`,
   * and nothing without.
   */
  caps?: string[];
  /** For `tls://`: options of Node's `tls.connect`, such as `ca`. */
  tls?: object;
  /** Another way to a server than WebSocket, TCP and TLS. */
  transport?: (address: Address, hear: Hear, options: { clock: Clock; tls: object }) => Way;
  /** Another clock, for tests. */
  clock?: Clock;
}

/**
 * One user's dealings with the servers.
 *
 * Nothing is connected before something is asked for. Every request gives a promise: it is fulfilled when the server has
 * done what was asked, and rejected with a {@link ChatError} when that will not happen. A request that was not answered
 * when the connection was lost is said again, under the same cid, on the next one. Arguments that make no sense are
 * rejected with a TypeError.
 */
export class Client {
  /**
   * @param addresses `ws://host/ws`, `wss://host/ws`; in Node also `tcp://host:6000`, `tls://host:6000`. Several are
   * tried in turn, now and after every loss.
   */
  constructor(addresses: string | string[], options?: Options);

  /** Calls `listener` for each such event; the function that it gives ends that. */
  on<Type extends keyof Events>(type: Type, listener: (told: Events[Type]) => unknown): () => void;
  /** The next such event. */
  once<Type extends keyof Events>(type: Type): Promise<Events[Type]>;

  /** Who is logged in on this connection; null also while there is none. */
  readonly user: { id: number; name: string } | null;
  /** What {@link Client.resume} takes: as good as the password for 30 days, so keep it as one. */
  readonly token: string | null;
  /** Whether the session lives beside others of its user. */
  readonly multi: boolean;
  /** Of a `multi` session: up to which place of each conversation everything was told. Kept, it is for {@link How}. */
  readonly places: Place[];
  /** Whether there is a connection. */
  readonly connected: boolean;
  /** How many requests are not answered. */
  readonly unanswered: number;

  /** Makes a user; its id. `token` is an invitation, for a server that takes nobody without one. */
  register(name: string, password: string, options?: { token?: string }): Promise<number>;
  /**
   * Logs a user in, by id or by name. The password is kept in memory, to come back with if the token is good no more.
   * `takeover`: what becomes of a session that the user has elsewhere. It stays, and this is refused with errno 2; or
   * with `true` it is replaced; or a function is asked.
   */
  login(
    who: number | string,
    password: string,
    options?: { takeover?: boolean | ((refusal: ChatError) => boolean | Promise<boolean>) } & How,
  ): Promise<Welcome>;
  /**
   * Logs in the user of another application by its word, a JSON Web Token. A function is asked for one whenever one is
   * needed: now, before the session expires, so that it goes on, and when the client comes back and its token is good no
   * more. The session of a jwt that is a string ends with it: a `notice` with errno 117 says so 30 s before.
   */
  login(
    who: { jwt: string | (() => string | Promise<string>) },
    options?: { takeover?: boolean | ((refusal: ChatError) => boolean | Promise<boolean>) } & How,
  ): Promise<Welcome>;
  /** Logs in with the token of an earlier session, which is replaced if it is still there. */
  resume(token: string, how?: How): Promise<Welcome>;
  /** Logs out, and has the token revoked; what was asked before is finished first. */
  logout(): Promise<void>;
  /** Changes the password. All other tokens of the user are worthless then. */
  changePassword(old: string, anew: string): Promise<void>;

  /** The user's devices, the one used last first. */
  devices(): Promise<Device[]>;
  /** Sends a device away: its token is worthless, and its session ends with errno 113. */
  dropDevice(device: string): Promise<void>;

  /**
   * Says something. Fulfilled when it is safe. `time` is what readers are shown, by itself the local time; `reply` the place
   * of the message that this replies to; `data` an object of at most 4 KiB as JSON, which is passed on as it is.
   */
  say(
    conversation: Conversation,
    text: string,
    options?: { time?: string; reply?: number; data?: Record<string, unknown> },
  ): Promise<Receipt>;
  /** One page of what was said: the newest messages, those `before` a place, or those `after` one. */
  history(
    conversation: Conversation,
    span?: { before?: number; after?: number; limit?: number },
  ): Promise<HistoryPage>;
  /** Pages of what was said, from the newest (or from `before`) back to the first message. */
  historyPages(
    conversation: Conversation,
    span?: { before?: number; limit?: number },
  ): AsyncGenerator<HistoryPage, void, void>;
  /**
   * What follows these places, in 200 conversations at most. A `multi` session does that by itself. Conversations that
   * have no message are left out.
   */
  sync(since: Place[], options?: { limit?: number }): Promise<Synced[]>;
  /** Where the conversations stand, newest first; the next ones with the `mid` of the last. */
  heads(span?: { beforeMid?: string; limit?: number }): Promise<{ heads: Head[]; complete: boolean }>;
  /**
   * This user has read a conversation up to a place; where the marker is then. The other user is told, unless it is
   * `private`.
   */
  read(conversation: Conversation, pos: number, options?: { private?: boolean }): Promise<number>;
  /**
   * This user is typing, or is not any more. Said at most once in 3 s, and not at all without a connection; whether it
   * was.
   */
  typing(conversation: Conversation, on?: boolean): boolean;
  /** This has arrived where it was to arrive: see {@link Options.confirm}. */
  confirm(row: Message | GroupEvent): void;

  /**
   * Changes what this user has said a while ago, at this place. The number of the change; what it does is told as
   * `changed`.
   */
  edit(conversation: Conversation, pos: number, text: string): Promise<number>;
  /** Takes back what was said: by this user a while ago, or, for owner and admins of a group, by anybody. */
  recall(conversation: Conversation, pos: number): Promise<number>;
  /** Reacts to a message, or does so no more. */
  react(conversation: Conversation, pos: number, emoji: string, on?: boolean): Promise<number>;
  /**
   * What was said with all of these words, in all conversations or in one, newest first. The next page: `beforeMid`, as
   * the page before says it.
   */
  search(words: string, span?: { conversation?: Conversation; beforeMid?: string; limit?: number }): Promise<Found>;

  /** The user's friends, and who of them is online. */
  friends(): Promise<Person[]>;
  addFriend(user: number): Promise<void>;
  removeFriend(user: number): Promise<void>;
  /** Who this is, by id or by name, and whether online. */
  find(who: number | string): Promise<Person>;
  /** Asks somebody to be a friend; once that is accepted, each is on the other's list. */
  askFriend(user: number, note?: string): Promise<void>;
  /** Answers somebody who asked that. */
  answerFriend(user: number, yes: boolean): Promise<void>;
  /** Changes what is given, and tells how the settings are then. */
  settings(change?: Partial<Settings>): Promise<Settings>;
  /** Hears no more one-to-one messages of this user, or hears them again. */
  block(user: number): Promise<void>;
  unblock(user: number): Promise<void>;

  /** Makes a group, with this user in it; its id. */
  createGroup(name: string, description?: string): Promise<number>;
  /** Joins a group; its id. Where one has to ask, that is refused with errno 119, and `group` tells how it ends. */
  joinGroup(group: number): Promise<number>;
  /** Leaves a group; its owner dissolves it. */
  leaveGroup(group: number): Promise<void>;
  /** One page of who is in a group: those with a greater id than `after`. */
  members(group: number, span?: { after?: number; limit?: number }): Promise<MemberPage>;
  /** Pages of who is in a group, to the last. */
  memberPages(group: number, span?: { limit?: number }): AsyncGenerator<MemberPage, void, void>;

  /** The owner makes a member an admin, or a normal one; or hands the group over, and is an admin then. */
  setRole(group: number, user: number, role: Role): Promise<Receipt>;
  /** Takes a member of lower rank out. `banUntil`: until when it may not come back; 0 ends a ban. */
  kick(group: number, user: number, options?: { banUntil?: number | Date }): Promise<Receipt>;
  /** Refuses what a member of lower rank says, until then; by itself for ever. 0 ends that. */
  mute(group: number, user: number, until?: number | Date): Promise<Receipt>;
  /** The same of all normal members. */
  muteAll(group: number, until?: number | Date): Promise<Receipt>;
  /** Changes what is given of a group. */
  setGroup(group: number, change: { name?: string; description?: string; join?: Join }): Promise<Receipt>;
  /** Who asks to join a group, the first one first. */
  joinRequests(group: number): Promise<Asker[]>;
  /** Lets somebody in who asked, or not. */
  answerJoin(group: number, user: number, yes: boolean): Promise<Receipt>;

  /**
   * Something may have changed: the network is back, the page is seen again. Connects at once where it waits to, and
   * asks the server whether it is there where there is a connection.
   */
  wake(): void;
  /** Ends the connection. Every promise that is not settled is rejected with `closed`; the token stays good. */
  close(): void;
}

/** Which of two message ids comes first, as a sort wants it. */
export function compareMids(a: string, b: string): number;

/**
 * Reads an address.
 *
 * @throws TypeError if it is none.
 */
export function parseAddress(address: string): Address;
