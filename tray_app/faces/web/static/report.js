// Every page of the report in the browser: its theme, what it says in passing, "x min ago" kept true; and, where a page
// names the events that concern it (`data-live`), reading it anew when they happen and changing only what differs, so
// that scrolling, focus and selection stay.
//
// To a page's own script it says `fresh` (with the newer page) when the page has been changed and `dressed` when its
// colours have; a script says `toast` with {text, wrong}, and `take` with a document that it has got itself. All are
// events of the document.

const EVERY_MS = 5_000; // without live events
const AT_LEAST_MS = 30_000; // with them: times and quotas go on
const SETTLE_MS = 400; // several events come of one request
const PACE_MS = 2_000; // from one reading to the next, however much happens
const PATIENCE_MS = 15_000;
const words = JSON.parse(document.getElementById("shell-words").textContent);
const banner = document.getElementById("banner");
const page = document.getElementById("page");
const live = page.dataset.live.split(" ").filter(Boolean);

// -- theme and language

const themes = document.getElementById("themes");

themes.addEventListener("submit", (event) => {
  const theme = event.submitter ? event.submitter.value : "";
  if (!theme) {
    return;
  }
  event.preventDefault();
  document.documentElement.dataset.theme = theme;
  for (const button of themes.querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button.value === theme));
  }
  document.dispatchEvent(new Event("dressed"));
  const body = new URLSearchParams({ theme, back: location.pathname });
  fetch(themes.action, { method: "POST", body, redirect: "manual" }).catch(() => toast(words.gone, true));
});

document.getElementById("languages").addEventListener("submit", (event) => {
  event.target.elements.back.value = location.pathname + location.search;
});

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => document.dispatchEvent(new Event("dressed")));

// -- what is said in passing

const TOAST_MS = 8_000;

function toast(text, wrong = false) {
  const said = document.createElement("p");
  said.textContent = text;
  if (wrong) {
    said.className = "is-wrong";
    said.setAttribute("role", "alert");
  }
  document.getElementById("toasts").append(said);
  setTimeout(() => said.remove(), TOAST_MS);
}

document.addEventListener("toast", (event) => toast(event.detail.text, event.detail.wrong));

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
  for (const place of ["link[rel=icon]", ".brand", "#page"]) {
    morph(document.querySelector(place), fresh.querySelector(place));
  }
  readAt = performance.now();
  document.dispatchEvent(new CustomEvent("fresh", { detail: fresh }));
}

async function read() {
  const here = location.href;
  let answer;
  try {
    answer = await fetch(here, { cache: "no-store", redirect: "error", signal: AbortSignal.timeout(PATIENCE_MS) });
    const text = await answer.text();
    const fresh = new DOMParser().parseFromString(text, "text/html");
    if (here !== location.href) {
      again = true; // meanwhile the page is about something else
    } else if (answer.ok && fresh.getElementById("page")) {
      take(fresh);
      listen();
    } else {
      say(answer.status === 401 ? words.ended : words.trouble);
    }
  } catch {
    say(answer ? words.trouble : words.gone);
    document.title = answer ? document.title : words.goneTitle;
  }
}

let reading = false;
let again = false; // something has happened since
let next = 0;

async function tick() {
  age();
  if (reading || document.visibilityState !== "visible") {
    again = reading;
    return;
  }
  clearTimeout(next);
  reading = true;
  again = false;
  await read();
  reading = false;
  age();
  soon(again ? calm() : stream && stream.readyState === EventSource.OPEN ? AT_LEAST_MS : EVERY_MS);
}

function soon(ms) {
  clearTimeout(next);
  next = setTimeout(tick, ms);
}

// -- live events

let stream = null;
let settling = false;

function listen() {
  if (stream && stream.readyState !== EventSource.CLOSED) {
    return;
  }
  stream = new EventSource("/api/v1/events");
  for (const name of [...live, "events.missed"]) {
    stream.addEventListener(name, happened);
  }
}

function happened() {
  if (reading || settling) {
    again ||= reading;
    return;
  }
  settling = true;
  setTimeout(() => {
    settling = false;
    tick();
  }, calm());
}

// How long to wait for the next reading, now that something has happened.
function calm() {
  return Math.max(SETTLE_MS, readAt + PACE_MS - performance.now());
}

function leave() {
  if (stream) {
    stream.close();
    stream = null;
  }
}

document.addEventListener("take", (event) => {
  take(event.detail);
  age();
});

age();
if (live.length) {
  const look = () => (document.visibilityState === "visible" ? tick() : leave());
  document.addEventListener("visibilitychange", look);
  document.addEventListener("read", tick); // a page's own script wants it anew at once
  addEventListener("pagehide", leave);
  if (document.visibilityState === "visible") {
    listen();
  }
  soon(EVERY_MS);
}
setInterval(age, EVERY_MS);
