"use strict";
// Shows how far the waking is, asks for it when someone looks, and goes to the app once it answers.
const $ = (id) => document.getElementById(id);
const settings = JSON.parse($("settings").textContent);
const { words, moods } = settings;

const EAGER = 1e3, FAST = 3e3, STEADY = 8e3, SLOW = 15e3; // between two polls
const ASK_AGAIN_AFTER = 15e3; // a wake call that was refused
const GIVE_UP_AFTER = 15 * 60e3; // of nobody looking: a page left open must not ask all night

let seen = settings.status; // the newest status
let since = null, boot = null; // when what is shown began, by this browser's clock; and what that is
let pressed = false, asked = false, askAgainAt = 0; // the wake call
let timer = 0, polling = false, paused = false, polledAt = 0, failures = 0; // the polls
let lookedAt = Date.now(), touched = false; // the person
let leaving = false;

// ---- Showing

const fill = (text, values) => text.replace(/\{(\w*)\}/g, (_, name) => values[name]);

function span(seconds) {
  if (seconds < 120) return fill(words.seconds, { "": seconds });
  if (seconds < 7200) return fill(words.minutes, { "": Math.floor(seconds / 60) });
  return fill(words.hours, { "": Math.floor(seconds / 3600) });
}

// Text that did not change is left alone: a screen reader would read it again.
function say(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}

function show(status) {
  seen = status;
  const mood = moods[status.mood], icon = fill(settings.icon, mood);
  document.title = mood.mark + status.title;
  if ($("icon").getAttribute("href") !== icon) {
    $("icon").href = icon;
    if ($("mark")) $("mark").src = icon;
  }
  say("title", status.title);
  say("detail", status.detail);
  document.querySelector("main").dataset.phase = status.phase;
  [...$("steps").children].forEach((step, index) => {
    step.className = index < status.steps_done ? "done" : "";
    if (index === status.steps_done) step.setAttribute("aria-current", "step");
    else step.removeAttribute("aria-current");
  });
  $("steps").hidden = status.steps_done === null;
  showButtons(status);
  measure(status);
  tick();
}

function showButtons(status) {
  const canPress = status.can_wake || status.phase === "falling-asleep";
  const needless = isWilling() && ["asleep", "waking"].includes(status.mood);
  const hadFocus = $("wake").contains(document.activeElement);
  $("wake").hidden = !canPress || needless;
  say("press", ["waiting", "failed"].includes(status.mood) ? words.again : words.wake);
  say("next", canPress && needless && !status.can_wake ? words.wakes_then : "");
  if (hadFocus && $("wake").hidden) $("title").focus(); // else the keyboard would begin at the top
  $("go").hidden = !status.ready;
}

// A boot is measured from its beginning, everything else from when this page first saw it.
function measure(status) {
  const other = boot !== (status.since ?? status.phase);
  boot = status.since ?? status.phase;
  const began = Date.now() - (status.elapsed_seconds ?? 0) * 1e3;
  since = other ? began : Math.min(since, began);
}

function tick() {
  const isMoving = ["waking", "waiting"].includes(seen.mood);
  $("waiting").hidden = !isMoving;
  if (!isMoving) return;
  const elapsed = Math.max(0, Math.round((Date.now() - since) / 1e3));
  const expected = seen.mood === "waking" && seen.steps_done !== null ? seen.expected_seconds : 0;
  // A bar that stands at nearly done would be a lie.
  if (elapsed < expected) $("bar").value = elapsed / expected;
  else $("bar").removeAttribute("value");
  const text = paused ? words.paused : elapsed < expected ? words.usually : expected ? words.longer : words.so_far;
  say("clock", fill(text, { elapsed: span(elapsed), expected: span(expected) }));
}

// ---- Asking

const isLookedAt = () => window.top === window.self && !document.prerendering && document.visibilityState === "visible";
const isWilling = () => pressed || settings.wakes_by_itself;

// The first wake call also says that someone is here; later ones are sent when they would do something.
function isToAsk() {
  if (!isWilling()) return false;
  return asked ? seen.can_wake && Date.now() >= askAgainAt : isLookedAt();
}

async function get(url, options) {
  const answer = await fetch(url, { ...options, cache: "no-store", signal: AbortSignal.timeout?.(10e3) });
  const status = await answer.json();
  if (!moods[status.mood]) throw new Error("not a status"); // API Gateway's own error
  show(status);
}

async function ask() {
  // A press is one try, not one at each poll: a start that failed waits its time.
  const by = pressed && (!asked || seen.phase !== "failed" || seen.retry_is_due) ? "press" : "wake";
  asked = true;
  askAgainAt = 0; // if it does not get through
  await get(settings.wake_url, { method: "POST", headers: { "x-catnap": by } });
  if (seen.phase !== "falling-asleep") askAgainAt = Date.now() + ASK_AGAIN_AFTER;
}

// The app's own origin only when the other is out of reach: see handoff/poll.rs.
const look = () => get(settings.status_urls[Math.floor(failures / 3) % 2], { credentials: "omit" });

async function poll() {
  clearTimeout(timer);
  timer = 0;
  polling = true;
  paused = false;
  polledAt = Date.now();
  try {
    // A wake call that does not get through says nothing of the app: it may be up, and the call have gone to it.
    if (failures || !isToAsk()) await look();
    if (isToAsk()) await ask();
    failures = 0;
  } catch {
    failures += 1;
    say("detail", words.offline);
  }
  polling = false;
  if (seen.ready) leave();
  else if (Date.now() - lookedAt < GIVE_UP_AFTER) timer = setTimeout(poll, pace());
  else paused = true;
}

function pace() {
  if (failures) return Math.min(FAST * 2 ** (failures - 1), SLOW);
  if (isToAsk()) return 0; // pressed in the meantime
  if (document.hidden || seen.mood !== "waking") return SLOW;
  if (Date.now() - since >= 120e3) return STEADY;
  return seen.phase === "starting" ? EAGER : FAST; // the app may answer any moment
}

// ---- Leaving

const TRIES = "catnap-tries";

// How often this tab went to the app and was led back here. A browser may forbid to keep it.
function triesSoFar() {
  try {
    const { count, at } = JSON.parse(sessionStorage.getItem(TRIES));
    return Date.now() - at < (settings.status.ready ? 30 : 1) * 60e3 ? count : 0;
  } catch {
    return 0;
  }
}

function leave() {
  if (leaving) return;
  if (settings.was_unsafe) return say("next", words.not_done); // opening its address is another thing than sending it
  const tries = triesSoFar();
  if (tries >= 3 && !touched) return say("next", words.by_hand); // it went round three times, and nobody is there
  leaving = true;
  const delays = seen.navigate_after_seconds;
  const until = Date.now() + delays[Math.min(tries, delays.length - 1)] * 1e3;
  const count = () => {
    const left = Math.max(0, Math.ceil((until - Date.now()) / 1e3));
    say("next", fill(left ? words.leaving_in : words.leaving, { left: span(left) }));
    if (!left) go(tries + 1);
    else setTimeout(count, Math.min(1e3, until - Date.now()));
  };
  count();
  $("next").setAttribute("aria-live", "off"); // said once: nobody wants each second read out
}

function go(tries) {
  try {
    sessionStorage.setItem(TRIES, JSON.stringify({ count: tries, at: Date.now() }));
  } catch {}
  // With a fragment, an empty one too, navigating to the same address would stay on this page.
  if (location.href.includes("#")) location.reload();
  else location.replace(location.href);
}

// ---- The person

function notice(event) {
  if (!isLookedAt()) return;
  lookedAt = Date.now();
  touched ||= event.isTrusted && /^(pointer|key)/.test(event.type);
  const isBack = event.type === "visibilitychange" && Date.now() - polledAt >= FAST;
  if (seen.ready) leave();
  else if (!polling && (!timer || isBack)) poll();
}

$("go").addEventListener("click", (event) => {
  event.preventDefault();
  go(triesSoFar() + 1);
});
$("wake").addEventListener("submit", (event) => {
  event.preventDefault();
  pressed = true;
  asked = false;
  if (!polling) poll();
});
for (const sign of ["visibilitychange", "prerenderingchange", "pointerdown", "pointermove", "keydown"]) {
  document.addEventListener(sign, notice);
}
// Back from the app, with all that stood here then.
addEventListener("pageshow", (event) => event.persisted && location.reload());
setInterval(tick, 1e3);
show(seen);
notice(new Event("load"));
