//! What is kept, and what is shown of it while nobody is there.

use super::*;

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
    evening.tell(Input::Pack(Some(skills())));
    assert!(evening.order.is_none(), "nobody knows yet whether something is kept");
    evening.tell(Input::Gallery(Vec::new()));
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
