// The lines of the open conversation: one a message.

import { send } from './composer.js';
import { button, calendar, clock, dayOf, make, whole } from './elements.js';
import { $, draw, page } from './page.js';
import { drawOlder, isAtEnd, toEnd } from './reading.js';

export function lineOf(message) {
  if (message.line) return message.line;
  const mine = message.from === page.me.id;
  const mark = make('span', { class: 'mark', dir: 'ltr', title: whole.format(message.ts) });
  const text = make('span', { class: 'text', text: message.text });
  const from = make('span', { class: 'from' }, make('bdi', { text: message.name }));
  const bubble = make('div', { class: 'bubble', dir: 'auto' }, text, mark);
  const said = make('div', { class: `said${mine ? ' mine' : ''}` }, from, bubble);
  message.line = make('li', {}, make('p', { class: 'day', hidden: true }), said);
  drawState(message);
  return message.line;
}

export function drawState(message) {
  const [, said] = message.line.children;
  const mark = said.querySelector('.mark');
  said.classList.toggle('waiting', message.state === 'waiting');
  said.classList.toggle('failed', message.state === 'failed');
  mark.textContent = `${clock.format(message.ts)} `;
  const signs = { waiting: ['○', ', not safe yet'], failed: ['✕', ', not said'], safe: ['✓', ', safe'], read: ['✓✓', ', read'] };
  const { talk, pos } = message;
  const isRead = talk?.kind === 'user' && pos !== null && pos <= talk.peerRead;
  const [sign, meaning] = message.from === page.me.id ? signs[isRead ? 'read' : message.state ?? 'safe'] : [];
  if (sign) {
    const seen = make('b', { 'aria-hidden': 'true', text: sign });
    mark.append(seen, make('span', { class: 'unseen', text: meaning }));
  }
  said.querySelector('.why')?.remove();
  if (message.state !== 'failed') return;
  const again = button('Say again', () => {
    page.open.remove(message);
    send(page.open, message.text);
  });
  said.append(make('p', { class: 'why' }, make('span', { text: message.why }), again));
}

/** What a line shows because of the one before it. */
export function relate(talk, at) {
  const [before, message] = [talk.messages[at - 1], talk.messages[at]];
  if (!message) return;
  const [day, said] = lineOf(message).children;
  day.hidden = before !== undefined && dayOf(before.ts) === dayOf(message.ts);
  day.textContent = day.hidden ? '' : calendar.format(message.ts);
  const isNear = before && before.from === message.from && message.ts - before.ts < 300_000 && day.hidden;
  said.classList.toggle('first', !isNear);
  said.querySelector('.from').hidden = talk.kind !== 'group';
}

function place(talk, at) {
  const wasAtEnd = isAtEnd();
  const message = talk.messages[at];
  $('log').insertBefore(lineOf(message), talk.messages[at + 1]?.line ?? null);
  relate(talk, at);
  relate(talk, at + 1);
  if (at === talk.messages.length - 1 && !talk.isLoading) message.line.classList.add('fresh');
  if (talk.messages.length === 1) drawOlder(talk);
  if (wasAtEnd || message.state === 'waiting') toEnd();
}

Object.assign(draw, { state: drawState, place });
