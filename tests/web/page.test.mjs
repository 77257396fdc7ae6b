// The page, in a real Chromium, with the real server.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ERRNO } from '../../clients/js/chatd.js';
import { Heard } from '../../clients/js/test/servers.mjs';
import { house, idOf, isClean, logOut } from './house.mjs';

const numbers = (from, to, text) => Array.from({ length: to - from + 1 }, (_, n) => `${text} ${from + n}`);

test('two people find each other and talk', async (t) => {
  const { url, people: [amy, ben] } = await house(t, 'amy', 'ben');
  await amy.findPerson('ben', 'Add friend');
  await amy.press('Enter');
  await ben.click('#asks button', 'Accept');
  await amy.click('#found button', 'Write');
  await amy.sees('#talk-state', 'online');
  await amy.say('Tea?');
  await amy.sees('.said.mine:not(.waiting) .mark', '✓');
  // Ben has not opened it: it is counted, in the title too.
  await ben.sees('.entry .count', '1');
  await ben.until(() => document.title === '(1) chatd');
  assert.deepEqual(await ben.texts('.entry .peek'), ['Tea?']);
  await ben.click('.entry', 'amy');
  await ben.sees('#log .text', 'Tea?');
  await ben.until(() => document.title === 'chatd' && document.querySelector('.entry .count').hidden);
  await ben.say('Yes 🍵');
  await amy.sees('#log .text', 'Yes 🍵');
  assert.deepEqual(await amy.said(), ['Tea?', 'Yes 🍵']);
  // A friend goes once that is safe, which is later than Amy sees it, and comes back.
  await ben.sees('.said.mine:not(.waiting) .mark', '✓');
  await ben.click('#me-menu summary');
  await ben.click('#out');
  await ben.sees('#gate-note', 'You are logged out.');
  await amy.sees('#talk-state', 'offline');
  await ben.logIn(url, 'ben', 'wrong');
  await ben.sees('#gate-error', 'Name or password is wrong.');
  await ben.logIn(url, 'ben');
  await amy.sees('#talk-state', 'online');
  isClean(url, amy, ben);
});

test('a group is made, joined, talked in and left', async (t) => {
  const { url, people: [amy, ben] } = await house(t, 'amy', 'ben');
  await amy.click('#ask-new');
  await amy.fill('#make-name', 'tea');
  await amy.fill('#make-about', 'at four');
  await amy.press('Enter');
  await amy.sees('#talk-state', '1 member · no. 1');
  await ben.click('#ask-new');
  await ben.fill('#join-id', '99');
  await ben.press('Enter');
  await ben.sees('#new-error', 'There is no such group.');
  await ben.fill('#join-id', '1');
  await ben.press('Enter');
  await ben.say('Kettle is on');
  await amy.sees('#log .from', 'ben');
  await amy.sees('#log .text', 'Kettle is on');
  await amy.click('#talk-menu summary');
  await amy.click('#talk-acts button', 'Group');
  await amy.sees('#people-note', '2 members');
  assert.deepEqual(await amy.texts('#members bdi'), ['amy', 'ben']);
  await amy.press('Escape');
  // After a reload it has its name, and what was said, once that is safe.
  await ben.sees('.said.mine:not(.waiting) .mark', '✓');
  await ben.reload();
  await ben.click('.entry', 'tea');
  await ben.sees('#log .text', 'Kettle is on');
  await ben.click('#talk-menu summary');
  await ben.click('#talk-acts button', 'Leave');
  await ben.click('#question-yes');
  await ben.until(() => document.querySelectorAll('.entry').length === 0);
  isClean(url, amy, ben);
});

test('a server that is killed while two talk loses nothing and repeats nothing', async (t) => {
  const { chatd, url, people: [amy, ben] } = await house(t, 'amy', 'ben');
  await amy.findPerson('ben', 'Write');
  for (const text of numbers(1, 5, 'a')) await amy.say(text);
  await ben.click('.entry', 'amy');
  for (const text of numbers(1, 5, 'b')) await ben.say(text);
  // What was heard and not acknowledged is said again, and may get another place than where it was heard.
  for (const person of [amy, ben]) await person.until(() => document.querySelectorAll('.said.waiting').length === 0);
  await chatd.end('SIGKILL');
  await amy.sees('#banner', 'Trying again');
  for (const text of numbers(6, 10, 'a')) await amy.say(text);
  for (const text of numbers(6, 10, 'b')) await ben.say(text);
  await amy.sees('#banner', '5 messages wait and are kept.');
  await amy.until(() => document.querySelectorAll('.said.waiting').length === 5);
  await chatd.start();
  const all = [...numbers(1, 10, 'a'), ...numbers(1, 10, 'b')].sort();
  for (const person of [amy, ben]) {
    await person.until(() => document.querySelector('#banner').hidden);
    await person.until((count) => document.querySelectorAll('#log .said:not(.waiting, .failed)').length === count, all.length);
    assert.deepEqual((await person.said()).sort(), all);
  }
  // Both see one order, and a reload changes nothing of it.
  const order = await amy.said();
  assert.deepEqual(await ben.said(), order);
  await ben.reload();
  await ben.click('.entry', 'amy');
  await ben.until((count) => document.querySelectorAll('#log .text').length === count, all.length);
  assert.deepEqual(await ben.said(), order);
});

test('a long history is scrolled back to its beginning, and what is looked at stays where it is', async (t) => {
  const { chatd, url, people: [amy] } = await house(t, 'amy');
  const ben = await chatd.enter(t, 'ben');
  const { id } = await ben.client.find('amy');
  const texts = numbers(1, 420, 'message');
  for (const text of texts) ben.client.say({ user: id }, text);
  await ben.client.say({ user: id }, 'the last one');
  await amy.sees('.entry .peek', 'the last one');
  await amy.sees('.entry .count', '99+');
  await logOut(amy, ben.client);
  await amy.logIn(url, 'amy');
  await amy.sees('.entry .count', '99+');
  await amy.click('.entry', 'ben');
  await amy.sees('#log .text', 'the last one');
  await amy.sees('#log .text', 'message 380');
  const isAtEnd = () => {
    const scroll = document.querySelector('#scroll');
    return scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 2;
  };
  await amy.until(isAtEnd);
  await amy.until(() => document.title === 'chatd');
  // Each time the top is reached, the page before comes, and the first line seen is still seen.
  for (let round = 0; !(await amy.look(() => document.querySelector('#older').textContent.includes('beginning'))); round += 1) {
    assert.ok(round < 40, 'it comes to an end');
    const before = await amy.look(() => {
      const first = document.querySelector('#log li');
      document.querySelector('#scroll').scrollTop = 10;
      return first.querySelector('.text').textContent;
    });
    await amy.until(
      (before) => {
        const first = document.querySelector('#log .text').textContent;
        return first !== before || document.querySelector('#older').textContent.includes('beginning');
      },
      before,
    );
    const seen = await amy.until((before) => {
      if (document.querySelector('#older').textContent.includes('Looking')) return null;
      const view = document.querySelector('#scroll').getBoundingClientRect();
      const line = [...document.querySelectorAll('#log .text')].find(({ textContent }) => textContent === before);
      const { top } = line.getBoundingClientRect();
      return { isIn: top >= view.top - 80 && top < view.bottom };
    }, before);
    assert.ok(seen.isIn, `${before} is still looked at`);
  }
  const shown = await amy.said();
  assert.deepEqual(shown, [...texts, 'the last one']);
  // Something new does not pull the reader away from there.
  await ben.client.say({ user: id }, 'one more');
  await amy.click('#newest');
  await amy.until(isAtEnd);
  await amy.sees('#log .text', 'one more');
  isClean(url, amy);
});

test('hostile names and texts are text', async (t) => {
  const { chatd, url, people: [amy] } = await house(t, 'amy');
  const name = '<img src=x onerror=alert(1)>';
  const eve = await chatd.enter(t, name);
  const { id } = await eve.client.find('amy');
  const texts = [
    '<script>document.title="owned"</script>', '"><svg onload=alert(1)>', 'javascript:alert(1) https://evil.example/x.png',
    '\u202e\u2066evil\u202b gnp.exe', `Z${'\u0300\u0489'.repeat(3_000)}`, 'W'.repeat(4_000), '\u0000\u0007\u001b[2J \u2028 \ufeff',
    '&lt;b&gt; {{7*7}} ${7*7}', '\n'.repeat(30), '',
  ];
  for (const text of texts) await eve.client.say({ user: id }, text);
  const group = await eve.client.createGroup('</bdi><b>group', '<i>about</i>');
  await amy.sees('.entry .count', String(texts.length));
  await amy.click('.entry', 'onerror');
  await amy.until((count) => document.querySelectorAll('#log .text').length === count, texts.length);
  assert.deepEqual(await amy.said(), texts);
  await amy.click('#ask-new');
  await amy.fill('#join-id', String(group));
  await amy.press('Enter');
  await amy.sees('#talk-name', `Group ${group}`);
  await amy.reload();
  // What was said last is fetched then, and puts the list in its order.
  await amy.until(() => [...document.querySelectorAll('.entry time')].some((it) => it.textContent !== ''));
  await amy.click('.entry', '</bdi><b>group');
  await amy.click('#talk-menu summary');
  await amy.click('#talk-acts button', 'Group');
  await amy.sees('#members bdi', name);
  await amy.click('#members summary');
  await amy.click('#members button', 'Write');
  await amy.sees('#talk-name', name);
  // What is looked at is read; none of it has given the page a title.
  await amy.until(() => document.title === 'chatd');
  const found = await amy.look(() => ({
    // Nothing of it became markup, ran, or made the page wider or a line as high as the window.
    strangers: document.querySelectorAll('#log :is(script, img, svg, b:not(.mark b), i, a), .entry img, #members img').length,
    wide: document.documentElement.scrollWidth > innerWidth,
    right: [...document.querySelectorAll('.bubble')].some((it) => it.getBoundingClientRect().right > innerWidth),
    names: [...document.querySelectorAll('.name bdi, #talk-name')].every((it) => getComputedStyle(it).unicodeBidi === 'isolate'),
  }));
  assert.deepEqual(found, { strangers: 0, wide: false, right: false, names: true });
  isClean(url, amy);
});

test('on a phone it is one thing at a time, and the way back is back', async (t) => {
  const { url, browser, people: [ben] } = await house(t, 'ben');
  const amy = await browser.person('amy', { width: 360, height: 640, touch: true });
  await amy.register(url, 'amy');
  await amy.findPerson('ben', 'Write');
  await amy.say('From a phone');
  await ben.sees('.entry .peek', 'From a phone');
  const fits = () => document.documentElement.scrollWidth <= innerWidth && !document.querySelector('#side').checkVisibility();
  await amy.until(fits);
  await amy.click('#back');
  await amy.find('.entry', 'ben');
  await amy.until(() => !document.querySelector('#talk').checkVisibility());
  await ben.click('.entry', 'amy');
  await ben.say('Heard');
  await amy.sees('.entry .count', '1');
  await amy.click('.entry', 'ben');
  await amy.sees('#log .text', 'Heard');
  await amy.look(() => history.back());
  await amy.find('.entry', 'ben');
  isClean(url, amy, ben);
});

test('everything can be done with the keyboard, and everything has a name', async (t) => {
  const { url, browser, people: [ben] } = await house(t, 'ben');
  const amy = await browser.person('amy');
  await amy.go(url);
  // The name has the focus; from there on nothing is pointed at.
  const tab = async (count, modifiers) => {
    for (let n = 0; n < count; n += 1) await amy.press('Tab', modifiers);
  };
  const focus = (id) => amy.until((id) => document.activeElement.id === id, id);
  await focus('name');
  await tab(1, 8);
  await amy.press('ArrowDown');
  await amy.sees('#go', 'Register');
  await tab(1);
  await amy.type('amy');
  await tab(1);
  await amy.type('password of amy');
  await amy.press('Enter');
  await amy.sees('#me-name', 'amy');
  await amy.look(() => document.querySelector('#ask-new').focus());
  await amy.press('Enter');
  await amy.until(() => document.querySelector('#new').open);
  await amy.look(() => document.querySelector('#find-who').focus());
  await amy.type('ben');
  await amy.press('Enter');
  await amy.find('#found button', 'Write');
  await tab(3);
  await amy.press('Enter');
  await focus('text');
  await amy.type('No mouse');
  await amy.press('Enter');
  await ben.sees('.entry .peek', 'No mouse');
  // The tree that a screen reader reads.
  await amy.click('#me-menu summary');
  const { nodes } = await amy.ask('Accessibility.getFullAXTree');
  const named = nodes.filter(({ ignored, role }) => !ignored && ['button', 'textbox', 'searchbox', 'link', 'log', 'navigation',
    'complementary', 'dialog', 'DisclosureTriangle'].includes(role?.value));
  assert.ok(named.length > 8, `${named.length}`);
  const nameless = named.filter(({ name }) => !name?.value);
  assert.deepEqual(nameless.map(({ role, nodeId }) => [role.value, nodeId]), []);
  assert.ok(nodes.some(({ role, name }) => role?.value === 'log' && name?.value === 'Messages'));
  isClean(url, amy, ben);
});

test('a session that is alone is asked about, and a reload needs no password', async (t) => {
  const { chatd, url, browser, people: [amy] } = await house(t, 'amy');
  await amy.reload();
  await amy.find('#me-name', 'amy');
  // The terminal's session lives beside no other.
  const ben = await chatd.enter(t, 'ben');
  const second = await browser.person('second');
  await second.logIn(url, 'ben');
  await second.click('#question-no');
  await second.find('#go');
  const out = ben.client.once('signedout');
  await second.logIn(url, 'ben');
  await second.click('#question-yes', 'Go on here');
  await second.find('#me-name', 'ben');
  assert.equal((await out).errno, ERRNO.REPLACED);
  isClean(url, amy, second);
});

test('a new password ends the session of every other device, and a logout leaves nothing behind', async (t) => {
  const { url, browser, people: [amy] } = await house(t, 'amy');
  const second = await browser.person('second');
  await second.logIn(url, 'amy');
  await second.click('#me-menu summary');
  await second.click('#ask-password');
  await second.fill('#secret-old', 'guess');
  await second.fill('#secret-new', 'anew');
  await second.press('Enter');
  await second.sees('#secret-error', 'The present password is another.');
  await second.fill('#secret-old', 'password of amy');
  await second.press('Enter');
  await second.saw('#toast', 'Your password is changed.');
  await amy.sees('#gate-note', 'This session was ended from elsewhere.');
  await second.click('#me-menu summary');
  await second.click('#out');
  await second.sees('#gate-note', 'You are logged out.');
  await second.reload();
  await second.find('#name');
  assert.deepEqual(await second.look(() => [localStorage.length, sessionStorage.length]), [0, 0]);
  await amy.click('#again', 'Go on here');
  await amy.find('#name');
  await amy.logIn(url, 'amy', 'anew');
  await amy.find('#me-name', 'amy');
  isClean(url, amy, second);
});

test('one person on two pages: what is said on one is on the other, and what is read is read on both', async (t) => {
  const { chatd, url, browser, people: [amy, ben] } = await house(t, 'amy', 'ben');
  const phone = await browser.person('phone', { width: 360, height: 640, touch: true, dark: true });
  await phone.logIn(url, 'amy');
  await phone.find('#me-name', 'amy');
  await amy.findPerson('ben', 'Add friend');
  await amy.press('Enter');
  await ben.click('#asks button', 'Accept');
  // Who is a friend is one on the other device too.
  await phone.find('.entry', 'ben');
  await phone.until(() => document.querySelector('.entry').getAttribute('aria-label') === 'ben, online');
  await amy.click('#found button', 'Write');
  await amy.type('At the pier');
  await amy.press('Enter');
  await phone.sees('.entry .peek', 'You: At the pier');
  await phone.click('.entry', 'ben');
  await phone.sees('#log .said.mine .text', 'At the pier');
  await phone.sees('.said.mine .mark', '✓, safe');
  await ben.sees('.entry .count', '1');
  await ben.click('.entry', 'amy');
  for (const page of [amy, phone]) await page.sees('.said.mine .mark', '✓✓, read');
  // Whoever types is seen to, until it is said.
  await ben.type('Com');
  for (const page of [amy, phone]) await page.saw('#talk-state', 'typing…');
  await ben.type('ing');
  await ben.press('Enter');
  for (const page of [amy, phone]) {
    await page.sees('#log .text', 'Coming');
    await page.until(() => document.querySelector('#talk-state').textContent !== 'typing…');
  }
  await ben.sees('.said.mine .mark', '✓✓, read');
  // On a page that has nothing open it is counted; what one page reads is read on the other.
  await phone.click('#back');
  const other = await chatd.enter(t, 'cat');
  const id = await idOf(amy);
  for (const text of numbers(1, 3, 'from cat')) await other.client.say({ user: id }, text);
  for (const page of [amy, phone]) {
    await page.sees('.entry .count', '3');
    await page.until(() => document.title === '(3) chatd');
  }
  for (const page of [amy, phone]) {
    await page.reload();
    await page.sees('.entry .count', '3');
    await page.until(() => document.title === '(3) chatd');
  }
  await phone.click('.entry', 'cat');
  for (const page of [amy, phone]) await page.until(() => document.title === 'chatd');
  await other.client.say({ user: id }, 'one more');
  await phone.sees('#log .text', 'one more');
  await amy.until(() => document.title === 'chatd' && document.querySelector('.entry .peek').textContent === 'one more');
  for (const page of [amy, phone]) {
    await page.reload();
    await page.sees('.entry .peek', 'one more');
    await page.until(() => document.title === 'chatd');
  }
  // After a reload it is still known what was read.
  await amy.click('.entry', 'ben');
  await amy.sees('.said.mine .mark', '✓✓, read');
  isClean(url, amy, ben, phone);
});

test('devices are listed, and one is signed out from another', async (t) => {
  const { url, browser, people: [amy] } = await house(t, 'amy');
  const phone = await browser.person('phone', { width: 360, height: 640, touch: true });
  await phone.logIn(url, 'amy');
  await phone.click('#me-menu summary');
  await phone.click('#ask-devices');
  await phone.sees('#device-list small', 'this one');
  const names = await phone.texts('#device-list bdi');
  assert.equal(names.length, 2);
  for (const name of names) assert.match(name, /^Chrome on (Linux|Android)$/);
  assert.ok(await phone.look(() => document.documentElement.scrollWidth <= innerWidth));
  await phone.press('Tab');
  await phone.until(() => document.activeElement.getAttribute('aria-label')?.startsWith('Sign out Chrome'));
  await phone.press('Enter');
  await phone.sees('#devices-note', 'is signed out.');
  await amy.sees('#gate-note', 'This session was ended from elsewhere.');
  await amy.click('#again', 'Go on here');
  await amy.find('#name');
  await phone.press('Escape');
  await phone.find('#me-name', 'amy');
  isClean(url, amy, phone);
});

test('a server that keeps no history is chatted with as before', async (t) => {
  const { url, people: [amy, ben] } = await house(t, { keep: 'undelivered' }, 'amy', 'ben');
  await amy.findPerson('ben', 'Write');
  await amy.say('Tea?');
  await ben.sees('.entry .count', '1');
  await ben.reload();
  await ben.sees('.entry .count', '1');
  await ben.click('.entry', 'amy');
  await ben.sees('#log .text', 'Tea?');
  await ben.until(() => document.title === 'chatd');
  assert.deepEqual([...amy.complaints, ...ben.complaints], []);
});

test('what cannot be said is told, and can be said again', async (t) => {
  const { chatd, url, people: [amy] } = await house(t, 'amy');
  const ben = await chatd.enter(t, 'ben');
  const heard = new Heard(ben.client);
  const { id } = await ben.client.find('amy');
  await ben.client.block(id);
  await amy.findPerson('ben', 'Write');
  await amy.say('Hello?');
  await amy.sees('.why', 'They do not take messages from you.');
  await ben.client.unblock(id);
  await amy.click('.why button', 'Say again');
  await amy.sees('.said.mine:not(.waiting, .failed) .mark', '✓');
  await heard.count(1);
  assert.deepEqual(await amy.said(), ['Hello?']);
  isClean(url, amy);
});
