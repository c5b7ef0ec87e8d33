//! Hours, heat, trouble, new rules, and whatever else may happen.

use super::*;

#[test]
fn sleep_comes_when_nobody_is_there_and_only_the_schedule_ends_it() {
    let mut session = Session::begin();
    session.press(A);
    session.input(Input::Hours(Wakefulness::Asleep));
    assert_eq!(session.scene(), "choose", "nobody is left in the dark");
    session.effects.clear();
    session.wait(61 * SECOND);
    assert_eq!(session.scene(), "dark");
    assert!(session.did(|effect| *effect == Effect::Sleep));
    assert_eq!(session.machine.deadline(session.now), None);
    session.press(C);
    assert_eq!(session.scene(), "dark");
    session.input(Input::Hours(Wakefulness::Awake));
    assert_eq!(session.scene(), "attract");
    session.input(Input::Hours(Wakefulness::Dimmed));
    assert!(session.did(|effect| *effect == Effect::Dim(true)));
    assert_eq!(session.scene(), "attract");
    session.input(Input::Hours(Wakefulness::Asleep));
    assert_eq!(session.scene(), "dark");
    assert!(
        !session.did(|effect| matches!(effect, Effect::Dim(_))),
        "it would flash before it sleeps"
    );
    session.input(Input::Hours(Wakefulness::Dimmed));
    assert!(!session.did(|effect| matches!(effect, Effect::Dim(_))), "it is dim already");
    session.input(Input::Hours(Wakefulness::Awake));
    assert!(session.did(|effect| *effect == Effect::Dim(false)));
}

#[test]
fn presses_during_loading_are_replayed() {
    let mut session = Session::new(rules());
    session.keep_some(2);
    assert_eq!((session.scene(), session.notice().as_str()), ("attract", ""));
    session.press(A);
    assert_eq!((session.scene(), session.notice().as_str()), ("choose", "Starting …"));
    session.press(B).press(B).press(A).press(C);
    assert_eq!((session.scene(), session.job.clone()), ("choose", None));
    session.wait(5 * SECOND);
    assert_eq!(session.notice(), "Starting …");
    session.input(Input::Pack(Some(choices())));
    let job = session.job.clone().unwrap();
    assert_eq!((job.purpose, job.items[0].style.as_deref()), (Purpose::Picture, Some("pixel")));
    assert_eq!((session.scene(), session.notice().as_str()), ("drawing", ""));
    session.draw();
    assert_eq!(session.scene(), "picture");
}

#[test]
fn a_press_during_loading_is_cancelled_by_what_follows() {
    let mut session = Session::new(rules());
    session.press(A).press(C).press(A);
    session.input(Input::Pack(Some(choices())));
    assert_eq!((session.scene(), session.job.clone()), ("choose", None));
    let mut left = Session::new(rules());
    left.press(A).press(C).press(Back);
    left.keep_some(1);
    left.input(Input::Pack(Some(choices())));
    assert_eq!((left.scene(), left.job.clone()), ("attract", None));
}

#[test]
fn presses_during_loading_of_a_broken_pack_end_in_a_message() {
    let mut session = Session::new(rules());
    session.press(A).press(C);
    session.input(Input::Pack(None));
    assert_eq!(session.scene(), "message");
    let mut chooses = Session::new(rules());
    chooses.press(A);
    chooses.input(Input::Pack(None));
    assert!(chooses.notice().starts_with("The model cannot be read"));
    chooses.press(C);
    assert_eq!(chooses.scene(), "message");
    chooses.input(Input::Pack(Some(choices())));
    assert_eq!(chooses.scene(), "attract");
}

#[test]
fn without_a_pack_the_gallery_goes_on_and_says_so() {
    let mut session = Session::new(rules());
    session.keep_some(2);
    session.input(Input::Pack(None));
    assert!(matches!(session.view().scene, Scene::Attract { shown: Some(_), .. }));
    assert!(session.notice().starts_with("The model cannot be read"));
    session.press(A);
    assert_eq!(session.scene(), "message");
    session.press(A);
    assert_eq!(session.scene(), "attract");
    session.press(A);
    session.input(Input::Pack(Some(choices())));
    assert_eq!((session.scene(), session.notice().as_str()), ("attract", ""));
    session.press(A);
    session.input(Input::Pack(None));
    session.press(C);
    assert_eq!(session.scene(), "message");
}

#[test]
fn heat_means_fewer_steps_and_then_a_pause() {
    let mut session = Session::begin();
    session.input(Input::Pace(Pace::Slower));
    session.press(A).press(C);
    assert_eq!(session.job.clone().unwrap().items[0].steps, 2);
    session.draw();
    session.input(Input::Pace(Pace::Paused));
    session.press(A);
    assert_eq!((session.scene(), session.job.clone()), ("picture", None));
    assert!(session.notice().starts_with("Too warm"));
    session.input(Input::Pace(Pace::Normal));
    session.wait(5 * SECOND).press(A);
    assert_eq!(session.scene(), "drawing");
}

#[test]
fn a_failed_display_is_reported_on_the_remaining_displays() {
    let mut session = Session::begin();
    session.input(Input::DisplayGone(true));
    assert!(session.notice().starts_with("The display is gone"));
    session.input(Input::DisplayGone(false));
    assert_eq!(session.notice(), "");
}

#[test]
fn closing_the_window_ends_and_new_rules_take_effect() {
    let mut session = Session::begin();
    session.press(A).press(C);
    session.machine.set_rules(Rules {
        language: Language::De,
        colours: Vec::new(),
        ..rules()
    });
    assert_eq!(session.view().legends[3], "Abbrechen");
    session.effects.clear();
    session.input(Input::Event(Event::Closed));
    assert_eq!(session.effects, [Effect::Cancel, Effect::Quit]);
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
    let mut session = Session::begin();
    for round in 0..20_000 {
        match next(16) {
            0 => session.input(Input::Event(Event::Turn(next(9) as i32 - 4))),
            1 => session.input(Input::Event(Event::Character(char::from(next(128) as u8)))),
            2 => drop(session.wait(Duration::from_millis(next(90_000)))),
            3 | 4 => drop(session.draw()),
            5 => session.keep_some(next(5)),
            6 if next(4) == 0 => session.input(Input::Pack((next(3) > 0).then(choices))),
            7 if next(4) == 0 => {
                let hours = [Wakefulness::Awake, Wakefulness::Dimmed, Wakefulness::Asleep][next(3) as usize];
                session.input(Input::Hours(hours));
            }
            8 if next(4) == 0 => session.input(Input::Pace([Pace::Normal, Pace::Slower, Pace::Paused][next(3) as usize])),
            9 => session.keeps = next(3) > 0,
            _ => drop(session.gesture(buttons[next(8) as usize], gestures[next(6) as usize])),
        }
        let view = session.view();
        assert!(view.legends.len() == 4, "round {round}");
    }
}
