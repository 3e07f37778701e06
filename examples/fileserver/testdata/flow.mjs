// The page in a real browser, driven like a user:
//
//   node flow.mjs '{"url": "http://127.0.0.1:8080/", …}'
//
// The Go test beside it documents the other fields. It exits with 0 if everything is
// right. Otherwise it prints the error, and leaves a screenshot.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import * as check from '../../../internal/testing/pagetest/checks.mjs';
import { photograph, start, walk } from '../../../internal/testing/pagetest/browser.mjs';

const test = JSON.parse(process.argv[2]);
const session = await start(test);
const { context, page, expectComplaints, picture, hears } = session;

const row = (list, name) => page.locator(`#${list} .file`, { hasText: name });
const focused = () => page.evaluate(() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.id);
const file = (name, size, letter = 'x') => ({ name, mimeType: '', buffer: Buffer.alloc(size, letter) });

async function upload(what, { purpose = '', parts = '0', temp = false } = {}) {
  await page.locator('#file').setInputFiles(what);
  await page.locator('#temp').setChecked(temp);
  if (!temp) await page.locator('#purpose').fill(purpose);
  await page.locator('#part-size').selectOption(parts);
  await page.getByRole('button', { name: 'Upload', exact: true }).click();
}

const sending = (name) => page.locator('.upload', { hasText: name });
const answers = (name) => page.getByRole('dialog').getByRole('button', { name, exact: true }).click();

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
  await check.everything(page);
  await picture('empty');
}

async function uploadsWhole() {
  await upload(file('Größe & Form ☕.txt', 1000), { purpose: 'notes' });
  await hears('is uploaded');
  await row('list', 'Größe & Form ☕.txt').getByText('text/plain · notes').waitFor();
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
  await answers('Keep');
  await row('list', 'unheard.bin').getByRole('button', { name: /^Delete/ }).click();
  await answers('Delete');
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
  await sending('a\ufffdgpj.exe').getByText("file: The file's name has characters that cannot be shown.").waitFor();
  await hears("file: The file's name");
  expectComplaints(/400/);
  await picture('refused', { fullPage: true });
  await upload(file('a.txt', 10), { purpose: 'x\u202ey' });
  await sending('a.txt').getByText('Purpose: ').waitFor();
  expectComplaints(/400/);
  assert.equal(await page.locator('#list .file').count(), 3);
  await check.everything(page);
  for (const name of ['a\ufffdgpj.exe', 'a.txt']) {
    await sending(name).getByRole('button', { name: 'Dismiss' }).click();
  }
  assert.equal(await page.locator('.upload[data-state=failed]').count(), 0);
}

async function showsNamesAsText() {
  for (const name of ['<img src=x onerror=document.title=1>.txt', "{{.TempSeconds}} & 'quotes'.txt"]) {
    await upload(file(name, 10));
    await row('list', name).waitFor();
    assert.equal(await row('list', name).locator('.name').textContent(), name);
    assert.equal(await row('list', name).locator('img').count(), 0);
    await row('list', name).getByRole('button', { name: /^Delete/ }).click();
    assert.equal(await page.locator('#confirm-text').textContent(), `${name} will be gone for good.`);
    await answers('Delete');
    await row('list', name).waitFor({ state: 'detached' });
  }
  assert.equal(await page.title(), 'Files');
}

// What is being sent can be cancelled, and a lost connection repeated.
async function cancelsAndRepeats() {
  let hold;
  const held = new Promise((resolve) => { hold = resolve; });
  await page.route('**/api/files', hold);
  await upload(file('given-up.bin', 1000));
  const route = await held;
  await sending('given-up.bin').getByRole('button', { name: 'Cancel' }).click();
  await sending('given-up.bin').waitFor({ state: 'detached' });
  await route.abort().catch(() => {}); // otherwise the browser may still send it when the route ends
  await page.unrouteAll({ behavior: 'ignoreErrors' });
  await page.route('**/api/files', (route) => route.abort());
  await upload(file('repeated.bin', 1000));
  await sending('repeated.bin').getByText('The server does not answer').waitFor();
  await page.unrouteAll();
  await sending('repeated.bin').getByRole('button', { name: 'Try again' }).click();
  await row('list', 'repeated.bin').waitFor();
  expectComplaints(/ERR_FAILED/);
  await row('list', 'repeated.bin').getByRole('button', { name: /^Delete/ }).click();
  await answers('Delete');
  await row('list', 'repeated.bin').waitFor({ state: 'detached' });
}

async function takesDrops() {
  const held = await page.evaluateHandle(() => {
    const transfer = new DataTransfer();
    for (const name of ['one.txt', 'two.txt']) transfer.items.add(new File(['dropped'], name, { type: 'text/plain' }));
    return transfer;
  });
  await page.dispatchEvent('h1', 'dragover', { dataTransfer: held });
  assert.equal(await page.locator('body.dragging').count(), 1);
  await page.dispatchEvent('h1', 'drop', { dataTransfer: held });
  await page.getByText('2 files, 14 bytes').waitFor();
  await page.getByRole('button', { name: 'Upload', exact: true }).click();
  for (const name of ['one.txt', 'two.txt']) {
    await row('list', name).getByRole('button', { name: /^Delete/ }).click();
    await answers('Delete');
    await row('list', name).waitFor({ state: 'detached' });
  }
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
  await page.getByRole('button', { name: 'Purpose: Größe' }).focus();
  await page.keyboard.press('Enter');
  await page.locator('#new-purpose').fill('letters');
  await page.keyboard.press('Enter');
  await row('list', 'Größe').getByText('· letters ·').waitFor();
  assert.match(await focused(), /^Purpose: Größe/, 'the focus comes back');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await hears('Größe & Form ☕.txt is deleted');
  assert.equal(await focused(), 'list-title', 'the focus is not lost with the last row');
}

async function deletesSeveral() {
  await page.locator('#filter-purpose').fill('');
  await page.getByRole('button', { name: 'Show', exact: true }).click();
  await page.waitForFunction(() => document.querySelectorAll('#list .file').length === 3);
  await row('list', 'large.bin').getByRole('checkbox').focus();
  await page.keyboard.press('Space');
  await row('list', 'evil.html').getByRole('checkbox').check();
  await page.getByRole('button', { name: 'Delete the selected files' }).click();
  await answers('Delete');
  await hears('2 files are deleted');
  await page.reload();
  await row('list', 'bumpy.bin').waitFor();
  assert.equal(await page.locator('#list .file').count(), 1);
}

async function picturesFiles() {
  await page.goto(test.url);
  await page.getByText('Nothing here yet').waitFor();
  const stored = async (what, options) => {
    await upload(what, options);
    await row('list', what.name).waitFor();
  };
  const landscape = async (name) => ({ name, mimeType: 'image/jpeg', buffer: await readFile(path.join(test.files, name)) });
  await stored({ ...file('Invoice October.pdf', 91_204), mimeType: 'application/pdf' }, { purpose: 'invoice' });
  await stored(await landscape('Last light.jpg'), { purpose: 'cover' });
  await stored(file('measurements.csv', 5_411_900), { parts: '1048576' });
  await upload(file('preview.txt', 1400), { temp: true });
  await row('temp-list', 'preview.txt').waitFor();
  await page.route('**/api/temp-files', (route) => route.abort());
  await upload(file('notes.txt', 2000), { temp: true });
  await sending('notes.txt').getByText('The server does not answer').waitFor();
  await page.unrouteAll();
  expectComplaints(/ERR_FAILED/);
  await page.locator('#temp').setChecked(false);
  await row('list', 'Invoice October.pdf').getByRole('checkbox').check();
  await photograph(session, 'fileserver', test.drawTo, ['desktop-light', 'desktop-dark', 'phone-dark']);
  await check.everything(page);
}

const flows = {
  whole: [
    opens, uploadsWhole, uploadsInParts, goesOnAfterTrouble, findsTheFileWhoseAnswerWasLost, keepsTempFilesApart, tellsWhatIsWrong,
    showsNamesAsText, cancelsAndRepeats, takesDrops, neverRunsAFile, worksByKeyboard, deletesSeveral,
  ],
  pictures: [picturesFiles],
};
await walk(session, flows[test.flow]);
