// Friendships that are asked for: by this user, and by others.

import { ERRNO } from '/chatd.js';
import { button, face, make } from './elements.js';
import { changed } from './list.js';
import { $, client, talks } from './page.js';
import { drawHead } from './room.js';
import { talkWith } from './talk.js';
import { attempt, onSubmit, say } from './words.js';

/** Who asks, by id: name and note. */
const asking = new Map();
/** Who is asked in the dialog. */
let asked = null;

const HERE = {
  [ERRNO.EXISTS]: 'You are friends, or have asked already.',
  [ERRNO.NO_SUCH_USER]: 'That user does not ask any more.',
};

export function askFriend(person) {
  asked = person;
  $('friend-name').textContent = person.name;
  $('friend-note').value = '';
  $('friend-error').textContent = '';
  $('friend').showModal();
}

onSubmit($('friend-form'), $('friend-error'), async () => {
  const { id, name } = asked;
  await client.askFriend(id, $('friend-note').value.trim());
  $('friend').close();
  // Who asked as well is a friend by now.
  if (asking.delete(id)) {
    isFriend(id, name);
    drawAsking();
  }
  say(talks.get(`user${id}`)?.isFriend ? `${name} is a friend now.` : `${name} is asked.`);
}, HERE);

function drawAsking() {
  $('asks').replaceChildren(...[...asking.values()].map(row));
  $('asks').hidden = asking.size === 0;
}

function row({ id, name, note }) {
  const said = note ? make('q', { dir: 'auto', text: note }) : make('small', { text: `no. ${id}` });
  const who = make('span', { class: 'who' }, make('bdi', { text: name }), make('small', { text: 'wants to be your friend' }), said);
  const answer = (yes) => attempt(async () => {
    await client.answerFriend(id, yes);
    asking.delete(id);
    if (yes) isFriend(id, name);
    drawAsking();
  }, HERE);
  const yes = button('Accept', () => answer(true), 'primary');
  const no = button('Refuse', () => answer(false));
  yes.setAttribute('aria-label', `Accept ${name}`);
  no.setAttribute('aria-label', `Refuse ${name}`);
  const acts = make('div', { class: 'row' }, yes, no);
  return make('li', { class: 'ask' }, face({ kind: 'user', id, name }), who, acts);
}

function isFriend(id, name) {
  const talk = talkWith('user', id, name);
  Object.assign(talk, { isFriend: true, isUnfriended: false });
  if (name) talk.name = name;
  drawHead();
  changed();
  return talk;
}

client.on('loggedin', ({ asking: all }) => {
  asking.clear();
  for (const each of all) asking.set(each.id, each);
  drawAsking();
});

client.on('friend', ({ id, name, what, note, own }) => {
  const talk = talks.get(`user${id}`);
  const known = name ?? talk?.name ?? `No. ${id}`;
  if (what === 'asks') {
    asking.set(id, { id, name: known, note });
    say(`${known} wants to be your friend.`);
  } else {
    asking.delete(id);
  }
  if (what === 'accepted') {
    isFriend(id, known);
    say(`${known} is a friend now.`);
  }
  if (what === 'added') isFriend(id, known);
  if (what === 'gone' && talk) Object.assign(talk, { isFriend: false, isUnfriended: true });
  if (what === 'gone' && !own) say(`${known} is no friend any more.`);
  if ((what === 'blocked' || what === 'unblocked') && talk) talk.isBlocked = what === 'blocked';
  drawAsking();
  drawHead();
  changed();
});
