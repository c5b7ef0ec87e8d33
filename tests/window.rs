//! A real window under Xvfb: what it shows is read back from the X server, keys and the mouse are pressed by `xdotool`.
//! Skipped, with a message, where Xvfb, xdotool or ImageMagick's `import` is not installed.

#![cfg(all(target_os = "linux", feature = "window"))]

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use inkstone::device::buttons::Signal;
use inkstone::device::display::window::Window;
use inkstone::device::display::{Frame, Screen};

const SIZE: Size = Size::new(320, 200);
const DAMAGE: Rectangle = Rectangle::new(Point::new(30, 40), Size::new(50, 20));
/// Set for the process that opens the window.
const INSIDE: &str = "INKSTONE_TEST_WINDOW";

/// A frame in which neighbours differ and all edges can be told apart.
fn pattern(size: Size) -> Frame {
    let mut frame = Frame::new(size);
    let pixel = |x: u32, y: u32| [(x * 7 + y) as u8, (y * 5) as u8 ^ x as u8, (x + 3 * y) as u8, 255];
    let rgba: Vec<u8> = (0..size.height)
        .flat_map(|y| (0..size.width).flat_map(move |x| pixel(x, y)))
        .collect();
    frame.blend(&rgba, size.width, Point::zero());
    frame
}

/// The process with the window: shows the pattern, tells every signal, and does what some keys say.
fn inside() {
    let mut window = Window::open(SIZE, false).unwrap();
    let mut frame = Frame::new(Size::zero());
    loop {
        if frame.size() != window.panel().size {
            frame = pattern(window.panel().size);
            window.present(&frame, frame.bounding_box()).unwrap();
            println!("size {}x{}", frame.size().width, frame.size().height);
        }
        for signal in window.signals().unwrap() {
            println!("{signal:?}");
            match signal {
                Signal::Character('a') => {
                    frame.fill_solid(&DAMAGE, Rgb888::RED).unwrap();
                    let begin = Instant::now();
                    window.present(&frame, DAMAGE).unwrap();
                    println!("presented in {:?}", begin.elapsed());
                }
                Signal::Character('s') => {
                    window.sleep().unwrap();
                    println!("asleep");
                }
                Signal::Key { name, pressed: true } if name == "escape" => return,
                _ => {}
            }
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Ends a process with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Desktop {
    _server: Ended,
    display: String,
}

impl Desktop {
    /// `None` where something is not installed.
    fn start() -> Option<Desktop> {
        for tool in [["xdotool", "version"], ["import", "-version"]] {
            Command::new(tool[0]).arg(tool[1]).output().ok()?;
        }
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "640x480x24", "-nolisten", "tcp"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut number = String::new();
        BufReader::new(server.stdout.take()?).read_line(&mut number).ok()?;
        Some(Desktop {
            _server: Ended(server),
            display: format!(":{}", number.trim()),
        })
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Vec<u8> {
        let output = Command::new(program)
            .args(arguments)
            .env("DISPLAY", &self.display)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{program} {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    }

    /// The pixels of the top left corner of the screen, where a window without a window manager is.
    fn screenshot(&self, size: Size) -> Vec<u8> {
        let area = format!("{}x{}+0+0", size.width, size.height);
        self.run("import", &["-window", "root", "-crop", &area, "-depth", "8", "rgb:-"])
    }

    /// Waits until the screen shows a frame: the server draws a little after it was told to.
    fn shows(&self, frame: &Frame) {
        let begin = Instant::now();
        while self.screenshot(frame.size()) != frame.bytes() {
            assert!(begin.elapsed() < Duration::from_secs(20), "the screen shows something else");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// The process with the window and what it tells.
struct Shown {
    child: Ended,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Shown {
    fn start(desktop: &Desktop) -> Shown {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_window_shows_frames_and_hears_keys", "--nocapture"])
            .env("DISPLAY", &desktop.display)
            .env(INSIDE, "1")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Shown {
            child: Ended(child),
            lines,
        }
    }

    /// Reads on to a line that holds a text.
    fn tells(&mut self, expected: &str) -> String {
        let mut seen = Vec::new();
        for line in self.lines.by_ref() {
            let line = line.unwrap();
            if line.contains(expected) {
                return line;
            }
            seen.push(line);
        }
        panic!("never told {expected:?}, but {seen:#?}");
    }
}

#[test]
fn a_window_shows_frames_and_hears_keys() {
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    let Some(desktop) = Desktop::start() else {
        eprintln!("skipped: needs Xvfb, xdotool and import (apt-get install xvfb xdotool imagemagick)");
        return;
    };
    let mut shown = Shown::start(&desktop);
    shown.tells("size 320x200");
    let mut frame = pattern(SIZE);
    desktop.shows(&frame);

    // Without a window manager nobody gives the keyboard to the window.
    let window = String::from_utf8(desktop.run("xdotool", &["search", "--onlyvisible", "--name", "Inkstone"])).unwrap();
    let window = window.trim();
    desktop.run("xdotool", &["windowfocus", "--sync", window]);

    desktop.run("xdotool", &["key", "a"]);
    shown.tells(r#"Key { name: "a", pressed: true }"#);
    shown.tells("Character('a')");
    println!("{}", shown.tells("presented in"));
    shown.tells(r#"Key { name: "a", pressed: false }"#);
    frame.fill_solid(&DAMAGE, Rgb888::RED).unwrap();
    desktop.shows(&frame);

    for (pressed, name) in [
        ("Return", "enter"),
        ("Left", "left"),
        ("Prior", "page-up"),
        ("1", "1"),
        ("space", "space"),
    ] {
        desktop.run("xdotool", &["key", pressed]);
        shown.tells(&format!(r#"Key {{ name: "{name}", pressed: true }}"#));
        shown.tells(&format!(r#"Key {{ name: "{name}", pressed: false }}"#));
    }
    desktop.run("xdotool", &["key", "BackSpace"]);
    shown.tells(r#"Key { name: "backspace", pressed: true }"#);
    shown.tells("Character('\\u{8}')");
    desktop.run("xdotool", &["key", "shift+q"]);
    shown.tells(r#"Key { name: "q", pressed: true }"#);
    shown.tells("Character('Q')");

    desktop.run("xdotool", &["mousemove", "100", "60", "click", "1"]);
    shown.tells("Touch { at: Point { x: 100, y: 60 }, pressed: true }");
    shown.tells("Touch { at: Point { x: 100, y: 60 }, pressed: false }");
    desktop.run("xdotool", &["click", "5"]);
    shown.tells("Turn(1)");

    desktop.run("xdotool", &["windowsize", window, "400", "150"]);
    shown.tells("size 400x150");
    desktop.shows(&pattern(Size::new(400, 150)));

    desktop.run("xdotool", &["key", "s"]);
    shown.tells("asleep");
    desktop.shows(&Frame::new(Size::new(400, 150)));

    desktop.run("xdotool", &["key", "Escape"]);
    shown.tells(r#"Key { name: "escape", pressed: true }"#);
    let mut rest = String::new();
    for line in shown.lines.by_ref() {
        rest += &line.unwrap();
    }
    assert!(shown.child.0.wait().unwrap().success(), "{rest}");
}

/// A machine without a desktop says what else there is.
#[test]
fn without_a_desktop_there_is_an_error() {
    if std::env::var_os("DISPLAY").is_some() || std::env::var_os(INSIDE).is_some() {
        return;
    }
    let error = Window::open(SIZE, false).err().unwrap().to_string();
    assert!(error.contains("window") && error.contains("--display terminal"), "{error}");
}
