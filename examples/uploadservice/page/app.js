"use strict";

const form = document.getElementById("form");
const input = document.getElementById("files");
const problems = document.getElementById("problems");
const stored = document.getElementById("stored");

// ask sends a request to this server, whose errors are problem details.
async function ask(path, options) {
  const answer = await fetch("uploads/" + path, options);
  if (answer.status === 204) return null;
  const json = await answer.json();
  if (!answer.ok) throw json;
  return json;
}

function asJSON(value) {
  return { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(value) };
}

// sendToServer sends all files in one form, and stores all or none.
async function sendToServer(files) {
  const body = new FormData();
  for (const file of files) body.append("photo", file);
  const answer = await ask("", { method: "POST", body });
  answer.files.forEach(show);
}

// sendToStore requests a ticket, sends the file with it, and finishes the upload. If
// the size is known and not 0, the ticket is a PUT, or in parts if the file is large.
async function sendToStore(file) {
  if (file.size === 0) throw { file: file.name, detail: "The file is empty." };
  const ticket = await ask("tickets", asJSON({ name: file.name, type: file.type, size: file.size }));
  if (ticket.parts) await sendParts(file, ticket);
  else await put(ticket.put, file, file.name);
  show(await ask("tickets/finish", asJSON({ token: ticket.token })));
}

// sendParts sends one part after the other.
async function sendParts(file, ticket) {
  const size = ticket.parts.size;
  for (let number = 1; number <= ticket.parts.count; number++) {
    const answer = await ask("tickets/parts", asJSON({ token: ticket.token, numbers: [number] }));
    await put(answer.parts[0].put, file.slice((number - 1) * size, number * size), file.name);
  }
}

// put makes a signed request.
async function put(signed, body, name) {
  const headers = new Headers();
  for (const [name, values] of Object.entries(signed.headers || {})) {
    for (const value of values) headers.append(name, value);
  }
  const sent = await fetch(signed.url, { method: signed.method, headers, body });
  // 412: the file is there already, from a request whose response was lost.
  if (!sent.ok && sent.status !== 412) throw { file: name, detail: "The store refused the file (" + sent.status + ")." };
}

function show(file) {
  const row = document.createElement("li");
  const image = document.createElement("img");
  image.src = file.url;
  image.alt = "";
  const text = document.createElement("span");
  const link = document.createElement("a");
  link.href = file.url;
  link.textContent = file.name;
  const details = document.createElement("small");
  details.textContent = `${file.type}, ${file.width} × ${file.height}, ${file.size} bytes, ${file.key}`;
  text.append(link, details);
  const button = document.createElement("button");
  button.textContent = "Delete";
  button.addEventListener("click", () => attempt(async () => {
    await ask(file.key, { method: "DELETE" });
    row.remove();
  }));
  row.append(image, text, button);
  stored.prepend(row);
}

// attempt shows errors in words.
async function attempt(work) {
  try {
    await work();
  } catch (problem) {
    const row = document.createElement("li");
    const words = problem.detail || "The server or the store cannot be reached.";
    row.textContent = problem.file ? `${problem.file}: ${words}` : words;
    problems.append(row);
  }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  problems.replaceChildren();
  const files = Array.from(input.files);
  if (event.submitter && event.submitter.value === "store") {
    await Promise.all(files.map((file) => attempt(() => sendToStore(file))));
  } else {
    await attempt(() => sendToServer(files));
  }
  form.reset();
});
