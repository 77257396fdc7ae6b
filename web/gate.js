// The way in.

import { ERRNO } from '/chatd.js';
import { drawBanner } from './connection.js';
import { paintFace } from './elements.js';
import { dropToken, keptToken } from './kept.js';
import { changed } from './list.js';
import { $, client, page, talks } from './page.js';
import { drawHead, leave } from './room.js';
import { ask, because, closeDialogs } from './words.js';

export function showGate(note = '') {
  leave();
  closeDialogs();
  talks.clear();
  changed();
  drawBanner('');
  $('house').hidden = true;
  $('gate').hidden = false;
  $('gate-note').textContent = note;
  $('again').hidden = keptToken() === null;
  $('password').value = '';
  setWay();
  $(keptToken() === null ? 'name' : 'again').focus();
}

export function showHouse() {
  $('gate').hidden = true;
  $('house').hidden = false;
  $('me-name').textContent = page.me.name;
  $('me-id').textContent = `no. ${page.me.id}`;
  paintFace($('me-face'), { kind: 'user', ...page.me });
  drawHead();
  changed();
}

export function setWay() {
  const registers = $('enter').elements.way.value === 'register';
  $('go').textContent = registers ? 'Register' : 'Log in';
  $('gate-title').textContent = registers ? 'Welcome' : 'Good to see you';
  $('password').autocomplete = registers ? 'new-password' : 'current-password';
  $('gate-error').textContent = '';
}

const takeover = () =>
  ask('You are logged in somewhere else. End that session and go on here?', 'Go on here', 'Leave it');

/** Comes in beside other devices, where the server has the history for that. */
async function besideOthers(enter) {
  try {
    return await enter({ multi: true });
  } catch (error) {
    if (error.errno !== ERRNO.BAD_FIELD) throw error;
    return enter({ multi: false });
  }
}

/** A session that does not live beside others is replaced, if that is wanted. */
async function logIn(name, password) {
  try {
    await besideOthers((how) => client.login(name, password, how));
  } catch (error) {
    if (error.errno !== ERRNO.ONLINE_ALREADY || !(await takeover())) throw error;
    await client.login(name, password, { multi: false, takeover: true });
  }
}

/** Does what lets somebody in, with the form out of use meanwhile. */
async function letIn(act) {
  $('gate-error').textContent = '';
  $('enter').inert = true;
  try {
    await act();
    $('enter').reset();
    setWay();
  } catch (error) {
    $('enter').inert = false;
    if (error.errno === ERRNO.ONLINE_ALREADY) return;
    const wrong = $('enter').elements.way.value === 'register' ? 'This name is taken.' : 'Name or password is wrong.';
    const isPlain = error.errno === ERRNO.REFUSED && /^refused|^id or password/.test(error.message);
    $('gate-error').textContent = isPlain ? wrong : because(error);
    $('password').focus();
  }
  $('enter').inert = false;
}

$('enter').addEventListener('submit', (event) => {
  event.preventDefault();
  const [name, password] = [$('name').value.trim(), $('password').value];
  const registers = $('enter').elements.way.value === 'register';
  dropToken();
  letIn(async () => {
    if (registers) await client.register(name, password);
    await logIn(name, password);
  });
});

$('enter').addEventListener('change', setWay);

/** Comes back with the token that was kept. */
export async function comeBack() {
  $('gate-note').textContent = 'Coming back…';
  $('enter').inert = true;
  try {
    await besideOthers((how) => client.resume(keptToken(), how));
  } catch (error) {
    if (error.errno === ERRNO.REFUSED) dropToken();
    const elsewhere = 'You are logged in somewhere else. Log in to go on here.';
    showGate(error.errno === ERRNO.ONLINE_ALREADY ? elsewhere : error.errno === ERRNO.REFUSED ? '' : because(error));
  }
  $('enter').inert = false;
}

$('again').addEventListener('click', comeBack);
