// Where the conversations stand, as the server says it.

import { changed } from './list.js';
import { client } from './page.js';
import { drawHead } from './room.js';
import { talkWith } from './talk.js';

/** How many are asked for at once. */
const MOST_ASKED = 100;

export function stand(heads) {
  for (const { conversation, name, head, mid, ts, read, unread, peerRead } of heads) {
    const { user, group } = conversation;
    const talk = group === undefined ? talkWith('user', user, name) : talkWith('group', group, name);
    Object.assign(talk, { name, isNamed: true });
    Object.assign(talk, { head: Math.max(head, talk.head), readTo: Math.max(read, talk.readTo), unread: [] });
    talk.stood = { head, mid, ts, unread, unplaced: 0 };
    talk.isReadByPeer(peerRead ?? 0);
  }
  drawHead();
  changed();
}

client.on('heads', stand);

let asking = false;
let again = false;
/** Asks where they stand; once more if that is wanted meanwhile. */
export async function standAnew() {
  again = true;
  if (asking) return;
  asking = true;
  try {
    while (again && client.multi) {
      again = false;
      stand((await client.heads({ limit: MOST_ASKED })).heads);
    }
  } catch {
    // They are told after the next login.
  }
  asking = false;
}
