//! Runs in the guest of `tests/guests/run`: shows a known frame on a display, and does what keys say, read from the kernel's
//! input devices. Tells on standard output what happened, a line each.
//!
//! `panel KIND ROTATION`. Space changes a rectangle, D darkens, S sleeps, W wakes, U unplugs the display and P plugs it in
//! (by the kernel's own switch in `/sys/class/drm`), Q ends.
//!
//! `panel watch COUNT` shows nothing: for COUNT released keys it measures how long another program then takes to
//! change the first byte of the framebuffer.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use evdev::{Device, EventSummary, KeyCode};
use inkstone::device::display::{DisplaySettings, Drivers, Frame, Screen};

type Failure = Box<dyn std::error::Error>;

const DAMAGE: Rectangle = Rectangle::new(Point::new(200, 100), Size::new(120, 60));

/// The frame that `drive.py` knows as well.
fn pattern(size: Size) -> Frame {
    let mut frame = Frame::new(size);
    let pixel = |x: u32, y: u32| [(x * 7 + y) as u8, (y * 5) as u8 ^ x as u8, (x + 3 * y) as u8, 255];
    let rgba: Vec<u8> = (0..size.height)
        .flat_map(|y| (0..size.width).flat_map(move |x| pixel(x, y)))
        .collect();
    frame.blend(&rgba, size.width, Point::zero());
    frame
}

/// Forces the connectors of all cards into a state, as unplugging does.
fn plug(state: &str) -> Result<(), Failure> {
    for entry in fs::read_dir("/sys/class/drm")? {
        let status: PathBuf = entry?.path().join("status");
        if status.exists() {
            fs::write(status, state)?;
        }
    }
    Ok(())
}

/// Keys that were pressed since the last time.
fn pressed(keyboards: &mut [Device]) -> Vec<KeyCode> {
    let mut keys = Vec::new();
    for keyboard in keyboards {
        let Ok(events) = keyboard.fetch_events() else { continue };
        keys.extend(events.filter_map(|event| match event.destructure() {
            EventSummary::Key(_, key, 1) => Some(key),
            _ => None,
        }));
    }
    keys
}

/// Presents the whole frame until the display takes it.
fn show_all(screen: &mut Box<dyn Screen>, frame: &mut Frame) -> bool {
    if frame.size() != screen.panel().size {
        *frame = pattern(screen.panel().size);
    }
    screen.present(frame, frame.bounding_box()).is_ok()
}

fn run(screen: &mut Box<dyn Screen>, keyboards: &mut [Device]) -> Result<(), Failure> {
    let mut frame = pattern(screen.panel().size);
    screen.present(&frame, frame.bounding_box())?;
    let Size { width, height } = frame.size();
    println!("SHOWN {width}x{height} {}", screen.panel().name);
    let mut is_lost = false;
    loop {
        if let Err(error) = screen.signals()
            && !is_lost
        {
            is_lost = true;
            println!("LOST {error}");
        }
        if is_lost && show_all(screen, &mut frame) {
            is_lost = false;
            println!("BACK");
        }
        for key in pressed(keyboards) {
            match key {
                KeyCode::KEY_SPACE => {
                    frame.fill_solid(&DAMAGE, Rgb888::new(250, 10, 120))?;
                    let begin = Instant::now();
                    screen.present(&frame, DAMAGE)?;
                    println!("CHANGED in {:?}", begin.elapsed());
                }
                KeyCode::KEY_D => {
                    screen.dim(0.5)?;
                    screen.present(&frame, frame.bounding_box())?;
                    println!("DIMMED");
                }
                KeyCode::KEY_S => {
                    screen.sleep()?;
                    println!("ASLEEP");
                }
                KeyCode::KEY_W => {
                    screen.dim(1.0)?;
                    screen.present(&frame, Rectangle::zero())?;
                    screen.present(&frame, frame.bounding_box())?;
                    println!("AWAKE");
                }
                KeyCode::KEY_U => plug("off")?,
                KeyCode::KEY_P => plug("detect")?,
                KeyCode::KEY_Q => {
                    for _ in 0..50 {
                        screen.present(&frame, frame.bounding_box())?;
                    }
                    let begin = Instant::now();
                    for _ in 0..50 {
                        screen.present(&frame, frame.bounding_box())?;
                    }
                    println!("FULL FRAME in {:?}", begin.elapsed() / 50);
                    return Ok(());
                }
                _ => {}
            }
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// What the framebuffer shows.
fn shown() -> std::io::Result<Vec<u8>> {
    fs::read("/dev/fb0")
}

fn until_changed(before: &[u8]) -> Result<Duration, Failure> {
    let begin = Instant::now();
    while shown()? == before {
        if begin.elapsed() > Duration::from_secs(30) {
            return Err("nothing changed".into());
        }
    }
    Ok(begin.elapsed())
}

/// From keys that are let go to the first changed byte of the framebuffer.
fn watch(count: usize) -> Result<(), Failure> {
    let mut keyboards: Vec<Device> = evdev::enumerate().map(|(_, device)| device).collect();
    let keyboard = keyboards.first_mut().ok_or("there is no keyboard")?;
    println!("WATCHING");
    let mut times = Vec::new();
    let mut before = Vec::new();
    while times.len() < count {
        for event in keyboard.fetch_events()?.collect::<Vec<_>>() {
            match event.destructure() {
                // The frame before is complete by now.
                EventSummary::Key(_, _, 1) => before = shown()?,
                EventSummary::Key(_, _, 0) if !before.is_empty() => times.push(until_changed(&before)?),
                _ => {}
            }
        }
    }
    times.sort();
    println!("PRESSES median {:.1?}, worst {:.1?} of {count}", times[count / 2], times[count - 1]);
    Ok(())
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (kind, rotation) = (arguments.next().unwrap_or_default(), arguments.next().unwrap_or("0".into()));
    let outcome = (|| -> Result<(), Failure> {
        if kind == "watch" {
            return watch(rotation.parse()?);
        }
        let settings = DisplaySettings {
            rotation: rotation.parse()?,
            ..DisplaySettings::new(kind.parse()?)
        };
        for found in Drivers::shipped().list() {
            println!("FOUND {} | {} | {}", found.kind, found.about, found.problem.unwrap_or_default());
        }
        let mut screen = Drivers::shipped().open(&settings)?;
        let mut keyboards: Vec<Device> = evdev::enumerate().map(|(_, device)| device).collect();
        for keyboard in &keyboards {
            keyboard.set_nonblocking(true)?;
        }
        run(&mut screen, &mut keyboards)
    })();
    match outcome {
        Ok(()) => println!("ENDED"),
        Err(error) => println!("FAILED {error}"),
    }
}
