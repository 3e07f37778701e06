// Addresses within the page: #/bucket?name=photos&prefix=2026/&object=2026/lake.jpg

// address returns the address of a page of the console. Empty parameters are left out.
export const address = (page, parameters = {}) => `#/${page}?${new URLSearchParams(Object.entries(parameters).filter(([, value]) => value))}`;

// route returns what the current address asks for.
export function route() {
  const [, name, query] = location.hash.match(/^#\/(\w+)\??(.*)$/) ?? [null, '', ''];
  return { name, parameters: Object.fromEntries(new URLSearchParams(query)) };
}

export const leaf = (key) => key.match(/[^/]*\/?$/)[0];
export const parent = (key) => key.slice(0, key.length - leaf(key).length);
