// The page in a real browser. The Go test beside it has the fields of its input.
import assert from 'node:assert/strict';
import path from 'node:path';
import { named } from '../../../internal/testing/pagetest/checks.mjs';
import { start, walk } from '../../../internal/testing/pagetest/browser.mjs';

const test = JSON.parse(process.argv[2]);
const session = await start(test);
const { page, expectComplaints } = session;
const tells = (text) => page.locator('#state', { hasText: text }).waitFor();

async function refusesAPageNamedPNG() {
  await page.goto(test.url);
  await named(page);
  const markup = Buffer.from('<!doctype html><script>alert(1)</script>');
  await page.locator('#file').setInputFiles({ name: 'page.png', mimeType: 'image/png', buffer: markup });
  await tells('Allowed: JPEG, PNG, GIF, WebP and AVIF.');
  assert.equal(await page.locator('#picture').getAttribute('src'), null);
  expectComplaints(/415/);
}

async function uploadsAndShows() {
  await page.locator('#file').setInputFiles(path.join(test.files, 'Lake at dawn.jpg'));
  await tells('Stored');
  const picture = page.locator('#picture');
  await picture.evaluate((img) => img.decode());
  assert.equal(await picture.evaluate((img) => img.naturalWidth), 1200);
  assert.equal(await page.locator('#bar').evaluate((bar) => bar.value), 1);
}

await walk(session, [refusesAPageNamedPNG, uploadsAndShows]);
