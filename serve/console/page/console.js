// The page: its tabs, its routes, and what it says when the server cannot be reached.
import { browse, leave } from './browse.js';
import { call, connection } from './call.js';
import { element, heading, icon, moment, paged, reporting, row, shown } from './elements.js';
import { address, route } from './route.js';

const main = document.getElementById('main');
const banner = document.getElementById('banner');
const tabs = document.getElementById('tabs');
const pages = { buckets: showBuckets, bucket: (parameters) => browse(main, parameters, info, extra.views ?? {}) };
let info = null;
let extra = {}; // what extra.js exports: pages and views of a bucket, by name

// start asks what this page is for.
async function start() {
  info = await call('GET', 'info');
  if (info.title === info.one) info.title = 'omnibucket'; // the name of the bucket is in the heading below
  extra = info.script ? await import('./extra.js') : {};
  Object.assign(pages, extra.pages);
  document.getElementById('title').replaceChildren(icon('bucket'), element('span', {}, shown(info.title)));
  document.getElementById('mode').hidden = info.write;
  document.getElementById('mode').title = 'Nothing can be changed here.';
  const all = [{ name: 'buckets', title: info.one ? 'Objects' : 'Buckets' }, ...info.pages ?? []];
  tabs.replaceChildren(...all.map(({ name, title }) => element('a', { href: address(name) }, title)));
  tabs.hidden = info.one !== '' && all.length === 1;
}

// begin starts, then shows what the address says.
const begin = () => reporting(start, true).then(show);

async function show() {
  if (!info) return;
  let { name, parameters } = route();
  if (!Object.hasOwn(pages, name)) name = 'buckets';
  if (name === 'buckets' && info.one) [name, parameters] = ['bucket', { name: info.one }];
  for (const link of tabs.children) link.ariaCurrent = link.hash.startsWith(address(name)) || (name === 'bucket' && link.hash === address('buckets')) ? 'page' : null;
  document.body.classList.toggle('browses', name === 'bucket');
  if (name !== 'bucket') leave();
  await reporting(async () => {
    if (name !== 'bucket') main.replaceChildren(element('p', { className: 'empty loading' }, 'Loading…'));
    await pages[name](parameters, main);
  }, true);
  const titles = [...document.querySelectorAll('main h2, main h3')].map((title) => title.textContent);
  document.title = [...titles.reverse(), name === 'bucket' && titles.at(-1) !== parameters.name ? parameters.name : '', info.title].filter(Boolean).join(' – ');
}

async function showBuckets() {
  const columns = [{ title: 'Bucket' }, { title: 'Created' }, { title: 'Settings' }];
  const list = paged(columns, 'Buckets', 'There is no bucket here yet.',
    async (after) => {
      const { buckets, next } = await call('GET', 'buckets', { after });
      return { entries: buckets, next };
    },
    ({ name, created, labels }) => row(columns, element('a', { href: address('bucket', { name }) }, icon('bucket'), shown(name)), moment(created),
      element('span', { className: 'actions' }, ...(labels ?? []).map((label) => element('span', { className: 'badge' }, label)))));
  main.replaceChildren(heading('Buckets'), ...list.parts);
  await list.next();
}

function say(...parts) {
  banner.replaceChildren(...parts);
  banner.hidden = false;
}

connection.addEventListener('lost', () => say(navigator.onLine
  ? 'The server does not answer. If it was stopped, start its command again. This page goes on by itself.'
  : 'This device is offline. The page goes on by itself when it is online again.'));

connection.addEventListener('back', () => {
  banner.hidden = true;
  if (!info) begin();
  else if (!document.getElementById('problem').hidden) show();
});

connection.addEventListener('over', () => {
  banner.hidden = true;
  document.body.classList.remove('browses');
  leave();
  main.replaceChildren(heading('This session is over'), element('p', { className: 'empty' },
    'The server has been started again, and this address is no longer valid. Start the command again, and open the address that it prints.'));
});

addEventListener('hashchange', async () => {
  const stays = document.body.classList.contains('browses') && document.querySelector('main h2');
  await show();
  if (!stays?.isConnected) main.querySelector('h2')?.focus({ preventScroll: true });
});
begin();
