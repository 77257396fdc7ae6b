// What is pressed anywhere: Escape, the way back, the arrow keys; and when the page is looked at again.

import { endEdit, isOfSigns } from './composer.js';
import { $, NEAR_PX, client, page } from './page.js';
import { load, read, toEnd } from './reading.js';
import { endReply } from './replies.js';
import { leave } from './room.js';

$('scroll').addEventListener('scroll', () => {
  if (!page.open) return;
  if ($('scroll').scrollTop < NEAR_PX) load(page.open);
  read(page.open);
});

$('newest').addEventListener('click', () => {
  toEnd();
  $('text').focus();
});

$('back').addEventListener('click', () => history.back());

addEventListener('popstate', () => {
  const entry = page.open?.entry?.press;
  leave();
  entry?.focus();
});

addEventListener('keydown', (event) => {
  if (event.key !== 'Escape' || isOfSigns(event) || document.querySelector('dialog[open]')) return;
  const menu = document.querySelector('details.menu[open]');
  if (menu) {
    menu.open = false;
    menu.firstElementChild.focus();
  } else if (endEdit() || endReply()) {
    $('text').focus();
  } else if (page.open && $('house').classList.contains('inside')) {
    history.back();
  }
});

addEventListener('click', ({ target }) => {
  for (const menu of document.querySelectorAll('details.menu[open]')) {
    if (!menu.contains(target) || target.closest('.sheet button:not([data-stay])')) menu.open = false;
  }
  target.closest?.('[data-close]')?.closest('dialog').close();
});

addEventListener('online', () => client.wake());

document.addEventListener('visibilitychange', () => {
  if (document.visibilityState !== 'visible') return;
  client.wake();
  read(page.open);
});

addEventListener('beforeunload', (event) => {
  if (page.waiting > 0) event.preventDefault();
});
