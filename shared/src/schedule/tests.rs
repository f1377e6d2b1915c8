use proptest::prelude::*;

use super::*;

fn windows(text: &str) -> Windows {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Where the present window began and will end.
fn span(text: &str, now: &str) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    windows(text).at(at(now)).map(|span| (span.since.unwrap(), span.until.unwrap()))
}

fn from_to(since: &str, until: &str) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    Some((at(since), at(until)))
}

#[test]
fn office_hours() {
    let office = "Mon-Fri 08:00-18:00 Europe/Berlin";
    // 2 March 2026 is a Monday; Berlin is an hour ahead of UTC.
    let monday = from_to("2026-03-02T07:00:00Z", "2026-03-02T17:00:00Z");
    assert_eq!(span(office, "2026-03-02T06:59:59Z"), None);
    assert_eq!(span(office, "2026-03-02T07:00:00Z"), monday);
    assert_eq!(span(office, "2026-03-02T16:59:59Z"), monday);
    assert_eq!(span(office, "2026-03-02T17:00:00Z"), None);
    assert_eq!(span(office, "2026-03-07T12:00:00Z"), None, "a Saturday");
    assert_eq!(windows(office).next(at("2026-03-06T17:00:00Z")), Some(at("2026-03-09T07:00:00Z")));
    assert_eq!(windows(office).next(at("2026-03-02T07:00:00Z")), Some(at("2026-03-03T07:00:00Z")));
}

#[test]
fn days_can_be_lists_wrap_around_the_week_or_be_left_out() {
    let on = |text: &str| {
        let windows = windows(text);
        let noon = |day: i64| at("2026-03-02T12:00:00Z") + TimeDelta::days(day);
        (0..7).map(|day| if windows.at(noon(day)).is_some() { 'x' } else { '-' }).collect::<String>()
    };
    assert_eq!(on("Mon 11:00-13:00 UTC"), "x------");
    assert_eq!(on("Mon Wed Fri-Sat 11:00-13:00 UTC"), "x-x-xx-");
    assert_eq!(on("sat-MON 11:00-13:00 UTC"), "x----xx");
    assert_eq!(on("Sun-Sun 11:00-13:00 UTC"), "------x");
    assert_eq!(on("11:00-13:00 UTC"), "xxxxxxx");
    assert_eq!(on("Mon 11:00-13:00 UTC + Thu 9:30-13:00 UTC"), "x--x---");
}

#[test]
fn a_night_belongs_to_the_day_on_which_it_begins() {
    let friday_night = "Fri 22:00-06:00 UTC";
    let night = from_to("2026-03-06T22:00:00Z", "2026-03-07T06:00:00Z");
    assert_eq!(span(friday_night, "2026-03-06T23:00:00Z"), night);
    assert_eq!(span(friday_night, "2026-03-07T05:59:00Z"), night);
    assert_eq!(span(friday_night, "2026-03-06T05:00:00Z"), None);
    assert_eq!(
        span("Sun 22:00-00:00 UTC", "2026-03-01T23:59:59Z"),
        from_to("2026-03-01T22:00:00Z", "2026-03-02T00:00:00Z")
    );
}

#[test]
fn windows_that_touch_are_one() {
    let week = from_to("2026-03-02T00:00:00Z", "2026-03-07T00:00:00Z");
    assert_eq!(span("Mon-Fri 00:00-24:00 UTC", "2026-03-04T12:00:00Z"), week);
    let both = "Mon-Fri 08:00-18:00 Europe/Berlin + Mon-Fri 08:00-18:00 America/New_York";
    assert_eq!(span(both, "2026-03-04T12:00:00Z"), from_to("2026-03-04T07:00:00Z", "2026-03-04T23:00:00Z"));
    let within = "Mon 08:00-18:00 UTC + Mon 09:00-10:00 UTC";
    assert_eq!(span(within, "2026-03-02T11:00:00Z"), from_to("2026-03-02T08:00:00Z", "2026-03-02T18:00:00Z"));
}

#[test]
fn always_has_neither_beginning_nor_end() {
    let always = windows("00:00-24:00 Asia/Kathmandu");
    let now = at("2026-03-04T12:00:00Z");
    assert_eq!(always.at(now), Some(Span { since: None, until: None }));
    assert_eq!((Windows::default().at(now), Windows::default().next(now)), (None, None));
}

#[test]
fn both_clock_changes_of_the_year() {
    // Berlin skips 02:00 to 03:00 on 29 March 2026, and repeats it on 25 October.
    let night = "Sat-Sun 22:00-06:00 Europe/Berlin";
    assert_eq!(span(night, "2026-03-29T00:00:00Z"), from_to("2026-03-28T21:00:00Z", "2026-03-29T04:00:00Z"));
    assert_eq!(span(night, "2026-10-25T00:00:00Z"), from_to("2026-10-24T20:00:00Z", "2026-10-25T05:00:00Z"));
    // An edge in the skipped hour is the moment of the change.
    let early = "Sun 02:30-05:00 Europe/Berlin";
    assert_eq!(span(early, "2026-03-29T01:00:00Z"), from_to("2026-03-29T01:00:00Z", "2026-03-29T03:00:00Z"));
    assert_eq!(span("Sun 02:10-02:50 Europe/Berlin", "2026-03-29T01:00:00Z"), None);
    // An edge in the repeated hour cuts nothing off: the first 02:30 begins, the second ends.
    assert_eq!(span(early, "2026-10-25T00:30:00Z"), from_to("2026-10-25T00:30:00Z", "2026-10-25T04:00:00Z"));
    let late = "Sun 00:00-02:30 Europe/Berlin";
    assert_eq!(span(late, "2026-10-25T01:29:00Z"), from_to("2026-10-24T22:00:00Z", "2026-10-25T01:30:00Z"));
    // Havana changes at midnight: 8 March 2026 begins at 01:00.
    assert_eq!(
        span("Sun 00:00-12:00 America/Havana", "2026-03-08T12:00:00Z"),
        from_to("2026-03-08T05:00:00Z", "2026-03-08T16:00:00Z")
    );
}

#[test]
fn what_cannot_be_read_says_what_it_takes() {
    let takes = |text: &str| text.parse::<Windows>().unwrap_err().takes;
    for text in ["", "+", "Mon", "Europe/Berlin", "Mon-Fri 08:00-18:00 UTC +", "08:00-18:00 UTC + + 19:00-20:00 UTC"] {
        assert_eq!(takes(text), TAKES, "{text:?}");
    }
    for text in ["Mo 08:00-18:00 UTC", "Mon,Tue 08:00-18:00 UTC", "Mon-Fri-Sat 08:00-18:00 UTC", "- 08:00-18:00 UTC"] {
        assert_eq!(takes(text), TAKES_DAYS, "{text:?}");
    }
    for times in
        ["8-18", "08:00", "08:00-08:00", "24:00-06:00", "08:60-18:00", "08:00-24:01", "-8:00-9:00", "08:0-9:00"]
    {
        assert_eq!(takes(&format!("Mon {times} UTC")), TAKES_TIMES, "{times:?}");
    }
    for zone in ["Berlin", "CEST", "+01:00", "Europe/Bielefeld"] {
        assert_eq!(takes(&format!("Mon 08:00-18:00 {zone}")), TAKES_ZONE, "{zone:?}");
    }
}

/// Zones that change their clocks by an hour, by half an hour, at midnight, in the other half of the year, or never.
const ZONES: [&str; 7] = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Havana",
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "UTC",
];
const DAY_NAMES: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

#[derive(Debug)]
struct Written {
    first: usize,
    last: usize,
    from: i64,
    until: i64,
    zone: &'static str,
}

impl Written {
    fn text(&self) -> String {
        let Self { first, last, from, until, zone } = self;
        let clock = |minutes: i64| format!("{:02}:{:02}", minutes / 60, minutes % 60);
        format!("{}-{} {}-{} {zone}", DAY_NAMES[*first], DAY_NAMES[*last], clock(*from), clock(*until))
    }

    /// What a person would say who looks at a clock and a calendar on the wall. None in the hour that comes twice.
    fn holds_by_the_clock_on_the_wall(&self, now: DateTime<Utc>) -> Option<bool> {
        let zone = TimeZone::get(self.zone).unwrap();
        let local = zone.to_datetime(Timestamp::from_second(now.timestamp()).unwrap());
        if zone.to_ambiguous_timestamp(local).is_ambiguous() {
            return None;
        }
        let minute = i64::from(local.hour()) * 60 + i64::from(local.minute());
        let today = usize::try_from(local.weekday().to_monday_zero_offset()).unwrap();
        let named = |day: usize| (day + 7 - self.first) % 7 <= (self.last + 7 - self.first) % 7;
        Some(if self.from < self.until {
            named(today) && (self.from..self.until).contains(&minute)
        } else {
            (named(today) && minute >= self.from) || (named((today + 6) % 7) && minute < self.until)
        })
    }
}

prop_compose! {
    fn any_window()(
        first in 0usize..7, last in 0usize..7, from in 0i64..1440, length in 1i64..1440, zone in prop::sample::select(&ZONES),
    ) -> Written {
        Written { first, last, from, until: (from + length) % 1440, zone }
    }
}

prop_compose! {
    /// Minutes of the days around every clock change of those zones in 2026, and of any other day of that year.
    fn any_moment()(
        day in prop_oneof![
            3 => prop::sample::select(&[45i64, 66, 86, 93, 108, 276, 297, 304][..]).prop_flat_map(|day| day - 2..day + 3),
            1 => 0i64..365,
        ],
        minute in 0i64..1440,
    ) -> DateTime<Utc> {
        at("2026-01-01T00:00:00Z") + TimeDelta::days(day) + TimeDelta::minutes(minute)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_window_holds_when_the_clock_on_the_wall_says_so(window in any_window(), now in any_moment()) {
        if let Some(holds) = window.holds_by_the_clock_on_the_wall(now) {
            prop_assert_eq!(windows(&window.text()).at(now).is_some(), holds, "{} at {}", window.text(), now);
        }
    }

    #[test]
    fn edges_are_where_the_answer_changes(one in any_window(), other in any_window(), now in any_moment()) {
        let both = windows(&format!("{} + {}", one.text(), other.text()));
        let second = TimeDelta::seconds(1);
        if let Some(span) = both.at(now) {
            prop_assert!(span.since.is_none_or(|since| since <= now && both.at(since) == Some(span)));
            prop_assert!(span.since.is_none_or(|since| both.at(since - second).is_none()));
            prop_assert!(span.until.is_none_or(|until| now < until && both.at(until).is_none()));
        } else {
            let next = both.next(now).unwrap();
            prop_assert!(now < next && both.at(next).is_some() && both.at(next - second).is_none());
        }
    }

    #[test]
    fn parsing_takes_any_text_without_panic(text in "[-+ :0-9A-Za-z/_.]{0,40}") {
        let _ = text.parse::<Windows>();
    }
}
