//! Choosing: words, letters, the menu, wheels and sketches.

use super::*;
use crate::words::Ambiguity;

#[test]
fn letters_make_a_prompt_of_ones_own() {
    let mut session = Session::begin();
    for letter in "  红狐狸x\u{8}".chars() {
        session.input(Input::Event(Event::Character(letter)));
    }
    let Scene::Choose { wheel, typed, .. } = session.view().scene else {
        panic!()
    };
    assert_eq!((wheel.word.as_str(), typed), ("红狐狸", true));
    session.press(Confirm);
    assert_eq!(session.job.clone().unwrap().items[0].prompt, "红狐狸");
    session.draw().press(Back);
    assert_eq!(session.word(), "fox");
    for letter in "rude fox".chars() {
        session.input(Input::Event(Event::Character(letter)));
    }
    session.press(C);
    assert_eq!(
        (session.scene(), session.notice().as_str()),
        ("choose", "Let us draw something else.")
    );
    for _ in 0..8 {
        session.input(Input::Event(Event::Character('\u{7f}')));
    }
    assert_eq!(session.word(), "fox");
    for letter in "x".repeat(500).chars() {
        session.input(Input::Event(Event::Character(letter)));
    }
    assert_eq!(session.word().len(), 120);
    session.press(A);
    assert_eq!(session.word(), "fox");
}

/// What the wheel asks about: the word, the selected meaning and those after it.
fn question(session: &Session) -> (String, String, Vec<String>) {
    let Scene::Choose { wheel, typed, kind, .. } = session.view().scene else {
        panic!()
    };
    assert!(!typed);
    (kind, wheel.word, wheel.after)
}

fn cricket() -> JobStage {
    JobStage::Ambiguous(Ambiguity::new(
        "cricket",
        [("cricket", "red cricket"), ("cricket bat", "red cricket bat"), ("game", "red game")],
    ))
}

#[test]
fn who_typed_an_ambiguous_word_is_asked_once() {
    let mut session = Session::begin();
    let text = |session: &mut Session, text: &str| session.input(Input::Event(Event::Text(text.into())));
    text(&mut session, "red cricket");
    session.press(C);
    let job = session.job.take().unwrap();
    assert!(job.asks);
    session.update(&job, 0, cricket());
    assert_eq!(session.notice(), "Which one?");
    let rest = vec!["cricket bat".to_owned(), "game".to_owned()];
    assert_eq!(question(&session), ("cricket · Which one?".into(), "cricket".into(), rest.clone()));
    session.press(A);
    assert_eq!((session.notice(), question(&session).1), (String::new(), rest[0].clone()));
    session.press(Previous).press(Previous);
    assert_eq!(question(&session).1, "game");
    session.press(C);
    let job = session.job.clone().unwrap();
    assert_eq!((job.asks, job.items[0].prompt.as_str()), (false, "red game"));
    session.draw();
    assert_eq!(session.scene(), "picture");
    session.press(Back);

    // A sketch asks as well, and what is typed then is another text.
    text(&mut session, "red cricket");
    session.wait(SECOND);
    let job = session.job.take().unwrap();
    assert_eq!((job.purpose, job.asks), (Purpose::Sketch, true));
    session.update(&job, 0, cricket());
    assert_eq!(
        (session.notice().as_str(), question(&session).1.as_str()),
        ("Which one?", "cricket")
    );
    session.wait(SECOND);
    assert_eq!(session.job.clone().unwrap().items[0].prompt, "red cricket");
    session.input(Input::Event(Event::Character('s')));
    assert_eq!(session.word(), "red crickets");
    session.press(C);
    assert!(session.job.clone().unwrap().asks);
}

#[test]
fn nobody_is_asked_about_the_wheel_or_a_request() {
    let mut session = Session::begin();
    session.press(A).press(C);
    assert!(!session.job.take().unwrap().asks);
    session.press(D);
    let request = crate::pipeline::Request::new("cricket");
    session.input(Input::Request(DrawRequest::try_from(&request).unwrap()));
    let job = session.job.take().unwrap();
    assert_eq!((job.items[0].prompt.as_str(), job.asks), ("cricket", false));
}

#[test]
fn who_hesitates_sees_a_sketch() {
    let mut session = Session::begin();
    session.press(A).wait(Duration::from_millis(500));
    let job = session.job.clone().unwrap();
    assert_eq!((job.purpose, job.items[0].steps), (Purpose::Sketch, 1));
    session.draw();
    let sketch = |session: &Session| {
        let Scene::Choose { sketch, .. } = session.view().scene else {
            panic!()
        };
        sketch.map(|(shown, current)| (shown.title, current))
    };
    assert_eq!(sketch(&session), Some(("fox".into(), true)));
    session.press(A);
    assert_eq!(sketch(&session), Some(("fox".into(), false)));
    session.effects.clear();
    session.wait(Duration::from_millis(450)).press(A);
    assert!(session.did(|effect| *effect == Effect::Cancel));
    session.wait(5 * SECOND).draw();
    assert_eq!(sketch(&session), Some(("dog".into(), true)));
    session.press(C);
    let seed = job.items[0].seed;
    assert_eq!(
        session.job.clone().unwrap().items[0].seed,
        seed,
        "the picture is what the sketch promised"
    );
}

#[test]
fn the_menu_changes_colour_kind_number_steps_and_language() {
    let mut session = Session::begin();
    session.press(A).press(D);
    let lines = |session: &Session| {
        let Scene::Menu { lines, at } = session.view().scene else {
            panic!()
        };
        (lines.into_iter().map(|(_, value)| value).collect::<Vec<_>>(), at)
    };
    assert_eq!(
        lines(&session),
        (["any", "any", "one", "4", "English", "2", "", ""].map(String::from).to_vec(), 0)
    );
    session
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
        lines(&session),
        (["蓝色", "动物", "一张", "1", "中文", "2", "", ""].map(String::from).to_vec(), 4)
    );
    session.gesture(B, Long).press(Previous).gesture(B, Long);
    assert_eq!(lines(&session).0[3], "4");
    session.press(C);
    let Scene::Choose { choice, kind, .. } = session.view().scene else {
        panic!()
    };
    assert_eq!(
        (choice.colour.as_deref(), choice.patch.as_deref(), kind.as_str()),
        (Some("blue"), Some("blue"), "animals")
    );
    session.press(C);
    assert_eq!(session.job.clone().unwrap().items[0].prompt, "blue fox");
}

#[test]
fn wheels_turn_words_lines_and_pictures() {
    let mut session = Session::begin();
    session.press(Confirm);
    session.input(Input::Event(Event::Turn(3)));
    assert_eq!(session.word(), "panda");
    session.input(Input::Event(Event::Turn(-4)));
    assert_eq!(session.word(), "circus tent");
    session.input(Input::Event(Event::Turn(i32::MIN)));
    session.press(D);
    session.input(Input::Event(Event::Turn(5)));
    let Scene::Menu { at, .. } = session.view().scene else { panic!() };
    assert_eq!(at, 5);
    session.press(Confirm);
    assert_eq!(session.scene(), "gallery");
}

#[test]
fn a_whole_text_is_what_its_letters_would_be() {
    let text = |session: &mut Session, text: &str| session.input(Input::Event(Event::Text(text.into())));
    let mut session = Session::begin();
    for (sent, typed) in [("  红狐狸x\u{8}\n", "红狐狸"), ("red fox", "red fox"), ("red fox", "red fox")] {
        text(&mut session, sent);
        assert_eq!((session.scene(), session.word().as_str()), ("choose", typed));
        session.press(Back);
        assert_eq!(session.scene(), "attract");
    }
    text(&mut session, " \n\t");
    assert_eq!(session.scene(), "attract", "nothing was entered");
    text(&mut session, &"x".repeat(500));
    assert_eq!(session.word().len(), 120);
    text(&mut session, "rude fox");
    session.press(C);
    assert_eq!(session.notice(), "Let us draw something else.");
    text(&mut session, "owl");
    session.input(Input::Event(Event::Character('s')));
    session.press(C);
    assert_eq!(session.job.clone().unwrap().items[0].prompt, "owls");
    text(&mut session, "cat");
    assert_eq!(session.scene(), "drawing", "a drawing is not disturbed");
    session.draw();
    text(&mut session, "cat");
    assert_eq!((session.scene(), session.word().as_str()), ("choose", "cat"));
    session.press(D);
    text(&mut session, "dog");
    assert_eq!((session.scene(), session.word().as_str()), ("choose", "dog"));
}

#[test]
fn what_a_visitor_chose_leaves_with_the_visitor() {
    let mut session = Session::begin();
    let chosen = |session: &Session| {
        let Scene::Choose { choice, .. } = session.view().scene else {
            panic!()
        };
        (choice.colour, choice.several, choice.style)
    };
    let none = (None, None, "soft 3D".to_owned());
    // Blue, four at once and Chinese; another style.
    session
        .press(A)
        .press(D)
        .press(B)
        .press(B)
        .press(A)
        .press(A)
        .press(B)
        .press(A)
        .press(A)
        .press(B)
        .press(C)
        .press(B);
    let kept = (Some("蓝色".to_owned()), Some("四张".to_owned()), "平涂".to_owned());
    assert_eq!(chosen(&session), kept);
    session.press(C).draw().press(Back);
    assert_eq!(chosen(&session), kept, "it is still the same visitor");
    session.wait(61 * SECOND);
    assert_eq!(session.scene(), "attract");
    for letter in "fox".chars() {
        session.input(Input::Event(Event::Character(letter)));
    }
    assert_eq!(chosen(&session), none);
    session.press(C);
    assert_eq!(session.job.clone().unwrap().items[0].prompt, "fox");
    session.draw().press(Back).press(D).press(B).press(C);
    assert_eq!(chosen(&session).0.as_deref(), Some("red"));
    session.input(Input::Event(Event::Text("owl".into())));
    assert_eq!(chosen(&session), none, "who types elsewhere does not see the colour");
}

#[test]
fn the_keyboard_on_the_screen_types() {
    let mut session = Session::begin();
    session.press(A);
    session.input(Input::Touch(Target::Words, Short));
    assert_eq!(session.scene(), "keyboard");
    for letter in "foxy\u{8}".chars() {
        session.input(Input::Touch(Target::Letter(letter), Short));
    }
    session.press(C);
    assert_eq!((session.scene(), session.word().as_str()), ("choose", "fox"));
    // With buttons: the menu's last line, then the third key of the first row.
    session.press(D).press(Previous).press(B);
    session.press(A).press(Forward).press(B);
    let text = |session: &Session| match session.view().scene {
        Scene::Keyboard { text, .. } => text,
        _ => panic!(),
    };
    assert_eq!(text(&session), "foxe");
    session.press(Back);
    assert_eq!(session.word(), "fox", "what was typed before is back");
    session.press(C);
    assert_eq!(session.job.clone().unwrap().items[0].prompt, "fox");
    session.wait(SECOND);
    session.input(Input::Touch(Target::Button(D), Short));
    assert_eq!(session.scene(), "choose", "a touched legend is its button");
}
