//! Terminals that show pictures: Kitty's protocol and Sixel graphics.

use super::*;

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
    fn answer(&self, pictures: Graphics, answer: &[u8]) -> Terminal {
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
        let ([width, _], pixels) = crate::picture::sixel::tests::decode(picture.as_bytes());
        canvas.blend(&pixels, width, at);
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
    let mut terminal = person.answer(Graphics::Auto, b"q\x1b[6;16;8t\x1b[?62;4;22c");
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
        (Graphics::Auto, &b"\x1b[6;16;8t\x1b[?64;1;9c"[..]),
        // Sixel graphics of pixels that nobody knows the number of.
        (Graphics::Auto, b"\x1b[?62;4c"),
        (Graphics::Sixel, b"\x1b[?62;4c"),
    ] {
        let person = Person::new(40, 12, (0, 0));
        let terminal = person.answer(pictures, answer);
        assert_eq!(terminal.panel().size, Size::new(40, 24), "{pictures:?}");
    }
    let person = Person::new(40, 12, (320, 192));
    let terminal = person.answer(Graphics::Sixel, b"\x1b[?1;2c");
    assert_eq!(terminal.panel().size, Size::new(320, 176), "who insists gets them");
    // One that answers nothing is not waited for long, and a late answer is no key.
    let begin = Instant::now();
    let mut silent = Terminal::on(person.slave.try_clone().unwrap(), TRUE, Graphics::Auto).unwrap();
    assert!(begin.elapsed() < 10 * QUERY_TIMEOUT);
    assert_eq!(silent.panel().size, Size::new(40, 24));
    person.press(b"\x1b[?62;4c\x1b[?1;0;256S\x1b[A");
    assert_eq!(silent.signals().unwrap(), [Signal::Tap("up".into())]);
}
