// What becomes of messages: what the client tells of edits, recalls and reactions.

import { standAnew } from './heads.js';
import { changed } from './list.js';
import { client, page } from './page.js';
import { isAtEnd, toEnd } from './reading.js';
import { talkOf } from './talk.js';

client.on('changed', (change) => {
  const talk = talkOf(change.conversation);
  if (!talk) return;
  const wasAtEnd = talk === page.open && isAtEnd();
  const isKnown = talk.change(change);
  // One that was counted as unread and is not here: the server knows what is left.
  if (change.kind === 'recall' && !isKnown && change.pos > talk.readTo && talk.unreadCount > 0) standAnew();
  if (wasAtEnd) toEnd();
  changed();
});

client.on('recalled', (row) => {
  talkOf(row.conversation)?.add(row);
  changed();
});
