// A group: who is in it, and leaving it.

import { make } from './elements.js';
import { changed } from './list.js';
import { $, client, page, talks } from './page.js';
import { personRow } from './people.js';
import { drawHead, leave } from './room.js';
import { ask } from './words.js';

export async function leaveGroup(talk) {
  if (!(await ask(`Leave ${talk.name}? If you made it, it is dissolved for everybody.`, 'Leave'))) return;
  await client.leaveGroup(talk.id);
  if (page.open === talk) leave();
  talks.delete(talk.key);
  changed();
}

export async function showMembers(talk) {
  $('members').replaceChildren();
  $('people-title').textContent = `Members of ${talk.name}`;
  $('people-note').textContent = 'Asking…';
  $('people').showModal();
  let count = 0;
  for await (const { members } of client.memberPages(talk.id)) {
    count += members.length;
    $('members').append(...members.map((member) => make('li', {}, personRow(member, member.role))));
  }
  talk.members = count;
  $('people-note').textContent = count === 1 ? '1 member' : `${count} members`;
  drawHead();
}
