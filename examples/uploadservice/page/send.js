// How files are sent to package uploads.
import { shown } from './shared/format.js';
import { Failure } from './shared/transfer.js';

// ask sends a request to this server, whose errors are problem details.
export async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(`uploads/${path}`, options);
  } catch {
    throw unreachable('server');
  }
  if (answer.status === 204) return null;
  const json = await answer.json().catch(() => ({}));
  if (!answer.ok) throw refused(answer.status, json);
  return json;
}

const unreachable = (what) => new Failure(`The connection to the ${what} was lost. Try again when the network is back.`, true);
const refused = (status, { detail }) => new Failure(detail ?? `The server answered ${status}.`, status >= 500);
const asJSON = (value) => ({ method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(value) });

// toServer sends all files in one form, which stores all or none.
export async function toServer(files, signal, progress) {
  const form = new FormData();
  for (const file of files) form.append('photo', file);
  const { status, text } = await send('POST', 'uploads/', {}, form, signal, progress);
  const answer = JSON.parse(text || '{}');
  if (status === 201) return answer.files;
  const which = files.length > 1 && answer.file ? `${shown(answer.file)}: ` : '';
  throw refused(status, { detail: answer.detail && which + answer.detail });
}

// toStore requests a ticket, sends the file with it, and finishes the upload. If the size is
// known and not 0, the ticket is a PUT, or in parts if the file is large.
export async function toStore(file, signal, progress) {
  if (file.size === 0) throw new Failure('The file is empty.');
  const ticket = await ask('tickets', asJSON({ name: file.name, type: file.type, size: file.size }));
  if (ticket.parts) await sendParts(file, ticket, signal, progress);
  else await put(ticket.put, file, signal, progress);
  return ask('tickets/finish', asJSON({ token: ticket.token }));
}

// sendParts sends one part after the other.
async function sendParts(file, ticket, signal, progress) {
  const size = ticket.parts.size;
  for (let number = 1; number <= ticket.parts.count; number++) {
    const start = (number - 1) * size;
    const answer = await ask('tickets/parts', asJSON({ token: ticket.token, numbers: [number] }));
    await put(answer.parts[0].put, file.slice(start, start + size), signal, (sent) => progress(start + sent));
  }
}

// put makes a signed request.
async function put(signed, body, signal, progress) {
  const { status } = await send(signed.method, signed.url, signed.headers ?? {}, body, signal, progress);
  // 412: the file is there already, from a request whose response was lost.
  if (status >= 300 && status !== 412) throw new Failure(`The store refused the file (${status}).`, true);
}

// send uses XMLHttpRequest, because fetch does not report progress.
function send(method, url, headers, body, signal, progress) {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const request = new XMLHttpRequest();
    request.open(method, url);
    for (const [name, values] of Object.entries(headers)) {
      for (const value of values) request.setRequestHeader(name, value);
    }
    request.upload.onprogress = (event) => progress(event.loaded);
    request.onload = () => resolve({ status: request.status, text: request.responseText });
    request.onerror = () => reject(unreachable(url === 'uploads/' ? 'server' : 'store'));
    request.onabort = () => reject(signal.reason);
    signal.addEventListener('abort', () => request.abort());
    request.send(body);
  });
}
