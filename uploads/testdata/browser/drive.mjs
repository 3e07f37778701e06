// Drives the browser for the Go tests: one JSON command in each line of the standard input,
// one result in each line of the output.
import { createInterface } from 'node:readline';

const [playwright, executablePath] = process.argv.slice(2);
const { chromium } = await import(playwright);
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
const context = await browser.newContext();
context.setDefaultTimeout(300_000);
const tabs = new Map();

const commands = {
  async open({ tab, url, script }) {
    const page = await context.newPage();
    page.on('console', (message) => console.error(`${tab}: ${message.text()}`));
    page.on('pageerror', (error) => console.error(`${tab}: ${error}`));
    if (script) await page.addInitScript(script);
    tabs.set(tab, page);
    await page.goto(url);
    await page.waitForFunction(() => window.ready);
  },
  async reload({ tab }) {
    await tabs.get(tab).reload();
    await tabs.get(tab).waitForFunction(() => window.ready);
  },
  choose: ({ tab, path }) => tabs.get(tab).locator('#file').setInputFiles(path),
  evaluate: ({ tab, expression }) => tabs.get(tab).evaluate(expression),
  wait: ({ tab, expression }) => tabs.get(tab).waitForFunction(expression).then(() => null),
  async close({ tab }) {
    await tabs.get(tab).close();
    tabs.delete(tab);
  },
  offline: ({ value }) => context.setOffline(value),
};

const lines = createInterface({ input: process.stdin });
lines.on('line', async (line) => {
  const { id, op, ...rest } = JSON.parse(line);
  let reply;
  try {
    reply = { id, value: await commands[op](rest) };
  } catch (error) {
    reply = { id, error: String(error?.message ?? error) };
  }
  process.stdout.write(`${JSON.stringify(reply)}\n`);
});
lines.on('close', async () => {
  await browser.close();
  process.exit(0);
});
process.stdout.write('{"id": 0}\n');
