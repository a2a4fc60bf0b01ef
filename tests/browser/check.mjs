// Opens a report in headless Chromium at three widths, light and dark, and reports what is wrong as JSON:
// console errors, requests, sideways overflow, text that is cut, and what axe finds.
// Usage: node check.mjs REPORT.html [SCREENSHOT-FOLDER]; QCAPS_CHROMIUM names the browser.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const modules = createRequire(`${process.env.QCAPS_NODE_MODULES ?? process.cwd()}/`);
const { chromium } = modules("playwright-core");
const axe = readFileSync(modules.resolve("axe-core/axe.min.js"), "utf8");

const [page, screenshots] = process.argv.slice(2);
const widths = [360, 800, 1600];
const schemes = ["light", "dark"];
const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"];

const browser = await chromium.launch({
  executablePath: process.env.QCAPS_CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
  ],
});
const found = [];
for (const width of widths) {
  for (const colorScheme of schemes) {
    const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme });
    const tab = await context.newPage();
    const where = `${width} ${colorScheme}`;
    const say = (what, detail) => found.push({ where, what, detail });
    tab.on("console", (message) => message.type() === "error" && say("console", message.text()));
    tab.on("pageerror", (error) => say("error", String(error)));
    tab.on("request", (request) => {
      if (!/^(file|data):/.test(request.url())) say("request", request.url());
    });
    await tab.goto(pathToFileURL(page).href);
    for (const open of [false, true]) {
      await tab.evaluate((wanted) => document.querySelectorAll("details").forEach((one) => { one.open = wanted; }), open);
      const overflow = await tab.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (overflow > 0) say("overflow", `${overflow} px sideways${open ? ", details open" : ""}`);
    }
    for (const words of await tab.evaluate(cutWords)) say("cut", words);
    for (const words of await tab.evaluate(smallWords)) say("small", words);
    // what axe finds depends on colours and on structure, not on the width
    if (width === 800) {
      await tab.evaluate(axe);
      const { violations } = await tab.evaluate((only) => axe.run(document, { runOnly: only }), tags);
      for (const one of violations) {
        say("axe", `${one.id}: ${one.help}; ${one.nodes.length} times, first ${one.nodes[0].html.slice(0, 160)}`);
      }
    }
    await tab.evaluate(() => document.querySelectorAll("details").forEach((one) => { one.open = false; }));
    if (screenshots) await tab.screenshot({ path: `${screenshots}/${width}-${colorScheme}.png`, fullPage: true });
    await context.close();
  }
}
await useTables();
await readWithoutScript();
await browser.close();
console.log(JSON.stringify(found, null, 1));
process.exit(found.length ? 1 : 0);

async function useTables() {
  // sorting by each heading orders the rows, a third click puts them back, the filter keeps what has the words
  const context = await browser.newContext({ viewport: { width: 800, height: 900 } });
  const tab = await context.newPage();
  await tab.goto(pathToFileURL(page).href);
  const wrong = await tab.evaluate(() => {
    document.querySelectorAll("details").forEach((one) => { one.open = true; });
    const wrong = [];
    const tables = [...document.querySelectorAll("table")].filter((one) => one.querySelector("button.sort"));
    // a history sorts its charts, by controls of its own
    const otherwise = document.querySelector("form.controls");
    if (!tables.length && !otherwise) wrong.push("no table can be sorted");
    for (const table of tables) {
      const name = table.caption.textContent;
      const texts = (column) => [...table.tBodies[0].rows].map((row) => row.cells[column].textContent.trim());
      const before = texts(0).join();
      [...table.tHead.rows[0].cells].forEach((heading, column) => {
        const button = heading.querySelector("button");
        button.click();
        const numbers = texts(column).map(Number);
        if (numbers.every(Number.isFinite) && numbers.some((one, at) => at && one < numbers[at - 1])) {
          wrong.push(`${name}: ${heading.textContent} is not ascending`);
        }
        if (heading.getAttribute("aria-sort") !== "ascending") wrong.push(`${name}: aria-sort`);
        button.click();
        button.click();
        if (texts(0).join() !== before) wrong.push(`${name}: a third click does not put the rows back`);
      });
      const input = table.closest(".scroll").previousElementSibling?.querySelector?.("input[type=search]");
      if (!input) continue;
      input.value = texts(0)[0];
      input.dispatchEvent(new Event("input"));
      const rows = [...table.tBodies[0].rows];
      const kept = rows.filter((row) => !row.hidden);
      if (!kept.length || kept.some((row) => !row.textContent.toLowerCase().includes(texts(0)[0].split(/\s+/)[0].toLowerCase()))) {
        wrong.push(`${name}: the filter keeps ${kept.length} of ${rows.length}`);
      }
      input.value = "";
      input.dispatchEvent(new Event("input"));
      if (rows.some((row) => row.hidden)) wrong.push(`${name}: an empty filter hides rows`);
    }
    return wrong;
  });
  for (const one of wrong) found.push({ where: "tables", what: "script", detail: one });
  await context.close();
}

async function readWithoutScript() {
  // nothing is hidden, and no control is left that would do nothing
  const context = await browser.newContext({ viewport: { width: 800, height: 900 }, javaScriptEnabled: false });
  const tab = await context.newPage();
  await tab.goto(pathToFileURL(page).href);
  const dead = await tab.locator("button:visible, input:visible, select:visible").count();
  if (dead) found.push({ where: "no script", what: "dead controls", detail: `${dead}` });
  if (!(await tab.locator("table td").count())) found.push({ where: "no script", what: "tables", detail: "none" });
  await context.close();
}

function cutWords() {
  // a word of a figure that leaves it, or of the page that leaves the window
  const cut = [];
  for (const svg of document.querySelectorAll("svg")) {
    const box = svg.getBoundingClientRect();
    if (!box.width) continue;
    for (const text of svg.querySelectorAll("text")) {
      const own = text.getBoundingClientRect();
      if (own.left < box.left - 1 || own.right > box.right + 1 || own.top < box.top - 1 || own.bottom > box.bottom + 1) {
        cut.push(`${svg.getAttribute("aria-labelledby")}: ${text.textContent}`);
      }
    }
  }
  return cut;
}

function smallWords() {
  // text of a figure below 9 px cannot be read
  const small = new Set();
  for (const text of document.querySelectorAll("svg text")) {
    if (!text.getBoundingClientRect().width) continue;
    const scale = text.getScreenCTM()?.a ?? 0;
    const size = parseFloat(getComputedStyle(text).fontSize) * Math.abs(scale || text.getScreenCTM()?.b || 0);
    if (size && size < 8) small.add(`${size.toFixed(1)} px: ${text.textContent}`);
  }
  return [...small];
}
