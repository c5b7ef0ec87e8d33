//! Reading prompts with a small lexicon, and lexicons that are none.

use super::*;

const TABLE: &str = "\
concept\tcat\tcat\tcat\tcat\tcats\t
concept\tblack cat\tblack cat\tblack cat\tblack cat\tblack cats\t
concept\tcar\tautomobile\tcar\tcar\tcars\t
concept\that\ttop hat\ttop hat\that\that\t
concept\torange\ttangerine\torange\torange\toranges\t
concept\tharp\tharp\tharp\tharp\tharps\tnoto
concept\tmany:tower\t\t\ttower\ttowers\t
concept\tflower\tflower\tflower\tflower\tflowers\t
name\tcat\tde\tKatze
form\t*\tname\tcat\t🐱
form\ten\tname\tcat\tcat
form\ten\tplural\tcat\tcats
form\ten\tname\tcar\tcar
form\ten\tname\that\that
form\ten\tname\torange\torange
form\ten\tname\tharp\tharp
form\ten\tname\tmany:tower\ttower
form\ten\tname\tflower\tflower
form\ten\talso\tcat\tkitty cat
form\ten\tname\tblack cat\tblack cat
form\ten\tkeyword\tcar\tvehicle
form\tde\tname\tcat\tKatze
form\tde\tplural\tcat\tKatzen
form\tja\tname\tcat\t猫
form\ten\tnumber\t1\ta
form\ten\tnumber\t2\ttwo
form\ten\tnumber\t12\ta dozen
form\ten\tcolour\torange\torange
form\ten\tcolour\tblack\tblack
form\ten\tsize\tbig\tbig
form\ten\tsize\tsmall\tsmall
form\ten\tplace\tnight\tat night
form\ten\tstyle\tpixel\tpixel art
form\ten\trelation\tand\tand
form\ten\trelation\twith\twith
form\ten\trelation\twith\twearing
form\ten\trelation\twithout\twithout
form\ten\trelation\ton\ton
form\ten\tfiller\t-\tplease
form\tde\tnumber\t2\tzwei
form\tde\tcolour\tblack\tschwarze
form\tja\tnumber\t3\t三
form\tja\tclassifier\t-\t匹
form\tja\tparticle\t-\tが
combined\tcat\tcolour\tblack\tblack cat
near\ten\twombat\tcat
";

fn reader() -> Reader {
    Reader::of_bytes(compile(TABLE).unwrap()).unwrap()
}

fn read(prompt: &str) -> Reading {
    reader().read(prompt, None).unwrap()
}

#[test]
fn prompts_become_names() {
    for (prompt, text) in [
        ("cat", "cat"),
        ("a cat", "a cat"),
        ("CATS, please!", "cat"),
        ("Katzen", "cat"),
        ("zwei Katzen", "two cats"),
        ("kitty-cat", "cat"),
        ("kittycat", "cat"),
        ("猫が三匹", "three cats"),
        ("🐱", "cat"),
        ("car", "automobile"),
        ("orange car", "orange car"),
        ("orange", "tangerine"),
        ("schwarze Katze", "black cat"),
        ("black kitty cat", "black cat"),
        ("two cats and a car", "two cats and automobile"),
        ("cat, car", "cat and automobile"),
        ("cat on car", "cat on automobile"),
        ("cat cat", "cat"),
        ("small cat at night", "small cat"),
        ("", ""),
        ("qwertz", ""),
    ] {
        assert_eq!(read(prompt).text, text, "{prompt}");
    }
}

#[test]
fn what_is_not_drawn_is_told() {
    let dropped = |text: &str, drawn: &str| Remark::Dropped {
        text: text.into(),
        drawn: drawn.into(),
    };
    for (prompt, remark) in [
        ("cat wearing a hat", dropped("wearing a hat", "cat")),
        ("big cat", dropped("big", "cat")),
        ("cat at night", dropped("at night", "cat")),
        ("cat flower", dropped("cat", "flower")),
        (
            "wombat with cat",
            Remark::Unknown {
                text: "wombat".into(),
                nearest: vec!["cat".into()],
            },
        ),
        (
            "cat on tower",
            Remark::NotLearned {
                text: "tower".into(),
                name: "tower".into(),
                nearest: vec![],
            },
        ),
        (
            "a dozen cats",
            Remark::Limited {
                text: "cats".into(),
                drawn: 9,
            },
        ),
        (
            "vehicle",
            Remark::ReadAs {
                text: "vehicle".into(),
                read: "car".into(),
                found: Found::Keyword,
            },
        ),
        (
            "flwoer",
            Remark::ReadAs {
                text: "flwoer".into(),
                read: "flower".into(),
                found: Found::Correction,
            },
        ),
    ] {
        assert_eq!(read(prompt).remarks, [remark], "{prompt}");
    }
    assert_eq!(read("please, a cat").remarks, []);
}

#[test]
fn negation_style_and_learned_style_are_apart() {
    let reading = read("cat without a hat");
    assert_eq!(
        (reading.text.as_str(), reading.negative, reading.remarks),
        ("cat", vec!["top hat".to_owned()], vec![])
    );
    let reading = read("pixel art cat");
    assert_eq!((reading.text.as_str(), reading.style.unwrap().name.as_str()), ("cat", "pixel"));
    assert_eq!(read("harp").learned_style.as_deref(), Some("noto"));
}

#[test]
fn spans_are_parts_of_the_prompt() {
    let reading = read("two  Cats wearing a hat");
    let spans: Vec<(&str, Role, Option<&str>)> = reading
        .spans
        .iter()
        .map(|span| (span.text.as_str(), span.role, span.value.as_deref()))
        .collect();
    let expected = [
        ("two", Role::Number, Some("2")),
        ("Cats", Role::Object, Some("cat")),
        ("wearing", Role::Relation, Some("with")),
        ("a", Role::Number, Some("1")),
        ("hat", Role::Object, Some("hat")),
    ];
    assert_eq!(spans, expected);
    assert_eq!(reading.spans[1].place, 5..9);
}

#[test]
fn tables_are_checked() {
    for (line, problem) in [
        ("form\ten\tname\tdog\tdog", "there is no concept dog"),
        ("form\txx\tname\tcat\tcat", "prompts are read in en, "),
        ("form\ten\tnoun\tcat\tcat", "there is no kind noun"),
        ("form\ten\tcolour\tmauve\tmauve", "mauve is none of red, "),
        ("concept\tcat\tcat\tcat\tcat\t\t", "the concept cat is there already"),
        ("variant\tab\tc", "ab is not one character"),
        ("words", "it is no row"),
    ] {
        let error = compile(&format!("{TABLE}{line}\n")).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("line {}: {problem}", TABLE.lines().count() + 1)),
            "{error}"
        );
    }
}

#[test]
fn damaged_lexicons_are_refused_or_read_without_a_panic() {
    let whole = compile(TABLE).unwrap();
    assert!(Reader::of_bytes(whole[..whole.len() - 9].to_vec()).is_err());
    assert!(Reader::of_bytes(b"INKWORD1".to_vec()).is_err());
    assert!(Reader::of_bytes(Vec::new()).is_err());
    for place in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x55;
        if let Ok(reader) = Reader::of_bytes(bytes) {
            for prompt in ["two cats and a black car without a hat", "flwoer", "wombat"] {
                let _ = reader.read(prompt, None);
            }
        }
    }
}
