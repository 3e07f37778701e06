import * as api from './api.js';

const element = (id) => document.getElementById(id);
const say = (words) => { element('live').textContent = words; };

const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
function size(bytes) {
  let unit = 0;
  for (; bytes >= 1024 && unit < units.length - 1; unit++) bytes /= 1024;
  return `${bytes.toLocaleString(undefined, { maximumFractionDigits: 1 })} ${units[unit]}`;
}

// span returns a duration in words, in the largest unit that fits a whole number of
// times.
function span(seconds) {
  for (const [unit, length] of [['day', 86400], ['hour', 3600], ['minute', 60], ['second', 1]]) {
    if (seconds >= length && seconds % length === 0) return new Intl.NumberFormat(undefined, { style: 'unit', unit, unitDisplay: 'long' }).format(seconds / length);
  }
  return `${seconds} s`;
}

// attempt runs f, and shows an error at the top of the page.
async function attempt(f) {
  element('problem').textContent = '';
  try {
    return await f();
  } catch (error) {
    element('problem').textContent = error.message;
    element('problem').scrollIntoView({ block: 'nearest' });
  }
}

// The list.

let nextPage;

const chosen = () => [...element('list').querySelectorAll('input:checked')].map((box) => box.closest('.file'));
const offerDeletion = () => { element('delete-chosen').hidden = chosen().length === 0; };

function rowOf(record, temp) {
  const row = element('row').content.firstElementChild.cloneNode(true);
  row.dataset.id = record.ID;
  row.querySelector('.name span').textContent = record.OriginalFileName;
  const created = new Date(record.Created).toLocaleString();
  row.querySelector('.facts').textContent = [size(record.OriginalLength), record.MIMEType, record.Purpose, created].filter(Boolean).join(' · ');
  const link = row.querySelector('a');
  link.href = api.contentOf(record, temp);
  link.setAttribute('aria-label', `Download ${record.OriginalFileName}`);
  if (temp) {
    for (const part of row.querySelectorAll('input, button')) part.remove();
    return row;
  }
  row.querySelector('input').addEventListener('change', offerDeletion);
  const remove = row.querySelector('.delete');
  remove.setAttribute('aria-label', `Delete ${record.OriginalFileName}`);
  remove.addEventListener('click', () => attempt(() => removeRow(row, record)));
  const purpose = row.querySelector('.set-purpose');
  purpose.setAttribute('aria-label', `Purpose of ${record.OriginalFileName}`);
  purpose.addEventListener('click', () => askPurpose(row, record));
  return row;
}

async function removeRow(row, record) {
  await api.remove(record.ID);
  const neighbour = row.nextElementSibling ?? row.previousElementSibling;
  row.remove();
  (neighbour?.querySelector('.delete') ?? element('list-title')).focus(); // otherwise the focus is lost with its row
  afterChange(`${record.OriginalFileName} is deleted.`);
}

function afterChange(words) {
  offerDeletion();
  element('note').textContent = element('list').children.length ? '' : 'Nothing here yet.';
  say(words);
}

async function showPage(first) {
  const query = {};
  const purpose = element('filter-purpose').value.trim();
  if (purpose) query.purpose = purpose;
  if (!first) query.pageToken = nextPage;
  const page = await api.list(query);
  if (first) element('list').replaceChildren();
  element('list').append(...page.Items.map((record) => rowOf(record)));
  nextPage = page.NextPageToken;
  element('more').hidden = !nextPage;
  afterChange('');
}

element('more').addEventListener('click', () => attempt(() => showPage(false)));
element('filter').addEventListener('submit', (event) => {
  event.preventDefault();
  attempt(() => showPage(true));
});

element('delete-chosen').addEventListener('click', () => attempt(async () => {
  const rows = chosen();
  const { Items } = await api.removeMany(rows.map((row) => row.dataset.id));
  const kept = Items.filter((item) => !item.Deleted);
  for (const row of rows) if (!kept.some((item) => item.ID === row.dataset.id)) row.remove();
  element('list-title').focus();
  afterChange(`${rows.length - kept.length} files are deleted.`);
  if (kept.length) throw new Error(`${kept.length} files are still there: ${kept[0].Error?.message ?? ''}`);
}));

// The purpose of a file.

function askPurpose(row, record) {
  const dialog = element('purpose-dialog');
  element('purpose-name').textContent = record.OriginalFileName;
  element('new-purpose').value = record.Purpose ?? '';
  dialog.returnValue = '';
  dialog.onclose = () => {
    if (dialog.returnValue !== 'save') return;
    attempt(async () => {
      const changed = await api.setPurpose(record.ID, element('new-purpose').value.trim());
      const fresh = rowOf(changed);
      row.replaceWith(fresh);
      fresh.querySelector('.set-purpose').focus();
      afterChange(`The purpose of ${record.OriginalFileName} is changed.`);
    });
  };
  dialog.showModal();
}
element('purpose-cancel').addEventListener('click', () => element('purpose-dialog').close());

// Uploads.

element('upload').addEventListener('submit', (event) => {
  event.preventDefault();
  attempt(async () => {
    const [file] = element('file').files;
    const temp = element('temp').checked;
    const [button, progress] = [event.submitter ?? event.target.querySelector('button'), element('progress')];
    button.disabled = true;
    progress.hidden = false;
    try {
      const record = await api.upload(file, {
        temp,
        purpose: element('purpose').value.trim(),
        partSize: Number(element('part-size').value),
        onProgress: (done) => { progress.value = done; },
      });
      element(temp ? 'temp-list' : 'list').prepend(rowOf(record, temp));
      element('temp-files').hidden = element('temp-list').children.length === 0;
      element('file').value = '';
      afterChange(`${record.OriginalFileName} is uploaded.`);
    } finally {
      button.disabled = false;
      progress.hidden = true;
      progress.value = 0;
      button.focus();
    }
  });
});
element('temp').addEventListener('change', (event) => { element('purpose').disabled = event.target.checked; });

attempt(async () => {
  const settings = await fetch('settings.json').then((response) => response.json());
  element('temp-age').textContent = span(settings.tempSeconds);
  await showPage(true);
});
