//! Carrying out what the state machine asks for, and bringing back what became of it.

use std::time::Instant;

use super::Kiosk;
use crate::kiosk::curator::{Answer, News, Task};
use crate::kiosk::handle::Incoming;
use crate::kiosk::state::{Effect, Input};

impl Kiosk {
    pub(super) fn carry_out(&mut self, effect: Effect) {
        let now = self.clock.now();
        match effect {
            Effect::Draw(order) => {
                self.drawing = Some((order.number, now));
                self.supervisor.drawing(Instant::now());
                self.artist.draw(order);
            }
            Effect::Cancel => {
                self.artist.cancel();
                self.at_rest();
            }
            Effect::Sleep => self.outputs.iter_mut().for_each(|output| output.sleep(now)),
            Effect::Dim(night) => {
                self.night = night;
                self.set_brightness();
            }
            Effect::Quit => self.ending = true,
            other => self.ask(other),
        }
        self.rest_when_drawn();
    }

    /// What the curator is asked for. In simulated time nothing else happens until it is answered.
    fn ask(&mut self, effect: Effect) {
        let Some(task) = task(effect) else { return };
        match self.curator.ask(task) {
            Some(refused) => self.answered(refused),
            None if self.clock.is_simulated() => self.await_curator(),
            None => {}
        }
    }

    /// What is still to be kept or marked when the kiosk ends. It is done before the curator's thread ends.
    pub(super) fn keep_the_rest(&mut self) {
        let rest: Vec<Effect> = self.effects.drain(..).collect();
        for task in rest.into_iter().filter_map(task).filter(|task| !matches!(task, Task::Load(_))) {
            // Whatever is refused is in the log.
            self.curator.ask(task);
        }
    }

    /// Waits for the curator's next answer.
    pub(super) fn await_curator(&mut self) {
        while let Some(Incoming::Gallery(news)) = self.arrivals.first(|incoming| matches!(incoming, Incoming::Gallery(_))) {
            let is_answer = matches!(news, News::Done(_));
            self.hear(news);
            if is_answer {
                return;
            }
        }
    }

    pub(super) fn hear(&mut self, news: News) {
        match news {
            News::Gallery(kept) => self.tell(Input::Gallery(kept)),
            News::Done(answer) => self.answered(answer),
        }
    }

    fn answered(&mut self, answer: Answer) {
        match answer {
            Answer::Kept(order, piece, outcome) => self.tell(Input::Kept(order, piece, outcome)),
            Answer::Loaded(number, drawn) => self.tell(Input::Loaded(number, drawn)),
            Answer::Opened | Answer::Noted => {}
        }
    }

    pub(super) fn rest_when_drawn(&mut self) {
        if !self.machine.is_drawing() && self.drawing.is_some() {
            self.at_rest();
        }
    }

    /// Nothing is being drawn any more.
    fn at_rest(&mut self) {
        self.drawing = None;
        self.supervisor.drawn(Instant::now());
    }

    /// The brightness of the day or of the night.
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

/// The curator's part of what is to be done.
fn task(effect: Effect) -> Option<Task> {
    match effect {
        Effect::Keep {
            order,
            piece,
            drawn,
            favourite,
        } => Some(Task::Keep {
            order,
            piece,
            drawn,
            favourite,
        }),
        Effect::Favourite(number, favourite) => Some(Task::Favourite(number, favourite)),
        Effect::Load(number) => Some(Task::Load(number)),
        Effect::Draw(_) | Effect::Cancel | Effect::Sleep | Effect::Dim(_) | Effect::Quit => None,
    }
}
