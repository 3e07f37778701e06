// Large files: sent in parts, paused, and continued after the page was loaded again.
import { say } from './api.js';
import { Upload, unfinished } from './upload.js';
import { size } from './words.js';

const endpoint = 'uploads';
const input = document.getElementById('large-file');
const list = document.getElementById('large');

// startLarge shows what an earlier visit left, and accepts files.
export async function startLarge() {
  input.addEventListener('change', () => {
    for (const file of input.files) new Row(file).run();
    input.value = '';
  });
  for (const left of await unfinished({ endpoint })) showUnfinished(left);
}

// showUnfinished asks for the file again: a page may not open it by itself.
function showUnfinished(left) {
  const row = element('li', 'upload', '');
  row.dataset.state = 'unfinished';
  row.dataset.name = left.name;
  row.append(
    element('span', 'name', left.name),
    element('span', 'size', size(left.size)),
    element('p', 'state', `Not complete since ${left.began.toLocaleDateString()}. Choose the file again to continue.`),
    buttons(left.name, {
      Forget: async () => {
        await left.forget();
        row.remove();
      },
    }),
  );
  list.append(row);
}

class Row {
  constructor(file) {
    this.upload = new Upload(file, { endpoint });
    this.name = file.name;
    this.row = element('li', 'upload', '');
    this.bar = document.createElement('progress');
    this.bar.max = Math.max(file.size, 1);
    this.bar.value = 0;
    this.bar.setAttribute('aria-label', `Progress of ${file.name}`);
    this.words = element('p', 'state', '');
    this.buttons = element('div', 'buttons', '');
    this.row.append(element('span', 'name', file.name), element('span', 'size', size(file.size)), this.bar, this.words, this.buttons);
    const before = [...list.children].find(({ dataset }) => dataset.state === 'unfinished' && dataset.name === file.name);
    if (before) before.replaceWith(this.row);
    else list.append(this.row);
    this.upload.addEventListener('progress', () => this.move());
    this.upload.addEventListener('state', () => this.show());
  }

  async run() {
    try {
      this.result = await this.upload.start();
    } catch (error) {
      this.error = error;
    }
    this.show();
  }

  move() {
    const { sent, total } = this.upload;
    this.bar.value = sent;
    if (this.upload.state === 'running') this.words.textContent = `${Math.floor((100 * sent) / Math.max(total, 1))} %`;
  }

  show() {
    const { upload, result, error } = this;
    this.row.dataset.state = upload.state;
    switch (upload.state) {
      case 'running':
        this.offer({ Pause: () => upload.pause(), Cancel: () => upload.abort() });
        break;
      case 'waiting':
        this.words.textContent = 'Another tab sends this file.';
        this.offer({ Cancel: () => upload.abort() });
        break;
      case 'paused':
        this.words.textContent = 'Paused';
        this.offer({ Continue: () => upload.resume(), Cancel: () => upload.abort() });
        break;
      case 'aborted':
        this.row.remove();
        say(`${this.name} was cancelled.`);
        break;
      case 'failed':
        if (!error) break; // run comes back here with it
        this.words.textContent = `${error.message} Choose the file again to continue.`;
        this.offer({ Dismiss: () => this.row.remove() });
        say(`${this.name}: ${error.message}`);
        break;
      case 'done':
        if (!result) break;
        this.words.textContent = 'Uploaded';
        this.offer({ Dismiss: () => this.row.remove() });
        this.buttons.prepend(link(result.location, this.name));
        say(`${this.name} is uploaded.`);
        break;
    }
  }

  offer(presses) {
    const focused = this.buttons.contains(document.activeElement);
    const next = buttons(this.name, presses);
    this.buttons.replaceWith(next);
    this.buttons = next;
    if (focused) next.firstChild.focus();
  }
}

function buttons(file, presses) {
  const all = element('div', 'buttons', '');
  for (const [name, press] of Object.entries(presses)) {
    const button = element('button', '', name);
    button.type = 'button';
    button.setAttribute('aria-label', `${name}: ${file}`);
    button.addEventListener('click', press);
    all.append(button);
  }
  return all;
}

function link(address, file) {
  const a = element('a', '', 'Download');
  a.href = address;
  a.setAttribute('aria-label', `Download: ${file}`);
  return a;
}

function element(name, className, text) {
  const e = document.createElement(name);
  e.className = className;
  e.textContent = text;
  return e;
}
