//! What a kiosk takes beside the model: private memory while it draws and afterwards, and processor time while it waits.
//! Each measurement is a process of its own, whose figures Linux counts (`/proc/self/status`, `/proc/self/stat`).
#![cfg(all(target_os = "linux", feature = "framebuffer"))]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use embedded_graphics::prelude::Size;
use inkstone::device::buttons::Signal;
use inkstone::device::display::framebuffer::{Framebuffer, Mode};
use inkstone::device::display::{self, DisplaySettings, ModeRequest, PixelLayout, Rotation, Screen};
use inkstone::kiosk::settings::Settings;
use inkstone::kiosk::{self, Kiosk};
use inkstone::pipeline::Options;
use inkstone::process::{Memory, PeakMemory, allocator};
use inkstone::{Pipeline, Request};

/// What a process is to do: `model`, or a display and what is pressed there.
const PART: &str = "INKSTONE_TEST_FOOTPRINT";
/// The most that a kiosk may take beside the model, in bytes.
const MOST: u64 = 16 << 20;
const SIZE: Size = Size::new(800, 480);
const THREADS: usize = 2;

fn pack() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/pictogram")
}

/// Reads memory all the time, until it is told to stop.
fn sample(stop: Arc<AtomicBool>) -> std::thread::JoinHandle<PeakMemory> {
    std::thread::spawn(move || {
        let mut peak = PeakMemory::default();
        while !stop.load(Ordering::SeqCst) {
            peak.sample();
            std::thread::sleep(Duration::from_millis(2));
        }
        peak
    })
}

/// One picture and nothing else, as `inkstone generate` draws it.
fn draw_alone() {
    let mut pipeline = Pipeline::open_with(pack(), &Options::default().threads(THREADS)).unwrap();
    pipeline.generate(&Request::new("a red fox").steps(4).seed(5)).unwrap();
}

/// A framebuffer that is a plain file, or whatever else is called so on the command line.
fn screen(display: &str, folder: &Path) -> Box<dyn Screen> {
    if display == "framebuffer" {
        let file = tempfile::tempfile_in(folder).unwrap();
        let (layout, stride) = (PixelLayout::XRGB8888, SIZE.width as usize * 4);
        file.set_len(stride as u64 * u64::from(SIZE.height)).unwrap();
        let mode = Mode {
            size: SIZE,
            stride,
            start: 0,
            layout,
        };
        return Box::new(Framebuffer::on(file, Path::new("plain file"), mode, Rotation::None).unwrap());
    }
    let kind = if display == "png" {
        format!("png:{}", folder.join("frames").display())
    } else {
        display.to_owned()
    };
    let mut settings = DisplaySettings::new(kind.parse().unwrap());
    settings.size = Some("800x480".parse::<ModeRequest>().unwrap());
    display::open(&settings).unwrap()
}

/// A kiosk with the shipped pack and a gallery in a folder.
fn start(display: &str, folder: &Path) -> Kiosk {
    let mut settings = Settings {
        threads: THREADS,
        ..Settings::default()
    };
    settings.gallery.folder = Some(folder.join("gallery"));
    settings.draw.seed = Some(5);
    let options = kiosk::Options::new(pack()).screen(screen(display, folder)).sources(Vec::new());
    Kiosk::new(settings, options).unwrap()
}

fn kept(folder: &Path) -> usize {
    std::fs::read_dir(folder.join("gallery")).map_or(0, Iterator::count)
}

/// Processor time of this process so far, in seconds (`proc_pid_stat(5)`, fields 14 and 15, a hundredth of a second each).
fn spent() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat[stat.rfind(')').unwrap() + 2..].split(' ').collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

/// Runs a kiosk while another thread presses keys and looks at what that costs.
fn with_kiosk(display: &str, folder: &Path, visit: impl FnOnce(&dyn Fn(&str)) + Send) {
    let kiosk = start(display, folder);
    let handle = kiosk.handle();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let press = |key: &str| {
                assert!(handle.signals().send(Signal::Tap(key.to_owned()), Instant::now()));
                std::thread::sleep(Duration::from_millis(700));
            };
            // Nothing is drawn before the pack is read.
            std::thread::sleep(Duration::from_secs(4));
            visit(&press);
            handle.stop().unwrap();
        });
        kiosk.run().unwrap();
    });
}

/// The part of the test that runs by itself.
fn part(what: &str) {
    let folder = tempfile::tempdir().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    match what.split(' ').collect::<Vec<_>>()[..] {
        ["model"] => {
            allocator::limit_malloc_arenas();
            let sampler = sample(stop.clone());
            draw_alone();
            stop.store(true, Ordering::SeqCst);
            println!("PEAK {}", sampler.join().unwrap().peak().private_bytes);
        }
        ["memory", display] => {
            allocator::limit_malloc_arenas();
            let sampler = sample(stop.clone());
            with_kiosk(display, folder.path(), |press| {
                for picture in 1..=3 {
                    press("f1");
                    press("f3");
                    while kept(folder.path()) < picture {
                        std::thread::sleep(Duration::from_millis(20));
                    }
                    press("escape");
                }
                std::thread::sleep(Duration::from_secs(2));
                println!("AFTER {}", Memory::now().unwrap().private_bytes);
            });
            stop.store(true, Ordering::SeqCst);
            println!("PEAK {}", sampler.join().unwrap().peak().private_bytes);
        }
        ["idle", display] => with_kiosk(display, folder.path(), |press| idle(folder.path(), press)),
        _ => panic!("{what}"),
    }
}

/// What every screen costs while nobody does anything, in percent of a core.
fn idle(folder: &Path, press: &dyn Fn(&str)) {
    let measure = |screen: &str, seconds: u64| {
        // Whatever is drawn by itself is drawn by then.
        std::thread::sleep(Duration::from_secs(4));
        let before = spent();
        std::thread::sleep(Duration::from_secs(seconds));
        println!("IDLE {screen} {:.2}", (spent() - before) * 100.0 / seconds as f64);
    };
    press("f1");
    for picture in 1..=2 {
        press("f3");
        while kept(folder) < picture {
            std::thread::sleep(Duration::from_millis(20));
        }
        press("escape");
    }
    measure("choose", 30);
    press("f4");
    measure("menu", 30);
    press("escape");
    press("f3");
    measure("picture", 30);
    press("f4");
    measure("code", 30);
    // Nobody is there for so long that kept pictures change by themselves: three changes.
    std::thread::sleep(Duration::from_secs(30));
    measure("attract", 66);
}

/// Runs a part in a process of its own; its figures by their names.
fn run(what: &str) -> Vec<(String, f64)> {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_kiosk_takes_little_memory_beside_the_model", "--nocapture"])
        .env(PART, what)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{what}: {said}{}", String::from_utf8_lossy(&output.stderr));
    let figure = |line: &str| {
        let (name, value) = line.rsplit_once(' ')?;
        let is_one = ["PEAK", "AFTER", "IDLE"].iter().any(|word| name.starts_with(word));
        is_one.then(|| (name.to_owned(), value.parse().unwrap()))
    };
    said.lines().filter_map(figure).collect()
}

/// Displays that this machine has.
fn displays() -> Vec<&'static str> {
    let has_window = cfg!(feature = "window") && std::env::var_os("DISPLAY").is_some();
    ["png", "framebuffer"].into_iter().chain(has_window.then_some("window")).collect()
}

#[test]
fn a_kiosk_takes_little_memory_beside_the_model() {
    if let Some(what) = std::env::var_os(PART) {
        return part(what.to_str().unwrap());
    }
    let find = |figures: &[(String, f64)], name: &str| figures.iter().find(|(other, _)| other == name).unwrap().1 as u64;
    let model = find(&run("model"), "PEAK");
    eprintln!("the model alone: {} KiB at most", model >> 10);
    for display in displays() {
        let figures = run(&format!("memory {display}"));
        let (peak, after) = (find(&figures, "PEAK"), find(&figures, "AFTER"));
        eprintln!("{display}: {} KiB at most, {} KiB after three pictures", peak >> 10, after >> 10);
        assert!(peak < model + MOST, "{display}: {peak} bytes beside {model} of the model");
        assert!(after < model, "{display}: {after} bytes stay");
    }
}

#[test]
#[ignore = "takes four minutes a display"]
fn no_screen_takes_a_hundredth_of_a_core() {
    for display in displays() {
        for (screen, percent) in run(&format!("idle {display}")) {
            eprintln!("{display}, {screen}: {percent:.2} %");
            assert!(percent < 1.0, "{display}, {screen}: {percent} %");
        }
    }
}
