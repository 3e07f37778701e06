// A list of many entries: only the rows in view are elements, so that 100,000 keys scroll as well as ten.
import { element, counted, draw, icon, inWords, button } from './elements.js';

const ahead = 400; // rows before the end at which the next page is asked for
const spare = 6; // rows above and below those in view
const most = 10_000; // entries that are loaded and sorted, for another order than the store's

// A List is a grid: one stop of Tab, in which arrows move. The focus is on the link of a row. Only this link and
// the one below the pointer have an address: an address for each would make the others stops of Tab, too.
export class List {
  entries = [];
  selected = new Set();
  active = 0; // the index of the row that has the focus, or will get it
  #rows = new Map(); // by index
  #height = 44; // of a row, which the stylesheet decides
  #after = '';
  #loading = null;
  #ending = false; // whether the focus is on its way to the end, which other pages precede
  #anchor = 0; // where a range begins
  #compare = null; // of another order than the store's
  #options;

  // columns have title, className and fill(cell, entry); nameOf, addressOf and pictogram describe an entry.
  // fetchPage(after, signal) returns {entries, next}. changed is called when entries or the selection change.
  constructor(options) {
    this.#options = options;
    const { columns, name } = options;
    this.all = element('input', { type: 'checkbox', ariaLabel: 'Select all' });
    this.all.addEventListener('change', () => this.selectAll(this.all.checked));
    const titles = columns.map(({ title, className = '' }) => element('span', { role: 'columnheader', className }, title));
    this.head = element('div', { className: 'row head', role: 'row', ariaRowIndex: '1', hidden: true }, element('span', { role: 'columnheader', className: 'pick' }, this.all), ...titles);
    this.space = element('div', { className: 'space', role: 'rowgroup' });
    this.state = element('div', { className: 'state' });
    this.scroll = element('div', { className: 'scroll', role: 'presentation' }, this.space, this.state);
    this.place = element('div', { className: 'list', role: 'grid', ariaLabel: name, ariaMultiSelectable: 'true' }, this.head, this.scroll);
    this.#listen();
  }

  #listen() {
    this.scroll.addEventListener('scroll', () => {
      this.#soon ||= requestAnimationFrame(() => this.#draw());
    }, { passive: true });
    new ResizeObserver(() => this.#measure()).observe(this.scroll);
    this.space.addEventListener('keydown', (event) => this.#press(event));
    this.space.addEventListener('click', (event) => this.#click(event));
    for (const type of ['pointerover', 'pointerout', 'touchstart']) {
      this.space.addEventListener(type, ({ target }) => {
        const row = target.closest('.row');
        if (row) this.#link(row, type !== 'pointerout');
      }, { passive: true });
    }
  }

  #soon = 0;

  // load shows the first page. The entries before stay until it is there.
  async load() {
    this.#loading?.abort();
    this.#ending = false;
    this.place.ariaBusy = 'true';
    if (!this.entries.length) this.#say(skeleton());
    await this.#fetch('', (entries) => {
      this.entries = entries;
      this.active = 0;
      this.scroll.scrollTop = 0;
      this.selected.clear();
    });
  }

  #more() {
    if (this.#compare && this.entries.length >= most) return;
    if (this.#after && !this.#loading) this.#fetch(this.#after, (entries) => { for (const entry of entries) this.entries.push(entry); });
  }

  async #fetch(after, add) {
    const loading = (this.#loading = new AbortController());
    try {
      const page = await this.#options.fetchPage(after, loading.signal);
      if (this.#loading !== loading) return;
      this.#loading = null;
      add(page.entries);
      if (this.#compare) this.entries.sort(this.#compare);
      this.#after = page.next;
      this.failed = false;
      this.#say(...(this.entries.length || page.next ? [] : this.#options.nothing()));
      if (page.partial && !page.next) this.state.append(element('p', { className: 'note partial' }, 'Only the first 100,000 versions were searched: choose a folder, or type the beginning of a name.'));
      this.#changed();
      this.#ending &&= this.space.contains(document.activeElement);
      if (this.#ending) this.focus(Infinity);
      this.#ending &&= this.more;
      if (this.#compare) this.#more();
    } catch (error) {
      if (this.#loading !== loading) return;
      this.#loading = null;
      this.#ending = false;
      this.failed = true;
      this.#say(element('p', { className: 'empty', role: 'alert' }, `${this.entries.length ? 'The list goes on, but it' : 'It'} cannot be loaded. ${inWords(error)}`, button('Try again', () => this.retry())));
    } finally {
      if (this.#loading === loading || !this.#loading) this.place.ariaBusy = 'false';
    }
  }

  // retry repeats what failed.
  retry() {
    if (!this.failed) return;
    this.failed = false;
    if (this.entries.length && this.#after) this.#more();
    else this.load();
  }

  #say(...parts) {
    this.state.replaceChildren(...parts);
  }

  // order shows the entries in the order of compare, or without it in the store's. A listing has no other order, so that
  // its first entries are loaded, and sorted here.
  order(compare) {
    this.#compare = compare;
    if (!compare) {
      this.load();
      return;
    }
    this.entries.sort(compare);
    this.#changed();
    this.#more();
  }

  get more() {
    return this.#after !== '';
  }

  #changed() {
    const count = this.entries.length;
    this.active = Math.max(0, Math.min(this.active, count - 1));
    this.place.ariaRowCount = this.more ? '-1' : String(count + 1);
    this.head.hidden = count === 0;
    this.all.checked = count > 0 && this.selected.size === count;
    this.all.indeterminate = this.selected.size > 0 && this.selected.size < count;
    this.space.style.height = `${count * this.#height}px`;
    this.#align();
    this.#draw();
    this.#options.changed();
  }

  #measure() {
    const row = this.#rows.values().next().value;
    const height = row?.offsetHeight ?? this.#height;
    if (row && height !== this.#height) {
      const top = this.scroll.scrollTop / this.#height;
      this.#height = height;
      this.space.style.height = `${this.entries.length * height}px`;
      this.scroll.scrollTop = top * height;
    }
    this.#align();
    this.#draw();
  }

  // align keeps the titles above their columns, whether there is a scroll bar or not.
  #align() {
    this.head.style.marginInlineEnd = `${this.scroll.offsetWidth - this.scroll.clientWidth}px`;
  }

  // draw fills the rows in view, and that with the focus. Elements are used again where they are, since moving them
  // would cost more than all else; sort puts them in order when nothing scrolls.
  #draw() {
    cancelAnimationFrame(this.#soon);
    this.#soon = 0;
    const { scrollTop, clientHeight } = this.scroll;
    const count = this.entries.length;
    const first = Math.max(0, Math.floor(scrollTop / this.#height) - spare);
    const last = Math.min(count - 1, Math.ceil((scrollTop + clientHeight) / this.#height) + spare);
    const isWanted = (i) => i < count && ((i >= first && i <= last) || i === this.active);
    const pool = [];
    for (const [i, row] of this.#rows) {
      if (isWanted(i)) continue;
      this.#rows.delete(i);
      pool.push(row);
    }
    const place = (i) => {
      let row = this.#rows.get(i);
      if (!row) {
        row = pool.pop() ?? this.space.appendChild(this.#make());
        this.#rows.set(i, row);
        clearTimeout(this.#sorting);
        this.#sorting = setTimeout(() => this.#sort(), 150);
      }
      this.#fill(row, i);
    };
    for (let i = first; i <= last; i++) place(i);
    if (this.active < count) place(this.active);
    for (const row of pool) row.remove();
    if (!this.#measured && this.#rows.size) {
      this.#measured = true;
      this.#measure();
    }
    if (last > count - ahead) this.#more();
  }

  #sorting = 0;

  // sort never moves the row with the focus, which would lose it.
  #sort() {
    let before = null;
    for (const i of [...this.#rows.keys()].sort((a, b) => b - a)) {
      const row = this.#rows.get(i);
      if (row.nextSibling !== before && !row.contains(document.activeElement)) this.space.insertBefore(row, before);
      before = row;
    }
  }

  #measured = false;

  #make() {
    const box = element('span', { className: 'box', role: 'checkbox' });
    const link = element('a', { className: 'name' });
    const cells = this.#options.columns.map(({ className = '' }) => element('span', { role: 'gridcell', className }));
    const drawing = icon('file');
    cells[0].append(drawing, link);
    const row = element('div', { className: 'row', role: 'row' }, element('span', { role: 'gridcell', className: 'pick' }, box), ...cells);
    return Object.assign(row, { box, link, cells, drawing });
  }

  #fill(row, i) {
    const entry = this.entries[i];
    const isSelected = this.selected.has(entry);
    if (row.index !== i) {
      row.index = i;
      row.style.transform = `translateY(${i * this.#height}px)`;
      row.ariaRowIndex = String(i + 2);
    } else if (row.height !== this.#height) row.style.transform = `translateY(${i * this.#height}px)`;
    row.height = this.#height;
    if (row.entry !== entry) {
      row.entry = entry;
      const name = this.#options.nameOf(entry);
      row.link.textContent = name;
      row.box.ariaLabel = `Select ${name}`;
      const drawing = this.#options.pictogram(entry);
      draw(row.drawing, drawing, drawing);
      this.#picture(row, entry.view);
      row.classList.toggle('bare', Boolean(entry.folder));
      this.#options.columns.forEach(({ fill }, n) => fill?.(row.cells[n], entry));
    }
    if (row.ariaSelected !== String(isSelected)) row.ariaSelected = row.box.ariaChecked = String(isSelected);
    row.classList.toggle('open', Boolean(this.open) && this.open === entry.key);
    row.link.tabIndex = i === this.active ? 0 : -1;
    this.#link(row, i === this.active);
  }

  // picture shows the picture at an address in place of the drawing.
  #picture(row, src) {
    row.picture?.remove();
    row.picture = null;
    row.classList.toggle('pictured', Boolean(src));
    if (!src) return;
    const picture = element('img', { className: 'thumbnail', alt: '', decoding: 'async', src });
    picture.addEventListener('error', () => { if (row.picture === picture) this.#picture(row, ''); });
    row.picture = picture;
    row.drawing.before(picture);
  }

  #link(row, is) {
    if (is || row.index === this.active) row.link.href = this.#options.addressOf(row.entry);
    else row.link.removeAttribute('href');
  }

  // show marks the entry whose details are open.
  show(key) {
    this.open = key;
    this.#draw();
  }

  // focus moves the focus to a row, and scrolls as little as needed.
  focus(i = this.active) {
    if (!this.entries.length) return;
    this.active = Math.max(0, Math.min(i, this.entries.length - 1));
    this.#reveal(this.active);
    this.#draw();
    this.#rows.get(this.active).link.focus({ preventScroll: true });
  }

  // reveal scrolls to a row, as little as needed.
  #reveal(i) {
    const { scrollTop, clientHeight } = this.scroll;
    const top = i * this.#height;
    if (top < scrollTop) this.scroll.scrollTop = top;
    else if (top + this.#height > scrollTop + clientHeight) this.scroll.scrollTop = top + this.#height - clientHeight;
  }

  // beside returns the object after a key, or with -1 before it, and scrolls to it. It returns null if there is none.
  beside(key, step) {
    let i = this.entries.findIndex((entry) => entry.key === key);
    if (i < 0) return null;
    do i += step; while (this.entries[i]?.folder);
    if (!this.entries[i]) return null;
    this.#reveal(i);
    this.#draw();
    return this.entries[i];
  }

  focusKey(key) {
    const i = this.#indexOf(key);
    this.focus(this.entries[i]?.key === key ? i : 0);
  }

  #press(event) {
    const page = Math.max(1, Math.floor(this.scroll.clientHeight / this.#height) - 1);
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    const move = moves[event.key];
    if (event.altKey || event.metaKey) return;
    if (event.key === 'a' && event.ctrlKey) this.selectAll(true);
    else if (event.ctrlKey) return;
    else if (move) {
      if (event.shiftKey && Math.abs(move) === 1) this.#select(this.active, true);
      this.#ending = event.key === 'End' && this.more;
      this.focus(this.active + move);
      if (event.shiftKey && Math.abs(move) === 1) this.#select(this.active, true);
    } else if (event.key === ' ') this.#select(this.active, !this.selected.has(this.entries[this.active]));
    else if (!this.#options.press?.(event.key, this.entries[this.active])) return;
    event.preventDefault();
  }

  #click(event) {
    const row = event.target.closest('.row');
    if (!row || event.ctrlKey || event.metaKey) return;
    const { entry, index } = row;
    event.preventDefault();
    this.#ending = false;
    this.focus(index);
    if (event.target.closest('.pick')) {
      const is = !this.selected.has(entry);
      if (event.shiftKey) for (let i = Math.min(this.#anchor, index); i <= Math.max(this.#anchor, index); i++) this.#add(i, is);
      this.#anchor = index;
      this.#select(index, is);
    } else if (event.target.closest('.act')) this.#options.act(entry);
    else location.hash = this.#options.addressOf(entry);
  }

  #add(i, is) {
    if (is) this.selected.add(this.entries[i]);
    else this.selected.delete(this.entries[i]);
  }

  #select(i, is) {
    this.#add(i, is);
    this.#changed();
  }

  selectAll(is) {
    this.selected = new Set(is ? this.entries : []);
    this.#changed();
  }

  // indexOf returns the index of a key, or where it belongs.
  #indexOf(key) {
    if (this.#compare) {
      const i = this.entries.findIndex((entry) => entry.key === key);
      return i < 0 ? this.entries.length : i;
    }
    let low = 0;
    let high = this.entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.entries[middle].key < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // put adds an entry or replaces that of its key. It is not added if it belongs to a page that is not here yet.
  put(entry) {
    const i = this.#indexOf(entry.key);
    const is = this.entries[i]?.key === entry.key;
    if (!is && this.more && i === this.entries.length) return;
    if (is) this.selected.delete(this.entries[i]);
    this.entries.splice(i, is ? 1 : 0, entry);
    if (this.#compare) this.entries.sort(this.#compare);
    this.#say();
    this.#changed();
  }

  // drop removes entries.
  drop(isGone) {
    const before = this.entries.length;
    this.entries = this.entries.filter((entry) => !isGone(entry));
    if (this.entries.length === before) return;
    this.selected = new Set(this.entries.filter((entry) => this.selected.has(entry)));
    if (!this.entries.length && !this.more) this.#say(...this.#options.nothing());
    this.#changed();
  }

  get described() {
    const entries = counted(this.entries.length, 'entry', 'entries');
    if (!this.more) return entries;
    if (!this.#compare) return `The first ${entries}, more as you scroll`;
    return this.entries.length < most ? `${entries} so far` : `Only the first ${entries} by name are sorted`;
  }
}

// skeleton stands for rows. The stylesheet shows it only after a moment.
function skeleton() {
  const bars = Array.from({ length: 6 }, () => element('span', { className: 'bar' }));
  return element('div', { className: 'loading' }, element('p', {}, 'Loading…'), ...bars);
}
