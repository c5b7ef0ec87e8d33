//! Scripts run in simulated time: nothing waits but for the drawing, whose every report takes `STAGE`, and for the gallery,
//! so that the same script, seed and pack always show the same frames.

use std::time::Duration;

use super::Kiosk;
use super::clock::Clock;
use crate::device::buttons::Script;
use crate::kiosk::artist::News;
use crate::kiosk::handle::Incoming;

/// What every stage of a drawing takes in simulated time.
const STAGE: Duration = Duration::from_millis(400);
/// How long the last frame of a script stands.
const AFTER: Duration = Duration::from_secs(1);

impl Kiosk {
    /// A script in simulated time: the clock jumps from one thing to the next.
    pub(super) fn play(&mut self, script: &Script) {
        let mut steps = script.steps().iter().peekable();
        let end = script.length() + AFTER;
        self.settle();
        while !self.ending {
            let signal = steps.peek().map(|(at, _)| *at);
            let report = self.drawing.map(|(_, last)| last + STAGE);
            let due = [signal, report, self.machine_due()].into_iter().flatten().min();
            let Some(due) = due.filter(|due| *due <= end || report.is_some()) else {
                return;
            };
            self.set_clock(due);
            if report == Some(due) {
                self.await_report();
            } else if signal == Some(due)
                && let Some((_, signal)) = steps.next()
            {
                let at = self.clock.start() + due;
                self.signal(0, signal, at);
            }
            self.tick();
            self.settle();
        }
    }

    fn set_clock(&mut self, to: Duration) {
        if let Clock::Simulated { now, .. } = &mut self.clock {
            *now = to.max(*now);
        }
    }

    /// Waits for the next report of what is being drawn.
    fn await_report(&mut self) {
        let Some((order, _)) = self.drawing else { return };
        while let Some(incoming) = self.arrivals.first(|_| true) {
            let is_it = matches!(&incoming, Incoming::Drawing(News::Report(report)) if report.order == order);
            self.take(incoming);
            if is_it || self.ending {
                return;
            }
        }
    }
}
