//! Evenings of a kiosk, played from scripts: every transition, cancelling, failure, sleep and trouble.

mod choosing;
mod drawing;
mod keeping;
mod surroundings;

use super::*;
use crate::kiosk::language::Language;
use crate::kiosk::subjects::Subjects;
use crate::picture::{Picture, Provenance};
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
    }
}

fn skills() -> Skills {
    Skills {
        styles: ["3d", "flat", "pixel"].map(String::from).to_vec(),
        style: 0,
        steps: vec![1, 2, 4],
        step: 2,
    }
}

/// A kiosk and the one who draws for it.
struct Evening {
    machine: Machine,
    now: Duration,
    effects: Vec<Effect>,
    order: Option<Order>,
    keeps: bool,
    kept: Vec<Entry>,
}

impl Evening {
    fn new(rules: Rules) -> Evening {
        Evening {
            machine: Machine::new(rules),
            now: Duration::ZERO,
            effects: Vec::new(),
            order: None,
            keeps: true,
            kept: Vec::new(),
        }
    }

    /// With a pack and two kept pictures.
    fn begin() -> Evening {
        let mut evening = Evening::new(rules());
        evening.keep_some(2);
        evening.tell(Input::Pack(Some(skills())));
        evening
    }

    fn keep_some(&mut self, count: u64) {
        self.kept = (1..=count).rev().map(|number| Entry { number, favourite: false }).collect();
        self.tell(Input::Gallery(self.kept.clone()));
    }

    /// Tells the machine and does what it asks, as the runner does; drawing waits for [`Evening::draw`].
    fn tell(&mut self, input: Input) {
        let effects = self.machine.handle(input, self.now);
        self.carry_out(effects);
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            self.effects.push(effect.clone());
            match effect {
                Effect::Draw(order) => self.order = Some(order),
                Effect::Cancel => self.order = None,
                Effect::Keep {
                    order, piece, favourite, ..
                } if self.keeps => {
                    let number = self.kept.first().map_or(1, |entry| entry.number + 1);
                    self.kept.insert(0, Entry { number, favourite });
                    self.tell(Input::Gallery(self.kept.clone()));
                    self.tell(Input::Kept(order, piece, Outcome::Kept(number)));
                }
                Effect::Keep { order, piece, .. } => self.tell(Input::Kept(order, piece, Outcome::NotKept)),
                Effect::Favourite(number, favourite) => {
                    let entry = self.kept.iter_mut().find(|entry| entry.number == number);
                    entry.into_iter().for_each(|entry| entry.favourite = favourite);
                    self.tell(Input::Gallery(self.kept.clone()));
                }
                Effect::Load(number) => {
                    let piece = Piece {
                        prompt: format!("kept {number}"),
                        style: None,
                        steps: 4,
                        seed: number,
                    };
                    self.tell(Input::Loaded(number, Some(drawn(piece))));
                }
                Effect::Sleep | Effect::Dim(_) | Effect::Quit => {}
            }
        }
    }

    fn press(&mut self, button: Button) -> &mut Evening {
        self.gesture(button, Short)
    }

    fn gesture(&mut self, button: Button, gesture: Gesture) -> &mut Evening {
        self.now += Duration::from_millis(300);
        self.tell(Input::Event(Event::Press(button, gesture)));
        self
    }

    fn wait(&mut self, time: Duration) -> &mut Evening {
        let until = self.now + time;
        while let Some(due) = self.machine.deadline(self.now).filter(|due| *due <= until) {
            self.now = due.max(self.now);
            self.tell(Input::Tick);
            let next = self.machine.deadline(self.now);
            assert!(next.is_none_or(|next| next > self.now), "it would turn without rest");
        }
        self.now = until;
        self
    }

    /// Draws everything that is ordered.
    fn draw(&mut self) -> &mut Evening {
        while let Some(order) = self.order.take() {
            for piece in 0..order.pieces.len() {
                self.draw_piece(&order, piece);
            }
        }
        self
    }

    fn draw_piece(&mut self, order: &Order, piece: usize) {
        self.report(order, piece, Stage::Text);
        let of = order.pieces[piece].steps;
        for done in 1..=of {
            let preview = Some(picture(done as u8));
            self.report(order, piece, Stage::Step { done, of, preview });
        }
        self.report(order, piece, Stage::Finished(drawn(order.pieces[piece].clone())));
    }

    fn report(&mut self, order: &Order, piece: usize, stage: Stage) {
        self.now += SECOND;
        self.tell(Input::Report(Report {
            order: order.number,
            piece,
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
            Scene::Drawing { .. } => "drawing",
            Scene::Four { .. } => "four",
            Scene::Picture { place: None, .. } => "picture",
            Scene::Picture { .. } => "gallery",
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

fn drawn(piece: Piece) -> Drawn {
    Drawn {
        picture: picture((piece.seed % 251) as u8),
        piece,
        provenance: Arc::new(Provenance::default()),
    }
}
