// The open conversation: coming in, going out, its head and its end.

import { fit } from './composer.js';
import { button, paintFace } from './elements.js';
import { leaveGroup, showMembers } from './group.js';
import { lineOf, relate } from './lines.js';
import { changed } from './list.js';
import { $, client, draw, page } from './page.js';
import { befriend, block, unfriend } from './people.js';
import { drawOlder, load, read, toEnd } from './reading.js';
import { attempt } from './words.js';

export function enter(talk) {
  if (page.open !== talk) leave();
  page.open = talk;
  if (!$('house').classList.contains('inside')) history.pushState({ talk: talk.key }, '');
  $('house').classList.add('inside');
  $('blank').hidden = true;
  $('room').hidden = false;
  drawHead();
  $('scroll').setAttribute('aria-busy', 'true');
  $('log').replaceChildren(...talk.messages.map(lineOf));
  talk.messages.forEach((_, at) => relate(talk, at));
  $('scroll').removeAttribute('aria-busy');
  $('text').value = talk.draft;
  fit();
  toEnd();
  drawOlder(talk);
  changed();
  read(talk);
  load(talk);
  if (matchMedia('(max-width: 44rem)').matches) $('talk-head').focus();
  else $('text').focus();
}

export function leave() {
  if (!page.open) return;
  const talk = page.open;
  client.typing(talk.conversation, false);
  talk.draft = $('text').value;
  page.open = null;
  $('house').classList.remove('inside');
  $('room').hidden = true;
  $('blank').hidden = false;
  $('newest').hidden = true;
  $('log').replaceChildren();
  talk.trim();
  changed();
}

export function drawHead() {
  if (!page.open) return;
  const { kind, id, name, online, isFriend, isBlocked, isGone, members, typers } = page.open;
  paintFace($('talk-face'), page.open, kind === 'user' && isFriend);
  $('talk-name').textContent = name;
  const size = members === null ? '' : members === 1 ? '1 member · ' : `${members} members · `;
  const presence = isFriend ? (online ? 'online' : 'offline') : `no. ${id}`;
  const state = kind === 'group' ? `${size}no. ${id}` : presence;
  $('talk-state').textContent = isGone ? 'You are not in this group.' : typers || state;
  const acts = kind === 'group'
    ? [['Members…', () => showMembers(page.open)], ['Leave group…', () => leaveGroup(page.open), 'danger']]
    : [
        isFriend ? ['Remove friend', () => unfriend(page.open)] : ['Add friend', () => befriend(page.open.id, page.open.name)],
        isBlocked ? ['Unblock', () => block(page.open, false)] : ['Block…', () => block(page.open, true), 'danger'],
      ];
  $('talk-acts').replaceChildren(...acts.map(([text, act, style]) => button(text, () => attempt(act), style)));
  $('talk-menu').hidden = isGone;
}

draw.head = drawHead;
