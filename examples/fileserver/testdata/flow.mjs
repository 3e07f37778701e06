// The page in a real browser, driven like a user:
//
//   node flow.mjs '{"url": "http://127.0.0.1:8080/", …}'
//
// The Go test beside it documents the other fields. It exits with 0 if everything is
// right. Otherwise it prints the error, and leaves a screenshot.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';

const test = JSON.parse(process.argv[2]);
const { chromium } = await import(test.playwright);

const browser = await chromium.launch({ executablePath: test.chromium, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
const context = await browser.newContext({ viewport: { width: 1000, height: 900 }, locale: 'en-GB' });
context.setDefaultTimeout(60_000);
const page = await context.newPage();

// The errors in the browser's console. A step that causes one removes it.
const complaints = [];
page.on('pageerror', (error) => complaints.push(String(error)));
page.on('console', (message) => {
  if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
});
function expectComplaints(pattern) {
  for (const complaint of complaints.splice(0)) assert.match(complaint, pattern);
}

await mkdir(test.artifacts, { recursive: true });
const picture = (name) => page.screenshot({ path: path.join(test.artifacts, `${name}.png`), fullPage: true });
const row = (list, name) => page.locator(`#${list} .file`, { hasText: name });
const hears = (words) => page.locator('#live', { hasText: words }).waitFor({ state: 'attached' });
const focused = () => page.evaluate(() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.id);
const file = (name, size, letter = 'x') => ({ name, mimeType: '', buffer: Buffer.alloc(size, letter) });

async function upload(what, { purpose = '', parts = '0', temp = false } = {}) {
  await page.locator('#file').setInputFiles(what);
  await page.locator('#temp').setChecked(temp);
  if (!temp) await page.locator('#purpose').fill(purpose);
  await page.locator('#part-size').selectOption(parts);
  await page.getByRole('button', { name: 'Upload', exact: true }).click();
}

async function downloaded(link) {
  const [download] = await Promise.all([page.waitForEvent('download'), link.click()]);
  const chunks = [];
  for await (const chunk of await download.createReadStream()) chunks.push(chunk);
  return { name: download.suggestedFilename(), bytes: Buffer.concat(chunks) };
}

async function opens() {
  await page.goto(test.url);
  await page.getByText('Nothing here yet').waitFor();
  await page.getByText('cleared after 1 hour').waitFor();
  await picture('empty');
}

async function uploadsWhole() {
  await upload(file('Größe & Form ☕.txt', 1000), { purpose: 'notes' });
  await hears('is uploaded');
  await row('list', 'Größe & Form ☕.txt').getByText('text/plain; charset=utf-8 · notes').waitFor();
  const got = await downloaded(row('list', 'Größe').getByRole('link'));
  assert.equal(got.name, 'Größe & Form ☕.txt');
  assert.equal(got.bytes.toString(), 'x'.repeat(1000));
}

async function uploadsInParts() {
  const requests = [];
  page.on('request', (request) => { if (request.url().endsWith('/parts')) requests.push(request); });
  const what = file('large.bin', 5 * 2 ** 20 + 17, 'y');
  await upload(what, { parts: '1048576' });
  await hears('large.bin is uploaded');
  assert.equal(requests.length, 6);
  const got = await downloaded(row('list', 'large.bin').getByRole('link'));
  assert.ok(got.bytes.equals(what.buffer), 'these are not the bytes that were sent');
}

async function goesOnAfterTrouble() {
  let left = 2;
  await page.route('**/files/parts', (route) => (left-- > 0 ? route.abort() : route.continue()));
  await upload(file('bumpy.bin', 3 * 2 ** 20), { parts: '1048576' });
  await hears('bumpy.bin is uploaded');
  await page.unroute('**/files/parts');
  expectComplaints(/ERR_FAILED/);
}

// The server has made the file, but its response does not reach the browser.
async function findsTheFileWhoseAnswerWasLost() {
  let lost = 0;
  await page.route('**/files/parts', async (route) => {
    const answer = await route.fetch();
    if (answer.status() !== 201 || lost++) return route.fulfill({ response: answer });
    return route.abort();
  });
  await upload(file('unheard.bin', 3 * 2 ** 20), { parts: '1048576' });
  await hears('unheard.bin is uploaded');
  await page.unroute('**/files/parts');
  assert.ok(lost > 0, 'no answer was lost');
  expectComplaints(/ERR_FAILED|409/);
  await row('list', 'unheard.bin').getByRole('button', { name: /^Delete/ }).click();
  await hears('unheard.bin is deleted');
}

async function keepsTempFilesApart() {
  await upload(file('soon-gone.txt', 10), { temp: true });
  await row('temp-list', 'soon-gone.txt').waitFor();
  assert.equal(await row('list', 'soon-gone.txt').count(), 0);
  const got = await downloaded(row('temp-list', 'soon-gone.txt').getByRole('link'));
  assert.equal(got.bytes.length, 10);
}

async function tellsWhatIsWrong() {
  await upload(file('a\u202egpj.exe', 10));
  await page.getByRole('alert').filter({ hasText: "file: The file's name has characters that cannot be shown." }).waitFor();
  expectComplaints(/400/);
  await picture('refused');
  await upload(file('a.txt', 10), { purpose: 'x\u202ey' });
  await page.getByRole('alert').filter({ hasText: 'Purpose: ' }).waitFor();
  expectComplaints(/400/);
  assert.equal(await page.locator('#list .file').count(), 3);
}

async function neverRunsAFile() {
  await upload({ name: 'evil.html', mimeType: 'text/html', buffer: Buffer.from('<script>document.title = "ran"</script>') });
  await hears('evil.html is uploaded');
  const link = await row('list', 'evil.html').getByRole('link').getAttribute('href');
  const answer = await context.request.get(new URL(link, test.url).href);
  assert.match(answer.headers()['content-disposition'], /^attachment;/);
  const other = await context.newPage();
  const [download] = await Promise.all([other.waitForEvent('download'), other.goto(new URL(link, test.url).href).catch(() => {})]);
  assert.equal(download.suggestedFilename(), 'evil.html');
  await other.close();
}

async function worksByKeyboard() {
  await page.locator('#filter-purpose').focus();
  await page.keyboard.type('notes');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.querySelectorAll('#list .file').length === 1);
  await page.getByRole('button', { name: 'Purpose of Größe' }).focus();
  await page.keyboard.press('Enter');
  await page.locator('#new-purpose').fill('letters');
  await page.keyboard.press('Enter');
  await row('list', 'Größe').getByText('· letters ·').waitFor();
  assert.match(await focused(), /^Purpose of Größe/, 'the focus comes back');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await hears('is deleted');
  assert.equal(await focused(), 'list-title', 'the focus is not lost with the last row');
}

async function deletesSeveral() {
  await page.locator('#filter-purpose').fill('');
  await page.getByRole('button', { name: 'Show', exact: true }).click();
  await page.waitForFunction(() => document.querySelectorAll('#list .file').length === 3);
  await row('list', 'large.bin').getByRole('checkbox').check();
  await row('list', 'evil.html').getByRole('checkbox').check();
  await page.getByRole('button', { name: 'Delete the chosen' }).click();
  await hears('2 files are deleted');
  await page.reload();
  await row('list', 'bumpy.bin').waitFor();
  assert.equal(await page.locator('#list .file').count(), 1);
}

async function fitsAPhone() {
  await page.setViewportSize({ width: 360, height: 740 });
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(width <= 360, `the page is ${width} pixels wide`);
  await picture('phone');
}

try {
  for (const step of [opens, uploadsWhole, uploadsInParts, goesOnAfterTrouble, findsTheFileWhoseAnswerWasLost, keepsTempFilesApart, tellsWhatIsWrong, neverRunsAFile, worksByKeyboard, deletesSeveral, fitsAPhone]) {
    await step();
    assert.deepEqual(complaints, [], `the browser complained in ${step.name}`);
    console.log(`${step.name}: ok`);
  }
} catch (error) {
  console.log(error, complaints);
  await picture('failed');
  process.exitCode = 1;
} finally {
  await browser.close();
}
