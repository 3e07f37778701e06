// The gallery of images.
import { call } from './api.js';
import { confirmed } from './shared/confirm.js';
import { button, element, time } from './shared/elements.js';
import { moment, shown, size } from './shared/format.js';
import { say } from './shared/live.js';

const list = document.getElementById('gallery');
const more = document.getElementById('more');
const title = document.getElementById('gallery-title');
const problem = document.getElementById('problem');
let nextPage = '';

export async function loadGallery() {
  more.disabled = true;
  await attempt(async () => {
    const { images, next } = await call('GET', `images?page=${encodeURIComponent(nextPage)}`);
    for (const image of images) {
      if (!find(image.id)) list.append(card(image));
    }
    nextPage = next;
    more.hidden = next === '';
    describe();
  });
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
  document.getElementById('empty').hidden = list.children.length > 0;
}

// attempt runs f, and shows an error above the images.
async function attempt(f) {
  problem.textContent = '';
  try {
    return await f();
  } catch (error) {
    problem.textContent = error.message;
    return null;
  }
}

function card(image) {
  const name = shown(image.name);
  const open = element('a', { href: image.url, target: '_blank', rel: 'noopener noreferrer' });
  open.append(picture(image, open));
  const item = element('li', { className: 'card' },
    open,
    element('p', { className: 'name', title: name }, name),
    element('p', { className: 'facts' }, `${size(image.size)} · `, time(image.modified)),
    element('div', { className: 'actions' },
      copyButton(image),
      button('Delete', image.name, () => attempt(() => remove(image, item)), 'danger')));
  item.dataset.id = image.id;
  return item;
}

// picture requests a new address once if the old one has expired, as it does in a
// page that is left open.
function picture(image, open) {
  const img = element('img', { loading: 'lazy', decoding: 'async', alt: shown(image.name) });
  img.addEventListener('error', async () => {
    try {
      img.src = open.href = (await linkTo(image)).url;
    } catch (error) {
      img.alt = `${shown(image.name)}: ${error.message}`;
    }
  }, { once: true });
  img.src = image.url;
  return img;
}

const linkTo = (image) => call('GET', `images/${encodeURIComponent(image.id)}/link`);

// copyButton shows for a moment that the link was copied.
function copyButton(image) {
  const b = button('Copy link', image.name, async () => {
    if (!await attempt(() => copyLink(image))) return;
    b.textContent = 'Copied';
    setTimeout(() => { b.textContent = 'Copy link'; }, 2000);
  });
  return b;
}

// copyLink reports whether the browser allowed it. Otherwise it shows the link.
async function copyLink(image) {
  const link = await linkTo(image);
  const until = link.expiresAt
    ? `It works until ${moment(link.expiresAt)}.`
    : 'It is public, and works until the image is deleted.';
  try {
    await navigator.clipboard.writeText(link.url);
  } catch {
    const field = document.getElementById('link-text');
    field.value = link.url;
    document.getElementById('link-dialog').showModal();
    field.select();
    return false;
  }
  say(`Link copied. ${until}`);
  return true;
}

async function remove(image, item) {
  if (!await confirmed('Delete this image?', `${shown(image.name)} will be gone for good, and links to it end.`)) return;
  await call('DELETE', `images/${encodeURIComponent(image.id)}`);
  const neighbour = item.nextElementSibling ?? item.previousElementSibling;
  item.remove();
  describe();
  say(`${shown(image.name)} is deleted.`);
  (neighbour?.querySelector('a') ?? title).focus();
}
