// The open conversation: coming in, going out, its head and its end.

import { askFriend } from './asks.js';
import { endEdit, fit } from './composer.js';
import { button, paintFace } from './elements.js';
import { untilText } from './events.js';
import { leaveGroup } from './group.js';
import { lineOf, relate } from './lines.js';
import { changed } from './list.js';
import { $, client, draw, page } from './page.js';
import { showGroup } from './panel.js';
import { block, unfriend } from './people.js';
import { drawOlder, load, read, toEnd } from './reading.js';
import { drawReply, fetchQuoted } from './replies.js';
import { openSearch } from './search.js';
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
  drawReply();
  toEnd();
  drawOlder(talk);
  changed();
  read(talk);
  load(talk);
  fetchQuoted();
  if (matchMedia('(max-width: 44rem)').matches) $('talk-head').focus();
  else $('text').focus();
}

export function leave() {
  if (!page.open) return;
  const talk = page.open;
  client.typing(talk.conversation, false);
  endEdit();
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
  const { kind, id, name, online, isFriend, isBlocked, isGone, members, typers, asking, silentUntil } = page.open;
  paintFace($('talk-face'), page.open, kind === 'user' && isFriend);
  $('talk-name').textContent = name;
  const size = members === null ? '' : members === 1 ? '1 member · ' : `${members} members · `;
  const presence = isFriend ? (online ? 'online' : 'offline') : `no. ${id}`;
  const asks = asking > 0 && page.open.isRun ? `${asking} ${asking === 1 ? 'asks' : 'ask'} to join · ` : '';
  const state = kind === 'group' ? `${asks}${size}no. ${id}` : presence;
  $('talk-state').textContent = isGone ? 'You are not in this group.' : typers || state;
  const talk = page.open;
  const acts = kind === 'group'
    ? [['Group…', () => showGroup(talk)], ['Search here…', () => openSearch(talk)], ['Leave group…', () => leaveGroup(talk), 'danger']]
    : [
        ['Search here…', () => openSearch(talk)],
        isFriend ? ['Remove friend', () => unfriend(talk)] : ['Add friend…', () => askFriend(talk)],
        isBlocked ? ['Unblock', () => block(talk, false)] : ['Block…', () => block(talk, true), 'danger'],
      ];
  $('talk-acts').replaceChildren(...acts.map(([text, act, style]) => button(text, () => attempt(act), style)));
  $('talk-menu').hidden = isGone;
  $('text').placeholder = silentUntil > Date.now() ? `You are muted ${untilText(silentUntil)}` : 'Message';
}

draw.head = drawHead;
