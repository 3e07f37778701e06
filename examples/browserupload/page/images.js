// The page of images.
import { call } from './api.js';
import { addImage, loadGallery } from './gallery.js';
import { onFiles } from './shared/chooser.js';
import { listOf, shown, size } from './shared/format.js';
import { say } from './shared/live.js';
import { addUploads, kind } from './uploads.js';

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
  files.accept = settings.types.join(',');
  limits.textContent = `${listOf(settings.types.map(kind), 'or')}, up to ${size(settings.maxBytes)} each. ${enforcement(settings)}`;
  onFiles(files, (chosen) => {
    say(chosen.length === 1 ? `Uploading ${shown(chosen[0].name)}.` : `Uploading ${chosen.length} files.`);
    addUploads(chosen, settings, addImage);
  });
  await loadGallery();
}

// enforcement says whether the store or the server enforces what the page announced.
function enforcement({ storeChecksType, storeChecksSize }) {
  if (storeChecksType && storeChecksSize) {
    return 'The store refuses a file of another type or size than was announced, and the server looks at it when it has arrived.';
  }
  return 'This store cannot be held to a type and a size: the server looks at every file when it has arrived.';
}

start();
