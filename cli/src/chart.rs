//! A plan as a picture: traffic, what was taken for noise, and when it napped.

use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};

use crate::plan::{Plan, bytes_in_words};
use crate::recording::Recording;

const WIDTH: f64 = 1_200.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 78.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 64.0;
/// Of the traffic; below it lies the strip of awake and asleep, then the dates.
const BOTTOM: f64 = 340.0;
const STRIP: (f64, f64) = (348.0, 362.0);

/// Where a time and a number of bytes lie. Bytes are on a logarithmic scale: a page view and an upload both show.
struct Scale {
    since: DateTime<Utc>,
    seconds: f64,
    /// Powers of ten.
    least: f64,
    most: f64,
}

impl Scale {
    fn of(recording: &Recording, plan: &Plan) -> Self {
        let bytes =
            recording.series.points.iter().map(|point| point.value).chain(plan.floors.iter().map(|floor| floor.1));
        let bytes = bytes.filter(|bytes| *bytes >= 1.0);
        let (least, most) =
            bytes.fold((f64::INFINITY, 10.0), |(least, most), it| (f64::min(least, it), f64::max(most, it)));
        let least = least.min(most).log10().floor();
        let most = most.log10().ceil().max(least + 1.0);
        let seconds = (plan.until - plan.since).as_seconds_f64();
        Self { since: plan.since, seconds, least, most }
    }

    fn x(&self, at: DateTime<Utc>) -> f64 {
        LEFT + (at - self.since).as_seconds_f64() / self.seconds * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, bytes: f64) -> f64 {
        let power = bytes.max(1.0).log10().max(self.least);
        BOTTOM - (power - self.least) / (self.most - self.least) * (BOTTOM - TOP)
    }
}

/// Draws an SVG whose colours can be read on a light ground as well as on a dark one.
pub(crate) fn draw(recording: &Recording, plan: &Plan) -> String {
    let scale = Scale::of(recording, plan);
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="title">
<title id="title">NetworkIn of {name}, the noise floor, and when Catnap would have napped</title>
<style>
text {{ font: 13px system-ui, sans-serif; fill: #7c7c7c }}
.head {{ font-size: 16px; font-weight: 600 }}
.grid {{ stroke: #80808040; stroke-width: 1 }}
.traffic {{ fill: #3b82c4; stroke: #3b82c4; stroke-width: 1; stroke-linejoin: round }}
.floor {{ fill: none; stroke: #e07b16; stroke-width: 2 }}
.nap {{ fill: #7b5fc733 }}
.asleep {{ fill: #7b5fc7 }}
.awake {{ fill: #2f9e62 }}
</style>
"##,
        name = escaped(&plan.recording)
    );
    let Some(catnap) = plan.policies.first() else { return svg + "</svg>\n" };
    let naps: Vec<_> =
        catnap.slept.iter().map(|slept| (scale.x(slept.since), scale.x(slept.until.unwrap_or(plan.until)))).collect();
    head(&mut svg, plan);
    rectangle(&mut svg, "awake", (LEFT, WIDTH - RIGHT), STRIP);
    for nap in &naps {
        rectangle(&mut svg, "nap", *nap, (TOP, BOTTOM));
        rectangle(&mut svg, "asleep", *nap, STRIP);
    }
    grid(&mut svg, &scale, plan);
    traffic(&mut svg, &scale, recording);
    floor(&mut svg, &scale, plan);
    svg.push_str("</svg>\n");
    svg
}

/// The title and the legend.
fn head(svg: &mut String, plan: &Plan) {
    let catnap = &plan.policies[0];
    let _ = writeln!(
        svg,
        r#"<text class="head" x="{LEFT}" y="22">{}: {:.0} h awake, {:.0} h asleep in {} naps</text>"#,
        escaped(plan.recording.rsplit('/').next().unwrap_or_default()),
        catnap.hours_awake,
        catnap.hours_asleep,
        catnap.naps,
    );
    let entries = [("traffic", "NetworkIn"), ("floor", "noise floor"), ("awake", "awake"), ("asleep", "asleep")];
    let mut x = LEFT;
    for (class, words) in entries {
        let mark = if class == "floor" {
            format!(r#"<path class="floor" d="M{x} 42h22"/>"#)
        } else {
            format!(r#"<rect class="{class}" x="{x}" y="36" width="22" height="11"/>"#)
        };
        let _ = writeln!(svg, r#"{mark}<text x="{}" y="46">{words}</text>"#, x + 28.0);
        x += 58.0 + 7.5 * words.len() as f64;
    }
}

fn rectangle(svg: &mut String, class: &str, (left, right): (f64, f64), (top, bottom): (f64, f64)) {
    let (width, height) = (right - left, bottom - top);
    let _ = writeln!(svg, r#"<rect class="{class}" x="{left:.1}" y="{top}" width="{width:.1}" height="{height}"/>"#);
}

fn grid(svg: &mut String, scale: &Scale, plan: &Plan) {
    let mut power = scale.least;
    while power <= scale.most {
        let bytes = 10f64.powf(power);
        let y = scale.y(bytes);
        let _ = writeln!(svg, r#"<path class="grid" d="M{LEFT} {y:.1}H{}"/>"#, WIDTH - RIGHT);
        let _ =
            writeln!(svg, r#"<text x="{}" y="{:.1}" text-anchor="end">{}</text>"#, LEFT - 8.0, y + 4.0, round(bytes));
        power += 1.0;
    }
    let minutes = plan.period_seconds / 60;
    let unit = if minutes == 1 { "bytes in a minute".into() } else { format!("bytes in {minutes} minutes") };
    let middle = f64::midpoint(TOP, BOTTOM);
    let _ = writeln!(svg, r#"<text transform="translate(16 {middle}) rotate(-90)" text-anchor="middle">{unit}</text>"#);
    // At most twelve dates or times of day, at whole steps.
    let steps = [1, 2, 3, 6, 12, 24, 48, 96, 168, 336, 672].map(TimeDelta::hours);
    let length = plan.until - plan.since;
    let step = steps.into_iter().find(|step| length < *step * 12).unwrap_or(length);
    let format = if step < TimeDelta::days(1) { "%d %b %H:%M" } else { "%d %b" };
    let seconds = step.num_seconds().max(1);
    let mut at = plan.since.timestamp().div_euclid(seconds) * seconds;
    while at < plan.until.timestamp() {
        if let Some(time) = DateTime::from_timestamp(at, 0).filter(|time| *time >= plan.since) {
            let x = scale.x(time);
            let _ = writeln!(svg, r#"<path class="grid" d="M{x:.1} {TOP}V{}"/>"#, STRIP.1 + 6.0);
            let anchor = if x > WIDTH - RIGHT - 40.0 { "end" } else { "middle" };
            let (y, words) = (STRIP.1 + 22.0, time.format(format));
            let _ = writeln!(svg, r#"<text x="{x:.1}" y="{y}" text-anchor="{anchor}">{words}</text>"#);
        }
        at += seconds;
    }
    let _ = writeln!(
        svg,
        r#"<text x="{}" y="{}" text-anchor="end">UTC, from {}</text>"#,
        WIDTH - RIGHT,
        HEIGHT - 10.0,
        plan.since.format("%Y-%m-%d %H:%M")
    );
}

fn round(bytes: f64) -> String {
    bytes_in_words(bytes).replace(".0 ", " ")
}

/// The least and the most of each pixel as one shape; a gap where there is nothing.
fn traffic(svg: &mut String, scale: &Scale, recording: &Recording) {
    let mut columns: Vec<(f64, f64, f64)> = Vec::new();
    let mut drawn = String::new();
    let mut last_end = None;
    for point in &recording.series.points {
        let (x, y) = (scale.x(point.at).round(), scale.y(point.value));
        if last_end.is_some_and(|end| end != point.at) && columns.last().is_some_and(|column| x - column.0 > 2.0) {
            shape(&mut drawn, &columns);
            columns.clear();
        }
        last_end = Some(recording.series.end_of(point));
        match columns.last_mut() {
            Some((at, top, bottom)) if *at == x => (*top, *bottom) = (top.min(y), bottom.max(y)),
            _ => columns.push((x, y, y)),
        }
    }
    shape(&mut drawn, &columns);
    let _ = writeln!(svg, r#"<path class="traffic" d="{drawn}"/>"#);
}

fn shape(drawn: &mut String, columns: &[(f64, f64, f64)]) {
    let upper = columns.iter().map(|(x, top, _)| (x, top));
    let lower = columns.iter().rev().map(|(x, _, bottom)| (x, bottom));
    for (index, (x, y)) in upper.chain(lower).enumerate() {
        let _ = write!(drawn, "{}{x:.0} {y:.1}", if index == 0 { 'M' } else { 'L' });
    }
    if !columns.is_empty() {
        drawn.push('Z');
    }
}

/// The floor at each tick, as steps; none while it sleeps.
fn floor(svg: &mut String, scale: &Scale, plan: &Plan) {
    let tick = TimeDelta::minutes(plan.tick_minutes);
    let mut drawn = String::new();
    let mut last = None;
    for (at, bytes) in &plan.floors {
        let (x, y) = (scale.x(*at), scale.y(*bytes));
        let goes_on = last.is_some_and(|last| *at - last <= tick);
        let _ = if goes_on { write!(drawn, "H{x:.1}V{y:.1}") } else { write!(drawn, "M{x:.1} {y:.1}") };
        last = Some(*at);
    }
    let _ = writeln!(svg, r#"<path class="floor" d="{drawn}"/>"#);
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
