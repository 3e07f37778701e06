// The console in a real browser, driven like a user. The Go test beside it documents the input.
import assert from 'node:assert/strict';
import * as check from '../../../internal/testing/pagetest/checks.mjs';
import { photograph, start, walk } from '../../../internal/testing/pagetest/browser.mjs';

const test = JSON.parse(process.argv[2]);
const session = await start(test, { httpCredentials: { username: test.user, password: test.password } });
const { page, hears, expectComplaints } = session;

const shownText = (key) => key.replace(/[\u202e]/g, '\ufffd');
const goTo = (name) => page.locator('header nav').getByRole('link', { name }).click();
const heading = (name) => page.getByRole('heading', { level: 2, name, exact: true }).waitFor();
const escaped = (text) => new RegExp(`^${text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`);
const entry = (name) => page.locator('.space .name').filter({ hasText: escaped(name) });
const rowCount = (count) => page.waitForFunction((n) => document.querySelector('.list')?.ariaRowCount === String(n), count);

async function needsTheCredentials() {
  const stranger = await session.browser.newContext();
  const response = await (await stranger.newPage()).goto(test.url).catch((error) => error);
  assert.match(String(response.message ?? response.status()), /401|ERR_INVALID_AUTH_CREDENTIALS/);
  await stranger.close();
}

async function showsBuckets() {
  await page.goto(test.url);
  await heading('Buckets');
  for (const name of ['empty', 'many', 'photos']) await page.getByRole('link', { name, exact: true }).waitFor();
  await check.everything(page);
  await photograph(session, 'buckets');
}

async function showsHostileNamesAsText() {
  await page.getByRole('link', { name: 'photos', exact: true }).click();
  await heading('photos');
  for (const key of test.hostile) await entry(shownText(key)).waitFor();
  assert.equal(await page.locator('main img').count(), 0);
  assert.equal(await page.title(), 'photos – S3 server', 'no key is run');
  await check.everything(page);
  await photograph(session, 'objects');
  await entry(test.hostile[0]).click();
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download' }).click()]);
  assert.equal(await download.failure(), null);
}

async function opensFolders() {
  await page.setViewportSize({ width: 1100, height: 850 });
  await page.keyboard.press('Escape');
  await entry('2026/').click();
  await entry('june/').click();
  await entry('lake.jpg').waitFor();
  await page.goBack();
  await entry('june/').waitFor();
}

// What was removed has a delete marker, and what was replaced two versions.
async function showsVersions() {
  await page.getByRole('link', { name: 'Removed', exact: true }).click();
  await entry('july.jpg').click();
  await page.getByText('delete marker').waitFor();
  await check.everything(page);
  await photograph(session, 'removed');
  await page.setViewportSize({ width: 1100, height: 850 });
  await page.getByRole('link', { name: 'Objects', exact: true }).click();
  await entry('june/').click();
  await entry('lake.jpg').click();
  await page.waitForFunction(() => document.querySelectorAll('.versions li').length === 2);
  assert.equal(await page.getByText('current', { exact: true }).count(), 1);
  await check.everything(page);
  await photograph(session, 'versions');
  await page.setViewportSize({ width: 1100, height: 850 });
}

async function showsUploads() {
  await page.keyboard.press('Escape');
  await page.getByRole('link', { name: 'Uploads', exact: true }).click();
  await page.getByText('No multipart upload is in progress.').waitFor();
}

async function showsBigBuckets() {
  await goTo('Buckets');
  await page.getByRole('link', { name: 'many', exact: true }).click();
  await rowCount(151);
  await page.getByText('150 entries').waitFor();
  await page.locator('.space .name').first().focus();
  await page.keyboard.press('End');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'object 1149', 'the focus is at the last row');
  assert.ok(await page.locator('.space .row').count() < 60, 'only those in view are elements');
}

async function explainsRequests() {
  await goTo('Requests');
  await page.getByText('No request yet').waitFor();
  const date = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  await fetch(`${test.s3}/photos/2026/july.jpg`);
  await fetch(`${test.s3}/photos/lake.jpg?x-id=GetObject`, { headers: {
    'x-amz-date': date, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
    authorization: `AWS4-HMAC-SHA256 Credential=root/${date.slice(0, 8)}/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=00`,
  } });
  await fetch(`${test.s3}/photos/2026/june/lake.jpg`, { method: 'OPTIONS', headers: { origin: 'http://a.example', 'access-control-request-method': 'GET' } });
  await page.getByRole('button', { name: 'AccessDenied' }).waitFor(); // by itself
  const wrong = page.getByRole('button', { name: 'SignatureDoesNotMatch' });
  await wrong.click();
  await page.getByText('UNSIGNED-PAYLOAD').first().waitFor();
  await page.getByText('The client has another secret').waitFor();
  await fetch(`${test.s3}/photos/later`);
  await page.getByRole('button', { name: '/photos/later' }).waitFor();
  assert.equal(await wrong.getAttribute('aria-expanded'), 'true', 'it stays open');
  assert.ok(await wrong.evaluate((e) => e === document.activeElement), 'the focus stays');
  await check.everything(page);
  await photograph(session, 'requests');
  assert.ok(!(await page.content()).includes('Signature=00'));
}

async function addsAndRemovesFaults() {
  await goTo('Faults');
  await page.getByText('No fault').waitFor();
  await page.getByLabel('Operation', { exact: true }).fill('GetObject');
  await page.getByLabel('What happens').selectOption('Cut the body after bytes');
  await page.getByLabel('Value', { exact: true }).fill('x');
  await page.keyboard.press('Enter');
  await page.getByText('must be a whole number').waitFor();
  await page.getByLabel('Value', { exact: true }).fill('10');
  await page.keyboard.press('Enter');
  await hears('The fault is added.');
  await page.getByText('cutAfter: 10').waitFor();
  await page.getByLabel('What happens').selectOption('Fail with a code');
  await page.getByLabel('Operation', { exact: true }).fill('');
  await page.getByLabel('Key', { exact: true }).fill('<b>*');
  await page.getByRole('button', { name: 'Add the fault' }).click();
  await page.getByText('key: <b>*').waitFor();
  await check.everything(page);
  await photograph(session, 'faults');
  await page.getByRole('button', { name: 'Remove: operation: GetObject' }).click();
  await hears('The fault is removed.');
  await page.getByText('cutAfter: 10').waitFor({ state: 'detached' });
}

async function reportsAServerThatRefuses() {
  await page.goto(`${test.url}#/bucket?name=none`);
  await page.getByText('bucket not found').waitFor();
  expectComplaints(/40[04]/);
}

await walk(session, [needsTheCredentials, showsBuckets, showsHostileNamesAsText, opensFolders, showsVersions, showsUploads, showsBigBuckets, explainsRequests, addsAndRemovesFaults, reportsAServerThatRefuses]);
