//! Drawing with a finger.

use super::*;

/// A session on the paper, reached by touch.
fn on_paper() -> Session {
    let mut session = Session::begin();
    session.input(Input::Touch(Target::Button(Confirm), Short));
    assert_eq!(session.scene(), "choose");
    session.press(D);
    open(&mut session, "Draw by hand");
    session.effects.clear();
    session
}

/// Opens a line of the menu.
fn open(session: &mut Session, name: &str) {
    for _ in 0..10 {
        let Scene::Menu { lines, at } = session.view().scene else {
            panic!("{} is no menu", session.scene())
        };
        if lines[at].0 == name {
            session.press(B);
            return;
        }
        session.press(A);
    }
    panic!("the menu has no line {name}");
}

impl Session {
    fn finger(&mut self, at: Option<(i32, i32)>, is_down: bool) -> &mut Session {
        self.now += Duration::from_millis(20);
        self.input(Input::Finger(at.map(|(x, y)| Point::new(x, y)), is_down));
        self
    }

    /// A whole stroke.
    fn stroke(&mut self, from: (i32, i32), to: (i32, i32)) -> &mut Session {
        self.finger(Some(from), true).finger(Some(to), true).finger(Some(to), false)
    }

    fn finish(&mut self) {
        let job = self.job.take().unwrap();
        self.draw_item(&job, 0);
    }

    fn sketch(&self) -> Arc<Picture> {
        self.job.as_ref().unwrap().items[0].sketch.clone().unwrap()
    }
}

#[test]
fn only_who_touches_is_offered_to_draw() {
    let has_line = |session: &Session| {
        let Scene::Menu { lines, .. } = session.view().scene else {
            panic!()
        };
        lines.iter().any(|(name, _)| name == "Draw by hand")
    };
    let mut session = Session::begin();
    session.press(C).press(D);
    assert!(!has_line(&session), "with buttons alone there is no paper");
    session.input(Input::Touch(Target::Button(D), Short));
    session.press(D);
    assert!(has_line(&session));
    session.input(Input::Pack(Some(PackChoices {
        takes_pictures: false,
        ..choices()
    })));
    assert!(!has_line(&session), "this pack starts from no picture");
}

#[test]
fn the_picture_follows_the_finger() {
    let mut session = on_paper();
    assert_eq!((session.scene(), session.job.is_none()), ("paper", true));
    session.finger(Some((100, 100)), true);
    let first = session.job.clone().unwrap();
    assert_eq!((first.items[0].steps, first.asks), (2, false), "in few steps");
    // While the stroke goes on, what is being drawn comes to its end; then the latest is drawn.
    session.finger(Some((500, 500)), true).finger(Some((900, 100)), true);
    assert_eq!(session.job.clone().unwrap().number, first.number);
    assert!(!session.did(|effect| *effect == Effect::Cancel));
    session.finish();
    let second = session.job.clone().unwrap();
    assert!(second.number > first.number && second.items[0].sketch != first.items[0].sketch);
    let Scene::Paper { paper, shown, .. } = session.view().scene else {
        panic!()
    };
    assert!(paper.is_some() && shown.is_some());
    // A lifted finger ends an older drawing at once.
    session.finger(Some((900, 900)), true).finger(Some((900, 900)), false);
    let third = session.job.clone().unwrap();
    assert!(third.number > second.number && session.did(|effect| *effect == Effect::Cancel));
    session.finish();
    // At rest it is drawn once more, in all steps, and then no more.
    session.wait(Duration::from_secs(1));
    assert_eq!(session.job.as_ref().unwrap().items[0].steps, 4);
    session.finish();
    session.wait(Duration::from_secs(5));
    assert!(session.job.is_none());
}

#[test]
fn a_finger_beside_the_paper_draws_nothing() {
    let mut session = on_paper();
    session.finger(None, true).finger(None, true).finger(None, false);
    assert!(session.job.is_none());
    // A stroke that leaves the paper and comes back goes on.
    session.finger(Some((500, 500)), true);
    session.finger(None, true).finger(Some((900, 900)), true).finger(None, false);
    assert!(session.job.is_some());
}

#[test]
fn strokes_are_taken_back_and_the_style_changes() {
    let mut session = on_paper();
    session.stroke((100, 100), (900, 100));
    let one = session.sketch();
    session.stroke((100, 500), (900, 500));
    let two = session.sketch();
    assert_ne!(one, two);
    session.gesture(A, Long);
    assert_eq!(session.sketch(), one, "the last stroke is gone");
    session.press(B);
    assert_eq!(session.job.as_ref().unwrap().items[0].style.as_deref(), Some("flat"));
    session.finish();
    session.press(A);
    let Scene::Paper { paper, shown, .. } = session.view().scene else {
        panic!()
    };
    assert_eq!((paper, shown, session.job.is_none()), (None, None, true), "the paper is empty");
    session.press(C);
    assert_eq!((session.scene(), session.notice().as_str()), ("paper", "Draw here with a finger"));
}

#[test]
fn what_was_drawn_is_kept_and_cannot_be_drawn_at_home() {
    let mut session = on_paper();
    session.stroke((100, 100), (900, 900));
    session.finish();
    session.press(C);
    assert_eq!(session.scene(), "picture");
    assert!(session.did(|effect| matches!(effect, Effect::Keep { finished, .. } if finished.item.sketch.is_some())));
    assert_eq!(session.view().legends[3], "New", "no command draws it");
    session.press(B);
    let job = session.job.clone().unwrap();
    assert!(job.items.iter().all(|item| item.sketch.is_some() && item.variations.len() == 1));
    let mut left = on_paper();
    left.stroke((100, 100), (900, 900)).press(D);
    assert_eq!((left.scene(), left.job.is_none()), ("choose", true));
}

#[test]
fn a_dot_is_no_drawing_and_no_trouble() {
    let mut session = on_paper();
    session.stroke((500, 500), (500, 500));
    let job = session.job.take().unwrap();
    session.update(&job, 0, JobStage::Failed("no lines are found in the sketch".into()));
    // In all steps it is tried once more, and that is all.
    session.wait(Duration::from_secs(1));
    let job = session.job.take().unwrap();
    session.update(&job, 0, JobStage::Failed("no lines are found in the sketch".into()));
    session.wait(Duration::from_secs(5));
    assert_eq!(
        (session.scene(), session.notice().as_str(), session.job.is_none()),
        ("paper", "", true)
    );
}
