// The user's own account: the way out, and the password.

import { ERRNO } from '/chatd.js';
import { showGate } from './gate.js';
import { dropToken } from './kept.js';
import { $, client, page } from './page.js';
import { ask, attempt, because, say } from './words.js';

$('out').addEventListener('click', async () => {
  const warning = 'Not everything that you said is safe yet. Log out all the same?';
  if (page.waiting > 0 && !(await ask(warning, 'Log out'))) return;
  dropToken();
  attempt(() => client.logout());
  showGate('You are logged out.');
});

$('ask-password').addEventListener('click', () => {
  $('secret-name').value = page.me.name;
  $('secret-error').textContent = '';
  $('secret').showModal();
});

$('change').addEventListener('submit', async (event) => {
  event.preventDefault();
  try {
    await client.changePassword($('secret-old').value, $('secret-new').value);
    $('secret').close();
    say('Your password is changed.');
  } catch (error) {
    $('secret-error').textContent = error.errno === ERRNO.REFUSED ? 'The present password is another.' : because(error);
  }
});

$('secret').addEventListener('close', () => $('change').reset());
