// The gallery of images.
import { call, say } from './api.js';
import { size } from './words.js';

const list = document.getElementById('gallery');
const note = document.getElementById('gallery-note');
const more = document.getElementById('more');
const title = document.getElementById('gallery-title');
let nextPage = '';

export async function loadGallery() {
  more.disabled = true;
  try {
    const { images, next } = await call('GET', `images?page=${encodeURIComponent(nextPage)}`);
    for (const image of images) {
      if (!find(image.id)) list.append(card(image));
    }
    nextPage = next;
    more.hidden = next === '';
    describe();
  } catch (error) {
    tell(error.message);
  }
  more.disabled = false;
}

more.addEventListener('click', async () => {
  const last = list.lastElementChild;
  await loadGallery();
  (last?.nextElementSibling?.querySelector('a') ?? title).focus(); // the button may be gone
});

// addImage shows a new image, first in the gallery.
export function addImage(image) {
  if (!find(image.id)) list.prepend(card(image));
  describe();
}

const find = (id) => [...list.children].find((c) => c.dataset.id === id);

function describe() {
  note.hidden = list.children.length > 0;
  note.textContent = 'Nothing here yet. What you upload appears here.';
}

function tell(text) {
  note.hidden = false;
  note.textContent = text;
  say(text);
}

function card(image) {
  const item = document.createElement('li');
  item.className = 'card';
  item.dataset.id = image.id;
  const open = document.createElement('a');
  open.href = image.url;
  open.target = '_blank';
  open.rel = 'noopener noreferrer';
  open.append(picture(image, open));
  const words = document.createElement('p');
  words.append(text('name', image.name), text('size', size(image.size)));
  words.firstChild.title = image.name;
  const actions = document.createElement('div');
  actions.className = 'actions';
  actions.append(
    button('Copy link', image, () => copyLink(image)),
    button('Delete', image, () => remove(image, item)),
  );
  item.append(open, words, actions);
  return item;
}

// picture requests a new address once if the old one has expired, as it does in a
// page that is left open.
function picture(image, open) {
  const img = document.createElement('img');
  img.loading = 'lazy';
  img.decoding = 'async';
  img.alt = image.name;
  img.addEventListener('error', async () => {
    try {
      img.src = open.href = (await call('GET', `images/${encodeURIComponent(image.id)}/link`)).url;
    } catch (error) {
      img.alt = `${image.name}: ${error.message}`;
    }
  }, { once: true });
  img.src = image.url;
  return img;
}

async function copyLink(image) {
  let link;
  try {
    link = await call('GET', `images/${encodeURIComponent(image.id)}/link`);
  } catch (error) {
    tell(error.message);
    return null;
  }
  const until = link.expiresAt
    ? `It works until ${new Date(link.expiresAt).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' })}.`
    : 'It is public, and works until the image is deleted.';
  try {
    await navigator.clipboard.writeText(link.url);
    say(`Link copied. ${until}`);
    return 'Copied';
  } catch {
    const field = document.getElementById('link-text');
    field.value = link.url;
    document.getElementById('link-dialog').showModal();
    field.select();
    return null;
  }
}

let asked = Promise.resolve();

// confirmed asks whether to delete. A dialog's event arrives some time after it was
// closed, and another question waits for it.
function confirmed(image) {
  asked = asked.then(async () => {
    const dialog = document.getElementById('delete-dialog');
    document.getElementById('delete-name').textContent = image.name;
    dialog.returnValue = 'keep';
    dialog.showModal();
    await new Promise((closed) => dialog.addEventListener('close', closed, { once: true }));
    return dialog.returnValue === 'delete';
  });
  return asked;
}

async function remove(image, item) {
  if (!await confirmed(image)) return;
  try {
    await call('DELETE', `images/${encodeURIComponent(image.id)}`);
  } catch (error) {
    tell(error.message);
    return;
  }
  const neighbour = item.nextElementSibling ?? item.previousElementSibling;
  item.remove();
  describe();
  say(`${image.name} is deleted.`);
  (neighbour?.querySelector('a') ?? title).focus();
}

// button shows the result of its press for a moment, in place of its name.
function button(name, image, press) {
  const b = document.createElement('button');
  b.type = 'button';
  b.textContent = name;
  b.setAttribute('aria-label', `${name}: ${image.name}`);
  b.addEventListener('click', async () => {
    const result = await press();
    if (!result) return;
    b.textContent = result;
    setTimeout(() => { b.textContent = name; }, 2000);
  });
  return b;
}

function text(className, words) {
  const span = document.createElement('span');
  span.className = className;
  span.textContent = words;
  return span;
}
