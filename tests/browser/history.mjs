// Points at the first chart of a history, sorts and filters, and prints what the page says, as JSON.
// Usage: node history.mjs HISTORY.html; QCAPS_CHROMIUM names the browser.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const modules = createRequire(`${process.env.QCAPS_NODE_MODULES ?? process.cwd()}/`);
const { chromium } = modules("playwright-core");
const browser = await chromium.launch({
  executablePath: process.env.QCAPS_CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
});
const tab = await browser.newPage({ viewport: { width: 1000, height: 1000 } });
await tab.goto(pathToFileURL(process.argv[2]).href);
const said = {};
const svg = tab.locator(".panels svg").first(), told = tab.locator(".panels .told").first();
const box = await svg.boundingBox();
await tab.mouse.move(box.x + box.width - 2, box.y + 30);
said.last = await told.textContent();
await svg.focus();
await tab.keyboard.press("Home");
said.first = await told.textContent();
const shown = () => tab.locator(".panels li:not([hidden])").evaluateAll((all) => all.map((one) => one.dataset.name));
await tab.selectOption("#order", "name");
said.sorted = await shown();
await tab.check("#settled");
said.settled = await shown();
await tab.uncheck("#settled");
await tab.fill("#name", "QUIET");
said.named = await shown();
await browser.close();
console.log(JSON.stringify(said));
