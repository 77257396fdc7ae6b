// What can be said of the page without a browser: its size, what it must not have, and whether its colours can be read.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

const folder = new URL('../../web/', import.meta.url);
const file = (name) => readFileSync(new URL(name, folder), 'utf8');
const scripts = readdirSync(folder).filter((name) => name.endsWith('.js'));

test('the page is small, all of it', () => {
  const all = [...readdirSync(folder).map((name) => new URL(name, folder)), new URL('../clients/js/chatd.js', folder)];
  const bytes = all.reduce((sum, url) => sum + gzipSync(readFileSync(url)).length, 0);
  assert.ok(bytes <= 72 << 10, `${bytes} bytes gzipped`);
});

test('each file has one idea, and the server has all of them', () => {
  assert.ok(scripts.length > 15, `${scripts}`);
  const served = readFileSync(new URL('../src/executor/net/assets.rs', folder), 'utf8');
  for (const name of readdirSync(folder)) assert.ok(served.includes(`/web/${name}"`), `${name} is compiled in`);
  // All are asked for at once, not one after the other as each names the next.
  for (const script of scripts) assert.match(file('index.html'), new RegExp(`(href|src)="/${script}"`));
  for (const script of scripts) {
    const lines = file(script).split('\n').length;
    assert.ok(lines <= 300, `${script}: ${lines} lines`);
    for (const [, other] of file(script).matchAll(/^import .*'\.\/(.*)';/gm)) assert.ok(scripts.includes(other), `${script}: ${other}`);
  }
});

test('nothing is inline, nothing is from elsewhere, and nothing makes markup of text', () => {
  const page = file('index.html');
  assert.doesNotMatch(page, / on\w+=| style=|<style|<script(?! type="module" src="\/app\.js"><\/script>)/);
  assert.doesNotMatch(page + file('style.css'), /https?:|url\(|@import|data:/);
  for (const script of scripts) assert.doesNotMatch(file(script), /innerHTML|outerHTML|insertAdjacent|DOMParser|document\.write|\.style\b|\beval\b|Function\(/);
});

/** How far apart two colours are for the eye, as WCAG has it: 4.5 is what a text needs. */
function contrast(a, b) {
  const light = (colour) => {
    const parts = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16) / 255);
    const [red, green, blue] = parts.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const [dark, bright] = [light(a), light(b)].sort((x, y) => x - y);
  return (bright + 0.05) / (dark + 0.05);
}

test('every text can be read, in the light and in the dark', () => {
  const [, bright, dark] = /:root {([^]*?)}[^]*?prefers-color-scheme: dark[^]*?:root {([^]*?)}/.exec(file('style.css'));
  const colours = (text) => Object.fromEntries([...text.matchAll(/--([\w-]+): (#\w{6});/g)].map(([, name, it]) => [name, it]));
  for (const named of [colours(bright), colours(dark)]) {
    for (const [text, paper] of [
      ['ink', 'paper'], ['ink', 'sheet'], ['ink', 'chosen'], ['ink', 'hover'], ['soft', 'paper'], ['soft', 'sheet'], ['soft', 'chosen'],
      ['door-ink', 'door'], ['mine-ink', 'mine'], ['alarm', 'alarm-paper'], ['alarm', 'sheet'], ['wait-ink', 'wait-paper'],
    ]) {
      const seen = contrast(named[text], named[paper]);
      assert.ok(seen >= 4.5, `${text} on ${paper}: ${seen.toFixed(2)}`);
    }
  }
  for (const [, colour] of file('style.css').matchAll(/\.hue\d { background: (#\w{6});/g)) {
    assert.ok(contrast('#ffffff', colour) >= 4.5, `white on ${colour}: ${contrast('#ffffff', colour)}`);
  }
});
