import { call, say } from './api.js';
import { addImage, loadGallery } from './gallery.js';
import { startLarge } from './large.js';
import { addUploads, kind } from './uploads.js';
import { listOf, size } from './words.js';

const files = document.getElementById('files');
const limits = document.getElementById('limits');

async function start() {
  let settings;
  try {
    settings = await call('GET', 'settings');
  } catch (error) {
    limits.textContent = `${error.message} Then load the page again.`;
    say(limits.textContent);
    return;
  }
  document.getElementById('bucket').textContent = settings.bucket;
  files.accept = settings.types.join(',');
  limits.textContent = `${listOf(settings.types.map(kind), 'or')}, up to ${size(settings.maxBytes)} each. ${enforcement(settings)}`;

  const add = (chosen) => {
    if (chosen.length === 0) return;
    say(chosen.length === 1 ? `Uploading ${chosen[0].name}.` : `Uploading ${chosen.length} files.`);
    addUploads(chosen, settings, addImage);
  };
  files.addEventListener('change', () => {
    add([...files.files]);
    files.value = ''; // so that the same file can be chosen again
  });
  acceptDrops(add);
  await startLarge();
  await loadGallery();
}

// enforcement says whether the store or the server enforces what the page announced.
function enforcement({ storeChecksType, storeChecksSize }) {
  if (storeChecksType && storeChecksSize) {
    return 'The store refuses a file of another type or size than was announced, and the server looks at it when it has arrived.';
  }
  return 'This store cannot be held to a type and a size: the server looks at every file when it has arrived.';
}

// acceptDrops accepts files that are dropped anywhere, because a browser would open
// one that misses.
function acceptDrops(add) {
  const holdsFiles = (e) => e.dataTransfer?.types.includes('Files');
  const mark = (on) => document.body.classList.toggle('dragging', on);
  addEventListener('dragover', (e) => {
    if (!holdsFiles(e)) return;
    e.preventDefault();
    mark(true);
  });
  addEventListener('dragleave', (e) => mark(e.relatedTarget !== null));
  addEventListener('drop', (e) => {
    if (!holdsFiles(e)) return;
    e.preventDefault();
    mark(false);
    add([...e.dataTransfer.files]);
  });
}

start();
