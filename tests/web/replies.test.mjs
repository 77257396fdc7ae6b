// What people reply to on the page: said, shown, led to, and what becomes of it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { house, idOf, isClean, logOut } from './house.mjs';
import { HOSTILE, PHONE, beforeField, isNarrow, more, strangers } from './lines.mjs';

/** Waits until what replies with this text quotes that. */
const quotes = (person, text, who, said) =>
  person.until(
    (text, wanted) => [...document.querySelectorAll('#log li')].some((line) =>
      line.querySelector('.text')?.textContent === text && line.querySelector('.quote')?.textContent === wanted),
    text,
    `In reply to ${who}${said}`,
  );

/** Presses what is quoted above this text, and waits until that is what is looked at. */
async function follow(person, text, original) {
  const at = await person.until(
    (text) => [...document.querySelectorAll('#log li')].findIndex((line) => line.querySelector('.text')?.textContent === text) + 1,
    text,
  );
  await person.click(`#log li:nth-child(${at}) .quote`);
  await person.until((original) => {
    const shown = document.querySelector('#log .shown');
    const { top, bottom } = shown?.getBoundingClientRect() ?? {};
    const view = document.querySelector('#scroll').getBoundingClientRect();
    return shown?.querySelector('.text').textContent === original && top >= view.top && bottom <= view.bottom;
  }, original);
}

test('a message is replied to, and the reply follows what becomes of it, on every device', async (t) => {
  const { url, browser, people: [amy, ben] } = await house(t, 'amy', 'ben');
  const phone = await browser.person('phone', PHONE);
  await phone.logIn(url, 'amy');
  await amy.findPerson('ben', 'Write');
  await amy.say('Tee?');
  await ben.click('.entry', 'amy');
  await phone.click('.entry', 'ben');
  const all = [amy, ben, phone];
  for (const page of all) await page.sees('#log .text', 'Tee?');
  // With the keyboard: from the menu of the message to the field.
  await beforeField(ben);
  await ben.press('Enter');
  await ben.find('.more[open] .sheet button', 'Reply…');
  for (let n = 0; !(await ben.look(() => document.activeElement.textContent === 'Reply…')); n += 1) {
    assert.ok(n < 20, 'it is reached');
    await ben.press('Tab');
  }
  await ben.press('Enter');
  await ben.sees('#replying', 'amyTee?');
  await ben.until(() => document.activeElement.id === 'text' && !document.querySelector('.more[open]'));
  // Escape replies to nothing, and leaves what was typed.
  await ben.type('Yes, pl');
  await ben.press('Escape');
  await ben.until(() => document.querySelector('#replying').hidden);
  await more(ben, 'Tee?', 'Reply');
  await ben.sees('#replying', 'Tee?');
  await ben.type('ease');
  await ben.press('Enter');
  await ben.until(() => document.querySelector('#replying').hidden);
  await quotes(ben, 'Yes, please', 'amy', 'Tee?');
  for (const page of [amy, phone]) await quotes(page, 'Yes, please', 'You', 'Tee?');
  await phone.until(isNarrow);
  // The phone replies to itself; what is said next replies to nothing.
  await more(phone, 'Tee?', 'Reply');
  await phone.sees('#replying', 'YouTee?');
  await phone.say('Tea, of course');
  await phone.until(() => document.querySelector('#replying').hidden);
  await phone.say('With milk');
  for (const page of all) {
    await page.sees('#log .text', 'With milk');
    await quotes(page, 'Tea, of course', page === ben ? 'amy' : 'You', 'Tee?');
    assert.equal(await page.look(() => document.querySelectorAll('#log .quote').length), 2);
  }
  // What is edited is quoted as it is, and so is what was taken back. What replies is edited and still does.
  await more(amy, 'Tee?', 'Edit');
  await amy.fill('#text', 'Tea? <b>');
  await amy.press('Enter');
  await quotes(ben, 'Yes, please', 'amy', 'Tea? <b>');
  for (const page of [amy, phone]) await quotes(page, 'Yes, please', 'You', 'Tea? <b>');
  await more(ben, 'Yes, please', 'Edit');
  await ben.sees('#editing', 'Editing');
  await ben.fill('#text', 'No, thanks');
  await ben.press('Enter');
  for (const page of [amy, phone]) await quotes(page, 'No, thanks', 'You', 'Tea? <b>');
  for (const page of all) await follow(page, 'No, thanks', 'Tea? <b>');
  await more(amy, 'Tea? <b>', 'Reply');
  await amy.sees('#replying', 'Tea? <b>');
  await more(phone, 'Tea? <b>', 'Take back');
  await phone.click('#question-yes');
  await amy.sees('#replying', 'You took this message back.');
  for (const page of [amy, phone]) await quotes(page, 'No, thanks', '', 'You took this message back.');
  await quotes(ben, 'No, thanks', '', 'This message was taken back.');
  // A reply that is taken back quotes nothing any more; after a reload all is as it was.
  await more(phone, 'Tea, of course', 'Take back');
  await phone.click('#question-yes');
  for (const page of all) {
    await page.until(() => document.querySelectorAll('#log .quote').length === 1);
    await page.reload();
    await page.click('.entry', page === ben ? 'amy' : 'ben');
    await quotes(page, 'No, thanks', '', page === ben ? 'This message was taken back.' : 'You took this message back.');
    assert.equal(await page.look(() => document.querySelectorAll('#log .quote').length), 1);
    assert.equal(await page.look(strangers), 0);
  }
  isClean(url, ...all);
});

test('a reply waits for the server, and one that was refused is said again as one', async (t) => {
  const { chatd, people: [amy] } = await house(t, 'amy');
  const ben = await chatd.enter(t, 'ben', { multi: true });
  const to = { user: await idOf(amy) };
  await ben.client.say(to, 'Tea?');
  await amy.click('.entry', 'ben');
  await more(amy, 'Tea?', 'Reply');
  await amy.sees('#replying', 'benTea?');
  await chatd.end('SIGKILL');
  await amy.sees('#banner', 'Trying again');
  await amy.say('Yes');
  await amy.sees('.said.waiting .quote', 'Tea?');
  await chatd.start();
  await amy.until(() => document.querySelectorAll('#log .said.mine:not(.waiting)').length === 1);
  await quotes(amy, 'Yes', 'ben', 'Tea?');
  await ben.client.block(to.user);
  await more(amy, 'Tea?', 'Reply');
  await amy.sees('#replying', 'benTea?');
  await amy.say('At four?');
  await amy.sees('.why', 'They do not take messages from you.');
  await quotes(amy, 'At four?', 'ben', 'Tea?');
  await ben.client.unblock(to.user);
  await amy.click('.why button', 'Say again');
  await amy.until(() => document.querySelectorAll('#log .said.mine:not(.waiting, .failed)').length === 2);
  const { messages } = await ben.client.history(to);
  assert.deepEqual(messages.map(({ text, reply }) => [text, reply]), [['Tea?', null], ['Yes', 1], ['At four?', 1]]);
});

test('what is quoted and was said long ago is fetched, followed, and led to', async (t) => {
  const { chatd, url, browser, people: [amy] } = await house(t, 'amy');
  const ben = await chatd.enter(t, 'ben', { multi: true });
  const to = { user: await idOf(amy) };
  const said = [];
  for (let n = 1; n <= 320; n += 1) said.push(ben.client.say(to, `message ${n}`));
  await Promise.all(said);
  await ben.client.say(to, 'about the second', { reply: 2 });
  await ben.client.say(to, 'about the third', { reply: 3 });
  // All of it is confirmed before she goes: what is not would be pushed again, and the page would have it.
  await amy.sees('.entry .peek', 'about the third');
  await logOut(amy, ben.client);
  await amy.logIn(url, 'amy');
  await amy.click('.entry', 'ben');
  await quotes(amy, 'about the second', 'ben', 'message 2');
  await quotes(amy, 'about the third', 'ben', 'message 3');
  // The page has only what was fetched, and yet hears what becomes of it.
  assert.ok(!(await amy.said()).includes('message 2'));
  await ben.client.edit(to, 2, 'message two');
  await quotes(amy, 'about the second', 'ben', 'message two');
  await ben.client.recall(to, 3);
  await quotes(amy, 'about the third', '', 'This message was taken back.');
  await amy.until(() => {
    const scroll = document.querySelector('#scroll');
    return scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 2;
  });
  await follow(amy, 'about the second', 'message two');
  // It is a message like all others by now.
  await ben.client.edit(to, 2, 'message 2, again');
  await quotes(amy, 'about the second', 'ben', 'message 2, again');
  await amy.sees('#log .text', 'message 2, again');
  // On a phone, with the keyboard.
  const phone = await browser.person('phone', PHONE);
  await phone.logIn(url, 'amy');
  await phone.click('.entry', 'ben');
  await quotes(phone, 'about the third', '', 'This message was taken back.');
  await phone.until(() => {
    const quote = [...document.querySelectorAll('#log .quote')].at(-1);
    quote.focus();
    return document.activeElement === quote;
  });
  await phone.press('Enter');
  await phone.sees('#log .shown .text', 'This message was taken back.');
  assert.ok(await phone.look(isNarrow));
  isClean(url, amy, phone);
});

test('a reply to nothing, to itself and to what is said later harms nobody, nor do hostile names and texts', async (t) => {
  const { chatd, url, browser, people: [amy] } = await house(t, 'amy');
  const phone = await browser.person('phone', PHONE);
  await phone.logIn(url, 'amy');
  await phone.find('#me-name', 'amy');
  const eve = await chatd.enter(t, HOSTILE, { multi: true });
  const to = { user: await idOf(amy) };
  const texts = [
    '<script>document.title="owned"</script>', '\u202e\u2066evil\u202b gnp.exe', `Z${'\u0300\u0489'.repeat(3_000)}`, 'W'.repeat(4_000),
    '\n'.repeat(30), '', `${'x'.repeat(299)}😀`,
  ];
  for (const text of texts) await eve.client.say(to, text);
  for (let n = 1; n <= texts.length; n += 1) await eve.client.say(to, `about ${n}`, { reply: n });
  const [first, last] = [texts.length * 2 + 1, Number.MAX_SAFE_INTEGER];
  for (const [text, reply] of [['itself', first], ['later', first + 2], ['much later', 1_000_000], ['never', last]]) {
    await eve.client.say(to, text, { reply });
  }
  const check = async (page) => {
    await page.until((count) => document.querySelectorAll('#log .quote').length === count, texts.length + 4);
    await quotes(page, 'about 1', HOSTILE, texts[0]);
    await quotes(page, 'about 7', HOSTILE, 'x'.repeat(299));
    for (const text of ['itself', 'later', 'much later', 'never']) await quotes(page, text, '', 'a message that is not here');
    const found = await page.look(() => ({
      wide: document.documentElement.scrollWidth > innerWidth,
      right: [...document.querySelectorAll('.bubble, .quote')].some((it) => it.getBoundingClientRect().right > innerWidth),
      high: [...document.querySelectorAll('.quote')].some((it) => it.getBoundingClientRect().height > 90),
      names: [...document.querySelectorAll('.quote bdi')].every((it) => getComputedStyle(it).unicodeBidi === 'isolate'),
      dead: document.querySelectorAll('.quote:disabled').length,
    }));
    assert.deepEqual(found, { wide: false, right: false, high: false, names: true, dead: 4 });
    assert.equal(await page.look(strangers), 0);
  };
  for (const page of [amy, phone]) {
    await page.click('.entry', 'onerror');
    await check(page);
    await page.reload();
    await page.click('.entry', 'onerror');
    await check(page);
  }
  await more(phone, texts[0], 'Reply');
  await phone.sees('#replying', texts[0]);
  assert.equal(await phone.look(strangers), 0);
  assert.ok(await phone.look(isNarrow));
  isClean(url, amy, phone);
});

test('in a group it is said who is replied to, and what happened before one came is not shown', async (t) => {
  const { chatd, url, people: [amy] } = await house(t, 'amy');
  const [ben, cat] = [await chatd.enter(t, 'ben', { multi: true }), await chatd.enter(t, 'cat', { multi: true })];
  const group = await ben.client.createGroup('tea');
  const secret = await ben.client.say({ group }, 'before Amy came');
  await cat.client.joinGroup(group);
  await amy.click('#ask-new');
  await amy.fill('#join-id', String(group));
  await amy.press('Enter');
  await amy.sees('#talk-state', 'no. ');
  const kettle = await cat.client.say({ group }, 'The kettle is on');
  await ben.client.say({ group }, 'Well done', { reply: kettle.pos });
  await ben.client.say({ group }, 'As I said', { reply: secret.pos });
  await quotes(amy, 'Well done', 'cat', 'The kettle is on');
  await quotes(amy, 'As I said', '', 'a message that is not here');
  await more(amy, 'Well done', 'Reply');
  await amy.sees('#replying', 'benWell done');
  await amy.say('Indeed');
  await quotes(amy, 'Indeed', 'ben', 'Well done');
  await follow(amy, 'Indeed', 'Well done');
  isClean(url, amy);
});
