// Uploads: a queue that sends three files at a time, with what happens to each of them.
import { askConflict } from './actions.js';
import { Failure, call, connection, failure, headers, lose } from './call.js';
import { announce, button, counted, element, inWords, shown, size } from './elements.js';
import { leaf, parent } from './route.js';

// arrivals emits "arrived" for each file that is in its bucket.
export const arrivals = new EventTarget();

const atOnce = 3;
const large = 8 << 20; // bytes from which an upload goes by parts, and continues after an interruption
const place = document.getElementById('queue');
const uploads = []; // all of this page, in the order of the user
let asking = Promise.resolve(); // one question after the other
let quiet = true; // the end of the last ones is announced

const is = (...states) => ({ state }) => states.includes(state);
const running = is('waiting', 'asking', 'sending');

// upload adds files to the queue: [{file, key, replace}].
export function upload({ name: bucket, features }, files) {
  const group = { answer: null, size: files.length, free: new Map() };
  for (const one of files) uploads.push({ sent: 0, state: 'waiting', replace: false, ...one, bucket, features, group });
  quiet = false;
  next();
}

function next() {
  for (const one of uploads.filter(is('waiting')).slice(0, atOnce - uploads.filter(is('asking', 'sending')).length)) run(one);
  const left = uploads.filter(running).length;
  if (!left && !quiet) {
    quiet = true;
    const done = uploads.filter((u) => u.state === 'done' && !u.told);
    const failed = uploads.filter(is('failed')).length;
    for (const u of done) u.told = true;
    if (done.length || failed) announce([done.length === 1 ? `${shown(leaf(done[0].key))} is uploaded.` : done.length ? `${done.length} files are uploaded.` : '', failed ? `${counted(failed, 'upload')} failed.` : ''].join(' ').trim());
  }
  show();
}

async function run(u) {
  u.state = 'asking';
  u.error = null;
  u.sent = 0;
  u.stop = new AbortController();
  try {
    while (!u.replace && await exists(u)) if (!await decide(u)) return end(u, 'skipped');
    if (u.stop.signal.aborted) return end(u, 'canceled');
    u.state = 'sending';
    show();
    await (u.file.size > large && u.features.resume ? byParts(u) : whole(u));
    u.sent = u.file.size;
    end(u, 'done');
    arrivals.dispatchEvent(new CustomEvent('arrived', { detail: { bucket: u.bucket, key: u.key } }));
  } catch (error) {
    if (u.stop.signal.aborted) return end(u, 'canceled');
    u.error = error;
    end(u, 'failed');
  }
}

function end(u, state) {
  u.state = state;
  u.upload = null;
  next();
}

// exists asks whether the name is taken. Of a folder that is new, it asks only once.
async function exists({ bucket, key, group }) {
  const top = parent(key);
  if (group.size > 1 && top) {
    if (!group.free.has(top)) group.free.set(top, call('GET', 'list', { bucket, prefix: top, limit: 1 }).then(({ entries }) => !entries.length));
    if (await group.free.get(top)) return false;
  }
  const { entries } = await call('GET', 'list', { bucket, prefix: key, limit: 1 });
  return entries[0]?.key === key;
}

// decide asks what to do with a name that is taken, and reports whether to go on.
async function decide(u) {
  const { group } = u;
  asking = asking.then(async () => {
    if (u.stop.signal.aborted) return 'skip';
    if (group.answer) return group.answer;
    const { answer, all } = await askConflict(u.key, group.size > 1);
    if (all) group.answer = answer;
    return answer;
  });
  const answer = await asking;
  if (answer === 'replace') u.replace = true;
  if (answer === 'both') u.key = another(u.key);
  return answer !== 'skip';
}

// another returns a key with a number: "lake (2).jpg".
function another(key) {
  const name = leaf(key);
  const [, stem, n, end] = name.match(/^(.+?)(?: \((\d+)\))?(\.[^.]*)?$/) ?? [null, name, '', ''];
  return `${parent(key)}${stem} (${Number(n || 1) + 1})${end ?? ''}`;
}

// whole sends a file by one request. Only an XMLHttpRequest tells how much was sent.
function whole(u) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const query = new URLSearchParams({ bucket: u.bucket, key: u.key, type: u.file.type, ...(u.replace ? { replace: '1' } : {}) });
    request.open('PUT', `api/upload?${query}`);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.addEventListener('progress', ({ loaded }) => moved(u, loaded));
    request.addEventListener('load', () => (request.status < 400 ? resolve() : reject(failure(request.status, request.responseText))));
    request.addEventListener('error', () => {
      lose();
      reject(new Failure('The connection was lost.'));
    });
    request.addEventListener('abort', () => reject(new DOMException('', 'AbortError')));
    u.stop.signal.addEventListener('abort', () => request.abort());
    request.send(u.file);
  });
}

// byParts sends a file by the library's module. It keeps a journal: the same file goes on where it stopped, even
// after the page was closed.
async function byParts(u) {
  const { Upload } = await import('./upload.js');
  const name = btoa(String.fromCharCode(...new TextEncoder().encode(u.key))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
  u.upload = new Upload(u.file, { endpoint: `uploads/${encodeURIComponent(u.bucket)}/${name}/`, headers, metadata: { replace: u.replace ? '1' : '' } });
  u.upload.addEventListener('progress', () => moved(u, u.upload?.sent ?? 0));
  u.upload.addEventListener('state', show);
  u.stop.signal.addEventListener('abort', () => u.upload?.abort());
  await u.upload.start();
}

function moved(u, sent) {
  u.sent = sent;
  show();
}

// chosen are the files of a picker, below a prefix.
export const chosen = (files, prefix) => files.map((file) => ({ file, key: prefix + (file.webkitRelativePath || file.name) }));

// choose lets the user pick files. Browsers show the dialog only soon after a click.
export function choose(properties) {
  return new Promise((resolve) => {
    const input = element('input', { type: 'file', hidden: true, ...properties });
    const end = () => {
      resolve([...input.files]);
      input.remove();
    };
    input.addEventListener('change', end);
    input.addEventListener('cancel', end);
    document.body.append(input); // some browsers forget one that is nowhere
    input.click();
  });
}

// dropped are the files of a drop, those of folders too.
export async function dropped({ items }, prefix) {
  const files = [...items].filter(({ kind }) => kind === 'file'); // only now: later they are gone
  const entries = files.map((item) => item.webkitGetAsEntry() ?? item.getAsFile());
  const found = [];
  const visit = async (entry) => {
    if (entry instanceof File) {
      found.push({ file: entry, key: prefix + entry.name });
      return;
    }
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
      found.push({ file, key: prefix + entry.fullPath.slice(1) });
      return;
    }
    const reader = entry.createReader();
    for (let some; (some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject))).length;) for (const one of some) await visit(one);
  };
  for (const entry of entries) await visit(entry);
  return found;
}

// What is shown: those that move, wait for the user or have failed, and the last of the others.

let soon = 0;
const rows = new Map();
const summary = element('strong');
const all = element('progress', { max: 1, value: 0, ariaLabel: 'All uploads' });
const items = element('ul', { ariaLabel: 'Files' });
const stopAll = button('Cancel all', () => { for (const u of uploads.filter((one) => running(one) || one.state === 'failed')) cancel(u); }, { className: 'quiet' });
const hide = button('Close', () => { uploads.length = 0; show(); document.querySelector('main h2')?.focus(); }, { className: 'quiet' });
place.append(element('div', { className: 'sum' }, summary, stopAll, hide), all, items);

function show() {
  soon ||= requestAnimationFrame(() => {
    soon = 0;
    paint();
  });
}

function paint() {
  const left = uploads.filter(running);
  const bytes = uploads.reduce((sum, u) => sum + u.file.size, 0);
  const sent = uploads.reduce((sum, u) => sum + (running(u) ? u.sent : u.file.size), 0);
  const failed = uploads.filter(is('failed'));
  place.hidden = !uploads.length;
  document.body.classList.toggle('uploads', !place.hidden);
  all.value = bytes ? sent / bytes : 1;
  all.hidden = stopAll.hidden = !left.length;
  hide.hidden = left.length > 0;
  summary.textContent = left.length ? `Uploading ${uploads.length - left.length + 1} of ${counted(uploads.length, 'file')}, ${Math.floor(100 * all.value)} %` : failed.length ? `${counted(failed.length, 'file is', 'files are')} not uploaded` : `${counted(uploads.filter(is('done')).length, 'file')} uploaded`;
  const seen = [...uploads.filter(is('asking', 'sending')), ...failed.slice(0, 50), ...uploads.filter(is('done', 'skipped', 'canceled')).slice(-3)];
  for (const [u, row] of rows) {
    if (seen.includes(u)) continue;
    row.remove();
    rows.delete(u);
  }
  for (const u of uploads.filter((one) => seen.includes(one))) {
    if (!rows.has(u)) rows.set(u, rowOf(u));
    const row = rows.get(u);
    if (row.parentNode !== items) items.append(row);
    row.update();
  }
}

const words = { waiting: 'waiting', asking: 'waiting', done: 'uploaded', skipped: 'skipped', canceled: 'canceled' };

function rowOf(u) {
  const name = shown(leaf(u.key));
  const title = element('span', { className: 'filename' }, name);
  const said = element('span', { className: 'note' });
  const bar = element('progress', { max: 1, value: 0, ariaLabel: `Upload of ${name}` });
  const named = (text, press) => button(text, press, { className: 'quiet', ariaLabel: `${text}: ${name}` });
  const pauses = named('Pause', () => u.upload?.pause());
  const resumes = named('Resume', () => u.upload?.resume());
  const again = named('Try again', () => retry(u));
  const gives = named('Cancel', () => cancel(u));
  const row = element('li', {}, title, said, pauses, resumes, again, gives, bar);
  row.update = () => {
    const state = u.upload?.state ?? '';
    title.textContent = shown(leaf(u.key));
    row.dataset.state = u.state;
    bar.value = u.file.size ? u.sent / u.file.size : 0;
    bar.hidden = u.state !== 'sending';
    pauses.hidden = !['running', 'retrying'].includes(state);
    resumes.hidden = state !== 'paused';
    again.hidden = u.state !== 'failed';
    gives.hidden = !running(u) && u.state !== 'failed';
    const detail = state === 'paused' ? ', paused' : state === 'retrying' ? ', the connection is lost, trying again' : '';
    said.textContent = u.state === 'sending' ? `${size(Math.min(u.sent, u.file.size))} of ${size(u.file.size)}${detail}` : u.state === 'failed' ? inWords(u.error) : words[u.state];
  };
  return row;
}

function retry(u) {
  u.state = 'waiting';
  quiet = false;
  next();
}

function cancel(u) {
  u.stop?.abort();
  if (u.state === 'waiting' || u.state === 'failed') end(u, 'canceled');
}

connection.addEventListener('back', () => {
  for (const u of uploads.filter((one) => one.state === 'failed' && !one.error.status)) retry(u);
});

addEventListener('beforeunload', (event) => {
  if (uploads.some(running)) event.preventDefault();
});
