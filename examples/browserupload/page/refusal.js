// Refusals of the store, in words for the user.
import { Failure } from './shared/transfer.js';

// refusal explains why send failed. The body of the response is for programmers, but S3, Google
// and Azure all say there if a link has expired.
export async function refusal({ status, cause: body }, { url, expiresAt }) {
  if (status === 0) return unanswered(url);
  const expired = /expired|not in the (past|specified time)|time frame/i.test(body) || Date.parse(expiresAt) <= Date.now();
  if (status === 413 || /EntityTooLarge/.test(body)) {
    return new Failure('The store refused the file: it is larger than was announced.');
  }
  if (status === 403 && expired) {
    return new Failure('The link to upload this file has expired. Try again to get a new one.', true);
  }
  if (status === 409 || status === 412) {
    return new Failure('The store has a file at this place already. Try again to get another.', true);
  }
  if (status === 429 || status >= 500) {
    return new Failure('The store is busy. Try again in a moment.', true);
  }
  return new Failure(`The store refused the file (${status}): it is not of the type or size that was announced.`, true);
}

// unanswered explains why there was no response. A browser does not even say whether
// a response exists that the page may not read for want of a CORS rule. It lets a
// request through if the page does not read the response.
async function unanswered(url) {
  if (navigator.onLine) {
    try {
      await fetch(new URL('/', url), { mode: 'no-cors', cache: 'no-store', signal: AbortSignal.timeout(5000) });
      return new Failure('The store does not let this page in: its CORS rules do not name the page’s address, or a header of the upload.', true);
    } catch {
      // The store cannot be reached.
    }
  }
  return new Failure('The connection to the store was lost. Try again when the network is back.', true);
}
