//! Pictures that become one another, for a visitor and in the slide show.

use super::*;

/// The pictures of a morph job: two, of which the first is shown longer.
fn morphed() -> JobStage {
    let frame = |shade: u8, share: f32| MorphFrame {
        picture: picture(shade),
        share,
    };
    JobStage::Morphed(Arc::new(vec![frame(101, 0.5), frame(102, 0.25)]))
}

fn shade(session: &Session) -> u8 {
    match session.view().scene {
        Scene::Picture { shown, .. } | Scene::Attract { shown: Some(shown), .. } => shown.picture.pixel(0, 0).unwrap()[0],
        scene => panic!("{scene:?}"),
    }
}

impl Session {
    fn finish_morph(&mut self) {
        let job = self.job.take().unwrap();
        assert_eq!((job.purpose, job.items.len(), job.asks), (Purpose::Morph, 2, false));
        let step = JobStage::Step {
            done: 8,
            of: 16,
            preview: None,
        };
        self.update(&job, 0, step);
        self.update(&job, 0, morphed());
    }
}

#[test]
fn the_menu_leads_to_a_film_there_and_back() {
    let mut session = Session::begin();
    session.press(C).press(D);
    for _ in 0..10 {
        let Scene::Menu { lines, at } = session.view().scene else {
            panic!()
        };
        if lines[at].0 == "Morph" {
            break;
        }
        session.press(A);
    }
    session.press(B);
    assert_eq!(session.scene(), "drawing");
    let job = session.job.clone().unwrap();
    assert_eq!((job.items[0].seed, job.items[1].seed), (2, 1), "the newest becomes the one before");
    session.finish_morph();
    let mut seen = vec![shade(&session)];
    let end = session.now + Duration::from_secs(9);
    while session.now < end {
        session.wait(Duration::from_millis(50));
        if seen.last() != Some(&shade(&session)) {
            seen.push(shade(&session));
        }
    }
    assert_eq!(seen[..8], [2, 101, 102, 1, 102, 101, 2, 101], "{seen:?}");
    assert_eq!(session.view().legends, ["Next", "", "", "Back"]);
    session.press(D);
    assert_eq!(session.scene(), "choose");
}

#[test]
fn every_shown_picture_becomes_another() {
    let mut session = Session::begin();
    session.keep_some(3);
    // In the gallery: the one that is shown and the next.
    session.press(C).gesture(D, Long).gesture(B, Long);
    let job = session.job.clone().unwrap();
    assert_eq!((job.purpose, job.items[0].seed, job.items[1].seed), (Purpose::Morph, 3, 2));
    session.press(A);
    assert_eq!(session.job.as_ref().unwrap().items[1].seed, 1, "another second picture");
    assert!(
        session.did(|effect| *effect == Effect::Cancel),
        "the first morph is not drawn to its end"
    );
    session.press(D).press(C).draw();
    // A finished picture and the newest that was kept before it.
    assert_eq!(session.scene(), "picture");
    session.gesture(B, Long);
    assert_eq!(session.job.as_ref().unwrap().items[1].seed, 3);
    session.press(D);
    // One of four and the next of them.
    session.machine.shared.selection.at_once = AtOnce::Four;
    session.press(C).draw().press(B).gesture(A, Long);
    let job = session.job.clone().unwrap();
    assert_eq!((job.purpose, job.items[1].seed - job.items[0].seed), (Purpose::Morph, 1));
}

#[test]
fn without_a_second_picture_it_is_said() {
    let mut session = Session::begin();
    session.keep_some(0);
    session.machine.shared.rules.keep_all = false;
    session.press(C).press(C).draw().gesture(B, Long);
    assert_eq!(
        (session.scene(), session.notice().as_str()),
        ("picture", "Keep two pictures first.")
    );
}

fn slide_show() -> Session {
    let mut session = Session::new(Rules { morphs: true, ..rules() });
    session.keep_some(3);
    session.input(Input::Pack(Some(choices())));
    session
}

#[test]
fn slides_become_one_another_by_pictures_that_were_drawn_ahead() {
    let mut session = slide_show();
    assert_eq!(shade(&session), 3);
    session.wait(3 * SECOND);
    let job = session.job.clone().unwrap();
    assert_eq!((job.items[0].seed, job.items[1].seed), (3, 2));
    session.finish_morph();
    assert_eq!(shade(&session), 3, "its time has not come");
    let mut seen = vec![3];
    let end = session.now + Duration::from_secs(14);
    while session.now < end {
        session.wait(Duration::from_millis(100));
        if seen.last() != Some(&shade(&session)) {
            seen.push(shade(&session));
        }
    }
    assert_eq!(seen, [3, 101, 102, 2]);
    assert_eq!(session.job.as_ref().unwrap().items[0].seed, 2, "the next is drawn ahead");
    // A button ends the drawing and is not held up.
    session.press(A);
    assert_eq!((session.scene(), session.job.is_none()), ("choose", true));
}

#[test]
fn a_morph_that_fails_and_one_that_takes_long_hold_nothing_up() {
    let mut session = slide_show();
    session.wait(3 * SECOND);
    let job = session.job.take().unwrap();
    session.update(&job, 0, JobStage::Failed("broken".into()));
    assert_eq!(shade(&session), 3);
    session.wait(Duration::from_secs(13));
    assert_eq!(shade(&session), 2, "it fades in its place");
    // One that is not finished is waited for, and nothing turns meanwhile.
    session.wait(Duration::from_secs(60));
    assert_eq!((shade(&session), session.job.is_some()), (2, true));
    // A warm board fades.
    let mut warm = slide_show();
    warm.input(Input::Pace(Pace::Slower));
    warm.wait(Duration::from_secs(30));
    assert!(warm.job.is_none() && shade(&warm) != 3);
}
