// The API of files.Handler, described by api/openapi.yaml.

import { send } from './upload.js';

// A Problem is an error response.
export class Problem extends Error {
  constructor(status, { field, message } = {}) {
    super([field, message].filter(Boolean).join(': ') || `The server answered ${status}.`);
    this.status = status;
    this.field = field;
  }
}

async function ask(path, init) {
  const response = await fetch(`api/${path}`, init);
  const text = await response.text();
  const document = text && (response.headers.get('Content-Type') ?? '').startsWith('application/json') ? JSON.parse(text) : undefined;
  if (!response.ok) throw new Problem(response.status, document);
  return document;
}

const json = (method, value) => ({ method, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(value) });

export const list = (query) => ask(`files?${new URLSearchParams(query)}`);
export const remove = (id) => ask(`files/${id}`, { method: 'DELETE' });
export const removeMany = (ids) => ask('files/delete', json('POST', { Items: ids }));
export const setPurpose = (id, purpose) => ask(`files/${id}/purpose`, json('PUT', { Purpose: purpose }));
export const contentOf = (record, temp) => `api/${temp ? 'temp-files' : 'files'}/${record.ID}/content`;

// upload sends a file in one request, or in parts if partSize is not 0.
export async function upload(file, { purpose, temp, partSize, signal, onProgress }) {
  const path = temp ? 'temp-files' : 'files';
  const fields = purpose && !temp ? { Purpose: purpose } : {};
  if (!partSize || file.size <= partSize) return post(path, fields, file, file.name, signal, onProgress);
  return uploadParts(`${path}/parts`, fields, file, partSize, signal, onProgress);
}

const partsAtOnce = 3;
const attempts = 3;

async function uploadParts(path, fields, file, partSize, signal, onProgress) {
  const count = Math.ceil(file.size / partSize);
  const token = crypto.randomUUID();
  const sent = new Array(count).fill(0);
  let next = 0;
  let record;
  async function work() {
    while (next < count) {
      const index = next++;
      const bytes = file.slice(index * partSize, (index + 1) * partSize);
      const answer = await again(signal, () => post(path, { ...fields, originalFileName: file.name, token, count, part: index + 1 }, bytes, file.name, signal, (part) => {
        sent[index] = part * bytes.size;
        onProgress(sent.reduce((a, b) => a + b) / file.size);
      }));
      if (answer.ID) record = answer;
    }
  }
  await Promise.all(Array.from({ length: partsAtOnce }, work));
  if (!record) throw new Error('The server has all parts, and made no file of them.');
  return record;
}

// again repeats a part if the server or the connection failed.
async function again(signal, f) {
  for (let attempt = 1; ; attempt++) {
    try {
      signal.throwIfAborted();
      return await f();
    } catch (error) {
      if (signal.aborted || attempt === attempts || error instanceof Problem && error.status < 500 && error.status !== 429) throw error;
    }
    await new Promise((done) => setTimeout(done, 300 * 2 ** attempt));
  }
}

// post sends a form. The file is its last field. If the response to a part was lost and all parts
// have arrived, sending it again fails, and the error has the record.
async function post(path, fields, bytes, name, signal, onProgress) {
  const form = new FormData();
  for (const [field, value] of Object.entries(fields)) form.append(field, value);
  form.append('file', bytes, name);
  const progress = (sent) => onProgress(Math.min(1, sent / Math.max(1, bytes.size)));
  try {
    return JSON.parse(await send({ method: 'POST', url: `api/${path}` }, form, { signal, progress }));
  } catch (error) {
    if (signal.aborted) throw error;
    if (!error.status) throw new Error('The server does not answer.');
    const answer = documentIn(error.cause);
    if (answer.code !== 'completed' || !answer.record) throw new Problem(error.status, answer);
    return answer.record;
  }
}

function documentIn(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
