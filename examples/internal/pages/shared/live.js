// What a screen reader reads aloud.

const live = document.getElementById('live');
let said = [];

// say makes a screen reader read text after its current text. Texts of the same moment are
// joined, because only the last change would be read.
export function say(text) {
  said.push(text);
  if (said.length === 1) {
    setTimeout(() => {
      live.textContent = said.join(' ');
      said = [];
    }, 100);
  }
}
