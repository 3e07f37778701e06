// The page for a bucket in a real browser, driven like a user. The Go test beside it documents the input.
import assert from 'node:assert/strict';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as checks from '../../../internal/testing/pagetest/checks.mjs';
import { photograph, start, walk } from '../../../internal/testing/pagetest/browser.mjs';

const test = JSON.parse(process.argv[2]);
const { has, bucket } = test;
// How the page looks does not depend on the store: only the test of memory checks it.
const check = test.looked ? Object.fromEntries(Object.keys(checks).map((name) => [name, async () => {}])) : checks;
const session = await start(test, { permissions: ['clipboard-read', 'clipboard-write'] });
const { context, page, hears, expectComplaints } = session;

// Whatever runs that should not: a dialog, a request to another host than the test's, a call of ran.
const ran = [];
// What the script of a PDF shows. Chromium's viewer runs it apart from all pages: it reaches no document and no host.
const ranInPDF = [];
const dialogs = (one) => one.on('dialog', (dialog) => {
  if (dialog.type() !== 'beforeunload') (dialog.message() === 'PDF' ? ranInPDF : ran).push(`dialog: ${dialog.message()}`);
  dialog.accept().catch(() => {});
});
context.on('page', dialogs);
dialogs(page);
context.on('request', (request) => { if (/^https?:/.test(request.url()) && new URL(request.url()).hostname !== '127.0.0.1') ran.push(request.url()); });
await context.exposeFunction('ran', () => ran.push('ran'));

const shownText = (key) => key.replace(/[\u202e]/g, '\ufffd');
const escaped = (text) => new RegExp(`^${text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`);
const entry = (name) => page.locator('.space .name').filter({ hasText: escaped(name) });
const row = (name) => page.locator('.space .row').filter({ has: page.locator('.name').filter({ hasText: escaped(name) }) });
const box = (name) => row(name).locator('.box');
const press = (name) => page.getByRole('button', { name, exact: true }).click();
const details = page.locator('.details');
const dialog = page.getByRole('dialog');
const answer = (name) => dialog.getByRole('button', { name, exact: true }).click();
const heading = (name) => page.getByRole('heading', { level: 2, name, exact: true }).waitFor();
const opened = (name) => page.getByRole('heading', { level: 3, name, exact: true }).waitFor();
const shows = (names) => page.waitForFunction((wanted) => {
  const rows = [...document.querySelectorAll('.space .name')].map((e) => e.textContent);
  return rows.join('\n') === wanted.join('\n');
}, names);
const focused = () => page.evaluate(() => document.activeElement.textContent || document.activeElement.ariaLabel);

async function at(address, url = test.url) {
  await page.goto('about:blank');
  await page.goto(`${url}${address}`);
}
const inside = (parameters) => `#/bucket?${new URLSearchParams({ name: bucket, ...parameters })}`;

async function pick(name, what) {
  const [chooser] = await Promise.all([page.waitForEvent('filechooser'), press(name)]);
  await chooser.setFiles(what);
}

const file = (name) => path.join(test.files, name);
const directory = await mkdtemp(path.join(tmpdir(), 'omnibucket-flow-'));
async function fileOf(name, content) {
  await writeFile(path.join(directory, name), content);
  return path.join(directory, name);
}

async function bytesOf(download) {
  assert.equal(await download.failure(), null);
  const chunks = [];
  for await (const chunk of await download.createReadStream()) chunks.push(chunk);
  return Buffer.concat(chunks);
}

// pictured takes pictures, and leaves the page as it was.
async function pictured(subject) {
  await photograph(session, subject);
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'no-preference' });
  await page.setViewportSize({ width: 1100, height: 850 });
}

// Actions

async function listsFolders() {
  await at('');
  await heading(bucket);
  const names = [...test.hostile.map((key) => shownText(key.replace(/\/.*/s, '/'))), '2026/', 'attacks/', 'notes/', 'report.pdf', 'sound.wav'];
  for (const name of names) await entry(name).waitFor();
  assert.deepEqual(await page.evaluate(async (name) => (await (await fetch(`api/bucket?${new URLSearchParams({ bucket: name })}`, { headers: { 'X-Console': '1' } })).json()).features, bucket),
    Object.fromEntries(Object.entries(has).filter(([name]) => name !== 'metadata')), 'what the store can do is what the test expects');
  assert.equal(await page.locator('main img').count(), 0);
  await check.everything(page);
  await pictured('list');
  await entry('2026/').click();
  await heading('2026');
  await shows(['july.png', 'june/']);
  await entry('june/').click();
  await heading('june');
  await shows(['hills.png', 'lake.png']);
  assert.equal(await page.title(), `june – ${bucket} – omnibucket`);
  await page.goBack();
  await heading('2026');
  await page.locator('.way').getByRole('link', { name: bucket, exact: true }).click();
  await heading(bucket);
}

async function movesByKeys() {
  await at(inside({ prefix: 'notes/' }));
  await shows(['data.bin', 'empty.txt', 'long.txt', 'read me.md']);
  await page.locator('h1').click();
  await page.keyboard.press('/');
  assert.equal(await focused(), 'Find names that begin with');
  await page.keyboard.press('ArrowDown');
  assert.equal(await focused(), 'data.bin');
  await page.keyboard.press('End');
  assert.equal(await focused(), 'read me.md');
  await page.keyboard.press('ArrowUp');
  assert.equal(await focused(), 'long.txt');
  await page.keyboard.press('Home');
  await page.keyboard.press('PageDown');
  assert.equal(await focused(), 'read me.md');
  await page.keyboard.press('PageUp');
  await page.keyboard.press(' ');
  await page.getByText('1 selected, 4 bytes').waitFor();
  await page.keyboard.press('Shift+ArrowDown');
  await page.getByText('2 selected').waitFor();
  await page.keyboard.press('Delete');
  await dialog.getByText('data.bin').waitFor();
  await dialog.getByText('empty.txt').waitFor();
  await check.named(page);
  await check.readable(page);
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  assert.equal(await focused(), 'empty.txt', 'the focus returns');
  await page.keyboard.press('Control+a');
  await page.getByText('4 selected').waitFor();
  await check.everything(page);
  await press('Clear');
  await page.keyboard.press('End');
  await page.keyboard.press('Enter');
  await opened('read me.md');
  assert.equal(await focused(), 'read me.md');
  await page.keyboard.press('Escape');
  await details.waitFor({ state: 'hidden' });
  await page.waitForFunction(() => document.activeElement.matches('.name') && document.activeElement.textContent === 'read me.md');
  await page.keyboard.press('Backspace');
  await heading(bucket);
  await page.waitForFunction(() => document.activeElement.textContent === 'notes/');
  await page.keyboard.press('Enter');
  await heading('notes');
  await page.waitForFunction(() => document.activeElement.textContent === 'data.bin');
}

async function searches() {
  await at(inside({ prefix: 'notes/' }));
  await shows(['data.bin', 'empty.txt', 'long.txt', 'read me.md']);
  await page.getByRole('searchbox').pressSequentially('re');
  await shows(['read me.md']);
  await hears('1 entry');
  assert.ok(page.url().includes('find=re'), page.url());
  await page.reload();
  await shows(['read me.md']);
  await page.getByRole('searchbox').fill('Re');
  await page.getByText('Nothing here begins with “Re”.').waitFor();
  await check.everything(page);
  await press('Show everything');
  await shows(['data.bin', 'empty.txt', 'long.txt', 'read me.md']);
}

async function searchesInside() {
  await at(inside({}));
  await entry('2026/').waitFor();
  await page.getByLabel('Anywhere in names, and in folders below').check();
  await page.getByPlaceholder('Name contains…').fill('LAKE');
  await shows(['2026/june/lake.png']);
  await page.reload();
  await shows(['2026/june/lake.png']);
  await entry('2026/june/lake.png').click();
  await opened('lake.png');
  await page.getByRole('searchbox').fill('no such name');
  await page.getByText('Nothing here contains “no such name”.').waitFor();
  await check.everything(page);
}

async function sorts() {
  await at(inside({ prefix: 'notes/' }));
  await shows(['data.bin', 'empty.txt', 'long.txt', 'read me.md']);
  const order = page.getByLabel('Order', { exact: true });
  await order.selectOption('Largest first');
  await shows(['long.txt', 'read me.md', 'data.bin', 'empty.txt']);
  await order.selectOption('Smallest first');
  await shows(['empty.txt', 'data.bin', 'read me.md', 'long.txt']);
  await order.selectOption('Name, last first');
  await shows(['read me.md', 'long.txt', 'empty.txt', 'data.bin']);
  await order.selectOption('Oldest first');
  await page.waitForFunction(() => document.querySelectorAll('.space .name').length === 4);
  await order.selectOption('Name');
  await shows(['data.bin', 'empty.txt', 'long.txt', 'read me.md']);
}

async function goesToTheNext() {
  await at(inside({ prefix: 'notes/' }));
  await entry('data.bin').click();
  await opened('data.bin');
  await press('Next object');
  await opened('empty.txt');
  await page.waitForFunction(() => document.activeElement.textContent === 'empty.txt');
  await page.keyboard.press('ArrowRight');
  await opened('long.txt');
  await page.keyboard.press('ArrowLeft');
  await opened('empty.txt');
  await press('Previous object');
  await opened('data.bin');
  await press('Previous object');
  await hears('This is the first object of the list.');
}

async function showsThumbnails() {
  await at(inside({ prefix: '2026/june/' }));
  await shows(['hills.png', 'lake.png']);
  await page.getByLabel('Thumbnails').check();
  await page.waitForFunction(() => [...document.querySelectorAll('.thumbnail')].filter((e) => e.naturalWidth === 320).length === 2);
  await check.everything(page);
  await page.getByLabel('Thumbnails').uncheck();
  await page.waitForFunction(() => !document.querySelector('.thumbnail'));
}

async function counts() {
  await at(inside({ prefix: '2026/' }));
  await entry('june/').waitFor();
  await press('Size');
  await hears('3 objects, ');
  await box('june/').click();
  await page.locator('.selection').getByRole('button', { name: 'Size' }).click();
  await hears('2 objects, ');
}

async function zips() {
  await at(inside({ prefix: '2026/' }));
  await box('june/').click();
  await box('july.png').click();
  const [one] = await Promise.all([page.waitForEvent('download'), page.locator('.selection').getByRole('button', { name: 'ZIP' }).click()]);
  assert.equal(one.suggestedFilename(), '2026.zip');
  const text = (await bytesOf(one)).toString('latin1');
  for (const name of ['july.png', 'june/hills.png', 'june/lake.png']) assert.ok(text.includes(name), name);
  await hears('The download of 3 objects, ');
  await press('Clear');
}

async function previews() {
  await at(inside({ prefix: '2026/june/' }));
  await entry('lake.png').click();
  await opened('lake.png');
  await page.waitForFunction(() => document.querySelector('.preview img')?.naturalWidth === 320);
  await details.getByText('image/png', { exact: true }).waitFor();
  if (has.metadata) await details.getByText('<b onclick=alert(1)>Box 2</b>').waitFor();
  assert.equal(await page.title(), `lake.png – june – ${bucket} – omnibucket`);
  await check.everything(page);
  await pictured('object');
  await at(inside({ prefix: 'notes/', object: 'notes/read me.md' }));
  await details.locator('pre', { hasText: 'In \ufffdthe\ufffd beginning <b>was</b> the text.' }).waitFor();
  await entry('long.txt').click();
  await details.getByText('The first 256 KiB of').waitFor();
  await entry('empty.txt').click();
  await details.getByText('The object is empty.').waitFor();
  await entry('data.bin').click();
  await details.getByText('There is no preview').waitFor();
  await at(inside({ object: 'sound.wav' }));
  await page.waitForFunction(() => document.querySelector('.preview audio')?.duration === 1);
  await entry('report.pdf').click();
  await details.locator('iframe').waitFor();
}

// A film is recorded here, since no test has one.
async function playsFilms() {
  const film = await page.evaluate(async () => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 64, height: 48 });
    const draw = canvas.getContext('2d');
    const recorder = new MediaRecorder(canvas.captureStream(10), { mimeType: 'video/webm;codecs=vp8' });
    const chunks = [];
    recorder.ondataavailable = ({ data }) => chunks.push(data);
    const ended = new Promise((resolve) => { recorder.onstop = resolve; });
    recorder.start();
    for (let i = 0; i < 10; i++) {
      draw.fillStyle = `hsl(${i * 36} 80% 50%)`;
      draw.fillRect(0, 0, 64, 48);
      await new Promise((resolve) => setTimeout(resolve, 80));
    }
    recorder.stop();
    await ended;
    return [...new Uint8Array(await new Blob(chunks).arrayBuffer())];
  });
  await at('');
  await pick('Upload files', await fileOf('film.webm', Buffer.from(film)));
  await hears('film.webm is uploaded');
  await entry('film.webm').click();
  await page.waitForFunction(() => document.querySelector('.preview video')?.videoWidth === 64);
  await page.evaluate(() => document.querySelector('.preview video').play());
  await page.waitForFunction(() => document.querySelector('.preview video').currentTime > 0);
}

async function downloads() {
  await at(inside({ prefix: 'notes/', object: 'notes/data.bin' }));
  const [one] = await Promise.all([page.waitForEvent('download'), details.getByRole('link', { name: 'Download' }).click()]);
  assert.equal(one.suggestedFilename(), 'data.bin');
  assert.ok((await bytesOf(one)).equals(Buffer.from([0, 1, 2, 3])));
  await box('data.bin').click();
  await box('read me.md').click();
  const both = [];
  page.on('download', (download) => both.push(download.suggestedFilename()));
  await press('Download');
  await hears('2 downloads have begun');
  assert.deepEqual(both.sort(), ['data.bin', 'read me.md']);
  page.removeAllListeners('download');
  await press('Clear');
}

async function shares() {
  await at(inside({ prefix: 'notes/', object: 'notes/data.bin' }));
  await opened('data.bin');
  if (!has.sign) {
    await details.getByText('This store does not make links to share').waitFor();
    assert.equal(await details.getByRole('button', { name: 'Share' }).count(), 0);
    return;
  }
  await press('Share');
  await dialog.getByText('Anyone who has the link can read this object until then').waitFor();
  assert.equal(await dialog.getByLabel('The link works for').inputValue(), '3600');
  await check.named(page);
  await check.readable(page);
  await check.fits(page);
  await pictured('share');
  await answer('Make a link');
  const link = await dialog.getByLabel('Link', { exact: true }).inputValue();
  await answer('Copy the link');
  await hears('The link is copied.');
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), link);
  const response = await fetch(link);
  assert.equal(response.status, 200);
  assert.deepEqual([...new Uint8Array(await response.arrayBuffer())], [0, 1, 2, 3]);
  await page.waitForFunction(() => document.activeElement.textContent === 'Share');
}

async function uploadsFiles() {
  await at(inside({ prefix: 'new/' }));
  await page.getByText('This folder is empty.').waitFor();
  await check.everything(page);
  await pick('Upload files', [file('small.txt'), file('sound.wav')]);
  await hears('2 files are uploaded.');
  await shows(['small.txt', 'sound.wav']);
  await check.everything(page);
  await page.locator('#queue').getByRole('button', { name: 'Close' }).click();
  await page.locator('#queue').waitFor({ state: 'hidden' });
}

async function asksBeforeItReplaces() {
  const again = async (content, then, all = false) => {
    await pick('Upload files', [await fileOf('small.txt', content), ...(all ? [await fileOf('sound.wav', content)] : [])]);
    await dialog.getByText(all ? /^new.* is already there/ : 'new/small.txt is already there.').waitFor(); // in the order of the answers
    if (all) await dialog.getByLabel('Do the same for all that follow').check();
    await answer(then);
  };
  const sizes = (...texts) => page.waitForFunction((wanted) => [...document.querySelectorAll('.space .number')].map((e) => e.textContent).join() === wanted.join(), texts);
  await again('skipped', 'Skip');
  await page.locator('#queue').getByText('skipped').waitFor();
  await again('both', 'Keep both');
  await hears('small (2).txt is uploaded.');
  await shows(['small (2).txt', 'small.txt', 'sound.wav']);
  await again('replaced', 'Replace');
  await hears('small.txt is uploaded.');
  await sizes('4\u00a0bytes', '8\u00a0bytes', '40\u00a0bytes');
  await again('for all', 'Replace', true);
  await hears('2 files are uploaded.');
  await sizes('4\u00a0bytes', '7\u00a0bytes', '7\u00a0bytes');
}

async function uploadsFolders() {
  await at(inside({ prefix: 'new/' }));
  await entry('small.txt').waitFor();
  await pick('Upload a folder', file('holiday'));
  await hears('3 files are uploaded.');
  await entry('holiday/').click();
  await shows(['beach/', 'plan.txt']);
  await entry('beach/').click();
  await shows(['one.txt', 'two.txt']);
}

async function takesDrops() {
  await page.evaluate(() => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File(['dropped'], 'dropped.txt', { type: 'text/plain' }));
    const list = document.querySelector('.listing');
    for (const type of ['dragover', 'drop']) list.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
  });
  await hears('dropped.txt is uploaded.');
  await shows(['dropped.txt', 'one.txt', 'two.txt']);
}

// The parts of a large file wait until release is called.
async function held() {
  let release;
  const until = new Promise((resolve) => { release = resolve; });
  let parts = 0;
  await page.route('**/s3/part/**', async (route) => {
    parts++;
    if (parts > 1) await until;
    await route.continue().catch(() => {});
  });
  return { parts: () => parts, release: async () => { release(); await page.unroute('**/s3/part/**'); } };
}

async function uploadsLargeFiles() {
  await at(inside({ prefix: 'new/' }));
  if (!has.resume) {
    await pick('Upload files', file('large.bin'));
    await hears('large.bin is uploaded.');
    return;
  }
  const stopped = await held();
  await pick('Upload files', file('large.bin'));
  const line = page.locator('#queue li', { hasText: 'large.bin' });
  await page.waitForFunction(() => /^[1-9]/.test(document.querySelector('#queue li .note')?.textContent ?? ''));
  await line.getByRole('button', { name: 'Pause: large.bin' }).click();
  await line.getByText('paused').waitFor();
  await check.everything(page);
  await pictured('upload');
  await page.reload(); // and goes on where it stopped
  await entry('small.txt').waitFor(); // a request of the page may hang if its interception ends meanwhile
  await stopped.release();
  let sent = 0; // a part has a request of its own before it, which says its size
  page.on('request', (request) => { if (/multipart\/[^/]+\/\d+\?/.test(request.url())) sent += Number(new URL(request.url()).searchParams.get('size')); });
  await pick('Upload files', file('large.bin'));
  await hears('large.bin is uploaded.');
  assert.ok(sent > 0 && sent < 17_825_795, `${sent} bytes are sent after the reload`);
  await entry('large.bin').waitFor();
  await entry('large.bin').click();
  await details.getByText('17 MiB (17,825,795 bytes)').waitFor();
}

async function cancelsUploads() {
  await page.route('**/api/upload?*', () => {}); // never answers
  await pick('Upload files', await fileOf('given up.txt', 'given up'));
  await page.locator('#queue').getByRole('button', { name: 'Cancel: given up.txt' }).click();
  await page.locator('#queue').getByText('canceled').waitFor();
  await page.unroute('**/api/upload?*');
  assert.equal(await entry('given up.txt').count(), 0);
}

async function triesUploadsAgain() {
  await page.route('**/api/upload?*', (route) => route.fulfill({ status: 503, contentType: 'application/json', body: '{"error":"the store is full","code":"Unavailable"}' }));
  await pick('Upload files', await fileOf('later.txt', 'later'));
  await page.getByText('The server says: the store is full').waitFor();
  await page.getByText('1 file is not uploaded').waitFor();
  await check.everything(page);
  await page.unroute('**/api/upload?*');
  await page.getByRole('button', { name: 'Try again: later.txt' }).click();
  await hears('later.txt is uploaded.');
  expectComplaints(/503/);
  let lost = 1;
  await page.route('**/api/upload?*', (route) => (lost-- > 0 ? route.abort() : route.continue()));
  await pick('Upload files', await fileOf('bumpy.txt', 'bumpy'));
  await hears('bumpy.txt is uploaded.'); // by itself
  await page.unroute('**/api/upload?*');
  expectComplaints(/ERR_FAILED/);
}

async function makesFolders() {
  await at('');
  await press('New folder');
  await answer('Open it');
  await dialog.getByText('A folder needs a name.').waitFor();
  await dialog.getByLabel('Name').fill('for guests');
  await page.keyboard.press('Enter');
  await heading('for guests');
  await page.getByText('It is created by the first file that you upload into it.').waitFor();
  await pick('Upload files', file('small.txt'));
  await hears('small.txt is uploaded.');
  await page.locator('.way').getByRole('link', { name: bucket, exact: true }).click();
  await entry('for guests/').waitFor();
}

async function renames() {
  await at(inside({ prefix: 'new/', object: 'new/small.txt' }));
  await opened('small.txt');
  await press('Rename');
  await dialog.getByLabel('New name').fill('sound.wav');
  await answer('Rename');
  await dialog.getByText('There is already something with this name.').waitFor();
  expectComplaints(/412/);
  await dialog.getByLabel('New name').fill('tiny.txt');
  await answer('Rename');
  await hears('It is now tiny.txt.');
  await opened('tiny.txt');
  await entry('tiny.txt').waitFor();
  assert.equal(await entry('small.txt').count(), 0);
  await box('holiday/').click();
  await page.locator('.selection').getByRole('button', { name: 'Rename' }).click();
  await dialog.getByText('Every object below the folder is moved').waitFor();
  await dialog.getByLabel('New name').fill('summer');
  await answer('Rename');
  await hears('It is now summer/.');
  await entry('summer/').click();
  await shows(['beach/', 'plan.txt']);
}

async function copies() {
  await at(inside({ prefix: 'new/', object: 'new/tiny.txt' }));
  await opened('tiny.txt');
  await press('Copy to…');
  await dialog.getByLabel('Name of the copy, with its folders').fill('new/sound.wav');
  await answer('Copy');
  await dialog.getByText('There is already something with this name.').waitFor();
  expectComplaints(/412/);
  await dialog.getByLabel('Name of the copy, with its folders').fill('copies/tiny.txt');
  await answer('Copy');
  await hears('It is copied to copies/tiny.txt.');
  await at(inside({ prefix: 'copies/' }));
  await shows(['tiny.txt']);
}

async function removes() {
  await at(inside({ prefix: 'new/' }));
  await entry('tiny.txt').click();
  await opened('tiny.txt');
  await page.locator('.details').getByRole('button', { name: 'Remove' }).click();
  await dialog.getByRole('heading', { name: 'Remove tiny.txt?' }).waitFor();
  assert.equal(await focused(), 'Cancel', 'Enter removes nothing by mistake');
  await dialog.getByText(has.versions ? 'can be restored' : 'cannot be undone').waitFor();
  await pictured('remove');
  await answer('Remove');
  await hears('1 object is removed.');
  await details.waitFor({ state: 'hidden' });
  assert.equal(await entry('tiny.txt').count(), 0);
  await box('summer/').click();
  await box('sound.wav').click();
  await page.locator('.selection').getByRole('button', { name: 'Remove' }).click();
  await dialog.getByRole('heading', { name: 'Remove 1 object and 1 folder?' }).waitFor();
  await dialog.getByText('summer/ and everything below it').waitFor();
  await answer('Remove');
  await hears('5 objects are removed.');
  await page.reload();
  await entry('small (2).txt').waitFor();
  // MinIO lists a folder in which only delete markers are left; Amazon does not.
  for (const name of ['summer/', 'sound.wav', 'tiny.txt'].slice(test.emptied ? 1 : 0)) assert.equal(await entry(name).count(), 0);
}

async function restores() {
  await at(inside({ prefix: 'new/' }));
  await entry('small (2).txt').waitFor();
  if (!has.undelete) {
    assert.equal(await page.getByRole('link', { name: 'Removed' }).count(), 0);
    const target = `api/upload?${new URLSearchParams({ bucket, key: 'new/tiny.txt' })}`; // which the next steps need
    assert.equal(await page.evaluate(async (to) => (await fetch(to, { method: 'PUT', headers: { 'X-Console': '1' }, body: 'for all' })).status, target), 200);
    return;
  }
  await page.getByRole('link', { name: 'Removed' }).click();
  await entry('tiny.txt').waitFor();
  await entry('summer/beach/one.txt').waitFor();
  await check.everything(page);
  await pictured('removed');
  await row('tiny.txt').locator('.act').click();
  await hears('tiny.txt is restored.');
  await entry('tiny.txt').waitFor({ state: 'detached' });
  await entry('summer/plan.txt').click();
  await opened('plan.txt');
  if (has.versions) await details.getByText('delete marker').waitFor();
  await details.getByRole('button', { name: 'Restore', exact: true }).first().click();
  await hears('plan.txt is restored.');
  await box('summer/beach/one.txt').click();
  await box('summer/beach/two.txt').click();
  await page.locator('.selection').getByRole('button', { name: 'Restore' }).click();
  await hears('2 are restored.');
  await page.getByRole('link', { name: 'Objects', exact: true }).click();
  await entry('tiny.txt').waitFor();
  await entry('summer/').click();
  await shows(['beach/', 'plan.txt']);
}

async function replacesAndShowsVersions() {
  await at(inside({ prefix: 'new/', object: 'new/tiny.txt' }));
  await opened('tiny.txt');
  await pick('Replace', await fileOf('anything.txt', 'the second text'));
  await hears('tiny.txt is uploaded.');
  await details.locator('pre', { hasText: 'the second text' }).waitFor();
  if (!has.versions) {
    await details.getByText('keep versions').waitFor();
    return;
  }
  const versions = details.locator('.versions li');
  await versions.nth(1).waitFor();
  assert.equal(await details.getByText('current', { exact: true }).count(), 1);
  await versions.filter({ hasNot: page.getByText('current') }).getByRole('link').first().click();
  await details.getByText('an older version').waitFor();
  await details.locator('pre', { hasText: 'for all' }).waitFor();
  await check.everything(page);
  await press('Restore this version');
  await hears('The version is restored.');
  await details.getByText('an older version').waitFor({ state: 'detached' });
  await details.locator('pre', { hasText: 'for all' }).waitFor();
}

async function tags() {
  await at(inside({ prefix: 'new/', object: 'new/tiny.txt' }));
  await opened('tiny.txt');
  if (!has.tags) {
    await details.getByText('keep tags').waitFor();
    return;
  }
  await press('Tags');
  await dialog.getByLabel('Value').fill('blue');
  await answer('Store');
  await dialog.getByText('A tag needs a name.').waitFor();
  await dialog.getByLabel('Name').fill('color');
  await press('Add a tag');
  await dialog.getByLabel('Name').nth(1).fill('year');
  await dialog.getByLabel('Value').nth(1).fill('2026');
  await check.named(page);
  await check.readable(page);
  await answer('Store');
  await hears('The tags are stored.');
  await details.getByRole('heading', { name: 'Tags' }).waitFor();
  await details.getByText('blue').waitFor();
  await press('Tags');
  await dialog.getByRole('button', { name: 'Remove this tag' }).first().click();
  await answer('Store');
  await details.getByText('blue').waitFor({ state: 'detached' });
  await details.getByText('2026', { exact: true }).waitFor();
}

// States

async function isEmpty() {
  await at('', test.empty);
  await page.getByText('This bucket is empty.').waitFor();
  await page.getByRole('button', { name: 'Choose files' }).waitFor();
  await check.everything(page);
  await pictured('empty');
  await at('', test.readOnlyEmpty);
  await page.getByText('Files appear here once somebody has uploaded some.').waitFor();
  await check.everything(page);
}

async function isReadOnly() {
  await at('', test.readOnly);
  await page.getByText('Read only').waitFor();
  await entry('sound.wav').click();
  await opened('sound.wav');
  await details.getByRole('link', { name: 'Download', exact: true }).waitFor(); // the heading is there before the actions
  const offered = await page.locator('main').getByRole('button').allInnerTexts(); // a directory makes its key only where writing is permitted
  assert.ok(offered.every((text) => ['', 'Size', 'ZIP'].includes(text) || has.sign && text === 'Share'), `nothing else is offered: ${offered}`);
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => document.activeElement.matches('.name'));
  await page.keyboard.press('Delete');
  assert.equal(await dialog.count(), 0);
  await check.everything(page);
}

async function saysWhatAStoreLacks() {
  const can = test.plain ? { tags: true } : has; // plain is a bucket that can do less
  const lacks = [can.sign ? '' : 'make links to share', can.tags ? '' : 'keep tags', can.versions ? '' : 'keep versions'].filter(Boolean);
  await at('', test.plain);
  await entry('sound.wav').click();
  await details.getByRole('button', { name: 'Remove' }).click();
  await dialog.getByText(can.versions ? 'can be restored' : 'cannot be undone').waitFor();
  await answer('Cancel');
  assert.deepEqual(await details.getByText('This store does not').allInnerTexts(), lacks.length ? [`This store does not ${lacks.join(', or ')}.`] : []);
}

async function loads() {
  let release;
  const until = new Promise((resolve) => { release = resolve; });
  await page.route('**/api/list?*', async (route) => { await until; await route.continue(); });
  await at('');
  await page.getByText('Loading…').waitFor();
  await check.fits(page);
  await page.setViewportSize({ width: 1100, height: 850 });
  await pictured('loading');
  release();
  await entry('sound.wav').waitFor();
  await page.getByText('Loading…').waitFor({ state: 'detached' });
  await page.unroute('**/api/list?*');
}

async function fails() {
  await page.route('**/api/list?*', (route) => route.fulfill({ status: 503, contentType: 'application/json', body: '{"error":"the store is <b>closed</b>","code":"Unavailable"}' }));
  await at('');
  await page.getByText('It cannot be loaded. The server says: the store is <b>closed</b>').waitFor();
  await check.everything(page);
  await pictured('error');
  await page.unroute('**/api/list?*');
  await press('Try again');
  await entry('sound.wav').waitFor();
  expectComplaints(/503/);
  await at(inside({ object: 'none' }));
  await details.getByText(has.versions ? 'There is no such object now.' : 'The server says: object not found').waitFor();
  expectComplaints(/404/);
  await at('#/bucket?name=none');
  await page.getByText('The server says: ').waitFor();
  expectComplaints(/40\d/);
}

async function goesOffline() {
  await at('');
  await entry('notes/').waitFor();
  await context.setOffline(true);
  await page.getByText('This device is offline.').waitFor();
  await entry('notes/').click();
  await page.getByText('It cannot be loaded. This device is offline.').waitFor();
  await check.everything(page);
  await pictured('offline');
  await page.getByText('It cannot be loaded. This device is offline.').waitFor(); // as long as the network is gone
  await context.setOffline(false);
  await entry('long.txt').waitFor(); // by itself
  await page.getByText('This device is offline.').first().waitFor({ state: 'hidden' });
  expectComplaints(/ERR_INTERNET_DISCONNECTED/);
  await page.route('**/api/**', (route) => route.abort());
  await page.locator('.way').getByRole('link', { name: bucket, exact: true }).click();
  await page.getByText('The server does not answer. If it was stopped, start its command again.').waitFor();
  await page.unroute('**/api/**');
  await entry('notes/').waitFor();
  await page.locator('#banner').waitFor({ state: 'hidden' });
  expectComplaints(/ERR_FAILED/);
}

async function ends() {
  await page.route('**/api/**', (route) => route.fulfill({ status: 404, contentType: 'text/plain', body: '404 page not found' }));
  await entry('notes/').click();
  await heading('This session is over');
  await page.getByText('Start the command again, and open the address that it prints.').waitFor();
  await check.fits(page);
  await page.setViewportSize({ width: 1100, height: 850 });
  await page.unroute('**/api/**');
  expectComplaints(/404/);
}

// Attacks

async function runsNothing() {
  await at('');
  for (const key of test.hostile) await entry(shownText(key.replace(/\/.*/s, '/'))).waitFor();
  for (const key of test.hostile) {
    await at(inside({ object: key }));
    await opened(shownText(key.slice(key.lastIndexOf('/') + 1)));
    await details.getByText('Details', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Remove' }).click();
    await dialog.waitFor();
    await page.keyboard.press('Escape');
  }
  assert.match(await page.title(), / – omnibucket$/);
  await at(inside({ prefix: 'attacks/' }));
  await page.waitForFunction((count) => document.querySelectorAll('.space .name').length === count, test.attacks);
  const objects = await page.evaluate(async (bucket) => {
    const names = [...document.querySelectorAll('.space .name')].map((e) => e.textContent);
    return Promise.all(names.map(async (name) => (await fetch(`api/object?${new URLSearchParams({ bucket, key: `attacks/${name}` })}`, { headers: { 'X-Console': '1' } })).json()));
  }, bucket);
  assert.equal(objects.length, test.attacks);
  for (const { key, view, download } of objects) {
    await at(inside({ prefix: 'attacks/', object: key }));
    await details.locator('.preview > *').first().waitFor();
    await details.getByText('Details', { exact: true }).waitFor();
    await page.waitForTimeout(300);
    for (const address of [view, download].filter(Boolean)) {
      const tab = await context.newPage();
      await tab.goto(new URL(address, test.url).href).catch((error) => assert.match(error.message, /Download is starting|ERR_ABORTED/));
      await tab.waitForTimeout(300);
      await tab.close();
    }
  }
  assert.deepEqual(ran, []);
  const origin = ({ view }) => view && new URL(view, test.url).origin;
  const isApart = objects.filter(({ key }) => key.endsWith('.pdf')).every((o) => origin(o) && origin(o) !== new URL(test.url).origin);
  if (!isApart) assert.deepEqual(ranInPDF, [], 'a PDF is shown at an origin of its own only');
  session.complaints.splice(0, Infinity, ...session.complaints.filter((text) => !/Content Security Policy|sandboxed|favicon|Refused/.test(text)));
}

// 100,000 keys

// traced returns what f does, and how long the processor was busy with each task of the page meanwhile, the longest
// first. Other programs on the machine hardly change that, but the time that passes.
async function traced(f) {
  await session.browser.startTracing(page, { categories: ['toplevel'] });
  const value = await f();
  const { traceEvents } = JSON.parse(await session.browser.stopTracing());
  const threads = new Set(traceEvents.filter(({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain').map(({ pid, tid }) => `${pid} ${tid}`));
  const tasks = traceEvents.filter(({ name, pid, tid, tdur }) => name === 'ThreadControllerImpl::RunTask' && tdur && threads.has(`${pid} ${tid}`));
  assert.ok(tasks.length > 0, 'the trace has no task');
  return { value, busy: tasks.map(({ tdur }) => tdur / 1000).sort((x, y) => y - x) };
}

// frames scrolls by steps, at most so often or to the end, and returns what that cost.
async function frames(what, step, most) {
  const { value: gaps, busy } = await traced(() => page.evaluate(async ({ step, most }) => {
    const list = document.querySelector('.scroll');
    const isAtEnd = () => (step > 0 ? list.scrollTop + list.clientHeight > list.scrollHeight - 2 && list.parentNode.ariaRowCount !== '-1' : list.scrollTop === 0);
    const found = [];
    for (let last = performance.now(); found.length < most && !isAtEnd();) {
      list.scrollTop += step;
      const now = await new Promise(requestAnimationFrame);
      found.push(now - last);
      last = now;
    }
    return found.sort((x, y) => x - y);
  }, { step, most }));
  const cost = { frames: gaps.length, median: Math.round(gaps[gaps.length >> 1]), over50: gaps.filter((gap) => gap > 50).length, busy: Math.round(busy[0]), busyOver50: busy.filter((ms) => ms > 50).length };
  console.log(`${what}: ${JSON.stringify(cost)}`);
  return cost;
}

async function listsMany() {
  await at('#/bucket?name=many&prefix=none/');
  await page.getByText('This folder is empty.').waitFor();
  const { value: times, busy } = await traced(() => page.evaluate(async () => {
    performance.clearResourceTimings();
    const began = performance.now();
    location.hash = '#/bucket?name=many';
    while (document.querySelector('.space .name')?.textContent !== 'picture 000000.jpg') await new Promise(requestAnimationFrame);
    await new Promise(requestAnimationFrame);
    const all = performance.now() - began;
    const { requestStart, responseEnd } = performance.getEntriesByType('resource').find(({ name }) => name.includes('api/list'));
    return { all, store: responseEnd - requestStart };
  }));
  const spent = busy.reduce((sum, ms) => sum + ms, 0);
  console.log(`first list: ${times.all.toFixed(0)} ms, ${times.store.toFixed(0)} ms of them the server's; the processor is busy for ${spent.toFixed(0)} ms with the page`);
  assert.ok(spent < 400, 'the page takes long beside the store');
  const costs = [await frames('like a wheel', 300, 300), await frames('to the end of 100,000', 40_000, 2000)];
  await page.getByText('100,000 entries').waitFor();
  assert.ok(await page.locator('.space .row').count() < 80, 'only the rows in view are elements');
  await page.locator('.row.head input').check();
  await page.getByText('100,000 selected').waitFor();
  costs.push(await frames('back, with all selected', -20_000, 2000));
  assert.ok(Math.max(...costs.map(({ busy }) => busy)) < 200, 'a task of the page takes long');
  await press('Clear');
  await page.keyboard.press('End');
  assert.equal(await focused(), 'picture 099999.jpg');
  await page.keyboard.press('Home');
  assert.equal(await focused(), 'picture 000000.jpg');
  assert.equal(await page.locator('.space .row').first().getAttribute('aria-rowindex'), '2');
  assert.equal(await page.locator('.list').getAttribute('aria-rowcount'), '100001');
}

// End goes to the last entry, even if only the first page is there.
async function endsAtTheEnd() {
  await at('#/bucket?name=many');
  await entry('picture 000000.jpg').click();
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => document.activeElement.textContent === 'picture 000000.jpg');
  await page.keyboard.press('End');
  await page.waitForFunction(() => document.activeElement.textContent === 'picture 099999.jpg');
}

// Only the first 10,000 entries are sorted, and the page says so.
async function sortsMany() {
  await at('#/bucket?name=many');
  await entry('picture 000000.jpg').waitFor();
  await page.getByLabel('Order', { exact: true }).selectOption('Name, last first');
  await page.getByText('Only the first 10,000 entries by name are sorted').waitFor();
  await page.waitForFunction(() => document.querySelector('.space .name').textContent === 'picture 009999.jpg');
  await page.getByLabel('Order', { exact: true }).selectOption('Name');
  await page.waitForFunction(() => document.querySelector('.space .name').textContent === 'picture 000000.jpg');
}

async function searchesMany() {
  await page.getByRole('searchbox').pressSequentially('picture 0999', { delay: 20 });
  await page.locator('.count', { hasText: /^100\u00a0entries$/ }).waitFor();
  await check.everything(page);
}

async function takesPictures() {
  await at(inside({ prefix: '2026/', object: '2026/Lake at dawn.jpg' }));
  await page.waitForFunction(() => document.querySelector('.preview img')?.naturalWidth > 0);
  await entry('Last light.jpg').waitFor();
  await details.locator('.versions li').waitFor();
  await photograph(session, 'console', test.drawTo, ['desktop-light', 'desktop-dark']);
  await at(inside({ prefix: '2026/' }));
  await page.getByLabel('Thumbnails').check();
  await page.waitForFunction(() => [...document.querySelectorAll('.thumbnail')].some((e) => e.naturalWidth > 0));
  await photograph(session, 'console', test.drawTo, ['phone-light']);
}

const walks = {
  pictures: [takesPictures],
  actions: [listsFolders, movesByKeys, searches, searchesInside, sorts, goesToTheNext, showsThumbnails, counts, zips, previews, playsFilms, downloads, shares, uploadsFiles, asksBeforeItReplaces, uploadsFolders, takesDrops, uploadsLargeFiles,
    cancelsUploads, triesUploadsAgain, makesFolders, renames, copies, removes, restores, replacesAndShowsVersions, tags],
  states: [isEmpty, isReadOnly, saysWhatAStoreLacks, loads, fails, goesOffline, ends],
  attacks: [runsNothing],
  many: [listsMany, endsAtTheEnd, sortsMany, searchesMany],
};
await walk(session, walks[test.steps]);
assert.deepEqual(ran, []);
