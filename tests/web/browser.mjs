// A headless Chromium and the people who sit before it: what they press and type, and what they see.
//
// Spoken to over two pipes (--remote-debugging-pipe): no port, no WebSocket, nothing that others could connect to.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** How long anybody waits for anything. What takes longer has failed, also on a machine that is busy with much else. */
export const DEADLINE_MS = 180_000;
const PROGRAM = process.env.CHROMIUM ?? '/usr/bin/chromium';
/** Its number in the protocol. */
const CONFIRM = 24;

/** What the tests have in each page. */
function within() {
  // What passes is kept: whoever looks for it later is told all the same.
  window.passed = { '#toast': [], '#talk-state': [], '#state': [] };
  new MutationObserver((changes) => {
    for (const element of new Set(changes.map(({ target }) => target))) {
      const shown = window.passed[`#${element.id}`];
      if (shown && element.checkVisibility()) shown.push(element.textContent);
    }
  }).observe(document, { subtree: true, childList: true });
  // Of a press only what is aimed at hears: what has come into its place meanwhile hears nothing.
  window.aimAt = (element) => {
    const aim = { isPressed: false, isMissed: false, over: new AbortController() };
    window.aim = aim;
    const hear = (event) => {
      if (aim.isPressed) return;
      aim.isMissed ||= !element.isConnected || !element.contains(event.target);
      if (!aim.isMissed) {
        aim.isPressed = event.type === 'click';
        return;
      }
      event.preventDefault();
      event.stopImmediatePropagation();
    };
    for (const type of ['pointerdown', 'mousedown', 'pointerup', 'mouseup', 'click']) {
      addEventListener(type, hear, { capture: true, signal: aim.over.signal });
    }
  };
}

export class Browser {
  #child;
  #profile = mkdtempSync(join(tmpdir(), 'chatd-web-'));
  #asked = new Map();
  #listeners = new Map();
  #number = 0;
  #rest = '';

  static async start(test) {
    const browser = new Browser();
    browser.#start();
    test.after(() => browser.#stop());
    return browser;
  }

  #start() {
    const quiet = ['--disable-gpu', '--disable-extensions', '--disable-background-networking', '--disable-sync',
      '--no-first-run', '--disable-component-update', '--disable-dev-shm-usage', '--mute-audio', '--lang=en-GB',
      '--disable-backgrounding-occluded-windows', '--disable-renderer-backgrounding',
      '--disable-background-timer-throttling'];
    const how = ['--headless=new', '--no-sandbox', '--remote-debugging-pipe', `--user-data-dir=${this.#profile}`];
    // It ends when this process does, however that happens.
    this.#child = spawn('setpriv', ['--pdeathsig', 'KILL', PROGRAM, ...how, ...quiet, 'about:blank'], {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
      env: { ...process.env, TZ: 'UTC', LANG: 'en_GB.UTF-8', HOME: this.#profile },
      detached: true,
    });
    this.#child.stdio[4].setEncoding('utf8').on('data', (part) => {
      const frames = (this.#rest + part).split('\0');
      this.#rest = frames.pop();
      frames.forEach((frame) => this.#hear(JSON.parse(frame)));
    });
    this.#child.stdio[3].on('error', () => {});
  }

  async #stop() {
    const ended = once(this.#child, 'exit');
    // With all its processes, which are a group.
    process.kill(-this.#child.pid, 'SIGKILL');
    await ended;
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 20 });
  }

  #hear({ id, result, error, method, params, sessionId }) {
    if (id === undefined) {
      for (const listener of this.#listeners.get(sessionId) ?? []) listener(method, params);
      return;
    }
    const { resolve, reject } = this.#asked.get(id);
    this.#asked.delete(id);
    if (error) reject(new Error(error.message));
    else resolve(result);
  }

  ask(method, params = {}, sessionId = undefined) {
    this.#number += 1;
    const id = this.#number;
    this.#child.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    return new Promise((resolve, reject) => this.#asked.set(id, { resolve, reject }));
  }

  listen(sessionId, listener) {
    this.#listeners.set(sessionId, [...(this.#listeners.get(sessionId) ?? []), listener]);
  }

  /** Somebody with a window and a memory of their own. */
  async person(name, { width = 1_180, height = 760, dark = false, touch = false } = {}) {
    const { browserContextId } = await this.ask('Target.createBrowserContext');
    const target = { url: 'about:blank', browserContextId, newWindow: true, width, height };
    const { targetId } = await this.ask('Target.createTarget', target);
    const { sessionId } = await this.ask('Target.attachToTarget', { targetId, flatten: true });
    const person = new Person(this, sessionId, name);
    await person.begin({ width, height, dark, touch });
    return person;
  }
}

/** Somebody before a window. */
export class Person {
  #browser;
  #session;
  /** What the page complained about. */
  complaints = [];

  constructor(browser, session, name) {
    [this.#browser, this.#session, this.name] = [browser, session, name];
  }

  ask(method, params) {
    return this.#browser.ask(method, params, this.#session);
  }

  async begin({ width, height, dark, touch }) {
    this.#browser.listen(this.#session, (method, params) => this.#hear(method, params));
    const scheme = { name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' };
    const still = { name: 'prefers-reduced-motion', value: 'reduce' };
    await Promise.all([
      this.ask('Page.enable'), this.ask('Runtime.enable'), this.ask('Log.enable'), this.ask('Network.enable'),
      this.ask('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: touch }),
      this.ask('Emulation.setEmulatedMedia', { features: [scheme, still] }),
      this.ask('Emulation.setFocusEmulationEnabled', { enabled: true }),
      this.ask('Emulation.setLocaleOverride', { locale: 'en-GB' }),
      this.ask('Page.addScriptToEvaluateOnNewDocument', { source: `(${within})()` }),
    ]);
  }

  #hear(method, { entry, exceptionDetails, type, args, request, response } = {}) {
    if (method === 'Log.entryAdded' && entry.level === 'error') this.complaints.push(entry.text);
    if (method === 'Runtime.exceptionThrown') this.complaints.push(exceptionDetails.exception?.description);
    if (method === 'Runtime.consoleAPICalled') this.complaints.push(`${type}: ${args[0]?.value}`);
    if (method === 'Network.requestWillBeSent') this.requests.push(request.url);
    if (method === 'Network.webSocketFrameSent' && JSON.parse(response.payloadData).msgid === CONFIRM) this.#confirmed();
    if (method === 'Page.javascriptDialogOpening') this.ask('Page.handleJavaScriptDialog', { accept: true });
  }

  requests = [];
  #confirmed = () => {};

  /** When the page says that something has arrived, the next time. */
  confirms() {
    return new Promise((resolve) => (this.#confirmed = resolve));
  }

  async go(url) {
    await this.#leave('Page.navigate', { url });
    await this.until((url) => location.href.startsWith(url), url);
  }

  reload() {
    return this.#leave('Page.reload');
  }

  /** Until there is another page: the old one, which may be of the same address, can be looked at for a while. */
  async #leave(how, where) {
    await this.look(() => (window.isOld = true));
    await this.ask(how, where);
    await this.until(() => !window.isOld && document.readyState === 'complete');
  }

  /** What a function of the page gives. */
  async look(call, ...values) {
    const expression = `(${call})(...${JSON.stringify(values)})`;
    const asked = { expression, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails } = await this.ask('Runtime.evaluate', asked);
    if (exceptionDetails) throw new Error(`${this.name}: ${exceptionDetails.exception?.description}`);
    return result.value;
  }

  /** Waits until a function of the page gives something that is true, and gives it. */
  async until(call, ...values) {
    const end = Date.now() + DEADLINE_MS;
    for (;;) {
      // While a page is being left there is nothing to be looked at.
      const seen = await this.look(call, ...values).catch((error) => {
        if (!/context|navigated/i.test(error)) throw error;
      });
      if (seen) return seen;
      if (Date.now() > end) {
        const shown = await this.look(() => document.body.innerText);
        throw new Error(`${this.name} waited for ${call} ${JSON.stringify(values)}\n${shown}\n${this.complaints}`);
      }
      await this.look(() => new Promise((resolve) => setTimeout(resolve, 10))).catch(() => {});
    }
  }

  /** Waits for something that is seen, says this, and does not move; gives where its middle is. What will be pressed is aimed at. */
  find(selector, text = '', isAimedAt = false) {
    return this.until(
      async (selector, text, isAimedAt) => {
        const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
        const label = (element) => element.innerText || element.getAttribute('aria-label') || element.value || '';
        const says = (element) => label(element).includes(text);
        for (const element of document.querySelectorAll(selector)) {
          if (!element.checkVisibility() || element.closest('[inert]') || element.disabled || !says(element)) continue;
          element.scrollIntoView({ block: 'nearest' });
          const { x, y, width, height } = element.getBoundingClientRect();
          await frame();
          await frame();
          const after = element.getBoundingClientRect();
          if (after.x !== x || after.y !== y || after.width !== width) continue;
          const [middle, centre] = [x + width / 2, y + height / 2];
          const top = document.elementFromPoint(middle, centre);
          if (!element.contains(top) && !top?.contains(element)) continue;
          if (isAimedAt) window.aimAt(element.contains(top) ? element : top);
          return { x: middle, y: centre };
        }
        return null;
      },
      selector,
      text,
      isAimedAt,
    );
  }

  /** Presses something, and not what has come into its place meanwhile. */
  async click(selector, text) {
    for (let end = Date.now() + DEADLINE_MS, isPressed = false; !isPressed;) {
      if (Date.now() > end) throw new Error(`${this.name} does not get to press ${selector} ${text}`);
      const { x, y } = await this.find(selector, text, true);
      const mouse = { x, y, button: 'left', clickCount: 1 };
      await this.ask('Input.dispatchMouseEvent', { type: 'mousePressed', ...mouse });
      await this.ask('Input.dispatchMouseEvent', { type: 'mouseReleased', ...mouse });
      isPressed = await this.look(() => {
        window.aim.over.abort();
        return window.aim.isPressed;
      });
    }
  }

  async press(key, modifiers = 0) {
    const text = key === 'Enter' ? '\r' : undefined;
    const code = { Enter: 13, Escape: 27, Tab: 9, ArrowDown: 40, ArrowUp: 38, Home: 36, End: 35, ' ': 32 }[key];
    const pressed = { key, code: key === ' ' ? 'Space' : key, windowsVirtualKeyCode: code, modifiers };
    await this.ask('Input.dispatchKeyEvent', { type: 'keyDown', text: key === ' ' ? ' ' : text, ...pressed });
    await this.ask('Input.dispatchKeyEvent', { type: 'keyUp', ...pressed });
  }

  /** Types into what has the focus. */
  async type(text) {
    await this.ask('Input.insertText', { text });
  }

  async fill(selector, text) {
    await this.click(selector);
    await this.look((selector) => document.querySelector(selector).select(), selector);
    await this.type(text);
  }

  /** The texts of what is there. */
  texts(selector) {
    const all = (selector) => [...document.querySelectorAll(selector)].map((element) => element.textContent);
    return this.look(all, selector);
  }

  sees(selector, text) {
    return this.until(
      (selector, text) => [...document.querySelectorAll(selector)].some((element) =>
        element.checkVisibility() && element.textContent.includes(text)),
      selector,
      text,
    );
  }

  /** Waits for something that passes, and may have passed by now; what passed before it is told no more. */
  saw(selector, text) {
    return this.until(
      (selector, text) => {
        const at = window.passed[selector].findIndex((shown) => shown.includes(text));
        return window.passed[selector].splice(0, at + 1).length > 0;
      },
      selector,
      text,
    );
  }

  async picture() {
    const { data } = await this.ask('Page.captureScreenshot', { format: 'png' });
    return Buffer.from(data, 'base64');
  }

  // What one does on this page.

  async register(url, name, password = `password of ${name}`) {
    await this.go(url);
    await this.click('.choice span', 'Register');
    await this.fill('#name', name);
    await this.fill('#password', password);
    await this.press('Enter');
    await this.find('#me-name', name.trim());
  }

  async logIn(url, name, password = `password of ${name}`) {
    await this.go(url);
    await this.fill('#name', name);
    await this.fill('#password', password);
    await this.press('Enter');
  }

  /** Finds somebody by name, and presses a button of what was found. */
  async findPerson(name, act) {
    await this.click('#ask-new');
    await this.fill('#find-who', name);
    await this.press('Enter');
    await this.click('#found button', act);
  }

  async say(text) {
    await this.fill('#text', text);
    await this.press('Enter');
  }

  /** The texts in the open conversation that are told to be safe, or are of others. */
  said() {
    return this.texts('#log .said:not(.waiting, .failed) .text');
  }
}
