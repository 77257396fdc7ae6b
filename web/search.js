// Looking for what was said, in all conversations or in the open one.

import { ERRNO } from '/chatd.js';
import { button, make, recent } from './elements.js';
import { $, client, page } from './page.js';
import { reach } from './reading.js';
import { enter } from './room.js';
import { talkWith } from './talk.js';
import { because, closeDialogs, say } from './words.js';

const HERE = { [ERRNO.BAD_FIELD]: 'There is no word in that to look for.' };

/** What is looked for, and where the next page of it begins; another one replaces it. */
let sought = null;

export function openSearch(talk = null) {
  $('search-here').hidden = talk === null;
  $('search-where').textContent = talk?.name ?? '';
  $('search-only').checked = talk !== null;
  $('hits').replaceChildren();
  $('search-note').textContent = '';
  $('search-more').hidden = true;
  $('search').showModal();
  $('search-words').select();
}

async function next() {
  const mine = sought;
  $('search-more').hidden = true;
  $('search-note').textContent = 'Looking…';
  try {
    const { words, conversation, beforeMid } = mine;
    const found = await client.search(words, { conversation, beforeMid, limit: 30 });
    if (sought !== mine) return;
    mine.beforeMid = found.beforeMid;
    mine.count += found.messages.length;
    $('hits').append(...found.messages.map(hit));
    // A page may have nothing, and more after it.
    $('search-more').hidden = found.beforeMid === null;
    $('search-note').textContent = noteOf(mine.count, found);
  } catch (error) {
    if (sought === mine) $('search-note').textContent = because(error, HERE);
  }
}

function noteOf(count, { beforeMid, searchedTo }) {
  const isLast = beforeMid === null;
  const sum = count > 0 ? (count === 1 ? '1 message' : `${count} messages`) : isLast ? 'Nothing was found.' : 'Nothing yet';
  const more = isLast ? '' : ', and there may be more';
  const late = searchedTo === null ? '' : ` What was said after ${recent.format(searchedTo)} cannot be found yet.`;
  return sum + more + late;
}

function talkOfHit({ conversation, name, own }) {
  const { user, group } = conversation;
  const named = own || group !== undefined ? null : name;
  return group === undefined ? talkWith('user', user, named) : talkWith('group', group);
}

function hit(message) {
  const talk = talkOfHit(message);
  const who = make('span', { class: 'hit-who' }, make('bdi', { text: message.own ? 'You' : message.name }));
  who.append(message.own || talk.kind === 'group' ? ' in ' : '', message.own || talk.kind === 'group' ? make('bdi', { text: talk.name }) : '');
  const when = make('time', { text: recent.format(message.ts) });
  const text = make('span', { class: 'hit-text', dir: 'auto', text: message.text.slice(0, 300) });
  const press = button('', () => lead(talk, message), 'hit');
  press.replaceChildren(who, when, text);
  return make('li', {}, press);
}

async function lead(talk, { pos }) {
  closeDialogs();
  enter(talk);
  if (!(await reach(talk, pos)) && page.open === talk) say('That is too far back, or is there no more.');
}

$('search-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const isHere = !$('search-here').hidden && $('search-only').checked;
  sought = { words: $('search-words').value.trim(), conversation: isHere ? page.open?.conversation : undefined, count: 0 };
  $('hits').replaceChildren();
  if (sought.words) next();
});

$('search-more').addEventListener('click', next);
$('ask-search').addEventListener('click', () => openSearch());
