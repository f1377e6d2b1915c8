// The sandbox's page: follows the world, and passes on what is done to it.
import { bytes, draw } from "./chart.js";
import { forgetLines, say, showAnswered, showLines, showWorld } from "./show.js";

const $ = (id) => document.getElementById(id);
const past = { points: [], phases: [] };
const LOST = "The sandbox does not answer. Is it still running?";
let world = null, path = "/", drawn = "";

// ---- The world

function follow() {
  const events = new EventSource("/events");
  events.onmessage = ({ data }) => {
    const frame = JSON.parse(data);
    if (frame.is_whole) begin();
    show(frame);
  };
  // A stream that only fell behind is there again at once.
  let lost = 0;
  events.onopen = () => clearTimeout(lost);
  events.onerror = () => {
    clearTimeout(lost);
    lost = setTimeout(tell, 2e3, LOST);
  };
}

function begin() {
  past.points = [];
  past.phases = [];
  forgetLines();
}

function show(frame) {
  const isNew = world !== null && !frame.is_whole;
  world = frame;
  past.points.push(...frame.points.map(({ at, value }) => [Date.parse(at), value]));
  past.phases.push(...frame.phases.map(({ at, state }) => [Date.parse(at), state]));
  showWorld(frame);
  showLines(frame.lines, isNew);
  showAnswered(frame.sent);
  showControls(frame);
  followWindow(frame.sent);
  requestAnimationFrame(redraw);
}

function redraw() {
  const hours = Number(document.querySelector("[name=range]:checked").value);
  const now = Date.parse(world.now), floor = world.decision?.floor ?? undefined, box = $("chart");
  // It moves by pixels.
  const pixel = hours * 3600e3 / Math.max(box.clientWidth, 1);
  const key = [Math.floor(now / pixel), hours, floor, past.points.length, past.phases.length, box.clientWidth].join();
  if (key === drawn) return;
  drawn = key;
  const oldest = now - 8 * 24 * 3600e3;
  past.points = past.points.filter(([at]) => at > oldest);
  draw(box, { ...past, floor, began: Date.parse(world.began), now, hours });
  const last = past.points.at(-1);
  const state = world.state === "stopped" ? "asleep" : world.state;
  box.setAttribute("aria-label", last
    ? `${bytes(last[1])} in the newest five minutes, from ${new Date(last[0]).toISOString().slice(11, 16)}`
      + `${floor === undefined ? "" : `; the noise floor is ${bytes(floor)}`}. The instance is ${state}.`
    : "No datapoint yet");
}

// ---- Doing

let hide = 0;

function tell(text) {
  $("toast").hidden = false;
  say("toast", text);
  clearTimeout(hide);
  hide = setTimeout(() => { $("toast").hidden = true; }, 8e3);
}

async function act(command) {
  try {
    const answer = await fetch("/do", {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(command),
    });
    const { error } = await answer.json();
    if (error) tell(error);
    else $("toast").hidden = true;
    return !error;
  } catch {
    tell(LOST);
    return false;
  }
}

const press = (id, command) => $(id).addEventListener("click", () => act(command()));
press("visit", () => ({ do: "visit" }));
press("bot", () => ({ do: "bot", kind: $("bot-kind").value }));
press("skip", () => ({ do: "skip", minutes: 60 }));
$("speed").addEventListener("change", ({ target }) => act({ do: "speed", factor: Number(target.value) }));
$("traffic").addEventListener("change", ({ target }) => act({ do: "traffic", level: target.value }));
$("range").addEventListener("change", redraw);
$("requests").addEventListener("change", ({ target }) => $("lines").classList.toggle("with-requests", target.checked));
for (const button of document.querySelectorAll("[data-act]")) {
  button.addEventListener("click", () => act({ do: "act", act: button.dataset.act }));
}
$("tags").addEventListener("change", ({ target }) => act({ do: "tag", tag: target.dataset.tag, on: target.checked }));
$("faults").addEventListener("change", ({ target }) => act({ do: "fault", name: target.dataset.fault, on: target.checked }));
for (const field of document.querySelectorAll("[data-set]")) {
  field.addEventListener("change", async () => {
    const parameter = field.dataset.set;
    // What cannot be set stays as it was; the message has what was typed.
    if (!await act({ do: "set", parameter, value: field.value.trim() })) field.value = world.settings[parameter];
  });
}
$("schedule").addEventListener("change", async ({ target }) => {
  const minutes = Number(target.value);
  const done = Number.isInteger(minutes) && minutes >= 0 ? await act({ do: "schedule", minutes })
    : tell(`“${target.value}” is no schedule: it takes a whole number of minutes`);
  if (!done) target.value = world.schedule_minutes;
});

function set(field, value) {
  if (document.activeElement !== field && field.value !== value) field.value = value;
}

function showControls(frame) {
  for (const radio of document.querySelectorAll("[name=speed]")) radio.checked = Number(radio.value) === frame.speed;
  for (const radio of document.querySelectorAll("[name=traffic]")) radio.checked = radio.value === frame.traffic;
  for (const field of document.querySelectorAll("[data-set]")) set(field, frame.settings[field.dataset.set]);
  set($("schedule"), String(frame.schedule_minutes));
  for (const box of document.querySelectorAll("[data-tag]")) box.checked = frame.tags.includes(box.dataset.tag);
  if (!$("faults").childElementCount) $("faults").append(...frame.faults.map(faultSwitch));
  for (const { name, on } of frame.faults) document.querySelector(`[data-fault=${name}]`).checked = on;
}

function faultSwitch({ name, words }) {
  const label = document.createElement("label"), box = document.createElement("input"), text = document.createElement("span");
  box.type = "checkbox";
  box.setAttribute("role", "switch");
  box.dataset.fault = name;
  text.textContent = words.charAt(0).toUpperCase() + words.slice(1);
  label.append(box, text);
  return label;
}

// ---- The window

function open(to) {
  const within = to.replace(/^(https?:\/\/)?app\.example\.com/, "");
  path = within.startsWith("/") ? within : `/${within}`;
  $("path").value = path;
  $("start").hidden = true;
  $("frame").hidden = false;
  $("frame").src = `${location.protocol}//${location.hostname}:${world.window_port}${path}`;
  $("reload").disabled = $("other").disabled = false;
}

// Where a link in it has led.
function followWindow(sent) {
  if (!sent?.is_page || sent.path === path || $("frame").hidden) return;
  path = sent.path;
  set($("path"), path);
}

$("go").addEventListener("submit", (event) => {
  event.preventDefault();
  open($("path").value.trim());
  $("path").blur();
});
$("first").addEventListener("click", () => open("/"));
$("reload").addEventListener("click", () => open(path));
$("other").addEventListener("click", async () => { if (await act({ do: "browser" })) open(path); });
$("restart").addEventListener("click", async () => {
  if (!await act({ do: "restart" })) return;
  $("frame").src = "about:blank";
  $("frame").hidden = true;
  $("start").hidden = false;
  $("reload").disabled = $("other").disabled = true;
});
new ResizeObserver(() => world && redraw()).observe($("chart"));
follow();
