// What is typed, and said.

import { ERRNO } from '/chatd.js';
import { drawBanner } from './connection.js';
import { drawState } from './lines.js';
import { changed } from './list.js';
import { $, client, page } from './page.js';
import { isAtEnd, toEnd } from './reading.js';
import { endReply } from './replies.js';
import { because, say } from './words.js';

/** Says it; `reply` is the place of what it replies to, or null. */
export function send(talk, text, reply = null) {
  client.typing(talk.conversation, false);
  const message = {
    kind: 'said', from: page.me.id, name: page.me.name, text, reply, ts: Date.now(), cid: null, mid: null, pos: null, rev: 0,
    reactions: [], state: 'waiting',
  };
  talk.add(message);
  changed();
  page.waiting += 1;
  client.say(talk.conversation, text, { reply: reply ?? undefined }).then(
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

/** The message that is edited, and what was typed before that; or null. */
let editing = null;

export function beginEdit(row) {
  endEdit();
  const wasAtEnd = isAtEnd();
  editing = { row, draft: $('text').value };
  $('text').value = row.text;
  $('editing').hidden = false;
  fit();
  if (wasAtEnd) toEnd();
  $('text').focus();
}

/** What was typed before is there again. Whether anything was edited. */
export function endEdit() {
  if (!editing) return false;
  $('text').value = editing.draft;
  editing = null;
  $('editing').hidden = true;
  fit();
  return true;
}

async function edit(text) {
  const { row } = editing;
  endEdit();
  if (text === row.text) return;
  try {
    await client.edit(row.talk.conversation, row.pos, text);
  } catch (error) {
    say(because(error, { [ERRNO.NOT_YOURS]: 'It is too late to change this: that is possible for a quarter of an hour.' }));
    // What was typed is not lost.
    if (page.open !== row.talk || editing || row.kind !== 'said') return;
    beginEdit(row);
    $('text').value = text;
  }
}

/** The last thing that this user said. */
function beginLast(event) {
  const row = page.open?.messages.findLast(({ kind, from, pos }) => kind === 'said' && from === page.me.id && pos !== null);
  if (!row || !client.multi) return;
  event.preventDefault();
  beginEdit(row);
}

$('edit-end').addEventListener('click', () => {
  endEdit();
  $('text').focus();
});

$('composer').addEventListener('submit', (event) => {
  event.preventDefault();
  const text = $('text').value.trim();
  if (!text || !page.open || page.open.isGone) return;
  if (editing) edit(text);
  else {
    send(page.open, text, page.open.replyTo?.pos);
    endReply();
    $('text').value = '';
  }
  fit();
  $('text').focus();
});

/** Whether a key is for what turns keys into signs (of Chinese, say), and not for the page: 229 is how Safari still says it at the end. */
export const isOfSigns = ({ isComposing, keyCode }) => isComposing || keyCode === 229;

$('text').addEventListener('keydown', (event) => {
  if (event.key === 'ArrowUp' && $('text').value === '' && !editing) return beginLast(event);
  if (event.key !== 'Enter' || event.shiftKey || isOfSigns(event)) return;
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
  if (page.open && !page.open.isGone && !editing) client.typing(page.open.conversation, $('text').value.trim() !== '');
});
