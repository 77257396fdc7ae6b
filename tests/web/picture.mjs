// Takes docs/page.png: `node tests/web/picture.mjs docs/page.png`, with a built chatd and a font that has emoji.

import { writeFileSync } from 'node:fs';
import { house } from './house.mjs';
import { more } from './lines.mjs';

const ends = [];

async function scene() {
  const { chatd, people: [amy] } = await house({ after: (end) => ends.push(end) }, 'amy');
  const enter = async (name) => (await chatd.enter({ after: (end) => ends.push(end) }, name, { multi: true })).client;
  const to = { user: Number((await amy.texts('#me-id'))[0].replace('no. ', '')) };
  const [ben, cat, nour, doctor, zoe] = [await enter('ben'), await enter('cat'), await enter('نور'), await enter('Dr. Ōkubo'), await enter('Zoë')];
  for (const friend of [ben, nour]) {
    await friend.askFriend(to.user, '');
    await amy.click('#asks button', 'Accept');
    await amy.until(() => document.querySelector('#asks').hidden);
  }
  await zoe.askFriend(to.user, 'We met at the pier. I had the red boat.');
  const group = await cat.createGroup('Tea at four');
  await amy.click('#ask-new');
  await amy.fill('#join-id', String(group));
  await amy.press('Enter');
  await cat.say({ group }, 'Milk?');
  await amy.sees('#log .text', 'Milk?');
  await amy.click('.entry', 'ben');
  const hear = async (text, how) => {
    const { pos } = await ben.say(to, text, how);
    await amy.sees('#log .text', text);
    return pos;
  };
  const say = async (text) => {
    await amy.say(text);
    await amy.until((text) => [...document.querySelectorAll('.said.mine:not(.waiting) .text')].some((it) => it.textContent === text), text);
  };
  await cat.say({ group }, 'Lemon 🍋');
  await doctor.say(to, 'Could you read the draft before Thursday?');
  await nour.say(to, 'مرحبا، كيف الحال؟');
  await hear('Morning! Is the new server up already?');
  await say('Since an hour. One command, and two people talk.');
  const question = 'And if it dies in the middle of a sentence?';
  const asked = await hear(question);
  await more(amy, question, 'Reply');
  await say('Then this page says so, keeps what you typed, and says it again once the server is back.');
  await hear('Nothing lost, nothing twice?', { reply: asked + 1 });
  await say('That is the promise 🍵');
  await ben.react(to, asked + 1, '👍', true);
  await ben.react(to, asked + 3, '🎉', true);
  await ben.read(to, asked + 3);
  await amy.sees('.reactions button', '🎉');
  await amy.until(() => !document.querySelector('#toast').matches(':popover-open'));
  return amy.picture();
}

try {
  writeFileSync(process.argv[2], await scene());
} finally {
  for (const end of ends.reverse()) await end();
}
