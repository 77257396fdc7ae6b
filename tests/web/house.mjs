// A server, a browser, and people who have the page open.

import assert from 'node:assert/strict';
import { Chatd, next } from '../../clients/js/test/servers.mjs';
import { Browser } from './browser.mjs';

export async function house(t, ...names) {
  const { keep } = typeof names[0] === 'object' ? names.shift() : {};
  const chatd = await Chatd.start(t, 'tcp', { keep });
  const url = process.env.PAGE ?? `http://127.0.0.1:${chatd.port}/`;
  const browser = await Browser.start(t);
  const people = [];
  for (const name of names) {
    const person = await browser.person(name);
    await person.register(url, name);
    people.push(person);
  }
  return { chatd, url, browser, people };
}

/** Logs out. A friend hears of it, once the server has it: all that was confirmed before is confirmed then. */
export async function logOut(person, friend) {
  await friend.addFriend(await idOf(person));
  const isAway = next(friend, 'presence', ({ online }) => !online);
  await person.click('#me-menu summary');
  await person.click('#out');
  await person.sees('#gate-note', 'You are logged out.');
  await isAway;
}

export const idOf = async (person) => Number((await person.texts('#me-id'))[0].replace('no. ', ''));

/** Nothing that the page did was an error, and it asked nobody else for anything. */
export function isClean(url, ...people) {
  const origin = new URL(url).origin;
  for (const person of people) {
    assert.deepEqual(person.complaints, []);
    assert.ok(person.requests.length > 0);
    for (const asked of person.requests) assert.equal(new URL(asked).origin, origin);
  }
}
