// The charts of the overview, and its filters without a reload. Charts are drawn anew whenever the page has been changed
// (`fresh`) or its colours have (`dressed`): what they show stands in #series, and in a table beside each.

const words = JSON.parse(document.getElementById("words").textContent);
const language = document.documentElement.lang;
const number = new Intl.NumberFormat(language);
const rough = new Intl.NumberFormat(language, { notation: "compact" });
const money = new Intl.NumberFormat(language, { style: "currency", currency: "USD", currencyDisplay: "narrowSymbol", maximumFractionDigits: 4 });
const dollars = new Intl.NumberFormat(language, { style: "currency", currency: "USD", currencyDisplay: "narrowSymbol", maximumFractionDigits: 0 });
const COLOURS = 8;

// -- what is drawn

const BAR = { type: "bar", order: 2, categoryPercentage: 0.86, barPercentage: 0.94, borderRadius: 2 };
const stacked = (columns, name = (one) => one) =>
  columns.map(([label, data], at) => ({ ...BAR, label: name(label), data, colour: `--c${(at % COLOURS) + 1}` }));

function seconds(ms) {
  return ms < 1000
    ? words.milliseconds.replace("{n}", number.format(Math.round(ms)))
    : words.seconds.replace("{n}", number.format(Math.round(ms / 100) / 10));
}

const CHARTS = {
  "requests-chart": {
    stacked: true,
    axis: { suggestedMax: 4, ticks: { precision: 0, callback: (value) => rough.format(value) } },
    told: (item) => number.format((item.dataset.told || item.dataset.data)[item.dataIndex]),
    datasets: ({ served, rest, failovers }) => [
      { ...BAR, label: words.served, data: served, colour: "--bar" },
      { ...BAR, label: words.notServed, data: rest, colour: "--bar-rest" },
      // The mark of failovers sits on top of its bar; what it tells is the number of them.
      { type: "line", order: 1, showLine: false, clip: false, stack: "marks", pointStyle: "rectRot", pointBorderWidth: 2, label: words.failovers,
        colour: "--mark", told: failovers, data: failovers.map((count, at) => (count ? served[at] + rest[at] : null)) },
    ],
  },
  "costs-chart": {
    stacked: true,
    axis: { ticks: { callback: (value) => (value === 0 || value >= 10 ? dollars : money).format(value) } },
    told: (item) => (item.raw ? money.format(item.raw) : null),
    datasets: ({ costs }) => stacked(costs, (one) => (one === "…" ? words.others : one)),
  },
  "latency-chart": {
    axis: { ticks: { callback: seconds } },
    told: (item) => (item.raw === null ? null : seconds(item.raw)),
    datasets: (series) => [["50%", "p50", "--c1"], ["95%", "p95", "--c2"], ["99%", "p99", "--c4"]].map(([label, name, colour]) => (
      { type: "line", label, data: series[name], colour, borderWidth: 2, tension: 0.25, spanGaps: true })),
  },
  "errors-chart": {
    stacked: true,
    axis: { suggestedMax: 4, ticks: { precision: 0, callback: (value) => rough.format(value) } },
    told: (item) => (item.raw ? number.format(item.raw) : null),
    datasets: ({ errors }) => stacked(errors, (one) => (one === "…" ? words.others : words.classes[one] || one)),
  },
};

// -- drawing

const charts = new Map();
let drawnSeries = "";

function draw() {
  const source = document.getElementById("series").textContent;
  const gone = [...charts].filter(([id, chart]) => chart.canvas !== document.getElementById(id));
  for (const [id, chart] of gone) {
    chart.destroy();
    charts.delete(id);
  }
  if (typeof Chart === "undefined" || (source === drawnSeries && !missing().length)) {
    return;
  }
  document.documentElement.classList.add("drawn");
  drawnSeries = source;
  const series = JSON.parse(source);
  for (const id of missing()) {
    const data = { labels: series.labels, datasets: CHARTS[id].datasets(series) };
    charts.set(id, new Chart(document.getElementById(id), { data, options: options(CHARTS[id]) }));
  }
  for (const [id, chart] of charts) {
    chart.data.labels = series.labels;
    chart.data.datasets = CHARTS[id].datasets(series);
  }
  dress();
}

const missing = () => Object.keys(CHARTS).filter((id) => !charts.has(id) && document.getElementById(id));

function options(chart) {
  return {
    animation: false,
    responsive: true,
    maintainAspectRatio: false,
    interaction: { mode: "index", intersect: false },
    layout: { padding: { top: 8 } },
    scales: {
      x: { stacked: Boolean(chart.stacked), grid: { display: false }, ticks: { maxRotation: 0, autoSkipPadding: 16, font: {} } },
      y: { stacked: Boolean(chart.stacked), beginAtZero: true, border: { display: false }, ...chart.axis, ticks: { maxTicksLimit: 5, font: {}, ...chart.axis.ticks } },
    },
    plugins: {
      colors: { enabled: false },
      legend: { position: "bottom", align: "start", labels: { usePointStyle: true, font: {}, padding: 12, generateLabels: legend } },
      tooltip: {
        usePointStyle: true,
        titleFont: {},
        bodyFont: {},
        filter: (item) => chart.told(item) !== null,
        callbacks: { label: (item) => `${item.dataset.label}: ${chart.told(item)}` },
      },
    },
  };
}

// One small mark for all kinds of lines and bars.
function legend(chart) {
  const labels = Chart.defaults.plugins.legend.labels.generateLabels(chart);
  return labels.map((label) => ({ ...label, lineWidth: 0, borderRadius: 0 }));
}

// -- colours and font of the page, light or dark

// A name such as `--bar` stands for two colours, and only what wears it knows which.
const probe = document.body.appendChild(document.createElement("i"));
probe.hidden = true;

function colour(name) {
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}

function dress() {
  const style = getComputedStyle(document.documentElement);
  const rem = parseFloat(style.fontSize);
  const quiet = colour("--quiet");
  for (const chart of charts.values()) {
    for (const dataset of chart.data.datasets) {
      const own = colour(dataset.colour);
      Object.assign(dataset, { backgroundColor: own, borderColor: own, pointBackgroundColor: own, pointHoverBackgroundColor: own });
      const marks = dataset.showLine === false;
      dataset.pointRadius = marks ? 0.35 * rem : dataset.type === "line" ? (chart.data.labels.length > 40 ? 0 : 0.125 * rem) : 0;
      dataset.pointHoverRadius = marks ? 0.35 * rem : 0.25 * rem;
      dataset.pointBorderColor = dataset.pointHoverBorderColor = marks ? colour("--card") : own;
    }
    const { tooltip, legend } = chart.options.plugins;
    tooltip.titleFont.size = tooltip.bodyFont.size = 0.8125 * rem;
    Object.assign(legend.labels, { color: quiet, boxWidth: 0.625 * rem, boxHeight: 0.5 * rem });
    legend.labels.font = { size: 0.75 * rem, family: style.fontFamily };
    for (const scale of Object.values(chart.options.scales)) {
      scale.ticks.color = quiet;
      scale.ticks.font = { size: 0.75 * rem, family: style.fontFamily };
      scale.grid.color = colour("--line");
    }
    chart.update();
  }
}

// -- filters that stay in the address

const page = document.getElementById("page");
const form = () => document.getElementById("filters");

function go(address) {
  history.pushState(null, "", address);
  document.dispatchEvent(new Event("read"));
}

function asked() {
  const fields = form().elements;
  const wanted = new URLSearchParams([...new FormData(form())].filter(([, value]) => value));
  if (fields.from.value === fields.from.defaultValue && fields.to.value === fields.to.defaultValue) {
    // The days were not chosen here: what the address says of them goes on to hold, such as "the last 7".
    const now = new URLSearchParams(location.search);
    for (const name of ["days", "from", "to"]) {
      wanted.delete(name);
      if (now.get(name)) {
        wanted.set(name, now.get(name));
      }
    }
  }
  return "/report?" + (wanted.toString() || "all=");
}

page.addEventListener("change", (event) => {
  if (event.target.form === form() && form().checkValidity()) {
    go(asked());
  }
});

page.addEventListener("submit", (event) => {
  if (event.target === form()) {
    event.preventDefault();
    go(asked());
  }
});

page.addEventListener("click", (event) => {
  const link = event.target.closest(".segments a, .clear");
  if (link && !event.metaKey && !event.ctrlKey && !event.shiftKey) {
    event.preventDefault();
    go(link.getAttribute("href"));
  }
});

addEventListener("popstate", () => document.dispatchEvent(new Event("read")));

// What was chosen by hand is a field's own: after a change of the page it must say what the page says.
function settle() {
  for (const field of form().elements) {
    if (field.nodeName === "SELECT") {
      field.value = (field.querySelector("[selected]") || field.options[0]).value;
    } else if (field.type === "date" && field !== document.activeElement) {
      field.value = field.defaultValue;
    }
  }
}

document.documentElement.classList.add("scripted");
draw();
document.addEventListener("fresh", () => {
  settle();
  draw();
});
document.addEventListener("dressed", dress);
