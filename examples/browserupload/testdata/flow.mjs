// The whole flow of the page in a real browser, driven like a user:
//
//   node flow.mjs '{"url": "http://127.0.0.1:8080/", …}'
//
// The Go test beside it documents the other fields. It exits with 0 if everything is
// right, and prints measurements. Otherwise it prints the error, and leaves a
// screenshot.
import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import * as check from '../../../internal/testing/pagetest/checks.mjs';
import { photograph, start, walk } from '../../../internal/testing/pagetest/browser.mjs';

const test = JSON.parse(process.argv[2]);
const partSize = 8 << 20; // of large files
const uploadSpeed = 2 << 20; // bytes a second: what is sent to this machine is seen to move

const session = await start(test);
const { context, page, expectComplaints, picture, hears } = session;
await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: new URL(test.url).origin });

// The dialog in which a user chooses files. The listener is set up before it opens.
page.on('filechooser', (dialog) => dialog.setFiles(file(test.keyboard[0])));

const file = (name) => path.join(test.files, name);
const choose = (...names) => page.locator('#files').setInputFiles(names.map(file));
const row = (name) => page.locator('.upload', { hasText: name });
const card = (name) => page.locator('.card').filter({ has: page.locator(`img[alt="${name}"]`) });
const focused = (f) => page.evaluate(f);
const isStore = (url) => url.origin !== new URL(test.url).origin;
const isPut = (request) => request.method() === 'PUT';

// networkGone is what a browser says of requests while the network goes and comes back. If a
// request fails while it is there, upload.js asks for the root of the store, which denies it.
const networkGone = /ERR_INTERNET_DISCONNECTED|ERR_NETWORK_CHANGED|ERR_FAILED|status of 403 \(Forbidden\) \(http:\/\/[^/]+\/\)$/;

// tells waits until a file's row has this text.
async function tells(name, pattern) {
  await row(name).locator('.state', { hasText: pattern }).waitFor();
}

// shown waits until an image is there and has been decoded.
async function shown(name) {
  const img = card(name).locator('img');
  await img.scrollIntoViewIfNeeded();
  await img.evaluate((i) => i.decode());
  assert.ok(await img.evaluate((i) => i.naturalWidth) > 0, `${name} is no picture`);
}

async function slowly(f) {
  const session = await context.newCDPSession(page);
  await session.send('Network.enable');
  const throttle = (speed) => session.send('Network.emulateNetworkConditions', { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: speed });
  await throttle(uploadSpeed);
  await f();
  await throttle(-1);
  await session.detach();
}

async function opens() {
  await page.goto(test.url);
  await page.getByText('Nothing here yet').waitFor();
  await page.getByText('up to 10 MiB each').waitFor();
  assert.equal(await page.locator('#bucket').textContent(), test.bucket);
  await picture('empty');
}

async function uploadsSeveral() {
  await page.evaluate(() => {
    window.moves = {};
    new MutationObserver((changes) => {
      for (const { target } of changes) {
        if (target.nodeName !== 'PROGRESS' || target.value === 0 || target.value === target.max) continue;
        (window.moves[target.getAttribute('aria-label')] ??= new Set()).add(target.value);
      }
    }).observe(document.getElementById('uploads'), { subtree: true, attributes: true, attributeFilter: ['value'] });
  });
  await slowly(async () => {
    await choose(...test.images);
    await page.waitForFunction(() => Object.keys(window.moves).length > 0);
    await picture('uploading');
    for (const name of test.images) await tells(name, 'Uploaded');
  });
  for (const name of test.images) await shown(name);
  // A busy machine may show an upload at one place only between nothing and all.
  return { progress: await page.evaluate(() => Object.values(window.moves).map((values) => values.size)) };
}

async function listsNewestFirst() {
  await page.reload();
  for (const name of test.images) await shown(name);
  const ids = await page.locator('.card').evaluateAll((cards) => cards.map((c) => c.dataset.id));
  assert.deepEqual(ids, ids.toSorted());
  assert.equal(await page.getByRole('button', { name: 'Show more' }).count(), 0, 'there is no second page');
  await picture('gallery', { fullPage: true });
}

async function worksByKeyboard() {
  const [name] = test.keyboard;
  for (const address of ['.', 'large.html']) {
    await page.keyboard.press('Tab');
    assert.equal(await focused(() => document.activeElement.getAttribute('href')), address);
  }
  await page.keyboard.press('Tab');
  assert.equal(await focused(() => document.activeElement.id), 'files', 'the first thing that Tab reaches after the links');
  assert.equal(await page.locator('#drop').evaluate((d) => getComputedStyle(d).outlineStyle), 'solid', 'the focus is seen');
  await picture('focus');
  await page.keyboard.press('Enter');
  await tells(name, 'Uploaded');
  await shown(name);
  await hears(`${name} is uploaded`);
  await page.keyboard.press('Tab');
  assert.equal(await focused(() => document.activeElement.getAttribute('aria-label')), `Dismiss: ${name}`);
  await page.keyboard.press('Enter');
  assert.equal(await focused(() => document.activeElement.id), 'files', 'the focus is not lost with its row');

  const first = page.locator('.card').first();
  assert.equal(await first.locator('img').getAttribute('alt'), name);
  for (let i = 0; i < 3; i++) await page.keyboard.press('Tab'); // the image, Copy link, Delete
  assert.equal(await focused(() => document.activeElement.getAttribute('aria-label')), `Delete: ${name}`);
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  assert.equal(await focused(() => document.activeElement.value), 'keep', 'the harmless answer comes first');
  await picture('delete');
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
  assert.equal(await card(name).count(), 1, 'Escape keeps it');
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Space');
  await card(name).waitFor({ state: 'detached' });
  await hears(`${name} is deleted`);
  assert.equal(await focused(() => document.activeElement.parentElement.className), 'card', 'the focus goes to the neighbour');
  await page.reload();
  await shown(test.images[0]);
  assert.equal(await card(name).count(), 0, 'it is gone from the store too');
}

async function copiesLinks() {
  const name = test.images[0];
  await card(name).getByRole('button', { name: 'Copy link' }).click();
  await hears(test.public ? /Link copied. It is public/ : /Link copied. It works until/);
  const link = await page.evaluate(() => navigator.clipboard.readText());
  assert.equal(new URL(link).search === '', test.public, 'a public link has no signature');
  const answer = await fetch(link);
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get('content-type'), /^image\//);
  assert.ok((await answer.arrayBuffer()).byteLength > 1000);
}

async function refusesInWords() {
  await choose('large.png', 'notes.txt', 'empty.png');
  await tells('large.png', /too large: 10\sMiB is the most/);
  await tells('notes.txt', /no image of a kind that can be uploaded/);
  await tells('empty.png', /is empty/);
  await check.everything(page);
  await hears(/large.png: .* notes.txt: .* empty.png: /);
  expectComplaints(/^$/); // nothing was sent
  await choose('liar.png');
  await tells('liar.png', /not the image that its name says/);
  assert.equal(await row('liar.png').getByRole('button', { name: 'Try again' }).count(), 0);
  expectComplaints(/415/);
  await picture('refused', { fullPage: true });
  await page.reload();
  await shown(test.images[0]);
  assert.equal(await page.locator('.card').count(), test.images.length, 'nothing of it is stored');
}

// aSecondTry changes every signed request before the store sees it, until the user
// has seen the error and tries again.
async function aSecondTry(change, pattern, complaint) {
  const [name] = test.keyboard;
  const offers = new URL('api/uploads', test.url).href;
  await page.route(offers, async (route) => {
    const response = await route.fetch();
    const offer = await response.json();
    change(offer.request);
    await route.fulfill({ response, json: offer });
  });
  await choose(name);
  await tells(name, pattern);
  expectComplaints(complaint);
  await page.unroute(offers);
  await row(name).getByRole('button', { name: 'Try again' }).click();
  await tells(name, 'Uploaded');
  await shown(name);
  await card(name).getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await card(name).waitFor({ state: 'detached' });
}

// A truncated signature is refused like an expired one, but only the expiry is in the
// past here. No escape is cut in two, because the address would be invalid.
const unsign = (request) => { request.url = request.url.slice(0, -6).replace(/%.?$/, ''); };

async function tellsOfTheStoresRefusal() {
  await aSecondTry((request) => { unsign(request); request.expiresAt = '2020-01-01T00:00:00Z'; }, /has expired. Try again/, /40[03]/);
  await aSecondTry(unsign, /refused the file \(40[03]\)/, /40[03]/);
}

async function tellsOfALostNetwork() {
  const [name] = test.keyboard;
  await page.route(isStore, (route) => route.abort('internetdisconnected'));
  await choose(name);
  await tells(name, /connection to the store was lost/);
  await page.unroute(isStore);
  await row(name).getByRole('button', { name: 'Try again' }).click();
  await tells(name, 'Uploaded');
  await context.setOffline(true);
  await choose('gradient.jpg');
  await tells('gradient.jpg', /connection to the server was lost/);
  await context.setOffline(false);
  expectComplaints(/ERR_INTERNET_DISCONNECTED/);
}

// The request to the store waits until Cancel was clicked. Otherwise a fast machine would have ended it before.
async function isCancelled() {
  const name = test.images[1];
  const cards = await page.locator('.card').count();
  const held = page.waitForEvent('request', isPut);
  await page.route(isStore, (route) => (isPut(route.request()) ? undefined : route.continue()));
  await choose(name);
  await held;
  const ended = page.waitForEvent('requestfailed', isPut);
  await row(name).getByRole('button', { name: 'Cancel' }).click();
  await row(name).waitFor({ state: 'detached' });
  assert.equal(await focused(() => document.activeElement.id), 'files');
  await ended;
  await page.unrouteAll({ behavior: 'ignoreErrors' });
  assert.equal(await page.locator('.card').count(), cards, 'nothing was added');
}

async function takesDrops() {
  for (const [where, name] of [['#drop', 'on-the-zone.gif'], ['header', 'beside-it.gif']]) {
    const held = await page.evaluateHandle(async ([name, bytes]) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([new Uint8Array(bytes)], name, { type: 'image/gif' }));
      return transfer;
    }, [name, [...await readFile(file('stripes.gif'))]]);
    await page.dispatchEvent(where, 'dragover', { dataTransfer: held });
    assert.equal(await page.locator('body.dragging').count(), 1, 'the page shows where to drop');
    await page.dispatchEvent(where, 'drop', { dataTransfer: held });
    await tells(name, 'Uploaded');
    await shown(name);
    assert.equal(await page.locator('body.dragging').count(), 0);
  }
}

// A page that is left open shows images whose addresses have expired.
async function asksForNewAddresses() {
  const [name] = test.keyboard;
  const refused = new Set(); // once for each image
  await page.route(isStore, (route) => {
    const { pathname } = new URL(route.request().url());
    if (refused.has(pathname)) return route.continue();
    refused.add(pathname);
    return route.fulfill({ status: 403 });
  });
  await page.reload();
  await shown(name);
  await page.unrouteAll();
  assert.ok(refused.size > 0);
  expectComplaints(/403/);
}

async function tellsOfMissingCORS() {
  await page.goto(test.url);
  await choose(test.keyboard[0]);
  await tells(test.keyboard[0], /does not let this page in: its CORS rules/);
  expectComplaints(/CORS policy|ERR_FAILED|40[03]/);
  await picture('no-cors');
}

// chooseLarge selects a file that is sent in parts.
const chooseLarge = (name) => page.locator('#large-file').setInputFiles(file(name));

async function opensLargeFiles() {
  await page.goto(test.url);
  await page.getByRole('link', { name: 'Large files' }).click();
  await page.getByText('up to 50 GiB each').waitFor();
  await page.getByText('Nothing is being sent').waitFor();
  assert.equal(await page.getByRole('navigation').locator('[aria-current=page]').textContent(), 'Large files');
  await check.everything(page);
}

async function continuesAfterAReload() {
  const [name] = test.large;
  let parts = 0;
  page.on('request', (request) => { parts += isPut(request); });
  // Two parts arrive, and the others stay on their way. Routes of Playwright would copy each part.
  await page.evaluate(() => {
    let passed = 0;
    const { send } = XMLHttpRequest.prototype;
    XMLHttpRequest.prototype.send = function (body) {
      if (++passed <= 2) send.call(this, body);
    };
  });
  const arrived = [1, 2].map(() => page.waitForResponse((response) => isPut(response.request())));
  await chooseLarge(name);
  await Promise.all(arrived);
  await tells(name, '%');
  await picture('large');
  await page.reload();
  await tells(name, /Choose the file again to continue/);
  await page.waitForFunction((stored) => document.querySelector('.upload progress').value === stored, 2 * partSize);
  await picture('unfinished');
  await check.everything(page);
  const before = parts;
  const started = Date.now();
  await page.evaluate(() => {
    const bar = Object.getOwnPropertyDescriptor(HTMLProgressElement.prototype, 'value');
    const set = function (value) {
      if (value > 0) window.first ??= value;
      bar.set.call(this, value);
    };
    Object.defineProperty(HTMLProgressElement.prototype, 'value', { ...bar, set });
  });
  await chooseLarge(name);
  await row(name).locator('.state', { hasText: 'Uploaded' }).waitFor({ timeout: 0 }); // the test has a limit
  assert.equal(await page.evaluate(() => window.first), 2 * partSize, 'progress begins with what the store has');
  const all = Math.ceil((await stat(file(name))).size / partSize);
  assert.equal(parts - before, all - 2, 'what has arrived is not sent again');
  await hears(`${name} is uploaded`);
  expectComplaints(/ERR_ABORTED|ERR_FAILED/);
  return { large: `${all - 2} parts in ${Date.now() - started} ms` };
}

// One part arrives. The connections of the others die with the network, and when it is back, parts wait until the
// upload is paused.
async function survivesADeadConnection() {
  const name = test.large[1];
  const waiting = [];
  let passed = 0;
  await page.route(isStore, (route) => {
    if (!isPut(route.request()) || ++passed === 1) return route.continue();
    waiting.push(route);
    return undefined;
  });
  await chooseLarge(name);
  await tells(name, /[1-9] %/);
  await context.setOffline(true);
  await Promise.all(waiting.splice(0).map((route) => route.abort('internetdisconnected')));
  await new Promise((resolve) => setTimeout(resolve, 500));
  await context.setOffline(false);
  await row(name).getByRole('button', { name: 'Pause' }).click();
  await tells(name, 'Paused at');
  await page.unrouteAll({ behavior: 'ignoreErrors' });
  await check.everything(page);
  await row(name).getByRole('button', { name: 'Continue' }).click();
  await tells(name, 'Uploaded');
  expectComplaints(networkGone);
}

async function linksLargeFiles() {
  const name = test.large[1];
  const answer = await fetch(await row(name).getByRole('link', { name: 'Download' }).getAttribute('href'));
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get('content-disposition'), /^attachment/);
  assert.equal(Buffer.compare(Buffer.from(await answer.arrayBuffer()), await readFile(file(name))), 0);
}

// One part arrives, and nothing moves on the others when the network goes.
async function waitsForTheNetwork() {
  const name = test.large[1];
  let puts = 0;
  let passed = 0;
  await page.reload();
  page.on('request', (request) => { puts += isPut(request); });
  await page.route(isStore, (route) => (isPut(route.request()) && ++passed > 1 ? undefined : route.continue()));
  const arrived = page.waitForResponse((response) => isPut(response.request()));
  await chooseLarge(name);
  await arrived;
  await tells(name, '%');
  await context.setOffline(true);
  await tells(name, 'Waiting for the network. It continues by itself.');
  await picture('offline');
  await page.unrouteAll({ behavior: 'ignoreErrors' });
  await context.setOffline(false);
  await tells(name, 'Uploaded');
  assert.equal(puts, 3 + 2, 'the part that has arrived is not sent again');
  expectComplaints(networkGone);
}

async function fitsEveryScreen() {
  await choose('notes.txt');
  await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' });
  await page.setViewportSize({ width: 360, height: 740 });
  await check.fits(page);
  await shown(test.images[0]);
  assert.equal(await page.locator('.card').first().evaluate((c) => getComputedStyle(c).animationName), 'none');
  const [paper, ink] = await page.evaluate(() => [getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]);
  assert.ok(brightness(paper) < 60 && brightness(ink) > 200, `dark: ${ink} on ${paper}`);
  await picture('narrow-dark', { fullPage: true });
}

// Names are what users send. The first may not exist on every system, and the others look like others.
async function showsNamesAsText() {
  await page.goto(test.url);
  await page.getByText('Nothing here yet').waitFor();
  const bytes = await readFile(file('stripes.gif'));
  for (const name of ['<img src=x onerror=document.title=1>.gif', "{{.Bucket}} & 'quotes'.gif", 'a\u202egpj.gif']) {
    await page.locator('#files').setInputFiles({ name, mimeType: 'image/gif', buffer: bytes });
    const safe = name.replace('\u202e', '\ufffd');
    await tells(safe, 'Uploaded');
    assert.equal(await row(safe).locator('.name').textContent(), safe);
    assert.equal(await row(safe).locator('img').count(), 0, 'a thumbnail is drawn');
    await row(safe).locator('canvas').waitFor();
    const kept = name.replace('\u202e', '').replace(/^.*\//, '');
    const shownAs = page.locator('.card', { hasText: kept });
    await shownAs.waitFor();
    assert.equal(await shownAs.locator('.name').textContent(), kept);
    assert.equal(await shownAs.locator('img').getAttribute('alt'), kept);
  }
  assert.equal(await page.title(), 'Images in a bucket');
  await check.everything(page);
}

async function picturesImages() {
  await page.goto(test.url);
  await page.getByText('Nothing here yet').waitFor();
  await photograph(session, 'images-empty');
  await choose(...test.images);
  for (const name of test.images) await shown(name);
  await page.reload();
  for (const name of test.images) await shown(name);
  // One file is done, one is on its way, and one is refused.
  await page.evaluate(() => {
    window.XMLHttpRequest = class extends XMLHttpRequest {
      send(file) {
        if (file.name !== 'Full moon.jpg') super.send(file);
        else setTimeout(() => this.upload.dispatchEvent(new ProgressEvent('progress', { loaded: file.size * 0.64 })));
      }
    };
  });
  await choose(...test.keyboard, 'Full moon.jpg', 'notes.txt');
  await tells('Full moon.jpg', '64 %');
  await tells(test.keyboard[0], 'Uploaded');
  await shown(test.keyboard[0]);
  await photograph(session, 'browserupload', test.drawTo, ['desktop-light', 'desktop-dark', 'phone-light']);
  await check.everything(page);
  await page.evaluate(() => document.querySelector('.card .danger').click());
  await page.getByRole('dialog').waitFor();
  await photograph(session, 'images-dialog');
}

async function picturesLargeFiles() {
  await page.goto(new URL('large.html', test.url).href);
  await page.getByText('Nothing is being sent').waitFor();
  await photograph(session, 'large-empty');
  const [moving, paused] = test.large;
  await chooseLarge('seminar.mp4');
  await tells('seminar.mp4', 'Uploaded');
  let passed = 0;
  await page.route(isStore, (route) => (++passed <= 2 ? route.continue() : undefined));
  await chooseLarge(paused);
  await tells(paused, /[1-9]\d* %/);
  await row(paused).getByRole('button', { name: 'Pause' }).click();
  await tells(paused, 'Paused');
  await page.unrouteAll({ behavior: 'ignoreErrors' });
  await slowly(async () => {
    await chooseLarge(moving);
    await tells(moving, 'left');
    await photograph(session, 'largefiles', test.drawTo, ['desktop-light', 'desktop-dark', 'phone-dark']);
    await row(moving).getByRole('button', { name: 'Pause' }).click();
    await tells(moving, 'Paused');
  });
  await check.everything(page);
}

const brightness = (color) => Math.max(...color.match(/\d+/g).slice(0, 3).map(Number));

const flows = {
  whole: [opens, uploadsSeveral, listsNewestFirst, worksByKeyboard, copiesLinks, refusesInWords, tellsOfTheStoresRefusal, fitsEveryScreen],
  store: [opens, uploadsSeveral, listsNewestFirst, copiesLinks, tellsOfTheStoresRefusal], // what may depend on it
  trouble: [opens, tellsOfALostNetwork, isCancelled, takesDrops, asksForNewAddresses],
  'no cors': [tellsOfMissingCORS],
  large: [opensLargeFiles, continuesAfterAReload, survivesADeadConnection, linksLargeFiles, waitsForTheNetwork],
  names: [showsNamesAsText],
  pictures: [picturesImages, picturesLargeFiles],
};

console.log(JSON.stringify(await walk(session, flows[test.flow])));
