// The page in the hands of those who leave it open, type Chinese, or have a browser that keeps nothing.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { house, isClean } from './house.mjs';

test('a conversation that is not open does not grow for ever, and nothing of it is lost', async (t) => {
  const { chatd, url, people: [amy] } = await house(t, 'amy');
  const ben = await chatd.enter(t, 'ben');
  const { id } = await ben.client.find('amy');
  const texts = Array.from({ length: 650 }, (_, n) => `message ${n + 1}`);
  for (const text of texts) ben.client.say({ user: id }, text);
  await ben.client.say({ user: id }, 'the last one');
  await amy.sees('.entry .count', '99+');
  await amy.sees('.entry .peek', 'the last one');
  await amy.until(() => document.title === '(651) chatd');
  // What was forgotten and is taken back is not unread.
  await ben.client.recall({ user: id }, 1);
  await amy.until(() => document.title === '(650) chatd');
  // The lines that are there as it is opened are those that were kept.
  const kept = await amy.look(() => {
    document.querySelector('.entry').click();
    return document.querySelectorAll('#log li').length;
  });
  assert.ok(kept >= 200 && kept <= 400, `${kept} are kept`);
  await amy.until(() => document.title === 'chatd');
  while (!(await amy.look(() => document.querySelector('#older').textContent.includes('beginning')))) {
    await amy.look(() => {
      document.querySelector('#scroll').scrollTop = 0;
    });
  }
  assert.deepEqual(await amy.said(), ['This message was taken back.', ...texts.slice(1), 'the last one']);
  await amy.reload();
  await amy.find('#me-name', 'amy');
  await amy.sees('.entry .peek', 'the last one');
  assert.equal(await amy.look(() => document.title), 'chatd', 'it was read, on the server too');
  isClean(url, amy);
});

test('a key that chooses a sign says nothing and leads nowhere', async (t) => {
  const { chatd, url, people: [amy] } = await house(t, 'amy');
  await chatd.enter(t, 'ben');
  await amy.findPerson('ben', 'Write');
  await amy.fill('#text', 'にほんご');
  const isLeft = (key, how) => amy.look((key, how) =>
    document.querySelector('#text').dispatchEvent(new KeyboardEvent('keydown', { key, ...how, bubbles: true, cancelable: true })), key, how);
  for (const key of ['Enter', 'Escape']) {
    // Chromium and Firefox say it so, and Safari so, where the last key comes after the end.
    for (const how of [{ isComposing: true, keyCode: 229 }, { isComposing: false, keyCode: 229 }]) {
      assert.ok(await isLeft(key, how), `${key} is not the page's`);
    }
  }
  assert.deepEqual(await amy.texts('#log .text'), []);
  assert.ok(await amy.look(() => !document.querySelector('#room').hidden && document.querySelector('#text').value === 'にほんご'));
  await amy.press('Enter');
  await amy.sees('#log .text', 'にほんご');
  isClean(url, amy);
});

test('where nothing can be kept any more one chats all the same', async (t) => {
  const { chatd, url, browser } = await house(t);
  const amy = await browser.person('amy');
  await amy.go(url);
  await amy.look(() => {
    Storage.prototype.setItem = () => {
      throw new DOMException('The quota has been exceeded.', 'QuotaExceededError');
    };
  });
  await chatd.enter(t, 'ben');
  await amy.click('.choice span', 'Register');
  await amy.fill('#name', 'amy');
  await amy.fill('#password', 'password of amy');
  await amy.press('Enter');
  await amy.find('#me-name', 'amy');
  await amy.findPerson('ben', 'Write');
  await amy.say('hello');
  await amy.sees('#log .text', 'hello');
  isClean(url, amy);
});

test('a group that one is out of, or that is dissolved, has nothing unread', async (t) => {
  const { chatd, url, people: [amy] } = await house(t, 'amy');
  const ben = await chatd.enter(t, 'ben');
  const groups = [await ben.client.createGroup('tea', ''), await ben.client.createGroup('boats', '')];
  for (const group of groups) {
    await amy.click('#ask-new');
    await amy.fill('#join-id', `${group}`);
    await amy.press('Enter');
    await amy.find('#talk-state', `no. ${group}`);
  }
  await amy.reload();
  await amy.find('#me-name', 'amy');
  for (const group of groups) for (const text of ['one', 'two']) await ben.client.say({ group }, text);
  await amy.until(() => document.title === '(4) chatd');
  // As the server counts it, and not this page.
  await amy.reload();
  await amy.until(() => document.title === '(4) chatd');
  await ben.client.kick(groups[0], (await ben.client.find('amy')).id, {});
  await amy.until(() => document.title === '(2) chatd');
  await amy.click('.entry', 'tea');
  await amy.find('#talk-state', 'You are not in this group.');
  // Nobody is told that a group was dissolved: one sees it when one looks at it.
  await ben.client.leaveGroup(groups[1]);
  await amy.click('.entry', 'boats');
  await amy.find('#talk-state', 'You are not in this group.');
  await amy.until(() => document.title === 'chatd');
  isClean(url, amy);
});
