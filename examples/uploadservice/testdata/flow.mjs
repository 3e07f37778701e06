// The page in a real browser, driven like a user:
//
//   node flow.mjs '{"url": "http://127.0.0.1:8080/", …}'
//
// The Go test beside it has the other fields. It exits with 0 if everything is
// right. Otherwise it prints the error, and leaves a screenshot.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import * as check from '../../../internal/testing/pagetest/checks.mjs';
import { photograph, start, walk } from '../../../internal/testing/pagetest/browser.mjs';

const test = JSON.parse(process.argv[2]);
const session = await start(test);
const { page, expectComplaints, hears } = session;

const picture = Buffer.from('R0lGODlhAQABAAAAACwAAAAAAQABAAACAkQBADs=', 'base64');
const markup = Buffer.from('<!doctype html><p>me');
const large = (content) => Buffer.concat([content, Buffer.alloc(17 << 20, ' ')]); // sent in parts
const refused = 'This kind of file cannot be uploaded (it is text/html). Allowed: JPEG, PNG, GIF, WebP and AVIF.';

const file = (name, buffer) => ({ name, mimeType: 'image/png', buffer });
const landscape = async (name) => ({ name, mimeType: 'image/jpeg', buffer: await readFile(path.join(test.files, name)) });
const sending = (name) => page.locator('.upload', { hasText: name });
const card = (name) => page.locator('.card', { hasText: name });
const choose = (...files) => page.locator('#files').setInputFiles(files);
const tells = (name, words) => sending(name).last().locator('.state', { hasText: words }).waitFor();
const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.ariaLabel || document.activeElement.value);

async function opens() {
  await page.goto(test.url);
  await page.getByText('Nothing here yet').waitFor();
  await page.getByText('up to 100 MiB each').waitFor();
  await check.everything(page);
}

async function sendsStraightToTheStore() {
  let puts = 0;
  page.on('request', (request) => { puts += request.method() === 'PUT'; });
  for (const [name, content, words, want] of [
    ['empty.png', Buffer.alloc(0), 'The file is empty.', 0],
    ['markup.png', markup, refused, 1],
    ['picture.png', picture, 'Uploaded', 1],
    ['markup in parts.png', large(markup), refused, 3],
    ['picture in parts.png', large(picture), 'Uploaded', 3],
  ]) {
    puts = 0;
    await choose(file(name, content));
    await tells(name, words);
    assert.equal(puts, want, name);
    expectComplaints(/415/);
  }
  await card('picture in parts.png').locator('img').evaluate((img) => img.decode());
}

async function sendsAForm() {
  await page.getByLabel('to the server').check();
  await choose(await landscape('Lake at dawn.jpg'), await landscape('Last light.jpg'));
  await tells('2 files in one form', 'Uploaded');
  await card('Lake at dawn.jpg').waitFor();
  await choose(await landscape('Green valley.jpg'), file('markup.png', markup));
  await tells('2 files in one form', 'markup.png: This file is not the PNG that it claims to be.');
  expectComplaints(/415/);
  assert.equal(await card('Green valley.jpg').count(), 0, 'a form stores all of its files or none');
  await check.everything(page);
}

async function worksByKeyboard() {
  page.once('filechooser', (dialog) => dialog.setFiles(path.join(test.files, 'Green valley.jpg')));
  await page.reload();
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'files');
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'store');
  await page.keyboard.press('ArrowDown');
  assert.ok(await page.getByLabel('to the server').isChecked());
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Space');
  await hears('Green valley.jpg is uploaded');
  await card('Green valley.jpg').getByRole('button').focus();
  await page.keyboard.press('Space');
  await page.getByRole('dialog').waitFor();
  assert.equal(await focused(), 'keep', 'the harmless answer comes first');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await hears('Green valley.jpg is deleted');
  assert.equal(await focused(), 'stored-title', 'the focus is not lost with the last picture');
}

async function showsNamesAsText() {
  for (const name of ['<img src=x onerror=document.title=1>.png', "{{.LargestFile}} & 'quotes'.png"]) {
    await choose(file(name, picture));
    await card(name).waitFor();
    assert.equal(await card(name).locator('.name').textContent(), name);
    assert.equal(await sending(name).locator('.name').textContent(), name);
  }
  assert.equal(await page.title(), 'Upload service');
}

async function picturesUploads() {
  await page.goto(test.url);
  const names = ['Lake at dawn.jpg', 'Green valley.jpg', 'Last light.jpg'];
  await choose(...await Promise.all(names.map(landscape)));
  for (const name of names) await card(name).waitFor();
  await choose(file('photo.png', markup));
  await tells('photo.png', refused);
  expectComplaints(/415/);
  // The next file stays on its way.
  await page.evaluate(() => {
    window.XMLHttpRequest = class extends XMLHttpRequest {
      send(body) { setTimeout(() => this.upload.dispatchEvent(new ProgressEvent('progress', { loaded: body.size * 0.42 }))); }
    };
  });
  await choose({ ...await landscape('Green valley.jpg'), name: 'Panorama.jpg' });
  await tells('Panorama.jpg', '42 %');
  await photograph(session, 'uploadservice', test.drawTo, ['desktop-light', 'desktop-dark']);
  await check.everything(page);
}

const flows = {
  whole: [opens, sendsStraightToTheStore, sendsAForm, worksByKeyboard, showsNamesAsText],
  pictures: [picturesUploads],
};
await walk(session, flows[test.flow]);
