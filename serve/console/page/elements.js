// Makes elements. Whatever a client or a store has named is text here: nothing is ever HTML.

// element makes an element with properties and children, which are elements or texts.
export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const drawings = {
  folder: 'M3 7a2 2 0 0 1 2-2h4l2.5 2.5H19a2 2 0 0 1 2 2V17a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2z',
  file: 'M14 3H7a2 2 0 0 0-2 2v14a2 2 0 0 0 2 2h10a2 2 0 0 0 2-2V8zM14 3v5h5',
  text: 'M14 3H7a2 2 0 0 0-2 2v14a2 2 0 0 0 2 2h10a2 2 0 0 0 2-2V8zM14 3v5h5M9 12.5h6M9 16.5h4',
  image: 'M5 4h14a2 2 0 0 1 2 2v12a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V6a2 2 0 0 1 2-2zM3.5 17.5 9 12l4 4 3-3 4.5 4.5M15.5 8.5h.01',
  video: 'M5 5h14a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V7a2 2 0 0 1 2-2zM10 9l5 3-5 3z',
  audio: 'M9 18V6l10-2v12M9 18a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0zM19 16a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0z',
  upload: 'M12 16V4M7 9l5-5 5 5M4 16v3a1 1 0 0 0 1 1h14a1 1 0 0 0 1-1v-3',
  download: 'M12 4v12M7 11l5 5 5-5M4 16v3a1 1 0 0 0 1 1h14a1 1 0 0 0 1-1v-3',
  add: 'M3 7a2 2 0 0 1 2-2h4l2.5 2.5H19a2 2 0 0 1 2 2V17a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2zM12 10.5v5M9.5 13h5',
  share: 'M10 13.5a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.7-5.7l-1.5 1.5M14 10.5a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.7 5.7l1.5-1.5',
  rename: 'M4 20h4L19 9l-4-4L4 16zM13 7l4 4',
  replace: 'M4 12a8 8 0 0 1 14-5l2 2M20 4v5h-5M20 12a8 8 0 0 1-14 5l-2-2M4 20v-5h5',
  remove: 'M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5',
  restore: 'M9 14 4 9l5-5M4 9h10a6 6 0 0 1 0 12h-3',
  close: 'M6 6l12 12M18 6 6 18',
  back: 'M15 5l-7 7 7 7',
  forward: 'M9 5l7 7-7 7',
  copy: 'M9 9h10v11H9zM5 15V4h10',
  bucket: 'M4 7c0-1.7 3.6-3 8-3s8 1.3 8 3-3.6 3-8 3-8-1.3-8-3zM4 7l2 11c.3 1.2 2.8 2 6 2s5.7-.8 6-2l2-11',
};

export function icon(name, className = '') {
  const namespace = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(namespace, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  svg.setAttribute('class', `icon ${className}`);
  const path = document.createElementNS(namespace, 'path');
  path.setAttribute('d', drawings[name]);
  svg.append(path);
  return svg;
}

export function draw(svg, name, className = '') {
  svg.setAttribute('class', `icon ${className}`);
  svg.firstChild.setAttribute('d', drawings[name]);
}

// pictogram returns the name of the drawing for a key, by its extension only: it is no more than a hint.
const extensions = {
  image: /\.(avif|bmp|gif|heic|ico|jpe?g|png|svg|tiff?|webp)$/i,
  video: /\.(avi|m4v|mkv|mov|mp4|mpe?g|ogv|webm)$/i,
  audio: /\.(aac|flac|m4a|mp3|oga|ogg|opus|wav)$/i,
  text: /\.(csv|docx?|html?|js|json|log|md|odt|pdf|rtf|sql|toml|tsv|txt|xml|ya?ml)$/i,
};
export const pictogram = ({ key, folder }) => (folder ? 'folder' : Object.keys(extensions).find((name) => extensions[name].test(key)) ?? 'file');

export function button(text, press, { drawing, ...properties } = {}) {
  const made = element('button', { type: 'button', ...properties }, drawing ? icon(drawing) : null, text);
  made.addEventListener('click', () => reporting(press));
  return made;
}

// shown replaces characters that change the order or place of others.
export const shown = (name) => name.replace(/[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu, '\ufffd');
export const shownLines = (text) => text.split('\n').map((line) => shown(line.replaceAll('\t', '    '))).join('\n');

const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
const decimal = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
export const number = (n) => decimal.format(n);
export const counted = (n, one, many = `${one}s`) => `${number(n)}\u00a0${n === 1 ? one : many}`;

export function size(bytes) {
  let unit = 0;
  for (; bytes >= 1023.95 && unit < units.length - 1; unit++) bytes /= 1024;
  if (bytes === 1 && unit === 0) return '1\u00a0byte';
  return `${number(bytes)}\u00a0${units[unit]}`;
}

const minutes = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
const seconds = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const clocks = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });
const valid = (text) => text && !text.startsWith('0001-') && !Number.isNaN(Date.parse(text));
export const minute = (text) => (valid(text) ? minutes.format(new Date(text)) : '');

function time(text, format) {
  if (!valid(text)) return '';
  const date = new Date(text);
  return element('time', { dateTime: text, title: date.toISOString() }, format.format(date));
}

export const moment = (text) => time(text, seconds);
export const clock = (text) => time(text, clocks);

const problem = document.getElementById('problem');
const live = document.getElementById('live');
let hiding = 0;

// announce says what happened, to eyes and to screen readers.
export function announce(text) {
  live.textContent = text;
  live.classList.remove('unseen');
  clearTimeout(hiding);
  hiding = setTimeout(() => live.classList.add('unseen'), 6000);
}

// reporting shows what f throws. With again, it offers to try it again.
export async function reporting(f, again = false) {
  try {
    await f();
    problem.hidden = true;
  } catch (error) {
    if (error.name === 'AbortError') return;
    problem.replaceChildren(element('span', {}, inWords(error)), again ? button('Try again', () => reporting(f, true)) : '');
    problem.hidden = false;
  }
}

// inWords tells what an error is. Those of the server have a status.
export const inWords = (error) => (error.status ? `The server says: ${shown(error.message)}` : shown(error.message));

export const heading = (text, ...beside) => element('div', { className: 'heading' }, element('h2', { tabIndex: -1 }, text), element('div', { className: 'actions' }, ...beside));

export function table(columns, name) {
  const body = element('tbody');
  const head = columns.map(({ title, className = '' }) => element('th', { scope: 'col', className }, title));
  return { whole: element('table', { ariaLabel: name }, element('thead', {}, element('tr', {}, ...head)), body), body };
}

// row makes a row whose first cell names it.
export function row(columns, name, ...cells) {
  return element('tr', {}, element('th', { scope: 'row' }, name),
    ...cells.map((cell, i) => element('td', { className: columns[i + 1].className ?? '' }, cell)));
}

// paged shows rows of pages, with a button for the next one.
export function paged(columns, name, nothing, fetchPage, rowOf) {
  const { whole, body } = table(columns, name);
  const place = element('div', {}, element('p', { className: 'empty loading' }, 'Loading…'));
  const more = button('Show more', () => next(), { className: 'more', hidden: true });
  let after = '';
  async function next() {
    const page = await fetchPage(after);
    const rows = page.entries.map(rowOf);
    const first = body.rows.length;
    body.append(...rows);
    after = page.next;
    more.hidden = !after;
    place.replaceChildren(body.rows.length || after ? whole : element('p', { className: 'empty' }, nothing));
    if (first && rows.length) {
      announce(`${rows.length} more`);
      (body.rows[first].querySelector('a, button') ?? more).focus();
    }
  }
  return { parts: [place, more], next };
}
