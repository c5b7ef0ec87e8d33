//! Runs in the guests of `tests/guests/run`: listens to GPIO lines as the kiosk does, and tells on standard output what they
//! do, a line each.
//!
//! `pins character-device|rppal up|down|none LINE...`. A line on standard input ends it.

use std::io::stdin;
use std::sync::mpsc;
use std::thread;

use gpiocdev::Chip;
use inkstone::device::buttons::character_device::CharacterDevice;
use inkstone::device::buttons::rppal::Rppal;
use inkstone::device::buttons::{Pins, Pull, Timed};
use inkstone::device::lines::header_chip;

type Failure = Box<dyn std::error::Error>;

/// How the kernel describes the lines while they are listened to.
fn describe(lines: &[u32]) -> Result<(), Failure> {
    let path = header_chip()?;
    let chip = Chip::from_path(&path)?;
    println!("CHIP {} {}", path.display(), chip.info()?.label);
    for &line in lines {
        let info = chip.line_info(line)?;
        println!(
            "LINE {line} by {:?} bias {:?} edges {:?} debounce {:?}",
            info.consumer, info.bias, info.edge_detection, info.debounce_period
        );
    }
    Ok(())
}

fn listen(driver: &str, pins: Pins, lines: &[u32]) -> Result<(), Failure> {
    let (sender, receiver) = mpsc::channel::<Timed>();
    let listening: Box<dyn std::any::Any> = match driver {
        "rppal" => Box::new(Rppal::open(pins, sender)?),
        _ => Box::new(CharacterDevice::open(None, pins, sender)?),
    };
    describe(lines)?;
    println!("LISTENING");
    thread::spawn(move || {
        for timed in receiver {
            println!("SIGNAL {:?}", timed.signal);
        }
    });
    stdin().read_line(&mut String::new())?;
    drop(listening);
    Ok(())
}

fn run() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [driver, pull, lines @ ..] = arguments.as_slice() else {
        return Err("pins DRIVER PULL LINE...".into());
    };
    let lines = lines.iter().map(|line| line.parse()).collect::<Result<Vec<u32>, _>>()?;
    let pins = Pins {
        buttons: lines.clone(),
        pull: match pull.as_str() {
            "up" => Pull::Up,
            "down" => Pull::Down,
            _ => Pull::None,
        },
        ..Pins::default()
    };
    listen(driver, pins, &lines)
}

fn main() {
    match run() {
        Ok(()) => println!("ENDED"),
        Err(error) => println!("REFUSED {error}"),
    }
}
