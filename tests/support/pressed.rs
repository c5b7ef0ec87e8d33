//! The whole kiosk on a framebuffer in a plain file, with buttons that are pressed from the same process.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use embedded_graphics::prelude::*;
use inkstone::device::buttons::Signal;
use inkstone::device::display::framebuffer::{Framebuffer, Mode};
use inkstone::device::display::{PixelLayout, Rotation, Screen};
use inkstone::kiosk::settings::Settings;
use inkstone::kiosk::{Handle, Kiosk, Options};

/// The panel, with 32 bits a pixel.
pub const SIZE: Size = Size::new(800, 480);
/// How long a finger stays on a button.
const HELD: Duration = Duration::from_millis(60);
/// Longest that a change is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A kiosk that runs until this is dropped.
pub struct Pressed {
    shown: PathBuf,
    handle: Handle,
    thread: Option<JoinHandle<()>>,
    _folder: tempfile::TempDir,
}

impl Pressed {
    /// Starts it with the shipped pack and goes to where words are chosen. Nothing moves there by itself.
    pub fn start() -> Pressed {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join("fb0");
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .expect("a file can be made");
        let stride = SIZE.width as usize * 4;
        file.set_len((stride * SIZE.height as usize) as u64)
            .expect("a file can be extended");
        let mode = Mode {
            size: SIZE,
            stride,
            start: 0,
            layout: PixelLayout::XRGB8888,
        };
        let screen = Framebuffer::on(file, &path, mode, Rotation::None).expect("the mode is possible");
        let gallery = folder.path().join("gallery");
        let (sender, receiver) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            let kiosk = kiosk(Box::new(screen), &gallery);
            sender.send(kiosk.handle()).expect("the test waits");
            kiosk.run().expect("it runs");
        });
        let kiosk = Pressed {
            shown: path,
            handle: receiver.recv().expect("the kiosk starts"),
            thread: Some(thread),
            _folder: folder,
        };
        // Black, then a title, then an example: the pack can be drawn with.
        kiosk.changes(&vec![0; stride * SIZE.height as usize]);
        kiosk.changes(&kiosk.shown());
        // Examples go on to change meanwhile, so that this press is not measured.
        kiosk.send("f1", true);
        thread::sleep(HELD);
        kiosk.send("f1", false);
        kiosk.rest(Duration::from_millis(500));
        kiosk
    }

    /// Presses a key and lets it go; the time from then, when a short press is one, to the first byte that changed.
    pub fn press(&self, key: &str) -> Duration {
        self.rest(HELD);
        let before = self.shown();
        self.send(key, true);
        thread::sleep(HELD);
        assert!(self.shown() == before, "nothing changes before a button is let go");
        let begin = Instant::now();
        self.send(key, false);
        self.changes(&before);
        begin.elapsed()
    }

    /// What is shown, read as other programs read it.
    fn shown(&self) -> Vec<u8> {
        std::fs::read(&self.shown).expect("the file is there")
    }

    /// Waits for the first byte that is another than before.
    fn changes(&self, before: &[u8]) {
        let begin = Instant::now();
        while self.shown() == before {
            assert!(begin.elapsed() < PATIENCE, "nothing changes");
        }
    }

    fn send(&self, key: &str, pressed: bool) {
        let is_running = self.handle.signals().send(Signal::key(key, pressed), Instant::now());
        assert!(is_running, "the kiosk has ended");
    }

    /// Waits until nothing has changed for a while.
    fn rest(&self, quiet: Duration) {
        let begin = Instant::now();
        let mut last = self.shown();
        let mut since = begin;
        while since.elapsed() < quiet {
            assert!(begin.elapsed() < PATIENCE, "the display never rests");
            thread::sleep(Duration::from_millis(10));
            let now = self.shown();
            if now != last {
                (last, since) = (now, Instant::now());
            }
        }
    }
}

impl Drop for Pressed {
    fn drop(&mut self) {
        let _ = self.handle.stop();
        let ended = self.thread.take().map(JoinHandle::join);
        if !thread::panicking() {
            assert!(matches!(ended, Some(Ok(()))), "the kiosk panicked");
        }
    }
}

/// Examples and sketches would change pixels that nobody pressed a button for.
fn kiosk(screen: Box<dyn Screen>, gallery: &Path) -> Kiosk {
    let mut settings = Settings::default();
    settings.gallery.folder = Some(gallery.to_owned());
    settings.attract.idle = 3600;
    settings.draw.seed = Some(5);
    let options = Options::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("models/pictogram"))
        .screen(screen)
        .sources(Vec::new())
        .sketches(false);
    Kiosk::new(settings, options).expect("the kiosk starts")
}
