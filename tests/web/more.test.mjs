// What becomes of messages, groups and friendships on the page, and how what was said is found again.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ERRNO } from '../../clients/js/chatd.js';
import { house, idOf, isClean, logOut } from './house.mjs';
import { HOSTILE, PHONE, beforeField, isNarrow, more, strangers } from './lines.mjs';

async function group(person, act) {
  await person.click('#talk-menu summary');
  await person.click('#talk-acts button', act);
}

/** Presses something in the menu of a member. */
async function member(person, name, act) {
  const at = await person.until(
    (name) => [...document.querySelectorAll('#members li')].findIndex((row) =>
      row.querySelector('bdi').textContent === name && row.querySelector('summary')) + 1,
    name,
  );
  await person.click(`#members li:nth-child(${at}) summary`);
  await person.click(`#members li:nth-child(${at}) .sheet button`, act);
}

async function makeGroup(person, name) {
  await person.click('#ask-new');
  await person.fill('#make-name', name);
  await person.press('Enter');
  return person.until(() => Number(/no\. (\d+)$/.exec(document.querySelector('#talk-state').textContent)?.[1] ?? 0));
}

test('a message is edited, reacted to and taken back, on every device of both', async (t) => {
  const { url, browser, people: [amy, ben] } = await house(t, 'amy', 'ben');
  const phone = await browser.person('phone', PHONE);
  await phone.logIn(url, 'amy');
  await amy.findPerson('ben', 'Write');
  await amy.say('Tee?');
  await ben.click('.entry', 'amy');
  await phone.click('.entry', 'ben');
  const all = [amy, ben, phone];
  for (const page of all) await page.sees('#log .text', 'Tee?');
  // With the keyboard: what was said last is edited, and Escape leaves it as it is.
  await amy.sees('.said.mine .mark', '✓');
  await amy.press('ArrowUp');
  await amy.sees('#editing', 'Editing');
  await amy.press('Escape');
  await amy.until(() => document.querySelector('#editing').hidden && document.querySelector('#text').value === '');
  await amy.press('ArrowUp');
  await amy.fill('#text', 'Tea? <b>');
  await amy.press('Enter');
  for (const page of all) {
    await page.sees('#log .text', 'Tea? <b>');
    await page.sees('#log .mark', 'edited');
    // A phone shows the conversation alone.
    if (page !== phone) await page.sees('.entry .peek', 'Tea? <b>');
  }
  // The menu of the last message is before the field, and the arrow keys go to those before it.
  await beforeField(ben);
  await ben.press('Enter');
  await ben.find('.more[open] .picker button', '👍');
  await ben.press('Tab');
  await ben.until(() => document.activeElement.textContent === '👍');
  await ben.press('Enter');
  for (const page of all) await page.sees('.reactions button', '👍1');
  await phone.click('.reactions button', '👍');
  for (const page of all) await page.sees('.reactions button', '👍2');
  await phone.until(() => document.querySelector('.reactions button').getAttribute('aria-pressed') === 'true');
  await phone.click('.reactions button', '👍');
  for (const page of all) await page.sees('.reactions button', '👍1');
  await ben.until(() => document.querySelector('.reactions button').getAttribute('aria-pressed') === 'true');
  // Any other, also one that is none.
  await ben.click('.more > summary');
  await ben.click('.picker button', '+');
  await ben.type('<b>x</b>');
  await ben.press('Enter');
  for (const page of all) await page.sees('.reactions bdi', '<b>x</b>');
  await phone.until(isNarrow);
  await amy.say('Nothing');
  await ben.until(() => document.querySelectorAll('#log li').length === 2);
  await beforeField(ben);
  await ben.press('ArrowUp');
  await ben.until(() => document.activeElement.closest('#log li')?.querySelector('.text').textContent === 'Tea? <b>');
  await ben.press('ArrowDown');
  await ben.until(() => document.activeElement.closest('#log li')?.querySelector('.text').textContent === 'Nothing');
  await more(amy, 'Nothing', 'Take back');
  await amy.click('#question-yes');
  await amy.sees('#log .text', 'You took this message back.');
  await ben.sees('#log .text', 'This message was taken back.');
  await ben.sees('.entry .peek', 'A message was taken back.');
  // After a reload everything is as it was.
  for (const page of all) {
    await page.reload();
    await page.click('.entry', page === ben ? 'amy' : 'ben');
    await page.sees('#log .text', 'Tea? <b>');
    await page.sees('#log .mark', 'edited');
    await page.sees('.reactions button', '👍1');
    await page.sees('#log .gone .text', page === ben ? 'This message was taken back.' : 'You took this message back.');
    assert.equal(await page.look(strangers), 0);
  }
  isClean(url, ...all);
});

test('what was taken back is not unread, here and on a device that comes later', async (t) => {
  const { chatd, url, people: [amy] } = await house(t, 'amy');
  const ben = await chatd.enter(t, 'ben', { multi: true });
  const to = { user: await idOf(amy) };
  const places = [];
  for (const text of ['one', 'two', 'three', 'four']) places.push((await ben.client.say(to, text)).pos);
  await amy.sees('.entry .count', '4');
  await ben.client.recall(to, places[1]);
  await amy.sees('.entry .count', '3');
  await amy.until(() => document.title === '(3) chatd');
  // Counted by the server before the page came, and not yet fetched.
  await logOut(amy, ben.client);
  await amy.logIn(url, 'amy');
  await amy.sees('.entry .count', '3');
  await ben.client.recall(to, places[0]);
  await amy.sees('.entry .count', '2');
  await ben.client.recall(to, places[3]);
  await amy.sees('.entry .count', '1');
  await amy.until(() => document.title === '(1) chatd');
  await amy.reload();
  await amy.sees('.entry .count', '1');
  await amy.click('.entry', 'ben');
  await amy.until(() => document.title === 'chatd');
  await amy.until(() => document.querySelectorAll('#log .text').length === 4);
  assert.deepEqual(await amy.texts('#log .said:not(.gone) .text'), ['three']);
  isClean(url, amy);
});

test('a group is run: roles, muting, taking out, a ban and its end', async (t) => {
  const { chatd, url, people: [amy, ben] } = await house(t, 'amy', 'ben');
  const cat = await chatd.enter(t, HOSTILE, { multi: true });
  const no = await makeGroup(amy, 'tea');
  await cat.client.joinGroup(no);
  await ben.click('#ask-new');
  await ben.fill('#join-id', String(no));
  await ben.press('Enter');
  // Its name comes with the first that happens in it.
  await ben.sees('#talk-name', `Group ${no}`);
  await amy.say('Welcome');
  await ben.sees('#talk-name', 'tea');
  await amy.sees('#log .happened', 'ben joined.');
  await amy.sees('#log .happened bdi', HOSTILE);
  await group(amy, 'Group');
  await member(amy, 'ben', 'Make an admin');
  await ben.sees('#log .happened', 'amy made you an admin.');
  await amy.sees('#members small', 'admin');
  await amy.press('Escape');
  await amy.sees('#log .happened', 'You made ben an admin.');
  // An admin mutes and takes out who has no role.
  await group(ben, 'Group');
  await member(ben, HOSTILE, 'Mute');
  await ben.click('#question-kinds label', 'For a day');
  await ben.click('#question-yes');
  await ben.sees('#members small', 'muted until');
  await assert.rejects(cat.client.say({ group: no }, 'x'), ({ errno }) => errno === ERRNO.MUTED);
  await member(ben, HOSTILE, 'Muted');
  await ben.click('#question-kinds label', 'No longer');
  await ben.click('#question-yes');
  await ben.until(() => ![...document.querySelectorAll('#members small')].some((it) => it.textContent.includes('muted')));
  await cat.client.say({ group: no }, 'Here again');
  await amy.sees('#log .text', 'Here again');
  await member(ben, HOSTILE, 'Take out');
  await ben.click('#question-kinds label', 'for ever');
  await ben.click('#question-yes');
  await ben.sees('#people-note', '2 members');
  await ben.press('Escape');
  await amy.sees('#log .happened', 'banned them for ever.');
  await assert.rejects(cat.client.joinGroup(no), ({ errno }) => errno === ERRNO.NOT_YOURS);
  await amy.click('.happened button', 'End the ban');
  await ben.sees('#log .happened', 'ended the ban of');
  for (const page of [amy, ben]) await page.until(() => document.querySelectorAll('.happened button').length === 0);
  assert.equal(await cat.client.joinGroup(no), no);
  // What is said by somebody who has no role can be taken back by one who has.
  await more(amy, 'Here again', 'Take back');
  await amy.click('#question-yes');
  await ben.sees('#log .gone .text', 'An admin took this message back.');
  await ben.sees('#log .happened', `${HOSTILE} joined.`);
  // What happened is there after a reload, and in the list.
  const before = await ben.texts('#log .happened');
  await ben.reload();
  await ben.click('.entry', 'tea');
  await ben.until((count) => document.querySelectorAll('#log .happened').length >= count, before.length);
  assert.deepEqual((await ben.texts('#log .happened')).slice(-before.length), before);
  for (const page of [amy, ben]) assert.equal(await page.look(strangers), 0);
  isClean(url, amy, ben);
});

test('a group that is asked to be joined, called otherwise, muted, handed over and dissolved, on a phone', async (t) => {
  const { url, browser, people: [ben] } = await house(t, 'ben');
  const amy = await browser.person('amy', PHONE);
  await amy.register(url, 'amy');
  const no = await makeGroup(amy, 'tea');
  await group(amy, 'Group');
  await amy.fill('#about-name', HOSTILE);
  await amy.fill('#about-desc', '<b>Every day</b>');
  await amy.look(() => (document.querySelector('#about-policy').value = 'ask'));
  await amy.click('#about-form button', 'Save');
  await amy.sees('#people-note', 'Saved.');
  assert.ok(await amy.look(isNarrow));
  await amy.press('Escape');
  await amy.sees('#talk-name', HOSTILE);
  await amy.sees('#log .happened', 'whoever wants to join has to ask.');
  const join = async () => {
    await ben.fill('#join-id', String(no));
    await ben.press('Enter');
    await ben.sees('#new-error', 'Whoever runs the group will answer.');
  };
  await ben.click('#ask-new');
  await join();
  await amy.saw('#toast', 'ben asks to join');
  await amy.sees('#talk-state', '1 asks to join');
  await group(amy, 'Group');
  await amy.click('#asking button', 'Refuse');
  await amy.until(() => document.querySelector('#asking-part').hidden);
  await ben.saw('#toast', 'You were not let into');
  await join();
  await amy.press('Escape');
  await amy.sees('#talk-state', 'asks to join');
  await group(amy, 'Group');
  await amy.click('#asking button', 'Let in');
  await amy.sees('#members bdi', 'ben');
  await ben.press('Escape');
  await ben.click('.entry', `Group ${no}`);
  await ben.sees('#log .happened', 'amy let you in.');
  // All who have no role are muted, and are told so.
  await amy.click('#mute-all');
  await amy.click('#question-yes');
  await ben.sees('#log .happened', 'amy muted everybody');
  await ben.sees('#talk-name', HOSTILE);
  await ben.until(() => document.querySelector('#text').placeholder.includes('muted'));
  await ben.say('Hm');
  await ben.sees('.why', 'You are muted in this group.');
  // Handed over: the old owner is an admin, and may not do that again.
  await member(amy, 'ben', 'Hand the group over');
  await amy.click('#question-yes');
  await ben.sees('#log .happened', 'amy handed the group over to you.');
  await ben.until(() => document.querySelector('#text').placeholder === 'Message');
  await amy.until(() => [...document.querySelectorAll('#members .who')].some((who) => /^ben.* · owner$/.test(who.textContent)));
  assert.equal(await amy.look(() => document.querySelectorAll('#members summary').length), 1);
  await ben.click('.why button', 'Say again');
  await ben.sees('.said.mine:not(.failed, .waiting) .mark', '✓');
  await amy.press('Escape');
  await amy.sees('#log .text', 'Hm');
  await group(ben, 'Leave');
  await ben.click('#question-yes', 'Dissolve it');
  await ben.until(() => document.querySelectorAll('.entry').length === 0);
  assert.equal(await amy.look(strangers), 0);
  isClean(url, amy, ben);
});

test('somebody asks to be a friend, and is refused, and accepted; and friends can part', async (t) => {
  const { chatd, url, browser, people: [amy, ben] } = await house(t, 'amy', 'ben');
  const phone = await browser.person('phone', PHONE);
  await phone.logIn(url, 'ben');
  const ask = async (note) => {
    await amy.click('#found button', 'Add friend');
    await amy.fill('#friend-note', note);
    await amy.press('Enter');
    await amy.saw('#toast', 'ben is asked.');
    for (const page of [ben, phone]) await page.sees('#asks q', note);
  };
  await amy.click('#ask-new');
  await amy.fill('#find-who', 'ben');
  await amy.press('Enter');
  await ask(HOSTILE);
  assert.deepEqual([await ben.look(strangers), await phone.look(isNarrow)], [0, true]);
  // It is there after a reload, and answered on one device it is answered on the other.
  await phone.reload();
  await phone.sees('#asks q', HOSTILE);
  await phone.click('#asks button', 'Refuse');
  for (const page of [ben, phone]) await page.until(() => document.querySelector('#asks').hidden);
  await ask('It is me');
  await ben.click('#asks button', 'Accept');
  for (const page of [ben, phone]) {
    await page.until(() => document.querySelector('#asks').hidden);
    await page.until(() => document.querySelector('.entry')?.getAttribute('aria-label') === 'amy, online');
  }
  await amy.saw('#toast', 'ben is a friend now.');
  await amy.click('#found button', 'Write');
  await amy.sees('#talk-state', 'online');
  await group(amy, 'Remove friend');
  await ben.saw('#toast', 'amy is no friend any more.');
  // Who asks while being asked says yes.
  const cat = await chatd.enter(t, 'cat', { multi: true });
  await cat.client.askFriend((await cat.client.find('amy')).id, '');
  await amy.sees('#asks bdi', 'cat');
  await amy.findPerson('cat', 'Add friend');
  await amy.press('Enter');
  await amy.until(() => document.querySelector('#asks').hidden);
  await amy.until(() => [...document.querySelectorAll('.entry')].some((it) => it.getAttribute('aria-label') === 'cat, online'));
  isClean(url, amy, ben, phone);
});

test('who may write, and whether others see what was read, is chosen for all devices', async (t) => {
  const { url, browser, people: [amy, ben] } = await house(t, 'amy', 'ben');
  const phone = await browser.person('phone', PHONE);
  await phone.logIn(url, 'ben');
  await amy.findPerson('ben', 'Write');
  await amy.say('Hello');
  await phone.click('#me-menu summary');
  await phone.click('#ask-settings');
  await phone.click('#settings-form label', 'Others see');
  await phone.sees('#settings-note', 'Saved.');
  await phone.click('#settings-form label', 'Your friends');
  await phone.until(() => document.querySelector('#settings-note').textContent === 'Saved.');
  await ben.click('.entry', 'amy');
  await ben.sees('#log .text', 'Hello');
  await amy.say('Are you there?');
  await amy.sees('.why', 'They do not take messages from you.');
  await amy.sees('.said.mine .mark', '✓');
  assert.deepEqual(await amy.look(() => document.querySelector('.said.mine .mark').textContent.includes('✓✓')), false);
  await ben.click('#me-menu summary');
  await ben.click('#ask-settings');
  const seen = () => [document.querySelector('[name=writers]:checked').value, document.querySelector('#receipts').checked];
  await ben.until(() => document.querySelector('#settings').open);
  assert.deepEqual(await ben.look(seen), ['friends', false]);
  await ben.click('#settings-form label', 'Everybody');
  await phone.until(() => document.querySelector('[name=writers]:checked').value === 'all');
  await amy.click('.why button', 'Say again');
  await ben.press('Escape');
  await ben.sees('#log .text', 'Are you there?');
  isClean(url, amy, ben, phone);
});

test('what was said is found again, everywhere or in one conversation, and led to', async (t) => {
  const { chatd, url, browser, people: [amy] } = await house(t, 'amy');
  const ben = await chatd.enter(t, HOSTILE, { multi: true });
  const { id } = await ben.client.find('amy');
  await ben.client.say({ user: id }, 'The first kettle <b>is</b> on');
  for (let n = 1; n <= 320; n += 1) ben.client.say({ user: id }, `message ${n}`);
  const no = await ben.client.createGroup('boats');
  await ben.client.say({ user: id }, 'the last one');
  await amy.click('#ask-new');
  await amy.fill('#join-id', String(no));
  await amy.press('Enter');
  await amy.sees('#talk-name', `Group ${no}`);
  await ben.client.say({ group: no }, 'A Kettle for the boat');
  await amy.sees('#talk-name', 'boats');
  await amy.sees('#log .text', 'A Kettle for the boat');
  // What is stored is found a little later.
  const find = async (page, words, note) => {
    for (let told = ''; !told.includes(note);) {
      await page.fill('#search-words', words);
      await page.press('Enter');
      told = await page.until(() => {
        const { textContent } = document.querySelector('#search-note');
        return textContent !== 'Looking…' && textContent;
      });
    }
  };
  await group(amy, 'Search here');
  await find(amy, 'kettle', '1 message');
  assert.deepEqual(await amy.texts('.hit-text'), ['A Kettle for the boat']);
  await amy.click('#search-here');
  await find(amy, 'kettle', '2 messages');
  assert.deepEqual(await amy.texts('.hit-text'), ['A Kettle for the boat', 'The first kettle <b>is</b> on']);
  await amy.click('.hit', 'The first kettle');
  await amy.sees('#talk-name', HOSTILE);
  await amy.until(() => {
    const { top, bottom } = document.querySelector('#log .shown')?.getBoundingClientRect() ?? {};
    const view = document.querySelector('#scroll').getBoundingClientRect();
    return top >= view.top && bottom <= view.bottom;
  });
  assert.equal(await amy.look(() => document.querySelector('#log .shown .text').textContent), 'The first kettle <b>is</b> on');
  // Page by page, with the keyboard, on a phone.
  const phone = await browser.person('phone', PHONE);
  await phone.logIn(url, 'amy');
  await phone.click('#ask-search');
  await find(phone, 'message', '30 messages, and there may be more');
  await phone.click('#search-more');
  await phone.sees('#search-note', '60 messages, and there may be more');
  await find(phone, '?!', 'There is no word in that to look for.');
  await find(phone, 'nowhere', 'Nothing was found.');
  assert.ok(await phone.look(isNarrow));
  for (const page of [amy, phone]) assert.equal(await page.look(strangers), 0);
  isClean(url, amy, phone);
});
