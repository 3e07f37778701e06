// A browser for the tests of pages, driven like a user.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';

const patience = 300_000; // of a step, in milliseconds: many times what a busy machine takes

// start starts the browser. The input is that of Run in pagetest.go.
export async function start({ browser: { chromium: program, playwright, artifacts, photographs }, name }, options = {}) {
  const { chromium } = await import(playwright);
  const browser = await chromium.launch({ executablePath: program, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
  const context = await browser.newContext({ viewport: { width: 1100, height: 850 }, colorScheme: 'light', locale: 'en-GB', ...options });
  context.setDefaultTimeout(patience);
  const page = await context.newPage();

  // The errors in the browser's console. A step that causes one removes it.
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(`${message.text()} (${message.location().url.split('?')[0]})`);
  });

  return {
    browser,
    context,
    page,
    complaints,
    expectComplaints(pattern) {
      for (const complaint of complaints.splice(0)) assert.match(complaint, pattern);
    },
    // picture takes a screenshot if somebody wants to see it.
    async picture(what, shot) {
      if (!photographs && what !== 'failed') return;
      await page.screenshot({ path: path.join(artifacts, `${[name, what].filter(Boolean).join('-')}.png`), ...shot });
    },
    hears: (pattern) => page.locator('#live', { hasText: pattern }).waitFor({ state: 'attached' }),
  };
}

// walk takes the steps one after the other, closes the browser, and returns what they measured.
// After each step the browser must not complain.
export async function walk({ browser, page, complaints, picture }, steps) {
  let measured = {};
  try {
    for (const step of steps) {
      const started = Date.now();
      try {
        measured = { ...measured, ...await step() };
        assert.deepEqual(complaints, [], 'the browser complains');
      } catch (error) {
        await picture('failed', { fullPage: true }).catch(() => {});
        const rows = await page.locator('.upload').allInnerTexts().catch(() => []);
        console.log(`rows: ${rows}\nbrowser: ${complaints.join('\n')}`);
        throw new Error(`${step.name}: ${error.message}`, { cause: error });
      }
      console.log(`${step.name} in ${Date.now() - started} ms`);
    }
    return measured;
  } finally {
    await browser.close();
  }
}

const sessions = new WeakMap(); // by page

// protocol returns a session of the browser's protocol. It is the same for each call, and ends with
// the page: the end of a session also ends what other sessions emulate, such as a lost network.
export function protocol(page) {
  if (!sessions.has(page)) sessions.set(page, page.context().newCDPSession(page));
  return sessions.get(page);
}

const looks = [
  { scheme: 'light', screen: 'desktop', width: 1100, height: 800, scale: 1.5 },
  { scheme: 'dark', screen: 'desktop', width: 1100, height: 800, scale: 1.5 },
  { scheme: 'light', screen: 'phone', width: 390, height: 844, scale: 2 },
  { scheme: 'dark', screen: 'phone', width: 390, height: 844, scale: 2 },
];
const quality = 78;
const phoneHeight = 1100; // of a picture in the documentation: long pages end there

// photograph takes pictures of the whole page, in both schemes and on two screens. Those that
// documents name (shown) are also stored as directory/subject-screen-scheme.webp, unless
// directory is empty.
export async function photograph({ page, picture }, subject, directory, shown = []) {
  const session = await protocol(page);
  for (const { scheme, screen, width, height, scale } of looks) {
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
    await page.setViewportSize({ width, height });
    await page.evaluate(() => scrollTo(0, 0));
    await page.locator('img').evaluateAll((images) => Promise.all(images.map((i) => { i.loading = 'eager'; return i.decode(); })));
    await picture(`${subject}-${screen}-${scheme}`, { fullPage: true });
    if (!directory || !shown.includes(`${screen}-${scheme}`)) continue;
    const whole = await page.evaluate(() => document.documentElement.scrollHeight);
    const clip = { x: 0, y: 0, width, height: screen === 'phone' ? Math.min(whole, phoneHeight) : whole, scale };
    const { data } = await session.send('Page.captureScreenshot', { format: 'webp', quality, clip, captureBeyondViewport: true });
    await writeFile(path.join(directory, `${subject}-${screen}-${scheme}.webp`), Buffer.from(data, 'base64'));
  }
}
