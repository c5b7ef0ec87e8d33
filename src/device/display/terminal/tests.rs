//! A real pseudo-terminal: what the driver writes is read at its other end by a small model of a terminal.

use super::*;
use crate::device::display::test_pattern;
use embedded_graphics::pixelcolor::Rgb888;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Termios, tcgetattr, tcsetwinsize};

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
        let cell = match letter {
            '▀' => [foreground, background],
            ' ' => [background; 2],
            other => panic!("{other:?} was written"),
        };
        self.halves[(self.at.1 * self.size.width + self.at.0) as usize] = cell;
        self.at.0 += 1;
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
fn fixed(protocol: Protocol) -> TerminalPictures {
    match protocol {
        Protocol::Kitty => TerminalPictures::Kitty,
        _ => TerminalPictures::Blocks,
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
    person.press("\r\x1b[C1苹\x1b[<0;12;7M\x1b[<0;12;7m".as_bytes());
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
            let _terminal = Terminal::on(slave, TRUE, TerminalPictures::Blocks).unwrap();
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
    let error = Terminal::on(tempfile::tempfile().unwrap(), TRUE, TerminalPictures::Auto)
        .err()
        .unwrap();
    assert!(error.to_string().starts_with("terminal: "), "{error}");
}

/// Pastes the pictures of Kitty's protocol where the cursor stands.
fn paste(canvas: &mut Frame, cell: Size, bytes: &[u8]) -> usize {
    use base64::Engine;
    let text = std::str::from_utf8(bytes).unwrap();
    let (mut pictures, mut payload, mut at) = (0, String::new(), Point::zero());
    for part in text.split("\x1b_G").flat_map(|part| part.split("\x1b\\")) {
        if let Some(place) = part.strip_prefix("\x1b[").and_then(|part| part.strip_suffix('H')) {
            let (line, column) = place.split_once(';').unwrap();
            let corner = [column, line].map(|number| number.parse::<i32>().unwrap() - 1);
            at = Point::new(corner[0] * cell.width as i32, corner[1] * cell.height as i32);
        } else if let Some((keys, data)) = part.split_once(';') {
            payload.push_str(data);
            if keys.ends_with("m=0") {
                let png = base64::engine::general_purpose::STANDARD.decode(&payload).unwrap();
                let picture = crate::picture::png::decode(&png).unwrap().picture;
                canvas.blend(picture.pixels(), picture.width(), at);
                payload.clear();
                pictures += 1;
            }
        }
    }
    pictures
}

#[test]
fn kitty_gets_what_changed_out_to_whole_characters() {
    let person = Person::new(40, 12, (320, 192));
    let (mut terminal, _) = begin(&person, Protocol::Kitty);
    let cell = Size::new(8, 16);
    assert_eq!(terminal.panel().size, Size::new(320, 192));
    let mut frame = test_pattern(Size::new(320, 192));
    let mut canvas = Frame::new(frame.size());
    let bytes = show(&person, &mut terminal, &frame, Rectangle::zero());
    assert_eq!(paste(&mut canvas, cell, &bytes), 1);
    assert!(canvas == frame, "the first frame is shown whole");
    for round in 0..40 {
        let damage = Rectangle::new(Point::new(round * 7, round * 4), Size::new(10, 20));
        frame.fill_solid(&damage, Rgb888::new(round as u8 * 6, 9, 200)).unwrap();
        let bytes = show(&person, &mut terminal, &frame, damage);
        assert_eq!(paste(&mut canvas, cell, &bytes), 1);
        assert!(canvas == frame, "round {round}");
        let deleted = bytes.windows(9).filter(|bytes| *bytes == b"Ga=d,d=I,").count();
        assert_eq!(deleted, if round == 32 { 33 } else { 0 }, "round {round}");
    }
    assert_eq!(show(&person, &mut terminal, &frame, Rectangle::zero()), b"");
    person.press(b"\x1b[<0;2;3M");
    let touch = Signal::Touch {
        at: Point::new(12, 40),
        pressed: true,
    };
    assert_eq!(terminal.signals().unwrap(), [touch]);
}

#[test]
fn large_terminals_get_smaller_frames() {
    let person = Person::new(240, 60, (2400, 1200));
    let (terminal, _) = begin(&person, Protocol::Kitty);
    assert_eq!(terminal.panel().size, Size::new(720, 360));
    let person = Person::new(240, 60, (0, 0));
    let (terminal, _) = begin(&person, Protocol::Kitty);
    assert_eq!(terminal.panel().size, Size::new(240, 120));
}

impl Person {
    /// Opens the terminal, and answers its question in the terminal's place.
    fn answer(&self, pictures: TerminalPictures, answer: &[u8]) -> Terminal {
        let master = self.master.try_clone().unwrap();
        let answer = answer.to_vec();
        let answering = std::thread::spawn(move || {
            let (mut seen, mut bytes) = (Vec::new(), [0; 4096]);
            while !seen.ends_with(b"\x1b[16t\x1b[c") {
                let count = (&master).read(&mut bytes).unwrap();
                seen.extend_from_slice(&bytes[..count]);
            }
            (&master).write_all(&answer).unwrap();
        });
        let terminal = Terminal::on(self.slave.try_clone().unwrap(), TRUE, pictures).unwrap();
        answering.join().unwrap();
        terminal
    }
}

/// Draws Sixel graphics where the cursor stands, with a decoder that is not ours.
fn draw_sixel(canvas: &mut Frame, cell: Size, bytes: &[u8]) -> usize {
    let text = std::str::from_utf8(bytes).unwrap();
    let mut pictures = 0;
    for part in text.split_inclusive("\x1b\\").filter(|part| !part.is_empty()) {
        let (place, picture) = part.split_at(part.find("\x1bP").unwrap());
        let place = place.strip_prefix("\x1b[").and_then(|place| place.strip_suffix('H')).unwrap();
        let (line, column) = place.split_once(';').unwrap();
        let corner = [column, line].map(|number| number.parse::<i32>().unwrap() - 1);
        let at = Point::new(corner[0] * cell.width as i32, corner[1] * cell.height as i32);
        let decoded = icy_sixel::SixelImage::decode(picture.as_bytes()).unwrap();
        canvas.blend(&decoded.pixels, decoded.width as u32, at);
        pictures += 1;
    }
    pictures
}

/// Plain colours are what they are, and others in the mean of each square of eight pixels.
fn assert_alike(shown: &Frame, wanted: &Frame, plain: &Rectangle) {
    for point in plain.points() {
        let (shown, wanted) = (shown.colour(point).unwrap(), wanted.colour(point).unwrap());
        let away = [
            shown.r().abs_diff(wanted.r()),
            shown.g().abs_diff(wanted.g()),
            shown.b().abs_diff(wanted.b()),
        ];
        assert!(away.iter().all(|away| *away <= 2), "{point}: {shown:?} for {wanted:?}");
    }
    let mean = |frame: &Frame, corner: Point| {
        let area = Rectangle::new(corner, Size::new_equal(8));
        area.rows()
            .flat_map(|y| frame.row(y, &area))
            .map(|byte| u32::from(*byte))
            .sum::<u32>()
            / (8 * 8 * 3)
    };
    let size = wanted.size();
    for (x, y) in (0..size.height as i32 / 8).flat_map(|y| (0..size.width as i32 / 8).map(move |x| (x * 8, y * 8))) {
        let (shown, wanted) = (mean(shown, Point::new(x, y)), mean(wanted, Point::new(x, y)));
        assert!(shown.abs_diff(wanted) <= 8, "at {x},{y}: {shown} for {wanted}");
    }
}

#[test]
fn a_terminal_that_says_so_gets_sixels() {
    let person = Person::new(40, 13, (0, 0));
    let mut terminal = person.answer(TerminalPictures::Auto, b"q\x1b[6;16;8t\x1b[?62;4;22c");
    assert_eq!(terminal.signals().unwrap(), [Signal::Tap("q".into()), Signal::Character('q')]);
    let (cell, size) = (Size::new(8, 16), Size::new(320, 192));
    assert_eq!(terminal.panel().size, size, "the last line stays empty");
    let mut frame = Frame::new(size);
    for (x, y) in (0..192).flat_map(|y| (0..320).map(move |x| (x, y))) {
        let colour = Rgb888::new((x * 255 / 319) as u8, (y * 255 / 191) as u8, 90);
        frame.draw_iter([Pixel(Point::new(x, y), colour)]).unwrap();
    }
    let plain = Rectangle::new(Point::new(100, 50), Size::new(60, 40));
    frame.fill_solid(&plain, Rgb888::new(22, 21, 24)).unwrap();
    let mut canvas = Frame::new(size);
    let begin = Instant::now();
    let bytes = show(&person, &mut terminal, &frame, Rectangle::zero());
    println!("{} bytes in {:?}", bytes.len(), begin.elapsed());
    assert_eq!(draw_sixel(&mut canvas, cell, &bytes), 1);
    assert_alike(&canvas, &frame, &plain);

    let damage = Rectangle::new(Point::new(90, 60), Size::new(30, 21));
    frame.fill_solid(&damage, Rgb888::new(224, 82, 58)).unwrap();
    let bytes = show(&person, &mut terminal, &frame, damage);
    assert!(bytes.len() < 2000, "{} bytes", bytes.len());
    assert_eq!(draw_sixel(&mut canvas, cell, &bytes), 1);
    assert_alike(&canvas, &frame, &damage);
    assert_eq!(show(&person, &mut terminal, &frame, Rectangle::zero()), b"");

    person.resize(20, 5, (0, 0));
    terminal.signals().unwrap();
    assert_eq!(terminal.panel().size, Size::new(160, 64));
}

#[test]
fn terminals_without_sixels_get_half_blocks() {
    for (pictures, answer) in [
        (TerminalPictures::Auto, &b"\x1b[6;16;8t\x1b[?64;1;9c"[..]),
        // Sixel graphics of pixels that nobody knows the number of.
        (TerminalPictures::Auto, b"\x1b[?62;4c"),
        (TerminalPictures::Sixel, b"\x1b[?62;4c"),
    ] {
        let person = Person::new(40, 12, (0, 0));
        let terminal = person.answer(pictures, answer);
        assert_eq!(terminal.panel().size, Size::new(40, 24), "{pictures:?}");
    }
    let person = Person::new(40, 12, (320, 192));
    let terminal = person.answer(TerminalPictures::Sixel, b"\x1b[?1;2c");
    assert_eq!(terminal.panel().size, Size::new(320, 176), "who insists gets them");
    // One that answers nothing is not waited for long, and a late answer is no key.
    let begin = Instant::now();
    let mut silent = Terminal::on(person.slave.try_clone().unwrap(), TRUE, TerminalPictures::Auto).unwrap();
    assert!(begin.elapsed() < 10 * PATIENCE);
    assert_eq!(silent.panel().size, Size::new(40, 24));
    person.press(b"\x1b[?62;4c\x1b[?1;0;256S\x1b[A");
    assert_eq!(silent.signals().unwrap(), [Signal::Tap("up".into())]);
}
