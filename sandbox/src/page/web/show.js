// Shows the world: its state, its facts, and the lines of what happens.
const $ = (id) => document.getElementById(id);
const LINES = 300;
const BOOT = 300e3; // longer is no boot, the pair says as well

// Text that did not change is left alone.
export function say(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}

const hours = (seconds) => seconds >= 360_000 ? `${(seconds / 86_400).toFixed(1)} d` : `${(seconds / 3600).toFixed(1)} h`;
const time = (at) => at.slice(11, 16);
const day = (at, options) => new Date(at).toLocaleDateString("en-GB", { timeZone: "UTC", ...options });

function look(world) {
  const answers = world.app.seen === "ready";
  switch (world.state) {
    case "stopped": return ["asleep", "Asleep", "A visit wakes it."];
    case "pending": return ["waking", "Waking: EC2 starts it", "It has its address, and nothing on it runs yet."];
    case "stopping": return ["dozing", "Falling asleep", "It can be woken as soon as it has stopped."];
    case "running":
      if (answers) return ["awake", "Awake", naps(world)];
      if (world.app.seen === "refused" && Date.parse(world.now) - Date.parse(world.launched_at) < BOOT)
        return ["waking", "Waking: the app starts", "The instance is on, nothing answers on it yet."];
      return ["trouble", "Awake, and not well", "Whoever reaches it gets no good answer."];
    default: return ["trouble", world.state, ""];
  }
}

function naps({ decision, launched_at }) {
  if (!decision || decision.at < launched_at) return "The stopper has not looked since it woke.";
  const text = decision.would_change;
  return `The stopper: ${text.charAt(0).toLowerCase()}${text.slice(1)}.`;
}

let said = "";

export function showWorld(world) {
  say("date", day(world.now, { weekday: "short", day: "numeric", month: "short" }));
  say("clock", world.now.slice(11, world.effective_speed > 60 ? 16 : 19));
  const [name, title, next] = look(world);
  $("world").dataset.look = name;
  say("state", title);
  say("next", next);
  say("dns", world.leads_to === "instance" ? "the instance" : "the starter");
  const seen = { ready: "answers", refused: "refuses", "timed-out": "no answer", "tls-failed": "bad certificate" };
  say("app", seen[world.app.seen] ?? `${world.app.seen} ${world.app.status ?? ""}`.trim());
  showHealth(world);
  say("counts", `${world.counts.wakes} and ${world.counts.naps}`);
  say("hours", `${hours(world.asleep_seconds)}, ${hours(world.awake_seconds)}`);
  const share = Math.round(100 * world.asleep_seconds / Math.max(1, world.asleep_seconds + world.awake_seconds));
  say("saved", world.saved === null ? "–" : `$${world.saved.toFixed(2)}`);
  say("share", `${share} % of the time`);
  say("waiting", world.waiting ? `${world.waiting} ${world.waiting === 1 ? "person waits" : "people wait"} for the app.` : "Nobody waits.");
  const held = world.effective_speed !== world.speed;
  $("slow").hidden = !held;
  if (held) say("slow", `At ×${world.effective_speed} while this window waits`);
  // A screen reader hears of phases, not of each line.
  if (said !== title) say("said", said && `${time(world.now)}: ${title}`);
  said = title;
}

function showHealth({ healthy, checkers, checkers_well }) {
  const key = `${healthy} ${checkers} ${checkers_well}`;
  if ($("health").dataset.key === key) return;
  $("health").dataset.key = key;
  const dots = document.createElement("span");
  dots.className = "dots";
  dots.setAttribute("aria-hidden", "true");
  for (let i = 0; i < checkers; i += 1) {
    const dot = document.createElement("i");
    if (i < checkers_well) dot.className = "well";
    dots.append(dot);
  }
  const words = document.createElement("small");
  words.textContent = healthy ? "healthy" : "unhealthy";
  const count = document.createElement("span");
  count.className = "sr";
  count.textContent = `${checkers_well} of ${checkers} find it well: `;
  $("health").replaceChildren(dots, count, words);
}

// ---- What happens

const LOOKS = {
  nap: "night", stopped: "night", ignored: "night", "gives-up": "bad", failed: "bad", refused: "bad", broken: "bad",
  keep: "day", wake: "day", start: "day", running: "day", pending: "day", arrives: "day", "hand-off": "day",
};
const NAMES = {
  stopper: "stopper", starter: "starter", call: "EC2", world: "", visitor: "visitor", request: "request", you: "you",
};
const shown = new Map();
let newest = 0; // the number of the newest line

function fill(item, line) {
  const mark = document.createElement("span");
  mark.className = `mark ${LOOKS[line.mark] ?? "plain"}`;
  mark.textContent = ["stopper", "starter"].includes(line.topic) ? line.mark : NAMES[line.topic] || line.mark;
  const at = document.createElement("time");
  at.dateTime = line.at;
  at.textContent = time(line.at);
  const text = document.createElement("p");
  const who = ["stopper", "starter"].includes(line.topic) ? `${NAMES[line.topic]}: ` : "";
  const strong = document.createElement("b");
  strong.textContent = who && who.charAt(0).toUpperCase() + who.slice(1);
  text.append(strong, line.text);
  if (line.times > 1) {
    const times = document.createElement("span");
    times.className = "times";
    times.textContent = ` ×${line.times}, until ${time(line.until)}`;
    text.append(times);
  }
  if (line.more) {
    const more = document.createElement("span");
    more.className = "more";
    more.textContent = `. ${line.more.charAt(0).toUpperCase()}${line.more.slice(1)}`;
    text.append(more);
  }
  item.replaceChildren(at, mark, text);
}

export function forgetLines() {
  shown.clear();
  newest = 0;
  $("lines").replaceChildren();
}

function heading(at) {
  const item = document.createElement("li");
  item.className = "heading";
  item.textContent = day(at, { weekday: "long", day: "numeric", month: "long" });
  item.dataset.day = at.slice(0, 10);
  return item;
}

export function showLines(lines, isNew) {
  const list = $("lines"), stays = list.scrollTop > 4 ? list.scrollHeight - list.scrollTop : null;
  for (const line of lines) {
    let item = shown.get(line.n);
    if (!item && line.n <= newest) continue; // long past, and no longer here
    if (!item) {
      newest = line.n;
      item = document.createElement("li");
      item.dataset.topic = line.topic;
      item.dataset.mark = line.mark;
      if (isNew) item.className = "new";
      const first = list.firstElementChild;
      // A day's name stands above its lines, of which the newest comes first.
      if (first?.dataset.day === line.at.slice(0, 10)) first.after(item);
      else {
        list.prepend(item);
        list.prepend(heading(line.at));
      }
      shown.set(line.n, item);
    }
    fill(item, line);
  }
  for (const [n, item] of shown) {
    if (shown.size <= LINES) break;
    item.remove();
    shown.delete(n);
  }
  while (list.lastElementChild?.dataset.day) list.lastElementChild.remove();
  if (stays !== null) list.scrollTop = list.scrollHeight - stays; // what is being read does not move away
}

// ---- The window

const WAYS = {
  connection: "over a connection that was still open", "own-cache": "at the address that the browser remembered",
  resolver: "at the address that its resolver remembered", "route53": "after Route 53 was asked",
};

export function showAnswered(sent) {
  if (!sent) {
    $("answered").dataset.by = "nobody";
    return say("answered", "No request has been sent yet.");
  }
  if (!sent.is_page) return; // its script asks how far it is
  const by = sent.got === "nothing" ? "none" : sent.to === "instance" ? "instance" : "starter";
  $("answered").dataset.by = by;
  const whom = sent.to === "instance" ? "The instance" : "API Gateway";
  const what = {
    "waiting-page": `The starter answered with the waiting page (${sent.status})`,
    app: sent.to === "instance" ? `The instance itself answered (${sent.status})`
      : `The starter passed on the app’s answer (${sent.status})`,
    starter: `The starter answered by itself (${sent.status})`,
    "gateway-error": `API Gateway answered with an error (${sent.status})`,
    nothing: `${whom} did not answer`,
  }[sent.got];
  say("answered", `${what}. The request went to ${sent.to === "instance" ? "the instance" : "API Gateway"} ${WAYS[sent.way] ?? ""}.`);
}
