//! Real or simulated time.

use std::time::{Duration, Instant};

/// Real or simulated time since the start.
pub(in crate::kiosk) enum Clock {
    Real(Instant),
    Simulated { start: Instant, now: Duration },
}

impl Clock {
    pub fn now(&self) -> Duration {
        match self {
            Clock::Real(start) => start.elapsed(),
            Clock::Simulated { now, .. } => *now,
        }
    }

    pub fn start(&self) -> Instant {
        match self {
            Clock::Real(start) | Clock::Simulated { start, .. } => *start,
        }
    }

    pub fn since_start(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.start())
    }

    pub fn is_simulated(&self) -> bool {
        matches!(self, Clock::Simulated { .. })
    }
}
