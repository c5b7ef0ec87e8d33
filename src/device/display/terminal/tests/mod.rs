//! A real pseudo-terminal: what the driver writes is read at its other end by a small model of a terminal.

mod pictures;

use super::*;
use crate::device::display::test_pattern;
use embedded_graphics::pixelcolor::Rgb888;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Termios, tcgetattr, tcsetwinsize};
use std::collections::BTreeMap;
use unicode_width::UnicodeWidthChar;

/// The end of the person in front of the terminal.
struct Person {
    master: File,
    slave: File,
}

impl Person {
    fn new(columns: u16, lines: u16, pixels: (u16, u16)) -> Person {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let slave = File::options().read(true).write(true).open(name).unwrap();
        let person = Person {
            master: File::from(master),
            slave,
        };
        person.resize(columns, lines, pixels);
        person
    }

    fn resize(&self, columns: u16, lines: u16, (width, height): (u16, u16)) {
        let size = Winsize {
            ws_col: columns,
            ws_row: lines,
            ws_xpixel: width,
            ws_ypixel: height,
        };
        tcsetwinsize(&self.slave, size).unwrap();
    }

    fn settings(&self) -> Termios {
        tcgetattr(&self.slave).unwrap()
    }

    /// Does something while reading everything that it makes the program write.
    fn watch<T>(&self, act: impl FnOnce() -> T) -> (T, Vec<u8>) {
        let (mut master, slave) = (self.master.try_clone().unwrap(), self.slave.try_clone().unwrap());
        let reader = std::thread::spawn(move || {
            let (mut seen, mut bytes) = (Vec::new(), [0; 65536]);
            while !seen.ends_with(b"\x1b]end\x07") {
                let count = master.read(&mut bytes).unwrap();
                seen.extend_from_slice(&bytes[..count]);
            }
            seen.truncate(seen.len() - 6);
            seen
        });
        let result = act();
        (&slave).write_all(b"\x1b]end\x07").unwrap();
        (result, reader.join().unwrap())
    }

    fn press(&self, keys: &[u8]) {
        (&self.master).write_all(keys).unwrap();
    }
}

/// What a person sees: the two halves of each character.
struct Model {
    size: Size,
    halves: Vec<[Rgb888; 2]>,
    /// Letters, by line and column.
    letters: BTreeMap<(u32, u32), char>,
    at: (u32, u32),
    colours: [Rgb888; 2],
    alternate: bool,
    cursor: bool,
    mouse: bool,
    written: usize,
}

impl Model {
    fn new(columns: u32, lines: u32) -> Model {
        Model {
            size: Size::new(columns, lines),
            halves: vec![[Rgb888::CSS_GRAY; 2]; (columns * lines) as usize],
            letters: BTreeMap::new(),
            at: (0, 0),
            colours: [Rgb888::WHITE, Rgb888::BLACK],
            alternate: false,
            cursor: true,
            mouse: false,
            written: 0,
        }
    }

    fn feed(&mut self, bytes: &[u8]) {
        let mut text = std::str::from_utf8(bytes).unwrap();
        while let Some(first) = text.chars().next() {
            if let Some(rest) = text.strip_prefix("\x1b[") {
                let end = rest.find(|letter: char| ('@'..='~').contains(&letter)).unwrap();
                self.control(&rest[..end], rest.as_bytes()[end]);
                text = &rest[end + 1..];
            } else if let Some(rest) = text.strip_prefix("\x1b_G") {
                text = &rest[rest.find("\x1b\\").unwrap() + 2..];
            } else {
                self.write(first);
                text = &text[first.len_utf8()..];
            }
        }
    }

    fn write(&mut self, letter: char) {
        assert!(
            self.at.0 < self.size.width && self.at.1 < self.size.height,
            "outside: {:?}",
            self.at
        );
        let [foreground, background] = self.colours;
        let width = letter.width().unwrap() as u32;
        let (column, line) = self.at;
        self.letters
            .retain(|(at, other), _| *at != line || !(column..column + width).contains(other));
        let cell = match letter {
            '▀' => [foreground, background],
            ' ' => [background; 2],
            letter => {
                self.letters.insert((line, column), letter);
                [background; 2]
            }
        };
        (column..column + width).for_each(|column| self.halves[(line * self.size.width + column) as usize] = cell);
        self.at.0 += width;
        self.written += 1;
    }

    fn control(&mut self, parameters: &str, last: u8) {
        let numbers = || {
            parameters
                .split(';')
                .map(|number| number.parse::<u32>().unwrap())
                .collect::<Vec<_>>()
        };
        match (last, parameters) {
            (b'H', _) => self.at = (numbers()[1] - 1, numbers()[0] - 1),
            (b'J', "2") => self.halves.fill([Rgb888::BLACK; 2]),
            (b'h' | b'l', "?1049") => self.alternate = last == b'h',
            (b'h' | b'l', "?25") => self.cursor = last == b'h',
            (b'h' | b'l', "?1000") => self.mouse = last == b'h',
            (b'h' | b'l', "?7" | "?1006" | "?2026") => {}
            (b'm', "0") => self.colours = [Rgb888::WHITE, Rgb888::BLACK],
            (b'm', _) => {
                let numbers = numbers();
                let colour = match numbers[1..] {
                    [2, red, green, blue] => Rgb888::new(red as u8, green as u8, blue as u8),
                    [5, number] => palette(number as u8),
                    _ => panic!("colour {parameters}"),
                };
                self.colours[usize::from(numbers[0] == 48)] = colour;
            }
            _ => panic!("unknown control {parameters} {last}"),
        }
    }

    /// The letters of a line, one after the other.
    fn line(&self, line: u32) -> String {
        self.letters.range((line, 0)..(line + 1, 0)).map(|(_, letter)| letter).collect()
    }

    fn colour(&self, at: Point) -> Rgb888 {
        self.halves[at.y as usize / 2 * self.size.width as usize + at.x as usize][at.y as usize % 2]
    }
}

/// xterm's colours 16 to 255.
fn palette(number: u8) -> Rgb888 {
    if number >= 232 {
        return Rgb888::new(8 + (number - 232) * 10, 8 + (number - 232) * 10, 8 + (number - 232) * 10);
    }
    let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
    let number = number - 16;
    Rgb888::new(level(number / 36), level(number / 6 % 6), level(number % 6))
}

const TRUE: Protocol = Protocol::HalfBlocks(preview::Colours::True);

/// A protocol that is not asked for.
fn fixed(protocol: Protocol) -> Graphics {
    match protocol {
        Protocol::Kitty => Graphics::Kitty,
        _ => Graphics::HalfBlocks,
    }
}

fn begin(person: &Person, protocol: Protocol) -> (Terminal, Vec<u8>) {
    person.watch(|| Terminal::on(person.slave.try_clone().unwrap(), protocol, fixed(protocol)).unwrap())
}

fn show(person: &Person, terminal: &mut Terminal, frame: &Frame, damage: Rectangle) -> Vec<u8> {
    person.watch(|| terminal.present(frame, damage).unwrap()).1
}

#[test]
fn half_blocks_show_the_frame_and_then_only_what_changes() {
    let person = Person::new(40, 12, (0, 0));
    let (mut terminal, start) = begin(&person, TRUE);
    let mut model = Model::new(40, 12);
    model.feed(&start);
    assert!(model.alternate && model.mouse && !model.cursor);
    assert_eq!(terminal.panel().size, Size::new(40, 24));

    let mut frame = test_pattern(Size::new(40, 24));
    model.feed(&show(&person, &mut terminal, &frame, Rectangle::zero()));
    let wrong = |model: &Model, frame: &Frame| {
        let points = frame.bounding_box().points();
        points.filter(|point| Some(model.colour(*point)) != frame.colour(*point)).count()
    };
    assert_eq!(wrong(&model, &frame), 0);
    assert_eq!(model.written, 40 * 12);

    let damage = Rectangle::new(Point::new(3, 5), Size::new(4, 3));
    frame.fill_solid(&damage, Rgb888::RED).unwrap();
    let bytes = show(&person, &mut terminal, &frame, damage);
    model.feed(&bytes);
    assert_eq!(wrong(&model, &frame), 0);
    assert_eq!(model.written, 40 * 12 + 8, "two lines of four characters");
    assert!(bytes.len() < 300, "{} bytes", bytes.len());
    assert_eq!(show(&person, &mut terminal, &frame, frame.bounding_box()), b"", "nothing changed");
}

#[test]
fn text_stands_over_the_pixels_and_goes_again() {
    let person = Person::new(40, 12, (0, 0));
    let (mut terminal, start) = begin(&person, TRUE);
    let mut model = Model::new(40, 12);
    model.feed(&start);
    assert_eq!(terminal.text_grid(), Some(Size::new(40, 12)));
    let frame = test_pattern(Size::new(40, 24));
    let run = |at: Point, text: &str| TextRun {
        at,
        text: text.into(),
        colour: Rgb888::WHITE,
        ground: Rgb888::BLUE,
    };
    let show = |terminal: &mut Terminal, text: &[TextRun]| person.watch(|| terminal.present_text(&frame, text).unwrap()).1;
    let runs = [
        run(Point::new(2, 1), "red\u{1b}fox"),
        run(Point::new(3, 2), "红狐狸"),
        run(Point::new(37, 3), "cut off"),
        run(Point::new(0, 99), "below"),
    ];
    model.feed(&show(&mut terminal, &runs));
    assert_eq!([1, 2, 3].map(|line| model.line(line)), ["redfox", "红狐狸", "cut"]);
    assert_eq!(model.colour(Point::new(8, 5)), Rgb888::BLUE, "a wide letter has two columns");
    let before = model.written;
    model.feed(&show(&mut terminal, &[runs[1].clone()]));
    assert_eq!((model.line(1), model.line(2)), (String::new(), "红狐狸".into()));
    assert_eq!(model.written - before, 6 + 3, "only what changed is sent");
    model.feed(&show(&mut terminal, &[]));
    let mut points = frame.bounding_box().points();
    assert!(points.all(|point| Some(model.colour(point)) == frame.colour(point)));
}

#[test]
fn colours_of_the_palette_are_the_nearest() {
    let person = Person::new(20, 8, (0, 0));
    let (mut terminal, start) = begin(&person, Protocol::HalfBlocks(preview::Colours::Palette256));
    let mut model = Model::new(20, 8);
    model.feed(&start);
    let frame = test_pattern(Size::new(20, 16));
    model.feed(&show(&person, &mut terminal, &frame, frame.bounding_box()));
    let away = |one: Rgb888, other: Rgb888| {
        let squared = |one: u8, other: u8| u32::from(one.abs_diff(other)).pow(2);
        squared(one.r(), other.r()) + squared(one.g(), other.g()) + squared(one.b(), other.b())
    };
    for point in frame.bounding_box().points() {
        let (wanted, shown) = (frame.colour(point).unwrap(), model.colour(point));
        let best = (16..=255).map(|number| away(wanted, palette(number))).min().unwrap();
        assert!(away(wanted, shown) <= best + 100, "{point}: {shown:?} for {wanted:?}");
    }
}

#[test]
fn the_size_is_followed() {
    let person = Person::new(30, 10, (0, 0));
    let (mut terminal, _) = begin(&person, TRUE);
    let frame = test_pattern(Size::new(30, 20));
    show(&person, &mut terminal, &frame, frame.bounding_box());
    person.resize(50, 20, (0, 0));
    assert_eq!(terminal.signals().unwrap(), []);
    assert_eq!(terminal.panel().size, Size::new(50, 40));
    let mut model = Model::new(50, 20);
    let frame = test_pattern(Size::new(50, 40));
    model.feed(&show(&person, &mut terminal, &frame, Rectangle::zero()));
    assert!(
        frame
            .bounding_box()
            .points()
            .all(|point| Some(model.colour(point)) == frame.colour(point))
    );
    let old = test_pattern(Size::new(200, 7));
    model.feed(&show(&person, &mut terminal, &old, old.bounding_box()));
    person.resize(0, 0, (0, 0));
    terminal.signals().unwrap();
    assert_eq!(terminal.panel().size, Size::new(80, 48));
}

#[test]
fn keys_and_the_mouse_become_signals() {
    let person = Person::new(40, 12, (0, 0));
    let (mut terminal, _) = begin(&person, TRUE);
    person.press("\r\x1b[C1苹\x7f\x1b[<0;12;7M\x1b[<0;12;7m".as_bytes());
    let tap = |name: &str| Signal::Tap(name.to_owned());
    let touch = |pressed| Signal::Touch {
        at: Point::new(11, 13),
        pressed,
    };
    let expected = [
        tap("enter"),
        tap("right"),
        tap("1"),
        Signal::Character('1'),
        Signal::Character('苹'),
        tap("backspace"),
        Signal::Character('\u{8}'),
        touch(true),
        touch(false),
    ];
    assert_eq!(terminal.signals().unwrap(), expected);
    assert_eq!(terminal.signals().unwrap(), []);
    person.press(b"\x1b");
    let mut signals = Vec::new();
    let begin = Instant::now();
    while signals.is_empty() && begin.elapsed() < Duration::from_secs(5) {
        signals = terminal.signals().unwrap();
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(signals, [tap("escape")]);
}

#[test]
fn everything_is_put_back() {
    let person = Person::new(40, 12, (0, 0));
    let before = person.settings();
    let (terminal, start) = begin(&person, TRUE);
    let during = person.settings().local_modes;
    assert!(!during.intersects(LocalModes::ICANON | LocalModes::ECHO) && during.contains(LocalModes::ISIG));
    let mut model = Model::new(40, 12);
    model.feed(&start);
    model.feed(&person.watch(|| drop(terminal)).1);
    assert!(!model.alternate && !model.mouse && model.cursor);
    assert_eq!(format!("{:?}", person.settings()), format!("{before:?}"));
}

#[test]
fn a_panic_puts_everything_back_before_its_message() {
    let person = Person::new(40, 12, (0, 0));
    let before = person.settings();
    let slave = person.slave.try_clone().unwrap();
    let ((), seen) = person.watch(|| {
        let thread = std::thread::spawn(move || {
            let _terminal = Terminal::on(slave, TRUE, Graphics::HalfBlocks).unwrap();
            panic!("on purpose");
        });
        assert!(thread.join().is_err());
    });
    let mut model = Model::new(40, 12);
    model.feed(&seen);
    assert!(!model.alternate && model.cursor);
    assert_eq!(String::from_utf8(seen).unwrap().matches("?1049l").count(), 1);
    assert_eq!(format!("{:?}", person.settings()), format!("{before:?}"));
}

#[test]
fn a_terminal_that_goes_away_closes() {
    let person = Person::new(40, 12, (0, 0));
    let (mut terminal, _) = begin(&person, TRUE);
    drop(person);
    assert_eq!(terminal.signals().unwrap(), [Signal::Closed]);
    assert_eq!(terminal.signals().unwrap(), []);
    let frame = Frame::new(terminal.panel().size);
    assert!(terminal.present(&frame, frame.bounding_box()).is_err());
}

#[test]
fn a_file_is_no_terminal() {
    let error = Terminal::on(tempfile::tempfile().unwrap(), TRUE, Graphics::Auto).err().unwrap();
    assert!(error.to_string().starts_with("terminal: "), "{error}");
}
