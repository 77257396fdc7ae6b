// Changes, groups, friendships and search, with the real server.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Chatd, Heard, cable, further, next } from './servers.mjs';
import { ERRNO } from '../chatd.js';

const device = (name) => ({ multi: true, device: name });
const refused = (errno) => (error) => error.errno === errno;

/** All that is told of this kind. */
function all(client, type) {
  const told = [];
  client.on(type, (each) => void told.push(each));
  return told;
}

test('friendships that both want, settings, and what is found', async (t) => {
  const chatd = await Chatd.start(t);
  const amy = await chatd.enter(t, 'amy', device('desk'));
  const pad = await further(t, chatd, 'amy', device('pad'));
  const ben = await chatd.enter(t, 'ben', device('ben'));
  const asks = next(amy.client, 'friend');
  await ben.client.askFriend(amy.id, 'From the pier');
  assert.deepEqual(await asks, { id: ben.id, name: 'ben', what: 'asks', note: 'From the pier', own: false });
  await assert.rejects(ben.client.askFriend(amy.id), refused(ERRNO.EXISTS));
  const later = await further(t, chatd, 'amy', device('later'));
  later.client.close();
  const third = chatd.client(t, device('third'));
  const { asking, settings } = await third.login('amy', 'password of amy');
  assert.deepEqual(asking.map(({ id, name, note }) => [id, name, note]), [[ben.id, 'ben', 'From the pier']]);
  assert.deepEqual(settings, { whoWrites: 'all', readReceipts: true });
  const accepted = [ben, pad].map(({ client }) => next(client, 'friend', ({ what }) => what === 'accepted'));
  await amy.client.answerFriend(ben.id, true);
  for (const event of accepted) assert.equal((await event).what, 'accepted');
  for (const [{ client }, name] of [[amy, 'ben'], [ben, 'amy']]) {
    assert.deepEqual((await client.friends()).map((friend) => friend.name), [name]);
  }
  const gone = next(ben.client, 'friend');
  await amy.client.removeFriend(ben.id);
  assert.equal((await gone).what, 'gone');
  assert.deepEqual(await ben.client.friends(), []);
  const chosen = next(pad.client, 'settings');
  assert.deepEqual(await amy.client.settings({ whoWrites: 'none' }), { whoWrites: 'none', readReceipts: true });
  assert.deepEqual(await chosen, { whoWrites: 'none', readReceipts: true });
  await assert.rejects(ben.client.say({ user: amy.id }, 'x'), refused(ERRNO.NOT_YOURS));
  await amy.client.settings({ whoWrites: 'all', readReceipts: false });
  await ben.client.say({ user: amy.id }, 'A kettle for the boat');
  await amy.client.say({ user: ben.id }, 'Which Kettle?');
  // What is stored is found a little later.
  let found = { messages: [] };
  while (found.messages.length < 2) found = await amy.client.search('kettle');
  assert.deepEqual(found.messages.map(({ text, own, conversation, pos }) => [text, own, conversation, pos]), [
    ['Which Kettle?', true, { user: ben.id }, 2], ['A kettle for the boat', false, { user: ben.id }, 1],
  ]);
  const first = await amy.client.search('kettle', { conversation: { user: ben.id }, limit: 1 });
  assert.deepEqual([first.messages.length, first.complete], [1, false]);
  const second = await amy.client.search('kettle', { beforeMid: first.beforeMid });
  assert.deepEqual(second.messages.map(({ text }) => text), ['A kettle for the boat']);
  await assert.rejects(amy.client.search('?!'), refused(ERRNO.BAD_FIELD));
});
