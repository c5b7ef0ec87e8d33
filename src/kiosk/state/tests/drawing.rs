//! Drawing: what is ordered, every step, cancelling, four at once, and what can be done with a picture.

use super::*;

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

fn request(prompt: &str) -> DrawRequest {
    DrawRequest::new(prompt).unwrap()
}

#[test]
fn a_request_is_drawn_as_if_a_visitor_had_asked() {
    let mut evening = Evening::begin();
    evening.tell(Input::Request(request("red fox").style("flat").steps(2).seed(7)));
    let piece = evening.order.clone().unwrap().pieces.remove(0);
    let wanted = Piece {
        prompt: "red fox".into(),
        style: Some("flat".into()),
        steps: 2,
        seed: 7,
    };
    assert_eq!((evening.scene(), piece), ("drawing", wanted));
    evening.tell(Input::Request(request("owl")));
    let piece = evening.order.clone().unwrap().pieces.remove(0);
    assert_eq!(
        (piece.prompt.as_str(), piece.style, piece.steps),
        ("owl", None, 4),
        "the newest is drawn"
    );
    evening.press(Back);
    assert_eq!((evening.scene(), evening.word().as_str()), ("choose", "owl"));
    evening.tell(Input::Request(request("owl")));
    evening.draw();
    assert_eq!(evening.scene(), "picture");
    assert!(evening.did(|effect| matches!(effect, Effect::Keep { .. })));
}

#[test]
fn requests_are_filtered_and_wait_for_the_pack_but_not_for_the_morning() {
    let mut evening = Evening::begin();
    for refused in [request("rude fox"), request("fox").style("oil")] {
        evening.tell(Input::Request(refused));
        assert_eq!((evening.scene(), evening.order.clone()), ("attract", None));
        assert_ne!(evening.notice(), "");
    }
    evening.tell(Input::Hours(Wakefulness::Asleep));
    evening.tell(Input::Request(request("fox")));
    assert_eq!((evening.scene(), evening.order.clone()), ("dark", None));

    let mut early = Evening::new(rules());
    early.tell(Input::Request(request("cat")));
    early.tell(Input::Request(request("fox")));
    early.keep_some(1);
    assert_eq!((early.notice().as_str(), early.order.clone()), ("Starting …", None));
    early.tell(Input::Pack(Some(skills())));
    assert_eq!(early.order.clone().unwrap().pieces[0].prompt, "fox");

    let mut broken = Evening::new(rules());
    broken.tell(Input::Request(request("cat")));
    broken.tell(Input::Pack(None));
    assert!(broken.notice().starts_with("The model cannot be read"));
    broken.tell(Input::Pack(Some(skills())));
    broken.keep_some(1);
    assert_eq!(broken.order, None, "it was refused");
}
