// The chat in the application's page.

import { Client } from '/chatd.js';

const at = (id) => document.getElementById(id);
const client = new Client(document.body.dataset.chat, { multi: true, device: 'The page' });

/** Whatever people wrote is text, never HTML. */
function show(who, text) {
  const line = document.createElement('li');
  line.textContent = `${who}: ${text}`;
  at('log').append(line);
}

client.on('message', ({ name, text }) => show(name, text));
client.on('loggedin', ({ name }) => (at('state').textContent = `chatting as ${name}`));
client.on('lost', () => (at('state').textContent = 'the connection is lost; what you say now waits for it'));
client.on('signedout', ({ message }) => (at('state').textContent = message));

// Asked now, before the token expires, and whenever the client comes back and its session is over.
async function chatToken() {
  const answer = await fetch('/chat-token');
  if (!answer.ok) throw new Error(await answer.text());
  return answer.text();
}

at('say').addEventListener('submit', async (event) => {
  event.preventDefault();
  const [to, text] = [at('to').value, at('text').value];
  at('text').value = '';
  try {
    const { id } = await client.find(to);
    await client.say({ user: id }, text);
    show('you', `${text} ✓`);
  } catch ({ message }) {
    show('not said', `${text} (${message})`);
  }
});

await client.login({ jwt: chatToken }).catch(({ message }) => (at('state').textContent = message));
