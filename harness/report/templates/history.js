"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($("data").textContent), { n, words, columns } = data;
  const time = columns.time;
  const word = (name, i) => (columns[name][i] < 0 ? "" : words[name][columns[name][i]]);
  const ms = (v) => (v >= 99.95 ? v.toFixed(0) : v >= 9.995 ? v.toFixed(1) : v.toFixed(2));
  const mb = (v) => (v >= 99.5e6 ? (v / 1e6).toFixed(0) : v >= 1e7 ? (v / 1e6).toFixed(1) : (v / 1e6).toFixed(2));
  const iou = (v) => (v === 1 ? "1" : v > 0.99995 ? "> 0.9999" : v.toFixed(4));
  const metrics = [
    ["p50", "Latency, p50 (ms)", ms, 1], ["p90", "Latency, p90 (ms)", ms, 1], ["fps", "Frames per second", (v) => v.toFixed(1), 1],
    ["iou", "IoU with ground truth", iou, 1], ["memory_bytes", "Peak memory (MB)", mb, 1e6], ["model_bytes", "Model size (MB)", mb, 1e6],
  ];
  const when = (i) => (time[i] === null ? "" : new Date(time[i] * 1000).toISOString().slice(0, 16).replace("T", " "));
  const text = (tag, content, name) => {
    const element = document.createElement(tag);
    element.textContent = content;
    if (name) element.className = name;
    return element;
  };

  // --- what is shown: filters, and a span of time

  const form = $("filters"), hidden = new Set();
  const picks = ["machine", "model", "suite", "profile"];
  const haystack = Array.from({ length: n }, (_, i) =>
    ["label", "model", "variant", "suite", "machine", "version", "verdict", "problem"].map((c) => word(c, i)).join(" ").toLowerCase());
  let all = [], shown = [], whole = [0, 1], span = [0, 1], limit = 100, at = -1;

  function filter() {
    const chosen = picks.map((name) => [columns[name], Number(form.elements[name].value)]).filter(([, v]) => v >= 0);
    const needles = form.elements.words.value.toLowerCase().split(/\s+/).filter(Boolean);
    all = [];
    let low = Infinity, high = -Infinity;
    for (let i = 0; i < n; i++) {
      if (hidden.has(columns.label[i]) || !chosen.every(([c, v]) => c[i] === v) || !needles.every((w) => haystack[i].includes(w))) continue;
      all.push(i);
      if (time[i] !== null) { low = Math.min(low, time[i]); high = Math.max(high, time[i]); }
    }
    const margin = Math.max(60, (high - low) * 0.02);
    whole = low <= high ? [low - margin, high + margin] : [0, 1];
    zoom(...whole);
  }
  function zoom(from, to) {
    const least = 60, middle = (from + to) / 2;
    if (to - from < least) [from, to] = [middle - least / 2, middle + least / 2];
    span = [Math.max(from, whole[0]), Math.min(to, whole[1])];
    if (span[1] - span[0] < least) span = whole;
    const closer = span[0] > whole[0] || span[1] < whole[1];
    shown = closer ? all.filter((i) => time[i] !== null && time[i] >= span[0] && time[i] <= span[1]) : all;
    at = -1;
    limit = 100;
    $("count").textContent = `${shown.length.toLocaleString("en")} of ${n.toLocaleString("en")} runs`;
    rows();
    redraw();
  }
  const scale = (factor, centre = (span[0] + span[1]) / 2) => {
    const half = ((span[1] - span[0]) * factor) / 2;
    zoom(centre - half, centre + half);
  };

  // --- charts

  const PAD = { left: 52, right: 8, top: 8, bottom: 22 };
  let colours = {}, queued = false;
  function readColours() {
    const style = getComputedStyle(document.documentElement), get = (name) => style.getPropertyValue(name).trim();
    colours = { series: get("--series").split(",").map((c) => c.trim()), line: get("--line"), soft: get("--soft"), ink: get("--ink"), bad: get("--bad") };
  }
  const colour = (label) => colours.series[Math.max(0, label) % colours.series.length];
  function mark(g, label, x, y, r) {
    const shape = Math.floor(Math.max(0, label) / colours.series.length) % 3;
    if (shape === 1) return g.fillRect(x - r, y - r, 2 * r, 2 * r);
    g.beginPath();
    if (shape === 0) g.arc(x, y, r, 0, 7);
    else { g.moveTo(x, y - r * 1.3); g.lineTo(x + r * 1.2, y + r); g.lineTo(x - r * 1.2, y + r); }
    g.fill();
  }
  function steps(low, high, most) {
    const raw = (high - low) / most, power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 2.5, 5, 10].map((s) => s * power).find((s) => s >= raw * (1 - 1e-9));
    const places = [];
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high * (1 + 1e-12); k++) places.push(k * step);
    return places;
  }
  function dates(low, high) {
    const day = 86400, sizes = [60, 300, 900, 3600, 10800, 21600, day, 2 * day, 7 * day, 14 * day, 30 * day, 91 * day, 182 * day, 365 * day, 730 * day, 1825 * day];
    const step = sizes.find((s) => (high - low) / s <= 5) || 3650 * day, places = [];
    for (let t = Math.ceil(low / step) * step; t <= high; t += step) {
      const iso = new Date(t * 1000).toISOString();
      places.push([t, step < day ? `${iso.slice(5, 10)} ${iso.slice(11, 16)}` : iso.slice(0, 10)]);
    }
    return places;
  }

  class Chart {
    constructor([name, title, format, unit]) {
      this.values = columns[name];
      this.format = format;
      this.unit = unit;
      this.title = title;
      this.points = [];
      const box = document.createElement("div");
      box.className = "over-time";
      this.canvas = document.createElement("canvas");
      this.canvas.tabIndex = 0;
      this.canvas.setAttribute("role", "application");
      this.range = text("div", "", "range");
      this.tip = text("div", "", "tip");
      this.tip.setAttribute("aria-live", "polite");
      this.range.hidden = this.tip.hidden = true;
      box.append(text("h3", title), this.canvas, this.range, this.tip);
      $("charts").append(box);
      this.listen();
    }
    draw() {
      const { canvas, values } = this, ratio = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
      if (!width) return;
      canvas.width = width * ratio;
      canvas.height = height * ratio;
      const g = canvas.getContext("2d");
      g.scale(ratio, ratio);
      this.points = shown.filter((i) => time[i] !== null && values[i] !== null);
      let low = Infinity, high = -Infinity;
      for (const i of this.points) { low = Math.min(low, values[i]); high = Math.max(high, values[i]); }
      const summary = this.points.length ? `${this.points.length} runs, ${this.format(low)} to ${this.format(high)}` : "no run has it";
      canvas.setAttribute("aria-label", `${this.title}: ${summary}`);
      const margin = (high - low) * 0.08 || Math.abs(high) * 0.05 || 1;
      low -= margin;
      high += margin;
      const [from, to] = span, right = width - PAD.right, bottom = height - PAD.bottom;
      this.x = (i) => PAD.left + ((time[i] - from) / (to - from)) * (right - PAD.left);
      this.y = (i) => bottom - ((values[i] - low) / (high - low)) * (bottom - PAD.top);
      this.time = (x) => from + ((x - PAD.left) / (right - PAD.left)) * (to - from);
      g.font = "11px ui-sans-serif, system-ui, sans-serif";
      g.fillStyle = colours.soft;
      g.strokeStyle = colours.line;
      g.textBaseline = "middle";
      g.beginPath();
      if (!this.points.length) { g.textAlign = "center"; g.fillText("no run has this figure", width / 2, height / 2); return; }
      g.textAlign = "right";
      for (const v of steps(low, high, 4)) {
        const y = Math.round(bottom - ((v - low) / (high - low)) * (bottom - PAD.top)) + 0.5;
        g.moveTo(PAD.left, y);
        g.lineTo(right, y);
        g.fillText(String(Number((v / this.unit).toPrecision(6))), PAD.left - 6, y);
      }
      g.stroke();
      g.textAlign = "center";
      for (const [t, label] of dates(from, to)) {
        const x = PAD.left + ((t - from) / (to - from)) * (right - PAD.left), half = g.measureText(label).width / 2;
        if (x - half > PAD.left - 20 && x + half < width) g.fillText(label, x, height - 8);
      }
      const many = this.points.length > 1500;
      if (!many) this.lines(g);
      g.globalAlpha = many ? 0.55 : 1;
      for (const i of this.points) {
        g.fillStyle = colour(columns.label[i]);
        if (many) g.fillRect(this.x(i) - 1.5, this.y(i) - 1.5, 3, 3);
        else mark(g, columns.label[i], this.x(i), this.y(i), 3);
      }
      g.globalAlpha = 1;
      if (at >= 0 && values[at] !== null && time[at] !== null) {
        g.strokeStyle = colours.ink;
        g.lineWidth = 2;
        g.beginPath();
        g.arc(this.x(at), this.y(at), 6, 0, 7);
        g.stroke();
      }
    }
    lines(g) {
      const last = new Map();
      g.globalAlpha = 0.35;
      g.lineWidth = 1;
      for (const i of this.points) {
        const key = ["label", "model", "suite", "machine"].map((c) => columns[c][i]).join();
        const before = last.get(key);
        if (before !== undefined) {
          g.strokeStyle = colour(columns.label[i]);
          g.beginPath();
          g.moveTo(this.x(before), this.y(before));
          g.lineTo(this.x(i), this.y(i));
          g.stroke();
        }
        last.set(key, i);
      }
    }
    nearest(x, y) {
      let best = -1, least = 24 * 24;
      for (const i of this.points) {
        const distance = (this.x(i) - x) ** 2 + (this.y(i) - y) ** 2;
        if (distance < least) { least = distance; best = i; }
      }
      return best;
    }
    point(i) {
      at = i;
      for (const chart of charts) if (chart !== this) chart.tip.hidden = true;
      this.tip.hidden = i < 0;
      redraw();
      if (i < 0) return;
      this.tip.replaceChildren(text("b", `${word("label", i)}: ${this.format(this.values[i])}`),
        ...[when(i), `${word("model", i)} ${word("variant", i)}`, word("suite", i), word("machine", i), word("version", i), word("verdict", i), word("problem", i)]
          .filter((s) => s.trim()).map((s) => text("span", s)));
      const left = this.x(i), wide = this.canvas.clientWidth;
      this.tip.style.left = left > wide / 2 ? "" : `${left + 12}px`;
      this.tip.style.right = left > wide / 2 ? `${wide - left + 12}px` : "";
      this.tip.style.top = `${this.canvas.offsetTop + Math.max(0, this.y(i) - 20)}px`;
    }
    listen() {
      const { canvas, range } = this;
      let began = null;
      const place = (event) => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
      canvas.addEventListener("pointerdown", (event) => { if (event.button === 0) { began = place(event)[0]; canvas.setPointerCapture(event.pointerId); } });
      canvas.addEventListener("pointermove", (event) => {
        if (!this.points.length) return;
        const [x, y] = place(event);
        if (began !== null && Math.abs(x - began) > 4) {
          range.hidden = false;
          Object.assign(range.style, { left: `${Math.min(x, began)}px`, width: `${Math.abs(x - began)}px`, top: `${canvas.offsetTop + PAD.top}px`, height: `${canvas.clientHeight - PAD.top - PAD.bottom}px` });
          return;
        }
        const i = this.nearest(x, y);
        if (i !== at) this.point(i);
      });
      canvas.addEventListener("pointerup", (event) => {
        const [x] = place(event), from = began;
        began = null;
        range.hidden = true;
        if (from === null || !this.points.length) return;
        if (Math.abs(x - from) > 4) { this.tip.hidden = true; zoom(...[this.time(from), this.time(x)].sort((a, b) => a - b)); } else keep(at);
      });
      canvas.addEventListener("pointercancel", () => { began = null; range.hidden = true; });
      canvas.addEventListener("pointerleave", () => { if (began === null) this.point(-1); });
      canvas.addEventListener("dblclick", () => zoom(...whole));
      canvas.addEventListener("blur", () => { this.tip.hidden = true; });
      canvas.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key], place = this.points.indexOf(at);
        if (step && this.points.length) this.point(this.points[place < 0 ? (step > 0 ? 0 : this.points.length - 1) : Math.min(Math.max(place + step, 0), this.points.length - 1)]);
        else if (event.key === "Home" || event.key === "End") this.point(this.points[event.key === "Home" ? 0 : this.points.length - 1] ?? -1);
        else if (event.key === "+" || event.key === "=") scale(0.5, at >= 0 ? time[at] : undefined);
        else if (event.key === "-") scale(2);
        else if (event.key === "Escape") { this.tip.hidden = true; zoom(...whole); }
        else if (event.key === "Enter") keep(at);
        else return;
        event.preventDefault();
      });
    }
  }
  function redraw() {
    if (queued) return;
    queued = true;
    requestAnimationFrame(() => { queued = false; for (const chart of charts) chart.draw(); });
  }

  // --- the kept run, and the table of all

  function links(i) {
    const cell = document.createElement("td"), page = word("page", i);
    for (const [name, path] of [["report", page], ["bundle", columns.bundle[i]]]) {
      if (!path) continue;
      const link = text("a", name);
      link.href = `${data.base}/${path}`;
      cell.append(link, " ");
    }
    return cell;
  }
  function keep(i) {
    if (i < 0) return;
    const figures = metrics.filter(([name]) => columns[name][i] !== null).map(([name, title, format]) => `${title} ${format(columns[name][i])}`);
    $("kept").replaceChildren(text("strong", word("label", i)), ` ${[when(i), word("machine", i), word("version", i), ...figures, word("verdict", i), word("problem", i)].filter(Boolean).join(" · ")} · `, ...links(i).childNodes);
  }
  function rows() {
    const last = shown.slice(Math.max(0, shown.length - limit)).reverse();
    $("rows").replaceChildren(...last.map((i) => {
      const row = document.createElement("tr"), head = text("th", word("label", i));
      head.scope = "row";
      row.append(head, text("td", `${word("model", i)} ${word("variant", i)}`), text("td", word("suite", i)), text("td", when(i) || "n/a"));
      for (const name of ["p50", "p90", "fps", "memory_bytes", "model_bytes", "iou"]) {
        const value = columns[name][i], format = metrics.find(([m]) => m === name)[2];
        row.append(text("td", value === null ? "n/a" : format(value), "n"));
      }
      const verdict = document.createElement("td");
      if (word("verdict", i)) verdict.append(text("span", word("verdict", i), `badge ${word("verdict", i).toLowerCase()}`));
      if (word("problem", i)) verdict.append(text("span", ` ${word("problem", i).slice(0, 60)}`, "tag"));
      row.append(verdict, links(i), text("td", word("version", i)), text("td", word("machine", i)));
      return row;
    }));
    $("shown").textContent = `${last.length.toLocaleString("en")} of ${shown.length.toLocaleString("en")} are listed.`;
    $("more").hidden = last.length >= shown.length;
  }

  // --- start

  for (const element of document.querySelectorAll(".scripted")) element.hidden = false;
  for (const name of picks) {
    const select = form.elements[name], counts = words[name].map(() => 0);
    for (const place of columns[name]) if (place >= 0) counts[place]++;
    select.append(new Option("all", "-1"), ...words[name].map((w, k) => new Option(`${w} (${counts[k]})`, k)));
    select.addEventListener("change", filter);
    // Times of two machines do not compare: begin with the one that has the most runs.
    if (name === "machine" && words.machine.length > 1) select.value = counts.indexOf(Math.max(...counts));
  }
  let typing;
  form.elements.words.addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(filter, 120); });
  form.addEventListener("submit", (event) => event.preventDefault());
  // Labels of runs that can be a point; those of damaged bundles are file names, and come last.
  const targets = new Set(columns.label.filter((_, i) => time[i] !== null));
  const keys = words.label.filter((_, k) => targets.has(k)).map((name, k) => {
    const label = document.createElement("label"), box = document.createElement("input"), key = document.createElement("canvas");
    box.type = "checkbox";
    box.checked = true;
    box.addEventListener("change", () => { box.checked ? hidden.delete(k) : hidden.add(k); filter(); });
    label.append(box, key, name);
    $("targets").append(label);
    return key;
  });
  function legend() {
    keys.forEach((key, k) => {
      key.width = key.height = 24;
      const g = key.getContext("2d");
      g.fillStyle = colour(k);
      mark(g, k, 12, 12, 8);
    });
  }
  const charts = metrics.map((metric) => new Chart(metric));
  $("in").addEventListener("click", () => scale(0.5));
  $("out").addEventListener("click", () => scale(2));
  $("whole").addEventListener("click", () => zoom(...whole));
  $("more").addEventListener("click", () => { limit += 200; rows(); });
  readColours();
  legend();
  filter();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readColours(); legend(); redraw(); });
  new ResizeObserver(redraw).observe($("charts"));
  requestAnimationFrame(() => requestAnimationFrame(() => { document.documentElement.dataset.ready = Math.round(performance.now()); }));
})();
