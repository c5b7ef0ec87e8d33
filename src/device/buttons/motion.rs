//! Motion sensors (PIR): a line that is high while someone moves.
//!
//! Pure: owns when motion is reported. Sensors such as the HC-SR501 hold their line for seconds and fire again and again
//! while someone is there; one report per hold-off is enough to stay awake.

use std::time::{Duration, Instant};

/// Reports motion, but not more often than the hold-off allows.
#[derive(Clone, Copy, Debug)]
pub struct MotionSensor {
    hold_off: Duration,
    last: Option<Instant>,
}

impl MotionSensor {
    /// With a time between reports.
    pub fn new(hold_off: Duration) -> MotionSensor {
        MotionSensor { hold_off, last: None }
    }

    /// Takes the new level of the line; returns whether motion is to be reported.
    pub fn line(&mut self, high: bool, at: Instant) -> bool {
        let is_news = self.last.is_none_or(|last| at.saturating_duration_since(last) >= self.hold_off);
        if high && is_news {
            self.last = Some(at);
        }
        high && is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn motion_is_reported_once_a_hold_off() {
        let (start, mut sensor) = (Instant::now(), MotionSensor::new(Duration::from_secs(5)));
        let mut line = |seconds, high| sensor.line(high, start + Duration::from_secs(seconds));
        assert!(line(0, true));
        assert!(!line(1, false));
        assert!(!line(2, true));
        assert!(!line(4, true));
        assert!(line(5, true));
        assert!(!line(12, false));
        assert!(line(13, true));
    }
}
