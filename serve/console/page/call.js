// Requests to the server, and whether it can be reached.

// A Failure tells why a request failed, in the words of the server.
export class Failure extends Error {
  constructor(message, { status = 0, code = '' } = {}) {
    super(message);
    this.status = status; // 0: there was no response
    this.code = code; // such as objectnotfound
  }
}

// connection emits "lost" and "back", and "over" when the server no longer knows this page.
export const connection = new EventTarget();
const tell = (what) => connection.dispatchEvent(new Event(what));
const period = 2000; // between two looks for a lost server, in milliseconds
let isLost = false;
let isOver = false;

export function lose() {
  if (isLost || isOver) return;
  isLost = true;
  tell('lost');
  setTimeout(look, period);
}

// look asks for the server until it answers. A request of a browser that is offline would only fail.
async function look() {
  if (!isLost || isOver) return;
  if (navigator.onLine) await call('GET', 'info').catch(() => {});
  if (isLost) setTimeout(look, period);
}

function find() {
  if (!isLost) return;
  isLost = false;
  tell('back');
}

addEventListener('offline', lose);
addEventListener('online', look);

// failure reads why a request failed. The server explains itself by JSON; something else that has taken
// its place, or a server that was started again, does not.
export function failure(status, text) {
  try {
    const { error, code = '' } = JSON.parse(text);
    return new Failure(error, { status, code: code.replace(/[^A-Za-z]/g, '').toLowerCase() });
  } catch {
    if (status === 401 || status === 404) {
      isOver = true;
      tell('over');
    }
    return new Failure(text.trim().slice(0, 500) || `status ${status}`, { status });
  }
}

export const headers = { 'X-Console': '1' }; // other sites cannot send it

// call asks the server. Empty parameters are left out.
export async function call(method, path, parameters = {}, body = undefined, signal = undefined) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value));
  let response, text;
  try {
    response = await fetch(`api/${path}?${query}`, { method, headers, signal, body: body && JSON.stringify(body) });
    text = await response.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    lose();
    throw new Failure(navigator.onLine ? 'The server does not answer.' : 'This device is offline.');
  }
  find();
  if (!response.ok) throw failure(response.status, text);
  return text ? JSON.parse(text) : null;
}
