// A file on its way, as a row of a list.
import { button, element } from './elements.js';
import { duration, shown, size } from './format.js';
import { thumbnail } from './thumbnail.js';

// A Row shows a file's picture, name, progress and state, and buttons for what can be done.
export class Row {
  #began; // when the first bytes were sent, and how many were there before
  #home;

  // The file need only have a name and a size. When the row is removed while it has the focus,
  // home gets it.
  constructor(file, list, home) {
    this.file = file;
    this.#home = home;
    const name = shown(file.name);
    this.bar = element('progress', { max: Math.max(file.size, 1), value: 0, ariaLabel: `Progress of ${name}` });
    this.state = element('p', { className: 'state' });
    this.actions = element('div', { className: 'actions' });
    this.item = element('li', { className: 'upload' },
      thumbnail(file), element('p', { className: 'name', title: name }, name), this.actions, this.state, this.bar);
    list.append(this.item);
  }

  // show sets the state, its words and the buttons, which are functions by name, and keeps the
  // focus if a button had it. The words begin with the size.
  show(state, words, presses = {}) {
    this.item.dataset.state = state;
    this.tell(words);
    const focused = this.actions.contains(document.activeElement);
    this.actions.replaceChildren(...Object.entries(presses).map(([name, press]) => button(name, this.file.name, press)));
    if (focused) (this.actions.firstElementChild ?? this.#home).focus();
  }

  tell(words) {
    this.state.textContent = `${size(this.file.size)} · ${words}`;
  }

  // progress shows how many bytes are sent, and how long the rest takes.
  progress(sent) {
    const { size: total } = this.file;
    this.bar.value = sent;
    if (this.item.dataset.state !== 'sending') return;
    if (sent >= total) {
      this.tell('Sent. Waiting for the response…');
      return;
    }
    this.#began ??= { at: performance.now(), sent };
    const seconds = (performance.now() - this.#began.at) / 1000;
    const speed = (sent - this.#began.sent) / seconds;
    const rest = seconds > 2 && speed > 0 ? ` · ${duration(Math.ceil((total - sent) / speed))} left` : '';
    this.tell(`${Math.floor((100 * sent) / total)} %${rest}`);
  }

  // restart forgets the speed, after a pause.
  restart() {
    this.#began = undefined;
  }

  remove() {
    const focused = this.item.contains(document.activeElement);
    this.item.remove();
    if (focused) this.#home.focus();
  }
}
