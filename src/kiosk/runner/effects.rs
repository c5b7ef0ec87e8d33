//! Carries out the effects of the state machine and returns their results to it.

use std::time::Instant;

use super::Kiosk;
use crate::kiosk::gallery_worker::{GalleryEvent, Task, TaskResult};
use crate::kiosk::handle::Incoming;
use crate::kiosk::state::{Effect, Input, KeepOutcome};

impl Kiosk {
    pub(super) fn carry_out(&mut self, effect: Effect) {
        let now = self.clock.now();
        match effect {
            Effect::Draw(job) => {
                self.drawing = Some((job.number, now));
                self.supervisor.drawing(Instant::now());
                self.drawing_worker.draw(job);
            }
            Effect::Cancel => {
                self.drawing_worker.cancel();
                self.job_ended();
            }
            Effect::Sleep => self.outputs.iter_mut().for_each(|output| output.sleep(now)),
            Effect::Dim(night) => {
                self.night = night;
                self.set_brightness();
            }
            Effect::Quit => self.ending = true,
            other => self.gallery_task(other),
        }
        self.check_job_ended();
    }

    /// Gives a task to the gallery worker. Simulated time waits for the result.
    fn gallery_task(&mut self, effect: Effect) {
        let Some(task) = task(effect) else { return };
        match self.gallery_worker.ask(task) {
            Some(refused) => self.task_done(refused),
            None if self.clock.is_simulated() => self.await_gallery(),
            None => {}
        }
    }

    /// Hands remaining writes to the gallery worker, which finishes them before it ends.
    pub(super) fn flush_gallery_tasks(&mut self) {
        let rest: Vec<Effect> = self.effects.drain(..).collect();
        for task in rest.into_iter().filter_map(task).filter(|task| !matches!(task, Task::Load(_))) {
            // A refusal is logged by the worker.
            self.gallery_worker.ask(task);
        }
    }

    /// Waits for the next result of the gallery worker.
    pub(super) fn await_gallery(&mut self) {
        while let Some(Incoming::Gallery(event)) = self.arrivals.first(|incoming| matches!(incoming, Incoming::Gallery(_))) {
            let is_result = matches!(event, GalleryEvent::Done(_));
            self.gallery_event(event);
            if is_result {
                return;
            }
        }
    }

    pub(super) fn gallery_event(&mut self, event: GalleryEvent) {
        match event {
            GalleryEvent::Gallery(entries) => self.input(Input::Gallery(entries)),
            GalleryEvent::Done(result) => self.task_done(result),
        }
    }

    fn task_done(&mut self, result: TaskResult) {
        match result {
            TaskResult::Kept(job, item, outcome) => {
                self.kept |= matches!(outcome, KeepOutcome::Kept(_));
                self.input(Input::Kept(job, item, outcome));
            }
            TaskResult::Loaded(number, picture) => self.input(Input::Loaded(number, picture)),
            TaskResult::Opened | TaskResult::Noted => {}
        }
    }

    pub(super) fn check_job_ended(&mut self) {
        if !self.machine.is_drawing() && self.drawing.is_some() {
            self.job_ended();
        }
    }

    /// No job is running any more.
    fn job_ended(&mut self) {
        self.drawing = None;
        self.supervisor.drawn(Instant::now());
    }

    /// Sets the brightness for day or night.
    pub(super) fn set_brightness(&mut self) {
        let schedule = &self.settings.schedule;
        let brightness = if self.night {
            schedule.night_brightness
        } else {
            schedule.day_brightness
        };
        if brightness != self.brightness {
            self.brightness = brightness;
            let now = self.clock.now();
            self.outputs.iter_mut().for_each(|output| output.dim(brightness, now));
        }
    }
}

/// The gallery task of an effect, if it has one.
fn task(effect: Effect) -> Option<Task> {
    match effect {
        Effect::Keep {
            job,
            item,
            finished,
            favourite,
        } => Some(Task::Keep {
            job,
            item,
            finished,
            favourite,
        }),
        Effect::Favourite(number, favourite) => Some(Task::Favourite(number, favourite)),
        Effect::Load(number) => Some(Task::Load(number)),
        Effect::Draw(_) | Effect::Cancel | Effect::Sleep | Effect::Dim(_) | Effect::Quit => None,
    }
}
