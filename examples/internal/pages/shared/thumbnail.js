// Small pictures of files.
import { element } from './elements.js';

const pictures = ['image/avif', 'image/gif', 'image/jpeg', 'image/png', 'image/webp'];
const largest = 32 << 20; // bytes of a picture that is decoded
const height = 96; // pixels

// isPicture reports whether a browser shows files of this type as a picture.
export const isPicture = (type) => pictures.includes(type);

// thumbnail shows a chosen file: a picture, or the extension of its name. The picture is drawn,
// so that the page's policy need not allow addresses of blobs.
export function thumbnail(file) {
  const box = extension(file.name);
  if (file instanceof Blob && isPicture(file.type) && file.size <= largest) draw(file, box);
  return box;
}

// storedThumbnail shows the picture at an address, or the extension of a name if there is none.
export function storedThumbnail(name, address) {
  const box = extension(name);
  if (!address) return box;
  const img = element('img', { src: address, alt: '', loading: 'lazy', decoding: 'async' });
  img.addEventListener('error', () => box.replaceWith(extension(name)));
  box.replaceChildren(img);
  return box;
}

function extension(name) {
  const [, found] = /\.([a-z0-9]{1,4})$/i.exec(name) ?? [];
  return element('span', { className: 'thumb', ariaHidden: 'true' }, (found ?? 'file').toUpperCase());
}

async function draw(file, box) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { resizeHeight: height, resizeQuality: 'medium' });
  } catch {
    return; // it is no picture, whatever its name says
  }
  const canvas = element('canvas', { width: bitmap.width, height: bitmap.height });
  canvas.getContext('bitmaprenderer').transferFromImageBitmap(bitmap);
  box.replaceChildren(canvas);
}
