// People: friends, who is blocked, and the line in which somebody is shown.

import { ERRNO } from '/chatd.js';
import { button, face, make } from './elements.js';
import { changed } from './list.js';
import { client, page, talks } from './page.js';
import { drawHead, enter } from './room.js';
import { talkWith } from './talk.js';
import { ask, attempt, closeDialogs, say } from './words.js';

export async function befriend(id, name) {
  await client.addFriend(id);
  const talk = talkWith('user', id, name);
  Object.assign(talk, { isFriend: true, isUnfriended: false });
  say(`${name} is a friend now.`);
  drawHead();
  changed();
  return talk;
}

export async function unfriend(talk) {
  await client.removeFriend(talk.id);
  Object.assign(talk, { isFriend: false, isUnfriended: true });
  say(`${talk.name} is no friend any more.`);
  drawHead();
  changed();
}

export async function block(talk, on) {
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

export function personRow(person, role) {
  const presence = person.online ? 'online' : 'offline';
  const about = `no. ${person.id} · ${presence}${role && role !== 'normal' ? ` · ${role}` : ''}`;
  const name = make('span', { class: 'who' }, make('bdi', { text: person.name }), make('small', { text: about }));
  const row = make('div', { class: 'person' }, face({ ...person, kind: 'user' }, true), name);
  const write = () => {
    closeDialogs();
    enter(talkWith('user', person.id, person.name));
  };
  if (person.id === page.me.id) return row;
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
