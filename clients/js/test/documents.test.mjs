// What is written about the client is true: its first conversation happens, its types are those of the code.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { promisify } from 'node:util';
import * as module from '../chatd.js';
import { Chatd } from './servers.mjs';

const file = (name) => readFileSync(new URL(`../${name}`, import.meta.url), 'utf8');

test('the first conversation of the README happens as written', async (t) => {
  const [, program, shown] = /```js\n([^]*?)```\n[^]*?```text\n([^]*?)```/.exec(file('README.md'));
  const chatd = await Chatd.start(t);
  const here = new URL('../chatd.js', import.meta.url).href;
  const real = program.replace("'chatd-client'", `'${here}'`).replaceAll('tcp://127.0.0.1:6000', chatd.address);
  assert.ok(real.includes(here) && real.includes(chatd.address));
  const arguments_ = ['--input-type=module', '--eval', real];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, arguments_);
  assert.equal(stdout, shown);
  assert.equal(stderr, '');
});

test('replies are shown as the README does', async (t) => {
  const [program] = /^async function lines\([^]*?^}/m.exec(file('README.md'));
  const lines = new Function(`return ${program}`)();
  const chatd = await Chatd.start(t);
  const [amy, ben] = [await chatd.enter(t, 'amy', { multi: true }), await chatd.enter(t, 'ben', { multi: true })];
  const to = { user: (await amy.client.find('ben')).id };
  const { pos } = await amy.client.say(to, 'Tea?');
  const from = { user: (await ben.client.find('amy')).id };
  await ben.client.say(from, 'Yes, please', { reply: pos });
  await amy.client.say(to, 'At four', { reply: 99 });
  assert.deepEqual(await lines(amy.client, to), ['amy: Tea?', '> amy: Tea?\nben: Yes, please', '> an earlier message\namy: At four']);
  const { rows } = await ben.client.history(from, { before: pos + 1, limit: 1 });
  assert.deepEqual(rows.map((row) => [row.pos, row.text]), [[pos, 'Tea?']]);
});

test('every export and every member has its type, and nothing else has', () => {
  const types = file('chatd.d.ts');
  const values = [...types.matchAll(/^export (?:class|const|function) (\w+)/gm)].map(([, name]) => name);
  assert.deepEqual(values.sort(), Object.keys(module).sort());
  const [, body] = /^export class Client {([^]*?)^}/m.exec(types);
  const declared = [...body.matchAll(/^ {2}(?:readonly )?(\w+)[<(:]/gm)].map(([, name]) => name);
  assert.deepEqual([...new Set(declared)].sort(), Object.getOwnPropertyNames(module.Client.prototype).sort());
  const errnos = [...types.matchAll(/^ {2}([A-Z_]+): (\d+);/gm)].map(([, name, number]) => [name, Number(number)]);
  assert.deepEqual(errnos, Object.entries(module.ERRNO));
  const source = file('chatd.js');
  const told = [.../EVENTS = new Set\(\[([^]*?)\]\)/.exec(source)[1].matchAll(/'(\w+)'/g)].map(([, name]) => name);
  const [, events] = /^export interface Events {([^]*?)^}/m.exec(types);
  assert.deepEqual([...events.matchAll(/^ {2}(\w+):/gm)].map(([, name]) => name), told);
});

test('the package is what it says, and depends on nothing', () => {
  const described = JSON.parse(file('package.json'));
  for (const name of described.files) assert.ok(file(name).length > 0);
  assert.equal('dependencies' in described, false);
  assert.doesNotMatch(file('chatd.js'), /^import |\beval\(|innerHTML/m);
});
