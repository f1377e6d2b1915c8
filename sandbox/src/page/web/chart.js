// NetworkIn against the noise floor, and below it when the instance slept and was awake.
const SVG = "http://www.w3.org/2000/svg";
const LEFT = 46, RIGHT = 4, TOP = 8, STRIP = 14, AXIS = 18, GAP = 8;
const FIVE_MINUTES = 300e3;

const clock = (at) => new Date(at).toISOString().slice(11, 16);
const day = (at) => new Date(at).toLocaleDateString("en-GB", { weekday: "short", timeZone: "UTC" });
export const bytes = (value) => value >= 1e6 ? `${(value / 1e6).toFixed(1)} MB`
  : value >= 1e4 ? `${Math.round(value / 1e3)} KB` : `${(value / 1e3).toFixed(1)} KB`;

function element(parent, name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text) made.textContent = text;
  parent.append(made);
  return made;
}

/** Points are `[at, bytes]`, phases `[at, state]`; times in milliseconds. */
export function draw(box, { points, phases, floor, began, now, hours }) {
  const width = Math.max(box.clientWidth, 200), height = box.clientHeight || 200;
  const span = hours * 3600e3, from = Math.max(began, now - span), plot = height - TOP - GAP - STRIP - AXIS, inner = width - LEFT - RIGHT;
  const x = (at) => LEFT + inner * Math.min(1, Math.max(0, (at - from) / span));
  const shown = points.filter(([at]) => at + FIVE_MINUTES > from);
  const top = Math.max(1e6, ...shown.map(([, value]) => value), floor ?? 0) * 1.2;
  const y = (value) => TOP + plot * (1 - Math.log10(Math.max(value, 1e3) / 1e3) / Math.log10(top / 1e3));
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("aria-hidden", "true");

  for (const value of [1e3, 1e4, 1e5, 1e6, 1e7]) {
    if (value > top) break;
    element(svg, "line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value) });
    element(svg, "text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, value < 1e6 ? `${value / 1e3} KB` : `${value / 1e6} MB`);
  }
  const known = shown.length ? shown.at(-1)[0] + FIVE_MINUTES : from;
  if (phases.at(-1)?.[1] === "running" && known < now) { // what CloudWatch does not tell yet
    const since = Math.max(known, phases.at(-1)[0], from);
    element(svg, "rect", { class: "unknown", x: x(since), y: TOP, width: x(now) - x(since), height: plot });
  }
  // More datapoints than pixels: the highest of those that share one.
  const bars = new Map();
  const each = x(from + FIVE_MINUTES) - LEFT, wide = Math.max(1, each < 4 ? each : each - 1);
  for (const [at, value] of shown) {
    const key = Math.floor(x(at) / Math.max(wide, 2));
    if (!bars.has(key) || bars.get(key)[1] < value) bars.set(key, [at, value]);
  }
  for (const [at, value] of bars.values()) {
    const over = floor !== undefined && value > floor;
    element(svg, "rect", { class: over ? "over" : "under", x: x(at), y: y(value), width: wide, height: TOP + plot - y(value) });
  }
  if (floor !== undefined) {
    element(svg, "line", { class: "floor", x1: LEFT, x2: width - RIGHT, y1: y(floor), y2: y(floor) });
    element(svg, "text", { class: "floor-text", x: width - RIGHT - 6, y: y(floor) - 5, "text-anchor": "end" }, `noise floor ${bytes(floor)}`);
  }
  const strip = TOP + plot + GAP;
  phases.forEach(([at, state], index) => {
    const end = phases[index + 1]?.[0] ?? now;
    if (end <= from) return;
    const look = state === "stopped" || state === "running" ? state : "between";
    element(svg, "rect", { class: `s-${look}`, x: x(at), y: strip, width: Math.max(1, x(end) - x(at)), height: STRIP });
  });
  element(svg, "line", { class: "now-line", x1: x(now), x2: x(now), y1: TOP, y2: strip + STRIP });
  const step = 3600e3 * (hours <= 6 ? 1 : hours <= 24 ? 6 : 24);
  for (let at = Math.ceil(from / step) * step; at < from + span; at += step) {
    if (x(at) > width - RIGHT - 18 || x(at) < LEFT + 4) continue;
    element(svg, "text", { x: x(at), y: height - 4, "text-anchor": "middle" }, hours > 24 ? day(at) : clock(at));
  }
  box.replaceChildren(svg);
}
