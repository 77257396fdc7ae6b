// What a message replies to: a quote above its text, which leads there; and what the next message replies to.

import { button, make } from './elements.js';
import { sentenceText } from './events.js';
import { textOf } from './lines.js';
import { $, client, draw, page } from './page.js';
import { isAtEnd, reach, toEnd } from './reading.js';
import { say } from './words.js';

/** Characters of what is quoted, at most. */
const MOST_QUOTED = 300;

/** Above the text of a row, if it replies to something, what that is. */
export function drawQuote(row) {
  const bubble = row.line.querySelector('.bubble');
  let quote = bubble.querySelector('.quote');
  if (row.kind !== 'said' || !row.reply) {
    quote?.remove();
    return;
  }
  if (!quote) {
    quote = button('', () => lead(row), 'quote');
    // What is quoted has no say in the direction of the message.
    quote.dir = 'auto';
    bubble.prepend(quote);
  }
  const original = originalOf(row);
  quote.disabled = original === null;
  quote.replaceChildren(make('span', { class: 'unseen', dir: 'ltr', text: 'In reply to ' }), ...shown(original));
}

/** What a row replies to: undefined where that is not known yet, null where it is nothing. */
function originalOf({ talk, reply, pos }) {
  // Nobody replies to what is said later.
  if (pos !== null && reply >= pos) return null;
  const original = talk.at(reply);
  if (original === undefined) {
    talk.wanted.add(reply);
    fetchQuoted();
  }
  return original;
}

function shown(row) {
  if (row === undefined) return [make('span', { class: 'quoted', text: 'an earlier message' })];
  if (row === null) return [make('span', { class: 'quoted', text: 'a message that is not here' })];
  // A character that is cut in two is left out.
  const text = (row.kind === 'event' ? sentenceText(row) : textOf(row)).slice(0, MOST_QUOTED).replace(/[\ud800-\udbff]$/, '');
  const quoted = make('span', { class: 'quoted', dir: 'auto', text });
  return row.kind === 'said' ? [make('bdi', { text: whoSaid(row) }), quoted] : [quoted];
}

const whoSaid = ({ from, name }) => (from === page.me.id ? 'You' : name);

async function lead({ talk, reply }) {
  if (!(await reach(talk, reply)) && page.open === talk) say('That is too far back, or is there no more.');
}

let fetching = false;
/** Fetches what the open conversation quotes and does not have, one after the other. */
export async function fetchQuoted() {
  if (fetching) return;
  fetching = true;
  try {
    while (page.open?.wanted.size > 0 && client.user) {
      // It may be in the page that is on its way.
      if (page.open.isLoading) await new Promise(requestAnimationFrame);
      else await fetchOne(page.open);
    }
  } catch {
    // It is asked for again when the conversation is opened, or the connection is back.
  }
  fetching = false;
}

async function fetchOne(talk) {
  const [pos] = talk.wanted;
  const { rows, chg } = await client.history(talk.conversation, { before: pos + 1, limit: 1 });
  const [row, wasAtEnd] = [rows.at(-1), talk === page.open && isAtEnd()];
  talk.quote(pos, row?.pos === pos ? row : null, chg);
  if (wasAtEnd) toEnd();
}

export function beginReply(row) {
  const wasAtEnd = isAtEnd();
  row.talk.replyTo = row;
  drawReply();
  if (wasAtEnd) toEnd();
  $('text').focus();
}

/** Whether the next message was to be a reply. */
export function endReply() {
  if (!page.open?.replyTo) return false;
  page.open.replyTo = null;
  drawReply();
  return true;
}

/** Above the field, what the next message replies to. */
export function drawReply() {
  const row = page.open?.replyTo ?? null;
  $('replying').hidden = row === null;
  $('reply-to').replaceChildren(...(row === null ? [] : shown(row)));
  if (row === null) $('text').removeAttribute('aria-describedby');
  else $('text').setAttribute('aria-describedby', 'reply-to');
}

$('reply-end').addEventListener('click', () => {
  endReply();
  $('text').focus();
});

Object.assign(draw, { quote: drawQuote, reply: drawReply });
