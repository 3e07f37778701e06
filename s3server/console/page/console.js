// The console. Whatever a client has named is text here: nothing is ever HTML.

const main = document.getElementById('main');
const problem = document.getElementById('problem');
const live = document.getElementById('live');

// element makes an element with properties and children, which are elements or texts.
function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children.filter((child) => child !== null));
  return made;
}

function button(text, press, properties = {}) {
  const made = element('button', { type: 'button', ...properties }, text);
  made.addEventListener('click', () => reporting(press));
  return made;
}

// shown replaces characters that change the order or place of others.
const shown = (name) => name.replace(/[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu, '\ufffd');

const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];

function size(bytes) {
  let unit = 0;
  for (; bytes >= 1023.95 && unit < units.length - 1; unit++) bytes /= 1024;
  if (bytes === 1 && unit === 0) return '1\u00a0byte';
  return `${bytes.toLocaleString(undefined, { maximumFractionDigits: 1 })}\u00a0${units[unit]}`;
}

function time(text, style) {
  const date = new Date(text);
  return element('time', { dateTime: text, title: date.toISOString() }, date.toLocaleString(undefined, style));
}

const moment = (text) => time(text, { dateStyle: 'medium', timeStyle: 'medium' });
const clock = (text) => time(text, { timeStyle: 'medium' });

// call asks the server. Other sites cannot send the header.
async function call(method, path, parameters = {}, body = undefined) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value));
  const response = await fetch(`api/${path}?${query}`, { method, headers: { 'X-Console': '1' }, body });
  const text = await response.text();
  if (!response.ok) {
    let message = text.trim();
    try { message = JSON.parse(text).error; } catch { /* it is plain text */ }
    throw new Error(message);
  }
  return text ? JSON.parse(text) : null;
}

// reporting shows what f throws.
async function reporting(f) {
  try {
    await f();
    problem.hidden = true;
  } catch (error) {
    problem.textContent = error instanceof TypeError ? 'The server does not respond.' : `The server says: ${shown(error.message)}`;
    problem.hidden = false;
  }
}

// address returns the address of a page of the console, and page what is in one.
const address = (page, parameters = {}) => `#/${page}?${new URLSearchParams(parameters)}`;

function page() {
  const [, name, query] = location.hash.match(/^#\/(\w+)\??(.*)$/) ?? [null, 'buckets', ''];
  return { name, parameters: new URLSearchParams(query) };
}

const heading = (text, ...beside) => element('div', { className: 'heading' }, element('h2', { tabIndex: -1 }, text), element('div', { className: 'actions' }, ...beside));

function table(columns, name) {
  const body = element('tbody');
  const head = columns.map(({ title, className = '' }) => element('th', { scope: 'col', className }, title));
  return { whole: element('table', { ariaLabel: name }, element('thead', {}, element('tr', {}, ...head)), body), body };
}

// row makes a row whose first cell names it.
function row(columns, name, ...cells) {
  return element('tr', {}, element('th', { scope: 'row' }, name),
    ...cells.map((cell, i) => element('td', { className: columns[i + 1].className ?? '' }, cell)));
}

// paged shows rows of pages, with a button for the next one.
function paged(columns, name, nothing, fetchPage, rowOf) {
  const { whole, body } = table(columns, name);
  const place = element('div', {}, whole);
  const more = button('Show more', () => next(), { className: 'more', hidden: true });
  let after = '';
  async function next() {
    const { entries, next } = await fetchPage(after);
    const rows = entries.map(rowOf);
    const first = body.rows.length;
    body.append(...rows);
    after = next;
    more.hidden = !next;
    if (!body.rows.length) place.replaceChildren(element('p', { className: 'empty' }, nothing));
    if (first) {
      live.textContent = `${rows.length} more`;
      body.rows[first]?.querySelector('a')?.focus();
    }
  }
  return { parts: [place, more], next };
}

async function showBuckets() {
  const columns = [{ title: 'Bucket' }, { title: 'Created' }, { title: 'Settings' }];
  const list = paged(columns, 'Buckets', 'There is no bucket yet. Clients create buckets, and so do --create and --manifest.',
    async (after) => {
      const { buckets, next } = await call('GET', 'buckets', { after });
      return { entries: buckets, next };
    },
    ({ name, created, versioning, policy }) => row(columns, element('a', { href: address('bucket', { name }) }, name), moment(created),
      element('span', { className: 'actions' },
        versioning ? element('span', { className: 'badge' }, versioning === 'Enabled' ? 'versions' : 'versions suspended') : null,
        policy ? element('span', { className: 'badge' }, 'policy') : null)));
  main.replaceChildren(heading('Buckets'), ...list.parts);
  await list.next();
}

// crumbs links to the bucket and the folders of a prefix.
function crumbs(name, show, prefix) {
  const trail = element('p', { className: 'mono' }, element('a', { href: address('bucket', { name, show }) }, name), ' / ');
  let path = '';
  for (const part of prefix.split('/').slice(0, -1)) {
    path += `${part}/`;
    trail.append(element('a', { href: address('bucket', { name, show, prefix: path }) }, shown(part) || '(empty)'), ' / ');
  }
  return trail;
}

async function showBucket(parameters) {
  const name = parameters.get('name') ?? '';
  const show = parameters.get('show') ?? 'objects';
  const prefix = parameters.get('prefix') ?? '';
  const kinds = element('nav', { ariaLabel: 'What to show' }, ...['objects', 'versions', 'uploads'].map((kind) => {
    const link = element('a', { href: address('bucket', { name, show: kind, ...(kind === 'uploads' ? {} : { prefix }) }) }, kind[0].toUpperCase() + kind.slice(1));
    if (kind === show) link.ariaCurrent = 'page';
    return link;
  }));
  const list = show === 'uploads' ? uploadsOf(name) : entriesOf(name, show, prefix);
  main.replaceChildren(heading(name, kinds), crumbs(name, show, show === 'uploads' ? '' : prefix), ...list.parts);
  await list.next();
}

function entriesOf(bucket, show, prefix) {
  const versions = show === 'versions';
  const columns = [{ title: 'Key' }, { title: 'Size', className: 'number' }, { title: 'Changed' }, { title: versions ? 'Version' : 'ETag', className: 'wide mono' }];
  return paged(columns, `${versions ? 'Versions' : 'Objects'} of ${bucket}`, 'There is nothing here.',
    (after) => call('GET', show, { bucket, prefix, after }),
    ({ key, folder, size: bytes, modified, etag = '', version = '', current, marker }) => {
      const text = shown(key.slice(prefix.length)) || '(the folder itself)';
      if (folder) return row(columns, element('a', { href: address('bucket', { name: bucket, show, prefix: key }) }, text), '', '', '');
      const file = `object?${new URLSearchParams({ bucket, key, ...(versions ? { version } : {}) })}`;
      const name = marker ? element('span', {}, text, ' ', element('span', { className: 'badge' }, 'delete marker')) : element('a', { href: file, download: '' }, text);
      const title = versions && current ? element('span', {}, name, ' ', element('span', { className: 'badge' }, 'current')) : name;
      return row(columns, title, marker ? '' : size(bytes), moment(modified), versions ? version : etag.replaceAll('"', ''));
    });
}

function uploadsOf(bucket) {
  const columns = [{ title: 'Key' }, { title: 'Parts', className: 'number' }, { title: 'Size', className: 'number' }, { title: 'Begun' }, { title: 'Upload', className: 'wide mono' }];
  return paged(columns, `Uploads in progress in ${bucket}`, 'No multipart upload is in progress.',
    async (after) => {
      const { uploads, next } = await call('GET', 'uploads', { bucket, after });
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

const shownLines = (text) => text.split('\n').map(shown).join('\n');

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

async function showRequests() {
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
    latest = (await call('GET', 'requests')).requests;
    update();
  };
  onlyFailures.addEventListener('change', update);
  const clear = button('Clear', async () => {
    await call('DELETE', 'requests');
    await look();
    live.textContent = 'The requests are cleared.';
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

async function showFaults() {
  const field = (name, properties) => {
    const input = element('input', { autocomplete: 'off', spellcheck: false, ...properties });
    return { input, label: element('label', { className: 'field' }, element('span', {}, name), input) };
  };
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
    const { faults } = await call('GET', 'faults');
    const { whole, body } = table(columns, 'Faults');
    for (const { id, applied, fault } of faults) {
      const [whom, what] = inWords(fault);
      const remove = button('Remove', async () => {
        await call('DELETE', `faults/${id}`);
        await list();
        live.textContent = 'The fault is removed.';
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
      await call('POST', 'faults', {}, JSON.stringify(fault));
      await list();
      live.textContent = 'The fault is added.';
    });
  });
  main.replaceChildren(heading('Faults'), element('p', { className: 'note' }, 'A fault makes the server misbehave, so that you see whether a client retries. The first one that selects a request applies; * stands for anything.'), form, place);
  await list();
}

const pages = { buckets: showBuckets, bucket: showBucket, requests: showRequests, faults: showFaults };

async function show() {
  const { name, parameters } = page();
  for (const link of document.querySelectorAll('header nav a')) {
    const current = link.hash === `#/${name}` || (name === 'bucket' && link.hash === '#/buckets');
    link.ariaCurrent = current ? 'page' : null;
  }
  await reporting(() => (pages[name] ?? showBuckets)(parameters));
  document.title = `${main.querySelector('h2')?.textContent ?? 'Console'} – S3 server`;
}

addEventListener('hashchange', async () => {
  await show();
  main.querySelector('h2')?.focus();
});
show();
