//! Plays scripts in simulated time: each stage of a drawing takes [`STAGE`] and gallery tasks take no time, so that the same
//! script, seed and pack always show the same frames.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::Kiosk;
use super::clock::Clock;
use crate::device::buttons::Script;
use crate::kiosk::drawing_worker::DrawingEvent;
use crate::kiosk::handle::Incoming;

/// Simulated duration of each stage of a drawing.
const STAGE: Duration = Duration::from_millis(400);
/// How long the last frame of a script is shown.
const AFTER: Duration = Duration::from_secs(1);

impl Kiosk {
    /// Plays a script; the clock jumps from one due time to the next. `is_stopped` ends it after the current moment.
    pub(super) fn play(&mut self, script: &Script, is_stopped: &AtomicBool) {
        let mut steps = script.steps().iter().peekable();
        let end = script.length() + AFTER;
        self.settle();
        while !self.ending && !is_stopped.load(Ordering::SeqCst) {
            let signal = steps.peek().map(|(at, _)| *at);
            let update = self.drawing.map(|(_, last)| last + STAGE);
            let due = [signal, update, self.machine_due()].into_iter().flatten().min();
            let Some(due) = due.filter(|due| *due <= end || update.is_some()) else {
                return;
            };
            self.set_clock(due);
            if update == Some(due) {
                self.await_job_update();
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

    /// Waits for the next update of the running job.
    fn await_job_update(&mut self) {
        let Some((job, _)) = self.drawing else { return };
        while let Some(incoming) = self.arrivals.first(|_| true) {
            let is_it = matches!(&incoming, Incoming::Drawing(DrawingEvent::Job(update)) if update.job == job);
            self.take(incoming);
            if is_it || self.ending {
                return;
            }
        }
    }
}
