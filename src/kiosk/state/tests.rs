//! Evenings of a kiosk, played from scripts: every transition, cancelling, failure, sleep and trouble.

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

#[test]
fn a_visitor_chooses_and_gets_a_picture_that_is_kept() {
    let mut evening = Evening::begin();
    assert_eq!(evening.scene(), "attract");
    evening.press(A);
    assert_eq!((evening.scene(), evening.word().as_str()), ("choose", "fox"));
    evening.press(A).press(A).gesture(A, Long).gesture(A, Hold).gesture(A, Hold);
    assert_eq!(evening.word(), "circus tent");
    evening.press(Forward).press(Forward).press(B).press(C);
    assert_eq!(evening.scene(), "drawing");
    let order = evening.order.clone().unwrap();
    let piece = &order.pieces[0];
    assert_eq!(
        (piece.prompt.as_str(), piece.style.as_deref(), piece.steps),
        ("cat face", Some("flat"), 4)
    );
    evening.draw();
    assert_eq!(evening.scene(), "picture");
    assert!(evening.did(|effect| matches!(effect, Effect::Keep { favourite: false, .. })));
    let Scene::Picture { shown, .. } = evening.view().scene else {
        panic!()
    };
    assert_eq!(
        (shown.title.as_str(), shown.style.as_str(), shown.sprite),
        ("cat face", "flat colour", false)
    );
}

#[test]
fn every_step_is_shown_with_the_time_that_is_left() {
    let mut evening = Evening::begin();
    evening.press(A).press(C).draw().press(D).press(D).press(C);
    let order = evening.order.take().unwrap();
    let seen = |evening: &Evening| {
        let Scene::Drawing { done, left, pictures, .. } = evening.view().scene else {
            panic!()
        };
        (done, left, pictures[0].clone().map(|shown| shown.picture.pixels()[0]))
    };
    assert_eq!(seen(&evening), (0, "6 s left".into(), None));
    evening.wait(SECOND);
    assert_eq!(seen(&evening).1, "5 s left");
    evening.now -= SECOND;
    evening.report(&order, 0, Stage::Text);
    assert_eq!(seen(&evening), (166, "5 s left".into(), None));
    let step = |done| Stage::Step {
        done,
        of: 4,
        preview: Some(picture(done as u8)),
    };
    evening.report(&order, 0, step(1));
    assert_eq!(seen(&evening), (333, "4 s left".into(), Some(1)));
    evening.report(&order, 0, step(2));
    evening.report(&order, 0, step(3));
    evening.report(&order, 0, step(4));
    assert_eq!(seen(&evening), (833, "ready in a moment".into(), Some(4)));
}

#[test]
fn any_button_cancels_and_late_news_changes_nothing() {
    for button in [A, B, C, D, Back, Confirm, Forward, Previous] {
        let mut evening = Evening::begin();
        evening.press(A).press(C);
        let order = evening.order.clone().unwrap();
        evening.report(&order, 0, Stage::Text);
        evening.effects.clear();
        evening.press(button);
        assert_eq!(evening.scene(), "choose", "{button:?}");
        assert!(evening.did(|effect| *effect == Effect::Cancel), "{button:?}");
        evening.report(&order, 0, Stage::Finished(drawn(order.pieces[0].clone())));
        assert_eq!(evening.scene(), "choose");
        assert!(!evening.did(|effect| matches!(effect, Effect::Keep { .. })));
    }
}

#[test]
fn a_bouncing_button_does_not_cancel_what_it_ordered() {
    let mut evening = Evening::begin();
    evening.press(A).press(C);
    evening.now += Duration::from_millis(100);
    evening.tell(Input::Event(Event::Press(C, Short)));
    assert_eq!(evening.scene(), "drawing");
    evening.gesture(C, Hold);
    assert_eq!(evening.scene(), "drawing");
}

#[test]
fn a_drawing_that_fails_leads_back() {
    let mut evening = Evening::begin();
    evening.press(A).press(C);
    let order = evening.order.take().unwrap();
    evening.report(&order, 0, Stage::Failed("no memory".into()));
    assert_eq!(
        (evening.scene(), evening.notice().as_str()),
        ("choose", "That did not work. Please try again.")
    );
    evening.wait(5 * SECOND);
    assert_eq!(evening.notice(), "");
    evening.press(C).draw();
    assert_eq!(evening.scene(), "picture");
}

#[test]
fn four_at_once_are_picked_varied_enlarged_and_kept() {
    let mut evening = Evening::new(Rules {
        at_once: AtOnce::Four,
        ..rules()
    });
    evening.tell(Input::Pack(Some(skills())));
    evening.press(A).press(C);
    let first = evening.order.clone().unwrap();
    assert_eq!((first.purpose, first.pieces.len()), (Purpose::Several, 4));
    evening.draw();
    assert_eq!(evening.scene(), "four");
    assert!(
        !evening.did(|effect| matches!(effect, Effect::Keep { .. })),
        "only what is picked is kept"
    );
    let at = |evening: &Evening| {
        let Scene::Four { at, picked, .. } = evening.view().scene else {
            panic!()
        };
        (at, picked)
    };
    evening.press(Forward).press(Forward).press(Previous);
    assert_eq!(at(&evening), (Some(0), false));
    evening.press(C);
    assert_eq!(at(&evening), (Some(2), true));
    assert_eq!(evening.view().legends, ["Vary", "Large", "Keep", "Back"]);
    evening.press(C);
    assert!(evening.did(|effect| matches!(
        effect,
        Effect::Keep {
            favourite: true,
            piece: 2,
            ..
        }
    )));
    assert_eq!(evening.view().legends[2], "Kept");
    evening.press(C);
    assert!(!evening.did(|effect| matches!(effect, Effect::Keep { .. })));
    evening.press(D);
    assert_eq!(at(&evening), (Some(2), false));
    evening.press(D).press(A);
    let varied = evening.order.clone().unwrap();
    let seeds: Vec<u64> = varied.pieces.iter().map(|piece| piece.seed).collect();
    let chosen = first.pieces[3].seed;
    assert_eq!(seeds, [chosen + 1, chosen + 2, chosen + 3, chosen + 4]);
    evening.draw().press(B).press(B);
    assert_eq!(evening.scene(), "picture");
    assert!(evening.did(|effect| matches!(
        effect,
        Effect::Keep {
            favourite: false,
            piece: 1,
            ..
        }
    )));
    evening.press(Back).press(C).draw().press(Back);
    assert_eq!(evening.scene(), "choose");
}

#[test]
fn four_styles_have_one_seed() {
    let mut evening = Evening::begin();
    evening.press(A).press(D).press(A).press(A).press(B).press(B).press(C).press(C);
    let order = evening.order.clone().unwrap();
    let styles: Vec<&str> = order.pieces.iter().filter_map(|piece| piece.style.as_deref()).collect();
    assert_eq!(styles, ["3d", "flat", "pixel", "3d"]);
    assert!(order.pieces.iter().all(|piece| piece.seed == order.pieces[0].seed));
}

#[test]
fn the_picture_can_be_drawn_again_varied_kept_and_taken_home() {
    let mut evening = Evening::begin();
    evening.press(A).press(C).draw();
    let Scene::Picture { shown: first, .. } = evening.view().scene else {
        panic!()
    };
    evening.press(A).draw();
    let Scene::Picture { shown: second, .. } = evening.view().scene else {
        panic!()
    };
    assert_eq!(first.title, second.title);
    assert_ne!(first.picture, second.picture);
    evening.press(C);
    assert!(evening.did(|effect| matches!(effect, Effect::Favourite(4, true))));
    assert_eq!(
        (evening.view().legends[2].as_str(), evening.notice().as_str()),
        ("Kept", "Kept for good")
    );
    evening.press(C);
    assert!(evening.did(|effect| matches!(effect, Effect::Favourite(4, false))));
    evening.press(D);
    let Scene::Picture { code, .. } = evening.view().scene else {
        panic!()
    };
    let code = code.unwrap();
    assert!(code.starts_with("inkstone generate \"fox\" --style 3d --seed "), "{code}");
    assert!(code.ends_with(" --steps 4"), "{code}");
    evening.press(D);
    assert_eq!(evening.scene(), "choose");
    evening.press(C).draw().press(B);
    assert_eq!(evening.order.clone().unwrap().purpose, Purpose::Several);
    evening.draw().wait(61 * SECOND);
    assert_eq!(evening.scene(), "attract");
}

#[test]
fn a_picture_that_cannot_be_kept_is_shown_all_the_same() {
    let mut evening = Evening::begin();
    evening.keeps = false;
    evening.press(A).press(C).draw();
    assert_eq!(evening.scene(), "picture");
    assert!(evening.notice().starts_with("Not kept"), "{}", evening.notice());
    evening.press(C);
    let Scene::Picture { favourite, .. } = evening.view().scene else {
        panic!()
    };
    assert!(!favourite);
    evening.keeps = true;
    evening.wait(5 * SECOND).press(C);
    let Scene::Picture { favourite, .. } = evening.view().scene else {
        panic!()
    };
    assert!(favourite && evening.kept[0].favourite);
    evening.wait(5 * SECOND);
    assert_eq!(evening.notice(), "");
}

#[test]
fn nothing_is_kept_unasked_where_the_owner_wants_that() {
    let mut evening = Evening::new(Rules {
        keep_all: false,
        ..rules()
    });
    evening.tell(Input::Pack(Some(skills())));
    evening.press(A).press(C).draw();
    assert!(!evening.did(|effect| matches!(effect, Effect::Keep { .. })));
    evening.press(C);
    assert!(evening.did(|effect| matches!(effect, Effect::Keep { favourite: true, .. })));
}

#[test]
fn letters_make_a_prompt_of_ones_own() {
    let mut evening = Evening::begin();
    for letter in "  红狐狸x\u{8}".chars() {
        evening.tell(Input::Event(Event::Character(letter)));
    }
    let Scene::Choose { wheel, typed, .. } = evening.view().scene else {
        panic!()
    };
    assert_eq!((wheel.word.as_str(), typed), ("红狐狸", true));
    evening.press(Confirm);
    assert_eq!(evening.order.clone().unwrap().pieces[0].prompt, "红狐狸");
    evening.draw().press(Back);
    assert_eq!(evening.word(), "fox");
    for letter in "rude fox".chars() {
        evening.tell(Input::Event(Event::Character(letter)));
    }
    evening.press(C);
    assert_eq!(
        (evening.scene(), evening.notice().as_str()),
        ("choose", "Let us draw something else.")
    );
    for _ in 0..8 {
        evening.tell(Input::Event(Event::Character('\u{7f}')));
    }
    assert_eq!(evening.word(), "fox");
    for letter in "x".repeat(500).chars() {
        evening.tell(Input::Event(Event::Character(letter)));
    }
    assert_eq!(evening.word().len(), 120);
    evening.press(A);
    assert_eq!(evening.word(), "fox");
}

#[test]
fn who_hesitates_sees_a_sketch() {
    let mut evening = Evening::begin();
    evening.press(A).wait(Duration::from_millis(500));
    let order = evening.order.clone().unwrap();
    assert_eq!((order.purpose, order.pieces[0].steps), (Purpose::Sketch, 1));
    evening.draw();
    let sketch = |evening: &Evening| {
        let Scene::Choose { sketch, .. } = evening.view().scene else {
            panic!()
        };
        sketch.map(|(shown, current)| (shown.title, current))
    };
    assert_eq!(sketch(&evening), Some(("fox".into(), true)));
    evening.press(A);
    assert_eq!(sketch(&evening), Some(("fox".into(), false)));
    evening.effects.clear();
    evening.wait(Duration::from_millis(450)).press(A);
    assert!(evening.did(|effect| *effect == Effect::Cancel));
    evening.wait(5 * SECOND).draw();
    assert_eq!(sketch(&evening), Some(("dog face".into(), true)));
    evening.press(C);
    let seed = order.pieces[0].seed;
    assert_eq!(
        evening.order.clone().unwrap().pieces[0].seed,
        seed,
        "the picture is what the sketch promised"
    );
}

#[test]
fn the_menu_changes_colour_kind_number_steps_and_language() {
    let mut evening = Evening::begin();
    evening.press(A).press(D);
    let lines = |evening: &Evening| {
        let Scene::Menu { lines, at } = evening.view().scene else {
            panic!()
        };
        (lines.into_iter().map(|(_, value)| value).collect::<Vec<_>>(), at)
    };
    assert_eq!(
        lines(&evening),
        (["any", "any", "one", "4", "English", "2"].map(String::from).to_vec(), 0)
    );
    evening
        .press(B)
        .press(B)
        .press(A)
        .press(B)
        .press(A)
        .press(A)
        .press(B)
        .press(Forward)
        .press(B);
    assert_eq!(
        lines(&evening),
        (["蓝色", "动物", "一张", "1", "中文", "2"].map(String::from).to_vec(), 4)
    );
    evening.gesture(B, Long).press(Previous).gesture(B, Long);
    assert_eq!(lines(&evening).0[3], "4");
    evening.press(C);
    let Scene::Choose { choice, kind, .. } = evening.view().scene else {
        panic!()
    };
    assert_eq!(
        (choice.colour.as_deref(), choice.patch.as_deref(), kind.as_str()),
        (Some("blue"), Some("blue"), "animals")
    );
    evening.press(C);
    assert_eq!(evening.order.clone().unwrap().pieces[0].prompt, "blue fox");
}

#[test]
fn the_gallery_is_turned_through_marked_and_drawn_from() {
    let mut evening = Evening::begin();
    evening.keep_some(3);
    evening.press(A).gesture(D, Long);
    let seen = |evening: &Evening| {
        let Scene::Picture {
            shown, favourite, place, ..
        } = evening.view().scene
        else {
            panic!()
        };
        (shown.title, favourite, place.unwrap())
    };
    assert_eq!(seen(&evening), ("kept 3".into(), false, (1, 3)));
    evening.press(A).press(C);
    assert_eq!(seen(&evening), ("kept 2".into(), true, (2, 3)));
    evening.gesture(A, Long).gesture(A, Hold);
    assert_eq!(seen(&evening).0, "kept 1");
    evening.keep_some(2);
    assert_eq!(seen(&evening), ("kept 1".into(), false, (2, 2)));
    evening.press(B);
    let piece = evening.order.clone().unwrap().pieces.remove(0);
    assert_eq!(piece.prompt, "kept 1");
    assert_ne!(piece.seed, 1);
    evening.press(Back).gesture(D, Long).press(D);
    assert_eq!(evening.scene(), "choose");
    evening.keep_some(0);
    evening.gesture(D, Long);
    assert_eq!(evening.scene(), "message");
    evening.press(C).press(D);
    assert_eq!(evening.scene(), "choose");
}

#[test]
fn wheels_turn_words_lines_and_pictures() {
    let mut evening = Evening::begin();
    evening.press(Confirm);
    evening.tell(Input::Event(Event::Turn(3)));
    assert_eq!(evening.word(), "panda");
    evening.tell(Input::Event(Event::Turn(-4)));
    assert_eq!(evening.word(), "circus tent");
    evening.tell(Input::Event(Event::Turn(i32::MIN)));
    evening.press(D);
    evening.tell(Input::Event(Event::Turn(5)));
    let Scene::Menu { at, .. } = evening.view().scene else { panic!() };
    assert_eq!(at, 5);
    evening.press(Confirm);
    assert_eq!(evening.scene(), "gallery");
}

#[test]
fn kept_pictures_change_slowly_into_one_another() {
    let mut evening = Evening::begin();
    let seen = |evening: &Evening| {
        let Scene::Attract { shown, coming } = evening.view().scene else {
            panic!()
        };
        (shown.map(|shown| shown.title), coming.map(|(shown, there)| (shown.title, there)))
    };
    assert_eq!(seen(&evening), (Some("kept 2".into()), None));
    evening.wait(Duration::from_millis(12_000));
    assert_eq!(seen(&evening), (Some("kept 2".into()), Some(("kept 1".into(), 0))));
    evening.wait(Duration::from_millis(1_000));
    let (_, coming) = seen(&evening);
    assert!((100..156).contains(&coming.clone().unwrap().1), "{coming:?}");
    evening.wait(Duration::from_millis(1_100));
    assert_eq!(seen(&evening), (Some("kept 1".into()), None));
    evening.wait(13 * SECOND);
    assert_eq!(seen(&evening).0, Some("kept 2".into()));
}

#[test]
fn a_change_takes_few_frames_and_one_picture_needs_none() {
    let mut evening = Evening::begin();
    let mut ticks = 0;
    while let Some(due) = evening.machine.deadline(evening.now).filter(|due| *due < 120 * SECOND) {
        evening.now = due;
        evening.tell(Input::Tick);
        ticks += 1;
    }
    assert!((9 * 20..10 * 22).contains(&ticks), "{ticks}");
    evening.keep_some(1);
    evening.wait(30 * SECOND);
    assert_eq!(evening.machine.deadline(evening.now), None);
}

#[test]
fn examples_are_drawn_while_nothing_is_kept() {
    let mut evening = Evening::new(rules());
    evening.tell(Input::Gallery(Vec::new()));
    assert!(evening.order.is_none());
    evening.tell(Input::Pack(Some(skills())));
    let order = evening.order.take().unwrap();
    assert_eq!((order.purpose, order.pieces.len()), (Purpose::Example, 6));
    evening.draw_piece(&order, 0);
    evening.draw_piece(&order, 1);
    assert!(matches!(evening.view().scene, Scene::Attract { shown: Some(shown), .. } if shown.title == "red apple"));
    evening.effects.clear();
    evening.press(A);
    assert!(evening.did(|effect| *effect == Effect::Cancel));
    evening.press(Back);
    let rest = evening.order.clone().unwrap();
    assert_eq!(rest.pieces[..], order.pieces[2..], "what is missing is drawn later");
    evening.draw().wait(60 * SECOND);
    assert!(evening.order.is_none());
    assert!(!evening.did(|effect| matches!(effect, Effect::Keep { .. })));
}

#[test]
fn damaged_pictures_are_passed_over() {
    let mut evening = Evening::begin();
    let effects = evening.machine.handle(Input::Gallery(evening.kept.clone()), evening.now);
    assert!(effects.is_empty());
    evening.now = 12 * SECOND;
    let effects = evening.machine.handle(Input::Tick, evening.now);
    assert_eq!(effects, [Effect::Load(1)]);
    evening.machine.handle(Input::Loaded(1, None), evening.now);
    assert!(matches!(evening.view().scene, Scene::Attract { shown: Some(shown), coming: None } if shown.title == "kept 2"));
    evening.keep_some(1);
    assert_eq!(evening.scene(), "attract");
}

#[test]
fn sleep_comes_when_nobody_is_there_and_only_the_schedule_ends_it() {
    let mut evening = Evening::begin();
    evening.press(A);
    evening.tell(Input::Hours(Wakefulness::Asleep));
    assert_eq!(evening.scene(), "choose", "nobody is left in the dark");
    evening.effects.clear();
    evening.wait(61 * SECOND);
    assert_eq!(evening.scene(), "dark");
    assert!(evening.did(|effect| *effect == Effect::Sleep));
    assert_eq!(evening.machine.deadline(evening.now), None);
    evening.press(C);
    assert_eq!(evening.scene(), "dark");
    evening.tell(Input::Hours(Wakefulness::Awake));
    assert_eq!(evening.scene(), "attract");
    evening.tell(Input::Hours(Wakefulness::Dimmed));
    assert!(evening.did(|effect| *effect == Effect::Dim(true)));
    assert_eq!(evening.scene(), "attract");
    evening.tell(Input::Hours(Wakefulness::Asleep));
    assert_eq!(evening.scene(), "dark");
    assert!(evening.did(|effect| *effect == Effect::Dim(false)));
}

#[test]
fn without_a_pack_the_gallery_goes_on_and_says_so() {
    let mut evening = Evening::new(rules());
    evening.keep_some(2);
    evening.tell(Input::Pack(None));
    assert!(matches!(evening.view().scene, Scene::Attract { shown: Some(_), .. }));
    assert!(evening.notice().starts_with("The model cannot be read"));
    evening.press(A);
    assert_eq!(evening.scene(), "message");
    evening.press(A);
    assert_eq!(evening.scene(), "attract");
    evening.press(A);
    evening.tell(Input::Pack(Some(skills())));
    assert_eq!((evening.scene(), evening.notice().as_str()), ("attract", ""));
    evening.press(A);
    evening.tell(Input::Pack(None));
    evening.press(C);
    assert_eq!(evening.scene(), "message");
}

#[test]
fn heat_means_fewer_steps_and_then_a_pause() {
    let mut evening = Evening::begin();
    evening.tell(Input::Pace(Pace::Slower));
    evening.press(A).press(C);
    assert_eq!(evening.order.clone().unwrap().pieces[0].steps, 2);
    evening.draw();
    evening.tell(Input::Pace(Pace::Paused));
    evening.press(A);
    assert_eq!((evening.scene(), evening.order.clone()), ("picture", None));
    assert!(evening.notice().starts_with("Too warm"));
    evening.tell(Input::Pace(Pace::Normal));
    evening.wait(5 * SECOND).press(A);
    assert_eq!(evening.scene(), "drawing");
}

#[test]
fn a_display_that_is_gone_is_said_on_what_is_left() {
    let mut evening = Evening::begin();
    evening.tell(Input::DisplayGone(true));
    assert!(evening.notice().starts_with("The display is gone"));
    evening.tell(Input::DisplayGone(false));
    assert_eq!(evening.notice(), "");
}

#[test]
fn once_draws_keeps_and_ends() {
    let mut evening = Evening::new(rules());
    evening.tell(Input::Pack(Some(skills())));
    evening.order = None;
    let effects = evening.machine.draw_once(evening.now);
    evening.carry_out(effects);
    evening.press(A).press(D);
    assert_eq!(evening.scene(), "drawing");
    evening.draw();
    assert_eq!(evening.scene(), "picture");
    assert!(evening.did(|effect| *effect == Effect::Quit));
    assert_eq!(evening.kept.len(), 1);
}

#[test]
fn once_without_a_pack_ends() {
    let mut evening = Evening::new(rules());
    evening.tell(Input::Pack(None));
    let effects = evening.machine.draw_once(evening.now);
    assert_eq!(effects, [Effect::Quit]);
    assert_eq!(evening.scene(), "message");
}

#[test]
fn closing_the_window_ends_and_new_rules_take_effect() {
    let mut evening = Evening::begin();
    evening.press(A).press(C);
    evening.machine.set_rules(Rules {
        language: Language::De,
        colours: Vec::new(),
        ..rules()
    });
    assert_eq!(evening.view().legends[3], "Abbrechen");
    evening.effects.clear();
    evening.tell(Input::Event(Event::Closed));
    assert_eq!(evening.effects, [Effect::Cancel, Effect::Quit]);
}

#[test]
fn anything_may_happen_at_any_time() {
    let mut random = 1_u64;
    let mut next = |below: u64| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    let buttons = [A, B, C, D, Previous, Forward, Confirm, Back];
    let gestures = [Short, Short, Short, Gesture::Double, Long, Hold];
    let mut evening = Evening::begin();
    for round in 0..20_000 {
        match next(16) {
            0 => evening.tell(Input::Event(Event::Turn(next(9) as i32 - 4))),
            1 => evening.tell(Input::Event(Event::Character(char::from(next(128) as u8)))),
            2 => drop(evening.wait(Duration::from_millis(next(90_000)))),
            3 | 4 => drop(evening.draw()),
            5 => evening.keep_some(next(5)),
            6 if next(4) == 0 => evening.tell(Input::Pack((next(3) > 0).then(skills))),
            7 if next(4) == 0 => {
                let hours = [Wakefulness::Awake, Wakefulness::Dimmed, Wakefulness::Asleep][next(3) as usize];
                evening.tell(Input::Hours(hours));
            }
            8 if next(4) == 0 => evening.tell(Input::Pace([Pace::Normal, Pace::Slower, Pace::Paused][next(3) as usize])),
            9 => evening.keeps = next(3) > 0,
            _ => drop(evening.gesture(buttons[next(8) as usize], gestures[next(6) as usize])),
        }
        let view = evening.view();
        assert!(view.legends.len() == 4, "round {round}");
    }
}
