// What several tests have people do with the lines of a conversation, and look for in them.

export const HOSTILE = '<img src=x onerror=alert(1)>';
export const PHONE = { width: 360, height: 640, touch: true, dark: true };
export const isNarrow = () => document.documentElement.scrollWidth <= innerWidth;
/** Nothing that others wrote became markup. */
export const strangers = () =>
  document.querySelectorAll('#house :is(script, svg, i, a), :is(#house, dialog) img:not([src="/icon.svg"]), dialog :is(i, a)').length;

/** Opens the menu beside what says this, and presses one of its buttons. */
export async function more(person, text, act) {
  const at = await person.until(
    (text) => [...document.querySelectorAll('#log li')].findIndex((line) =>
      line.querySelector('.text')?.textContent === text && line.querySelector('.more:not([hidden])')) + 1,
    text,
  );
  await person.click(`#log li:nth-child(${at}) .more > summary`);
  await person.click(`#log li:nth-child(${at}) .sheet button`, act);
}

/** Goes to the menu of the last message with the keyboard. Where Tab stops is told with the next picture that is drawn. */
export async function beforeField(person) {
  await person.until(() => document.querySelector('#log li:last-child .more:not([hidden]) > summary')?.tabIndex === 0);
  await person.look(() => document.querySelector('#text').focus());
  await person.press('Tab', 8);
  await person.until(() => document.activeElement.matches('#log li:last-child .more > summary'));
}
