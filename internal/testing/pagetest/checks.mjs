// What holds of every page, in every state: it fits a phone, its text can be read, its controls
// have names, and Tab reaches them.
import assert from 'node:assert/strict';
import { protocol } from './browser.mjs';

// fits checks that nothing is wider than a screen, by default the narrowest.
export async function fits(page, width = 360) {
  await page.setViewportSize({ width, height: 740 });
  const { whole, wide } = await page.evaluate((limit) => ({
    whole: document.documentElement.scrollWidth,
    wide: [...document.body.querySelectorAll('*')]
      .filter((e) => e.checkVisibility() && !e.closest('.unseen') && e.getBoundingClientRect().right > limit + 0.5)
      .map((e) => `${e.tagName} ${e.className}`),
  }), width);
  assert.ok(whole <= width, `the page is ${whole} wide on a screen of ${width}: ${wide}`);
  assert.deepEqual(wide, []);
}

// readable checks the contrast of all text with what is behind it, and of the edges of controls,
// in both schemes.
export async function readable(page) {
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    const poor = await page.evaluate(poorContrast);
    assert.deepEqual(poor, [], colorScheme);
  }
}

// poorContrast runs in the page.
function poorContrast() {
  const channels = (color) => {
    const [r, g, b, a = 1] = color.match(/[\d.]+/g).map(Number);
    return [r, g, b, a];
  };
  const over = ([r, g, b, a], below) => [r, g, b].map((c, i) => c * a + below[i] * (1 - a));
  const background = (e) => {
    if (!e) return [255, 255, 255];
    const color = channels(getComputedStyle(e).backgroundColor);
    return color[3] === 1 ? color.slice(0, 3) : over(color, background(e.parentElement));
  };
  const luminance = (color) => {
    const [r, g, b] = color.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => {
    const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };
  const poor = [];
  const check = (what, color, behind, least) => {
    const found = contrast(over(channels(color), behind), behind);
    if (found < least) poor.push(`${what}: ${color} on ${behind} is ${found.toFixed(2)}`);
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const e = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !e.checkVisibility({ visibilityProperty: true }) || e.closest('.unseen, svg, option')) continue;
    check(texts.currentNode.data.trim().slice(0, 40), getComputedStyle(e).color, background(e), 4.5);
  }
  for (const e of document.querySelectorAll('button, .button, input:not([type=file], [type=checkbox], [type=radio]), select, .drop')) {
    if (!e.checkVisibility()) continue;
    const { color, borderTopColor } = getComputedStyle(e);
    const name = e.ariaLabel || e.textContent.trim() || e.id;
    check(`text of ${name}`, color, background(e), 4.5);
    check(`edge of ${name}`, borderTopColor, background(e.parentElement), 3);
    if (e.placeholder) check(`hint of ${name}`, getComputedStyle(e, '::placeholder').color, background(e), 4.5);
  }
  for (const e of document.querySelectorAll('progress')) {
    const { color, backgroundColor } = getComputedStyle(e); // the stylesheet draws the bar in the color of text
    if (e.checkVisibility()) check(e.ariaLabel, color, channels(backgroundColor).slice(0, 3), 3);
  }
  return poor;
}

const needNames = new Set(['button', 'link', 'textbox', 'searchbox', 'checkbox', 'radio', 'combobox', 'progressbar', 'image', 'img', 'dialog', 'alertdialog', 'navigation', 'region', 'list', 'group', 'radiogroup']);

// named checks the browser's accessibility tree: each control, picture, list and region has a name.
export async function named(page) {
  const session = await protocol(page);
  const { nodes } = await session.send('Accessibility.getFullAXTree');
  const exposed = nodes.filter(({ ignored, role }) => !ignored && needNames.has(role?.value));
  assert.ok(exposed.length > 0, 'the accessibility tree is empty');
  const unnamed = exposed.filter(({ name }) => !name?.value?.trim()).map(({ role }) => role.value);
  assert.deepEqual(unnamed, [], 'these have no name');
}

// reachable checks that Tab reaches every control, in the order of the page, and that each shows
// that it has the focus.
export async function reachable(page) {
  const expected = await page.evaluate(() => {
    const groups = new Set();
    const controls = [...document.querySelectorAll('a[href], button, input, select')].filter((e) => {
      if (e.disabled || !e.checkVisibility()) return false;
      if (e.type !== 'radio') return true;
      return e.checked && !groups.has(e.name) && groups.add(e.name); // Tab reaches the selected one
    });
    controls.forEach((e, i) => { e.dataset.tab = i; });
    document.activeElement.blur();
    getSelection().removeAllRanges();
    scrollTo(0, 0);
    return controls.map((e) => e.ariaLabel || e.textContent.trim() || e.id || e.value);
  });
  const reached = [];
  await page.locator('h1').click(); // Tab starts here or at the page's beginning
  await page.evaluate(() => { document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute('tabindex'); });
  for (let i = 0; i < expected.length; i++) {
    await page.keyboard.press('Tab');
    reached.push(await page.evaluate(() => {
      const e = document.activeElement;
      const outlined = (f) => f && getComputedStyle(f).outlineStyle !== 'none' && parseFloat(getComputedStyle(f).outlineWidth) >= 2;
      const seen = outlined(e) || outlined(e.closest('.drop'));
      return seen ? Number(e.dataset.tab ?? -1) : `${e.tagName} ${e.id || e.ariaLabel || e.textContent} shows no focus`;
    }));
  }
  assert.deepEqual(reached, expected.map((_, i) => i), `Tab reaches ${expected}`);
}

// everything runs all checks, and leaves the page as wide as it was.
export async function everything(page) {
  const before = page.viewportSize();
  await named(page);
  await reachable(page);
  await readable(page);
  await fits(page);
  await fits(page, 1400);
  await page.setViewportSize(before);
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'no-preference' });
}
