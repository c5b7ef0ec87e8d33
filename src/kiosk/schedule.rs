//! When the kiosk is awake: hours of each weekday, night hours, sleep without visitors. Owns times of day and the decision,
//! which is a pure function of the local time and how long ago someone was there. Depends on `jiff` for time zones and on the
//! settings.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::settings::ScheduleSettings;

/// Minutes of a day.
const DAY: u32 = 24 * 60;
/// Minutes of a week.
const WEEK: u32 = 7 * DAY;
const WEEK_SECONDS: i64 = WEEK as i64 * 60;

/// A part of the day in minutes since midnight, exclusive of the end. An end that is not after the beginning is on the next
/// day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    from: u16,
    to: u16,
}

impl Span {
    /// Minutes from the beginning to the end, 1 to 1440.
    pub fn minutes(self) -> u16 {
        if self.to > self.from {
            self.to - self.from
        } else {
            self.to + DAY as u16 - self.from
        }
    }
}

/// An invalid time, span or list of spans.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Not two times with a hyphen between them.
    #[error("'{0}' is not a time span; write it as 07:00-22:30")]
    Span(String),
    /// Not hours and minutes of a day.
    #[error("'{0}' is not a time of day; write it as 07:00, from 00:00 to 24:00")]
    Time(String),
    /// The span is empty.
    #[error("'{0}' begins and ends at the same time; for the whole day write 00:00-24:00")]
    Empty(String),
    /// A later span begins before an earlier one ends.
    #[error("'{second}' begins before '{first}' ends; put the spans of a day in order, without overlap")]
    Order {
        /// The span before.
        first: Span,
        /// The span that begins too early.
        second: Span,
    },
}

impl FromStr for Span {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Span, TimeError> {
        let text = text.trim();
        let (from, to) = text.split_once(['-', '–']).ok_or_else(|| TimeError::Span(text.to_owned()))?;
        let (from, to) = (minute(from)?, minute(to)?);
        if from == to || u32::from(from) == DAY || (from, to) == (0, 0) {
            return Err(TimeError::Empty(text.to_owned()));
        }
        Ok(Span { from, to })
    }
}

/// `07:00` as minutes since midnight.
fn minute(text: &str) -> Result<u16, TimeError> {
    let text = text.trim();
    let fail = || TimeError::Time(text.to_owned());
    let (hours, minutes) = text.split_once(':').ok_or_else(fail)?;
    let number = |digits: &str| {
        let plain = (1..=2).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit());
        digits.parse::<u16>().ok().filter(|_| plain)
    };
    match (number(hours), number(minutes)) {
        (Some(hours @ 0..=23), Some(minutes @ 0..=59)) if text.len() >= 4 => Ok(hours * 60 + minutes),
        (Some(24), Some(0)) => Ok(DAY as u16),
        _ => Err(fail()),
    }
}

impl fmt::Display for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (self.from, self.to);
        write!(formatter, "{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
    }
}

/// The hours of a day: spans in order, without overlap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours(Vec<Span>);

const ALWAYS: &str = "always";
const NEVER: &str = "never";

impl Hours {
    /// The whole day.
    pub fn always() -> Hours {
        Hours(vec![Span { from: 0, to: DAY as u16 }])
    }

    /// Nothing of the day.
    pub fn never() -> Hours {
        Hours(Vec::new())
    }

    /// The spans.
    pub fn spans(&self) -> &[Span] {
        &self.0
    }
}

impl FromStr for Hours {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Hours, TimeError> {
        match text.trim() {
            ALWAYS => return Ok(Hours::always()),
            NEVER => return Ok(Hours::never()),
            _ => {}
        }
        let spans = text.split(',').map(str::parse).collect::<Result<Vec<Span>, _>>()?;
        for pair in spans.windows(2) {
            let (first, second) = (pair[0], pair[1]);
            if second.from < first.from + first.minutes() {
                return Err(TimeError::Order { first, second });
            }
        }
        Ok(Hours(spans))
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Hours::always() {
            return formatter.write_str(ALWAYS);
        }
        if self.0.is_empty() {
            return formatter.write_str(NEVER);
        }
        let spans: Vec<String> = self.0.iter().map(Span::to_string).collect();
        formatter.write_str(&spans.join(", "))
    }
}

macro_rules! as_text {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

as_text!(Span);
as_text!(Hours);

/// What the kiosk does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wakefulness {
    /// The display is on.
    Awake,
    /// The display is on at the brightness of the night.
    Dimmed,
    /// The display is off.
    Asleep,
}

/// How long ago someone was there; `None` for not since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quiet {
    /// Since the kiosk started, which counts as someone within the hours.
    pub start: Option<Duration>,
    /// Since the last press.
    pub press: Option<Duration>,
    /// Since the last motion.
    pub motion: Option<Duration>,
}

impl Quiet {
    /// Since anything at all.
    fn latest(self) -> Option<Duration> {
        [self.start, self.press, self.motion].into_iter().flatten().min()
    }
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// What to do.
    pub state: Wakefulness,
    /// When that ends if nobody comes; `None` for never.
    pub lasts: Option<Duration>,
}

/// A time of the week in seconds since Monday, 00:00, as clocks on the wall have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeekTime(u32);

impl WeekTime {
    /// A weekday, 0 for Monday to 6 for Sunday, and seconds since midnight; larger values wrap.
    pub fn new(weekday: u32, second: u32) -> WeekTime {
        WeekTime(((weekday % 7) * DAY * 60 + second % (WEEK * 60)) % (WEEK * 60))
    }

    /// Seconds, less than a week, until this many seconds past Monday, 00:00.
    fn until(self, second: i64) -> i64 {
        (second - i64::from(self.0)).rem_euclid(WEEK_SECONDS)
    }

    fn after(self, seconds: i64) -> WeekTime {
        let second = (i64::from(self.0) + seconds).rem_euclid(WEEK_SECONDS);
        WeekTime(u32::try_from(second).unwrap_or_default())
    }
}

/// The hours of a whole week.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// Beginnings and lengths in minutes since Monday, 00:00.
    awake: Vec<(u32, u32)>,
    /// The same for the night.
    night: Vec<(u32, u32)>,
    sleep_after: Option<Duration>,
    wake_for: Duration,
}

impl Schedule {
    /// The week of the settings.
    pub fn new(settings: &ScheduleSettings) -> Schedule {
        let days = [
            &settings.mon,
            &settings.tue,
            &settings.wed,
            &settings.thu,
            &settings.fri,
            &settings.sat,
            &settings.sun,
        ];
        let hours = |day: usize| {
            let group = if day < 5 { &settings.weekdays } else { &settings.weekend };
            days[day].as_ref().or(group.as_ref()).unwrap_or(&settings.every_day)
        };
        let minutes = |count: u32| Duration::from_secs(u64::from(count) * 60);
        Schedule {
            awake: (0..7).flat_map(|day| on(day, hours(day as usize).spans())).collect(),
            night: (0..7).flat_map(|day| on(day, settings.night.as_slice())).collect(),
            sleep_after: (settings.sleep_after > 0).then(|| minutes(settings.sleep_after)),
            wake_for: minutes(settings.wake_for),
        }
    }

    /// What to do at a time of the week. In hours the kiosk sleeps once nobody was there for `sleep_after`; the beginning of the
    /// hours and the start of the kiosk count as someone. Outside them it is awake for `wake_for` after a press.
    pub fn outlook(&self, now: WeekTime, quiet: Quiet) -> Outlook {
        let changes = self.boundaries(now).chain(self.timeouts(quiet)).collect();
        self.first_change(changes, quiet, |later| now.after(later))
    }

    /// The state now, and the first of the moments (in seconds from now) at which it changes. `clock` returns the time of the
    /// week at such a moment.
    fn first_change(&self, mut moments: Vec<i64>, quiet: Quiet, clock: impl Fn(i64) -> WeekTime) -> Outlook {
        let state = |later| self.state(clock(later), quiet, later);
        let now = state(0);
        moments.sort_unstable();
        let change = moments.into_iter().filter(|&later| later > 0).find(|&later| state(later) != now);
        Outlook {
            state: now,
            lasts: change.map(|later| Duration::from_secs(later.unsigned_abs())),
        }
    }

    /// Seconds, up to two weeks, until hours or nights begin or end, or have gone on for so long that the display sleeps.
    fn boundaries(&self, now: WeekTime) -> impl Iterator<Item = i64> {
        let after = self.sleep_after.map_or(0, seconds);
        let spans = self
            .awake
            .iter()
            .map(move |span| (span, after))
            .chain(self.night.iter().map(|span| (span, 0)));
        spans.flat_map(move |(&(from, minutes), after)| {
            let from = i64::from(from) * 60;
            let next = [from, from + i64::from(minutes) * 60, from + after].map(|second| now.until(second));
            next.into_iter().chain(next.map(|second| second + WEEK_SECONDS))
        })
    }

    /// Seconds until it is too long ago that someone was there.
    fn timeouts(&self, quiet: Quiet) -> impl Iterator<Item = i64> {
        let until = |limit: Duration, since: Duration| seconds(limit) - seconds(since);
        let asleep = self.sleep_after.zip(quiet.latest()).map(|(after, since)| until(after, since));
        let woken = quiet.press.map(|since| until(self.wake_for, since));
        asleep.into_iter().chain(woken)
    }

    /// The state at a time of the week that is `later` seconds from now, if nobody comes.
    fn state(&self, time: WeekTime, quiet: Quiet, later: i64) -> Wakefulness {
        let ago = |since: Option<Duration>| since.map(|since| seconds(since) + later);
        let is_awake = match elapsed(&self.awake, time) {
            None => ago(quiet.press).is_some_and(|ago| ago < seconds(self.wake_for)),
            Some(opened) => {
                let someone = ago(quiet.latest()).map_or(opened, |ago| ago.min(opened));
                self.sleep_after.is_none_or(|after| someone < seconds(after))
            }
        };
        match (is_awake, elapsed(&self.night, time)) {
            (false, _) => Wakefulness::Asleep,
            (true, None) => Wakefulness::Awake,
            (true, Some(_)) => Wakefulness::Dimmed,
        }
    }
}

/// Whole seconds; more than can be counted are as many as can be.
fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX / 4).min(i64::MAX / 4)
}

/// Spans of a day as minutes of the week: beginning and length.
fn on(day: u32, spans: &[Span]) -> impl Iterator<Item = (u32, u32)> {
    spans
        .iter()
        .map(move |span| (day * DAY + u32::from(span.from), u32::from(span.minutes())))
}

/// Seconds since the beginning of the span that holds a time of the week; of several the one that began last.
fn elapsed(spans: &[(u32, u32)], time: WeekTime) -> Option<i64> {
    let since = spans.iter().map(|&(from, minutes)| {
        let since = (i64::from(time.0) - i64::from(from) * 60).rem_euclid(WEEK_SECONDS);
        (since, i64::from(minutes) * 60)
    });
    since.filter(|(since, length)| since < length).map(|(since, _)| since).min()
}

/// A schedule on the clock of a time zone.
#[derive(Clone, Debug)]
pub struct Calendar {
    schedule: Schedule,
    zone: TimeZone,
}

impl Calendar {
    /// The settings' schedule in their time zone. A zone that the system does not know is UTC, with a line in the log.
    pub fn new(settings: &ScheduleSettings) -> Calendar {
        let zone = settings.time_zone.as_deref().map_or_else(
            || Ok(TimeZone::system()),
            |name| TimeZone::get(name).inspect_err(|fault| log::warn!("schedule: {fault}; hours are taken as UTC")),
        );
        Calendar {
            schedule: Schedule::new(settings),
            zone: zone.unwrap_or(TimeZone::UTC),
        }
    }

    /// What to do at a moment, and for how long in real time, over changes between summer and winter time. A board without
    /// a clock of its own is told the time only after it has started: ask again at least every minute.
    pub fn outlook(&self, now: Timestamp, quiet: Quiet) -> Outlook {
        let clock = |later: i64| {
            let moment = now.saturating_add(SignedDuration::from_secs(later)).unwrap_or(now);
            week_time(&moment.to_zoned(self.zone.clone()))
        };
        let mut moments: Vec<i64> = self.schedule.timeouts(quiet).collect();
        let offset = self.zone.to_offset(now).seconds();
        let end = now.saturating_add(SignedDuration::from_secs(WEEK_SECONDS)).unwrap_or(now);
        let changes = self.zone.following(now).take_while(|change| change.timestamp() < end);
        let shifts = changes.map(|change| {
            moments.push(change.timestamp().as_second() - now.as_second());
            i64::from(change.offset().seconds() - offset)
        });
        let shifts: Vec<i64> = std::iter::once(0).chain(shifts).collect();
        let boundaries: Vec<i64> = self.schedule.boundaries(clock(0)).collect();
        moments.extend(
            shifts
                .iter()
                .flat_map(|shift| boundaries.iter().map(move |boundary| boundary - shift)),
        );
        self.schedule.first_change(moments, quiet, clock)
    }
}

fn week_time(local: &Zoned) -> WeekTime {
    let second = i32::from(local.hour()) * 3600 + i32::from(local.minute()) * 60 + i32::from(local.second());
    WeekTime::new(local.weekday().to_monday_zero_offset().unsigned_abs().into(), second.unsigned_abs())
}

#[cfg(test)]
mod tests;
