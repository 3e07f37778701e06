// How files are sent to package uploads.
import { shown } from './shared/format.js';
import { Failure } from './shared/transfer.js';
import { Upload, UploadError, send } from './upload.js';

// ask sends a request to this server, whose errors are problem details.
export async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(`uploads/${path}`, options);
  } catch {
    throw new Failure('The connection to the server was lost. Try again when the network is back.', true);
  }
  if (answer.status === 204) return null;
  const json = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Failure(json.detail ?? `The server answered ${answer.status}.`, answer.status >= 500);
  return json;
}

// toServer sends all files in one form, which stores all or none.
export async function toServer(files, signal, progress) {
  const form = new FormData();
  for (const file of files) form.append('photo', file);
  try {
    return JSON.parse(await send({ method: 'POST', url: 'uploads/' }, form, { signal, progress })).files;
  } catch (error) {
    const which = files.length > 1 && error.file ? `${shown(error.file)}: ` : '';
    throw failure(error, which);
  }
}

// toStore sends a file straight to the store, in parts that continue after a lost connection.
export async function toStore(file, signal, row) {
  if (file.size === 0) throw new Failure('The file is empty.');
  const upload = new Upload(file, { endpoint: 'uploads' });
  signal.addEventListener('abort', () => upload.abort());
  upload.addEventListener('progress', () => row.progress(upload.sent));
  upload.addEventListener('state', () => {
    if (upload.state === 'retrying') row.tell('Waiting for the network…');
  });
  try {
    const { key, location, size, type } = await upload.start();
    return { name: file.name, key, location, size, type };
  } catch (error) {
    throw failure(error, '');
  }
}

const failure = (error, which) => (error instanceof UploadError ? new Failure(which + error.message, error.temporary) : error);
