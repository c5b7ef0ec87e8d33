// The page for phones. Speaks to `/api/v1` alone, keeps what the visitor chose on their phone, and builds every element with text nodes: nothing
// that a server or another visitor wrote is taken as HTML.
"use strict";

const $ = (id) => document.getElementById(id);
const API = "/api/v1";
// As the prompt has them, as they look, and as they are called.
const COLOURS = [
  ["red", "#d33", () => say("red")], ["orange", "#f80", () => say("orange")], ["yellow", "#fc3", () => say("yellow")], ["green", "#3a3", () => say("green")],
  ["blue", "#36d", () => say("blue")], ["purple", "#85c", () => say("purple")], ["pink", "#f8b", () => say("pink")], ["brown", "#852", () => say("brown")],
  ["black", "#111", () => say("black")], ["white", "#fff", () => say("white")], ["gray", "#888", () => say("gray")],
];
const RTL = ["ar"];
let texts = {}, language = "en", about = null, events = null, job = null, shownJob = null, oldest = null;

// What a phone remembers; some browsers allow nothing.
const memory = {
  get(key) { try { return localStorage.getItem("inkstone." + key); } catch { return null; } },
  set(key, value) { try { value === null ? localStorage.removeItem("inkstone." + key) : localStorage.setItem("inkstone." + key, value); } catch { /* nothing is remembered */ } },
};

function say(key, values = {}) {
  const text = (texts[language] || {})[key] || (texts.en || {})[key] || key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));
}

// An element with properties and children.
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key in element) element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function trouble(message) {
  $("trouble").textContent = message || "";
  $("trouble").hidden = !message;
  if (message) $("trouble").scrollIntoView({ block: "nearest" });
}

// Why a request was refused, in the visitor's language where it has words for it.
function reason(error, status) {
  const known = {
    blocked_word: say("blocked"), too_many_requests: say("busy", { seconds: (error && error.retry_after) || 30 }), owner_only: say("owner-only"),
    unavailable: say("unavailable"), cancelled: say("cancelled"), unknown_prompt: say("unknown"), panel_busy: say("in-use"),
  };
  let message = (error && (known[error.kind] || error.message)) || say("failed") + " (" + status + ")";
  if (error && error.nearest && error.nearest.length) message += " " + say("nearest", { names: error.nearest.join(", ") });
  return message;
}

async function ask(path, options = {}) {
  const token = memory.get("owner");
  const headers = { ...(options.body ? { "Content-Type": "application/json" } : {}), ...(token ? { Authorization: "Bearer " + token } : {}) };
  let answer;
  try {
    answer = await fetch(path, { ...options, headers });
  } catch {
    throw new Error(say("away"));
  }
  const value = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (!answer.ok) throw new Error(reason(value && value.error, answer.status));
  return value;
}

// Runs what a button does and shows what goes wrong.
function doing(work) {
  return async (event) => {
    trouble("");
    try {
      await work(event);
    } catch (error) {
      trouble(error.message);
    }
  };
}

function translate() {
  document.documentElement.lang = language;
  document.documentElement.dir = RTL.includes(language) ? "rtl" : "ltr";
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = say(element.dataset.text);
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", say(element.dataset.label));
  for (const element of document.querySelectorAll("[data-hint]")) element.placeholder = say(element.dataset.hint);
  chips();
}

function chip(name, value, label, checked, before = null) {
  const input = make("input", { type: "radio", name, value, checked });
  return make("label", { className: "chip" }, input, make("span", {}, before, label));
}

function swatch(colour) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const dot = document.createElementNS("http://www.w3.org/2000/svg", "circle");
  for (const [key, value] of Object.entries({ class: "swatch", viewBox: "0 0 18 18", "aria-hidden": "true" })) svg.setAttribute(key, value);
  for (const [key, value] of Object.entries({ cx: 9, cy: 9, r: 8, fill: colour, stroke: "currentColor", "stroke-opacity": .4 })) dot.setAttribute(key, value);
  svg.append(dot);
  return svg;
}

// What a style is called in the visitor's language.
function called(style) {
  const names = (about && about.style_names && about.style_names[language]) || {};
  return names[style] || style;
}

function picked(name) {
  const input = document.querySelector(`input[name="${name}"]:checked`);
  return input ? input.value : "";
}

// Styles, colours and steps, with what was chosen before.
function chips() {
  const offer = (about && about.offer) || { styles: [], steps: [] };
  const style = picked("style"), colour = picked("colour"), steps = $("steps").value;
  $("styles").replaceChildren(chip("style", "", say("any"), !style), ...offer.styles.map((name) => chip("style", name, called(name), name === style)));
  $("styles").parentElement.hidden = offer.styles.length === 0;
  $("colours").replaceChildren(chip("colour", "", say("any"), !colour), ...COLOURS.map(([name, value, called]) => chip("colour", name, called(), name === colour, swatch(value))));
  $("steps").replaceChildren(make("option", { value: "", textContent: say("usual") }), ...offer.steps.map((count) => make("option", { value: count, textContent: count })));
  $("steps").value = steps;
}

// The wish that the form describes.
function wish() {
  const words = $("prompt").value.trim(), colour = picked("colour");
  const value = { prompt: [colour, words].filter(Boolean).join(" "), count: Number(picked("count") || 1), language };
  if (picked("style")) value.style = picked("style");
  if ($("steps").value) value.steps = Number($("steps").value);
  if ($("seed").value.trim()) value.seed = Number($("seed").value.trim());
  if (strokes.length) Object.assign(value, { from: $("sketch").toDataURL("image/png"), sketch: true });
  return value;
}

async function submit(value) {
  if (events) events.close();
  job = await ask(API + "/jobs", { method: "POST", body: JSON.stringify(value) });
  watch();
}

function watch() {
  $("progress").hidden = false;
  show(job);
  if (!stroke && !strokes.length) $("progress").scrollIntoView({ block: "center" });
  events = new EventSource(API + "/jobs/" + job.id + "/events");
  events.addEventListener("status", (event) => {
    job = JSON.parse(event.data);
    show(job);
    if (["done", "failed", "cancelled"].includes(job.state)) finish();
  });
  events.onerror = () => {
    // The browser tries again by itself, unless the job is gone.
    if (events.readyState === EventSource.CLOSED) { trouble(say("away")); $("progress").hidden = true; }
  };
}

function finish() {
  events.close();
  $("progress").hidden = true;
  if (job.state === "failed") trouble(reason(job.error, 0));
  else if (!strokes.length) $("drawn").scrollIntoView({ block: "nearest" });
  if (redraw) { redraw = false; sketched(); }
}

function show(job) {
  const step = job.steps ? job.step / job.steps : 0;
  const share = (job.pictures.length + (job.state === "drawing" ? step : 0)) / job.count;
  $("bar").value = Math.min(100, Math.round(share * 100));
  $("doing").textContent = job.state === "waiting"
    ? (job.reason ? say("waits") : say("position", { count: job.position })) + (job.seconds_until_begun ? " · " + say("seconds", { seconds: Math.ceil(job.seconds_until_begun) }) : "")
    : say("drawing", { step: job.step, steps: job.steps || "…" });
  if (shownJob !== job.id) { $("drawn").replaceChildren(); shownJob = job.id; }
  job.pictures.forEach((picture, index) => {
    const known = $("drawn").children[index];
    if (!known || known.dataset.state !== "done") place(index, drawnPicture(job, picture, index));
  });
  if (job.preview && job.state === "drawing") place(job.pictures.length, coming(job.preview));
}

function place(index, element) {
  const known = $("drawn").children[index];
  known ? known.replaceWith(element) : $("drawn").append(element);
}

function coming(preview) {
  const image = make("img", { src: preview, alt: say("preview"), className: "coming" });
  return make("li", {}, make("button", { type: "button", className: "picture", disabled: true }, image));
}

// What there is to say about a picture, in a line each.
function notes(picture, job) {
  const said = [...picture.notes.map((note) => note.message), ...job.notes];
  return said.map((message) => make("p", { className: "note", textContent: message }));
}

function drawnPicture(job, picture, index) {
  const image = make("img", { src: picture.url, alt: picture.prompt, loading: "lazy" });
  const open = make("button", { type: "button", className: "picture", onclick: () => enlarge(picture.url, picture.prompt, []) }, image);
  const keep = make("a", { href: picture.url, download: "inkstone-" + picture.seed + ".png", textContent: say("save-picture") });
  const choose = about.has_display && job.count > 1
    ? make("button", { type: "button", textContent: say("show"), onclick: doing(() => ask(picture.url + "/show", { method: "POST" })) }) : null;
  const hold = picture.number === null ? make("button", { type: "button", textContent: say("keep"), onclick: doing(async (event) => {
    const button = event.currentTarget;
    await ask(picture.url + "/keep", { method: "POST" });
    button.replaceWith(make("span", { textContent: say("kept") }));
  }) }) : null;
  const again = make("button", { type: "button", textContent: say("vary"), onclick: doing(() => submit({ prompt: picture.prompt, style: picture.style, steps: picture.steps, seed: picture.seed, count: Math.min(4, about.limits.at_once), variations: [{ seed: Math.floor(Math.random() * 1e5), strength: 0.5 }], language })) });
  const line = make("li", {}, open, make("p", { textContent: [picture.prompt, picture.style && called(picture.style)].filter(Boolean).join(" · ") }), ...notes(picture, job), make("div", { className: "row" }, keep, hold, choose, again));
  line.dataset.state = "done";
  return line;
}

function enlarge(url, title, actions) {
  $("large-picture").src = url;
  $("large-picture").alt = title;
  $("about").textContent = title;
  $("actions").replaceChildren(...actions, make("a", { href: url, download: "", textContent: say("save-picture") }));
  $("large").showModal();
}

// ---- sketches ----
let strokes = [], stroke = null, redraw = false, timer = 0;

function point(event) {
  const box = $("sketch").getBoundingClientRect();
  return [(event.clientX - box.left) * 384 / box.width, (event.clientY - box.top) * 384 / box.height];
}

function paint() {
  const context = $("sketch").getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, 384, 384);
  Object.assign(context, { strokeStyle: "#111", lineWidth: 7, lineCap: "round", lineJoin: "round" });
  for (const line of strokes) {
    context.beginPath();
    line.forEach(([x, y], index) => (index ? context.lineTo(x, y) : context.moveTo(x, y)));
    if (line.length === 1) context.lineTo(line[0][0] + .1, line[0][1]);
    context.stroke();
  }
}

// The picture follows the lines: one at a time, and the latest lines next.
function sketched() {
  if (!strokes.length || !$("prompt").value.trim()) return;
  clearTimeout(timer);
  timer = setTimeout(doing(async () => {
    const busy = job && ["waiting", "drawing"].includes(job.state);
    if (busy) { redraw = true; return; }
    await submit({ ...wish(), count: 1, show: false, keep: false });
  }), 500);
}

function sketching() {
  const canvas = $("sketch");
  paint();
  canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); stroke = [point(event)]; strokes.push(stroke); paint(); event.preventDefault(); });
  canvas.addEventListener("pointermove", (event) => { if (stroke) { stroke.push(point(event)); paint(); } });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { if (stroke) { stroke = null; sketched(); } });
  $("undo").addEventListener("click", () => { strokes.pop(); paint(); sketched(); });
  $("clear").addEventListener("click", () => { strokes = []; paint(); });
}

// ---- gallery ----
async function gallery(older) {
  const query = new URLSearchParams();
  if (older && oldest) query.set("before", oldest);
  if ($("only").checked) query.set("favourites", "true");
  const found = await ask(API + "/gallery?" + query);
  const lines = found.pictures.map(keptPicture);
  older ? $("kept").append(...lines) : $("kept").replaceChildren(...lines);
  const last = found.pictures.at(-1);
  oldest = last ? last.number : oldest;
  $("older").hidden = $("kept").children.length >= found.count || !found.pictures.length;
  $("empty").hidden = $("kept").children.length > 0;
}

function keptPicture(picture) {
  const title = picture.prompt || say("picture");
  const image = make("img", { src: picture.url, alt: title, loading: "lazy" });
  const open = make("button", { type: "button", className: "picture", onclick: () => enlarge(picture.url, title, curation(picture)) }, image);
  const heart = picture.favourite ? make("span", { className: "heart", textContent: "♥", role: "img", "aria-label": say("favourite") }) : null;
  return make("li", {}, open, heart);
}

// What the owner does with a kept picture.
function curation(picture) {
  if (!memory.get("owner")) return [];
  const path = API + "/owner/gallery/" + picture.number;
  const then = (work) => doing(async () => { $("large").close(); await work(); await gallery(false); });
  const action = (textContent, work) => make("button", { type: "button", textContent, onclick: then(work) });
  return [
    action(picture.favourite ? say("no-favourite") : say("favourite"), () => ask(path, { method: "PUT", body: JSON.stringify({ favourite: !picture.favourite }) })),
    action(say("hide"), () => ask(path + "/hide", { method: "POST" })),
    about.has_display ? action(say("show"), () => ask(path + "/show", { method: "POST" })) : null,
    action(say("print"), () => ask(path + "/print", { method: "POST" })),
  ].filter(Boolean);
}

// ---- frames ----
async function frames() {
  const found = (await ask(API + "/frames")).frames;
  const line = (frame) => make("li", {}, frame.own ? frame.name + " · " + say("here") : make("a", { href: frame.url, textContent: frame.name }));
  $("list").replaceChildren(...found.map(line));
  $("ask-frames").hidden = found.length < 2;
  document.querySelector('[data-part="frames"]').hidden = found.length < 2 && !memory.get("owner");
}

async function askFrames() {
  const wish = { prompt: $("frames-prompt").value.trim(), language };
  const answer = await ask(API + "/frames/jobs", { method: "POST", body: JSON.stringify({ wish, panorama: picked("over") === "panorama" }) });
  const line = (each) => make("li", { textContent: each.frame.name + ": " + (each.error || say("asked")) });
  $("answers").replaceChildren(...answer.frames.map(line));
}

// ---- owner ----
async function owner() {
  const health = await ask(API + "/owner");
  const mib = (bytes) => (bytes === null ? "–" : Math.round(bytes / 1048576) + " MiB");
  const rows = [
    ["version", health.version], ["running", Math.round(health.seconds_running / 60) + " min"], ["temperature", health.celsius === null ? "–" : Math.round(health.celsius) + " °C"],
    ["memory", mib(health.private_bytes) + " + " + mib(health.mapped_bytes)], ["free", mib(health.free_bytes)], ["pictures", health.pictures], ["line", health.waiting],
  ];
  const names = { version: say("version"), running: say("running"), temperature: say("temperature"), memory: say("memory"), free: say("free"), pictures: say("pictures"), line: say("line") };
  $("health").replaceChildren(...rows.flatMap(([key, value]) => [make("dt", { textContent: names[key] }), make("dd", {}, make("bdi", { textContent: value }))]));
  $("buttons").hidden = !health.has_display;
  $("settings-part").hidden = !health.settings_file;
  $("power").hidden = !health.power_off;
}

async function opened(part) {
  for (const section of document.querySelectorAll("main > section")) section.hidden = section.id !== part;
  for (const button of document.querySelectorAll("[data-part]")) button.dataset.part === part ? button.setAttribute("aria-current", "page") : button.removeAttribute("aria-current");
  const load = { gallery: () => gallery(false), frames, owner }[part];
  if (load) await load();
}

async function begin() {
  texts = await (await fetch("/texts.json")).json();
  const wanted = [memory.get("language"), ...(navigator.languages || []).map((tag) => tag.slice(0, 2))];
  $("language").replaceChildren(...Object.keys(texts).map((tag) => make("option", { value: tag, textContent: texts[tag]["own-name"] || say("own-name") })));
  const token = new URLSearchParams(location.hash.slice(1)).get("owner");
  if (token) { memory.set("owner", token); history.replaceState(null, "", location.pathname); }
  language = wanted.find((tag) => texts[tag]) || "en";
  $("language").value = language;
  translate();
  about = await ask(API);
  $("name").textContent = about.name;
  document.title = about.name;
  if (!wanted.find((tag) => texts[tag]) && texts[about.language]) language = $("language").value = about.language;
  translate();
  $("sketching").hidden = Boolean(about.offer) && !about.offer.takes_pictures;
  document.querySelector('input[name="count"][value="4"]').closest("label").hidden = about.limits.at_once < 4;
  document.querySelector('[data-part="owner"]').hidden = !memory.get("owner");
  frames().catch(() => {});
  if (token) await opened("owner");
}

$("language").addEventListener("change", () => { language = $("language").value; memory.set("language", language); translate(); });
$("ask").addEventListener("submit", (event) => { event.preventDefault(); doing(() => submit(wish()))(); });
$("cancel").addEventListener("click", doing(() => job && ask(API + "/jobs/" + job.id, { method: "DELETE" })));
$("only").addEventListener("change", doing(() => gallery(false)));
$("older").addEventListener("click", doing(() => gallery(true)));
$("close").addEventListener("click", () => $("large").close());
$("ask-frames").addEventListener("submit", (event) => { event.preventDefault(); doing(askFrames)(); });
$("save").addEventListener("click", doing(async () => { const answer = await ask(API + "/owner/settings", { method: "PUT", body: JSON.stringify({ text: $("settings").value }) }); trouble(answer.note); }));
$("settings-part").addEventListener("toggle", doing(async () => { if ($("settings-part").open) $("settings").value = (await ask(API + "/owner/settings")).text; }));
$("log-part").addEventListener("toggle", doing(async () => { if ($("log-part").open) $("log").textContent = (await ask(API + "/owner/log")).lines.join("\n"); }));
$("leave").addEventListener("click", () => { memory.set("owner", null); location.reload(); });
for (const button of document.querySelectorAll("[data-part]")) button.addEventListener("click", doing(() => opened(button.dataset.part)));
for (const button of document.querySelectorAll("[data-press]")) button.addEventListener("click", doing(() => ask(API + "/owner/press", { method: "POST", body: JSON.stringify({ button: button.dataset.press }) })));
for (const button of document.querySelectorAll("[data-power]")) button.addEventListener("click", doing(async () => { if (confirm(button.textContent)) await ask(API + "/owner/power", { method: "POST", body: JSON.stringify({ action: button.dataset.power }) }); }));
sketching();
doing(begin)();
