// What only the page of the S3 server has: requests, faults, and multipart uploads in progress.
import { call } from './call.js';
import { field } from './dialogs.js';
import { announce, button, clock, element, heading, moment, paged, reporting, row, shown, shownLines, size, table } from './elements.js';

function uploadsOf(bucket) {
  const columns = [{ title: 'Key' }, { title: 'Parts', className: 'number' }, { title: 'Size', className: 'number' }, { title: 'Begun' }, { title: 'Upload', className: 'wide mono' }];
  return paged(columns, `Uploads in progress in ${bucket}`, 'No multipart upload is in progress.',
    async (after) => {
      const { uploads, next } = await call('GET', 'x/uploads', { bucket, after });
      return { entries: uploads, next };
    },
    ({ key, id, begun, parts, size: bytes }) => row(columns, shown(key), `${parts} ${parts === 1 ? 'part' : 'parts'}`, size(bytes), moment(begun), id));
}

// advice says what usually causes an error.
const advice = {
  AccessDenied: 'The request has no signature, or neither the key nor a policy of the bucket permits it.',
  AuthorizationHeaderMalformed: 'Set the region of the client to that of the server.',
  BucketAlreadyOwnedByYou: 'The bucket exists. Amazon answers so everywhere but in us-east-1.',
  InvalidAccessKeyId: 'The client signs with a key that this server does not have: compare it with MINIO_ROOT_USER or AWS_ACCESS_KEY_ID of the server.',
  NoSuchBucket: 'Create the bucket by --create, --manifest or MINIO_DEFAULT_BUCKETS. If the first part of the path is missing here, the client puts the bucket into the host name: set its option for paths (forcePathStyle), or --domain.',
  NotImplemented: 'This server does not have the operation, header or parameter.',
  RequestTimeTooSkewed: 'The clocks of client and server differ by more than 15 minutes.',
  SignatureDoesNotMatch: 'The client has another secret, or something between it and the server changes the request: a proxy that rewrites Host or the path. Compare the canonical request with the one that the client logs.',
};

const statusText = (status) => (status === 0 ? 'cut' : String(status));

function factsOf(r) {
  const facts = element('dl', { className: 'facts' });
  const add = (name, value, properties = {}) => value && facts.append(element('dt', {}, name), element('dd', properties, value));
  add('Operation', r.operation);
  add('Request', element('span', { className: 'mono' }, `${r.method} ${shown(r.path)}${r.query ? `?${shown(r.query)}` : ''}`));
  add('Response', r.status === 0 ? 'The connection was closed without one.' : `${r.status}${r.error ? ` ${r.error}` : ''}`);
  add('Why', shown(r.message));
  add('Usually', advice[r.error], { className: 'hint' });
  add('Canonical request', r.canonical && element('pre', {}, shownLines(r.canonical)));
  add('Access key', shown(r.accessKey) || 'none with a valid signature');
  add('Bytes', `${size(r.received)} received, ${size(r.sent)} sent`);
  add('Client', `${r.client}, ${shown(r.agent) || 'no User-Agent'}`);
  add('Request ID', r.requestId);
  return facts;
}

function requestRow(r) {
  const facts = factsOf(r);
  facts.hidden = true;
  const kind = r.status === 0 || r.status >= 500 ? 'failed' : r.status >= 400 ? 'refused' : 'ok';
  const head = element('button', { type: 'button', ariaExpanded: 'false' },
    clock(r.time), element('span', { className: 'status' }, statusText(r.status)), element('span', {}, shown(r.method)),
    element('span', { className: 'path' }, shown(r.path)), element('span', { className: 'what' }, r.error || r.operation),
    element('span', { className: 'duration' }, `${(r.seconds * 1000).toLocaleString(undefined, { maximumFractionDigits: 1 })}\u00a0ms`));
  head.addEventListener('click', () => {
    facts.hidden = !facts.hidden;
    head.ariaExpanded = String(!facts.hidden);
  });
  return element('li', { className: kind }, head, facts);
}

const period = 1500; // between two looks at the requests, in milliseconds

async function showRequests(_, main) {
  const rows = new Map(); // by id: an open one stays open
  const list = element('ul', { className: 'requests', ariaLabel: 'Requests, the latest first' });
  const nothing = element('p', { className: 'empty' }, 'No request yet. Those of clients appear here by themselves.');
  const onlyFailures = element('input', { type: 'checkbox', id: 'failures' });
  const check = element('label', { className: 'check' }, onlyFailures, 'Only failures');
  let latest = [];
  const update = () => {
    const wanted = latest.filter((r) => !onlyFailures.checked || r.status === 0 || r.status >= 400);
    for (const r of wanted) if (!rows.has(r.id)) rows.set(r.id, requestRow(r));
    for (const id of rows.keys()) if (!wanted.some((r) => r.id === id)) { rows.get(id).remove(); rows.delete(id); }
    let before = null; // rows stay where they are, so that none loses the focus
    for (const r of wanted.toReversed()) {
      const one = rows.get(r.id);
      if (one.nextSibling !== before || one.parentNode !== list) list.insertBefore(one, before);
      before = one;
    }
    list.hidden = !wanted.length;
    nothing.hidden = wanted.length > 0;
  };
  const look = async () => {
    latest = (await call('GET', 'x/requests')).requests;
    update();
  };
  onlyFailures.addEventListener('change', update);
  const clear = button('Clear', async () => {
    await call('DELETE', 'x/requests');
    await look();
    announce('The requests are cleared.');
  });
  main.replaceChildren(heading('Requests', check, clear), element('p', { className: 'note' }, 'The latest hundred. Signatures, tokens and keys are not kept.'), list, nothing);
  await look();
  const timer = setInterval(() => {
    if (!list.isConnected) clearInterval(timer);
    else if (!document.hidden) reporting(look);
  }, period);
}

const count = (value) => {
  if (!/^\d+$/.test(value)) throw new Error(`"${value}" must be a whole number`);
  return Number(value);
};

// effects are what a fault can do: the fields of the value.
const effects = [
  { name: 'Fail with a code', hint: 'SlowDown', fields: (value) => ({ error: value }) },
  { name: 'Wait', hint: '500ms', fields: (value) => ({ latency: value }) },
  { name: 'Close the connection, without an effect', fields: () => ({ dropConnection: true }) },
  { name: 'Take effect, then close the connection', fields: () => ({ dropResponse: true }) },
  { name: 'Cut the body after bytes', hint: '1000', fields: (value) => ({ cutAfter: count(value) }) },
  { name: 'Stall the body after bytes', hint: '1000', fields: (value) => ({ stallAfter: count(value) }) },
  { name: 'Change the byte at an offset', hint: '0', fields: (value) => ({ flipAt: count(value) }) },
  { name: 'Limit bytes a second', hint: '100000', fields: (value) => ({ bandwidth: count(value) }) },
  { name: 'SlowDown above requests a second', hint: '10', fields: (value) => ({ error: 'SlowDown', rate: count(value) }) },
  { name: 'Move the clock', hint: '20m', fields: (value) => ({ clockSkew: value }) },
];

const selectors = ['operation', 'bucket', 'key', 'skip', 'times', 'rate'];

// inWords describes a fault: whom it meets, and what it does.
function inWords(fault) {
  const pairs = (names) => names.filter((name) => fault[name] !== undefined).map((name) => `${name}: ${fault[name]}`).join(', ');
  return [pairs(selectors) || 'all requests', pairs(Object.keys(fault).filter((name) => !selectors.includes(name)))].map(shown);
}

async function showFaults(_, main) {
  const operation = field('Operation', { placeholder: 'any, or List*' });
  const bucket = field('Bucket', { placeholder: 'any' });
  const key = field('Key', { placeholder: 'any, or tmp/*' });
  const times = field('Times', { placeholder: 'until removed', inputMode: 'numeric' });
  const effect = element('select', {}, ...effects.map(({ name }, i) => element('option', { value: String(i) }, name)));
  const value = field('Value', {});
  const chosen = () => effects[Number(effect.value)];
  const choose = () => {
    value.label.hidden = !chosen().hint;
    value.input.value = '';
    value.input.placeholder = chosen().hint ?? '';
  };
  effect.addEventListener('change', choose);
  choose();
  const place = element('div');
  const columns = [{ title: 'Requests' }, { title: 'What happens', className: 'wide' }, { title: 'Met', className: 'number' }, { title: '', className: 'number' }];
  const list = async () => {
    const { faults } = await call('GET', 'x/faults');
    const { whole, body } = table(columns, 'Faults');
    for (const { id, applied, fault } of faults) {
      const [whom, what] = inWords(fault);
      const remove = button('Remove', async () => {
        await call('DELETE', `x/faults/${id}`);
        await list();
        announce('The fault is removed.');
        main.querySelector('h2').focus();
      }, { ariaLabel: `Remove: ${whom}` });
      body.append(row(columns, whom, what, `${applied} met`, remove));
    }
    place.replaceChildren(faults.length ? whole : element('p', { className: 'empty' }, 'No fault: the server behaves.'));
  };
  const form = element('form', { className: 'panel', ariaLabel: 'A new fault' },
    element('div', { className: 'fields' }, operation.label, bucket.label, key.label, times.label),
    element('div', { className: 'fields' }, element('label', { className: 'field' }, element('span', {}, 'What happens'), effect), value.label),
    element('div', { className: 'actions' }, element('button', { className: 'main' }, 'Add the fault')));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    reporting(async () => {
      const fault = { ...chosen().fields(value.input.value.trim() || value.input.placeholder) };
      for (const [name, { input }] of Object.entries({ operation, bucket, key })) if (input.value.trim()) fault[name] = input.value.trim();
      if (times.input.value.trim()) fault.times = count(times.input.value.trim());
      await call('POST', 'x/faults', {}, fault);
      await list();
      announce('The fault is added.');
    });
  });
  main.replaceChildren(heading('Faults'), element('p', { className: 'note' }, 'A fault makes the server misbehave, so that you see whether a client retries. The first one that selects a request applies; * stands for anything.'), form, place);
  await list();
}

// pages are tabs of the page, and views those of a bucket.
export const pages = { requests: showRequests, faults: showFaults };
export const views = { uploads: uploadsOf };
