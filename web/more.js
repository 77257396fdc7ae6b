// What can be done with a message: the menu beside it, and what people react with.

import { ERRNO } from '/chatd.js';
import { beginEdit } from './composer.js';
import { button, make } from './elements.js';
import { $, client, page } from './page.js';
import { beginReply } from './replies.js';
import { ask, attempt, say } from './words.js';

const EMOJI = ['👍', '❤️', '😂', '😮', '😢', '🎉'];
/** As long as one that is put together may be. */
const EMOJI_CHARS = 24;

const HERE = {
  [ERRNO.NOT_YOURS]: 'That is possible for a quarter of an hour, and for whoever said it.',
  [ERRNO.NO_SUCH_USER]: 'That message was taken back.',
  [ERRNO.TOO_MANY]: 'There are too many kinds of reactions to this already.',
  [ERRNO.BAD_FIELD]: 'The server does not take that.',
};

export const react = ({ talk, pos }, emoji, on) =>
  attempt(() => client.react(talk.conversation, pos, emoji, on), { ...HERE, [ERRNO.NOT_YOURS]: 'They hear nothing from you.' });

async function takeBack({ talk, pos }) {
  if (!(await ask('Take this message back? Nobody can read it any more then.', 'Take back'))) return;
  await attempt(() => client.recall(talk.conversation, pos), HERE);
}

/** The menu of a row. It is filled when it is opened: there are many. */
export function moreOf(row) {
  const sheet = make('div', { class: 'sheet' });
  const summary = make('summary', { class: 'dots', tabindex: -1, 'aria-label': 'What can be done with this message' });
  summary.append(make('span', { 'aria-hidden': 'true', text: '⋯' }));
  const more = make('details', { class: 'menu more' }, summary, sheet);
  more.addEventListener('toggle', () => {
    sheet.replaceChildren(...(more.open ? acts(row, more) : []));
    if (more.open) sheet.scrollIntoView({ block: 'nearest' });
  });
  return more;
}

function acts(row, more) {
  const isOwn = row.from === page.me.id;
  const entries = [picker(row, more)];
  if (!row.talk.isGone) entries.push(button('Reply…', () => beginReply(row)));
  if (isOwn) entries.push(button('Edit…', () => beginEdit(row)));
  if (isOwn || row.talk.isRun) entries.push(button('Take back…', () => takeBack(row), 'danger'));
  if (navigator.clipboard) entries.push(button('Copy', () => copy(row)));
  return entries;
}

async function copy({ text }) {
  try {
    await navigator.clipboard.writeText(text);
    say('Copied.');
  } catch {
    say('The browser does not allow that.');
  }
}

/** A few to be chosen from, and any other. */
function picker(row, more) {
  const isOn = (emoji) => row.reactions.some((each) => each.emoji === emoji && each.mine);
  const choice = (emoji) => {
    const on = isOn(emoji);
    const pressed = { type: 'button', text: emoji, 'aria-pressed': String(on), 'aria-label': `React with ${emoji}` };
    return make('button', { ...pressed, click: () => react(row, emoji, !on) });
  };
  const input = make('input', { 'aria-label': 'Another emoji', maxlength: EMOJI_CHARS, autocomplete: 'off', required: true });
  const any = make('form', { class: 'any', hidden: true }, input, make('button', { type: 'submit', text: 'React' }));
  any.addEventListener('submit', (event) => {
    event.preventDefault();
    const emoji = input.value.trim();
    more.open = false;
    if (emoji) react(row, emoji, true);
  });
  const other = make('button', { type: 'button', text: '+', 'aria-label': 'Another emoji', 'data-stay': true });
  other.addEventListener('click', () => {
    any.hidden = false;
    input.focus();
  });
  return make('div', { class: 'picker' }, ...EMOJI.map(choice), other, any);
}

/** What people react with, below a message; and whether it has a menu. */
export function drawReactions(row, said) {
  const canChange = client.multi && row.kind === 'said' && row.pos !== null;
  said.querySelector('.more').hidden = !canChange;
  stopAtLast();
  const bar = said.querySelector('.reactions');
  // A button that has the focus keeps it.
  const focused = bar.contains(document.activeElement) ? document.activeElement.dataset.emoji : null;
  const chips = (row.reactions ?? []).map(({ emoji, n, mine }) => {
    const label = `${emoji}, ${n}${mine ? ', with yours' : ''}`;
    const chip = make('button', { type: 'button', 'aria-pressed': String(mine), 'aria-label': label, 'data-emoji': emoji });
    chip.append(make('bdi', { text: emoji }), make('span', { text: String(n) }));
    chip.addEventListener('click', () => react(row, emoji, !mine));
    return chip;
  });
  bar.replaceChildren(...chips);
  bar.hidden = chips.length === 0;
  if (focused !== null) chips.find(({ dataset }) => dataset.emoji === focused)?.focus();
}

// One of all menus is where Tab stops; the arrow keys go on from there.

let stop = null;
function stopAt(summary) {
  if (stop) stop.tabIndex = -1;
  stop = summary ?? null;
  if (stop) stop.tabIndex = 0;
}

const summaries = () => [...$('log').querySelectorAll('.more:not([hidden]) > summary')];

$('log').addEventListener('focusin', ({ target }) => target.matches('.more > summary') && stopAt(target));

let stopping = 0;
/** At the last one, unless somebody is among them: once, however many come. */
function stopAtLast() {
  stopping ||= requestAnimationFrame(() => {
    stopping = 0;
    if (!stop?.isConnected || document.activeElement !== stop) stopAt(summaries().at(-1));
  });
}

$('text').addEventListener('focus', stopAtLast);

$('log').addEventListener('keydown', (event) => {
  if (!event.target.matches('.more > summary') || event.target.parentElement.open) return;
  const all = summaries();
  const to = all[all.indexOf(event.target) + ({ ArrowDown: 1, ArrowUp: -1 }[event.key] ?? NaN)];
  if (!to) return;
  event.preventDefault();
  to.focus();
});
