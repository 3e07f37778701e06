// Uploads of files that were chosen or dropped: three at a time, each with a row.
import { shown } from './format.js';
import { say } from './live.js';
import { Row } from './row.js';

const atOnce = 3;
const waiting = [];
let running = 0;

function next() {
  while (running < atOnce && waiting.length > 0) {
    running++;
    waiting.shift().run().finally(() => {
      running--;
      next();
    });
  }
}

// A Failure's message is shown unchanged. If again is false, a second try would fail too.
export class Failure extends Error {
  constructor(message, again = false) {
    super(message);
    this.again = again;
  }
}

// A Transfer sends a file when its turn comes.
export class Transfer {
  #send;
  #row;
  #ending;

  // The function send gets the row and a signal that ends it. It throws a Failure.
  constructor(file, list, home, send) {
    this.name = shown(file.name);
    this.#send = send;
    this.#row = new Row(file, list, home);
  }

  start() {
    this.#row.bar.value = 0;
    this.#row.restart();
    this.#row.show('waiting', 'Waiting…', { Cancel: () => this.#cancel() });
    waiting.push(this);
    next();
  }

  async run() {
    const row = this.#row;
    const ending = (this.#ending = new AbortController());
    try {
      row.show('sending', 'Starting…', { Cancel: () => this.#cancel() });
      await this.#send(row, ending.signal);
      row.show('done', 'Uploaded', { Dismiss: () => row.remove() });
      say(`${this.name} is uploaded.`);
    } catch (error) {
      if (!ending.signal.aborted) this.fail(error);
    }
  }

  fail(error) {
    const told = error instanceof Failure ? error : new Failure('Something went wrong in this page. Try again.', true);
    if (told !== error) console.error(error);
    const presses = { Dismiss: () => this.#row.remove() };
    if (told.again) presses['Try again'] = () => this.start();
    this.#row.show('failed', told.message, presses);
    say(`${this.name}: ${told.message}`);
  }

  #cancel() {
    this.#ending?.abort();
    const place = waiting.indexOf(this);
    if (place >= 0) waiting.splice(place, 1);
    say(`${this.name} was cancelled.`);
    this.#row.remove();
  }
}

// clearDone removes the rows of uploads that are done.
export function clearDone(list) {
  for (const row of list.querySelectorAll('[data-state=done]')) row.remove();
}
