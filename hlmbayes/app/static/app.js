"use strict";
// The little that the page does itself: the menu of a variable, dropped files, keys, and staying in place.
const $ = (id) => document.getElementById(id);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

if (location.search) history.replaceState(null, "", location.pathname);

// ---- the menu of a variable
let opener = null;

function openMenu(button) {
  const menu = $("menu");
  closeMenu();
  opener = button;
  menu.elements.level.value = button.dataset.level;
  menu.elements.name.value = button.dataset.name;
  const constant = button.dataset.name.startsWith("INTRCPT");
  for (const item of all("[role=menuitem]", menu)) {
    const level = item.dataset.level;
    item.hidden = (level && level !== button.dataset.level) || (constant && !["none", "delete"].includes(item.value));
  }
  menu.hidden = false;
  button.setAttribute("aria-expanded", "true");
  const box = button.getBoundingClientRect();
  const left = Math.min(box.left + 24, document.documentElement.clientWidth - menu.offsetWidth - 8);
  const below = box.bottom + menu.offsetHeight < innerHeight || box.top < menu.offsetHeight;
  menu.style.left = `${Math.max(8, left) + scrollX}px`;
  menu.style.top = `${(below ? box.bottom : box.top - menu.offsetHeight) + scrollY}px`;
  items()[0].focus({ preventScroll: true });
}

function closeMenu(back = false) {
  const menu = $("menu");
  if (!menu || menu.hidden) return;
  menu.hidden = true;
  if (opener) {
    opener.setAttribute("aria-expanded", "false");
    if (back) opener.focus();
  }
}

const items = () => all("[role=menuitem]:not([hidden])", $("menu"));

// ---- what is clicked; the second click of a double click is no click of its own: one model is run, one menu stays open
document.addEventListener("click", (event) => {
  if (event.detail < 2 || !event.target.closest("button:not(#undo)")) return;
  event.preventDefault();
  event.stopImmediatePropagation();
}, true);

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  const variable = event.target.closest(".variable");
  if (variable) {
    if (variable === opener && !$("menu").hidden) closeMenu(true);
    else openMenu(variable);
    return;
  }
  if (!event.target.closest("#menu")) closeMenu();
  const link = event.target.closest("a[download]");
  if (link) {
    event.preventDefault();
    keep(link.href);
  }
  if (!button) return;
  if (!document.querySelector("#notices [data-going]")) $("notices").replaceChildren();
  if (button.id === "choose") $("files").click();
  if (button.classList.contains("close")) $("panel").replaceChildren();
  if (button.dataset.href) keep(button.dataset.href);
  if (button.getAttribute("role") === "tab") selectTab(button);
  if (button.dataset.choice) {
    for (const other of all("[data-choice]")) other.setAttribute("aria-pressed", other === button);
  }
});

document.addEventListener("submit", (event) => {
  if (event.target.closest(".pick")) for (const other of all("[data-choice]")) other.setAttribute("aria-pressed", false);
  if (event.target.id === "menu") setTimeout(() => closeMenu(true));
  if (event.target.dataset.keep) {
    event.preventDefault();
    keep(`${event.target.action}?${new URLSearchParams(new FormData(event.target))}`, event.target.querySelector(".said"));
  }
});

// ---- keys
document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[key];
  if (target.getAttribute("role") === "menuitem") {
    const list = items();
    if (step) list[(list.indexOf(target) + step + list.length) % list.length].focus();
    else if (key === "Home") list[0].focus();
    else if (key === "End") list.at(-1).focus();
    else if (key === "Escape" || key === "Tab") closeMenu(true);
    else return;
    event.preventDefault();
  } else if (target.classList.contains("variable") && step && ["ArrowDown", "ArrowUp"].includes(key)) {
    const list = all(".variable", target.closest("ul")).filter((b) => !b.parentElement.hidden);
    list[(list.indexOf(target) + step + list.length) % list.length].focus();
    event.preventDefault();
  } else if (target.getAttribute("role") === "tab" && ["ArrowLeft", "ArrowRight"].includes(key)) {
    const list = all("[role=tab]");
    const next = list[(list.indexOf(target) + step + list.length) % list.length];
    next.focus();
    next.click();
    event.preventDefault();
  } else if (key === "Escape") closeMenu(true);
});

function selectTab(tab) {
  for (const other of all("[role=tab]")) {
    other.setAttribute("aria-selected", other === tab);
    other.tabIndex = other === tab ? 0 : -1;
  }
  $("tabpanel").setAttribute("aria-labelledby", tab.id);
}

// ---- which variables are in the model, and which equations are moved sideways; the search
function marks() {
  for (const line of all(".eq")) if (line.scrollWidth > line.clientWidth) line.tabIndex = 0;
  const work = $("work");
  if (!work) return;
  const used = [null, ...["used1", "used2"].map((key) => new Set(JSON.parse(work.dataset[key])))];
  for (const button of all(".variable")) {
    const name = button.dataset.name.toLowerCase();
    button.classList.toggle("used", used[button.dataset.level].has(name));
    button.classList.toggle("outcome", button.dataset.level === "1" && name === work.dataset.outcome.toLowerCase());
  }
}

document.addEventListener("input", (event) => {
  if (event.target.id !== "find") return;
  const wanted = event.target.value.trim().toLowerCase();
  for (const item of all(".variables li")) item.hidden = !item.textContent.toLowerCase().includes(wanted);
});

// ---- files dropped on the page, and files too large to be sent
const dragged = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files");
document.addEventListener("dragover", (event) => {
  if (!dragged(event)) return;
  event.preventDefault();
  $("drop").hidden = false;
});
document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) $("drop").hidden = true; });
document.addEventListener("drop", (event) => {
  if (!dragged(event)) return;
  event.preventDefault();
  $("drop").hidden = true;
  $("files").files = event.dataTransfer.files;
  $("files").dispatchEvent(new Event("change", { bubbles: true }));
});
document.addEventListener("change", (event) => {
  const { files, dataset } = event.target;
  if (event.target.id !== "files" || !files.length) return;
  const large = [...files].find((file) => file.size > Number(dataset.most));
  if (large) say(`${large.name} is larger than 1 GB, too large to be sent to the window. Start it with the file instead, which is then read where it lies: hlmbayes app FILE`);
  else upload([...files]);
  event.target.value = "";
});

// Files are sent by hand, because fetch cannot say how far it is. Meanwhile nothing is asked of the page that their
// answer will replace: what came of it would be lost with that page.
function upload(files) {
  const request = new XMLHttpRequest(), form = new FormData(), stop = document.createElement("button");
  const names = files.map((file) => file.name).join(" and "), bar = document.createElement("progress");
  for (const file of files) form.append("files", file);
  const box = say("", "note"), text = box.firstChild;
  box.dataset.going = "1";
  Object.assign(bar, { max: 1, value: 0, ariaLabel: `Sending ${names}` });
  Object.assign(stop, { type: "button", textContent: "Stop", onclick: () => setTimeout(() => request.abort()) });
  box.append(bar, stop);
  const far = (share) => {
    bar.value = share;
    text.textContent = share < 1 ? `Sending ${names}: ${Math.floor(100 * share)} %` : `Reading ${names}`;
  };
  far(0);
  const wait = (waiting) => { busy(waiting ? 1 : -1); $("main").inert = waiting; };
  wait(true);
  request.onloadend = () => wait(false);
  request.upload.onprogress = (event) => far(event.loaded / event.total);
  request.onload = () => {
    box.remove();
    if (request.status !== 200) return say(request.responseText || "The files could not be sent.");
    $("main").outerHTML = request.responseText;
    htmx.process($("main"));
    marks();
    $("main").focus();
  };
  request.onabort = () => { box.remove(); say(`${names}: sending was stopped. What was open is open still.`, "note"); };
  request.onerror = () => { box.remove(); say(GONE); };
  request.open("POST", "/open");
  request.send(form);
}

const GONE = "The program does not answer: it may have been stopped. Start hlmbayes app again; what was saved is safe.";

// A file to be kept; what stands in its way is said on the page, in a place of the form that asks for it.
async function keep(address, place = $("notices")) {
  busy(1);
  const answer = await fetch(address).catch(() => null);
  const content = answer?.ok ? await answer.blob().catch(() => null) : null;
  busy(-1);
  if (!content) return say(answer && !answer.ok ? await answer.text() : GONE, "error", place);
  place.replaceChildren();
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = answer.headers.get("Content-Disposition").match(/filename="(.*)"/)[1];
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

function say(sentence, kind = "error", place = $("notices")) {
  const box = document.createElement("div");
  box.className = `box ${kind}`;
  box.setAttribute("role", kind === "error" ? "alert" : "status");
  const text = document.createElement("p");
  text.textContent = sentence;
  box.append(text);
  place.replaceChildren(box);
  box.scrollIntoView({ block: "nearest" });
  return box;
}

// ---- around a request
let focused = null, written = null, requests = 0, leaving = false;

function busy(step) {
  requests = Math.max(0, requests + step);
  $("busy").classList.toggle("on", requests > 0);
  $("busy").textContent = requests ? "Working ..." : "";
}

document.addEventListener("htmx:before:request", () => {
  focused = document.activeElement === document.body ? null : document.activeElement;
  busy(1);
});
document.addEventListener("htmx:finally:request", () => busy(-1));
document.addEventListener("htmx:error", () => {
  if (!leaving) say(GONE);
});
document.addEventListener("htmx:before:swap", (event) => {
  const text = $("text"), own = event.target.closest?.("details.text");
  const changed = text && !own && (text.value !== text.defaultValue || text.hasAttribute("aria-invalid"));
  written = changed ? text.value : null;
});
document.addEventListener("htmx:after:swap", (event) => {
  marks();
  const place = $(event.detail?.ctx?.target?.id || event.target?.id || ""), id = place?.id;
  if (focused && document.activeElement === document.body) focusOn($(focused.id) || place);
  if (id === "work" && written !== null) keepWriting();
  if (id === "work") document.body.dispatchEvent(new Event("model-changed"));
  if (id === "results" && document.querySelector("#panel > [aria-label=Data]")) $("panel").replaceChildren();
  if (id === "results" && $("results")) $("results").scrollIntoView({ block: "nearest" });
  // what is said of a form while it is filled in moves nothing: the button being pressed would slip away
  if (id === "priors") return;
  (id === "found" ? place.firstElementChild : place?.querySelector("[role=alert]"))?.scrollIntoView({ block: "nearest" });
});

// Equations being written as text stay when something else redraws the equations.
function keepWriting() {
  const text = $("text"), hint = document.createElement("p");
  if (!text || text.value === written) return;
  text.value = written;
  text.closest("details").open = true;
  hint.className = "quiet";
  hint.textContent = "This text is not used yet, and the equations above have changed since: using it puts it in their place.";
  text.after(hint);
}

// What had the focus may be gone: then the part of the page that took its place has it, and Tab goes on from there.
function focusOn(place) {
  if (!place) return;
  if (place.tabIndex < 0) place.tabIndex = -1;
  place.focus({ preventScroll: true });
}
document.addEventListener("DOMContentLoaded", marks);
addEventListener("pagehide", () => { leaving = true; });
setInterval(() => { fetch("/alive", { method: "POST" }).catch(() => {}); }, 30000);
