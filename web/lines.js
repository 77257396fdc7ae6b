// The lines of the open conversation: one a row.

import { send } from './composer.js';
import { button, calendar, clock, dayOf, make, whole } from './elements.js';
import { sentence } from './events.js';
import { eventActs } from './group.js';
import { drawReactions, moreOf } from './more.js';
import { $, draw, page } from './page.js';
import { drawOlder, isAtEnd, toEnd } from './reading.js';
import { drawQuote } from './replies.js';

const SIGNS = {
  waiting: ['○', ', not safe yet'], failed: ['✕', ', not said'], safe: ['✓', ', safe'], read: ['✓✓', ', read'],
};

const isMine = ({ from, by }) => (from ?? by) === page.me.id;

export function lineOf(row) {
  if (row.line) return row.line;
  row.line = make('li', {}, make('p', { class: 'day', hidden: true }), row.kind === 'event' ? happened(row) : said(row));
  if (row.kind !== 'event') drawState(row);
  return row.line;
}

function happened(row) {
  return make('p', { class: 'happened', dir: 'auto', title: whole.format(row.ts) }, ...sentence(row), ...eventActs(row));
}

function said(row) {
  const mark = make('span', { class: 'mark', dir: 'ltr', title: whole.format(row.ts) });
  const from = make('span', { class: 'from' }, make('bdi', { text: row.name ?? '' }));
  const bubble = make('div', { class: 'bubble', dir: 'auto' }, make('span', { class: 'text' }), mark);
  const beside = make('div', { class: 'beside' }, bubble, moreOf(row));
  return make('div', { class: `said${isMine(row) ? ' mine' : ''}` }, from, beside, make('div', { class: 'reactions' }));
}

const TAKEN_BACK = 'This message was taken back.';

/** What a row says, which was said or taken back. */
export function textOf({ kind, text, from, by }) {
  if (kind !== 'recalled') return text;
  if (by === page.me.id) return 'You took this message back.';
  return from !== undefined && from !== by ? 'An admin took this message back.' : TAKEN_BACK;
}

export function drawState(row) {
  const [, said] = row.line.children;
  const [mark, text] = [said.querySelector('.mark'), said.querySelector('.text')];
  for (const state of ['waiting', 'failed']) said.classList.toggle(state, row.state === state);
  said.classList.toggle('gone', row.kind === 'recalled');
  text.textContent = textOf(row);
  mark.textContent = `${row.rev > 0 && row.kind === 'said' ? 'edited ' : ''}${clock.format(row.ts)} `;
  const { talk, pos } = row;
  const isRead = talk?.kind === 'user' && pos !== null && pos <= talk.peerRead;
  const [sign, meaning] = isMine(row) && row.kind === 'said' ? SIGNS[isRead ? 'read' : row.state ?? 'safe'] : [];
  if (sign) {
    const seen = make('b', { 'aria-hidden': 'true', text: sign });
    mark.append(seen, make('span', { class: 'unseen', text: meaning }));
  }
  drawQuote(row);
  drawReactions(row, said);
  said.querySelector('.why')?.remove();
  if (row.state === 'failed') said.append(whyNot(row));
}

function whyNot(row) {
  const again = button('Say again', () => {
    page.open.remove(row);
    send(page.open, row.text, row.reply);
  });
  return make('p', { class: 'why' }, make('span', { text: row.why }), again);
}

/** What a line shows because of the one before it. */
export function relate(talk, at) {
  const [before, row] = [talk.messages[at - 1], talk.messages[at]];
  if (!row) return;
  const [day, said] = lineOf(row).children;
  day.hidden = before !== undefined && dayOf(before.ts) === dayOf(row.ts);
  day.textContent = day.hidden ? '' : calendar.format(row.ts);
  if (row.kind === 'event') return;
  const isOfSame = before && before.kind !== 'event' && row.from !== undefined && before.from === row.from;
  said.classList.toggle('first', !(isOfSame && row.ts - before.ts < 300_000 && day.hidden));
  said.querySelector('.from').hidden = talk.kind !== 'group' || !row.name;
}

function place(talk, at) {
  const wasAtEnd = isAtEnd();
  const row = talk.messages[at];
  $('log').insertBefore(lineOf(row), talk.messages[at + 1]?.line ?? null);
  relate(talk, at);
  relate(talk, at + 1);
  if (at === talk.messages.length - 1 && !talk.isLoading) row.line.classList.add('fresh');
  if (talk.messages.length === 1) drawOlder(talk);
  if (wasAtEnd || row.state === 'waiting') toEnd();
}

Object.assign(draw, { state: drawState, place });
