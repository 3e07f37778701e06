// Names, sizes, times and lists, as people read them.

const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];

// size returns a number of bytes in the largest unit that fits.
export function size(bytes) {
  let unit = 0;
  for (; bytes >= 1023.95 && unit < units.length - 1; unit++) bytes /= 1024;
  if (bytes === 1 && unit === 0) return '1\u00a0byte';
  return `${bytes.toLocaleString(undefined, { maximumFractionDigits: 1 })}\u00a0${units[unit]}`;
}

export const day = (date) => new Date(date).toLocaleDateString(undefined, { dateStyle: 'medium' });

export function moment(date) {
  return new Date(date).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });
}

const lengths = [['day', 86400], ['hour', 3600], ['minute', 60], ['second', 1]];

// duration returns seconds in the largest unit that fits.
export function duration(seconds) {
  const [unit, length] = lengths.find(([, length]) => seconds >= length) ?? lengths.at(-1);
  return new Intl.NumberFormat('en', { style: 'unit', unit, unitDisplay: 'long', maximumFractionDigits: 1 }).format(seconds / length);
}

export function listOf(words, last) {
  return words.length < 2 ? words.join() : `${words.slice(0, -1).join(', ')} ${last} ${words.at(-1)}`;
}

// shown returns a name without characters that change the order or place of others: a file
// "a\u202egpj.exe" would look like a picture.
export function shown(name) {
  return name.replace(/[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu, '\ufffd');
}
