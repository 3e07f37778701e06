import * as api from './api.js';
import { onDrop } from './shared/chooser.js';
import { confirmed } from './shared/confirm.js';
import { button, element, time } from './shared/elements.js';
import { duration, shown, size } from './shared/format.js';
import { say } from './shared/live.js';
import { isPicture, storedThumbnail } from './shared/thumbnail.js';
import { Failure, Transfer, clearDone } from './shared/transfer.js';

const get = (id) => document.getElementById(id);

// attempt runs f, and shows an error above the list.
async function attempt(f) {
  get('problem').textContent = '';
  try {
    return await f();
  } catch (error) {
    get('problem').textContent = error.message;
    get('problem').scrollIntoView({ block: 'nearest' });
  }
}

// The list.

let nextPage;

const selected = () => [...get('list').querySelectorAll('input:checked')].map((box) => box.closest('.file'));
const offerDeletion = () => { get('delete-chosen').hidden = selected().length === 0; };

function rowOf(record, temp) {
  const name = shown(record.OriginalFileName);
  const address = api.contentOf(record, temp);
  const type = record.MIMEType.split(';')[0];
  const facts = [size(record.OriginalLength), type, record.Purpose].filter(Boolean).map((fact) => `${fact} · `);
  const row = element('li', { className: 'file' },
    storedThumbnail(record.OriginalFileName, isPicture(type) ? address : ''),
    element('p', { className: 'name' }, name),
    element('p', { className: 'facts' }, ...facts, time(record.Created)));
  row.dataset.id = record.ID;
  const actions = element('div', { className: 'actions' },
    element('a', { className: 'button', href: address, download: '', ariaLabel: `Download: ${name}` }, 'Download'));
  if (!temp) {
    row.classList.add('selectable');
    const box = element('input', { type: 'checkbox', ariaLabel: `Select: ${name}` });
    box.addEventListener('change', offerDeletion);
    row.prepend(box);
    actions.append(
      button('Purpose', record.OriginalFileName, () => askPurpose(row, record)),
      button('Delete', record.OriginalFileName, () => attempt(() => removeRow(row, record)), 'danger'));
  }
  row.append(actions);
  return row;
}

async function removeRow(row, record) {
  const name = shown(record.OriginalFileName);
  if (!await confirmed('Delete this file?', `${name} will be gone for good.`)) return;
  await api.remove(record.ID);
  const neighbour = row.nextElementSibling ?? row.previousElementSibling;
  row.remove();
  (neighbour?.querySelector('.danger') ?? get('list-title')).focus(); // otherwise the focus is lost with its row
  afterChange(`${name} is deleted.`);
}

function afterChange(words) {
  offerDeletion();
  get('empty').hidden = get('list').children.length > 0;
  if (words) say(words);
}

async function showPage(first) {
  const query = {};
  const purpose = get('filter-purpose').value.trim();
  if (purpose) query.purpose = purpose;
  if (!first) query.pageToken = nextPage;
  const page = await api.list(query);
  if (first) get('list').replaceChildren();
  get('list').append(...page.Items.map((record) => rowOf(record)));
  nextPage = page.NextPageToken;
  get('more').hidden = !nextPage;
  get('empty').textContent = purpose ? `No file has the purpose “${shown(purpose)}”.` : 'Nothing here yet. What you upload appears here.';
  afterChange('');
}

get('more').addEventListener('click', () => attempt(() => showPage(false)));
get('filter').addEventListener('submit', (event) => {
  event.preventDefault();
  attempt(() => showPage(true));
});

get('delete-chosen').addEventListener('click', () => attempt(async () => {
  const rows = selected();
  if (!await confirmed('Delete the selected files?', `${rows.length} will be gone for good.`)) return;
  const { Items } = await api.removeMany(rows.map((row) => row.dataset.id));
  const kept = Items.filter((item) => !item.Deleted);
  for (const row of rows) if (!kept.some((item) => item.ID === row.dataset.id)) row.remove();
  get('list-title').focus();
  afterChange(`${rows.length - kept.length} files are deleted.`);
  if (kept.length) throw new Error(`${kept.length} files are still there: ${kept[0].Error?.message ?? ''}`);
}));

// The purpose of a file.

function askPurpose(row, record) {
  const dialog = get('purpose-dialog');
  get('purpose-name').textContent = shown(record.OriginalFileName);
  get('new-purpose').value = record.Purpose ?? '';
  dialog.returnValue = '';
  dialog.onclose = () => {
    if (dialog.returnValue !== 'save') return;
    attempt(async () => {
      const fresh = rowOf(await api.setPurpose(record.ID, get('new-purpose').value.trim()));
      row.replaceWith(fresh);
      fresh.querySelector('button').focus();
      afterChange(`The purpose of ${shown(record.OriginalFileName)} is changed.`);
    });
  };
  dialog.showModal();
}
get('purpose-cancel').addEventListener('click', () => get('purpose-dialog').close());

// Uploads.

get('upload').addEventListener('submit', (event) => {
  event.preventDefault();
  const list = get('uploads');
  clearDone(list);
  const options = { temp: get('temp').checked, purpose: get('purpose').value.trim(), partSize: Number(get('part-size').value) };
  for (const file of get('file').files) {
    new Transfer(file, list, get('file'), (row, signal) => send(file, { ...options, signal, onProgress: (done) => row.progress(done * file.size) })).start();
  }
  get('file').value = '';
  describeChoice();
});

async function send(file, options) {
  let record;
  try {
    record = await api.upload(file, options);
  } catch (error) {
    throw new Failure(error.message, !(error instanceof api.Problem) || error.status >= 500);
  }
  // The list is oldest first. If it has more pages, the file is on the last one.
  if (options.temp || !nextPage) get(options.temp ? 'temp-list' : 'list').append(rowOf(record, options.temp));
  get('temp-files').hidden = get('temp-list').children.length === 0;
  afterChange('');
}

// describeChoice shows what the button will upload.
function describeChoice() {
  const files = [...get('file').files];
  const total = size(files.reduce((sum, file) => sum + file.size, 0));
  const what = files.length === 1 ? shown(files[0].name) : `${files.length} files`;
  get('chosen').textContent = files.length === 0 ? 'Choose files' : `${what}, ${total}`;
}
get('file').addEventListener('change', describeChoice);
onDrop((files) => {
  get('file').files = files;
  describeChoice();
});
get('temp').addEventListener('change', (event) => { get('purpose').disabled = event.target.checked; });

get('temp-age').textContent = duration(Number(get('temp-age').dataset.seconds));
attempt(() => showPage(true));
