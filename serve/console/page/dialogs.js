// Questions, as <dialog>: Escape closes them, and the focus returns to where it was.
import { button, element, inWords } from './elements.js';

// ask shows a question, and returns what run returns, or null if the user changes their mind. run works when
// the user submits; what it throws is shown, and the dialog stays. choices are further buttons: [text, value].
export function ask({ title, parts = [], submit, danger = false, close = 'Cancel', choices = [], run = () => true }) {
  return new Promise((resolve) => {
    let answer = null;
    const wrong = element('p', { className: 'problem', role: 'alert', hidden: true });
    const main = submit ? element('button', { className: danger ? 'main danger' : 'main' }, submit) : null;
    const cancel = button(close, () => dialog.close());
    const others = choices.map(([text, value]) => button(text, () => { answer = value; dialog.close(); }));
    const form = element('form', { method: 'dialog', noValidate: true }, element('h2', { id: 'question' }, title), ...parts, wrong,
      element('div', { className: 'answers' }, cancel, ...others, main));
    const dialog = element('dialog', {}, form);
    dialog.setAttribute('aria-labelledby', 'question');
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      if (!main || main.disabled) return;
      main.disabled = true;
      try {
        answer = await run();
        dialog.close();
      } catch (error) {
        wrong.textContent = inWords(error);
        wrong.hidden = false;
        main.disabled = false;
      }
    });
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(answer);
    });
    document.body.append(dialog);
    dialog.showModal();
    const first = dialog.querySelector('input:not([type=checkbox], [type=radio]), select');
    (first ?? (danger ? cancel : main) ?? cancel).focus();
  });
}

// field makes a text field with its label.
export function field(name, properties = {}) {
  const input = element('input', { autocomplete: 'off', spellcheck: false, ...properties });
  return { input, label: element('label', { className: 'field' }, element('span', {}, name), input) };
}
