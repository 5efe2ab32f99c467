// Forms that do something, without the page being left: it is asked for anew as the form's answer, and only what differs
// is changed, so that focus, open menus and what is being typed stay. Beside that: countdowns, menus, copying, a filter.

const words = JSON.parse(document.getElementById("deed-words").textContent);
const page = document.getElementById("page");
const SECRET_MS = 60_000; // a secret that was asked for is taken away again

document.documentElement.classList.add("scripted");

const toast = (text, wrong = false) => document.dispatchEvent(new CustomEvent("toast", { detail: { text, wrong } }));

// -- forms

// What a deed has answered stays as it is while the page goes on, until the next one.
function keepAnswers() {
  for (const answer of page.querySelectorAll("[data-answer]")) {
    answer.toggleAttribute("data-keep", answer.childElementCount > 0);
  }
}

async function send(form, submitter) {
  const body = new URLSearchParams(new FormData(form, submitter));
  let answer;
  try {
    answer = await fetch(form.action, { method: "POST", body, headers: { "x-o-switcher-deed": "1" }, redirect: "error" });
    const text = await answer.text();
    const fresh = new DOMParser().parseFromString(text, "text/html");
    if (!fresh.getElementById("page")) {
      toast(fresh.body.textContent.trim() || words.gone, true);
      return null;
    }
    return fresh;
  } catch {
    toast(words.gone, true);
    return null;
  }
}

async function carryOut(form, submitter) {
  if (form.hasAttribute("aria-busy")) {
    return;
  }
  form.setAttribute("aria-busy", "true");
  const menu = form.querySelector("details[open][data-menu]") || (submitter && submitter.closest("details[open][data-menu]"));
  // a tab that is opened later than the click is taken for an unwanted one
  const tab = submitter && submitter.dataset.opens ? window.open("about:blank") : null;
  const fresh = await send(form, submitter);
  form.removeAttribute("aria-busy");
  if (!fresh) {
    if (tab) {
      tab.close();
    }
    return;
  }
  const wrong = fresh.querySelector("#said.is-wrong");
  if (tab && !wrong) {
    tab.location = submitter.dataset.opens;
  } else if (tab) {
    tab.close();
  }
  for (const answer of page.querySelectorAll("[data-answer]")) {
    answer.removeAttribute("data-keep");
  }
  if (!wrong && menu) {
    shut(menu);
  }
  document.dispatchEvent(new CustomEvent("take", { detail: fresh }));
  if (!wrong) {
    form.reset(); // to what the page says now
    clean();
  }
  keepAnswers();
  lead();
}

// Where a deed has shown something in its place, that place gets the focus; where its button has gone, the page keeps it.
function lead() {
  const shown = page.querySelector("[data-answer][data-focus]");
  if (shown) {
    shown.focus();
  } else if (document.activeElement === document.body) {
    document.getElementById("said").focus();
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if ("deed" in form.dataset) {
    event.preventDefault();
    carryOut(form, event.submitter);
  }
});

// -- menus: one at a time, and away with Escape or a click elsewhere

function shut(menu) {
  const held = menu.contains(document.activeElement);
  menu.open = false;
  if (held) {
    menu.querySelector("summary").focus();
  }
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    for (const menu of page.querySelectorAll("details[open][data-menu]")) {
      shut(menu);
    }
  }
});

document.addEventListener("click", (event) => {
  for (const menu of page.querySelectorAll("details[open][data-menu]")) {
    if (!menu.contains(event.target)) {
      menu.open = false;
    }
  }
});

// -- time that is left

function inTime(ms) {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  if (seconds < 120) {
    return words.in.s.replace("{n}", seconds);
  }
  const minutes = Math.ceil(seconds / 60);
  if (minutes < 120) {
    return words.in.min.replace("{n}", minutes);
  }
  const [unit, number] = minutes < 2880 ? ["h", minutes / 60] : ["d", minutes / 1440];
  return words.in[unit].replace("{n}", Math.round(number));
}

let readAt = performance.now();

function countDown() {
  const now = Number(page.dataset.now) + performance.now() - readAt;
  let over = false;
  for (const time of page.querySelectorAll("time[data-until]")) {
    const left = Number(time.dataset.until) - now;
    over = over || (left <= -500 && left > -2000);
    const text = inTime(left);
    if (time.textContent !== text) {
      time.textContent = text;
    }
  }
  if (over) {
    document.dispatchEvent(new Event("read"));
  }
}

document.addEventListener("fresh", () => {
  readAt = performance.now();
  countDown();
  filter();
});
setInterval(countDown, 1000);

// -- copying, hiding, filtering

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast(words.copied);
  } catch {
    toast(words.notCopied, true);
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-copy], button[data-hide], button[data-dismiss]");
  if (!button) {
    return;
  }
  if ("copy" in button.dataset) {
    copy(button.dataset.copy || document.getElementById(button.dataset.from).textContent);
  } else {
    empty(button.closest("[data-answer]"));
  }
});

function empty(answer) {
  answer.replaceChildren();
  answer.removeAttribute("data-keep");
  answer.removeAttribute("class");
}

setInterval(() => {
  for (const secret of page.querySelectorAll("[data-answer] [data-secret]")) {
    const since = Number(secret.dataset.since || (secret.dataset.since = performance.now()));
    if (performance.now() - since > SECRET_MS) {
      empty(secret.closest("[data-answer]"));
    }
  }
}, 1000);

const search = document.getElementById("filter");

function filter() {
  if (!search) {
    return;
  }
  const wanted = search.value.trim().toLowerCase();
  for (const one of page.querySelectorAll("[data-filter]")) {
    one.hidden = !one.dataset.filter.toLowerCase().includes(wanted);
  }
}

if (search) {
  search.addEventListener("input", filter);
}

// Where a value was changed, it can be saved.
document.addEventListener("input", (event) => {
  const form = event.target.form;
  if (form && "dirty" in form.dataset) {
    form.dataset.dirty = "yes";
  }
});

function clean() {
  for (const form of page.querySelectorAll("form[data-dirty]")) {
    const input = form.querySelector("input:not([type=hidden]), select");
    const same = !input || (input.tagName === "SELECT" ? input.options[input.selectedIndex].defaultSelected : input.value === input.defaultValue);
    form.dataset.dirty = same ? "" : "yes";
  }
}

document.addEventListener("fresh", clean);

keepAnswers();
countDown();
