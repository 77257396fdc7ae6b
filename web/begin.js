// How a conversation is begun: somebody is found, a group is made or joined.

import { ERRNO } from '/chatd.js';
import { standAnew } from './heads.js';
import { $, client } from './page.js';
import { personRow } from './people.js';
import { enter } from './room.js';
import { talkWith } from './talk.js';
import { closeDialogs, onSubmit } from './words.js';

const HERE = { [ERRNO.NOT_YOURS]: 'This group lets nobody in, or not you.', [ERRNO.EXISTS]: 'That is so already, or the name is taken.' };
/** A form of the dialog. */
const onForm = (form, act) => onSubmit($(form), $('new-error'), act, HERE);

onForm('find', async () => {
  $('found').replaceChildren();
  const who = $('find-who').value.trim();
  const person = await client.find(/^[1-9]\d{0,9}$/.test(who) ? Number(who) : who);
  $('found').replaceChildren(personRow(person));
});

onForm('make', async () => {
  const name = $('make-name').value.trim();
  const id = await client.createGroup(name, $('make-about').value.trim());
  const talk = talkWith('group', id, name);
  Object.assign(talk, { members: 1, role: 'owner', join: 'open', description: $('make-about').value.trim() });
  closeDialogs();
  $('make').reset();
  enter(talk);
});

onForm('join', async () => {
  const id = await client.joinGroup(Number($('join-id').value));
  const talk = talkWith('group', id);
  Object.assign(talk, { isGone: false, role: 'normal' });
  standAnew();
  closeDialogs();
  $('join').reset();
  enter(talk);
});

$('ask-new').addEventListener('click', () => {
  $('found').replaceChildren();
  $('new-error').textContent = '';
  $('new').showModal();
});
