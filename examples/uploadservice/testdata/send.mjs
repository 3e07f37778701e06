// Sends one file with the page's own code, without a browser, and prints the result.
import { readFileSync } from "node:fs";
import { createContext, runInContext } from "node:vm";

const [origin, content, more] = process.argv.slice(2);
const element = { addEventListener() {}, append() {}, prepend() {} };
const page = createContext({
  document: { getElementById: () => element, createElement: () => ({ ...element }) },
  fetch: (address, options) => fetch(new URL(address, origin + "/"), options),
  FormData, Headers,
  file: new File([Buffer.from(content || "", "base64"), Buffer.alloc(Number(more || 0), " ")], "me.png", { type: "image/png" }),
});
runInContext(readFileSync(new URL("../page/app.js", import.meta.url), "utf8"), page);
try {
  await runInContext("sendToStore(file)", page);
  console.log("stored");
} catch (problem) {
  console.log(problem.detail || problem);
}
