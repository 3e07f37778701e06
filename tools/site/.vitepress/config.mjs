// The site of the documentation: the pages of docs/, which are readable without it, too.
//
//   npm ci && npm run build     # into .vitepress/dist
//
// Fonts and the search index are part of the site. It loads nothing from other hosts.

import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const repository = 'https://github.com/omnibucket/storage';

const start = [
  ['Getting started', 'getting-started'],
  ['Stores', 'stores'],
  ['Files of users', 'files-of-users'],
  ['Jobs: copy, back up, expire', 'jobs'],
  ['Testing your backend', 'testing-your-backend'],
];
const tasks = [
  ['Permissions', 'permissions'],
  ['Options and functions', 'options'],
  ['Cookbook', 'cookbook'],
  ['Conditions', 'conditions'],
  ['Leases', 'lease'],
  ['Commits', 'commit'],
  ['Configuration', 'configuration'],
  ['Layers', 'layers'],
  ['Moving stores', 'moving-stores'],
  ['Two stores', 'two-stores'],
  ['When a store is gone', 'when-a-store-is-gone'],
  ['Encryption', 'encryption'],
  ['Signed URLs', 'signed-urls'],
  ['Behind a CDN', 'cdn'],
  ['Vended credentials', 'vend'],
  ['Objects and your database', 'objects-and-your-database'],
  ['Least privilege', 'least-privilege'],
  ['Errors and troubleshooting', 'troubleshooting'],
  ['Observability', 'observability'],
];
const tools = [
  ['Command line', 'cli'],
  ['Beside rclone, s5cmd, mc and aws', 'cli-beside-others'],
  ['Look into a bucket', 'console'],
  ['Agents and buckets', 'mcp'],
  ['Go build cache', 'gocache'],
  ['S3 server', 's3server'],
];
const choosing = [
  ['Who it is for, and who not', 'who-it-is-for'],
  ['Beside other libraries', 'comparison'],
  ['Moving from another library', 'migrating/'],
  ['Performance', 'performance'],
];
const trust = [
  ['What each store does', 'support'],
  ['Certified', 'certified'],
  ['Versions and releases', 'versions'],
  ['Writing a driver', 'writing-a-driver'],
];

// Maintainers have a menu of their own, and the search does not find their pages.
const maintainers = [
  ['Where to go', 'maintainers/'],
  ['Architecture', 'maintainers/architecture'],
  ['Contract', 'maintainers/contract'],
  ['Reliability', 'maintainers/reliability'],
  ['Tests and releases', 'maintainers/testing'],
  ['Judges of the S3 server', 'maintainers/s3api'],
  ['Decisions', 'maintainers/decisions/'],
  ['Writing', 'maintainers/writing'],
  ['Open questions', 'maintainers/questions'],
  ['Sources of the comparisons', 'maintainers/comparison-sources'],
];

const isForMaintainers = (page) => page.startsWith('maintainers/');

const group = (text, pages) => ({
  text,
  items: pages.map(([name, page]) => ({ text: name, link: `/${page}` })),
});

// Tables of these pages need the room of the outline.
const wide = ['permissions.md', 'support.md', 'comparison.md', 'maintainers/reliability.md', 'maintainers/questions.md'];

// Links from docs/ to other folders, and to files that are no pages, lead to the repository. A README.md is the page index.md.
function linkOutside(markdown) {
  markdown.core.ruler.push('outside', ({ tokens, env }) => {
    const folder = `docs/${env.relativePath ?? ''}`.split('/').slice(0, -1);
    for (const token of tokens.flatMap(({ children }) => children ?? [])) {
      const href = token.type === 'link_open' ? token.attrGet('href') : null;
      if (!href || /^(\w+:|[#/])/.test(href)) continue;
      const { pathname, hash } = new URL(href, `file:///${folder.join('/')}/`);
      const page = pathname.startsWith('/docs/') && pathname.endsWith('.md');
      token.attrSet('href', page ? href.replace(/README\.md(?=#|$)/, 'index.md') : `${repository}/blob/main${pathname}${hash}`);
    }
  });
}

export default {
  title: 'omnibucket',
  description: 'One Go API for every object store.',
  srcDir: '../../docs',
  rewrites: (page) => page.replace(/README\.md$/, 'index.md'),
  cleanUrls: true,
  buildEnd: ({ outDir }) => copyFileSync(join(import.meta.dirname, '../../../llms.txt'), join(outDir, 'llms.txt')),
  transformPageData(page) {
    if (wide.includes(page.relativePath)) page.frontmatter.aside = false;
  },
  // The default themes have comments and keywords with less contrast than 4.5 to 1.
  markdown: { config: linkOutside, theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' } },
  // The pages are outside this folder, where the packages are.
  vite: { resolve: { alias: { vue: fileURLToPath(new URL('../node_modules/vue', import.meta.url)) } } },
  themeConfig: {
    search: {
      provider: 'local',
      options: {
        _render: (text, env, md) => isForMaintainers(env.relativePath) ? '' : md.render(text, env),
      },
    },
    outline: 'deep',
    nav: [
      { text: 'Start', link: '/getting-started' },
      { text: 'Cookbook', link: '/cookbook' },
      {
        text: 'For agents',
        items: [
          { text: 'Ten everyday tasks', link: '/for-agents' },
          { text: 'llms.txt', link: '/llms.txt', target: '_self' },
        ],
      },
      { text: 'API', link: 'https://pkg.go.dev/github.com/omnibucket/storage' },
      { text: 'Source', link: repository },
    ],
    sidebar: {
      '/maintainers/': [group('Maintain it', maintainers)],
      '/': [
        group('Start', start),
        group('By task', tasks),
        group('Tools', tools),
        group('Choose it', choosing),
        group('Trust it', trust),
      ],
    },
  },
};
