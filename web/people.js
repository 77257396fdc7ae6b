// People: friends, who is blocked, and the line in which somebody is shown.

import { ERRNO } from '/chatd.js';
import { askFriend } from './asks.js';
import { button, face, make } from './elements.js';
import { changed } from './list.js';
import { client, page, talks } from './page.js';
import { drawHead, enter } from './room.js';
import { talkWith } from './talk.js';
import { ask, closeDialogs, say } from './words.js';

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

/** Somebody; what can be done with everybody stands beside it, or in a menu with what else can be done. */
export function personRow(person, more = '', acts = null) {
  const presence = person.online ? 'online' : 'offline';
  const about = [`no. ${person.id}`, presence, more].filter(Boolean).join(' · ');
  const name = make('span', { class: 'who' }, make('bdi', { text: person.name }), make('small', { text: about }));
  const row = make('div', { class: 'person' }, face({ ...person, kind: 'user' }, true), name);
  if (person.id === page.me.id) return row;
  const write = button('Write', () => {
    closeDialogs();
    enter(talkWith('user', person.id, person.name));
  });
  const isFriend = talks.get(`user${person.id}`)?.isFriend;
  const all = [...(isFriend ? [] : [button('Add friend…', () => askFriend(person))]), write];
  row.append(...(acts === null ? all : [menuOf(person, [...all.reverse(), ...acts])]));
  return row;
}

function menuOf({ name }, acts) {
  const summary = make('summary', { 'aria-label': `What can be done with ${name}` });
  summary.append(make('span', { 'aria-hidden': 'true', text: '⋯' }));
  const sheet = make('div', { class: 'sheet' }, ...acts);
  const toggle = ({ target }) => target.open && sheet.scrollIntoView({ block: 'nearest' });
  return make('details', { class: 'menu', toggle }, summary, sheet);
}
