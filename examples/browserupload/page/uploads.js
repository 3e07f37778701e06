// The uploads: three at a time, each with a row of its own.
import { call, say } from './api.js';
import { Failure, listOf, refusal, size, unanswered } from './words.js';

const atOnce = 3;
const waiting = [];
let running = 0;

// addUploads uploads files that were chosen or dropped. It calls done with every
// image that has arrived.
export function addUploads(files, settings, done) {
  const list = document.getElementById('uploads');
  for (const row of list.querySelectorAll('[data-state=done]')) row.remove();
  for (const file of files) {
    const upload = new Upload(file, done);
    list.append(upload.row);
    const failure = problem(file, settings);
    if (failure) upload.fail(failure);
    else upload.enqueue();
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

function next() {
  while (running < atOnce && waiting.length > 0) {
    running++;
    waiting.shift().run().finally(() => {
      running--;
      next();
    });
  }
}

class Upload {
  constructor(file, done) {
    this.file = file;
    this.done = done;
    this.offer = null; // what the server signed
    this.arrived = false; // the store has the file, but the server may not know
    this.row = document.createElement('li');
    this.row.className = 'upload';
    this.bar = document.createElement('progress');
    this.bar.max = Math.max(file.size, 1);
    this.bar.setAttribute('aria-label', `Progress of ${file.name}`);
    this.state = element('p', 'state', '');
    this.buttons = element('div', 'buttons', '');
    this.row.append(element('span', 'name', file.name), element('span', 'size', size(file.size)), this.bar, this.state, this.buttons);
  }

  enqueue() {
    this.show('waiting', 'Waiting…', { Cancel: () => this.cancel() });
    this.bar.value = 0;
    waiting.push(this);
    next();
  }

  async run() {
    const ending = (this.ending = new AbortController());
    try {
      if (!this.arrived) await this.send(ending.signal);
      this.show('checking', 'Checking…', {});
      const image = await call('POST', `uploads/${this.offer.id}`, { name: this.file.name });
      this.show('done', 'Uploaded', { Dismiss: () => this.remove() });
      say(`${this.file.name} is uploaded.`);
      this.done(image);
    } catch (error) {
      if (!ending.signal.aborted) this.fail(error);
    }
  }

  // send requests a signed request and makes it.
  async send(signal) {
    this.show('sending', 'Starting…', { Cancel: () => this.cancel() });
    this.offer = await call('POST', 'uploads', { size: this.file.size, type: this.file.type });
    signal.throwIfAborted();
    await put(this.offer.request, this.file, signal, (sent) => {
      this.bar.value = sent;
      this.state.textContent = sent < this.file.size ? `${Math.floor((100 * sent) / this.file.size)} %` : 'Sent. Waiting for the store…';
    });
    this.arrived = true;
  }

  fail(error) {
    const words = error instanceof Failure ? error.message : 'Something went wrong in this page. Try again.';
    if (!(error instanceof Failure)) console.error(error);
    const buttons = { Dismiss: () => this.remove() };
    if (error.again !== false) buttons['Try again'] = () => this.enqueue();
    this.show('failed', words, buttons);
    say(`${this.file.name}: ${words}`);
  }

  cancel() {
    this.ending?.abort();
    const place = waiting.indexOf(this);
    if (place >= 0) waiting.splice(place, 1);
    say(`${this.file.name} was cancelled.`);
    this.remove();
  }

  remove() {
    const focused = this.row.contains(document.activeElement);
    this.row.remove();
    if (focused) document.getElementById('files').focus();
  }

  // show replaces the row's buttons, and keeps the focus if one of them had it.
  show(state, words, buttons) {
    const focused = this.buttons.contains(document.activeElement);
    this.row.dataset.state = state;
    this.state.textContent = words;
    this.buttons.replaceChildren(...Object.entries(buttons).map(([name, press]) => {
      const b = element('button', '', name);
      b.type = 'button';
      b.setAttribute('aria-label', `${name}: ${this.file.name}`);
      b.addEventListener('click', press);
      return b;
    }));
    if (focused) (this.buttons.firstChild ?? document.getElementById('files')).focus();
  }
}

// put makes the signed request. It uses XMLHttpRequest, because fetch does not report
// how much of a body was sent.
function put({ method, url, headers, expiresAt }, file, signal, progress) {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    xhr.open(method, url);
    for (const [name, values] of Object.entries(headers ?? {})) {
      for (const value of values) xhr.setRequestHeader(name, value);
    }
    xhr.upload.addEventListener('progress', (e) => progress(e.loaded));
    xhr.addEventListener('load', () => {
      if (xhr.status >= 200 && xhr.status < 300) resolve();
      else reject(refusal(xhr.status, xhr.responseText, expiresAt));
    });
    xhr.addEventListener('error', () => unanswered(url).then(reject));
    xhr.addEventListener('abort', () => reject(signal.reason));
    signal.addEventListener('abort', () => xhr.abort());
    xhr.send(file);
  });
}

function element(name, className, text) {
  const e = document.createElement(name);
  e.className = className;
  e.textContent = text;
  return e;
}
