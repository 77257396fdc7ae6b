// What happened to a group, as a sentence. Names in it are data: each is an element of its own.

import { make, recent } from './elements.js';
import { page } from './page.js';

const isMe = (id) => id === page.me.id;
const JOINS = { open: 'everybody may join', ask: 'whoever wants to join has to ask', closed: 'nobody may join' };

/** Until when something holds, as a part of a sentence. */
export function untilText(until) {
  return until === Infinity ? 'for ever' : `until ${recent.format(until)}`;
}

/** The parts of the sentence: texts, and people as `{ id, name }`. */
function parts({ what, by, name, whom, role, until, set }) {
  const who = { id: by, name };
  const other = whom ?? who;
  switch (what) {
    case 'joined':
      return whom ? [who, ' let ', whom, ' in.'] : [who, ' joined.'];
    case 'left':
      return [who, ' left.'];
    case 'role':
      if (role === 'owner') return [who, ' handed the group over to ', other, '.'];
      return [who, role === 'admin' ? ' made ' : ' took the role of an admin from ', other, role === 'admin' ? ' an admin.' : '.'];
    case 'kicked':
      return [who, ' took ', other, ' out', until ? `, and ${banText(until)}.` : '.'];
    case 'banned':
      return until ? [who, ' banned ', other, ` ${untilText(until)}.`] : [who, ' ended the ban of ', other, '.'];
    case 'muted': {
      const all = whom ?? 'everybody';
      return until ? [who, ' muted ', all, ` ${untilText(until)}.`] : [who, ' let ', all, ' talk again.'];
    }
    case 'set':
      return [who, ...setParts(set)];
    case 'asks':
      return [who, ' ', isMe(by) ? 'ask' : 'asks', ' to join.'];
    case 'refused':
      return [who, ' did not let ', other, ' in.'];
    default:
      return [who, ' did something that this page does not know.'];
  }
}

const banText = (until) => (until === Infinity ? 'banned them for ever' : `banned them ${untilText(until)}`);

function setParts({ name, description, join }) {
  const said = [];
  if (name !== null) said.push([' named the group ', { name }]);
  if (description !== null) said.push(description ? [' described the group: ', { name: description }] : [' took its description away']);
  if (join !== null) said.push([` decided that ${JOINS[join] ?? 'one joins in another way'}`]);
  const joined = said.flatMap((each, at) => (at === 0 ? each : [at === said.length - 1 ? ' and' : ',', ...each]));
  return [...(joined.length > 0 ? joined : [' changed nothing']), '.'];
}

const nameOf = ({ id, name }, at) => (id !== undefined && isMe(id) ? (at === 0 ? 'You' : 'you') : name);

/** As text, for the list. */
export function sentenceText(event) {
  return parts(event).map((part, at) => (typeof part === 'string' ? part : nameOf(part, at))).join('');
}

/** As something to be put into the page. */
export function sentence(event) {
  return parts(event).map((part, at) => (typeof part === 'string' ? part : make('bdi', { text: nameOf(part, at) })));
}
