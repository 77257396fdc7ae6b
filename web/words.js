// What is said to whoever looks at the page: in passing, as a question, as the reason why something was not done.

import { ERRNO } from '/chatd.js';
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
export function ask(sentence, yes, no = 'Cancel') {
  const dialog = $('question');
  $('question-text').textContent = sentence;
  $('question-yes').textContent = yes;
  $('question-no').textContent = no;
  dialog.returnValue = 'no';
  dialog.showModal();
  return new Promise((resolve) =>
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true }));
}

/** Why something was not done, for people. */
export function because(error) {
  const known = {
    [ERRNO.NOT_YOURS]: 'They do not take messages from you.',
    [ERRNO.NO_SUCH_USER]: 'Nobody is called that.',
    [ERRNO.NO_SUCH_GROUP]: 'There is no such group.',
    [ERRNO.NOT_A_MEMBER]: 'You are not a member of this group.',
    [ERRNO.EXISTS]: 'That is so already.',
    [ERRNO.TOO_LARGE]: 'That is too long.',
    [ERRNO.BUSY]: 'The server is too busy just now.',
  };
  if (error.errno === ERRNO.TOO_FAST) {
    const wait = error.retryAfterMs ? ` Try again in ${Math.ceil(error.retryAfterMs / 1_000)} s.` : '';
    return `Too many tries.${wait}`;
  }
  return known[error.errno] ?? `${error.message[0].toUpperCase()}${error.message.slice(1)}`;
}

/** Does what was pressed, and says so if it is not done. */
export async function attempt(act) {
  try {
    return await act();
  } catch (error) {
    say(because(error));
    return undefined;
  }
}

export function closeDialogs() {
  for (const dialog of document.querySelectorAll('dialog[open]')) dialog.close();
}
