// Up to where the open conversation is read, and the pages of what was said before.

import { ERRNO } from '/chatd.js';
import { changed } from './list.js';
import { $, NEAR_PX, client, draw, page } from './page.js';

/** Messages of the open conversation, while its end is looked at, and of one that is not open: above, the oldest go. */
const MOST_OPEN = 2_000;
const MOST_CLOSED = 400;

export const isAtEnd = () => $('scroll').scrollHeight - $('scroll').scrollTop - $('scroll').clientHeight < NEAR_PX;

export function toEnd() {
  $('scroll').scrollTop = $('scroll').scrollHeight;
}

/** Whether what comes is seen as it comes. */
const isSeen = (talk) => talk === page.open && document.visibilityState === 'visible' && !$('house').hidden && isAtEnd();

/** Forgets what nobody looks at and the server has: a page that is left open for days does not grow. */
export function bound(talk) {
  const isOpen = talk === page.open;
  if (talk.isLoading || (isOpen && !isAtEnd()) || talk.messages.length <= (isOpen ? MOST_OPEN : MOST_CLOSED)) return;
  talk.trim();
  // What is counted as unread and was forgotten is there again when the end is looked at.
  if (isOpen) load(talk);
}

export function read(talk) {
  if (!talk || !isSeen(talk)) return;
  $('newest').hidden = true;
  bound(talk);
  if (client.multi) return mark(talk);
  if (talk.unread.length === 0) return;
  for (const message of talk.unread.splice(0)) client.confirm(message);
  changed();
}

/** Says up to where this user has read, once that is seen and its place is known. */
export function mark(talk) {
  const { conversation, head, stood } = talk;
  if (stood.unread > 0 && (talk.isLoading || (talk.oldest === null && !talk.isWhole))) return;
  if (talk.unreadCount > 0) {
    talk.unread = [];
    Object.assign(stood, { unread: 0, unplaced: 0 });
    changed();
  }
  if (head <= talk.readTo) return;
  const before = talk.readTo;
  talk.readTo = head;
  // One that is not kept is said again with the next.
  client.read(conversation, head).catch(() => talk.readTo === head && (talk.readTo = before));
}

/** Fetches the page before what is there; the newest one where nothing is. */
export async function load(talk, limit = undefined) {
  if (talk.isLoading || talk.isWhole || talk.isGone) return;
  talk.isLoading = true;
  drawOlder(talk);
  try {
    const span = talk.oldest === null ? { limit } : { before: talk.oldest, limit };
    const { rows, chg, complete } = await client.history(talk.conversation, span);
    talk.hasGaps ||= !complete;
    insert(talk, rows, chg);
    talk.oldest = rows[0]?.pos ?? talk.oldest;
    talk.isWhole = rows.length === 0 || talk.oldest === 1;
  } catch (error) {
    if (error.kind === 'refused') talk.isWhole = true;
    if (error.errno === ERRNO.NOT_A_MEMBER || error.errno === ERRNO.NO_SUCH_GROUP) {
      talk.isGone = true;
      draw.head();
    }
  }
  talk.isLoading = false;
  drawOlder(talk);
  changed();
  read(talk);
  if (talk === page.open && !talk.isWhole && client.user && $('scroll').scrollTop < NEAR_PX) await load(talk);
}

/** Puts fetched rows where they belong, and leaves in place what is looked at. */
export function insert(talk, rows, chg = null) {
  const scroll = $('scroll');
  const [wasAtEnd, below] = [isAtEnd(), scroll.scrollHeight - scroll.scrollTop];
  scroll.setAttribute('aria-busy', 'true');
  for (const row of rows) talk.addFetched(row, chg);
  scroll.removeAttribute('aria-busy');
  if (talk !== page.open) return;
  if (wasAtEnd) toEnd();
  else scroll.scrollTop = scroll.scrollHeight - below;
}

export function drawOlder(talk) {
  if (talk !== page.open) return;
  const gaps = talk.hasGaps ? 'Not all that was said here is kept. ' : '';
  const begin = talk.messages.length > 0 ? 'This is the beginning.' : 'Nothing was said here yet.';
  $('older').textContent = gaps + (talk.isLoading ? 'Looking for what was said before…' : talk.isWhole ? begin : '');
}

/** Rows that are fetched to get to one of them; what is farther back is not shown. */
const MOST_REACHED = 10_000;

/** Fetches back to a place of the open conversation, and shows it; whether that is possible. */
export async function reach(talk, pos) {
  while (talk === page.open && !talk.isWhole && client.user && (talk.oldest === null || talk.oldest > pos)) {
    if (talk.messages.length > MOST_REACHED) return false;
    // Another page is on its way, or the next one is asked for.
    if (talk.isLoading) await new Promise(requestAnimationFrame);
    else await load(talk, 200);
  }
  const row = talk.messages.find((each) => each.pos === pos);
  if (talk !== page.open || !row?.line) return false;
  row.line.scrollIntoView({ block: 'center' });
  row.line.classList.remove('shown');
  void row.line.offsetWidth;
  row.line.classList.add('shown');
  row.line.querySelector('summary')?.focus({ preventScroll: true });
  return true;
}
