//! Sessions at a kiosk: every transition, cancelling, failure, sleep and trouble.

mod by_hand;
mod choosing;
mod drawing;
mod keeping;
mod morphing;
mod surroundings;

use super::*;
use crate::kiosk::language::Language;
use crate::kiosk::subjects::Subjects;
use crate::picture::{Picture, Provenance, Resampling};
use Button::{A, B, Back, C, Confirm, D, Next as Forward, Previous};
use Gesture::{Hold, Long, Short};
use std::sync::Arc;

const SECOND: Duration = Duration::from_secs(1);

fn rules() -> Rules {
    Rules {
        language: Language::En,
        subjects: Arc::new(Subjects::shipped().unwrap()),
        colours: vec!["red".into(), "blue".into()],
        allows: Arc::new(|prompt: &str| !prompt.contains("rude")),
        at_once: AtOnce::One,
        seed: 0,
        keep_all: true,
        only_favourites: false,
        idle: Duration::from_secs(60),
        shown: Duration::from_secs(10),
        fade: Duration::from_secs(2),
        sketch: true,
        morphs: false,
    }
}

fn choices() -> PackChoices {
    PackChoices {
        styles: ["3d", "flat", "pixel"].map(String::from).to_vec(),
        style: 0,
        style_is_open: true,
        nearest: vec!["pixel".into()],
        steps: vec![1, 2, 4],
        step: 2,
        takes_pictures: true,
    }
}

/// A kiosk with its drawing and gallery workers.
struct Session {
    machine: Machine,
    now: Duration,
    effects: Vec<Effect>,
    job: Option<Job>,
    keeps: bool,
    kept: Vec<GalleryEntry>,
}

impl Session {
    fn new(rules: Rules) -> Session {
        Session {
            machine: Machine::new(rules),
            now: Duration::ZERO,
            effects: Vec::new(),
            job: None,
            keeps: true,
            kept: Vec::new(),
        }
    }

    /// With a pack and two kept pictures.
    fn begin() -> Session {
        let mut session = Session::new(rules());
        session.keep_some(2);
        session.input(Input::Pack(Some(choices())));
        session
    }

    fn keep_some(&mut self, count: u64) {
        self.kept = (1..=count).rev().map(|number| GalleryEntry { number, favourite: false }).collect();
        self.input(Input::Gallery(self.kept.clone()));
    }

    /// Handles an input and carries out the effects, as the main loop does; drawing waits for [`Session::draw`].
    fn input(&mut self, input: Input) {
        let effects = self.machine.handle(input, self.now);
        self.carry_out(effects);
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            self.effects.push(effect.clone());
            match effect {
                Effect::Draw(job) => self.job = Some(job),
                Effect::Cancel => self.job = None,
                Effect::Keep { job, item, favourite, .. } if self.keeps => {
                    let number = self.kept.first().map_or(1, |entry| entry.number + 1);
                    self.kept.insert(0, GalleryEntry { number, favourite });
                    self.input(Input::Gallery(self.kept.clone()));
                    self.input(Input::Kept(job, item, KeepOutcome::Kept(number)));
                }
                Effect::Keep { job, item, .. } => self.input(Input::Kept(job, item, KeepOutcome::NotKept)),
                Effect::Favourite(number, favourite) => {
                    let entry = self.kept.iter_mut().find(|entry| entry.number == number);
                    entry.into_iter().for_each(|entry| entry.favourite = favourite);
                    self.input(Input::Gallery(self.kept.clone()));
                }
                Effect::Load(number) => {
                    let item = Item {
                        prompt: format!("kept {number}"),
                        style: None,
                        steps: 4,
                        seed: number,
                        variations: Vec::new(),
                        sketch: None,
                    };
                    self.input(Input::Loaded(number, Some(finished(item))));
                }
                Effect::Sleep | Effect::Dim(_) | Effect::Quit => {}
            }
        }
    }

    fn press(&mut self, button: Button) -> &mut Session {
        self.gesture(button, Short)
    }

    fn gesture(&mut self, button: Button, gesture: Gesture) -> &mut Session {
        self.now += Duration::from_millis(300);
        self.input(Input::Event(Event::Press(button, gesture)));
        self
    }

    fn wait(&mut self, time: Duration) -> &mut Session {
        let until = self.now + time;
        while let Some(due) = self.machine.deadline(self.now).filter(|due| *due <= until) {
            self.now = due.max(self.now);
            self.input(Input::Tick);
            let next = self.machine.deadline(self.now);
            assert!(next.is_none_or(|next| next > self.now), "it would turn without rest");
        }
        self.now = until;
        self
    }

    /// Finishes all jobs.
    fn draw(&mut self) -> &mut Session {
        while let Some(job) = self.job.take() {
            for item in 0..job.items.len() {
                self.draw_item(&job, item);
            }
        }
        self
    }

    fn draw_item(&mut self, job: &Job, item: usize) {
        self.update(job, item, JobStage::Text);
        let of = job.items[item].steps;
        for done in 1..=of {
            let preview = Some(picture(done as u8));
            self.update(job, item, JobStage::Step { done, of, preview });
        }
        self.update(job, item, JobStage::Finished(finished(job.items[item].clone())));
    }

    fn update(&mut self, job: &Job, item: usize, stage: JobStage) {
        self.now += SECOND;
        self.input(Input::JobUpdate(JobUpdate {
            job: job.number,
            item,
            stage,
        }));
    }

    fn view(&self) -> View {
        self.machine.view(self.now)
    }

    fn scene(&self) -> &'static str {
        match self.view().scene {
            Scene::Dark => "dark",
            Scene::Attract { .. } => "attract",
            Scene::Choose { .. } => "choose",
            Scene::Menu { .. } => "menu",
            Scene::Keyboard { .. } => "keyboard",
            Scene::Paper { .. } => "paper",
            Scene::Drawing { .. } => "drawing",
            Scene::Four { .. } => "four",
            Scene::Picture { place: None, .. } => "picture",
            Scene::Picture { .. } => "gallery",
            Scene::Code(_) => "code",
            Scene::Message { .. } => "message",
        }
    }

    fn word(&self) -> String {
        let Scene::Choose { wheel, .. } = self.view().scene else {
            panic!("nothing is being chosen")
        };
        wheel.word
    }

    fn notice(&self) -> String {
        self.view().notice.unwrap_or_default()
    }

    fn did(&mut self, wanted: impl Fn(&Effect) -> bool) -> bool {
        let found = self.effects.iter().any(wanted);
        self.effects.clear();
        found
    }
}

fn picture(shade: u8) -> Arc<Picture> {
    Arc::new(Picture::filled(2, 2, [shade, 0, 0, 255]).unwrap())
}

fn finished(item: Item) -> FinishedPicture {
    FinishedPicture {
        picture: picture((item.seed % 251) as u8),
        item,
        provenance: Arc::new(Provenance::default()),
    }
}
