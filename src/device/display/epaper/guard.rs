//! When a panel may be refreshed: not too soon after the last refresh, and neither too cold nor too hot. Knows no clock.

use std::time::{Duration, Instant};

/// The temperatures between which vendors allow a refresh, in °C (Waveshare and E Ink: 0 to 50 °C at most; colour inks fade
/// and stick above 35 °C: Waveshare's wiki of the 7.3 inch (F), *Precautions*).
const MIN_CELSIUS: f32 = 0.0;
const MAX_CELSIUS: f32 = 35.0;

/// The time after which an unchanged picture is refreshed: Waveshare advises a refresh every 24 hours.
const STALE: Duration = Duration::from_secs(24 * 3600);

/// The time until the temperature is measured again.
const RECHECK: Duration = Duration::from_secs(30);

/// Whether a panel may be refreshed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Permission {
    /// At once.
    Now,
    /// After this time: the last refresh is too recent.
    In(Duration),
    /// Not at this temperature in °C; ask again after this time.
    NotAt(f32, Duration),
}

/// Records when a panel was refreshed.
#[derive(Clone, Debug)]
pub struct Guard {
    minimum_interval: Duration,
    last: Option<Instant>,
}

impl Guard {
    /// The guard of a panel that was not refreshed yet.
    pub fn new(minimum_interval: Duration) -> Guard {
        Guard {
            minimum_interval,
            last: None,
        }
    }

    /// Whether the panel may be refreshed now, at a temperature in °C if it is known.
    pub fn ask(&self, now: Instant, temperature: Option<f32>) -> Permission {
        let since = self.last.map(|last| now.saturating_duration_since(last));
        if let Some(early) = since
            .and_then(|since| self.minimum_interval.checked_sub(since))
            .filter(|early| !early.is_zero())
        {
            return Permission::In(early);
        }
        match temperature {
            Some(celsius) if !celsius.is_nan() && !(MIN_CELSIUS..=MAX_CELSIUS).contains(&celsius) => Permission::NotAt(celsius, RECHECK),
            _ => Permission::Now,
        }
    }

    /// Records a refresh.
    pub fn refreshed(&mut self, now: Instant) {
        self.last = Some(now);
    }

    /// Whether an unchanged picture should be refreshed, so that it neither fades nor sticks.
    pub fn is_stale(&self, now: Instant) -> bool {
        self.last.is_none_or(|last| now.saturating_duration_since(last) >= STALE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refreshes_keep_their_distance() {
        let (start, mut guard) = (Instant::now(), Guard::new(Duration::from_secs(180)));
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(guard.ask(start, None), Permission::Now);
        guard.refreshed(start);
        assert_eq!(guard.ask(at(0), None), Permission::In(Duration::from_secs(180)));
        assert_eq!(guard.ask(at(179), Some(99.0)), Permission::In(Duration::from_secs(1)));
        assert_eq!(guard.ask(at(180), None), Permission::Now);
        let free = Guard {
            minimum_interval: Duration::ZERO,
            last: Some(start),
        };
        assert_eq!(free.ask(start, None), Permission::Now);
    }

    #[test]
    fn cold_and_hot_panels_wait() {
        let (now, guard) = (Instant::now(), Guard::new(Duration::ZERO));
        for celsius in [0.0, 20.0, 35.0, f32::NAN] {
            assert_eq!(guard.ask(now, Some(celsius)), Permission::Now);
        }
        for celsius in [-0.5, 35.1, 80.0] {
            assert_eq!(guard.ask(now, Some(celsius)), Permission::NotAt(celsius, RECHECK));
        }
    }

    #[test]
    fn a_day_old_picture_is_stale() {
        let (start, mut guard) = (Instant::now(), Guard::new(Duration::ZERO));
        assert!(guard.is_stale(start));
        guard.refreshed(start);
        assert!(!guard.is_stale(start + Duration::from_secs(86_399)));
        assert!(guard.is_stale(start + Duration::from_secs(86_400)));
    }
}
