// What is said to whoever looks at the page: in passing, as a question, as the reason why something was not done.

import { ERRNO } from '/chatd.js';
import { make } from './elements.js';
import { $ } from './page.js';

let toasting = 0;
/** Says something in passing, also to who does not see. */
export function say(sentence) {
  clearTimeout(toasting);
  // Anew, so that it is above a dialog that was opened meanwhile.
  $('toast').hidePopover();
  $('toast').showPopover();
  $('toast').textContent = sentence;
  toasting = setTimeout(() => $('toast').hidePopover(), 6_000);
}

/** Asks something; whether the answer was yes. */
export async function ask(sentence, yes, no = 'Cancel') {
  return (await choose(sentence, [], yes, no)) !== null;
}

/** Asks something of which there are several kinds, `[value, what it is called]`; the chosen value, or null. */
export function choose(sentence, kinds, yes, no = 'Cancel') {
  const dialog = $('question');
  $('question-text').textContent = sentence;
  $('question-yes').textContent = yes;
  $('question-no').textContent = no;
  const kind = ([value, text], at) => {
    const radio = make('input', { type: 'radio', name: 'kind', value, checked: at === 0 });
    return make('label', { class: 'check' }, radio, make('span', { text }));
  };
  $('question-kinds').replaceChildren(...kinds.map(kind));
  dialog.returnValue = 'no';
  dialog.showModal();
  const chosen = () => dialog.querySelector('input[name=kind]:checked')?.value ?? '';
  const answer = (resolve) => () => resolve(dialog.returnValue === 'yes' ? chosen() : null);
  return new Promise((resolve) => dialog.addEventListener('close', answer(resolve), { once: true }));
}

const SENTENCES = {
  [ERRNO.NOT_YOURS]: 'They do not take messages from you.',
  [ERRNO.NO_SUCH_USER]: 'Nobody is called that.',
  [ERRNO.NO_SUCH_GROUP]: 'There is no such group.',
  [ERRNO.NOT_A_MEMBER]: 'You are not a member of this group.',
  [ERRNO.EXISTS]: 'That is so already.',
  [ERRNO.TOO_LARGE]: 'That is too long.',
  [ERRNO.BUSY]: 'The server is too busy just now.',
  [ERRNO.TOO_MANY]: 'There are too many of them already.',
  [ERRNO.UNKNOWN]: 'The server is too old for that.',
  [ERRNO.MUTED]: 'You are muted in this group.',
  [ERRNO.PENDING]: 'You asked. Whoever runs the group will answer.',
};

/** The same, where somebody who runs a group does something to it. */
export const HERE_IN_GROUP = {
  [ERRNO.NOT_YOURS]: 'Your role in this group does not allow that.',
  [ERRNO.NOT_A_MEMBER]: 'That user is not in this group any more.',
  [ERRNO.NO_SUCH_USER]: 'That user does not ask any more.',
  [ERRNO.EXISTS]: 'There is a group of this name already.',
  [ERRNO.BUSY]: 'It is done, but not every server knows it yet. Try again.',
};

/** Why something was not done, for people; `here` are sentences that fit better to what was asked. */
export function because(error, here = {}) {
  if (error.errno === ERRNO.TOO_FAST) {
    const wait = error.retryAfterMs ? ` Try again in ${Math.ceil(error.retryAfterMs / 1_000)} s.` : '';
    return `Too many tries.${wait}`;
  }
  const own = `${error.message[0].toUpperCase()}${error.message.slice(1)}`;
  const sentence = here[error.errno] ?? SENTENCES[error.errno] ?? own;
  return /[.!?…]$/.test(sentence) ? sentence : `${sentence}.`;
}

/** Does what was pressed, and says so if it is not done. */
export async function attempt(act, here) {
  try {
    return await act();
  } catch (error) {
    say(because(error, here));
    return undefined;
  }
}

export function closeDialogs() {
  for (const dialog of document.querySelectorAll('dialog[open]')) dialog.close();
}

/** A form that asks something of the server: out of use meanwhile, and what went wrong is said in it. */
export function onSubmit(form, error, act, here) {
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    error.textContent = '';
    const submit = form.querySelector('[type=submit]');
    submit.disabled = true;
    try {
      await act();
    } catch (refusal) {
      error.textContent = because(refusal, here);
    }
    submit.disabled = false;
  });
}
