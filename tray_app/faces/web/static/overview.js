// The charts of the overview. Drawn anew whenever the page has been (`fresh`) or its colours have changed (`dressed`).

const words = JSON.parse(document.getElementById("words").textContent);

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

// A colour of the page as it is now: a name such as `--bar` stands for two, and only what wears it knows which.
const probe = document.body.appendChild(document.createElement("i"));
probe.hidden = true;

function colour(name) {
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}

draw();
document.addEventListener("fresh", draw);
document.addEventListener("dressed", dress);
