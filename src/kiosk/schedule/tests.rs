use super::*;

fn hours(text: &str) -> Option<Hours> {
    Some(text.parse().unwrap())
}

fn duration(minutes: u32) -> Duration {
    Duration::from_secs(u64::from(minutes) * 60)
}

#[test]
fn hours_read_as_they_are_written() {
    for text in [
        "always",
        "never",
        "07:00-22:30",
        "07:00-12:00, 14:00-22:30",
        "20:00-02:00",
        "18:00-24:00",
        "07:00-09:00, 22:00-05:00",
    ] {
        assert_eq!(text.parse::<Hours>().unwrap().to_string(), text);
    }
    assert_eq!("00:00-24:00".parse::<Hours>().unwrap(), Hours::always());
    assert_eq!(
        " 7:00 – 9:30 ,10:00-11:00".parse::<Hours>().unwrap().to_string(),
        "07:00-09:30, 10:00-11:00"
    );
}

#[test]
fn what_is_no_time_says_how_to_write_one() {
    for (text, message) in [
        ("07:00", "'07:00' is not a time span; write it as 07:00-22:30"),
        ("", "'' is not a time span; write it as 07:00-22:30"),
        ("7-22", "'7' is not a time of day; write it as 07:00, from 00:00 to 24:00"),
        (
            "07:00-24:01",
            "'24:01' is not a time of day; write it as 07:00, from 00:00 to 24:00",
        ),
        (
            "07:60-08:00",
            "'07:60' is not a time of day; write it as 07:00, from 00:00 to 24:00",
        ),
        ("-1:00-08:00", "'' is not a time of day; write it as 07:00, from 00:00 to 24:00"),
        (
            "+7:00-08:00",
            "'+7:00' is not a time of day; write it as 07:00, from 00:00 to 24:00",
        ),
        (
            "07:00-07:00",
            "'07:00-07:00' begins and ends at the same time; for the whole day write 00:00-24:00",
        ),
        (
            "14:00-22:00, 07:00-12:00",
            "'07:00-12:00' begins before '14:00-22:00' ends; put the spans of a day in order, without overlap",
        ),
        (
            "07:00-12:00, 11:59-14:00",
            "'11:59-14:00' begins before '07:00-12:00' ends; put the spans of a day in order, without overlap",
        ),
        (
            "20:00-02:00, 23:00-23:30",
            "'23:00-23:30' begins before '20:00-02:00' ends; put the spans of a day in order, without overlap",
        ),
    ] {
        assert_eq!(text.parse::<Hours>().unwrap_err().to_string(), message, "{text}");
    }
}

/// A week of the settings, minute by minute: whether the hours have begun and for how long, and whether it is night.
struct Oracle {
    opened: Vec<Option<u32>>,
    night: Vec<bool>,
    sleep_after: u32,
    wake_for: u32,
}

impl Oracle {
    fn new(settings: &ScheduleSettings) -> Oracle {
        let minutes = WEEK as usize;
        let mut oracle = Oracle {
            opened: vec![None; minutes],
            night: vec![false; minutes],
            sleep_after: settings.sleep_after,
            wake_for: settings.wake_for,
        };
        let days = [
            (&settings.mon, &settings.weekdays),
            (&settings.tue, &settings.weekdays),
            (&settings.wed, &settings.weekdays),
            (&settings.thu, &settings.weekdays),
            (&settings.fri, &settings.weekdays),
            (&settings.sat, &settings.weekend),
            (&settings.sun, &settings.weekend),
        ];
        for (day, (own, group)) in days.iter().enumerate() {
            let text = own.as_ref().or(group.as_ref()).unwrap_or(&settings.every_day).to_string();
            for minute in Oracle::minutes(&text) {
                let place = &mut oracle.opened[(day * 1440 + minute.1) % minutes];
                *place = Some(place.map_or(minute.0 as u32, |earlier| earlier.min(minute.0 as u32)));
            }
            for minute in settings.night.map(|span| Oracle::minutes(&span.to_string())).unwrap_or_default() {
                oracle.night[(day * 1440 + minute.1) % minutes] = true;
            }
        }
        oracle
    }

    /// Every minute of the hours of a day: how long they have gone on, and which minute of the day it is.
    fn minutes(text: &str) -> Vec<(usize, usize)> {
        let text = match text {
            "always" => "00:00-24:00",
            "never" => return Vec::new(),
            other => other,
        };
        let clock = |text: &str| {
            let (hours, minutes) = text.split_once(':').unwrap();
            hours.parse::<usize>().unwrap() * 60 + minutes.parse::<usize>().unwrap()
        };
        let mut all = Vec::new();
        for span in text.split(", ") {
            let (from, to) = span.split_once('-').unwrap();
            let (from, mut to) = (clock(from), clock(to));
            if to <= from {
                to += 1440;
            }
            all.extend((from..to).map(|minute| (minute - from, minute)));
        }
        all
    }

    /// The state at a minute, with the minutes since the last press and motion.
    fn state(&self, minute: usize, press: Option<u32>, motion: Option<u32>) -> Wakefulness {
        let is_awake = match self.opened[minute] {
            None => press.is_some_and(|press| press < self.wake_for),
            Some(_) if self.sleep_after == 0 => true,
            Some(opened) => [Some(opened), press, motion].into_iter().flatten().min().unwrap() < self.sleep_after,
        };
        match (is_awake, self.night[minute]) {
            (false, _) => Wakefulness::Asleep,
            (true, false) => Wakefulness::Awake,
            (true, true) => Wakefulness::Dimmed,
        }
    }
}

fn examples() -> Vec<ScheduleSettings> {
    let settings = ScheduleSettings::default;
    vec![
        settings(),
        ScheduleSettings {
            weekdays: hours("07:00-22:30"),
            weekend: hours("09:00-23:59"),
            ..settings()
        },
        ScheduleSettings {
            every_day: Hours::never(),
            fri: hours("20:00-02:00"),
            sat: hours("01:00-03:00, 20:00-04:30"),
            sun: hours("22:00-06:00"),
            night: Some("21:00-07:00".parse().unwrap()),
            ..settings()
        },
        ScheduleSettings {
            weekdays: hours("07:00-12:00, 14:00-22:30"),
            night: Some("18:30-21:15".parse().unwrap()),
            sleep_after: 45,
            wake_for: 10,
            ..settings()
        },
        ScheduleSettings {
            sleep_after: 90,
            wake_for: 0,
            wed: Some(Hours::never()),
            night: Some("23:00-01:00".parse().unwrap()),
            ..settings()
        },
        ScheduleSettings {
            every_day: Hours::never(),
            wake_for: 1440,
            ..settings()
        },
    ]
}

/// Every minute of the week, with presses and motion at different distances: the state and the moment at which it ends.
#[test]
fn the_week_agrees_with_an_oracle_minute_by_minute() {
    let quiets = [
        (None, None),
        (Some(0), None),
        (Some(9), Some(3)),
        (None, Some(44)),
        (Some(300), Some(89)),
        (Some(5000), Some(4000)),
    ];
    for settings in examples() {
        let (schedule, oracle) = (Schedule::new(&settings), Oracle::new(&settings));
        for (press, motion) in quiets {
            let later = |minutes: usize, ago: Option<u32>| ago.map(|ago| ago + minutes as u32);
            let state = |minute: usize, on: usize| oracle.state((minute + on) % WEEK as usize, later(on, press), later(on, motion));
            // The next change of every minute, from the end: two weeks on nothing new happens.
            for minute in (0..WEEK as usize).step_by(if press.is_none() && motion.is_none() { 1 } else { 7 }) {
                let quiet = Quiet {
                    press: press.map(duration),
                    motion: motion.map(duration),
                    ..Quiet::default()
                };
                let outlook = schedule.outlook(WeekTime::new(0, minute as u32 * 60), quiet);
                assert_eq!(outlook.state, state(minute, 0), "minute {minute} of {settings:?} with {quiet:?}");
                let lasts = outlook.lasts.map(|lasts| (lasts.as_secs() / 60) as usize);
                if let Some(on) = lasts {
                    assert_ne!(
                        state(minute, on),
                        outlook.state,
                        "minute {minute} + {on} of {settings:?} with {quiet:?}"
                    );
                }
                let until = lasts.unwrap_or(WEEK as usize + 1).min(3000);
                let wrong = (1..until).rev().step_by(13).find(|&on| state(minute, on) != outlook.state);
                assert_eq!(wrong, None, "minute {minute} lasts {lasts:?} of {settings:?} with {quiet:?}");
            }
        }
    }
}

#[test]
fn a_day_goes_before_its_group_and_groups_before_every_day() {
    let settings = ScheduleSettings {
        every_day: "01:00-02:00".parse().unwrap(),
        weekdays: hours("03:00-04:00"),
        mon: hours("05:00-06:00"),
        ..ScheduleSettings::default()
    };
    let schedule = Schedule::new(&settings);
    let awake = |day: u32| {
        let state = |hour: u32| schedule.outlook(WeekTime::new(day, hour * 3600), Quiet::default()).state;
        (0..24).filter(|&hour| state(hour) == Wakefulness::Awake).collect::<Vec<_>>()
    };
    assert_eq!((awake(0), awake(1), awake(6)), (vec![5], vec![3], vec![1]));
}

#[test]
fn seconds_count() {
    let settings = ScheduleSettings {
        every_day: "07:00-22:30".parse().unwrap(),
        ..ScheduleSettings::default()
    };
    let outlook = Schedule::new(&settings).outlook(WeekTime::new(6, 22 * 3600 + 29 * 60 + 59), Quiet::default());
    let expected = |state, seconds| Outlook {
        state,
        lasts: Some(Duration::from_secs(seconds)),
    };
    assert_eq!(outlook, expected(Wakefulness::Awake, 1));
    let closed = WeekTime::new(6, 22 * 3600 + 30 * 60);
    let outlook = Schedule::new(&settings).outlook(closed, Quiet::default());
    assert_eq!(outlook, expected(Wakefulness::Asleep, 8 * 3600 + 1800));
    let pressed = Quiet {
        press: Some(Duration::from_secs(60)),
        ..Quiet::default()
    };
    assert_eq!(Schedule::new(&settings).outlook(closed, pressed), expected(Wakefulness::Awake, 240));
    let moved = Quiet {
        motion: Some(Duration::ZERO),
        ..Quiet::default()
    };
    assert_eq!(Schedule::new(&settings).outlook(closed, moved).state, Wakefulness::Asleep);
}

/// Germany, 2026: clocks go from 02:00 to 03:00 on 29 March and from 03:00 to 02:00 on 25 October, both Sundays.
fn berlin(hours: &str) -> Option<Calendar> {
    let settings = ScheduleSettings {
        every_day: hours.parse().unwrap(),
        time_zone: Some("Europe/Berlin".into()),
        ..ScheduleSettings::default()
    };
    if TimeZone::get("Europe/Berlin").is_err() {
        eprintln!("skipped: this system knows no time zones (tzdata)");
        return None;
    }
    Some(Calendar::new(&settings))
}

fn outlook(calendar: &Calendar, moment: &str) -> (Wakefulness, Option<u64>) {
    let outlook = calendar.outlook(moment.parse().unwrap(), Quiet::default());
    (outlook.state, outlook.lasts.map(|lasts| lasts.as_secs() / 60))
}

#[test]
fn summer_and_winter_time_are_taken_into_account() {
    use Wakefulness::{Asleep, Awake};
    let Some(calendar) = berlin("07:00-22:30") else { return };
    // The evening before each change, at 22:30: the nights have 7.5 and 9.5 hours.
    assert_eq!(outlook(&calendar, "2026-03-28T22:30:00+01:00"), (Asleep, Some(450)));
    assert_eq!(outlook(&calendar, "2026-10-24T22:30:00+02:00"), (Asleep, Some(570)));
    assert_eq!(outlook(&calendar, "2026-06-01T06:59:00+02:00"), (Asleep, Some(1)));
    assert_eq!(outlook(&calendar, "2026-06-01T07:00:00+02:00"), (Awake, Some(15 * 60 + 30)));
    assert_eq!(outlook(&calendar, "2026-12-01T06:00:00Z"), (Awake, Some(15 * 60 + 30)));
    // Hours that begin or end at times that the clock leaves out, or has twice.
    let calendar = berlin("02:30-05:00").unwrap();
    assert_eq!(
        outlook(&calendar, "2026-03-29T01:00:00+01:00"),
        (Asleep, Some(60)),
        "begins when the clock jumps past it"
    );
    assert_eq!(outlook(&calendar, "2026-03-29T03:00:00+02:00"), (Awake, Some(120)));
    let calendar = berlin("01:00-02:30").unwrap();
    assert_eq!(outlook(&calendar, "2026-10-25T02:29:00+02:00"), (Awake, Some(1)));
    assert_eq!(
        outlook(&calendar, "2026-10-25T02:30:00+02:00"),
        (Asleep, Some(30)),
        "02:00 comes again"
    );
    assert_eq!(outlook(&calendar, "2026-10-25T02:00:00+01:00"), (Awake, Some(30)));
}

/// Around every change of the clock in a zone with whole and one with half hours: what lasts is exactly as long as is said.
#[test]
fn real_time_agrees_with_asking_every_minute() {
    for (zone, days) in [
        ("Europe/Berlin", ["2026-03-28", "2026-10-24"]),
        ("Australia/Lord_Howe", ["2026-04-04", "2026-10-03"]),
    ] {
        if TimeZone::get(zone).is_err() {
            eprintln!("skipped: this system does not know {zone}");
            continue;
        }
        let settings = ScheduleSettings {
            every_day: "00:30-02:10, 02:40-03:20, 09:00-09:30".parse().unwrap(),
            time_zone: Some(zone.into()),
            night: Some("01:45-02:50".parse().unwrap()),
            ..ScheduleSettings::default()
        };
        let calendar = Calendar::new(&settings);
        for day in days {
            let start: Timestamp = format!("{day}T00:00:00Z").parse().unwrap();
            let at = |minute: i64| calendar.outlook(start + SignedDuration::from_mins(minute), Quiet::default());
            let states: Vec<Outlook> = (0..5 * 1440).map(at).collect();
            for minute in 0..3 * 1440 {
                let change = (minute..states.len())
                    .find(|&later| states[later].state != states[minute].state)
                    .unwrap();
                let lasts = states[minute].lasts.unwrap().as_secs() / 60;
                assert_eq!(lasts as usize, change - minute, "{zone} {day} minute {minute}");
            }
        }
    }
}

#[test]
fn an_unknown_zone_is_utc() {
    let settings = ScheduleSettings {
        every_day: "07:00-22:30".parse().unwrap(),
        time_zone: Some("Europe/Berlyn".into()),
        ..ScheduleSettings::default()
    };
    assert_eq!(
        outlook(&Calendar::new(&settings), "2026-06-01T06:59:00Z"),
        (Wakefulness::Asleep, Some(1))
    );
}

#[test]
fn the_start_counts_as_someone_and_a_press_in_hours_lasts_as_long_as_motion() {
    let schedule = Schedule::new(&ScheduleSettings {
        every_day: "09:00-18:00".parse().unwrap(),
        sleep_after: 15,
        wake_for: 60,
        ..ScheduleSettings::default()
    });
    let state = |hour: u32, quiet| schedule.outlook(WeekTime::new(2, hour * 3600), quiet);
    let started = |minutes| Quiet {
        start: Some(duration(minutes)),
        ..Quiet::default()
    };
    let outlook = |state, minutes: Option<u32>| Outlook {
        state,
        lasts: minutes.map(duration),
    };
    assert_eq!(state(14, started(0)), outlook(Wakefulness::Awake, Some(15)));
    assert_eq!(state(14, started(15)).state, Wakefulness::Asleep);
    assert_eq!(
        state(20, started(0)).state,
        Wakefulness::Asleep,
        "the start wakes nobody outside the hours"
    );
    let pressed = |minutes| Quiet {
        press: Some(duration(minutes)),
        ..started(300)
    };
    assert_eq!(state(14, pressed(14)), outlook(Wakefulness::Awake, Some(1)));
    assert_eq!(state(14, pressed(15)).state, Wakefulness::Asleep);
    assert_eq!(state(20, pressed(15)), outlook(Wakefulness::Awake, Some(45)));
}
