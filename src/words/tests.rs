use super::*;

const LIST: &str = "\
    a\tarticle\nabove\tabove\nand\tbeside\nangry\nbild\tarticle\ncat\ncute\taside\nl'\taffix\nmaison\nman\nman in tuxedo\nof\tlink\n\
    please\taside\nred\tcolour\nrobot\nrote\tcolour\ntable\nthe\tarticle\ntuxedo\ntwo\tnumber 2\nwith\tjoin\n\
    一只\taside\n可爱的\taside\n在\tjoin\n熊\n熊猫\n猫\n红色的\tcolour\n";

fn reader() -> Reader {
    let mut lines: Vec<&str> = LIST.lines().collect();
    lines.extend([
        "versus\trelation",
        "under\tbelow",
        "three\tnumber 3",
        "nine\tnumber 9",
        "twelve\tnumber 12",
        "zwei\tnumber 2",
        "one\tnumber 1",
        "katze",
        "tiny\tattribute",
    ]);
    lines.extend([
        "pony\t@3",
        "ponies\t@3 4",
        "box\t@5~parcel",
        "boxes\t@5~parcels",
        "crates\t=boxes",
        "两只\tnumber 2",
        "和\tbeside",
    ]);
    lines.push("in\tjoin");
    lines.push("picture of\taside");
    lines.push("picture");
    lines.push("bear");
    lines.push("grizzly\t=bear");
    lines.push("ship\t@12 40");
    lines.push("pirate\t@7 9");
    lines.push("sails\t#12 13");
    lines.push("buccaneer\t@9~pirate flag");
    lines.push("海盗\t~海盗旗");
    lines.extend([
        "^noto\t20 21",
        "^pixel\t22 23",
        "harp\t@21",
        "harps\t@21~harp",
        "sword\t@7 22",
        "long\t#22",
        "orc\t@23 24",
        "moose\t=harp",
    ]);
    lines.sort_by_key(|line| line.split('\t').next());
    Reader {
        lexicon: Lexicon::parse(lines.join("\n") + "\n").unwrap(),
    }
}

#[test]
fn known_words_stay_as_they_are() {
    for prompt in [
        "a red cat",
        "A  Red   CAT",
        "man in tuxedo",
        "angry cat, robot",
        "two cat",
        "the cat and the robot",
        "红色的猫",
        "大熊猫",
        "xyzzy",
        "please",
        "a picture of",
        "",
        " ",
        "...",
    ] {
        let reading = reader().read(prompt);
        assert_eq!((reading.text.as_str(), reading.unread.len()), (prompt, 0), "{prompt}");
    }
}

#[test]
fn what_asks_for_nothing_goes_and_what_is_not_learned_is_told() {
    for (prompt, text, unread) in [
        ("a cute cat", "cat", &[][..]),
        ("Picture of a Red Cat, please!", "Red Cat", &[]),
        ("a picture of the xyzzy", "xyzzy", &[]),
        ("cat with a red robot", "cat", &["with a red robot"]),
        ("man in the tuxedo", "man", &["in the tuxedo"]),
        ("a cute man in tuxedo", "man in tuxedo", &[]),
        ("cat with a hat, angry", "cat, angry", &["with a hat"]),
        ("xyzzy cat", "cat", &["xyzzy"]),
        ("Robots, please", "robot", &[]),
        ("ass cat", "cat", &["ass"]),
        ("xyzzy in a red robot", "xyzzy", &["in a red robot"]),
        ("xyzzy of a red robot", "red robot", &["xyzzy"]),
        ("cat of a red robot", "cat", &["of a red robot"]),
        ("cat xyzzying the robot", "cat", &["xyzzying the robot"]),
        ("cat xyzzy, the robot", "cat, robot", &["xyzzy"]),
        ("a “cute” 'red' cat", "red cat", &[]),
        ("cat xyzzy, foo bar", "cat", &["xyzzy", "foo bar"]),
        ("roten cat xyzzy", "roten cat", &["xyzzy"]),
        ("cat and a xyzzy", "cat", &["xyzzy"]),
        ("cute cat and cute robot", "cat and robot", &[]),
        ("l'maison", "maison", &[]),
        ("with a cat", "cat", &[]),
        ("cat.", "cat.", &[]),
        ("一只可爱的红色的猫", "红色的猫", &[]),
        ("一只猫在熊里", "猫", &["在熊里"]),
        ("可爱的大熊猫", "大熊猫", &[]),
    ] {
        let reading = reader().read(prompt);
        assert_eq!(reading.text, text, "{prompt}");
        assert_eq!(reading.unread, unread, "{prompt}");
    }
}

#[test]
fn words_that_no_caption_has_together_are_left_out_for_the_last_thing() {
    for (prompt, text, unread) in [
        ("a red pirate ship", "red ship", &["pirate"][..]),
        ("ship pirate", "pirate", &["ship"]),
        ("pirate sails", "pirate", &["sails"]),
        ("ship sails", "ship sails", &[]),
        ("sails", "sails", &[]),
        ("pirate and ship", "pirate and ship", &[]),
        ("pirate, ship", "pirate, ship", &[]),
        ("pirate cat", "pirate cat", &[]),
        ("a red buccaneer", "a red buccaneer", &[]),
        ("two buccaneer", "two pirate flag", &[]),
        ("a buccaneer", "pirate flag", &[]),
        ("buccaneer, ship", "buccaneer, ship", &[]),
        ("buccaneer, please", "pirate flag", &[]),
        ("buccaneer ship", "ship", &["buccaneer"]),
        ("pirate buccaneer", "pirate buccaneer", &[]),
        ("two buccaneer and ship", "two pirate flag and ship", &[]),
        ("一只海盗", "海盗旗", &[]),
    ] {
        let reading = reader().read(prompt);
        assert_eq!(reading.text, text, "{prompt}");
        assert_eq!(reading.unread, unread, "{prompt}");
    }
}

#[test]
fn the_nearest_stands_in_for_what_was_not_learned() {
    let reading = reader().read("a red Grizzly with a grizzly");
    assert_eq!(reading.text, "red bear");
    assert_eq!(reading.nearest, [("Grizzly".to_owned(), "bear".to_owned())].into());
    assert_eq!(reading.unread, ["with a grizzly"]);
}

#[test]
fn several_things_are_told_apart_and_stand_as_the_words_say() {
    for (prompt, things, rows) in [
        ("a cat and a robot", &["cat", "robot"][..], &[&[0, 1][..]][..]),
        ("cat and cat", &["cat"], &[&[0, 0]]),
        ("two cute red cat, please", &["red cat"], &[&[0, 0]]),
        ("three cat", &["cat"], &[&[0], &[0, 0]]),
        ("two cat and three robot", &["cat", "robot"], &[&[0, 0], &[1, 1, 1]]),
        ("three cat and two robot", &["cat", "robot"], &[&[0, 0, 0], &[1, 1]]),
        ("nine cat", &["cat"], &[&[0, 0, 0], &[0, 0, 0], &[0, 0, 0]]),
        ("nine cat and a robot", &[], &[]),
        ("twelve cat", &[], &[]),
        ("two cat and a robot", &["cat", "robot"], &[&[0, 0], &[1]]),
        ("a robot and two cat", &["robot", "cat"], &[&[0], &[1, 1]]),
        ("two cat and two robot", &["cat", "robot"], &[&[0, 0], &[1, 1]]),
        ("cat, bear and robot and man", &["cat", "bear", "robot", "man"], &[&[0, 1], &[2, 3]]),
        ("a cat, a bear, and a robot", &["cat", "bear", "robot"], &[&[0], &[1, 2]]),
        ("two cat, please, and a robot", &["cat", "robot"], &[&[0, 0], &[1]]),
        ("cat, red and robot", &[], &[]),
        ("cat and robot, angry", &[], &[]),
        ("cat, bear, robot", &[], &[]),
        ("two cat, three robot", &["cat", "robot"], &[&[0, 0], &[1, 1, 1]]),
        ("cat, two robot", &["cat", "robot"], &[&[0], &[1, 1]]),
        ("two cat, red", &[], &[]),
        ("two cat three robot", &["cat", "robot"], &[&[0, 0], &[1, 1, 1]]),
        ("red sails and a cat", &["red sails", "cat"], &[&[0, 1]]),
        ("zwei katzen", &["katze"], &[&[0, 0]]),
        ("two ship one robot", &["ship", "robot"], &[&[0, 0], &[1]]),
        ("two cat, sails", &[], &[]),
        ("two cat, three red sails", &[], &[]),
        ("two shipn", &[], &[]),
        ("cat, bear above robot", &[], &[]),
        ("two cats", &["cat"], &[&[0, 0]]),
        (
            "cat and bear and robot and man",
            &["cat", "bear", "robot", "man"],
            &[&[0, 1], &[2, 3]],
        ),
        (
            "cat and bear and robot and man and ship",
            &["cat", "bear", "robot", "man", "ship"],
            &[&[0, 1], &[2, 3, 4]],
        ),
        ("cat above robot", &["cat", "robot"], &[&[0], &[1]]),
        ("a cat under the two robot", &["robot", "cat"], &[&[0, 0], &[1]]),
        ("cat and bear above robot", &["cat", "bear", "robot"], &[&[0, 1], &[2]]),
        ("cat above robot and bear", &["cat", "robot", "bear"], &[&[0], &[1, 2]]),
        ("cat above robot above bear", &["cat", "robot", "bear"], &[&[0], &[1], &[2]]),
        ("three cat above robot", &["cat", "robot"], &[&[0, 0, 0], &[1]]),
        ("two cat and two robot above bear", &[], &[]),
        ("cat above robot above bear above man", &[], &[]),
        ("cat versus robot", &[], &[]),
        ("cat", &[], &[]),
        ("two", &[], &[]),
        ("two two cat", &[], &[]),
        ("cat two", &[], &[]),
        ("cat two and robot", &[], &[]),
        ("red and cat", &[], &[]),
        ("cat under the red sails", &[], &[]),
        ("two ponies", &["pony"], &[&[0, 0]]),
        ("two tiny boxes", &["tiny parcel"], &[&[0, 0]]),
        ("two red boxes", &["red box"], &[&[0, 0]]),
        ("two Crates", &["parcel"], &[&[0, 0]]),
        ("ponies and a cat", &["ponies", "cat"], &[&[0, 1]]),
        ("man in tuxedo and a cat", &["man in tuxedo", "cat"], &[&[0, 1]]),
        ("两只猫", &["猫"], &[&[0, 0]]),
        ("一只猫和两只熊猫", &["猫", "熊猫"], &[&[0], &[1, 1]]),
    ] {
        let found = reader().read(prompt).arrangement;
        let expected = (!things.is_empty()).then(|| Arrangement {
            objects: things.iter().map(|thing| (*thing).to_owned()).collect(),
            rows: rows.iter().map(|row| row.to_vec()).collect(),
        });
        assert_eq!(found, expected, "{prompt}");
    }
}

#[test]
fn what_was_not_learned_in_the_default_style_tells_in_which_it_was() {
    for (prompt, style) in [
        ("harp", Some("noto")),
        ("a red Harp, please", Some("noto")),
        ("two harps", Some("noto")),
        ("moose", Some("noto")),
        ("ship and harp", Some("noto")),
        ("long sword", Some("pixel")),
        ("sword", None),
        ("orc", None),
        ("ship", None),
        ("cat", None),
        ("cat harp", None),
        ("harp sword", None),
        ("^noto", None),
        ("red", None),
    ] {
        assert_eq!(reader().read(prompt).style.as_deref(), style, "{prompt}");
    }
}

#[test]
fn no_text_makes_it_fail() {
    let parts = [
        "cat",
        " ",
        ",",
        "红",
        "ß",
        "İ",
        "l'",
        ".",
        "with",
        "👩‍🚀",
        "'",
        "\u{0}",
        "ﷺ",
        "and",
        "two",
        "above",
        "under",
        "\t",
        "-",
        "picture of",
    ];
    let wording = reader();
    let mut state = 1u64;
    for _ in 0..5000 {
        let text: String = (0..8)
            .map(|_| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                parts[(state >> 33) as usize % parts.len()]
            })
            .collect();
        assert!(!wording.read(&text).text.is_empty(), "{text:?}");
    }
}
