// The details of an object: a preview, what can be done with it, and everything that the store tells about it.
import { askShare, askTags } from './actions.js';
import { call } from './call.js';
import { announce, button, element, icon, inWords, moment, reporting, shown, shownLines, size } from './elements.js';
import { choose, upload } from './queue.js';
import { leaf } from './route.js';

// head is the name, with the button that closes.
const head = (view, key, ...labels) => element('div', { className: 'head' },
  element('h3', { tabIndex: -1 }, shown(leaf(key))), ...labels,
  ...(view.list ? [button('', () => view.step(-1), { className: 'quiet close', ariaLabel: 'Previous object', drawing: 'back' }),
    button('', () => view.step(1), { className: 'quiet close', ariaLabel: 'Next object', drawing: 'forward' })] : []),
  button('', () => view.close(), { className: 'quiet close', ariaLabel: 'Close the details', drawing: 'close' }));

// open puts a fresh panel in place. The focus moves into it once, not when it is only refreshed.
function open(panel, key, ...parts) {
  const isNew = panel.dataset.key !== key || panel.hidden || !panel.childElementCount || panel.contains(document.activeElement) || document.activeElement === document.body;
  panel.dataset.key = key;
  panel.replaceChildren(...parts.filter(Boolean));
  if (isNew) panel.querySelector('h3').focus({ preventScroll: true });
}

// showObject shows an object, or one version of it.
export async function showObject(panel, view, key, version) {
  const { name: bucket, features } = view;
  const asked = { bucket, key, version };
  const isCurrent = () => view.opened === key;
  panel.dataset.key === key || open(panel, key, head(view, key), element('p', { className: 'empty loading' }, 'Loading…'));
  let object;
  try {
    object = await call('GET', 'object', asked);
  } catch (error) {
    if (!isCurrent()) return;
    const gone = error.code === 'objectnotfound' && features.versions;
    open(panel, key, head(view, key), element('p', { className: 'empty', role: gone ? 'none' : 'alert' }, gone ? 'There is no such object now.' : inWords(error),
      gone ? null : button('Try again', () => showObject(panel, view, key, version))), gone ? versionsOf(view, key, '') : null);
    return;
  }
  if (!isCurrent()) return;
  const label = version ? element('span', { className: 'badge' }, 'an older version') : null;
  open(panel, key, head(view, key, label), preview(object, asked), actions(view, object, version), facts(object, features.versions ? versionsOf(view, key, object.version) : null));
}

function actions(view, object, version) {
  const { name: bucket, features, write } = view;
  const { key } = object;
  const changes = write && !version;
  const again = () => view.details(key);
  const download = element('a', { className: 'button main', href: object.download, download: leaf(key) }, icon('download'), 'Download');
  const parts = [download,
    features.sign ? button('Share', () => askShare(bucket, key, version), { drawing: 'share' }) : null,
    write && version ? button('Restore this version', () => restore(view, key, version), { drawing: 'restore' }) : null,
    changes ? button('Rename', () => view.rename(object), { drawing: 'rename' }) : null,
    changes ? button('Copy to…', () => view.copy(object), { drawing: 'copy' }) : null,
    changes ? button('Replace', () => replace(view, key), { drawing: 'replace' }) : null,
    changes ? button('Tags', async () => { if (await askTags(bucket, key, object.tags)) await again(); }, { drawing: 'text', hidden: !object.tags }) : null,
    changes ? button('Remove', () => view.remove([object]), { drawing: 'remove', className: 'danger' }) : null];
  const lacks = [features.sign ? '' : 'make links to share', object.tags || version ? '' : 'keep tags', features.versions ? '' : 'keep versions'].filter(Boolean);
  return element('div', { className: 'doing' }, element('div', { className: 'actions' }, ...parts.filter(Boolean)),
    lacks.length ? element('p', { className: 'note' }, `This store does not ${lacks.join(', or ')}.`) : null);
}

async function replace(view, key) {
  const [file] = await choose({});
  if (file) upload(view, [{ file, key, replace: true }]);
}

async function restore(view, key, version) {
  await call('POST', 'restore', {}, { bucket: view.name, key, version });
  announce('The version is restored.');
  await view.refresh(key);
  const here = location.hash;
  location.hash = view.to({ object: key });
  if (location.hash === here) await view.details(key);
}

// preview shows the content. The server says what a browser may show, and where.
function preview({ kind, view: src, key, size: bytes }, asked) {
  const place = element('div', { className: 'preview' });
  const none = (text) => place.replaceChildren(element('p', { className: 'note' }, text));
  const name = shown(leaf(key));
  const failed = () => none('The browser cannot show it. Download it to see it.');
  if (bytes === 0) none('The object is empty.');
  else if (kind === 'text') text(place, asked, none);
  else if (!src) none('There is no preview for this kind of content. Download it to see it.');
  else if (kind === 'image') place.append(element('img', { src, alt: name, onerror: failed }));
  else if (kind === 'video' || kind === 'audio') place.append(element(kind, { src, controls: true, preload: 'metadata', ariaLabel: name, onerror: failed }));
  else if (kind === 'pdf') place.append(element('iframe', { src, title: name }));
  else none('There is no preview for this kind of content. Download it to see it.');
  return place;
}

async function text(place, asked, none) {
  none('Loading…');
  try {
    const { text: content, size: whole, shown: part } = await call('GET', 'text', asked);
    const pre = element('pre', { tabIndex: -1 }, shownLines(content));
    place.replaceChildren(pre, part < whole ? element('p', { className: 'note' }, `The first ${size(part)} of ${size(whole)}.`) : '');
  } catch (error) {
    none(inWords(error));
  }
}

function list(pairs) {
  const all = element('dl', { className: 'facts' });
  for (const [name, value] of pairs) if (value !== '' && value !== undefined && value !== null) all.append(element('dt', {}, name), element('dd', {}, value));
  return all;
}

const part = (title, ...content) => element('div', { className: 'part' }, element('h4', {}, title), ...content);
const inText = (pairs) => pairs.map(([name, value]) => [shown(name), shown(value)]);

function facts(object, versions) {
  const { key, size: bytes, modified, type, attributes = [], metadata = [], tags } = object;
  const exact = bytes >= 1024 ? ` (${bytes.toLocaleString()} bytes)` : '';
  return element('div', {}, part('Details', list([['Key', shown(key)], ['Size', size(bytes) + exact], ['Changed', moment(modified)], ['Type', shown(type ?? '')], ...inText(attributes)])),
    versions,
    metadata.length ? part('Metadata', list(inText(metadata))) : null,
    tags?.length ? part('Tags', list(inText(tags))) : null);
}

// versionsOf lists the versions. It asks for them only when somebody opens the list, since some buckets keep many.
function versionsOf(view, key, shownVersion) {
  const place = element('div', { className: 'part' }, element('h4', {}, 'Versions'), element('p', { className: 'note' }, 'Loading…'));
  reporting(async () => {
    const { versions, more } = await call('GET', 'versions', { bucket: view.name, key });
    const rows = versions.map((v) => versionRow(view, key, v, shownVersion));
    place.replaceChildren(element('h4', {}, 'Versions'), element('ul', { className: 'versions', ariaLabel: `Versions of ${shown(leaf(key))}` }, ...rows), more ? element('p', { className: 'note' }, 'There are older ones, which are not shown.') : '');
  });
  return place;
}

function versionRow(view, key, { version, current, marker, size: bytes, modified }, shownVersion) {
  const badge = (text) => element('span', { className: 'badge' }, text);
  const when = moment(modified);
  const parts = marker ? [badge('delete marker'), 'Removed ', when] : [
    version === shownVersion ? element('strong', {}, when) : element('a', { href: view.to({ object: key, version: current ? '' : version, show: '' }) }, when),
    element('span', { className: 'note' }, size(bytes)), current ? badge('current') : null,
    view.write && !current ? button('Restore', () => restore(view, key, version), { className: 'quiet', ariaLabel: `Restore the version of ${when.textContent}` }) : null];
  return element('li', { title: version }, ...parts);
}

// showRemoved shows an object that was removed, and can come back.
export async function showRemoved(panel, view, key) {
  const { entries } = await call('GET', 'removed', { bucket: view.name, prefix: key });
  if (view.opened !== key) return;
  const entry = entries.find((one) => one.key === key);
  if (!entry) {
    open(panel, key, head(view, key), element('p', { className: 'empty' }, 'It cannot be restored any more, or is restored already.'));
    return;
  }
  open(panel, key, head(view, key, element('span', { className: 'badge' }, 'removed')),
    element('div', { className: 'doing' }, view.write ? element('div', { className: 'actions' }, button('Restore', () => view.restore([entry]), { className: 'main', drawing: 'restore' })) : element('p', { className: 'note' }, 'Start the command with --write to restore it.')),
    part('Details', list([['Key', shown(key)], ['Size', entry.size ? size(entry.size) : ''], ['Removed', moment(entry.modified)], ['Kept until', moment(entry.until)]])),
    view.features.versions ? versionsOf(view, key, '') : null);
}
