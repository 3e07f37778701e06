// Requests to the page's own server.
import { Failure } from './shared/transfer.js';

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
