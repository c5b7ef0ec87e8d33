//! Hours, heat, trouble, new rules, and whatever else may happen.

use super::*;

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

/// What is pressed while the pack is still being opened is done when it is there.
#[test]
fn early_presses_are_remembered() {
    let mut evening = Evening::new(rules());
    evening.keep_some(2);
    assert_eq!((evening.scene(), evening.notice().as_str()), ("attract", ""));
    evening.press(A);
    assert_eq!((evening.scene(), evening.notice().as_str()), ("choose", "Starting …"));
    evening.press(B).press(B).press(A).press(C);
    assert_eq!((evening.scene(), evening.order.clone()), ("choose", None));
    evening.wait(5 * SECOND);
    assert_eq!(evening.notice(), "Starting …");
    evening.tell(Input::Pack(Some(skills())));
    let order = evening.order.clone().unwrap();
    assert_eq!((order.purpose, order.pieces[0].style.as_deref()), (Purpose::Picture, Some("pixel")));
    assert_eq!((evening.scene(), evening.notice().as_str()), ("drawing", ""));
    evening.draw();
    assert_eq!(evening.scene(), "picture");
}

#[test]
fn an_early_wish_to_draw_is_taken_back_by_what_comes_after_it() {
    let mut evening = Evening::new(rules());
    evening.press(A).press(C).press(A);
    evening.tell(Input::Pack(Some(skills())));
    assert_eq!((evening.scene(), evening.order.clone()), ("choose", None));
    let mut left = Evening::new(rules());
    left.press(A).press(C).press(Back);
    left.keep_some(1);
    left.tell(Input::Pack(Some(skills())));
    assert_eq!((left.scene(), left.order.clone()), ("attract", None));
}

#[test]
fn early_presses_and_a_broken_pack_are_trouble() {
    let mut evening = Evening::new(rules());
    evening.press(A).press(C);
    evening.tell(Input::Pack(None));
    assert_eq!(evening.scene(), "message");
    let mut chooses = Evening::new(rules());
    chooses.press(A);
    chooses.tell(Input::Pack(None));
    assert!(chooses.notice().starts_with("The model cannot be read"));
    chooses.press(C);
    assert_eq!(chooses.scene(), "message");
    chooses.tell(Input::Pack(Some(skills())));
    assert_eq!(chooses.scene(), "attract");
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
