// Large files: sent in parts, paused, and continued after the page was loaded again.
import { onFiles } from './shared/chooser.js';
import { element } from './shared/elements.js';
import { shown } from './shared/format.js';
import { say } from './shared/live.js';
import { Row } from './shared/row.js';
import { Upload, unfinished } from './upload.js';

const endpoint = 'uploads';
const input = document.getElementById('large-file');
const list = document.getElementById('large');
const empty = document.getElementById('empty');

new MutationObserver(() => { empty.hidden = list.children.length > 0; }).observe(list, { childList: true });

onFiles(input, (files) => {
  for (const file of files) new LargeFile(file).run();
});
for (const left of await unfinished({ endpoint })) showUnfinished(left);

// showUnfinished asks for the file again: a page may not open it by itself.
function showUnfinished(left) {
  const row = new Row(left, list, input);
  row.item.dataset.name = left.name;
  row.show('unfinished', `Not complete since ${left.began.toLocaleDateString()}. Choose the file again to continue.`, {
    Forget: async () => {
      await left.forget();
      row.remove();
    },
  });
  left.stored().then((bytes) => { row.bar.value = bytes; }, () => {}); // offline, nothing is known
}

class LargeFile {
  constructor(file) {
    this.upload = new Upload(file, { endpoint });
    this.name = shown(file.name);
    const before = [...list.children].find(({ dataset }) => dataset.state === 'unfinished' && dataset.name === file.name);
    this.row = new Row(file, list, input);
    before?.replaceWith(this.row.item);
    this.upload.addEventListener('progress', () => this.row.progress(this.upload.sent));
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

  show() {
    const { upload, row, result, error } = this;
    switch (upload.state) {
      case 'running':
        row.restart();
        row.show('sending', 'Starting…', { Pause: () => upload.pause(), Cancel: () => upload.abort() });
        break;
      case 'waiting':
        row.show('waiting', 'Another tab sends this file.', { Cancel: () => upload.abort() });
        break;
      case 'retrying':
        row.show('waiting', `Waiting for the network. ${nextAttempt(upload)}`, { Pause: () => upload.pause(), Cancel: () => upload.abort() });
        break;
      case 'paused':
        row.show('paused', `Paused at ${percent(upload)} %`, { Continue: () => upload.resume(), Cancel: () => upload.abort() });
        break;
      case 'aborted':
        row.remove();
        say(`${this.name} was cancelled.`);
        break;
      case 'failed':
        if (!error) break; // run comes back here with it
        row.show('failed', `${error.message} Choose the file again to continue.`, { Dismiss: () => row.remove() });
        say(`${this.name}: ${error.message}`);
        break;
      case 'done':
        if (!result) break;
        row.show('done', 'Uploaded', { Dismiss: () => row.remove() });
        row.actions.prepend(element('a', { className: 'button', href: result.location, ariaLabel: `Download: ${this.name}` }, 'Download'));
        say(`${this.name} is uploaded.`);
        break;
    }
  }
}

const nextAttempt = ({ nextAttempt: at }) => (at ? `The next attempt is at ${at.toLocaleTimeString()}.` : 'It continues by itself.');
const percent = ({ sent, total }) => Math.floor((100 * sent) / Math.max(total, 1));
