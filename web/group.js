// A group, and what is done to it and its members by whoever runs it.

import { button } from './elements.js';
import { standAnew } from './heads.js';
import { changed } from './list.js';
import { client, page, talks } from './page.js';
import { read } from './reading.js';
import { drawHead, leave } from './room.js';
import { talkWith } from './talk.js';
import { HERE_IN_GROUP as HERE, ask, attempt, choose, say } from './words.js';

const HOUR_MS = 3_600_000;
const NEVER = ['0', 'No longer: end it'];
const SPANS = [['1', 'For an hour'], ['24', 'For a day'], ['168', 'For a week'], ['ever', 'For ever']];
const untilOf = (span) => (span === 'ever' ? Infinity : span === '0' ? 0 : Date.now() + Number(span) * HOUR_MS);

/** What this user did is told to all others; here it is put where it belongs. */
export function did(talk, receipt, what, more = {}) {
  if (!receipt.mid) return;
  const nothing = { whom: null, role: null, until: 0, set: { name: null, description: null, join: null } };
  const who = { by: page.me.id, name: page.me.name, own: true };
  talk.add({ kind: 'event', what, ...who, ...nothing, ...more, ...receipt, ts: receipt.ts ?? Date.now() });
  changed();
}

export async function leaveGroup(talk) {
  const others = talk.role === 'owner' ? ' You own it: it is dissolved, for everybody. Hand it over to somebody first to keep it.' : '';
  if (!(await ask(`Leave ${talk.name}?${others}`, talk.role === 'owner' ? 'Dissolve it' : 'Leave'))) return;
  await client.leaveGroup(talk.id);
  if (page.open === talk) leave();
  talks.delete(talk.key);
  changed();
}

async function setRole(talk, member, role) {
  const sentence = `Hand ${talk.name} over to ${member.name}? You are an admin from then on.`;
  if (role === 'owner' && !(await ask(sentence, 'Hand over'))) return false;
  did(talk, await client.setRole(talk.id, member.id, role), 'role', { whom: member, role });
  if (role === 'owner') talk.role = 'admin';
  return true;
}

async function kick(talk, member) {
  const spans = [['0', 'They may come back'], ...SPANS.map(([span, text]) => [span, `Ban them: ${text.toLowerCase()}`])];
  const span = await choose(`Take ${member.name} out of ${talk.name}?`, spans, 'Take out');
  if (span === null) return false;
  const until = untilOf(span);
  did(talk, await client.kick(talk.id, member.id, until === 0 ? {} : { banUntil: until }), 'kicked', { whom: member, until });
  talk.members = Math.max(0, (talk.members ?? 1) - 1);
  return true;
}

async function mute(talk, member) {
  const spans = member.mutedUntil > Date.now() ? [NEVER, ...SPANS] : SPANS;
  const span = await choose(`Mute ${member.name} in ${talk.name}?`, spans, 'Go on');
  if (span === null) return false;
  const until = untilOf(span);
  did(talk, await client.mute(talk.id, member.id, until), 'muted', { whom: member, until });
  return true;
}

export async function muteAll(talk) {
  const span = await choose('Mute everybody who is neither owner nor admin?', [...SPANS, ['0', 'No: let everybody talk']], 'Go on');
  if (span === null) return;
  const until = untilOf(span);
  did(talk, await client.muteAll(talk.id, until), 'muted', { until });
}

/** What this user may do to a member; `done` is called once it is. */
export function memberActs(talk, member, done) {
  const rank = (role) => ['normal', 'admin', 'owner'].indexOf(role);
  if (member.id === page.me.id || rank(talk.role) <= rank(member.role)) return [];
  const act = (text, does, style) =>
    button(text, () => attempt(async () => (await does()) && done(), HERE), style);
  const acts = [];
  if (talk.role === 'owner') {
    const isAdmin = member.role === 'admin';
    acts.push(act(isAdmin ? 'Take the role away' : 'Make an admin', () => setRole(talk, member, isAdmin ? 'normal' : 'admin')));
    acts.push(act('Hand the group over…', () => setRole(talk, member, 'owner')));
  }
  acts.push(act(member.mutedUntil > Date.now() ? 'Muted…' : 'Mute…', () => mute(talk, member)));
  acts.push(act('Take out…', () => kick(talk, member), 'danger'));
  return acts;
}

const isAbout = (row, id) => row.kind === 'event' && ['kicked', 'banned', 'joined'].includes(row.what) && (row.whom?.id ?? row.by) === id;

/** What an event leads to: a ban that goes on can be ended. */
export function eventActs(row) {
  const { what, whom, until, talk } = row;
  const isBan = (what === 'kicked' || what === 'banned') && whom && until > Date.now();
  if (!isBan || !talk.isRun) return [];
  const isLast = talk.messages.findLast((each) => isAbout(each, whom.id)) === row;
  const end = button('End the ban', () => attempt(async () => {
    const receipt = await client.kick(talk.id, whom.id, { banUntil: 0 });
    did(talk, receipt, 'banned', { whom, until: 0 });
    isOver(talk, whom.id);
  }, HERE));
  return isLast ? [end] : [];
}

/** Whatever was said of somebody's ban is not so any more. */
function isOver(talk, id) {
  for (const row of talk.messages) if (isAbout(row, id)) row.line?.querySelector('button')?.remove();
}

// What is told of groups.

/** What it means for this user, and what the page knows of the group. */
function hasHappened(talk, { what, by, name, whom, role, until, set, own }) {
  const concerned = whom?.id ?? by;
  const isMe = concerned === page.me.id;
  const count = (more) => (talk.members = talk.members === null ? null : Math.max(0, talk.members + more));
  if (what === 'joined' || what === 'banned') isOver(talk, concerned);
  if (what === 'joined') count(1);
  if (what === 'left' || what === 'kicked') count(-1);
  if (what === 'joined' && isMe) Object.assign(talk, { isGone: false, role: 'normal' });
  if ((what === 'kicked' || what === 'left') && isMe) talk.isGone = true;
  if (what === 'kicked' && isMe) say(`${name} took you out of ${talk.name}.`);
  if (what === 'role' && isMe) talk.role = role;
  if (what === 'role' && role === 'owner' && own) talk.role = 'admin';
  if (what === 'muted' && whom === null) talk.allMutedUntil = until;
  else if (what === 'muted' && isMe) talk.mutedUntil = until;
  if (what === 'set') {
    Object.assign(talk, set.name === null ? {} : { name: set.name, isNamed: true });
    talk.description = set.description ?? talk.description;
    talk.join = set.join ?? talk.join;
  }
  if (what === 'asks') {
    talk.asking += 1;
    say(`${name} asks to join ${talk.name}.`);
  }
  if (what === 'refused' && isMe) say(`You were not let into ${talk.name}.`);
}

client.on('group', (event) => {
  const { group } = event.conversation;
  const isNew = !talks.has(`group${group}`);
  // Of a group that this user is not in there is nothing to be shown but the answer.
  if (isNew && event.what === 'refused') return say(`You were not let into group ${group}.`);
  client.confirm(event);
  const talk = talkWith('group', group);
  hasHappened(talk, event);
  if (event.mid) talk.add(event);
  if (!talk.isNamed) standAnew();
  if (talk === page.open) drawHead();
  read(talk);
  changed();
});
