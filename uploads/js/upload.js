// Resumable uploads from a browser, straight to an object store.
//
//   import { Upload } from './upload.js';
//
//   const upload = new Upload(file, { endpoint: '/uploads' });
//   upload.addEventListener('progress', () => { bar.max = upload.total; bar.value = upload.sent; });
//   const { key } = await upload.start();
//
// The endpoint is the address of the handler of the Go package uploads. The handler signs
// a request for each part, and the browser sends the part to the store. If the page is
// closed, the same call with the same file continues later.
//
// The module imports nothing. It runs in browsers since 2024 and in Node.js since version 20.

const second = 1000;
const day = 24 * 60 * 60 * second;

// unseenRetries is how often a request is repeated whose response no page may see. That is probably a CORS rule
// that is missing, and else a proxy that answers for a server that is just starting.
const unseenRetries = 3;
// answered has the requests to which a page has seen a response, as "METHOD origin": a rule allows those.
const answered = new Set();

/** @typedef {import('./upload.d.ts').UploadOptions} UploadOptions */
/** @typedef {import('./upload.d.ts').UploadResult} UploadResult */
/** @typedef {import('./upload.d.ts').UploadState} UploadState */
/** @typedef {import('./upload.d.ts').UploadRecord} UploadRecord */
/** @typedef {import('./upload.d.ts').Journal} Journal */

/** An UploadError tells why a request failed. */
export class UploadError extends Error {
  name = 'UploadError';

  /**
   * @param {string} message
   * @param {{status?: number, code?: string, file?: string, temporary?: boolean, wait?: number, cause?: unknown, result?: UploadResult}} [details]
   */
  constructor(message, { status = 0, code = '', file = '', temporary = false, wait = 0, cause, result } = {}) {
    super(message, { cause });
    this.status = status; // of the response; 0: there was none
    this.code = code; // of the handler: "too_large", "not_found"; "": the error is the store's
    this.file = file; // the name of the refused file of a form
    this.result = result; // if another request has completed the upload
    this.temporary = temporary; // the same request may succeed later
    this.wait = wait; // milliseconds until the server wants to hear from us again
  }
}

/**
 * An Upload sends one file. It emits "progress" when sent changes, and "state" when state
 * changes.
 */
export class Upload extends EventTarget {
  /** @type {UploadState} */
  state = 'new';
  sent = 0; // bytes that are sent, or were in the store before
  total; // bytes of the file
  /** @type {Date | null} */
  nextAttempt = null; // while requests fail; null: when the browser is online again

  #file;
  #options;
  #handler;
  #created = Date.now();
  #running = null; // the promise of start
  #stop = new AbortController(); // of what runs until pause or abort
  #wake = () => {}; // ends a pause
  #stored = 0; // bytes of complete parts
  #sums = new Map(); // part number → CRC32C of the part in base64, since the upload runs without a pause
  #moving = new Map(); // part number → bytes that are sent of it
  #attempts = new Set(); // requests on their way
  #pauses = new Map(); // requests that wait for their next attempt → its time, or Infinity

  /**
   * @param {Blob} file
   * @param {UploadOptions} options
   */
  constructor(file, options) {
    super();
    this.#file = file;
    this.#options = { concurrency: 4, retries: 8, timeout: 60 * second, checksum: true, journal: browserJournal, ...options };
    this.#handler = new Handler(this.#options);
    this.total = file.size;
  }

  /**
   * Sends what the store does not have yet of the file. If it rejects, another Upload of the
   * same file continues, unless abort was called.
   *
   * @returns {Promise<UploadResult>}
   */
  start() {
    this.#running ??= this.#run();
    return this.#running;
  }

  /** Stops sending until resume. */
  pause() {
    if (!['running', 'waiting', 'retrying'].includes(this.state)) return;
    this.#show('paused');
    this.#stop.abort(new DOMException('The upload is paused.', 'AbortError'));
  }

  /** Continues after pause. */
  resume() {
    if (this.state !== 'paused') return;
    this.#show('running');
    this.#wake();
  }

  /** Gives the upload up and removes its parts from the store. start rejects. */
  async abort() {
    if (this.#ended) return;
    this.#show('aborted');
    this.#stop.abort();
    this.#wake();
    await this.#running?.catch(() => {});
    const { journal } = this.#options;
    const id = await this.#id();
    const record = await journal.get(id);
    if (!record || record.result) return;
    await journal.delete(id);
    await this.#retry(undefined, (signal) => this.#handler.abort(record, signal)).catch((error) => {
      if (!isGone(error)) throw error;
    });
  }

  get #ended() {
    return ['done', 'failed', 'aborted'].includes(this.state);
  }

  // id is the upload's name in the journal: one for each file and endpoint.
  async #id() {
    return `${this.#handler.url} ${await fingerprint(this.#file)}`;
  }

  async #run() {
    try {
      if (this.state === 'aborted') throw aborted();
      this.#show('running');
      const result = await this.#untilDone();
      this.#show('done');
      return result;
    } catch (error) {
      if (this.state === 'aborted') throw aborted();
      this.#show('failed');
      throw error;
    }
  }

  // untilDone runs once, and again after each pause.
  async #untilDone() {
    for (;;) {
      const stop = (this.#stop = new AbortController());
      const { signal: given } = this.#options;
      const signal = given ? AbortSignal.any([given, stop.signal]) : stop.signal;
      try {
        return await this.#withLock(signal, () => this.#transfer(signal));
      } catch (error) {
        if (!stop.signal.aborted || this.state === 'aborted') throw error;
        if (this.state === 'paused') await this.#paused(given);
      }
    }
  }

  #paused(given) {
    return new Promise((resolve) => {
      this.#wake = resolve;
      given?.addEventListener('abort', resolve, { once: true });
    });
  }

  // withLock calls f while no other tab sends the same file. Pages without HTTPS have no
  // locks. There, two tabs send the same parts, which is harmless.
  async #withLock(signal, f) {
    const locks = globalThis.navigator?.locks;
    if (!locks) return f();
    const waiting = setTimeout(() => this.#show('waiting'), second / 2);
    return locks.request(`upload ${await this.#id()}`, { signal }, () => {
      clearTimeout(waiting);
      this.#show('running');
      return f();
    }).finally(() => clearTimeout(waiting));
  }

  async #transfer(signal) {
    const { journal } = this.#options;
    const id = await this.#id();
    this.#sums.clear(); // a program may have changed the file during a pause
    await removeOld(journal);
    for (;;) {
      const { record, parts } = await this.#continued(id, signal) ?? await this.#begin(id, signal);
      const result = record.result ?? await this.#complete(record, parts, signal);
      if (!result) continue;
      await journal.set(id, { ...record, result, ended: Date.now() });
      this.#count(this.total);
      return result;
    }
  }

  // complete sends the missing parts. It asks the store what it has, so that a page need not
  // read the ETag of its own requests, which some stores do not show to pages. If another tab
  // completes the upload first, it returns the result of that tab, or null if the tab had another file.
  async #complete(record, parts, signal) {
    const { journal, retries } = this.#options;
    const list = () => this.#list(record, signal);
    try {
      for (let round = 0; ; round++) {
        const missing = await this.#missing(record, parts, signal);
        try {
          if (missing.length === 0) {
            await journal.set(record.id, record);
            return await this.#retry(signal, (either) => this.#handler.complete(record, parts, either));
          }
          await this.#sendParts(record, missing, signal);
        } catch (error) {
          if (isGone(error)) await list(); // rejects with the result, if there is one
          // Another tab has sent a part again, or is just replacing it: MinIO does not list it then.
          if (!['parts_changed', 'not_uploaded'].includes(error.code)) throw error;
        }
        if (round > retries) throw new UploadError('The store does not keep the parts of the file.');
        parts = await list();
      }
    } catch (error) {
      if (!error.result) throw error;
      // Another tab was first, or a response was lost.
      const last = await journal.get(record.id) ?? record;
      return await this.#isWhole(last, signal) ? error.result : null;
    }
  }

  // continued returns the record of an upload of this file and the parts that the store has, or null if there is
  // none. If another tab completed the upload while this one waited, the record has a result. A fingerprint does not
  // cover all bytes, so the checksums of the parts decide whether the upload is of this file.
  async #continued(id, signal) {
    const record = await this.#options.journal.get(id);
    if (!record) return null;
    if (record.result) return record.ended >= this.#created && await this.#isWhole(record, signal) ? { record, parts: [] } : null;
    try {
      const parts = await this.#list(record, signal);
      return await this.#hasOthers(record, parts, signal) ? null : { record, parts };
    } catch (error) {
      if (error.result) return await this.#isWhole(record, signal) ? { record: { ...record, result: error.result }, parts: [] } : null;
      if (!isGone(error)) throw error;
      return null;
    }
  }

  // isWhole reports whether the record has the checksum of each part of this file.
  async #isWhole(record, signal) {
    for (let number = this.#last(record); number > 0; number--) {
      if (record.sums?.[number] !== await this.#sum(record, number, signal)) return false;
    }
    return true;
  }

  // hasOthers reports whether one of the parts is of another file.
  async #hasOthers(record, parts, signal) {
    for (const part of parts) {
      const sum = sumOf(record, part);
      if (sum && Number(part.PartNumber) <= this.#last(record) && sum !== await this.#sum(record, part.PartNumber, signal)) return true;
    }
    return false;
  }

  async #begin(id, signal) {
    const { journal, handle } = this.#options;
    this.#sums.clear(); // the size of parts may be another one
    const begun = await this.#retry(signal, (either) => this.#handler.begin(this.#file, either));
    const { name = '', size, lastModified = 0 } = this.#file;
    const record = { ...begun, id, endpoint: this.#handler.url, name, size, lastModified, began: Date.now(), handle, sums: {} };
    await journal.set(id, record);
    return { record, parts: [] };
  }

  #list(record, signal) {
    return this.#retry(signal, (either) => this.#handler.list(record, either));
  }

  // missing returns the numbers of the parts that the store lacks, and counts the others. The store has a part if its
  // size and its checksum are those of the file's part. A part whose checksum nobody knows is missing.
  async #missing(record, parts, signal) {
    const listed = new Map(parts.map((part) => [Number(part.PartNumber), part]));
    const sums = (record.sums ??= {});
    const missing = [];
    let stored = 0;
    for (let number = 1; number <= this.#last(record); number++) {
      const { size } = this.#part(number, record.partSize);
      const part = listed.get(number);
      const sum = part && Number(part.Size) === size && sumOf(record, part);
      if (sum && sum === await this.#sum(record, number, signal)) {
        stored += size;
        sums[number] = sum;
      } else missing.push(number);
    }
    this.#count(stored);
    return missing;
  }

  // last is the number of the last part. An empty file is one empty part.
  #last({ partSize }) {
    return Math.max(1, Math.ceil(this.total / partSize));
  }

  // sum returns the checksum of a part of the file.
  async #sum({ partSize }, number, signal) {
    if (!this.#sums.has(number)) this.#sums.set(number, encodeChecksum(await crc32c(this.#part(number, partSize), signal)));
    return this.#sums.get(number);
  }

  #part(number, partSize) {
    return this.#file.slice((number - 1) * partSize, Math.min(number * partSize, this.total));
  }

  async #sendParts(record, numbers, signal) {
    const failing = new AbortController();
    const either = AbortSignal.any([signal, failing.signal]);
    const worker = async () => {
      for (let number; (number = numbers.shift());) await this.#sendPart(record, number, either);
    };
    const workers = Array.from({ length: this.#options.concurrency }, worker);
    try {
      await Promise.all(workers);
    } catch (error) {
      failing.abort(error);
      await Promise.allSettled(workers);
      throw error;
    }
  }

  // sendPart asks for a new signature in each attempt, so that none is too old. The record has no checksum of the part
  // while the store may have either the earlier bytes or these.
  async #sendPart(record, number, signal) {
    const { journal } = this.#options;
    const part = this.#part(number, record.partSize);
    const sum = await this.#sum(record, number, signal);
    const checksum = record.checksum && sum;
    if ((record.sums[number] ?? sum) !== sum) {
      delete record.sums[number];
      await journal.set(record.id, record);
    }
    await this.#retry(signal, async (either, moves) => {
      await part.slice(0, 1).arrayBuffer().catch(unreadable); // else it would seem that the connection is lost
      const request = await this.#handler.sign(record, { number, size: part.size, checksum }, either);
      const progress = (sent) => {
        moves();
        this.#moved(number, sent);
      };
      try {
        await send(request, part, { signal: either, timeout: this.#options.timeout, progress });
        this.#stored += part.size;
      } finally {
        this.#moved(number, 0);
      }
    });
    record.sums[number] = sum;
    await journal.set(record.id, record);
  }

  // retry calls f again after temporary errors. The pause doubles each time up to 30 seconds,
  // with jitter, and ends when the browser is online again. Failures while it is offline do
  // not count. f gets a signal, and a function to call when bytes move.
  async #retry(signal, f) {
    for (let failures = 0, unseen = 0; ;) {
      signal?.throwIfAborted();
      const attempt = new Attempt(failures === 0 && isOnline(), () => this.#connected());
      this.#attempts.add(attempt);
      this.#connected();
      let pause;
      try {
        return await f(signal ? AbortSignal.any([signal, attempt.signal]) : attempt.signal, () => attempt.moved());
      } catch (error) {
        signal?.throwIfAborted();
        if (!error.temporary) throw error;
        if (attempt.signal.aborted) continue; // the browser is online again
        if (isOnline() && ++failures > this.#options.retries || error.unseen && ++unseen > unseenRetries) throw error;
        const longest = Math.min(30 * second, (second / 2) * 2 ** failures);
        pause = isOnline() ? Math.max(error.wait, longest * (0.5 + Math.random() / 2)) : Infinity;
      } finally {
        attempt.end();
        this.#attempts.delete(attempt);
      }
      await this.#pauseFor(pause, signal);
    }
  }

  async #pauseFor(milliseconds, signal) {
    const pause = {};
    this.#pauses.set(pause, Date.now() + milliseconds);
    this.#connected();
    await sleep(milliseconds, signal).finally(() => this.#pauses.delete(pause));
  }

  // connected shows whether requests fail: none of them moves, and one waits or the browser is
  // offline.
  #connected() {
    const moving = [...this.#attempts].some((attempt) => attempt.moves);
    if (moving || !['running', 'retrying'].includes(this.state)) {
      this.nextAttempt = null;
      if (this.state === 'retrying') this.#show('running');
    } else if (this.#pauses.size > 0 || !isOnline()) {
      const next = Math.min(...this.#pauses.values());
      const before = this.nextAttempt?.getTime();
      this.nextAttempt = Number.isFinite(next) ? new Date(next) : null;
      if (this.state === 'running') this.#show('retrying');
      else if (this.nextAttempt?.getTime() !== before) this.dispatchEvent(new Event('state'));
    }
  }

  #count(stored) {
    this.#stored = stored;
    this.#moved(0, 0);
  }

  // moved notes how much of a part is sent: 0 when it ended or failed.
  #moved(number, sent) {
    if (sent > 0) this.#moving.set(number, sent);
    else this.#moving.delete(number);
    this.sent = this.#stored + [...this.#moving.values()].reduce((sum, n) => sum + n, 0);
    this.dispatchEvent(new Event('progress'));
  }

  #show(state) {
    if (this.state === state || this.#ended) return;
    this.state = state;
    if (state !== 'retrying') this.nextAttempt = null;
    this.dispatchEvent(new Event('state'));
  }
}

// An Attempt is a request on its way. If no byte of it moves from the moment at which the
// browser goes offline to that at which it is online again, its connection is dead: its signal
// aborts.
class Attempt {
  #ending = new AbortController();
  #listening = new AbortController();
  #changed;

  constructor(moves, changed) {
    this.moves = moves;
    this.#changed = changed;
    this.#on('offline', () => this.#set(false));
    this.#on('online', () => this.moves || this.#ending.abort(lost()));
  }

  get signal() {
    return this.#ending.signal;
  }

  moved() {
    this.#set(true);
  }

  end() {
    this.#listening.abort();
  }

  #set(moves) {
    if (this.moves === moves) return;
    this.moves = moves;
    this.#changed();
  }

  #on(name, listener) {
    globalThis.addEventListener?.(name, listener, { signal: this.#listening.signal });
  }
}

/**
 * Returns the uploads to this endpoint that were begun in this browser and not completed,
 * the newest first.
 *
 * @param {Pick<UploadOptions, 'endpoint' | 'headers' | 'journal'>} options
 */
export async function unfinished({ endpoint, headers, journal = browserJournal }) {
  const handler = new Handler({ endpoint, headers, timeout: 60 * second });
  await removeOld(journal);
  const records = (await journal.all()).filter((record) => record.endpoint === handler.url && !record.result);
  return records.sort((a, b) => b.began - a.began).map((record) => new Unfinished(record, journal, handler));
}

/** An Unfinished is an upload that was begun and not completed. */
export class Unfinished {
  #record;
  #journal;
  #handler;

  constructor(record, journal, handler) {
    this.#record = record;
    this.#journal = journal;
    this.#handler = handler;
    this.name = record.name;
    this.size = record.size;
    this.began = new Date(record.began);
    this.hasHandle = Boolean(record.handle);
  }

  /**
   * Opens the file again without a dialog, if it was chosen as a FileSystemFileHandle. Call
   * it in the handler of a click, because the browser may ask the user. It returns null if
   * there is no handle, if the user refuses, or if the file has changed.
   */
  async open() {
    const { handle } = this.#record;
    if (!handle) return null;
    if (handle.requestPermission && await handle.requestPermission({ mode: 'read' }) !== 'granted') return null;
    const file = await handle.getFile().catch(() => null);
    return file && await this.matches(file) ? file : null;
  }

  /** Asks the server how many bytes the store has: 0 if the upload has expired. */
  async stored() {
    try {
      const parts = await this.#handler.list(this.#record);
      return parts.reduce((sum, { Size }) => sum + Number(Size), 0);
    } catch (error) {
      if (error.result) return this.size;
      if (isGone(error)) return 0;
      throw error;
    }
  }

  /** @param {Blob} file */
  async matches(file) {
    return this.#record.id === `${this.#record.endpoint} ${await fingerprint(file)}`;
  }

  /** Forgets the upload. The server removes its parts when it expires. */
  forget() {
    return this.#journal.delete(this.#record.id);
  }
}

/**
 * Returns a string that tells this file from others and from its later versions. It is made
 * of name, size, time of the last change and three samples of the content.
 *
 * @param {Blob} file
 */
export async function fingerprint(file) {
  const sample = 16 << 10;
  const starts = [0, Math.floor(file.size / 2), Math.max(0, file.size - sample)];
  const sum = await crc32c(new Blob(starts.map((start) => file.slice(start, start + sample))));
  const name = file.webkitRelativePath || file.name || '';
  return [file.size, file.lastModified ?? 0, sum.toString(16), encodeURIComponent(name)].join('-');
}

// A Handler makes the requests of Uppy's companion to the server.
class Handler {
  #options;

  constructor(options) {
    this.#options = options;
    const base = new URL(options.endpoint, globalThis.document?.baseURI);
    this.url = base.href.replace(/\/$/, '');
  }

  begin(file, signal) {
    const { filename = file.name ?? '', type = file.type, metadata = {}, checksum } = this.#options;
    const body = { filename, type, metadata, size: file.size, checksum: checksum ? 'crc32c' : '' };
    return this.#call('POST', '', body, signal);
  }

  list({ uploadId, key }, signal) {
    return this.#call('GET', `/${encodeURIComponent(uploadId)}?${new URLSearchParams({ key })}`, null, signal);
  }

  sign({ uploadId, key }, { number, size, checksum }, signal) {
    const query = new URLSearchParams({ key, size });
    if (checksum) query.set('crc32c', checksum);
    return this.#call('GET', `/${encodeURIComponent(uploadId)}/${number}?${query}`, null, signal);
  }

  complete({ uploadId, key }, parts, signal) {
    const body = { parts: parts.map(({ PartNumber, ETag }) => ({ PartNumber, ETag })) };
    return this.#call('POST', `/${encodeURIComponent(uploadId)}/complete?${new URLSearchParams({ key })}`, body, signal);
  }

  abort({ uploadId, key }, signal) {
    return this.#call('DELETE', `/${encodeURIComponent(uploadId)}?${new URLSearchParams({ key })}`, null, signal);
  }

  async #call(method, path, body, signal) {
    const { headers = {}, timeout } = this.#options;
    const patience = AbortSignal.timeout(2 * timeout); // completing takes some stores long
    try {
      const response = await fetch(`${this.url}/s3/multipart${path}`, {
        method,
        headers: {
          ...(body ? { 'Content-Type': 'application/json' } : {}),
          ...(typeof headers === 'function' ? await headers() : headers),
        },
        body: body ? JSON.stringify(body) : undefined,
        signal: signal ? AbortSignal.any([signal, patience]) : patience,
      });
      sees(method, this.url);
      const text = await response.text();
      if (!response.ok) throw refused(response.status, text, response.headers.get('Retry-After'));
      return text ? JSON.parse(text) : null;
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof UploadError || error instanceof SyntaxError) throw error;
      throw await unreached(method, this.url, signal, error);
    }
  }
}

/**
 * Makes a request, such as one that your server has signed, and returns the body of the
 * response. Browsers tell only an XMLHttpRequest how much was sent.
 *
 * @param {import('./upload.d.ts').SendRequest} request
 * @param {Blob | FormData} body
 * @param {import('./upload.d.ts').SendOptions} [options]
 * @returns {Promise<string>}
 */
export function send({ method = 'PUT', url, headers, expires }, body, { signal, timeout = 60 * second, progress } = {}) {
  const until = Date.now() + (expires ?? Infinity) * second;
  const fail = (status, text) => {
    const error = refused(status, text);
    // A request that begins or ends too late gets a new signature.
    error.temporary ||= status === 403 && (Date.now() >= until || /expired|time frame/i.test(text));
    return error;
  };
  if (!globalThis.XMLHttpRequest) {
    return fetch(url, { method, headers, body, signal }).then(async (response) => {
      sees(method, url);
      const text = await response.text();
      if (!response.ok) throw fail(response.status, text);
      return text;
    }, async (cause) => {
      signal?.throwIfAborted();
      throw await unreached(method, url, signal, cause);
    });
  }
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const xhr = new XMLHttpRequest();
    let stalled;
    let sent = 0;
    const moves = () => {
      clearTimeout(stalled);
      stalled = setTimeout(() => {
        reject(lost());
        xhr.abort();
      }, timeout);
    };
    const stop = () => {
      reject(signal.reason);
      xhr.abort();
    };
    xhr.open(method, url);
    for (const [name, value] of Object.entries(headers ?? {})) xhr.setRequestHeader(name, value);
    xhr.upload.addEventListener('progress', (event) => {
      moves();
      sent = event.loaded;
      progress?.(sent);
    });
    xhr.addEventListener('load', () => {
      sees(method, url);
      if (xhr.status >= 200 && xhr.status < 300) resolve(xhr.responseText);
      else reject(fail(xhr.status, xhr.responseText));
    });
    // After a byte was sent, the store has allowed the request: browsers ask it before.
    xhr.addEventListener('error', () => (sent > 0 ? reject(lost()) : unreached(method, url, signal).then(reject, reject)));
    xhr.addEventListener('loadend', () => {
      clearTimeout(stalled);
      signal?.removeEventListener('abort', stop);
    });
    signal?.addEventListener('abort', stop);
    moves();
    xhr.send(body);
  });
}

const lost = () => new UploadError('The connection was lost.', { temporary: true });

const originOf = (url) => new URL(url, globalThis.document?.baseURI).origin;

function sees(method, url) {
  answered.add(`${method} ${originOf(url)}`);
}

// unreached makes the error of a request without a response. Browsers do not tell pages why. If the host
// answers a request whose response no page sees, it is its CORS rules: unseen, unless a rule allowed such a
// request before.
async function unreached(method, url, signal, cause) {
  const { host, origin } = new URL(url, globalThis.document?.baseURI);
  const page = globalThis.location?.origin;
  let message = `${host} cannot be reached.`;
  let unseen = false;
  if (!isOnline()) message = 'The browser is offline.';
  else if (page && page !== origin) {
    const probe = { method: 'HEAD', mode: 'no-cors', credentials: 'omit', cache: 'no-store', signal: AbortSignal.timeout(5 * second) };
    const reached = await fetch(`${origin}/`, probe).then(() => true, () => false);
    signal?.throwIfAborted();
    if (reached) {
      message = `${host} can be reached, but does not allow this request of a page from ${page}: check the CORS rules of ${host}.`;
      unseen = !answered.has(`${method} ${origin}`);
    } else message += ' Either the connection was lost, or the Content-Security-Policy of the page does not name it.';
  }
  return Object.assign(new UploadError(message, { temporary: true, cause }), { unseen });
}

function unreadable(cause) {
  throw new UploadError('The file was changed or removed, or cannot be read. Choose it again.', { cause });
}

// refused makes an error of a response. The handler explains errors in JSON, stores in XML.
function refused(status, text, retryAfter) {
  let { message, code, key, location, file } = {};
  try {
    ({ message, code, key, location, file } = JSON.parse(text));
  } catch {
    message = /<Message>([^<]*)/.exec(text)?.[1];
  }
  return new UploadError(message || `The response has the status ${status}.`, {
    status,
    code,
    file,
    temporary: (status >= 500 && status !== 501) || [408, 423, 429].includes(status), // 423: another request completes the upload
    wait: Number(retryAfter) * second || 0,
    cause: text,
    result: code === 'completed' ? { key, location } : undefined,
  });
}

// isGone says that the upload does not exist: it expired, or it is another user's.
const isGone = (error) => [403, 404, 410].includes(error.status);

const aborted = () => new DOMException('The upload was aborted.', 'AbortError');

const isOnline = () => globalThis.navigator?.onLine !== false;

// sleep waits until the time is over or the browser is online again, or rejects with the
// reason of signal.
function sleep(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const listening = new AbortController();
    const timer = Number.isFinite(milliseconds) ? setTimeout(() => end(resolve), milliseconds) : undefined;
    const end = (settle, value) => {
      clearTimeout(timer);
      listening.abort();
      settle(value);
    };
    globalThis.addEventListener?.('online', () => end(resolve), { signal: listening.signal });
    signal?.addEventListener('abort', () => end(reject, signal.reason), { signal: listening.signal });
    if (signal?.aborted) end(reject, signal.reason);
  });
}

const crcTable = Int32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ 0x82f63b78 : rest >>> 1;
  return rest;
});

function updateCRC(crc, bytes) {
  for (let i = 0; i < bytes.length; i++) crc = crcTable[(crc ^ bytes[i]) & 0xff] ^ (crc >>> 8);
  return crc;
}

/**
 * Returns the CRC32C (Castagnoli) of the content. Web Crypto has none.
 *
 * @param {Blob} blob
 * @param {AbortSignal} [signal]
 */
export async function crc32c(blob, signal) {
  let crc = ~0;
  const reader = blob.stream().getReader();
  for (let chunk; !(chunk = await reader.read().catch(unreadable)).done;) {
    signal?.throwIfAborted();
    crc = updateCRC(crc, chunk.value);
  }
  return ~crc >>> 0;
}

// sumOf returns the checksum of a part that the store has. Not all stores list it, so a record has the checksums of the
// parts that were sent.
const sumOf = (record, { PartNumber, ChecksumCRC32C }) => ChecksumCRC32C || record.sums?.[PartNumber];

// encodeChecksum returns the four bytes in base64.
const encodeChecksum = (sum) => btoa(String.fromCharCode(sum >>> 24, (sum >>> 16) & 0xff, (sum >>> 8) & 0xff, sum & 0xff));

// removeOld removes records that no server knows any more.
async function removeOld(journal) {
  for (const record of await journal.all()) {
    if ((record.ended ?? record.began) < Date.now() - (record.ended ? day : 30 * day)) await journal.delete(record.id);
  }
}

// browserJournal keeps records in the browser's IndexedDB: unlike localStorage, it can store
// handles of files, and all tabs see a change at once. Without one, it keeps them in memory.
const memory = new Map();
/** @type {Journal} */
export const browserJournal = {
  get: (id) => (globalThis.indexedDB ? inDatabase('readonly', (records) => records.get(id)) : memory.get(id)),
  all: () => (globalThis.indexedDB ? inDatabase('readonly', (records) => records.getAll()) : [...memory.values()]),
  set: (id, record) => (globalThis.indexedDB ? inDatabase('readwrite', (records) => records.put(record, id)) : memory.set(id, record)),
  delete: (id) => (globalThis.indexedDB ? inDatabase('readwrite', (records) => records.delete(id)) : memory.delete(id)),
};

async function inDatabase(mode, f) {
  const opening = indexedDB.open('omnibucket-uploads', 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore('records');
  const database = await answer(opening);
  try {
    return await answer(f(database.transaction('records', mode).objectStore('records')));
  } finally {
    database.close();
  }
}

function answer(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
