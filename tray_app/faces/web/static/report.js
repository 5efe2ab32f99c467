// The usage report in the browser: draws the chart, keeps "x min ago" true, and reads the page anew
// every few seconds, changing only what differs, so that scrolling, focus and selection stay.

const EVERY_MS = 5_000;
const PATIENCE_MS = 15_000;
const words = JSON.parse(document.getElementById("words").textContent);
const banner = document.getElementById("banner");
const page = document.getElementById("page");

// -- the chart

let chart = null;
let drawnSeries = "";

function draw() {
  const source = document.getElementById("series").textContent;
  const canvas = document.getElementById("chart");
  if (chart && chart.canvas !== canvas) {
    chart.destroy();
    chart = null;
  }
  if (!canvas || typeof Chart === "undefined") {
    return;
  }
  if (!chart) {
    document.documentElement.classList.add("drawn");
    Chart.defaults.font.family = getComputedStyle(document.documentElement).fontFamily;
    chart = new Chart(canvas, { data: { labels: [], datasets: datasets() }, options: options() });
    dress();
  } else if (source === drawnSeries) {
    return;
  }
  drawnSeries = source;
  fill(JSON.parse(source));
  chart.update();
}

function datasets() {
  const bar = { type: "bar", stack: "requests", order: 2, categoryPercentage: 0.86, barPercentage: 0.94, borderRadius: 3 };
  return [
    { ...bar, label: words.served },
    { ...bar, label: words.notServed },
    { type: "line", label: words.failovers, order: 1, showLine: false, clip: false,
      pointStyle: "rectRot", pointBorderWidth: 2 },
  ];
}

function options() {
  return {
    animation: false,
    responsive: true,
    maintainAspectRatio: false,
    interaction: { mode: "index", intersect: false },
    layout: { padding: { top: 8 } },
    scales: {
      x: { stacked: true, grid: { display: false }, ticks: { maxRotation: 0, autoSkipPadding: 16, font: {} } },
      y: { stacked: true, beginAtZero: true, suggestedMax: 4, border: { display: false }, ticks: { precision: 0, maxTicksLimit: 6, font: {} } },
    },
    plugins: {
      colors: { enabled: false },
      legend: { display: false },
      tooltip: { displayColors: false, titleFont: {}, bodyFont: {}, callbacks: { label: (item) => item.dataset.label + ": " + told(item) } },
    },
  };
}

// The mark of a failover sits on top of its hour's bar; what it tells is the number of them.
function told(item) {
  return (item.dataset.told || item.dataset.data)[item.dataIndex];
}

function fill(hours) {
  const [served, rest, failovers] = chart.data.datasets;
  chart.data.labels = hours.map(([label]) => label);
  served.data = hours.map(([, , count]) => count);
  rest.data = hours.map(([, requests, count]) => Math.max(0, requests - count));
  failovers.told = hours.map(([, , , count]) => count);
  failovers.data = hours.map(([, requests, , count]) => (count ? requests : null));
}

// Colours and font of the page, light or dark.
function dress() {
  if (!chart) {
    return;
  }
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const [served, rest, failovers] = chart.data.datasets;
  served.backgroundColor = colour("--bar");
  rest.backgroundColor = colour("--bar-rest");
  failovers.pointBackgroundColor = failovers.pointHoverBackgroundColor = colour("--mark");
  failovers.pointBorderColor = failovers.pointHoverBorderColor = colour("--card");
  const rem = parseFloat(style.fontSize);
  failovers.pointRadius = failovers.pointHoverRadius = 0.4 * rem;
  chart.options.plugins.tooltip.titleFont.size = chart.options.plugins.tooltip.bodyFont.size = 0.8125 * rem;
  for (const scale of Object.values(chart.options.scales)) {
    scale.ticks.color = colour("--quiet");
    scale.ticks.font.size = 0.75 * rem;
    scale.grid.color = colour("--line");
  }
  chart.update();
}

// -- time that passes

function ago(seconds) {
  if (seconds < 5) {
    return words.ago.now;
  }
  const steps = [["d", 86_400], ["h", 3_600], ["min", 60], ["s", 1]];
  const [unit, size] = steps.find(([, size]) => seconds >= size);
  return words.ago[unit].replace("{n}", Math.floor(seconds / size));
}

// The page's own clock, so that a browser elsewhere whose clock differs tells the same.
let readAt = performance.now();

function age() {
  const now = Number(page.dataset.now) + performance.now() - readAt;
  for (const time of page.querySelectorAll("time[data-at]")) {
    const text = ago(Math.floor((now - Number(time.dataset.at)) / 1000));
    if (time.textContent !== text) {
      time.textContent = text;
    }
  }
}

// -- the page made like a newer one, touching only what differs

function morph(old, fresh) {
  if (old.isEqualNode(fresh) || (old.dataset && "keep" in old.dataset)) {
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.nodeValue = fresh.nodeValue;
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !(name === "open" && old.nodeName === "DETAILS")) {
      old.removeAttribute(name);
    }
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) {
      old.setAttribute(name, value);
    }
  }
  morphChildren(old, fresh);
}

const keyOf = (node) => (node.dataset ? node.dataset.key : undefined);
const alike = (one, other) => one.nodeName === other.nodeName && keyOf(one) === keyOf(other) && one.id === other.id;

function morphChildren(old, fresh) {
  const wanted = new Set([...fresh.children].map(keyOf));
  const kept = new Map();
  for (const child of [...old.children]) {
    const key = keyOf(child);
    if (key !== undefined && !wanted.has(key)) {
      child.remove();
    } else if (key !== undefined) {
      kept.set(key, child);
    }
  }
  let here = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    const key = keyOf(child);
    const match = key === undefined ? here : kept.get(key);
    if (match && alike(match, child)) {
      kept.delete(key);
      if (match === here) {
        here = here.nextSibling;
      } else {
        old.insertBefore(match, here);
      }
      morph(match, child);
    } else {
      old.insertBefore(document.importNode(child, true), here);
    }
  }
  while (here) {
    const next = here.nextSibling;
    here.remove();
    here = next;
  }
}

// -- reading anew

function say(text) {
  if (banner.textContent !== text) {
    banner.textContent = text;
  }
  document.documentElement.classList.toggle("stale", text !== "");
}

const files = (of) => [...of.querySelectorAll("head [src], head link[rel=stylesheet]")].map((one) => one.getAttribute("src") || one.getAttribute("href")).join();

function take(fresh) {
  if (files(fresh) !== files(document)) {
    location.reload(); // another version of O-Switcher, with another script and style
    return;
  }
  say("");
  document.title = fresh.title;
  morph(document.querySelector("link[rel=icon]"), fresh.querySelector("link[rel=icon]"));
  morph(page, fresh.getElementById("page"));
  readAt = performance.now();
  draw();
}

async function read() {
  let answer;
  try {
    answer = await fetch("/report", { cache: "no-store", redirect: "error", signal: AbortSignal.timeout(PATIENCE_MS) });
    const text = await answer.text();
    const fresh = new DOMParser().parseFromString(text, "text/html");
    if (answer.ok && fresh.getElementById("page")) {
      take(fresh);
    } else {
      say(answer.status === 401 ? words.ended : words.trouble);
    }
  } catch {
    say(answer ? words.trouble : words.gone);
    document.title = answer ? document.title : words.goneTitle;
  }
}

let reading = false;

async function tick() {
  age();
  if (reading || document.visibilityState !== "visible") {
    return;
  }
  reading = true;
  await read();
  reading = false;
  age();
}

draw();
age();
setInterval(tick, EVERY_MS);
document.addEventListener("visibilitychange", tick);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", dress);
