// What the client tells, and what the page makes of it.

import { drawBanner } from './connection.js';
import { showHouse } from './gate.js';
import { standAnew } from './heads.js';
import { recallPeople } from './kept.js';
import { drawState } from './lines.js';
import { changed } from './list.js';
import { $, client, page, talks } from './page.js';
import { bound, insert, isAtEnd, load, read } from './reading.js';
import { fetchQuoted } from './replies.js';
import { drawHead } from './room.js';
import { newestFirst, talkOf, talkWith } from './talk.js';
import { say } from './words.js';

/** Conversations whose last message is fetched at the login. */
const MOST_PEEKS = 40;

client.on('message', (message) => {
  const { user, group } = message.conversation;
  const isDirect = group === undefined;
  const isNew = !talks.has(`user${user}`);
  const talk = isDirect ? talkWith('user', user, message.name) : talkWith('group', group);
  if (isDirect && isNew && message.own && user !== page.me.id) nameIt(talk);
  if (!isDirect && !talk.isNamed) standAnew();
  const known = talk.add(message);
  if (talk.typing.has(message.from)) talk.isTyping(message.from, 0);
  const isUnread = known === message && !message.own && !(client.multi && talk.isCounted(message));
  // Beside other devices it is the marker that says what is unread.
  if (client.multi || !isUnread) client.confirm(message);
  if (isUnread) talk.unread.push(message);
  if (client.multi) bound(talk);
  read(talk);
  if (talk === page.open && talk.unread.length > 0) $('newest').hidden = isAtEnd();
  changed();
});

/** Somebody whom this user wrote to, or made a friend, on another device: what tells of it has no name. */
async function nameIt(talk) {
  talk.name = `No. ${talk.id}`;
  try {
    talk.name = (await client.find(talk.id)).name;
  } catch {
    return;
  }
  if (talk === page.open) drawHead();
  changed();
}

client.on('stored', ({ conversation, places }) => {
  const talk = talkOf(conversation);
  if (!talk) return;
  for (const { mid, pos } of places) {
    talk.head = Math.max(talk.head, pos);
    const message = talk.messages.findLast((each) => each.mid === mid);
    if (!message) continue;
    talk.isPlaced(message, pos);
    if (message.line) drawState(message);
  }
  // Another device may have read it before its place was told here.
  if (talk.unread.length > 0) talk.isRead(talk.readTo);
  read(talk);
  changed();
});

client.on('read', ({ conversation, by, pos }) => {
  const talk = talkOf(conversation);
  if (by === page.me.id) talk?.isRead(pos);
  else talk?.isReadByPeer(pos);
  changed();
});

client.on('typing', ({ conversation, by, on, expiresMs }) => {
  if (by !== page.me.id) talkOf(conversation)?.isTyping(by, on ? expiresMs : 0);
});

client.on('presence', ({ id, online }) => {
  const isNew = !talks.has(`user${id}`);
  const talk = talkWith('user', id, '');
  if (isNew) nameIt(talk);
  // It is told of friends only: this one was made on another device, where it is news.
  if (!talk.isUnfriended) talk.isFriend = true;
  talk.online = online;
  if (talk === page.open) drawHead();
  changed();
});

client.on('loggedin', ({ id, name, friends, groups, again }) => {
  page.me = { id, name };
  for (const talk of talks.values()) Object.assign(talk, { isFriend: false, isGone: talk.kind === 'group' });
  for (const friend of friends) {
    const talk = talkWith('user', friend.id, friend.name);
    Object.assign(talk, { isFriend: true, online: friend.online });
    talk.name = friend.name;
  }
  for (const group of groups) {
    const talk = talkWith('group', group.id, group.name);
    Object.assign(talk, { isGone: false, members: group.members, description: group.description });
    Object.assign(talk, { role: group.role, join: group.join, mutedUntil: group.mutedUntil });
    Object.assign(talk, { name: group.name, isNamed: true });
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
  if (page.open) {
    page.open.trim();
    Object.assign(page.open, { oldest: null, isWhole: false });
    load(page.open);
    fetchQuoted();
  }
  let peeks = 0;
  for (const talk of [...talks.values()].sort(newestFirst)) {
    if (talk === page.open || talk.messages.length > 0 || talk.isGone || peeks >= MOST_PEEKS) continue;
    peeks += 1;
    try {
      const { rows, chg } = await client.history(talk.conversation, { limit: 1 });
      insert(talk, rows, chg);
      changed();
    } catch (error) {
      if (error.kind !== 'refused') return;
    }
  }
}
