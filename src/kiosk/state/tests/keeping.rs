//! What is kept, and what is shown of it while nobody is there.

use super::*;

#[test]
fn a_picture_that_cannot_be_kept_is_shown_all_the_same() {
    let mut session = Session::begin();
    session.keeps = false;
    session.press(A).press(C).draw();
    assert_eq!(session.scene(), "picture");
    assert!(session.notice().starts_with("Not kept"), "{}", session.notice());
    session.press(C);
    let Scene::Picture { favourite, .. } = session.view().scene else {
        panic!()
    };
    assert!(!favourite);
    session.keeps = true;
    session.wait(5 * SECOND).press(C);
    let Scene::Picture { favourite, .. } = session.view().scene else {
        panic!()
    };
    assert!(favourite && session.kept[0].favourite);
    session.wait(5 * SECOND);
    assert_eq!(session.notice(), "");
}

#[test]
fn nothing_is_kept_unasked_where_the_owner_wants_that() {
    let mut session = Session::new(Rules {
        keep_all: false,
        ..rules()
    });
    session.input(Input::Pack(Some(choices())));
    session.press(A).press(C).draw();
    assert!(!session.did(|effect| matches!(effect, Effect::Keep { .. })));
    session.press(C);
    assert!(session.did(|effect| matches!(effect, Effect::Keep { favourite: true, .. })));
}

#[test]
fn the_gallery_is_turned_through_marked_and_drawn_from() {
    let mut session = Session::begin();
    session.keep_some(3);
    session.press(A).gesture(D, Long);
    let seen = |session: &Session| {
        let Scene::Picture {
            shown, favourite, place, ..
        } = session.view().scene
        else {
            panic!()
        };
        (shown.title, favourite, place.unwrap())
    };
    assert_eq!(seen(&session), ("kept 3".into(), false, (1, 3)));
    session.press(A).press(C);
    assert_eq!(seen(&session), ("kept 2".into(), true, (2, 3)));
    session.gesture(A, Long).gesture(A, Hold);
    assert_eq!(seen(&session).0, "kept 1");
    session.keep_some(2);
    assert_eq!(seen(&session), ("kept 1".into(), false, (2, 2)));
    session.press(B);
    let item = session.job.clone().unwrap().items.remove(0);
    assert_eq!(item.prompt, "kept 1");
    assert_ne!(item.seed, 1);
    session.press(Back).gesture(D, Long).press(D);
    assert_eq!(session.scene(), "choose");
    session.keep_some(0);
    session.gesture(D, Long);
    assert_eq!(session.scene(), "message");
    session.press(C).press(D);
    assert_eq!(session.scene(), "choose");
}

#[test]
fn kept_pictures_change_slowly_into_one_another() {
    let mut session = Session::begin();
    let seen = |session: &Session| {
        let Scene::Attract { shown, coming, .. } = session.view().scene else {
            panic!()
        };
        (shown.map(|shown| shown.title), coming.map(|(shown, there)| (shown.title, there)))
    };
    assert_eq!(seen(&session), (Some("kept 2".into()), None));
    session.wait(Duration::from_millis(12_000));
    assert_eq!(seen(&session), (Some("kept 2".into()), Some(("kept 1".into(), 0))));
    session.wait(Duration::from_millis(1_000));
    let (_, coming) = seen(&session);
    assert!((100..156).contains(&coming.clone().unwrap().1), "{coming:?}");
    session.wait(Duration::from_millis(1_100));
    assert_eq!(seen(&session), (Some("kept 1".into()), None));
    session.wait(13 * SECOND);
    assert_eq!(seen(&session).0, Some("kept 2".into()));
}

#[test]
fn a_change_takes_few_frames_and_one_picture_needs_none() {
    let mut session = Session::begin();
    let mut ticks = 0;
    while let Some(due) = session.machine.deadline(session.now).filter(|due| *due < 120 * SECOND) {
        session.now = due;
        session.input(Input::Tick);
        ticks += 1;
    }
    assert!((9 * 20..10 * 22).contains(&ticks), "{ticks}");
    session.keep_some(1);
    session.wait(30 * SECOND);
    assert_eq!(session.machine.deadline(session.now), None);
}

#[test]
fn examples_are_drawn_while_nothing_is_kept() {
    let mut session = Session::new(rules());
    session.input(Input::Pack(Some(choices())));
    assert!(session.job.is_none(), "nobody knows yet whether something is kept");
    session.input(Input::Gallery(Vec::new()));
    let job = session.job.take().unwrap();
    assert_eq!((job.purpose, job.items.len()), (Purpose::Example, 6));
    session.draw_item(&job, 0);
    session.draw_item(&job, 1);
    assert!(matches!(session.view().scene, Scene::Attract { shown: Some(shown), .. } if shown.title == "red apple"));
    session.effects.clear();
    session.press(A);
    assert!(session.did(|effect| *effect == Effect::Cancel));
    session.press(Back);
    let rest = session.job.clone().unwrap();
    assert_eq!(rest.items[..], job.items[2..], "what is missing is drawn later");
    session.draw().wait(60 * SECOND);
    assert!(session.job.is_none());
    assert!(!session.did(|effect| matches!(effect, Effect::Keep { .. })));
}

#[test]
fn damaged_pictures_are_passed_over() {
    let mut session = Session::begin();
    let effects = session.machine.handle(Input::Gallery(session.kept.clone()), session.now);
    assert!(effects.is_empty());
    session.now = 12 * SECOND;
    let effects = session.machine.handle(Input::Tick, session.now);
    assert_eq!(effects, [Effect::Load(1)]);
    session.machine.handle(Input::Loaded(1, None), session.now);
    assert!(matches!(session.view().scene, Scene::Attract { shown: Some(shown), coming: None, .. } if shown.title == "kept 2"));
    session.keep_some(1);
    assert_eq!(session.scene(), "attract");
}

#[test]
fn a_hint_stays_on_its_screen() {
    let mut session = Session::begin();
    session.press(A).press(C).draw().press(C);
    assert_eq!(session.notice(), "Kept for good");
    session.press(Back);
    assert_eq!((session.scene(), session.notice().as_str()), ("choose", ""));
    session.press(C);
    let job = session.job.take().unwrap();
    session.update(&job, 0, JobStage::Failed("none".into()));
    assert_eq!(
        (session.scene(), session.notice().as_str()),
        ("choose", "That did not work. Please try again.")
    );
    session.press(D);
    assert_eq!((session.scene(), session.notice().as_str()), ("menu", ""));
}

#[test]
fn the_gallery_has_small_pictures_of_what_is_around() {
    let mut session = Session::begin();
    session.keep_some(9);
    session.press(A).gesture(D, Long);
    let small = |session: &Session| {
        let Scene::Picture { around, here, place, .. } = session.view().scene else {
            panic!()
        };
        let titles: Vec<String> = around.into_iter().flatten().map(|shown| shown.title).collect();
        (titles.join(" "), here, place.unwrap().0)
    };
    assert_eq!(small(&session), ("kept 9 kept 8 kept 7 kept 6 kept 5".into(), 0, 1));
    session.press(A).press(A).press(A);
    assert_eq!(small(&session), ("kept 8 kept 7 kept 6 kept 5 kept 4".into(), 2, 4));
    session.effects.clear();
    session.press(Previous);
    let loads = session.effects.iter().filter(|effect| matches!(effect, Effect::Load(_))).count();
    assert_eq!(loads, 1, "the large one alone: the small ones are there");
    session.press(Previous).press(Previous).press(Previous);
    assert_eq!(small(&session), ("kept 5 kept 4 kept 3 kept 2 kept 1".into(), 4, 9));
    session.keep_some(1);
    assert_eq!(small(&session).1, 0);
}
