// The uploads of images: one signed request each.
import { call } from './api.js';
import { refusal } from './refusal.js';
import { listOf, size } from './shared/format.js';
import { Failure, Transfer, clearDone } from './shared/transfer.js';
import { send } from './upload.js';

// addUploads uploads files that were chosen or dropped. It calls done with every
// image that has arrived.
export function addUploads(files, settings, done) {
  const list = document.getElementById('uploads');
  clearDone(list);
  for (const file of files) {
    const upload = new Upload(file, done);
    const transfer = new Transfer(file, list, document.getElementById('files'), (row, signal) => upload.run(row, signal));
    const failure = problem(file, settings);
    if (failure) transfer.fail(failure);
    else transfer.start();
  }
}

// problem returns what is wrong with a file before it is sent.
function problem(file, { types, maxBytes }) {
  if (!types.includes(file.type)) {
    return new Failure(`This is no image of a kind that can be uploaded. Choose ${listOf(types.map(kind), 'or')}.`);
  }
  if (file.size > maxBytes) {
    return new Failure(`The file is too large: ${size(maxBytes)} is the most.`);
  }
  if (file.size === 0) return new Failure('The file is empty.');
  return null;
}

export const kind = (type) => ({ 'image/webp': 'WebP' })[type] ?? type.replace('image/', '').toUpperCase();

class Upload {
  #file;
  #done;
  #offer = null; // what the server signed
  #arrived = false; // the store has the file, but the server may not know

  constructor(file, done) {
    this.#file = file;
    this.#done = done;
  }

  // run may be called again after it failed.
  async run(row, signal) {
    if (!this.#arrived) await this.#send(row, signal);
    row.show('checking', 'Checking…');
    this.#done(await call('POST', `uploads/${this.#offer.id}`, { name: this.#file.name }));
  }

  // send requests a signed request and makes it.
  async #send(row, signal) {
    this.#offer = await call('POST', 'uploads', { size: this.#file.size, type: this.#file.type });
    signal.throwIfAborted();
    try {
      await send(this.#offer.request, this.#file, { signal, progress: (sent) => row.progress(sent) });
    } catch (error) {
      throw signal.aborted ? error : await refusal(error, this.#offer.request);
    }
    this.#arrived = true;
  }
}
