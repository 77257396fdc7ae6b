// The list of conversations.

import { clock, dayOf, face, make, paintFace, short } from './elements.js';
import { sentenceText } from './events.js';
import { keepPeople } from './kept.js';
import { $, draw, page, talks } from './page.js';
import { enter } from './room.js';
import { newestFirst, unreadInAll } from './talk.js';

let drawing = 0;
/** Has the list drawn once, however much changes until then. */
export function changed() {
  const unread = unreadInAll();
  document.title = unread > 0 ? `(${unread}) chatd` : 'chatd';
  drawing ||= requestAnimationFrame(drawList);
}

function drawList() {
  drawing = 0;
  const wanted = $('filter').value.trim().toLowerCase();
  const shown = [...talks.values()].filter(({ name }) => name.toLowerCase().includes(wanted));
  shown.sort((a, b) => newestFirst(a, b) || a.name.localeCompare(b.name));
  const focused = document.activeElement;
  shown.forEach((talk, at) => {
    const { element } = entryOf(talk);
    drawEntry(talk);
    if ($('list').children[at] !== element) $('list').insertBefore(element, $('list').children[at] ?? null);
  });
  while ($('list').children.length > shown.length) $('list').lastChild.remove();
  if (focused !== document.activeElement && focused?.isConnected) focused.focus();
  $('nobody').hidden = talks.size > 0;
  keepPeople();
}

/** Where it is in the list. */
export function entryOf(talk) {
  if (talk.entry) return talk.entry;
  const name = make('bdi');
  const [peek, time] = [make('span', { class: 'peek', dir: 'auto' }), make('time')];
  const count = make('span', { class: 'count', hidden: true });
  const picture = face(talk, talk.kind === 'user');
  const named = make('span', { class: 'name' }, name);
  const press = make('button', { class: 'entry', type: 'button', click: () => enter(talk) }, picture, named, time, peek, count);
  talk.entry = { element: make('li', {}, press), press, picture, name, time, peek, count };
  return talk.entry;
}

/** What a row says, in short. */
function peekOf(talk, row) {
  if (row.kind === 'event') return sentenceText(row);
  if (row.kind === 'recalled') return 'A message was taken back.';
  const who = row.from === page.me.id ? 'You: ' : talk.kind === 'group' ? `${row.name}: ` : '';
  return who + row.text.slice(0, 120);
}

function drawEntry(talk) {
  const { last, unreadCount, typers } = talk;
  const { press, picture, name, time, peek, count } = entryOf(talk);
  name.textContent = talk.name;
  paintFace(picture, talk, talk.kind === 'user' && talk.isFriend);
  peek.textContent = typers || (last ? peekOf(talk, last) : '');
  peek.classList.toggle('typing', typers !== '');
  const when = last && dayOf(last.ts) === dayOf(Date.now()) ? clock : short;
  time.textContent = last ? when.format(last.ts) : '';
  count.textContent = unreadCount > 99 ? '99+' : unreadCount;
  count.hidden = unreadCount === 0;
  press.classList.toggle('unread', unreadCount > 0);
  if (talk === page.open) press.setAttribute('aria-current', 'true');
  else press.removeAttribute('aria-current');
  const presence = talk.isFriend ? (talk.online ? ', online' : ', offline') : talk.kind === 'group' ? ', group' : '';
  press.setAttribute('aria-label', `${talk.name}${presence}${unreadCount > 0 ? `, ${unreadCount} unread` : ''}`);
}

$('list').addEventListener('keydown', (event) => {
  const entries = [...$('list').querySelectorAll('.entry')];
  const at = entries.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: entries.length - 1 }[event.key];
  if (to === undefined || !entries[to]) return;
  event.preventDefault();
  entries[to].focus();
});

$('filter').addEventListener('input', changed);

draw.list = changed;
