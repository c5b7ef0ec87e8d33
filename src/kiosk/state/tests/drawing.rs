//! Drawing: jobs, every step, cancelling, four at once, and what can be done with a picture.

use super::*;
use crate::pipeline::Request;

#[test]
fn a_visitor_chooses_and_gets_a_picture_that_is_kept() {
    let mut session = Session::begin();
    assert_eq!(session.scene(), "attract");
    session.press(A);
    assert_eq!((session.scene(), session.word().as_str()), ("choose", "fox"));
    session.press(A).press(A).gesture(A, Long).gesture(A, Hold).gesture(A, Hold);
    assert_eq!(session.word(), "circus tent");
    session.press(Forward).press(Forward).press(B).press(C);
    assert_eq!(session.scene(), "drawing");
    let job = session.job.clone().unwrap();
    let item = &job.items[0];
    assert_eq!(
        (item.prompt.as_str(), item.style.as_deref(), item.steps),
        ("cat face", Some("flat"), 4)
    );
    session.draw();
    assert_eq!(session.scene(), "picture");
    assert!(session.did(|effect| matches!(effect, Effect::Keep { favourite: false, .. })));
    let Scene::Picture { shown, .. } = session.view().scene else {
        panic!()
    };
    assert_eq!(
        (shown.title.as_str(), shown.style.as_str(), shown.resampling),
        ("cat", "flat colour", Resampling::Smooth)
    );
}

#[test]
fn every_step_is_shown_with_the_time_that_is_left() {
    let mut session = Session::begin();
    session.press(A).press(C).draw().press(D).press(D).press(C);
    let job = session.job.take().unwrap();
    let seen = |session: &Session| {
        let Scene::Drawing { done, left, pictures, .. } = session.view().scene else {
            panic!()
        };
        (done, left, pictures[0].clone().map(|shown| shown.picture.pixels()[0]))
    };
    assert_eq!(seen(&session), (0, "6 s left".into(), None));
    session.wait(SECOND);
    assert_eq!(seen(&session).1, "5 s left");
    session.now -= SECOND;
    session.update(&job, 0, JobStage::Text);
    assert_eq!(seen(&session), (166, "5 s left".into(), None));
    let step = |done| JobStage::Step {
        done,
        of: 4,
        preview: Some(picture(done as u8)),
    };
    session.update(&job, 0, step(1));
    assert_eq!(seen(&session), (333, "4 s left".into(), Some(1)));
    session.update(&job, 0, step(2));
    session.update(&job, 0, step(3));
    session.update(&job, 0, step(4));
    assert_eq!(seen(&session), (833, "ready in a moment".into(), Some(4)));
}

#[test]
fn any_button_cancels_and_late_news_changes_nothing() {
    for button in [A, B, C, D, Back, Confirm, Forward, Previous] {
        let mut session = Session::begin();
        session.press(A).press(C);
        let job = session.job.clone().unwrap();
        session.update(&job, 0, JobStage::Text);
        session.effects.clear();
        session.press(button);
        assert_eq!(session.scene(), "choose", "{button:?}");
        assert!(session.did(|effect| *effect == Effect::Cancel), "{button:?}");
        session.update(&job, 0, JobStage::Finished(finished(job.items[0].clone())));
        assert_eq!(session.scene(), "choose");
        assert!(!session.did(|effect| matches!(effect, Effect::Keep { .. })));
    }
}

#[test]
fn a_bouncing_button_does_not_cancel_what_it_ordered() {
    let mut session = Session::begin();
    session.press(A).press(C);
    session.now += Duration::from_millis(100);
    session.input(Input::Event(Event::Press(C, Short)));
    assert_eq!(session.scene(), "drawing");
    session.gesture(C, Hold);
    assert_eq!(session.scene(), "drawing");
}

#[test]
fn a_picture_that_took_long_to_draw_is_shown_as_long_as_any_other() {
    let mut session = Session::begin();
    session.press(A).press(C).wait(300 * SECOND).draw().wait(30 * SECOND);
    assert_eq!(session.scene(), "picture");
    session.wait(31 * SECOND);
    assert_eq!(session.scene(), "attract");
}

#[test]
fn a_drawing_that_fails_leads_back() {
    let mut session = Session::begin();
    session.press(A).press(C);
    let job = session.job.take().unwrap();
    session.update(&job, 0, JobStage::Failed("no memory".into()));
    assert_eq!(
        (session.scene(), session.notice().as_str()),
        ("choose", "That did not work. Please try again.")
    );
    session.wait(5 * SECOND);
    assert_eq!(session.notice(), "");
    session.press(C).draw();
    assert_eq!(session.scene(), "picture");
}

#[test]
fn a_prompt_of_which_nothing_is_known_is_answered_with_what_is() {
    let mut session = Session::begin();
    session.press(A).press(C);
    let job = session.job.take().unwrap();
    session.update(&job, 0, JobStage::Unknown(vec!["kangaroo".into(), "koala".into()]));
    let notice = session.notice();
    assert_eq!(
        (session.scene(), notice.as_str()),
        ("choose", "I do not know that. I know: kangaroo, koala")
    );
    session.press(C);
    let job = session.job.take().unwrap();
    session.update(&job, 0, JobStage::Unknown(Vec::new()));
    assert_eq!(session.notice(), "I do not know that. Please say it in other words.");
    // Other words may be known.
    session.press(A);
    assert_eq!(session.notice(), "");
}

#[test]
fn four_at_once_are_picked_varied_enlarged_and_kept() {
    let mut session = Session::new(Rules {
        at_once: AtOnce::Four,
        ..rules()
    });
    session.input(Input::Pack(Some(choices())));
    session.press(A).press(C);
    let first = session.job.clone().unwrap();
    assert_eq!((first.purpose, first.items.len()), (Purpose::Several, 4));
    session.draw();
    assert_eq!(session.scene(), "four");
    assert!(
        !session.did(|effect| matches!(effect, Effect::Keep { .. })),
        "only what is picked is kept"
    );
    let at = |session: &Session| {
        let Scene::Four { at, picked, .. } = session.view().scene else {
            panic!()
        };
        (at, picked)
    };
    session.press(Forward).press(Forward).press(Previous);
    assert_eq!(at(&session), (Some(0), false));
    session.press(C);
    assert_eq!(at(&session), (Some(2), true));
    assert_eq!(session.view().legends, ["Vary", "Large", "Keep", "Back"]);
    session.press(C);
    assert!(session.did(|effect| matches!(
        effect,
        Effect::Keep {
            favourite: true,
            item: 2,
            ..
        }
    )));
    assert_eq!(session.view().legends[2], "Kept");
    session.press(C);
    assert!(!session.did(|effect| matches!(effect, Effect::Keep { .. })));
    session.press(D);
    assert_eq!(at(&session), (Some(2), false));
    session.press(D).press(A);
    let varied = session.job.clone().unwrap();
    let seeds: Vec<[u64; 2]> = varied.items.iter().map(|item| [item.seed, item.variations[0].seed]).collect();
    let chosen = first.items[3].seed;
    assert_eq!(seeds, [1, 2, 3, 4].map(|next| [chosen, chosen + next]));
    let command = varied.items[1].command();
    assert!(
        command.contains(&format!("--seed {chosen} --variation {}:0.5", chosen + 2)),
        "{command}"
    );
    session.draw().press(B).press(B);
    assert_eq!(session.scene(), "picture");
    assert!(session.did(|effect| matches!(
        effect,
        Effect::Keep {
            favourite: false,
            item: 1,
            ..
        }
    )));
    session.press(Back).press(C).draw().press(Back);
    assert_eq!(session.scene(), "choose");
}

#[test]
fn four_styles_have_one_seed() {
    let mut session = Session::begin();
    session.press(A).press(D).press(A).press(A).press(B).press(B).press(C).press(C);
    let job = session.job.clone().unwrap();
    let styles: Vec<&str> = job.items.iter().filter_map(|item| item.style.as_deref()).collect();
    assert_eq!(styles, ["3d", "flat", "pixel", "3d"]);
    assert!(job.items.iter().all(|item| item.seed == job.items[0].seed));
}

#[test]
fn the_picture_can_be_drawn_again_varied_kept_and_taken_home() {
    let mut session = Session::begin();
    session.press(A).press(C).draw();
    let Scene::Picture { shown: first, .. } = session.view().scene else {
        panic!()
    };
    session.press(A).draw();
    let Scene::Picture { shown: second, .. } = session.view().scene else {
        panic!()
    };
    assert_eq!(first.title, second.title);
    assert_ne!(first.picture, second.picture);
    session.press(C);
    assert!(session.did(|effect| matches!(effect, Effect::Favourite(4, true))));
    assert_eq!(
        (session.view().legends[2].as_str(), session.notice().as_str()),
        ("Kept", "Kept for good")
    );
    session.press(C);
    assert!(session.did(|effect| matches!(effect, Effect::Favourite(4, false))));
    session.press(D);
    let Scene::Picture { code, .. } = session.view().scene else {
        panic!()
    };
    let Code {
        command: code, invitation, ..
    } = code.unwrap();
    assert_eq!(invitation, "Scan it and draw the same at home");
    assert!(code.starts_with("inkstone generate \"fox\" --style 3d --seed "), "{code}");
    assert!(code.ends_with(" --steps 4"), "{code}");
    session.press(D);
    assert_eq!(session.scene(), "choose");
    session.press(C).draw().press(B);
    assert_eq!(session.job.clone().unwrap().purpose, Purpose::Several);
    session.draw().wait(61 * SECOND);
    assert_eq!(session.scene(), "attract");
}

#[test]
fn once_draws_keeps_and_ends() {
    let mut session = Session::new(rules());
    session.input(Input::Pack(Some(choices())));
    session.job = None;
    let effects = session.machine.draw_once(session.now);
    session.carry_out(effects);
    session.press(A).press(D);
    assert_eq!(session.scene(), "drawing");
    session.draw();
    assert_eq!(session.scene(), "picture");
    assert!(session.did(|effect| *effect == Effect::Quit));
    assert_eq!(session.kept.len(), 1);
}

#[test]
fn once_without_a_pack_ends() {
    let mut session = Session::new(rules());
    session.input(Input::Pack(None));
    let effects = session.machine.draw_once(session.now);
    assert_eq!(effects, [Effect::Quit]);
    assert_eq!(session.scene(), "message");
}

fn request(request: Request) -> Input {
    Input::Request(DrawRequest::try_from(&request).unwrap())
}

#[test]
fn a_request_is_drawn_as_if_a_visitor_had_asked() {
    let mut session = Session::begin();
    session.input(request(Request::new("red fox").style("flat").steps(2).seed(7)));
    let item = session.job.clone().unwrap().items.remove(0);
    let wanted = Item {
        prompt: "red fox".into(),
        style: Some("flat".into()),
        steps: 2,
        seed: 7,
        variations: Vec::new(),
        sketch: None,
    };
    assert_eq!((session.scene(), item), ("drawing", wanted));
    session.input(request(Request::new("owl")));
    let item = session.job.clone().unwrap().items.remove(0);
    assert_eq!(
        (item.prompt.as_str(), item.style, item.steps),
        ("owl", None, 4),
        "the newest is drawn"
    );
    session.press(Back);
    assert_eq!((session.scene(), session.word().as_str()), ("choose", "owl"));
    session.input(request(Request::new("owl")));
    session.draw();
    assert_eq!(session.scene(), "picture");
    assert!(session.did(|effect| matches!(effect, Effect::Keep { .. })));
}

#[test]
fn requests_are_filtered_and_wait_for_the_pack_but_not_for_the_morning() {
    let mut session = Session::begin();
    for refused in [Request::new("rude fox"), Request::new("fox").style("oil")] {
        session.input(request(refused));
        assert_eq!((session.scene(), session.job.clone()), ("attract", None));
        assert_ne!(session.notice(), "");
    }
    session.input(Input::Hours(Wakefulness::Asleep));
    session.input(request(Request::new("fox")));
    assert_eq!((session.scene(), session.job.clone()), ("dark", None));

    let mut deferred = Session::new(rules());
    deferred.input(request(Request::new("cat")));
    deferred.input(request(Request::new("fox")));
    deferred.keep_some(1);
    assert_eq!((deferred.notice().as_str(), deferred.job.clone()), ("Starting …", None));
    deferred.input(Input::Pack(Some(choices())));
    assert_eq!(deferred.job.clone().unwrap().items[0].prompt, "fox");

    let mut broken = Session::new(rules());
    broken.input(request(Request::new("cat")));
    broken.input(Input::Pack(None));
    assert!(broken.notice().starts_with("The model cannot be read"));
    broken.input(Input::Pack(Some(choices())));
    broken.keep_some(1);
    assert_eq!(broken.job, None, "it was refused");
}
