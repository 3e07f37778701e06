// Tests of upload.js with a real handler over a bucket in memory: script_test.go starts it.
// Only lost connections are faked.
import assert from 'node:assert/strict';
import { openAsBlob } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { Upload, UploadError, crc32c, fingerprint, send, unfinished } from '../js/upload.js';

const endpoint = process.env.OMNIBUCKET_ENDPOINT;
const partSize = 1 << 20; // script_test.go sets it
const network = globalThis.fetch;
let requests; // "METHOD path" of each request, in order
let disturb; // (line, init) → a response, an error, or undefined to let it pass

beforeEach(() => {
  requests = [];
  disturb = () => undefined;
  globalThis.fetch = async (url, init = {}) => {
    const line = `${init.method ?? 'GET'} ${new URL(url).pathname.replace(/multipart\/[A-Z2-7]{26}/, 'multipart/ID')}`;
    requests.push(line);
    const instead = await disturb(line, { ...init, address: url });
    if (instead instanceof Error) throw instead;
    return instead ?? network(url, init);
  };
});

afterEach(() => {
  globalThis.fetch = network;
});

function journal() {
  const records = new Map();
  return {
    records,
    get: (id) => records.get(id),
    all: () => [...records.values()],
    set: (id, record) => records.set(id, record),
    delete: (id) => records.delete(id),
  };
}

let files = 0;
const newName = () => `file ${++files} ü.bin`;
function makeFile(size, fill = 7) {
  return new File([new Uint8Array(size).fill(fill)], newName(), { lastModified: 1_700_000_000_000 });
}

async function stored(key) {
  const response = await network(new URL(`/objects/${key}`, endpoint));
  assert.equal(response.status, 200, `${key} does not exist`);
  return new Uint8Array(await response.arrayBuffer());
}

async function isStored(result, file) {
  const content = await stored(result.key);
  assert.ok(Buffer.from(await file.arrayBuffer()).equals(Buffer.from(content)), 'the object has another content than the file');
}

const isPart = (line) => line.startsWith('PUT ');
const parts = () => requests.filter(isPart).length;
// after lets n requests for parts pass, and then returns what fault does.
const after = (n, fault) => (line, init) => (isPart(line) && parts() > n ? fault(line, init) : undefined);
// until is a request that never ends by itself.
const until = (signal) => new Promise((_, reject) => {
  signal.throwIfAborted();
  signal.addEventListener('abort', () => reject(signal.reason));
});
const lost = () => new TypeError('fetch failed');
// signals returns a promise, and the function that fulfils it.
function signals() {
  let fulfil;
  return [new Promise((resolve) => { fulfil = resolve; }), () => fulfil()];
}

test('the checksum is CRC32C', async () => {
  assert.equal(await crc32c(new Blob(['123456789'])), 0xe3069283);
  assert.equal(await crc32c(new Blob([])), 0);
});

test('a fingerprint tells files apart', async () => {
  const content = new Uint8Array(1 << 20);
  const file = (bytes, name, lastModified) => fingerprint(new File([bytes], name, { lastModified }));
  const one = await file(content, 'a', 1);
  assert.equal(await file(content, 'a', 1), one);
  const middle = content.slice();
  middle[(content.length / 2) + 5] = 1;
  const last = content.slice();
  last[content.length - 1] = 1;
  for (const other of [file(content, 'b', 1), file(content, 'a', 2), file(middle, 'a', 1), file(last, 'a', 1), file(content.slice(1), 'a', 1)]) {
    assert.notEqual(await other, one);
  }
});

for (const [name, size] of [['an empty file', 0], ['one byte', 1], ['exactly two parts', 2 * partSize], ['three parts and a rest', 3 * partSize + 1]]) {
  test(`${name} is stored`, async () => {
    const file = makeFile(size);
    const upload = new Upload(file, { endpoint, journal: journal() });
    const states = [];
    let last = 0;
    upload.addEventListener('state', () => states.push(upload.state));
    upload.addEventListener('progress', () => { last = upload.sent; });
    await isStored(await upload.start(), file);
    assert.deepEqual(states, ['running', 'done']);
    assert.equal(last, size);
    assert.equal(upload.total, size);
  });
}

test('parts are sent at once, as many as the option says', async () => {
  let now = 0;
  let most = 0;
  disturb = async (line, init) => {
    if (!isPart(line)) return undefined;
    most = Math.max(most, ++now);
    try {
      await new Promise((resolve) => setTimeout(resolve, 50));
      return await network(init.address, init);
    } catch {
      return undefined;
    } finally {
      now--;
    }
  };
  const file = makeFile(5 * partSize);
  await isStored(await new Upload(file, { endpoint, journal: journal(), concurrency: 3 }).start(), file);
  assert.equal(most, 3);
});

test('a lost connection and a 5xx response are tried again, each with a new signature', async () => {
  const file = makeFile(2 * partSize);
  let faults = 0;
  disturb = (line) => {
    if (!isPart(line) || faults === 2) return undefined;
    return ++faults === 1 ? lost() : new Response('', { status: 503 });
  };
  await isStored(await new Upload(file, { endpoint, journal: journal() }).start(), file);
  assert.equal(parts(), 4);
  assert.equal(requests.filter((line) => /^GET .*\/ID\/\d$/.test(line)).length, 4);
});

test('a part whose signature has expired gets a new one', async () => {
  const file = makeFile(partSize);
  let expired = false;
  disturb = (line) => {
    if (!isPart(line) || expired) return undefined;
    expired = true;
    return new Response('<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>', { status: 403 });
  };
  await isStored(await new Upload(file, { endpoint, journal: journal() }).start(), file);
  assert.ok(expired);
});

test('another refusal of the store is not tried again', async () => {
  disturb = (line) => (isPart(line) ? new Response('<Error><Message>No, thanks</Message></Error>', { status: 403 }) : undefined);
  const upload = new Upload(makeFile(1), { endpoint, journal: journal() });
  await assert.rejects(upload.start(), (error) => error instanceof UploadError && error.status === 403 && error.message === 'No, thanks');
  assert.equal(parts(), 1);
  assert.equal(upload.state, 'failed');
});

test('an error of the server has its words and its code', async () => {
  const upload = new Upload(makeFile(1), { endpoint, journal: journal(), type: 'application/x-refused' });
  await assert.rejects(upload.start(), { status: 422, code: 'refused', message: 'This type is not wanted.' });
  assert.equal(requests.length, 1);
});

const second = 1000;

// A Browser has the window's events, and a clock for pauses. Everything else is real.
class Browser {
  #real = { setTimeout: globalThis.setTimeout, navigator: Object.getOwnPropertyDescriptor(globalThis, 'navigator') };
  #window = new EventTarget();
  pauses = []; // {milliseconds, end}

  constructor({ online = true } = {}) {
    const { setTimeout } = this.#real;
    globalThis.setTimeout = (f, milliseconds, ...rest) => {
      const isPause = milliseconds >= second / 2 && new Error().stack.split('\n')[2].includes('upload.js');
      if (!isPause) return setTimeout(f, milliseconds, ...rest);
      this.pauses.push({ milliseconds, end: f });
    };
    globalThis.addEventListener = this.#window.addEventListener.bind(this.#window);
    this.#set(online);
  }

  goOnline() {
    this.#set(true);
    this.#window.dispatchEvent(new Event('online'));
  }

  goOffline() {
    this.#set(false);
    this.#window.dispatchEvent(new Event('offline'));
  }

  close() {
    globalThis.setTimeout = this.#real.setTimeout;
    delete globalThis.addEventListener;
    if (this.#real.navigator) Object.defineProperty(globalThis, 'navigator', this.#real.navigator);
    else delete globalThis.navigator;
  }

  #set(onLine) {
    Object.defineProperty(globalThis, 'navigator', { value: { onLine }, configurable: true });
  }
}

// becomes waits until the upload has the state.
const becomes = (upload, state) => new Promise((resolve) => {
  const look = () => upload.state === state && resolve();
  upload.addEventListener('state', look);
  look();
});

test('while requests fail, the upload tells when the next attempt is', async (t) => {
  const browser = new Browser();
  t.after(() => browser.close());
  const file = makeFile(3 * partSize);
  const upload = new Upload(file, { endpoint, journal: journal(), concurrency: 2 });
  const states = [];
  upload.addEventListener('state', () => states.push(upload.state));
  const ended = upload.start();
  let broken = true;
  disturb = (line) => (isPart(line) && broken ? lost() : undefined);
  for (let round = 1; round <= 2; round++) {
    await becomes(upload, 'retrying');
    while (browser.pauses.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
    const [shortest] = browser.pauses.map(({ milliseconds }) => milliseconds).sort((a, b) => a - b);
    const left = upload.nextAttempt - Date.now();
    // A time in milliseconds is a double, whose steps are 0.0002 ms.
    assert.ok(left > shortest - 400 && left < shortest + 1, `${left} ms are left of ${shortest}`);
    assert.equal(upload.sent, 0);
    broken = round < 2;
    for (const pause of browser.pauses.splice(0)) pause.end();
  }
  await isStored(await ended, file);
  assert.deepEqual(states.filter((state, i) => state !== states[i - 1]), ['running', 'retrying', 'running', 'done']);
  assert.equal(upload.nextAttempt, null);
});

test('an upload waits for the network without attempts, and continues at once', async (t) => {
  const browser = new Browser({ online: false });
  t.after(() => browser.close());
  disturb = () => (navigator.onLine ? undefined : lost());
  const file = makeFile(partSize);
  const upload = new Upload(file, { endpoint, journal: journal(), retries: 1 });
  const ended = upload.start();
  while (requests.length < 1) await new Promise((resolve) => setTimeout(resolve, 1));
  await becomes(upload, 'retrying');
  assert.equal(upload.nextAttempt, null);
  browser.goOnline();
  await isStored(await ended, file);
  assert.deepEqual(browser.pauses, []);
});

test('a pause ends when the browser is online again', async (t) => {
  const browser = new Browser();
  t.after(() => browser.close());
  disturb = (line) => (isPart(line) && parts() === 1 ? lost() : undefined);
  const file = makeFile(partSize);
  const upload = new Upload(file, { endpoint, journal: journal() });
  const ended = upload.start();
  await becomes(upload, 'retrying');
  browser.goOffline();
  browser.goOnline();
  await isStored(await ended, file);
});

test('a request on which nothing has moved since the browser was offline is repeated', async (t) => {
  const browser = new Browser();
  t.after(() => browser.close());
  const [held, hold] = signals();
  disturb = after(0, (_, { signal }) => {
    if (parts() > 1) return undefined;
    hold();
    return until(signal);
  });
  const file = makeFile(partSize);
  const upload = new Upload(file, { endpoint, journal: journal(), retries: 1 });
  const ended = upload.start();
  await held;
  assert.equal(upload.state, 'running');
  browser.goOffline();
  assert.equal(upload.state, 'retrying');
  assert.equal(upload.nextAttempt, null);
  browser.goOnline();
  await isStored(await ended, file);
  assert.equal(parts(), 2);
});

test('pause and abort end the wait for the network', async (t) => {
  const browser = new Browser();
  t.after(() => browser.close());
  disturb = after(0, lost);
  const upload = new Upload(makeFile(partSize), { endpoint, journal: journal() });
  const ended = upload.start();
  await becomes(upload, 'retrying');
  upload.pause();
  assert.equal(upload.nextAttempt, null);
  upload.resume();
  await becomes(upload, 'retrying');
  upload.abort();
  await assert.rejects(ended, { name: 'AbortError' });
});

test('send returns what the server says, and rejects with its words', async () => {
  const form = new FormData();
  form.append('file', makeFile(10));
  disturb = (line, { body }) => (line.startsWith('PUT ') ? new Response('{"message": "Too large."}', { status: 413 }) : new Response(body.get('file').name));
  assert.equal(await send({ method: 'POST', url: `${endpoint}/x` }, form), `file ${files} ü.bin`);
  await assert.rejects(send({ url: `${endpoint}/x` }, makeFile(1)), { status: 413, message: 'Too large.' });
});

test('an upload without retries is stored', async () => {
  const file = makeFile(partSize);
  await isStored(await new Upload(file, { endpoint, journal: journal(), retries: 0 }).start(), file);
});

test('retries end', async () => {
  disturb = (line) => (isPart(line) ? lost() : undefined);
  const upload = new Upload(makeFile(1), { endpoint, journal: journal(), retries: 1 });
  await assert.rejects(upload.start(), { temporary: true, status: 0 });
  assert.equal(parts(), 2);
});

// seenFrom makes the tests a page of another origin, to which the store is reached, but its responses to parts are hidden.
function seenFrom(t, origin) {
  globalThis.location = { origin };
  t.after(() => delete globalThis.location);
  disturb = (line, { mode }) => {
    if (mode === 'no-cors') return new Response('');
    return isPart(line) ? lost() : undefined;
  };
}

// hasten ends all pauses of an upload at once.
async function hasten(browser, ended) {
  let over = false;
  ended.then(() => { over = true; }, () => { over = true; });
  let pauses = 0;
  while (!over) {
    for (const pause of browser.pauses.splice(0)) {
      pauses++;
      pause.end();
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return pauses;
}

test('a store that allows no request of the page ends the upload soon, with the reason', async (t) => {
  const fresh = await import('../js/upload.js?page-without-rule'); // which has seen no response yet
  const browser = new Browser();
  t.after(() => browser.close());
  seenFrom(t, 'https://page.example');
  const upload = new fresh.Upload(makeFile(1), { endpoint, journal: journal() });
  const ended = upload.start();
  const pauses = await hasten(browser, ended);
  await assert.rejects(ended, { message: /does not allow this request of a page from https:\/\/page.example: check the CORS rules/ });
  assert.equal(parts(), 4);
  assert.equal(pauses, 3);
});

test('a store that has answered the page is tried as often as the option says', async (t) => {
  await isStored(await new Upload(makeFile(1), { endpoint, journal: journal() }).start(), makeFile(1));
  requests = [];
  const browser = new Browser();
  t.after(() => browser.close());
  seenFrom(t, 'https://page.example');
  const upload = new Upload(makeFile(2), { endpoint, journal: journal(), retries: 6 });
  const ended = upload.start();
  await hasten(browser, ended);
  await assert.rejects(ended, { temporary: true });
  assert.equal(parts(), 7);
});

test('an upload that was stopped is continued by another with the same file', async () => {
  const file = makeFile(4 * partSize);
  const kept = journal();
  const stop = new AbortController();
  disturb = after(2, (_, { signal }) => {
    setTimeout(() => stop.abort(new Error('the page is closed')));
    return until(signal);
  });
  const first = new Upload(file, { endpoint, journal: kept, concurrency: 1, signal: stop.signal });
  await assert.rejects(first.start(), /the page is closed/);
  const [left] = await unfinished({ endpoint, journal: kept });
  assert.equal(left.name, file.name);
  assert.ok(await left.matches(file));
  assert.ok(!await left.matches(makeFile(4 * partSize)));
  assert.equal(await left.stored(), 2 * partSize);

  requests = [];
  disturb = () => undefined;
  const second = new Upload(file, { endpoint, journal: kept });
  const progress = [];
  second.addEventListener('progress', () => progress.push(second.sent));
  await isStored(await second.start(), file);
  assert.equal(parts(), 2);
  assert.equal(progress[0], 2 * partSize);
  assert.deepEqual(await unfinished({ endpoint, journal: kept }), []);
});

test('a file that has changed begins anew', async () => {
  const kept = journal();
  disturb = after(1, lost);
  const file = makeFile(2 * partSize);
  await assert.rejects(new Upload(file, { endpoint, journal: kept, concurrency: 1, retries: 0 }).start());
  disturb = () => undefined;
  const changed = new File([new Uint8Array(2 * partSize).fill(8)], file.name, { lastModified: file.lastModified });
  await isStored(await new Upload(changed, { endpoint, journal: kept }).start(), changed);
});

// twin returns a Blob with the size and the samples of another, and other bytes in its first part.
async function twin(blob) {
  const content = new Uint8Array(await blob.arrayBuffer());
  content.fill(9, partSize / 4, partSize / 2);
  const other = new Blob([content]);
  assert.equal(await fingerprint(other), await fingerprint(blob));
  return other;
}

// withoutSums lets the server list parts as a store does that has no checksums of parts.
async function withoutSums(line, init) {
  if (!/^GET .*\/ID$/.test(line)) return undefined;
  const response = await network(init.address, init);
  if (!response.ok) return response;
  const listed = await response.json();
  return new Response(JSON.stringify(listed.map(({ ChecksumCRC32C, ...part }) => part)));
}

for (const [name, list, checksum] of [['lists', () => undefined, true], ['does not list', withoutSums, true], ['does not verify', withoutSums, false]]) {
  test(`a Blob does not continue the upload of another if the store ${name} checksums`, async () => {
    const kept = journal();
    const one = new Blob([new Uint8Array(4 * partSize).fill(7)]);
    const other = await twin(one);
    const options = { endpoint, journal: kept, concurrency: 1, checksum };
    const first = new Upload(one, { ...options, filename: newName() });
    const paused = becomes(first, 'paused');
    disturb = (line, init) => {
      if (!isPart(line) || parts() !== 3) return list(line, init);
      first.pause();
      return until(init.signal);
    };
    const ended = first.start();
    await paused;
    disturb = list;
    await isStored(await new Upload(other, { ...options, filename: newName() }).start(), other);
    first.resume();
    await isStored(await ended, one);
  });

  test(`a file that changes during a pause is sent again if the store ${name} checksums`, async () => {
    let content = new Blob([new Uint8Array(4 * partSize).fill(7)]);
    const file = { name: newName(), lastModified: 1, type: '', size: content.size, slice: (from, to) => content.slice(from, to) };
    const upload = new Upload(file, { endpoint, journal: journal(), concurrency: 1, checksum });
    const paused = becomes(upload, 'paused');
    disturb = (line, init) => {
      if (!isPart(line) || parts() !== 3) return list(line, init);
      upload.pause();
      return until(init.signal);
    };
    const ended = upload.start();
    await paused;
    content = await twin(content);
    upload.resume();
    await isStored(await ended, content);
  });

  test(`a part that was sent is not sent again if the store ${name} checksums`, async () => {
    const kept = journal();
    const file = makeFile(4 * partSize);
    const options = { endpoint, journal: kept, concurrency: 1, checksum };
    disturb = (line, init) => (isPart(line) && parts() > 2 ? lost() : list(line, init));
    await assert.rejects(new Upload(file, { ...options, retries: 0 }).start());
    requests = [];
    disturb = list;
    await isStored(await new Upload(file, options).start(), file);
    assert.equal(parts(), 2);
  });
}

test('parts whose checksum nobody knows are sent again', async () => {
  const kept = journal();
  const file = makeFile(2 * partSize);
  disturb = after(1, lost);
  await assert.rejects(new Upload(file, { endpoint, journal: kept, concurrency: 1, retries: 0 }).start());
  const [[id, { sums, ...record }]] = kept.records; // as an earlier upload.js wrote it
  assert.equal(Object.keys(sums).length, 1);
  kept.set(id, record);
  requests = [];
  disturb = withoutSums;
  await isStored(await new Upload(file, { endpoint, journal: kept }).start(), file);
  assert.equal(parts(), 2);
});

test('a Blob does not get the result of another', async () => {
  const kept = journal();
  const one = new Blob([new Uint8Array(2 * partSize).fill(7)]);
  const other = await twin(one);
  const waits = new Upload(other, { endpoint, journal: kept, filename: newName() }); // as in another tab, which waits for the lock
  const same = new Upload(one, { endpoint, journal: kept, filename: newName() });
  const first = await new Upload(one, { endpoint, journal: kept, filename: newName() }).start();
  assert.equal((await same.start()).key, first.key);
  await isStored(await waits.start(), other);
});

test('a Blob does not get the result of another whose response was lost', async () => {
  const kept = journal();
  const one = new Blob([new Uint8Array(2 * partSize).fill(7)]);
  const other = await twin(one);
  disturb = async (line, init) => {
    if (!line.endsWith('/complete')) return undefined;
    await network(init.address, init);
    return lost();
  };
  await assert.rejects(new Upload(one, { endpoint, journal: kept, retries: 0, filename: newName() }).start());
  disturb = () => undefined;
  await isStored(await new Upload(other, { endpoint, journal: kept, filename: newName() }).start(), other);
});

test('a file that is changed while it is sent ends the upload at once', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'upload-'));
  t.after(() => rm(directory, { recursive: true }));
  const path = join(directory, 'file');
  for (const [changed, sent] of [['while a part is sent', 2], ['before a part is read', 1]]) {
    requests = [];
    await writeFile(path, new Uint8Array(2 * partSize));
    const file = await openAsBlob(path);
    disturb = after(sent - 1, async () => {
      await writeFile(path, changed);
      return sent === 2 ? lost() : undefined;
    });
    const upload = new Upload(file, { endpoint, journal: journal(), concurrency: 1, retries: 2, filename: changed });
    await assert.rejects(upload.start(), { name: 'UploadError', message: /changed or removed/ }, changed);
    assert.equal(parts(), sent, changed);
  }
});

test('an upload that the server does not know any more begins anew', async () => {
  const kept = journal();
  const file = makeFile(2 * partSize);
  disturb = after(1, lost);
  await assert.rejects(new Upload(file, { endpoint, journal: kept, concurrency: 1, retries: 0 }).start());
  const [[id, record]] = kept.records;
  kept.set(id, { ...record, uploadId: 'A'.repeat(26) });
  const [left] = await unfinished({ endpoint, journal: kept });
  assert.equal(await left.stored(), 0);
  disturb = () => undefined;
  await isStored(await new Upload(file, { endpoint, journal: kept }).start(), file);
});

test('pause stops, and resume continues', async () => {
  const file = makeFile(4 * partSize);
  const upload = new Upload(file, { endpoint, journal: journal(), concurrency: 1 });
  disturb = after(2, (_, { signal }) => {
    disturb = () => undefined;
    setTimeout(() => upload.pause());
    return until(signal);
  });
  const running = upload.start();
  await new Promise((resolve) => upload.addEventListener('state', () => upload.state === 'paused' && resolve()));
  const before = requests.length;
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(requests.length, before);
  upload.resume();
  await isStored(await running, file);
  assert.equal(parts(), 5, 'the part that pause interrupted is sent twice');
});

test('pause and resume at once change nothing', async () => {
  const file = makeFile(2 * partSize);
  const upload = new Upload(file, { endpoint, journal: journal() });
  const running = upload.start();
  upload.pause();
  upload.resume();
  await isStored(await running, file);
});

test('abort removes the upload', async () => {
  const kept = journal();
  const upload = new Upload(makeFile(2 * partSize), { endpoint, journal: kept, concurrency: 1 });
  disturb = after(1, (_, { signal }) => {
    upload.removed = upload.abort();
    return until(signal);
  });
  await assert.rejects(upload.start(), { name: 'AbortError' });
  await upload.removed;
  assert.equal(upload.state, 'aborted');
  assert.equal(kept.records.size, 0);
  assert.equal(requests.at(-1), 'DELETE /uploads/s3/multipart/ID');
  await assert.rejects(upload.start(), { name: 'AbortError' });
});

test('abort before start sends nothing', async () => {
  const upload = new Upload(makeFile(1), { endpoint, journal: journal() });
  await upload.abort();
  await assert.rejects(upload.start(), { name: 'AbortError' });
  assert.deepEqual(requests, []);
});

test('a lost response to the last request is no failure', async () => {
  const file = makeFile(1);
  let dropped = false;
  disturb = async (line, init) => {
    if (!line.endsWith('/complete') || dropped) return undefined;
    dropped = true;
    await network(init.address, init);
    return lost();
  };
  await isStored(await new Upload(file, { endpoint, journal: journal() }).start(), file);
  assert.ok(dropped);
});

// Without locks, as in pages without HTTPS, two tabs may send one upload at once.
if (globalThis.navigator?.locks) Object.defineProperty(navigator, 'locks', { value: undefined });

for (const [name, held] of [['part', isPart], ['completion', (line) => line.endsWith('/complete')], ['signature', (line) => /^GET .*\/ID\/\d$/.test(line)]]) {
  test(`a ${name} that comes after another tab has completed the upload is no failure`, async () => {
    const file = makeFile(2 * partSize);
    const kept = journal();
    const [holding, hold] = signals();
    const [released, release] = signals();
    let late = false;
    disturb = async (line) => {
      if (late || !held(line)) return;
      late = true;
      hold();
      await released;
    };
    const second = new Upload(file, { endpoint, journal: kept, concurrency: 1 }).start();
    await holding;
    const first = await new Upload(file, { endpoint, journal: kept, concurrency: 1 }).start();
    release();
    assert.equal((await second).key, first.key);
    await isStored(first, file);
  });
}

test('a part that comes while another tab completes the upload waits for it', async () => {
  const file = makeFile(1);
  const kept = journal();
  const [holding, hold] = signals();
  const [released, release] = signals();
  let late = false;
  let busy = false;
  disturb = async (line) => {
    if (isPart(line) && !late) {
      late = true;
      hold();
      await released;
    } else if (/^GET .*\/ID$/.test(line) && late && !busy) {
      busy = true;
      return new Response(JSON.stringify({ code: 'locked' }), { status: 423 });
    }
  };
  const second = new Upload(file, { endpoint, journal: kept }).start();
  await holding;
  busy = true; // not for the first tab
  const first = await new Upload(file, { endpoint, journal: kept }).start();
  busy = false;
  release();
  assert.equal((await second).key, first.key);
  assert.ok(busy);
});

test('a part of an upload that another tab has aborted is a failure', async () => {
  const file = makeFile(1);
  const kept = journal();
  let aborted = false;
  disturb = async (line) => {
    if (!isPart(line) || aborted) return;
    aborted = true;
    const [{ uploadId }] = kept.all();
    await network(`${endpoint}/s3/multipart/${uploadId}`, { method: 'DELETE' });
  };
  await assert.rejects(new Upload(file, { endpoint, journal: kept }).start(), { status: 404, code: 'not_found' });
});

test('a part that another tab sends again before the completion is no failure', async () => {
  const file = makeFile(2 * partSize);
  let part;
  let again = false;
  disturb = async (line, init) => {
    if (isPart(line)) part = init;
    if (!line.endsWith('/complete') || again) return;
    again = true;
    assert.equal((await network(part.address, part)).status, 200);
  };
  await isStored(await new Upload(file, { endpoint, journal: journal() }).start(), file);
  assert.equal(parts(), 2);
  assert.equal(requests.filter((line) => line.endsWith('/complete')).length, 2);
});

test('a part that the store does not list while another tab replaces it is no failure', async () => {
  let refusals = 0;
  disturb = (line) => {
    if (!line.endsWith('/complete') || ++refusals > 1) return undefined;
    return new Response(JSON.stringify({ code: 'not_uploaded', message: 'Part 2 has not arrived.' }), { status: 422 });
  };
  const file = makeFile(2 * partSize);
  await isStored(await new Upload(file, { endpoint, journal: journal() }).start(), file);
  assert.equal(refusals, 2);
});

test('the store refuses a part that was changed on its way', async () => {
  let changed = false;
  disturb = (line, init) => {
    if (!isPart(line) || changed) return undefined;
    changed = true;
    return network(init.address, { ...init, body: new Uint8Array(partSize) });
  };
  const upload = new Upload(makeFile(partSize), { endpoint, journal: journal() });
  await assert.rejects(upload.start(), { status: 400 });
});

test('headers go to the handler and not to the store', async () => {
  const seen = {};
  disturb = (line, init) => {
    seen[isPart(line) ? 'store' : 'handler'] = new Headers(init.headers).get('Authorization');
  };
  const file = makeFile(1);
  await isStored(await new Upload(file, { endpoint, journal: journal(), headers: async () => ({ Authorization: 'Bearer x' }) }).start(), file);
  assert.deepEqual(seen, { handler: 'Bearer x', store: null });
});
