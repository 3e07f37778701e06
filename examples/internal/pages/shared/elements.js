// Elements, made without HTML: a file's name is always text.
import { day, moment, shown } from './format.js';

// element makes an element with properties, such as className or ariaLabel, and children, which
// are elements or texts.
export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// button makes a button whose name for a screen reader includes the file that it is for.
export function button(name, file, press, className = '') {
  const made = element('button', { type: 'button', className, ariaLabel: `${name}: ${shown(file)}` }, name);
  made.addEventListener('click', press);
  return made;
}

// time makes an element for a moment, with its day as text.
export function time(date) {
  return element('time', { dateTime: new Date(date).toISOString(), title: moment(date) }, day(date));
}
