// Fails if a link of the built site leads to no page, file or heading of it.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

const dist = join(import.meta.dirname, '.vitepress/dist');
const decode = (text) => decodeURIComponent(text.replaceAll('&amp;', '&'));
const pages = new Map(readdirSync(dist, { recursive: true }).filter((name) => name.endsWith('.html')).map((name) => [name, readFileSync(join(dist, name), 'utf8')]));
let dead = 0;
for (const [name, text] of pages) {
  for (const [, href] of text.matchAll(/<a [^>]*?href="([^"]*)"/g)) {
    if (/^\w+:/.test(href)) continue;
    const [path, heading] = href.split('#').map(decode);
    const file = path === '' ? name : normalize(path.startsWith('/') ? path.slice(1) || '.' : join(dirname(name), path));
    const found = [file, `${file}.html`, join(file, 'index.html')].find((f) => pages.has(f) || /\.\w+$/.test(f) && existsSync(join(dist, f)));
    if (found && (!heading || pages.get(found)?.includes(` id="${heading}"`))) continue;
    console.error(`${name}: ${href} leads nowhere`);
    dead++;
  }
}
process.exit(dead > 0 ? 1 : 0);
