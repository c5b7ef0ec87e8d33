//! Every scene on every class of panel, as stored: `tests/golden/kiosk/frames.toml` has a hash of each frame, and the
//! folder some of them to look at. Drawn with the kiosk's own font, so that machines with other fonts agree.
//!
//! `INKSTONE_WRITE_GOLDEN=1 cargo test screens` writes them anew; `INKSTONE_FRAMES=DIR` writes every frame as a picture.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::*;
use crate::kiosk::language::{Language, Phrase};
use crate::kiosk::state::{Choice, Code, Shown, Wheel};
use crate::picture::{Picture, Resampling, png};

const SIZES: [(u32, u32); 6] = [(128, 64), (240, 240), (480, 800), (800, 480), (1920, 1080), (600, 448)];
/// Frames that are also stored as pictures.
const STORED: [&str; 10] = [
    "attract-800x480",
    "choose-800x480",
    "drawing-800x480",
    "four-480x800",
    "code-800x480",
    "choose-zh-240x240",
    "picture-print-600x448",
    "drawing-mono-128x64",
    "choose-paper-left-800x480",
    "paper-800x480",
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/kiosk")
}

fn shown(file: &str, title: &str, style: &str) -> Shown {
    let picture = png::read(&folder().join("pictures").join(file)).unwrap().picture;
    Shown {
        picture: Arc::new(picture),
        title: title.into(),
        style: style.into(),
        resampling: if style == "pixels" {
            Resampling::Nearest
        } else {
            Resampling::Smooth
        },
    }
}

fn view(scene: Scene, legends: [&str; 4], notice: Option<&str>) -> View {
    View {
        scene,
        legends: legends.map(String::from),
        notice: notice.map(String::from),
        is_right_to_left: false,
    }
}

fn wheel(before: [&str; 2], word: &str, after: [&str; 2]) -> Wheel {
    Wheel {
        before: before.map(String::from).to_vec(),
        word: word.into(),
        after: after.map(String::from).to_vec(),
    }
}

fn choice(style: &str, colour: Option<(&str, &str)>, several: Option<&str>) -> Choice {
    Choice {
        style: style.into(),
        colour: colour.map(|(name, _)| name.into()),
        patch: colour.map(|(_, patch)| patch.into()),
        several: several.map(String::from),
    }
}

/// What buttons do.
const LEGENDS: [Phrase; 18] = {
    use Phrase::{Again, Back, Cancel, Change, Clear, Done, Draw, Keep, Kept, Large, Menu, New, Next, Open, Style, TakeHome, Vary, Word};
    [
        Word, Style, Draw, Menu, Cancel, Again, Vary, Keep, Kept, TakeHome, New, Large, Back, Next, Change, Done, Open, Clear,
    ]
};
const CHOOSE: [&str; 4] = ["Word", "Style", "Draw", "Menu"];

fn choose(language: &str) -> View {
    let owl = |title| Some((shown("owl-blob.png", title, "blobs"), true));
    let (wheel, kind, choice, sketch, legends) = match language {
        "zh" => (
            wheel(["熊猫", "青蛙"], "猫头鹰", ["企鹅", "兔子头"]),
            "动物",
            choice("圆润", Some(("蓝色", "blue")), None),
            owl("猫头鹰"),
            ["词语", "画风", "作画", "菜单"],
        ),
        "hi" => (
            wheel(["पांडा", "मेंढक"], "उल्लू", ["पेंगुइन", "खरगोश"]),
            "जानवर",
            choice("गोलमटोल", Some(("नीला", "blue")), Some("चार शैलियाँ")),
            owl("उल्लू"),
            ["शब्द", "शैली", "बनाएँ", "मेन्यू"],
        ),
        "ar" => (
            wheel(["باندا", "ضفدع"], "بومة", ["بطريق", "أرنب"]),
            "حيوانات",
            choice("مستدير", Some(("أزرق", "blue")), Some("أربع")),
            owl("بومة"),
            ["الكلمة", "الأسلوب", "ارسم", "القائمة"],
        ),
        "de" => (
            wheel(
                ["Panda", "Frosch"],
                "brillenförmig lächelnde Schneeeule",
                ["Pinguin", "Hasengesicht"],
            ),
            "Tiere",
            choice("Kleckse", Some(("lila", "purple")), Some("vier Stile")),
            Some((shown("rocket-flat.png", "Rakete", "Flächen"), false)),
            ["Wort", "Stil", "Zeichnen", "Menü"],
        ),
        _ => (
            wheel(["panda", "frog"], "owl", ["penguin", "rabbit face"]),
            "animals",
            choice("blobs", Some(("orange", "orange")), Some("four")),
            owl("owl"),
            CHOOSE,
        ),
    };
    let scene = Scene::Choose {
        wheel,
        typed: false,
        kind: kind.into(),
        choice,
        sketch,
    };
    View {
        is_right_to_left: language == "ar",
        ..view(scene, legends, None)
    }
}

/// A view as a visitor sees it who has chosen Arabic.
fn in_arabic(mut view: View) -> View {
    use Phrase::{Care, Colour, Drawing, Gallery, Kind, PackTrouble, Pictures, PressAButton, Scan};
    let say = |phrase| Language::Ar.say(phrase).to_owned();
    let of_title = |title: &mut String, style: &mut String| (*title, *style) = ("تفاحة حمراء".into(), "مجسّم ناعم".into());
    match &mut view.scene {
        Scene::Attract { shown, call, .. } => {
            shown.iter_mut().for_each(|shown| of_title(&mut shown.title, &mut shown.style));
            *call = say(PressAButton);
        }
        Scene::Menu { lines, .. } => {
            let names = [Colour, Kind, Pictures, Care, Phrase::Language, Gallery].map(say);
            let values = ["أي", "حيوانات", "أربعة أساليب", "4", "العربية", "128"];
            *lines = names.into_iter().zip(values.map(String::from)).collect();
        }
        Scene::Drawing {
            title, style, left, doing, ..
        } => {
            of_title(title, style);
            (*left, *doing) = (Language::Ar.say_number(Phrase::SecondsLeft, 3), say(Drawing));
        }
        Scene::Picture { shown, code, .. } => {
            of_title(&mut shown.title, &mut shown.style);
            code.iter_mut().for_each(|code| code.invitation = say(Scan));
        }
        Scene::Code(code) => code.invitation = say(Phrase::OwnerPage),
        Scene::Message { text } => *text = say(PackTrouble),
        Scene::Paper { title, style, hint, .. } => {
            of_title(title, style);
            *hint = say(Phrase::PaperHint);
        }
        Scene::Dark | Scene::Choose { .. } | Scene::Keyboard { .. } | Scene::Four { .. } => {}
    }
    let english = |legend: &String| LEGENDS.into_iter().find(|phrase| Language::En.say(*phrase) == legend);
    for legend in &mut view.legends {
        *legend = english(legend).map(say).unwrap_or_default();
    }
    View {
        is_right_to_left: true,
        ..view
    }
}

fn typed(text: &str) -> View {
    let wheel = Wheel {
        before: Vec::new(),
        word: text.into(),
        after: Vec::new(),
    };
    let scene = Scene::Choose {
        wheel,
        typed: true,
        kind: String::new(),
        choice: choice("soft 3D", None, None),
        sketch: None,
    };
    view(scene, CHOOSE, Some("Let us draw something else."))
}

fn four() -> [Shown; 4] {
    [
        shown("cat-face-noto.png", "cat face", "noto"),
        shown("cat-face-ink.png", "cat face", "black ink"),
        shown("guitar-pixel.png", "cat face", "pixels"),
        shown("robot-one.png", "cat face", "classic"),
    ]
}

fn drawing(pictures: Vec<Option<Shown>>, at: usize, done: u32, left: &str) -> View {
    let scene = Scene::Drawing {
        title: "sunflower".into(),
        style: "soft 3D".into(),
        pictures,
        at,
        done,
        left: left.into(),
        doing: "Drawing".into(),
    };
    view(scene, ["", "", "", "Cancel"], None)
}

fn picture(favourite: bool, code: Option<&str>, place: Option<(usize, usize)>) -> View {
    let small: Vec<Option<Shown>> = four().into_iter().map(Some).chain([None]).collect();
    let scene = Scene::Picture {
        shown: shown("red-apple-3d.png", "red apple", "soft 3D"),
        favourite,
        code: code.map(|command| Code {
            command: command.into(),
            link: None,
            invitation: "Scan it and draw the same at home".into(),
        }),
        place,
        around: place.map_or(Vec::new(), |_| small),
        here: 2,
    };
    let legends = match (code, place) {
        (Some(_), _) => ["Again", "Vary", "Keep", "New"],
        (_, Some(_)) => ["Next", "Again", "Kept", "Back"],
        _ => ["Again", "Vary", "Keep", "Take home"],
    };
    view(scene, legends, None)
}

fn menu() -> View {
    let lines = [
        ("Colour", "any"),
        ("Kind", "animals"),
        ("Pictures", "four styles"),
        ("Steps", "4"),
        ("Language", "English"),
        ("Gallery", "128"),
    ];
    let lines = lines.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    view(Scene::Menu { lines, at: 2 }, ["Next", "Change", "Done", "Back"], None)
}

fn keyboard(text: &str) -> View {
    let rows = ["qwertzuiopü", "asdfghjklöä", "yxcvbnmß", " \u{8}"].map(|row| row.chars().collect());
    let scene = Scene::Keyboard {
        text: text.into(),
        hint: "Type, or choose a word".into(),
        rows: rows.to_vec(),
        at: 18,
    };
    view(scene, ["Next", "Type", "Done", "Back"], None)
}

/// Somebody draws an apple by hand, or nothing yet.
fn paper(is_drawn: bool) -> View {
    let mut pixels = [255, 255, 255, 255].repeat(64 * 64);
    let around = (0..640).map(|step| f64::from(step) * std::f64::consts::PI / 320.0);
    for (across, down) in around.map(|turn| ((32.0 + 20.0 * turn.cos()) as usize, (36.0 + 20.0 * turn.sin()) as usize)) {
        pixels[(down * 64 + across) * 4..][..3].copy_from_slice(&[24, 24, 28]);
    }
    let sheet = Shown {
        picture: Arc::new(Picture::new(64, 64, pixels).unwrap()),
        title: String::new(),
        style: String::new(),
        resampling: Resampling::Smooth,
    };
    let scene = Scene::Paper {
        paper: is_drawn.then_some(sheet),
        shown: is_drawn.then(|| shown("red-apple-3d.png", "red apple", "soft 3D")),
        title: "red apple".into(),
        style: "soft 3D".into(),
        hint: "Draw here with a finger".into(),
    };
    view(scene, ["Clear", "Style", "Done", "Back"], None)
}

fn message() -> View {
    let text = "The model cannot be read. The gallery goes on.".to_owned();
    view(Scene::Message { text }, ["", "", "", "Back"], None)
}

/// A code alone, as for the owner's page.
fn owner() -> View {
    let link = "http://192.168.1.20:7860/#owner=d8sa8tqc6vgiz9vdmx246rb7qg".to_owned();
    let code = Code {
        command: link.clone(),
        link: Some(link),
        invitation: Language::En.say(Phrase::OwnerPage).to_owned(),
    };
    view(Scene::Code(code), ["", "", "", "Back"], None)
}

/// All scenes by name.
fn views() -> Vec<(&'static str, View)> {
    let attract = |shown, coming, notice| {
        let call = "Press any button".into();
        view(Scene::Attract { shown, coming, call }, [""; 4], notice)
    };
    let four_at = |at, picked, legends| {
        let scene = Scene::Four {
            title: "cat face".into(),
            pictures: four().to_vec(),
            at,
            picked,
            question: if picked { String::new() } else { "Which one?".into() },
        };
        view(scene, legends, None)
    };
    let robot = || shown("robot-one.png", "robot", "classic");
    let rocket = || shown("rocket-flat.png", "rocket", "flat colour");
    let first: Vec<Option<Shown>> = four()
        .into_iter()
        .enumerate()
        .map(|(index, shown)| (index < 2).then_some(shown))
        .collect();
    let command = "inkstone generate \"red apple\" --style 3d --seed 7 --steps 4";
    vec![
        ("dark", view(Scene::Dark, [""; 4], None)),
        ("nothing", attract(None, None, None)),
        ("attract", attract(Some(robot()), None, None)),
        (
            "change",
            attract(Some(robot()), Some((rocket(), 110)), Some("The display is gone. Waiting for it.")),
        ),
        ("choose", choose("en")),
        ("choose-zh", choose("zh")),
        ("choose-de", choose("de")),
        ("choose-hi", choose("hi")),
        ("typed", typed("a purple whale in the garden")),
        ("typed-ar", typed("تفاحة حمراء")),
        ("typed-hi", typed("लाल सेब और हिन्दी")),
        ("menu", menu()),
        ("keyboard", keyboard("red f")),
        (
            "drawing",
            drawing(vec![Some(shown("sunflower-3d.png", "sunflower", "soft 3D"))], 0, 580, "3 s left"),
        ),
        ("drawing-four", drawing(first, 2, 430, "9 s left")),
        ("begun", drawing(vec![None], 0, 0, "")),
        ("four", four_at(Some(1), false, [""; 4])),
        ("picked", four_at(Some(0), true, ["Vary", "Large", "Keep", "Back"])),
        ("picture", picture(true, None, None)),
        ("gallery", picture(true, None, Some((3, 128)))),
        ("code", picture(false, Some(command), None)),
        ("owner", owner()),
        ("paper", paper(true)),
        ("paper-empty", paper(false)),
        ("paper-ar", in_arabic(paper(true))),
        ("message", message()),
        ("attract-ar", in_arabic(attract(Some(robot()), None, None))),
        ("choose-ar", choose("ar")),
        ("menu-ar", in_arabic(menu())),
        (
            "drawing-ar",
            in_arabic(drawing(vec![Some(shown("sunflower-3d.png", "", ""))], 0, 580, "3 s left")),
        ),
        ("four-ar", in_arabic(four_at(Some(1), false, [""; 4]))),
        ("gallery-ar", in_arabic(picture(true, None, Some((3, 128))))),
        ("owner-ar", in_arabic(owner())),
        ("code-ar", in_arabic(picture(false, Some(command), None))),
    ]
}

/// Themes by name; the dark one has none.
fn themes() -> [(&'static str, Theme); 5] {
    [
        ("", Theme::ink()),
        ("-paper", Theme::paper()),
        ("-print", Theme::print()),
        ("-bw", Theme::black_on_white()),
        ("-mono", Theme::white_on_black()),
    ]
}

fn paint(painter: &mut Painter, view: &View, theme: &Theme, edge: Edge, (width, height): (u32, u32)) -> Picture {
    let mut frame = Frame::new(Size::new(width, height));
    let look = Look {
        theme: theme.clone(),
        edge,
    };
    painter.paint(view, &look, &mut frame);
    let rgba = frame
        .bytes()
        .chunks_exact(3)
        .flat_map(|pixel| [pixel[0], pixel[1], pixel[2], 255])
        .collect();
    Picture::new(width, height, rgba).unwrap()
}

#[test]
fn frames_are_the_stored_ones() {
    let write = std::env::var_os("INKSTONE_WRITE_GOLDEN").is_some();
    let all = std::env::var_os("INKSTONE_FRAMES").map(PathBuf::from);
    let file = folder().join("frames.toml");
    let stored: BTreeMap<String, String> = toml::from_str(&std::fs::read_to_string(&file).unwrap_or_default()).unwrap();
    let mut found = BTreeMap::new();
    let mut painter = Painter::new(Fonts::own());
    let mut store = |key: String, picture: &Picture| {
        if let Some(folder) = &all {
            png::write(picture, &folder.join(format!("{key}.png")), None, true).unwrap();
        }
        if write && STORED.contains(&key.as_str()) {
            png::write(picture, &folder().join(format!("{key}.png")), None, true).unwrap();
        }
        found.insert(key, picture.sha256()[..16].to_owned());
    };
    for (name, view) in views() {
        for size in SIZES {
            for (theme_name, theme) in themes() {
                let usual = if size == (128, 64) { "-mono" } else { "" };
                let other = theme_name == usual || matches!((theme_name, size), ("-print" | "-bw", (600, 448)) | ("-paper", (800, 480)));
                if other {
                    let picture = paint(&mut painter, &view, &theme, Edge::Bottom, size);
                    store(format!("{name}{theme_name}-{}x{}", size.0, size.1), &picture);
                }
            }
        }
        for (edge, beside) in [(Edge::Left, "left"), (Edge::Right, "right")] {
            let picture = paint(&mut painter, &view, &Theme::paper(), edge, (800, 480));
            store(format!("{name}-paper-{beside}-800x480"), &picture);
        }
    }
    if write {
        std::fs::write(&file, toml::to_string(&found).unwrap()).unwrap();
        return;
    }
    for (name, hash) in &found {
        assert_eq!(stored.get(name), Some(hash), "{name} looks different");
    }
    assert_eq!(stored.len(), found.len());
    for name in STORED {
        let picture = png::read(&folder().join(format!("{name}.png"))).unwrap().picture;
        assert_eq!(picture.sha256()[..16], found[name], "{name}.png is another");
    }
}

#[test]
fn a_change_that_goes_on_is_as_if_it_were_painted_as_a_whole() {
    let mut painter = Painter::new(Fonts::own());
    let (apple, robot, sprite) = (
        shown("red-apple-3d.png", "apple", "soft 3D"),
        shown("robot-one.png", "robot", "classic"),
        shown("guitar-pixel.png", "guitar", "pixels"),
    );
    let step = |one: &Shown, other: &Shown, there, notice| {
        let scene = Scene::Attract {
            shown: Some(one.clone()),
            coming: Some((other.clone(), there)),
            call: "Press any button".into(),
        };
        view(scene, [""; 4], notice)
    };
    for (one, other, theme, size) in [
        (&apple, &robot, Theme::ink(), (800, 480)),
        (&robot, &sprite, Theme::paper(), (800, 480)),
        (&sprite, &apple, Theme::ink(), (240, 240)),
    ] {
        let look = Look { theme, edge: Edge::Bottom };
        let whole = |painter: &mut Painter, view: &View| {
            let mut frame = Frame::new(Size::new(size.0, size.1));
            painter.paint(view, &look, &mut frame);
            frame
        };
        let mut before = step(one, other, 3, None);
        let mut frame = whole(&mut painter, &before);
        for there in [10, 90, 127] {
            let view = step(one, other, there, None);
            let area = painter.repaint(&before, &view, &look, &mut frame).unwrap();
            let painted = whole(&mut painter, &view);
            assert_eq!(frame, painted, "{size:?} {there}");
            let changed = painted.difference(&whole(&mut painter, &before));
            assert_eq!(changed.intersection(&area), changed);
            assert!(area.size.width < size.0);
            before = view;
        }
        for other_view in [
            step(one, other, 128, None),
            step(other, one, 127, None),
            step(one, other, 120, Some("hot")),
        ] {
            assert_eq!(painter.repaint(&before, &other_view, &look, &mut frame), None);
        }
    }
    let tiny = Look {
        theme: Theme::white_on_black(),
        edge: Edge::Bottom,
    };
    let mut frame = Frame::new(Size::new(128, 64));
    let (before, after) = (step(&apple, &robot, 10, None), step(&apple, &robot, 20, None));
    assert_eq!(painter.repaint(&before, &after, &tiny, &mut frame), None);
}

#[test]
fn mono_themes_have_two_colours_beside_pictures() {
    let mut painter = Painter::new(Fonts::own());
    for (name, view) in views()
        .iter()
        .filter(|(_, view)| matches!(view.scene, Scene::Menu { .. } | Scene::Message { .. }))
    {
        for (theme, size) in [(Theme::white_on_black(), (128, 64)), (Theme::black_on_white(), (800, 480))] {
            let picture = paint(&mut painter, view, &theme, Edge::Bottom, size);
            let mut pixels = picture.pixels().chunks_exact(4);
            assert!(pixels.all(|pixel| pixel[..3] == [0; 3] || pixel[..3] == [255; 3]), "{name}");
        }
    }
}

#[test]
fn codes_read_as_the_command() {
    let command = "inkstone generate \"red apple\" --style 3d --seed 7 --steps 4";
    let mut painter = Painter::new(Fonts::own());
    for size in [(240, 240), (480, 800), (800, 480), (1920, 1080)] {
        for name in ["code", "code-ar"] {
            let view = views().into_iter().find(|(other, _)| *other == name).unwrap().1;
            let picture = paint(&mut painter, &view, &Theme::ink(), Edge::Bottom, size);
            let panel = Size::new(size.0, size.1);
            let mut card = Layout::new(panel, Edge::Bottom, true).card;
            if view.is_right_to_left {
                card = canvas::mirrored(&card, panel);
            }
            // Every module of the code that the library makes is found again in the middle of its square.
            let code = qrcode::QrCode::with_error_correction_level(command, qrcode::EcLevel::M).unwrap();
            let modules = code.width() as u32;
            let scale = card.size.width / (modules + 8);
            assert!(scale >= 3, "{size:?}: modules of {scale} pixels are too small for a phone");
            let corner = card.top_left + (card.size - Size::new_equal(modules * scale)) / 2;
            for (index, colour) in code.to_colors().into_iter().enumerate() {
                let (x, y) = (index as u32 % modules, index as u32 / modules);
                let at = |start: i32, module: u32| start as u32 + module * scale + scale / 2;
                let pixel = picture.pixel(at(corner.x, x), at(corner.y, y)).unwrap();
                assert_eq!(pixel[0] < 128, colour == qrcode::Color::Dark, "{name} {size:?} {x},{y}");
            }
        }
    }
}

#[test]
fn buttons_beside_the_panel_have_their_legends_beside_it() {
    let mut painter = Painter::new(Fonts::own());
    let all = std::env::var_os("INKSTONE_FRAMES").map(PathBuf::from);
    for (edge, name) in [(Edge::Left, "left"), (Edge::Right, "right")] {
        let picture = paint(&mut painter, &choose("en"), &Theme::print(), edge, (600, 448));
        if let Some(folder) = &all {
            png::write(&picture, &folder.join(format!("choose-{name}-600x448.png")), None, true).unwrap();
        }
        let layout = Layout::new(Size::new(600, 448), edge, true);
        let inked = |area: &Rectangle| {
            let mut points = area.points();
            points.any(|point| picture.pixel(point.x as u32, point.y as u32).unwrap()[..3] != [255; 3])
        };
        assert!(layout.legends.iter().all(inked));
    }
}

#[test]
fn touches_are_what_lies_under_them() {
    let size = Size::new(800, 480);
    let touch = |view: &View, x: i32, y: i32| match touched(view, size, Edge::Bottom, Point::new(x, y)) {
        Some(Target::Button(button)) => Some(button),
        _ => None,
    };
    let words = touched(&choose("en"), size, Edge::Bottom, Point::new(600, 200));
    assert_eq!(words, Some(Target::Words));
    let named = |name: &str| views().into_iter().find(|(other, _)| *other == name).unwrap().1;
    assert_eq!(touch(&choose("en"), 700, 470), Some(Button::D));
    assert_eq!(touch(&choose("en"), 200, 200), Some(Button::Confirm));
    assert_eq!(touch(&choose("en"), 600, 60), Some(Button::Previous));
    assert_eq!(touch(&choose("en"), 600, 380), Some(Button::Next));
    assert_eq!(touch(&named("attract"), 400, 470), Some(Button::Confirm));
    let layout = Layout::new(size, Edge::Bottom, true);
    for (quarter, button) in layout.quarters().iter().zip([Button::A, Button::B, Button::C, Button::D]) {
        let middle = quarter.center();
        assert_eq!(touch(&named("four"), middle.x, middle.y), Some(button));
        assert_eq!(touch(&named("picked"), middle.x, middle.y), None);
    }
    assert_eq!(touch(&named("gallery"), 100, 100), Some(Button::Previous));
    assert_eq!(touch(&named("gallery"), 700, 100), Some(Button::Next));
    assert_eq!(touch(&named("drawing"), 100, 100), None);
    // In Arabic the words are on the left and the picture is on the right; the buttons stay where they are.
    let arabic = choose("ar");
    assert_eq!(touch(&arabic, 700, 470), Some(Button::D));
    assert_eq!(touch(&arabic, 10, 470), Some(Button::A));
    assert_eq!(touch(&arabic, 600, 200), Some(Button::Confirm));
    assert_eq!(touch(&arabic, 100, 60), Some(Button::Previous));
    assert_eq!(touch(&named("gallery-ar"), 700, 100), Some(Button::Previous));
    assert_eq!(
        touched(&arabic, size, Edge::Left, Point::new(10, 10)),
        Some(Target::Button(Button::A))
    );
    // A finger is where it draws, also on a mirrored panel, where the paper is on the right.
    let paper = named("paper");
    assert_eq!(touch(&paper, 200, 200), None);
    let middle = canvas::room(&layout.card).center();
    let place = |view: &View, at: Point| on_paper(view, size, Edge::Bottom, at);
    let found = place(&paper, middle).unwrap();
    assert!((found.x - 500).abs() < 4 && (found.y - 500).abs() < 4, "{found:?}");
    assert_eq!(place(&paper, Point::new(700, 100)), None);
    let right = place(&named("paper-ar"), Point::new(798 - middle.x / 2, middle.y)).unwrap();
    assert!(right.x > 500 && place(&named("paper-ar"), middle / 4).is_none(), "{right:?}");
    let mut keys = keyboard("");
    let letter = |view: &View| touched(view, size, Edge::Bottom, Point::new(60, 200));
    let left = letter(&keys);
    keys.is_right_to_left = true;
    assert!(matches!(left, Some(Target::Letter(_))) && letter(&keys) == left, "{left:?}");
}

#[test]
fn painting_the_same_view_again_changes_nothing_and_any_size_is_possible() {
    let mut painter = Painter::new(Fonts::own());
    for (_, view) in views() {
        let one = paint(&mut painter, &view, &Theme::ink(), Edge::Bottom, (320, 240));
        assert_eq!(one, paint(&mut painter, &view, &Theme::ink(), Edge::Bottom, (320, 240)));
        for size in [(1, 1), (16, 8), (64, 500), (500, 64), (101, 100), (299, 301), (2000, 100)] {
            for edge in [Edge::Bottom, Edge::Left] {
                paint(&mut painter, &view, &Theme::ink(), edge, size);
            }
        }
    }
}

/// On a panel of 7 inches, which is 154 mm wide, capitals of legends have 8 mm, in every language.
#[test]
fn legends_are_read_from_two_metres() {
    let size = Size::new(800, 480);
    let mut fonts = Fonts::own();
    let layout = Layout::new(size, Edge::Bottom, true);
    let (mut frame, blank) = (Frame::new(size), Frame::new(size));
    let ink = crate::kiosk::text::Ink {
        colour: Rgb::WHITE,
        crisp: true,
    };
    fonts.draw(&mut frame, "D", layout.legend, Point::new(50, 50), Align::Left, ink);
    assert!(f64::from(frame.difference(&blank).size.height) >= 8.0 * 800.0 / 154.0);
    let room = layout.legends[0].size.width as i32 - layout.legend as i32 / 5;
    for language in Language::ALL {
        for phrase in LEGENDS {
            let legend = language.say(phrase);
            assert_eq!(
                fonts.squeeze(legend, layout.legend, room).0,
                layout.legend,
                "{language:?}: {legend}"
            );
        }
    }
}

/// Every key types its letter, at its middle, on every panel that may have a touch screen.
#[test]
fn keys_are_under_the_finger() {
    let view = keyboard("");
    let Scene::Keyboard { rows, .. } = &view.scene else { panic!() };
    for (width, height) in [(240, 240), (320, 240), (480, 800), (800, 480), (1920, 1080)] {
        let letter = |x: u32, y: u32| touched(&view, Size::new(width, height), Edge::Bottom, Point::new(x as i32, y as i32));
        let mut seen: Vec<char> = Vec::new();
        for y in (0..height).step_by(4) {
            for x in (0..width).step_by(4) {
                if let Some(Target::Letter(letter)) = letter(x, y)
                    && !seen.contains(&letter)
                {
                    seen.push(letter);
                }
            }
        }
        seen.sort_unstable();
        let mut all = rows.concat();
        all.sort_unstable();
        assert_eq!(seen, all, "{width}×{height}");
    }
}

/// Terminals without graphics: the words are text, and the picture has room from 60×20 characters on.
#[test]
fn displays_that_write_text_get_words_and_a_picture() {
    let mut painter = Painter::new(Fonts::own());
    let look = Look {
        theme: Theme::ink(),
        edge: Edge::Bottom,
    };
    let views = views();
    for (columns, lines) in [(20, 5), (40, 12), (60, 20), (80, 24), (120, 40)] {
        let grid = Size::new(columns, lines);
        for (name, view) in &views {
            let mut frame = Frame::new(Size::new(columns, lines * 2));
            let text = painter.paint_page(view, &look, grid, &mut frame);
            for run in &text {
                let inside = Rectangle::new(Point::zero(), grid).contains(run.at);
                assert!(inside && !run.text.is_empty(), "{name}, {columns}×{lines}: {run:?}");
            }
            let mut places: Vec<(i32, i32)> = text.iter().map(|run| (run.at.y, run.at.x)).collect();
            places.sort_unstable();
            places.dedup();
            assert_eq!(places.len(), text.len(), "{name}, {columns}×{lines}: words over others");
            let is_ground = |point| frame.colour(point) == Some(look.theme.ground);
            let has_picture = !frame.bounding_box().points().all(is_ground);
            let wants = matches!(
                view.scene,
                Scene::Attract { .. }
                    | Scene::Choose { .. }
                    | Scene::Paper { .. }
                    | Scene::Drawing { .. }
                    | Scene::Four { .. }
                    | Scene::Picture { .. }
            );
            // A code is drawn only where its modules fit.
            let is_code = matches!(view.scene, Scene::Code(_));
            assert!(is_code || has_picture == (wants && columns >= 60), "{name}, {columns}×{lines}");
            if columns >= 60 && view.legends.iter().any(|legend| !legend.is_empty()) {
                let last: Vec<&str> = text
                    .iter()
                    .filter(|run| run.at.y as u32 == lines - 1)
                    .map(|run| run.text.as_str())
                    .collect();
                let legend = view.legends.iter().find(|legend| !legend.is_empty()).unwrap();
                assert!(
                    last.iter().any(|word| legend.starts_with(word.trim_end_matches('…'))),
                    "{name}: {last:?}"
                );
            }
        }
    }
}
