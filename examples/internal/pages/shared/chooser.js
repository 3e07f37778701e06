// How files are chosen: by the input, or dropped anywhere on the page, because a browser would
// open one that misses the input.

// onFiles calls add with the files that were chosen or dropped.
export function onFiles(input, add) {
  const given = (files) => files.length > 0 && add([...files]);
  input.addEventListener('change', () => {
    given(input.files);
    input.value = ''; // so that the same file can be chosen again
  });
  onDrop(given);
}

// onDrop calls take with the files that were dropped on the page.
export function onDrop(take) {
  const holdsFiles = (e) => e.dataTransfer?.types.includes('Files');
  const mark = (on) => document.body.classList.toggle('dragging', on);
  addEventListener('dragover', (e) => {
    if (!holdsFiles(e)) return;
    e.preventDefault();
    mark(true);
  });
  addEventListener('dragleave', (e) => mark(e.relatedTarget !== null));
  addEventListener('drop', (e) => {
    if (!holdsFiles(e)) return;
    e.preventDefault();
    mark(false);
    take(e.dataTransfer.files);
  });
}
