// The panel of a group: what it is about, who asks to join, who is in it.

import { button, make } from './elements.js';
import { untilText } from './events.js';
import { did, memberActs, muteAll } from './group.js';
import { changed } from './list.js';
import { $, client, page } from './page.js';
import { personRow } from './people.js';
import { drawHead } from './room.js';
import { HERE_IN_GROUP as HERE, attempt, onSubmit } from './words.js';

/** The group that it shows. */
let shown = null;

export async function showGroup(talk) {
  shown = talk;
  drawAbout(talk);
  $('asking').replaceChildren();
  $('asking-part').hidden = true;
  $('people').showModal();
  await Promise.all([showMembers(talk), talk.isRun ? showAsking(talk) : undefined]);
}

const JOINS = { open: 'Everybody may join.', ask: 'Whoever wants to join has to ask.', closed: 'Nobody may join.' };

function drawAbout(talk) {
  $('people-title').textContent = talk.name;
  $('about-form').hidden = !talk.isRun;
  $('mute-all').hidden = !talk.isRun;
  $('about').hidden = talk.isRun;
  $('about-text').textContent = talk.description;
  $('about-join').textContent = `No. ${talk.id}. ${JOINS[talk.join] ?? ''}`;
  $('about-name').value = talk.name;
  $('about-desc').value = talk.description;
  $('about-policy').value = talk.join ?? 'open';
  $('about-error').textContent = '';
}

/** Only what is another now is said: each is told to all. */
onSubmit($('about-form'), $('about-error'), async () => {
  const talk = shown;
  const typed = { name: $('about-name').value.trim(), description: $('about-desc').value.trim(), join: $('about-policy').value };
  const before = { name: talk.name, description: talk.description, join: talk.join ?? 'open' };
  const anew = Object.fromEntries(Object.entries(typed).filter(([key, value]) => value !== before[key]));
  if (Object.keys(anew).length === 0) return;
  const receipt = await client.setGroup(talk.id, anew);
  Object.assign(talk, anew);
  did(talk, receipt, 'set', { set: { name: null, description: null, join: null, ...anew } });
  drawAbout(talk);
  $('people-note').textContent = 'Saved.';
  drawHead();
  changed();
}, HERE);

$('mute-all').addEventListener('click', () => attempt(() => muteAll(shown), HERE));

async function showMembers(talk) {
  $('members').replaceChildren();
  $('people-note').textContent = 'Asking…';
  let count = 0;
  for await (const { members } of client.memberPages(talk.id)) {
    if (shown !== talk) return;
    count += members.length;
    for (const member of members) if (member.id === page.me.id) talk.role = member.role;
    $('members').append(...members.map((member) => memberRow(talk, member)));
  }
  talk.members = count;
  $('people-note').textContent = count === 1 ? '1 member' : `${count} members`;
  drawHead();
}

function memberRow(talk, member) {
  const muted = member.mutedUntil > Date.now() ? `muted ${untilText(member.mutedUntil)}` : '';
  const role = member.role === 'normal' ? '' : member.role;
  const acts = memberActs(talk, member, () => showMembers(talk));
  return make('li', {}, personRow(member, [role, muted].filter(Boolean).join(' · '), acts));
}

async function showAsking(talk) {
  const asking = await client.joinRequests(talk.id);
  if (shown !== talk) return;
  talk.asking = asking.length;
  $('asking-part').hidden = asking.length === 0;
  $('asking').replaceChildren(...asking.map((person) => askingRow(talk, person)));
  drawHead();
}

function askingRow(talk, { id, name }) {
  const who = make('span', { class: 'who' }, make('bdi', { text: name }), make('small', { text: `no. ${id}` }));
  const row = make('li', { class: 'person' }, who);
  const answer = (yes) => attempt(async () => {
    const receipt = await client.answerJoin(talk.id, id, yes);
    if (yes) did(talk, receipt, 'joined', { whom: { id, name } });
    await showAsking(talk);
    if (yes) await showMembers(talk);
  }, HERE);
  row.append(button('Let in', () => answer(true), 'primary'), button('Refuse', () => answer(false)));
  return row;
}
