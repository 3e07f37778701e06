// What can be done with objects, each by a dialog that says what will happen.
import { call, Failure } from './call.js';
import { ask, field } from './dialogs.js';
import { announce, button, counted, element, minute, number, shown, size } from './elements.js';
import { leaf, parent } from './route.js';

// taken explains that a name is taken, in other words than the server's. again says how to go on with a folder.
const taken = (error, folder, again) => (error.code !== 'preconditionfailed' ? error : new Failure(folder
  ? `There is already a folder with this name. Choose another name, or ${again}. Nothing is replaced.`
  : 'There is already something with this name. Choose another.'));

// stayed explains that not all objects of a folder were moved or copied.
const stayed = ({ moved, failed }, done) => new Failure(`${counted(moved, 'object was', 'objects were')} ${done}, but not all: `
  + `${failed.slice(0, 3).map(({ key, error }) => `“${shown(key)}”: ${shown(error)}`).join('; ')}${failed.length > 3 ? ' …' : ''}`);

// askRename returns the new key.
export function askRename(bucket, { key, folder, revision = '' }) {
  const name = leaf(key).replace(/\/$/, '');
  const { label, input } = field('New name', { value: name });
  const dot = name.lastIndexOf('.');
  setTimeout(() => input.setSelectionRange(0, folder || dot <= 0 ? name.length : dot));
  const note = folder ? 'Every object below the folder is moved, which takes a while for many.' : 'A / in the name moves the object into a folder.';
  let merge = ''; // the folder that exists, if it was refused once
  const run = async () => {
    const chosen = input.value.replace(/\/+$/, '');
    if (!chosen) throw new Error('It needs a name.');
    const to = parent(key) + chosen + (folder ? '/' : '');
    if (to === key) return to;
    const answer = await call('POST', 'move', {}, { bucket, from: key, to, revision, merge: merge === to }).catch((error) => {
      if (folder && error.code === 'preconditionfailed') merge = to;
      throw taken(error, folder, 'press “Rename” again to move the objects into it');
    });
    if (answer.failed.length) {
      merge = to; // the next attempt continues
      throw stayed(answer, 'moved');
    }
    return to;
  };
  return ask({ title: `Rename ${shown(name)}`, parts: [label, element('p', { className: 'note' }, note)], submit: 'Rename', run })
    .then((to) => (to === key ? null : to));
}

// askCopy copies an object or a folder. It returns the new key, and its bucket.
export function askCopy(bucket, { key, folder, revision = '' }, hasOthers) {
  const { label, input } = field('Name of the copy, with its folders', { value: key.replace(/\/$/, '') });
  const other = field('Bucket', { value: bucket });
  let merge = ''; // the folder that exists, if it was refused once
  const run = async () => {
    const chosen = input.value.replace(/^\/+|\/+$/g, '');
    if (!chosen) throw new Error('It needs a name.');
    const to = chosen + (folder ? '/' : '');
    const toBucket = other.input.value.trim() || bucket;
    const place = `${toBucket}/${to}`;
    const answer = await call('POST', 'copy', {}, { bucket, from: key, toBucket, to, revision, merge: merge === place }).catch((error) => {
      if (folder && error.code === 'preconditionfailed') merge = place;
      throw taken(error, folder, 'press “Copy” again to copy the objects into it');
    });
    if (answer.failed.length) {
      merge = place; // the next attempt continues
      throw stayed(answer, 'copied');
    }
    return { to, toBucket };
  };
  const note = folder ? 'Every object below the folder is copied, which takes a while for many.' : 'Nothing is replaced.';
  return ask({ title: `Copy ${shown(leaf(key))}`, parts: [label, hasOthers ? other.label : null, element('p', { className: 'note' }, note)].filter(Boolean), submit: 'Copy', run });
}

const batch = 500; // of a request that removes

// askRemove returns the keys that are gone.
export function askRemove({ name: bucket, features }, entries) {
  const folders = entries.filter(({ folder }) => folder);
  const objects = entries.filter(({ folder }) => !folder);
  const names = entries.slice(0, 8).map(({ key, folder, size: bytes }) => element('li', {}, shown(leaf(key)), element('span', { className: 'note' }, folder ? ' and everything below it' : ` ${size(bytes ?? 0)}`)));
  if (entries.length > names.length) names.push(element('li', {}, `and ${number(entries.length - names.length)} more`));
  const bar = element('progress', { max: entries.length, value: 0, ariaLabel: 'Removed', hidden: entries.length <= batch });
  const gone = new Set();
  const run = async () => {
    let removed = 0;
    const failed = [];
    const send = async (body) => {
      const answer = await call('POST', 'remove', {}, { bucket, objects: [], folders: [], ...body });
      removed += answer.removed;
      failed.push(...answer.failed ?? []);
      const stay = (answer.failed ?? []).map(({ key }) => key);
      for (const key of [...(body.objects ?? []).map((object) => object.key), ...body.folders ?? []]) if (!stay.some((one) => one === key || (key.endsWith('/') && one.startsWith(key)))) gone.add(key);
      bar.value = gone.size;
    };
    for (const { key } of folders) if (!gone.has(key)) await send({ folders: [key] });
    const left = objects.filter(({ key }) => !gone.has(key));
    for (let i = 0; i < left.length; i += batch) await send({ objects: left.slice(i, i + batch).map(({ key, revision = '' }) => ({ key, revision })) });
    announce(`${counted(removed, 'object is', 'objects are')} removed.`);
    if (failed.length) throw new Error(`${counted(failed.length, 'object stays', 'objects stay')}: ${shown(leaf(failed[0].key))}: ${shown(failed[0].error)}`);
    return gone;
  };
  const what = folders.length || entries.length > 1 ? (objects.length ? counted(objects.length, 'object') : '') + (folders.length && objects.length ? ' and ' : '') + (folders.length ? counted(folders.length, 'folder') : '') : shown(leaf(entries[0].key));
  const end = features.versions ? 'Removed objects can be restored from “Removed”.'
    : features.undelete ? 'If the store is set to keep what is removed, you find it in “Removed” for a while. Otherwise it cannot be undone.'
      : 'This store keeps nothing that is removed: it cannot be undone.';
  return ask({ title: `Remove ${what}?`, parts: [element('ul', { className: 'names', ariaLabel: 'What is removed' }, ...names), element('p', { className: features.versions ? 'note' : 'note warning' }, end), bar], submit: 'Remove', danger: true, run })
    .then((answer) => answer ?? (gone.size ? gone : null));
}

const spans = [[900, '15 minutes'], [3600, '1 hour'], [86400, '1 day'], [604800, '7 days']];

// askShare makes a link that works for anybody until a time.
export async function askShare(bucket, key, version) {
  const choice = element('select', {}, ...spans.map(([seconds, text]) => element('option', { value: String(seconds), selected: seconds === 3600 }, text)));
  const about = element('p', { className: 'note' }, 'Anyone who has the link can read this object until then, without a password.');
  const label = element('label', { className: 'field' }, element('span', {}, 'The link works for'), choice);
  const made = await ask({ title: `Share ${shown(leaf(key))}`, parts: [label, about], submit: 'Make a link', run: () => call('POST', 'link', {}, { bucket, key, version, seconds: Number(choice.value) }) });
  if (!made) return;
  const { label: place, input } = field('Link', { value: made.url, readOnly: true });
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(made.url);
      announce('The link is copied.');
      return true;
    } catch {
      input.select(); // pages without HTTPS may not copy
      throw new Error('The browser does not let the page copy. Press Ctrl+C.');
    }
  };
  setTimeout(() => input.select());
  await ask({ title: `Share ${shown(leaf(key))}`, parts: [place, element('p', { className: 'note' }, `Anyone who has it can read the object until ${minute(made.expires)}.${made.local ? ' It works on this computer only, and while it is served.' : ''}`)], close: 'Close', submit: 'Copy the link', run: copy });
}

// askTags changes the tags of an object.
export function askTags(bucket, key, tags) {
  const lines = element('div', { className: 'pairs' });
  const add = (name = '', value = '') => {
    const [one, two] = [['Name', name], ['Value', value]].map(([ariaLabel, text]) => element('input', { ariaLabel, value: text, placeholder: ariaLabel, autocomplete: 'off', spellcheck: false }));
    const line = element('div', { className: 'pair' }, one, two, button('', () => { line.remove(); lines.querySelector('input')?.focus(); }, { drawing: 'close', ariaLabel: 'Remove this tag' }));
    lines.append(line);
    return one;
  };
  for (const [name, value] of tags) add(name, value);
  if (!tags.length) add();
  const run = async () => {
    const all = [...lines.children].map((line) => [...line.querySelectorAll('input')].map(({ value }) => value.trim())).filter(([name, value]) => name || value);
    if (all.some(([name]) => !name)) throw new Error('A tag needs a name.');
    if (new Set(all.map(([name]) => name)).size < all.length) throw new Error('Two tags have the same name.');
    await call('PUT', 'tags', {}, { bucket, key, tags: Object.fromEntries(all) });
    announce('The tags are stored.');
    return true;
  };
  return ask({ title: `Tags of ${shown(leaf(key))}`, parts: [lines, button('Add a tag', () => add().focus())], submit: 'Store', run });
}

// askConflict asks what to do with a file whose name is taken. It returns "replace", "both" or "skip", and whether for all.
export async function askConflict(key, more) {
  const all = element('input', { type: 'checkbox' });
  const parts = [element('p', {}, `${shown(key)} is already there.`)];
  if (more) parts.push(element('label', { className: 'check' }, all, 'Do the same for all that follow'));
  const answer = await ask({ title: 'Replace it?', parts, close: 'Skip', choices: [['Keep both', 'both']], submit: 'Replace', run: () => 'replace' });
  return { answer: answer ?? 'skip', all: all.checked };
}
