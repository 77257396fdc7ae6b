// What is typed, and said.

import { drawBanner } from './connection.js';
import { drawState } from './lines.js';
import { changed } from './list.js';
import { $, client, page } from './page.js';
import { because } from './words.js';

export function send(talk, text) {
  client.typing(talk.conversation, false);
  const message = {
    from: page.me.id, name: page.me.name, text, ts: Date.now(), cid: null, mid: null, pos: null, state: 'waiting',
  };
  talk.add(message);
  changed();
  page.waiting += 1;
  client.say(talk.conversation, text).then(
    (receipt) => {
      talk.remove(message);
      Object.assign(message, receipt, { ts: receipt.ts ?? message.ts, state: 'safe' });
      const known = talk.add(message);
      if (known.line) drawState(known);
    },
    (error) => {
      Object.assign(message, { state: 'failed', why: because(error) });
      if (message.line) drawState(message);
    },
  ).finally(() => {
    page.waiting -= 1;
    drawBanner();
    changed();
  });
  drawBanner();
}

$('composer').addEventListener('submit', (event) => {
  event.preventDefault();
  const text = $('text').value.trim();
  if (!text || !page.open || page.open.isGone) return;
  send(page.open, text);
  $('text').value = '';
  fit();
  $('text').focus();
});

$('text').addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $('composer').requestSubmit();
});

/** As high as what is typed, where the browser does not see to it. */
export function fit() {
  if (CSS.supports('field-sizing', 'content')) return;
  $('text').rows = Math.min(6, $('text').value.split('\n').length);
}

$('text').addEventListener('input', () => {
  fit();
  if (page.open && !page.open.isGone) client.typing(page.open.conversation, $('text').value.trim() !== '');
});
