"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const list = document.querySelector(".panels");
  const panels = [...list.children];

  const numbers = (packed) => {
    const bytes = Uint8Array.from(atob(packed.slice(1)), (letter) => letter.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    return Array.from({ length: bytes.length / 2 }, (_, at) =>
      packed[0] === "u" ? view.getUint16(2 * at, true) : view.getInt16(2 * at, true));
  };
  const percent = (log) => `${log < 0 ? "−" : "+"}${Math.abs(100 * Math.expm1(log)).toFixed(1)} %`;

  panels.forEach((panel, number) => {
    const svg = panel.querySelector("svg"), told = panel.querySelector(".told");
    const cursor = svg.querySelector(".cursor");
    const step = (data.width - data.left - 4) / Math.max(data.revisions.length - 1, 1);
    let known = null, here = data.revisions.length - 1;

    const unpack = () => {
      const [places, logs, errors, lookups] = data.panels[number];
      const all = numbers(logs);
      return { places: places ? numbers(places) : all.map((_, at) => at), logs: all, errors: numbers(errors), lookups };
    };
    const show = (at) => {
      known = known || unpack();
      here = Math.min(Math.max(at, 0), data.revisions.length - 1);
      const [label, date, summary] = data.revisions[here];
      const words = [label, date].filter(Boolean);
      const level = known.places.indexOf(here);
      if (level >= 0) {
        const log = known.logs[level] / data.scale, error = known.errors[level] / data.scale;
        words.push(`time ${percent(log)} (${percent(log - error)} to ${percent(log + error)})`);
      } else {
        words.push("not timed");
      }
      const counted = known.lookups.filter(([place]) => place <= here).pop();
      if (counted && here <= known.lookups[known.lookups.length - 1][0]) words.push(`${counted[1]} lookups`);
      told.textContent = `${words.join(", ")}${summary ? `: ${summary}` : ""}`;
      cursor.setAttribute("transform", `translate(${data.left + here * step} 0)`);
      cursor.style.visibility = "visible";
    };
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const x = (event.clientX - box.left) / box.width * data.width;
      show(Math.round((x - data.left) / step));
    });
    svg.addEventListener("focus", () => show(here));
    svg.addEventListener("keydown", (event) => {
      const move = { ArrowLeft: -1, ArrowRight: 1, Home: -data.revisions.length, End: data.revisions.length }[event.key];
      if (move) { show(here + move); event.preventDefault(); }
    });
  });

  const controls = document.querySelector(".controls");
  controls.hidden = false;
  const [order, least, surely, name, settled] = ["order", "least", "surely", "name", "settled"].map((one) =>
    document.getElementById(one));
  const count = controls.querySelector("output");
  const value = (panel, key) => Number(panel.dataset[key]);
  const sorts = {
    change: (a, b) => value(b, "settled") - value(a, "settled") || value(b, "change") - value(a, "change"),
    surely: (a, b) => value(b, "surely") - value(a, "surely"),
    slowest: (a, b) => value(b, "latest") - value(a, "latest"),
    name: (a, b) => a.dataset.name.localeCompare(b.dataset.name, "en", { numeric: true }),
  };
  const choose = () => {
    const wanted = name.value.trim().toLowerCase();
    let shown = 0;
    for (const panel of panels) {
      panel.hidden = !(panel.dataset.name.toLowerCase().includes(wanted)
        && 100 * Math.expm1(value(panel, "change")) >= Number(least.value || 0)
        && value(panel, "surely") >= Number(surely.value || 0)
        && (!settled.checked || panel.dataset.settled === "1"));
      shown += !panel.hidden;
    }
    count.textContent = `${shown} of ${panels.length} benchmarks`;
    list.append(...[...panels].sort(sorts[order.value]));
  };
  for (const one of [order, least, surely, name, settled]) one.addEventListener("input", choose);
  choose();
})();
