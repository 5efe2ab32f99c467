// The lists of requests and of events, and the page of one request. What is new is read by report.js (`fresh`, with the
// newer page); here it is only shown: requests are announced above the list, so that no row moves under the reader;
// events come in at the top, unless they are held back. Copies what a button names.

const MOST_ROWS = 500;
const said = document.getElementById("list-words");
const words = said ? JSON.parse(said.textContent) : {};
const news = document.getElementById("news");
const pause = document.getElementById("pause");

const rowsOf = (page) => [...page.querySelectorAll("#rows > [data-key]")];
const keysOf = (page) => new Set(rowsOf(page).map((row) => row.dataset.key));
const imported = (node) => document.importNode(node, true);

// The rows of a newer page that stand before all that are known here.
function newOnes(page) {
  const known = keysOf(document);
  const rows = rowsOf(page);
  const first = rows.findIndex((row) => known.has(row.dataset.key));
  return { rows: first < 0 ? rows : rows.slice(0, first), joined: first >= 0 };
}

function replaceAll(page) {
  for (const place of ["rows", "ways"]) {
    const old = document.getElementById(place);
    const fresh = page.getElementById(place);
    if (old && fresh) {
      old.replaceWith(imported(fresh));
    }
  }
}

// -- requests: announced

let newest = null;

function announce(page) {
  const fresh = new Map(rowsOf(page).map((row) => [row.dataset.key, row]));
  for (const row of rowsOf(document)) {
    const other = fresh.get(row.dataset.key);
    if (other && other.dataset.state !== row.dataset.state && !row.contains(document.activeElement)) {
      row.replaceWith(imported(other));
    }
  }
  const { rows, joined } = newOnes(page);
  newest = page;
  const text = rows.length ? news.dataset.text.replace("{n}", joined ? rows.length : `${rows.length}+`) : "";
  if (news.textContent !== text) {
    news.replaceChildren(...(text ? [button(text)] : []));
  }
}

function button(text) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  return made;
}

if (news) {
  news.addEventListener("click", (event) => {
    if (event.target.closest("button") && newest) {
      replaceAll(newest);
      news.replaceChildren();
      const list = document.getElementById("rows").closest("[tabindex]");
      if (list) {
        list.focus({ preventScroll: true });
      }
    }
  });
}

// -- events: put in at the top, or held back

let held = null;

function insert(page) {
  const { rows, joined } = newOnes(page);
  if (!joined) {
    replaceAll(page);
    return;
  }
  const list = document.getElementById("rows");
  list.prepend(...rows.map(imported));
  for (const row of rowsOf(document).slice(MOST_ROWS)) {
    row.remove();
  }
}

function tell() {
  const says = document.getElementById("tail-says");
  const paused = pause.getAttribute("aria-pressed") === "true";
  const text = paused ? says.dataset.held.replace("{n}", held ? newOnes(held).rows.length : 0) : says.dataset.live;
  if (says.textContent !== text) {
    says.textContent = text;
  }
}

if (pause) {
  const names = { false: pause.textContent, true: pause.dataset.goOn };
  document.getElementById("tail").hidden = false;
  pause.addEventListener("click", () => {
    const paused = pause.getAttribute("aria-pressed") !== "true";
    pause.setAttribute("aria-pressed", String(paused));
    pause.textContent = names[paused];
    if (!paused && held) {
      insert(held);
      held = null;
    }
    tell();
  });
}

document.addEventListener("fresh", (event) => {
  const list = document.getElementById("rows");
  if (list && "announce" in list.dataset && news) {
    announce(event.detail);
  } else if (list && "insert" in list.dataset && pause) {
    if (pause.getAttribute("aria-pressed") === "true") {
      held = event.detail;
    } else {
      insert(event.detail);
    }
    tell();
  }
  showCopies();
});

// -- filters: what is left empty is no part of the address

for (const form of document.querySelectorAll("form.search")) {
  form.addEventListener("formdata", (event) => {
    for (const [name, value] of [...event.formData]) {
      if (!value) {
        event.formData.delete(name);
      }
    }
  });
}

// -- copying

function toast(text, wrong) {
  document.dispatchEvent(new CustomEvent("toast", { detail: { text, wrong } }));
}

async function wanted(button) {
  if (!button.dataset.fetch) {
    return document.querySelector(button.dataset.copy).textContent;
  }
  const answer = await fetch(button.dataset.fetch, { cache: "no-store" });
  if (!answer.ok) {
    throw new Error(answer.statusText);
  }
  return JSON.stringify(await answer.json(), null, 2);
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button.copy");
  if (!button) {
    return;
  }
  try {
    await navigator.clipboard.writeText(await wanted(button));
    toast(words.copied, false);
  } catch {
    toast(words.notCopied, true);
  }
});

function showCopies() {
  for (const button of document.querySelectorAll("button.copy")) {
    button.hidden = false;
  }
}

showCopies();
