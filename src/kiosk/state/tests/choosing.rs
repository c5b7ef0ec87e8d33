//! Choosing: words, letters, the menu, wheels and sketches.

use super::*;

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
fn a_whole_text_is_what_its_letters_would_be() {
    let text = |evening: &mut Evening, text: &str| evening.tell(Input::Event(Event::Text(text.into())));
    let mut evening = Evening::begin();
    for (sent, typed) in [("  红狐狸x\u{8}\n", "红狐狸"), ("red fox", "red fox"), ("red fox", "red fox")] {
        text(&mut evening, sent);
        assert_eq!((evening.scene(), evening.word().as_str()), ("choose", typed));
        evening.press(Back);
        assert_eq!(evening.scene(), "attract");
    }
    text(&mut evening, " \n\t");
    assert_eq!(evening.scene(), "attract", "nothing was entered");
    text(&mut evening, &"x".repeat(500));
    assert_eq!(evening.word().len(), 120);
    text(&mut evening, "rude fox");
    evening.press(C);
    assert_eq!(evening.notice(), "Let us draw something else.");
    text(&mut evening, "owl");
    evening.tell(Input::Event(Event::Character('s')));
    evening.press(C);
    assert_eq!(evening.order.clone().unwrap().pieces[0].prompt, "owls");
    text(&mut evening, "cat");
    assert_eq!(evening.scene(), "drawing", "a drawing is not disturbed");
    evening.draw();
    text(&mut evening, "cat");
    assert_eq!((evening.scene(), evening.word().as_str()), ("choose", "cat"));
    evening.press(D);
    text(&mut evening, "dog");
    assert_eq!((evening.scene(), evening.word().as_str()), ("choose", "dog"));
}
