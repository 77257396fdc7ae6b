// What all of the page knows: the client, who is logged in, the conversations, which of them is open; and what is drawn anew.

import { Client } from '/chatd.js';

export const $ = (id) => document.getElementById(id);
const scheme = location.protocol === 'https:' ? 'wss' : 'ws';

/** What this device calls itself: "Firefox on Linux". */
function deviceName() {
  const agent = navigator.userAgent;
  const first = (known) => known.find(([, sign]) => sign.test(agent))?.[0];
  const browser = first([
    ['Edge', /Edg/], ['Opera', /OPR\//], ['Samsung Internet', /SamsungBrowser/], ['Firefox', /Firefox|FxiOS/],
    ['Chrome', /Chrome|CriOS/], ['Safari', /Safari/],
  ]);
  const system = first([
    ['Android', /Android/], ['iPhone', /iPhone/], ['iPad', /iPad/], ['Windows', /Windows/], ['Mac', /Mac OS/],
    ['ChromeOS', /CrOS/], ['Linux', /Linux/],
  ]);
  return `${browser ?? 'Browser'}${system ? ` on ${system}` : ''}`.slice(0, 50);
}

export const client = new Client(`${scheme}://${location.host}/ws`, {
  confirm: 'manual', multi: true, device: deviceName(), caps: ['own', 'read', 'typing', 'changed', 'group', 'friend'],
});

/** How near to an edge is at it. */
export const NEAR_PX = 120;

/** Who is logged in, how many messages of this user are not safe yet, and the talk that is open. */
export const page = { me: null, waiting: 0, open: null };
export const talks = new Map();

/** What is to be drawn anew. Each file that draws puts its own in here, so that what is known names nothing that is seen. */
export const draw = {};
