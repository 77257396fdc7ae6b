// Whether there is a connection, and what is said of it.

import { ERRNO } from '/chatd.js';
import { showGate } from './gate.js';
import { dropToken, keepToken } from './kept.js';
import { $, client, page } from './page.js';
import { because, say } from './words.js';

let outage = '';
/** Tells what the connection is like; `told` is the news. */
export function drawBanner(told = outage) {
  outage = told;
  const kept = page.waiting === 1 ? ' One message waits and is kept.' : ` ${page.waiting} messages wait and are kept.`;
  $('banner').textContent = told + (page.waiting > 0 ? kept : '');
  $('banner').hidden = !told;
}

client.on('lost', ({ reason, retryInMs }) => {
  if (retryInMs !== null) drawBanner(`Connection lost (${reason}). Trying again…`);
});
client.on('unreachable', ({ reason }) => {
  drawBanner(`The server cannot be reached (${reason}). Trying again…`);
  $('gate-note').textContent = 'The server cannot be reached. Trying again…';
});
client.on('connected', () => {
  $('gate-note').textContent = '';
  if (outage) drawBanner('Connected. Logging in again…');
});
client.on('delayed', (refusal) => drawBanner(`The server does not let you in just now: ${because(refusal)}`));
client.on('notice', (refusal) => say(because(refusal)));
client.on('announcement', ({ text }) => say(text));
client.on('token', (token) => token && keepToken(token));
client.on('signedout', (refusal) => {
  const replaced = refusal.errno === ERRNO.REPLACED || refusal.errno === ERRNO.ONLINE_ALREADY;
  if (!replaced) dropToken();
  showGate(replaced ? 'This session was ended from elsewhere.' : `You are logged out: ${because(refusal)}`);
});
