// How a conversation is begun: somebody is found, a group is made or joined.

import { $, client } from './page.js';
import { personRow } from './people.js';
import { enter } from './room.js';
import { talkWith } from './talk.js';
import { because, closeDialogs } from './words.js';

/** What is typed into the dialog for new conversations, and what comes of it. */
function onSubmit(form, act) {
  $(form).addEventListener('submit', async (event) => {
    event.preventDefault();
    $('new-error').textContent = '';
    const submit = $(form).querySelector('[type=submit]');
    submit.disabled = true;
    try {
      await act();
    } catch (error) {
      $('new-error').textContent = because(error);
    }
    submit.disabled = false;
  });
}

onSubmit('find', async () => {
  $('found').replaceChildren();
  const who = $('find-who').value.trim();
  const person = await client.find(/^[1-9]\d{0,9}$/.test(who) ? Number(who) : who);
  $('found').replaceChildren(personRow(person));
});

onSubmit('make', async () => {
  const name = $('make-name').value.trim();
  const id = await client.createGroup(name, $('make-about').value.trim());
  const talk = talkWith('group', id, name);
  talk.members = 1;
  closeDialogs();
  $('make').reset();
  enter(talk);
});

onSubmit('join', async () => {
  const id = await client.joinGroup(Number($('join-id').value));
  // A group's name comes with a login.
  const talk = talkWith('group', id, `Group ${id}`);
  closeDialogs();
  $('join').reset();
  enter(talk);
});

$('ask-new').addEventListener('click', () => {
  $('found').replaceChildren();
  $('new-error').textContent = '';
  $('new').showModal();
});
