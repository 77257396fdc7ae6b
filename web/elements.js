// Elements that are made, and times as people read them. A text is never markup.

/** A new element. Its text, and its children's, is never markup. */
export function make(tag, { text, ...attributes } = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name, value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? '' : value);
  }
  if (text !== undefined) element.textContent = text;
  element.append(...children);
  return element;
}

export function paintFace(element, { kind, id, name, online }, shown) {
  const [first] = new Intl.Segmenter().segment(name.trim());
  element.textContent = first?.segment.toUpperCase() ?? '?';
  element.className = `face hue${id % 8}${kind === 'group' ? ' group' : ''}`;
  if (shown) element.dataset.online = online;
  else delete element.dataset.online;
}

export function face(who, shown) {
  const element = make('span', { 'aria-hidden': 'true' });
  paintFace(element, who, shown);
  return element;
}

export const button = (text, click, name = '') => make('button', { type: 'button', text, click, class: name });
export const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' });
export const calendar = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
export const short = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
export const recent = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
export const whole = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' });
export const dayOf = (ts) => new Date(ts).toDateString();
