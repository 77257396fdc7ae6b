// Whom this user lets come near: who may write, and whether others see what was read.

import { $, client } from './page.js';
import { attempt, because, say } from './words.js';

function drawSettings({ whoWrites, readReceipts }) {
  for (const radio of $('settings-form').elements.writers) radio.checked = radio.value === whoWrites;
  $('receipts').checked = readReceipts;
}

$('ask-settings').addEventListener('click', () => attempt(async () => {
  drawSettings(await client.settings());
  $('settings-note').textContent = '';
  $('settings').showModal();
}));

$('settings-form').addEventListener('change', async ({ target }) => {
  const change = target.name === 'writers' ? { whoWrites: target.value } : { readReceipts: target.checked };
  $('settings-note').textContent = '';
  try {
    drawSettings(await client.settings(change));
    $('settings-note').textContent = 'Saved.';
  } catch (error) {
    $('settings-note').textContent = because(error);
    client.settings().then(drawSettings, () => {});
  }
});

client.on('settings', (settings) => {
  drawSettings(settings);
  if ($('settings').open) say('Your settings were changed on another device.');
});
