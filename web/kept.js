// What is kept on this device: a token, for as long as this tab lives, or longer where that is wanted; and beside it who is no
// friend and was talked with. It is not a cookie: no other page can make the browser send it.

import { $, client, page, talks } from './page.js';
import { talkWith } from './talk.js';

function store(which) {
  try {
    return window[which];
  } catch {
    return null;
  }
}

/** What cannot be kept, because there is no room, is not. */
function keep(which, key, value) {
  try {
    store(which)?.setItem(key, value);
  } catch {
    store(which)?.removeItem(key);
  }
}

/** People who are no friends, of whom it is kept that they were talked with. */
const MOST_PEOPLE = 100;
const TOKEN = 'chatd token';
const PEOPLE = 'chatd people';

export function keptToken() {
  return store('sessionStorage')?.getItem(TOKEN) ?? store('localStorage')?.getItem(TOKEN) ?? null;
}

export function keepToken(token) {
  const stays = $('stay').checked || store('localStorage')?.getItem(TOKEN);
  keep(stays ? 'localStorage' : 'sessionStorage', TOKEN, token);
}

export function dropToken() {
  for (const which of ['sessionStorage', 'localStorage']) {
    store(which)?.removeItem(TOKEN);
    store(which)?.removeItem(PEOPLE);
  }
}

/** Who is no friend and was talked with is kept beside the token, and as long: no list of the server has them. */
export function keepPeople() {
  if (!client.user || $('house').hidden) return;
  const people = [...talks.values()].filter(({ kind, isFriend }) => kind === 'user' && !isFriend);
  const kept = JSON.stringify({ me: page.me.id, people: people.slice(-MOST_PEOPLE).map(({ id, name }) => [id, name]) });
  keep(store('localStorage')?.getItem(TOKEN) ? 'localStorage' : 'sessionStorage', PEOPLE, kept);
}

export function recallPeople() {
  for (const which of ['sessionStorage', 'localStorage']) {
    const kept = JSON.parse(store(which)?.getItem(PEOPLE) ?? 'null');
    if (kept?.me === page.me.id) kept.people.forEach(([id, name]) => talkWith('user', id, name));
  }
}
