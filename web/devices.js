// The devices of this user.

import { ERRNO } from '/chatd.js';
import { button, make, recent } from './elements.js';
import { $, client } from './page.js';
import { attempt } from './words.js';

async function showDevices() {
  $('device-list').replaceChildren();
  $('devices-note').textContent = 'Asking…';
  $('devices').showModal();
  const devices = await client.devices();
  $('device-list').append(...devices.map(deviceRow));
  $('devices-note').textContent = devices.length === 1 ? 'No other device is logged in.' : '';
}

function deviceRow({ id, name, used, online, isThis }) {
  const shown = name || 'A device without a name';
  const about = isThis ? 'this one' : online ? 'online' : used ? `last used ${recent.format(used)}` : 'offline';
  const who = make('span', { class: 'who' }, make('bdi', { text: shown }), make('small', { text: about }));
  const row = make('li', { class: 'person' }, who);
  if (isThis) return row;
  const out = button('Sign out', () => attempt(async () => {
    out.disabled = true;
    try {
      await client.dropDevice(id);
    } catch (error) {
      out.disabled = false;
      if (error.errno !== ERRNO.NO_SUCH_USER) throw error;
    }
    const next = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    (next?.querySelector('button') ?? $('devices').querySelector('[data-close]')).focus();
    $('devices-note').textContent = `${shown} is signed out.`;
  }));
  out.setAttribute('aria-label', `Sign out ${shown}`);
  row.append(out);
  return row;
}

$('ask-devices').addEventListener('click', () => attempt(showDevices));
