// A bucket: its folders and objects, what was removed, and the details of one of them.
import { ask, field } from './dialogs.js';
import { askCopy, askRemove, askRename } from './actions.js';
import { call, connection } from './call.js';
import { announce, button, counted, element, icon, inWords, minute, pictogram, reporting, shown, size } from './elements.js';
import { List } from './list.js';
import { showObject, showRemoved } from './object.js';
import { arrivals, chosen, choose, dropped, upload } from './queue.js';
import { address, leaf, parent, route } from './route.js';

const pause = 250; // after a key before it searches, in milliseconds
let view = null; // what is shown now
let thumbnails = false; // whether lists show small pictures

const byKey = (a, b) => (a.key < b.key ? -1 : Number(a.key > b.key));
const changedAt = ({ modified }) => Date.parse(modified) || 0;

// orders are those of a list: the text for each, and how it compares two objects. The store's own order is by name.
const orders = [
  ['Name', null],
  ['Name, last first', (a, b) => byKey(b, a)],
  ['Largest first', (a, b) => b.size - a.size],
  ['Smallest first', (a, b) => a.size - b.size],
  ['Newest first', (a, b) => changedAt(b) - changedAt(a)],
  ['Oldest first', (a, b) => changedAt(a) - changedAt(b)],
];

// foldersFirst compares objects as given, and puts folders before them.
const foldersFirst = (compare) => (a, b) => Boolean(b.folder) - Boolean(a.folder) || (a.folder ? 0 : compare(a, b)) || byKey(a, b);
const known = new Map(); // name → what the bucket can do

// browse shows a bucket. It keeps the list if only the search or the opened object are others.
export async function browse(main, { name = '', prefix = '', show = 'objects', find = '', deep = '', object = '', version = '' }, info, extras) {
  if (!(view?.name === name && view.prefix === prefix && view.show === show && view.list && view.panel)) {
    const last = view;
    view = new View(main, { name, prefix, show, find, deep }, info, extras);
    await view.open(last);
  } else if (view.find !== find || view.deep !== deep) {
    view.find = find;
    view.deep = deep;
    view.search.value = find;
    view.list.load();
  }
  await view?.details(object, version);
}

export function leave() {
  view = null;
}

connection.addEventListener('back', () => view?.list?.retry());
addEventListener('keydown', (event) => {
  if (event.key !== '/' || event.ctrlKey || !view?.search || event.target.closest('input, select, textarea, dialog')) return;
  event.preventDefault();
  view.search.focus();
});

class View {
  constructor(main, { name, prefix, show, find, deep }, info, extras) {
    Object.assign(this, { main, name, prefix, show, find, deep, info, extras });
  }

  // open asks for the list and for what the bucket can do at once.
  async open(last) {
    const came = last?.list?.place.contains(document.activeElement) ? (last.prefix.startsWith(this.prefix) ? last.prefix : '') : null;
    this.list = this.extras[this.show] ? null : this.show === 'removed' ? this.removedList() : this.objectList();
    this.ready = known.has(this.name) ? null : call('GET', 'bucket', { bucket: this.name }).then((bucket) => known.set(this.name, bucket));
    const loading = this.list?.load();
    if (this.ready) this.main.replaceChildren(element('p', { className: 'empty loading' }, 'Loading…'));
    await this.ready;
    if (view !== this) return;
    Object.assign(this, known.get(this.name));
    this.build();
    if (!this.list) {
      const other = this.extras[this.show](this.name);
      this.listing.append(...other.parts);
      await other.next();
      return;
    }
    loading.then(() => {
      if (view !== this || came === null) return;
      if (this.list.entries.length) this.list.focusKey(this.folderBelow(came));
      else this.main.querySelector('h2').focus();
    });
  }

  // folderBelow returns the entry of this folder in which a key is.
  folderBelow(key) {
    const rest = key.slice(this.prefix.length);
    return this.prefix + (rest.includes('/') ? rest.slice(0, rest.indexOf('/') + 1) : rest);
  }

  to(parameters) {
    return address('bucket', { name: this.name, prefix: this.prefix, show: this.show === 'objects' ? '' : this.show, find: this.find, deep: this.find && this.deep, ...parameters });
  }

  build() {
    this.selection = element('div', { className: 'selection', role: 'group', ariaLabel: 'Selected', hidden: true });
    this.count = element('span', { className: 'note count' });
    this.search = element('input', { type: 'search', className: 'search', value: this.find, placeholder: 'Name begins with…', ariaLabel: 'Find names that begin with', autocomplete: 'off', spellcheck: false });
    this.search.title = 'Press / to search';
    this.search.addEventListener('input', () => {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.seek(this.search.value), pause);
    });
    this.search.addEventListener('keydown', (event) => {
      if (event.key === 'ArrowDown' && this.list?.entries.length) {
        event.preventDefault();
        this.list.focus();
      }
    });
    this.tools = element('div', { className: 'tools' }, this.list ? this.search : null, ...(this.show === 'objects' ? this.choices() : []), this.kinds(), this.list ? this.count : null);
    this.listing = element('div', { className: 'listing' }, this.tools, this.selection, this.list?.place);
    this.panel = element('section', { className: 'details', ariaLabel: 'Details', hidden: true });
    this.panel.addEventListener('keydown', (event) => {
      if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (by && this.list && !event.target.closest('input, select, pre, audio, video')) this.step(by);
      else if (event.key === 'Escape') this.close();
      else return;
      event.preventDefault();
    });
    this.whole = element('div', { className: 'split' }, this.listing, this.panel);
    this.main.replaceChildren(this.top(), this.whole);
    if (this.write && this.show === 'objects') this.acceptDrops();
    if (this.list) this.changed();
  }

  // choices say how objects are found, ordered and drawn.
  choices() {
    const check = (text, checked, change) => {
      const box = element('input', { type: 'checkbox', checked });
      box.addEventListener('change', () => reporting(() => change(box.checked)));
      return element('label', { className: 'check' }, box, text);
    };
    const hint = () => { this.search.placeholder = this.deep ? 'Name contains…' : 'Name begins with…'; };
    hint();
    const order = element('select', { ariaLabel: 'Order' }, ...orders.map(([text], i) => element('option', { value: String(i) }, text)));
    order.addEventListener('change', () => {
      const [, compare] = orders[order.value];
      this.list.order(compare && foldersFirst(compare));
    });
    return [
      check('Anywhere in names, and in folders below', Boolean(this.deep), (is) => {
        this.deep = is ? '1' : '';
        hint();
        if (this.find) this.seek(this.find);
      }),
      order,
      check('Thumbnails', thumbnails, (is) => {
        thumbnails = is;
        return this.list.load();
      })];
  }

  // top has the way to this folder, and what can be done in it.
  top() {
    const way = element('div', { className: 'way' });
    const step = (text, parameters) => way.append(element('a', { href: address('bucket', { name: this.name, show: this.show === 'removed' ? 'removed' : '', ...parameters }) }, text), element('span', { ariaHidden: 'true' }, '/'));
    if (this.prefix) step(this.name, {});
    const parts = this.prefix.split('/').slice(0, -1);
    parts.slice(0, -1).forEach((part, i) => step(shown(part) || '(empty)', { prefix: `${parts.slice(0, i + 1).join('/')}/` }));
    way.append(element('h2', { tabIndex: -1 }, this.prefix ? shown(parts.at(-1)) || '(empty)' : shown(this.name)));
    const whole = [{ key: this.prefix, folder: true }];
    const looks = this.show === 'objects' ? [button('Size', () => this.sum(whole)), button('ZIP', () => this.zip(whole), { drawing: 'download', title: 'Download everything here and below' })] : [];
    const actions = this.write && this.show === 'objects' ? [
      button('Upload files', () => this.pick(false), { className: 'main', drawing: 'upload' }),
      button('Upload a folder', () => this.pick(true), { drawing: 'folder', className: 'wide' }),
      button('New folder', () => this.newFolder(), { drawing: 'add' })] : [];
    return element('div', { className: 'heading' }, way, element('div', { className: 'actions' }, ...actions, ...looks));
  }

  kinds() {
    const all = [['objects', 'Objects'], ...(this.features.undelete ? [['removed', 'Removed']] : []), ...Object.keys(this.extras).map((name) => [name, name[0].toUpperCase() + name.slice(1)])];
    if (all.length === 1) return null;
    return element('nav', { className: 'kinds', ariaLabel: 'What to show' }, ...all.map(([show, text]) => {
      const link = element('a', { href: address('bucket', { name: this.name, prefix: this.extras[show] ? '' : this.prefix, show: show === 'objects' ? '' : show }) }, text);
      if (show === this.show) link.ariaCurrent = 'page';
      return link;
    }));
  }

  nameOf({ key }) {
    return shown(key.slice(this.prefix.length)) || '(a name of no letters)';
  }

  objectList() {
    return new List({
      name: `Objects of ${this.name}`,
      columns: [{ title: 'Name', className: 'what' }, { title: 'Size', className: 'number', fill: (cell, { folder, size: bytes }) => { cell.textContent = folder ? '' : size(bytes); } },
        { title: 'Changed', className: 'when', fill: (cell, { folder, modified }) => { cell.textContent = folder ? '' : minute(modified); } }],
      nameOf: (entry) => this.nameOf(entry),
      pictogram,
      addressOf: ({ key, folder }) => (folder ? this.to({ prefix: key, find: '' }) : this.to({ object: key })),
      fetchPage: async (after, signal) => {
        const [path, place] = this.deep && this.find ? ['find', { prefix: this.prefix, text: this.find }] : ['list', { prefix: this.prefix + this.find }];
        const [{ entries, next }] = await Promise.all([call('GET', path, { bucket: this.name, ...place, after, thumbnails: thumbnails ? '1' : '' }, undefined, signal), this.ready]);
        return { entries: entries.filter(({ key, folder }) => folder || !key.endsWith('/') || key !== this.prefix), next };
      },
      press: (key, entry) => this.press(key, entry),
      nothing: () => this.nothing(),
      changed: () => this.changed(),
    });
  }

  removedList() {
    return new List({
      name: `Removed objects of ${this.name}`,
      columns: [{ title: 'Name', className: 'what' }, { title: 'Size', className: 'number', fill: (cell, { size: bytes }) => { cell.textContent = bytes ? size(bytes) : ''; } },
        { title: 'Removed', className: 'when', fill: (cell, { modified, until }) => { cell.textContent = minute(modified) + (minute(until) ? `, kept until ${minute(until)}` : ''); } },
        ...(known.get(this.name)?.write ?? this.info.write ? [{ title: '', className: 'act', fill: (cell) => { cell.textContent = 'Restore'; } }] : [])],
      nameOf: (entry) => this.nameOf(entry),
      pictogram,
      addressOf: ({ key }) => this.to({ object: key }),
      act: (entry) => reporting(() => this.restore([entry])),
      fetchPage: (after, signal) => call('GET', 'removed', { bucket: this.name, prefix: this.prefix + this.find, after }, undefined, signal),
      press: (key) => this.press(key),
      nothing: () => [element('p', { className: 'empty' }, 'Nothing that was removed can be restored here.')],
      changed: () => this.changed(),
    });
  }

  press(key, entry) {
    if (key === 'Delete' && this.write && this.show === 'objects') reporting(() => this.remove(this.list.selected.size ? [...this.list.selected] : [entry]));
    else if (key === 'Backspace' && this.prefix) location.hash = this.to({ prefix: parent(this.prefix), find: '' });
    else return false;
    return true;
  }

  nothing() {
    if (this.find) return [element('p', { className: 'empty' }, element('strong', {}, `Nothing here ${this.deep ? 'contains' : 'begins with'} “${shown(this.find)}”.`), this.deep ? '' : ' Capital and small letters are not the same.', button('Show everything', () => this.seek('')))];
    const write = known.get(this.name)?.write;
    return [element('div', { className: 'empty' }, icon('folder', 'large'), element('strong', {}, this.prefix ? 'This folder is empty.' : 'This bucket is empty.'),
      element('span', {}, !write ? 'Files appear here once somebody has uploaded some.' : this.prefix ? 'It is created by the first file that you upload into it.' : 'Drop files here, or choose some.'),
      write ? button('Choose files', () => this.pick(false), { drawing: 'upload' }) : null)];
  }

  seek(text) {
    clearTimeout(this.typing);
    this.find = text;
    this.search.value = text;
    history.replaceState(null, '', this.to({}));
    this.details('');
    this.list.load().then(() => text && view === this && announce(this.list.described));
  }

  // changed follows the list: how much there is, and what can be done with the selected.
  changed() {
    if (!this.selection) return;
    const { selected } = this.list;
    this.count.textContent = this.list.entries.length ? this.list.described : '';
    this.selection.hidden = !selected.size;
    this.tools.classList.toggle('covered', selected.size > 0);
    if (!selected.size) return;
    let bytes = 0;
    let folders = false;
    for (const entry of selected) {
      bytes += entry.size ?? 0;
      folders ||= Boolean(entry.folder);
    }
    const said = element('strong', {}, `${counted(selected.size, 'selected', 'selected')}${bytes ? `, ${size(bytes)}` : ''}`);
    const all = () => [...selected];
    const parts = this.show === 'removed' ? [this.write ? button('Restore', () => this.restore(all()), { drawing: 'restore', className: 'main' }) : null] : [
      folders || selected.size > 1 ? button('ZIP', () => this.zip(all()), { drawing: 'download' }) : null,
      folders ? button('Size', () => this.sum(all())) : null,
      folders ? null : button('Download', () => this.download(all()), { drawing: 'download' }),
      this.write && selected.size === 1 ? button('Rename', () => this.rename(all()[0]), { drawing: 'rename' }) : null,
      this.write && selected.size === 1 ? button('Copy to…', () => this.copy(all()[0]), { drawing: 'copy' }) : null,
      this.write ? button('Remove', () => this.remove(all()), { drawing: 'remove', className: 'danger' }) : null];
    this.selection.replaceChildren(said, ...parts.filter(Boolean), button('Clear', () => { this.list.selectAll(false); this.list.focus(); }));
  }

  // details shows an object beside the list, or instead of it on a phone.
  async details(key, version = '') {
    if (!this.panel) return;
    const before = this.opened;
    this.opened = key;
    this.list?.show(key);
    for (const one of [this.whole, this.main]) one.classList.toggle('opened', Boolean(key));
    this.panel.hidden = !key;
    if (key) await (this.show === 'removed' ? showRemoved : showObject)(this.panel, this, key, version);
    else if (before) {
      this.panel.replaceChildren(); // ends what plays
      if (this.list && (document.activeElement === document.body || !document.activeElement)) this.list.focusKey(before);
    }
  }

  close() {
    this.panel.contains(document.activeElement) && document.activeElement.blur();
    location.hash = this.to({});
  }

  async download(entries) {
    for (const { key } of entries) {
      const { download } = await call('GET', 'object', { bucket: this.name, key });
      element('a', { href: download, download: leaf(key) }).click();
      await new Promise((resolve) => setTimeout(resolve, 300)); // browsers drop downloads that follow too fast
    }
    announce(entries.length === 1 ? 'The download has begun.' : `${counted(entries.length, 'download')} have begun. The browser may ask whether it may save several files.`);
  }

  // zip downloads objects, and all that is below folders, as one archive.
  async zip(entries) {
    const keys = (isFolder) => entries.filter(({ folder }) => Boolean(folder) === isFolder).map(({ key }) => key);
    const { download, objects, size: bytes } = await call('POST', 'archive', {}, { bucket: this.name, prefix: this.prefix, objects: keys(false), folders: keys(true) });
    element('a', { href: download, download: '' }).click();
    announce(`The download of ${counted(objects, 'object')}, ${size(bytes)}, has begun.`);
  }

  // sum says how many objects there are, with all that is below folders, and how large they are together.
  async sum(entries) {
    let [objects, bytes, isPartial] = [0, 0, false];
    for (const { key, folder, size: own } of entries) {
      const below = folder ? await call('GET', 'size', { bucket: this.name, prefix: key }) : { objects: 1, size: own, partial: false };
      objects += below.objects;
      bytes += below.size;
      isPartial ||= below.partial;
    }
    announce(`${isPartial ? 'More than ' : ''}${counted(objects, 'object')}, ${size(bytes)}.`);
  }

  async copy(entry) {
    const copied = await askCopy(this.name, entry, !this.info.one);
    if (!copied) return;
    if (copied.toBucket === this.name) await this.refresh(copied.to);
    announce(`It is copied to ${shown(copied.to)}.`);
  }

  // step opens the object after the opened one, or before it.
  step(by) {
    const entry = this.list.beside(this.opened, by);
    if (entry) location.hash = this.to({ object: entry.key });
    else announce(by > 0 ? 'This is the last object of the list.' : 'This is the first object of the list.');
  }

  async rename(entry) {
    const to = await askRename(this.name, entry);
    if (!to) return;
    this.list.drop(({ key }) => key === entry.key);
    await this.refresh(to);
    announce(`It is now ${shown(to.slice(this.prefix.length) || to)}.`);
    if (this.opened === entry.key) location.hash = this.to({ object: to });
    else this.list.focusKey(this.folderBelow(to));
  }

  async remove(entries) {
    const gone = await askRemove(this, entries);
    if (!gone) return;
    this.list.drop(({ key }) => gone.has(key));
    if (gone.has(this.opened)) location.hash = this.to({});
    if (this.list.entries.length) this.list.focus();
    else this.main.querySelector('h2').focus();
  }

  async restore(entries) {
    let failed = null;
    const back = new Set();
    for (const { key } of entries) {
      try {
        await call('POST', 'restore', {}, { bucket: this.name, key, version: '' });
        back.add(key);
      } catch (error) { failed ??= error; }
    }
    this.list.drop(({ key }) => back.has(key));
    if (back.has(this.opened)) location.hash = this.to({ object: '' });
    if (back.size) announce(back.size === 1 ? `${shown(leaf([...back][0]))} is restored.` : `${back.size} are restored.`);
    if (this.list.entries.length) this.list.focus();
    if (failed) throw failed;
  }

  newFolder() {
    const { label, input } = field('Name', {});
    const run = () => {
      const name = input.value.trim().replace(/^\/+|\/+$/g, '');
      if (!name) throw new Error('A folder needs a name.');
      return `${this.prefix}${name}/`;
    };
    return ask({ title: 'New folder', parts: [label], submit: 'Open it', run }).then((prefix) => { if (prefix) location.hash = this.to({ prefix, find: '' }); });
  }

  async pick(folder) {
    const files = await (folder ? choose({ webkitdirectory: true }) : choose({ multiple: true }));
    if (files.length) upload(this, chosen(files, this.prefix));
  }

  acceptDrops() {
    const carries = (event) => event.dataTransfer.types.includes('Files');
    const over = (is) => this.listing.classList.toggle('dropping', is);
    this.listing.addEventListener('dragover', (event) => { if (carries(event)) { event.preventDefault(); over(true); } });
    this.listing.addEventListener('dragleave', (event) => { if (!this.listing.contains(event.relatedTarget)) over(false); });
    this.listing.addEventListener('drop', (event) => {
      event.preventDefault();
      over(false);
      reporting(async () => upload(this, await dropped(event.dataTransfer, this.prefix)));
    });
  }

  // refresh asks for one key again, which has changed, and shows what it is now.
  async refresh(key) {
    if (view !== this || !this.list || this.show !== 'objects') return;
    if (this.deep && this.find) {
      await this.list.load();
      return;
    }
    if (!key.startsWith(this.prefix + this.find)) return;
    const at = this.folderBelow(key);
    if (at !== key && this.list.entries.some((entry) => entry.key === at)) return;
    const { entries: [entry] } = await call('GET', 'list', { bucket: this.name, prefix: at, limit: 1 });
    if (at.endsWith('/') && entry) this.list.put({ key: at, folder: true });
    else if (entry?.key === at) this.list.put(entry);
    else this.list.drop((one) => one.key === at);
  }
}

// The shown list follows uploads that have ended.
arrivals.addEventListener('arrived', ({ detail: { bucket, key } }) => {
  if (view?.name !== bucket) return;
  view.refresh(key).catch((error) => announce(inWords(error)));
  if (view.opened === key) view.details(key, route().parameters.version);
});
