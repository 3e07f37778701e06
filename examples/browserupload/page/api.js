// Requests to the page's own server.
import { Failure } from './words.js';

export async function call(method, path, body) {
  let response;
  try {
    response = await fetch(`api/${path}`, {
      method,
      headers: body ? { 'Content-Type': 'application/json' } : {},
      body: body ? JSON.stringify(body) : undefined,
    });
  } catch {
    throw new Failure('The connection to the server was lost. Try again when the network is back.', true);
  }
  if (response.status === 204) return null;
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) {
    throw new Failure(answer.error ?? `The server answered ${response.status}.`, response.status >= 500);
  }
  return answer;
}

const live = document.getElementById('live');
let said = [];

// say makes a screen reader read text after its current text. Texts of the same
// moment are joined, because only the last change would be read.
export function say(text) {
  said.push(text);
  if (said.length === 1) {
    setTimeout(() => {
      live.textContent = said.join(' ');
      said = [];
    }, 100);
  }
}
