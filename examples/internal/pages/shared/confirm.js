// The question before something is deleted.

const dialog = document.getElementById('confirm');
let asked = Promise.resolve();

// confirmed asks, and returns a promise of the answer. A dialog's event arrives some time after
// it was closed, and another question waits for it.
export function confirmed(question, text) {
  asked = asked.then(async () => {
    document.getElementById('confirm-title').textContent = question;
    document.getElementById('confirm-text').textContent = text;
    dialog.returnValue = 'keep';
    dialog.showModal();
    await new Promise((closed) => dialog.addEventListener('close', closed, { once: true }));
    return dialog.returnValue === 'delete';
  });
  return asked;
}
