import { ask, toServer, toStore } from './send.js';
import { onFiles } from './shared/chooser.js';
import { confirmed } from './shared/confirm.js';
import { button, element } from './shared/elements.js';
import { shown, size } from './shared/format.js';
import { say } from './shared/live.js';
import { Transfer, clearDone } from './shared/transfer.js';

const input = document.getElementById('files');
const uploads = document.getElementById('uploads');
const stored = document.getElementById('stored');
const problem = document.getElementById('problem');

onFiles(input, (files) => {
  clearDone(uploads);
  if (document.querySelector('input[name=way]:checked').value === 'server') sendForm(files);
  else files.forEach(sendFile);
});

function sendFile(file) {
  new Transfer(file, uploads, input, async (row, signal) => {
    show(await toStore(file, signal, row));
  }).start();
}

// sendForm has one row for all files, because they are stored together or not at all.
function sendForm(files) {
  const name = files.length === 1 ? files[0].name : `${files.length} files in one form`;
  const all = files.length === 1 ? files[0] : { name, size: files.reduce((sum, file) => sum + file.size, 0) };
  new Transfer(all, uploads, input, async (row, signal) => {
    (await toServer(files, signal, (sent) => row.progress(sent))).forEach(show);
  }).start();
}

// show adds a stored file.
function show(file) {
  const name = shown(file.name);
  const kind = file.type.replace('image/', '').toUpperCase();
  const pixels = file.width ? ` · ${file.width} × ${file.height}` : '';
  const img = element('img', { src: file.location, alt: name, decoding: 'async' });
  const item = element('li', { className: 'card' },
    element('a', { href: file.location, target: '_blank', rel: 'noopener noreferrer' }, img),
    element('p', { className: 'name', title: name }, name),
    element('p', { className: 'facts' }, `${kind}${pixels}`),
    element('p', { className: 'facts' }, size(file.size)),
    element('p', { className: 'facts' }, element('code', { title: file.key }, file.key)),
    element('div', { className: 'actions' }, button('Delete', file.name, () => remove(file, item), 'danger')));
  stored.prepend(item);
  describe();
}

function describe() {
  document.getElementById('empty').hidden = stored.children.length > 0;
}

async function remove(file, item) {
  const name = shown(file.name);
  problem.textContent = '';
  if (!await confirmed('Delete this picture?', `${name} will be gone for good.`)) return;
  try {
    await ask(file.key, { method: 'DELETE' });
  } catch (error) {
    problem.textContent = error.message;
    return;
  }
  const neighbour = item.nextElementSibling ?? item.previousElementSibling;
  item.remove();
  describe();
  say(`${name} is deleted.`);
  (neighbour?.querySelector('a') ?? document.getElementById('stored-title')).focus();
}
