//! Keyboards, touch screens, remote controls, and what the kernel makes of pins (`dtoverlay=gpio-key`,
//! `dtoverlay=rotary-encoder`), by its input devices.
//!
//! Owns one thread that waits on all devices, finds new ones every two seconds and drops those that are unplugged; the
//! conversion of input events to signals is pure ([`Translator`]). Depends on the names of keys and on the rotation of panels. Format:
//! `Documentation/input/event-codes.rst` and `multi-touch-protocol.rst` of the kernel.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use embedded_graphics::prelude::{Point, Size};
use evdev::{AbsoluteAxisCode, Device, EventSummary, InputEvent, KeyCode, RelativeAxisCode, SynchronizationCode};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::bindings::canonical;
use super::{Signal, SignalSender};
use crate::device::display::Rotation;

/// How often the thread checks whether it should end.
const PATIENCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 200_000_000,
};

/// How often new devices are looked for.
const RESCAN: Duration = Duration::from_secs(2);

/// An error of input devices.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The folder of devices cannot be read.
    #[error("{folder}: {source}; use pins, a window or a script instead")]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// No permission to open any device.
    #[error(
        "{device}: permission denied; add this user to the group 'input' (`sudo usermod -aG input $USER`, then log in again); where the \
         group does not own the device, put `SUBSYSTEM==\"input\", GROUP=\"input\", MODE=\"0660\"` into \
         /etc/udev/rules.d/60-input.rules and restart"
    )]
    Permission {
        /// One of them.
        device: PathBuf,
    },
    /// Another program holds a keyboard.
    #[error(
        "{device}: cannot grab the keyboard: {source}; the kiosk still receives its keys, but so may a console behind the \
         pictures: end the program that has grabbed it (`sudo fuser -v {device}`), or set buttons.grab = false"
    )]
    Grab {
        /// The keyboard.
        device: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// No thread could be started.
    #[error("input devices: no thread could be started: {0}")]
    Thread(std::io::Error),
}

/// Which devices, and what they touch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputOptions {
    /// The folder with the files `event*`: `/dev/input`.
    pub folder: PathBuf,
    /// Listens only to these files or links; to all in the folder if the list is empty.
    pub devices: Vec<PathBuf>,
    /// Whether keyboards are grabbed, so that no other program and no console receives their keys.
    pub grab: bool,
    /// Size in pixels of the frame in which touches are reported.
    pub frame: Size,
    /// How the panel below the touch screen is mounted.
    pub rotation: Rotation,
}

/// Listens to devices. Dropping it ends the thread.
pub struct InputDevices {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl InputDevices {
    /// Listens to all devices, including those that are plugged in later, and sends their signals.
    ///
    /// # Errors
    /// If the folder is missing, or there are devices and none may be opened.
    pub fn open(options: InputOptions, sender: SignalSender) -> Result<InputDevices, InputError> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut listener = Listener {
            options,
            sender,
            stop: stop.clone(),
            devices: BTreeMap::new(),
        };
        for device in listener.options.devices.iter().filter(|device| !device.exists()) {
            log::warn!("{}: no such device; it will be used once it is plugged in", device.display());
        }
        let denied = listener.scan()?;
        if let (Some(device), true) = (denied, listener.devices.is_empty()) {
            return Err(InputError::Permission { device });
        }
        let thread = thread::Builder::new()
            .name("input".into())
            .spawn(move || listener.run())
            .map_err(InputError::Thread)?;
        Ok(InputDevices {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for InputDevices {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            log::error!("input devices: their thread panicked");
        }
    }
}

struct Listener {
    options: InputOptions,
    sender: SignalSender,
    stop: Arc<AtomicBool>,
    devices: BTreeMap<PathBuf, (Device, Translator)>,
}

impl Listener {
    /// The files to listen to that are there.
    fn files(&self) -> Result<Vec<PathBuf>, InputError> {
        if !self.options.devices.is_empty() {
            // A keyboard that is plugged in again has the same link with another file behind it.
            return Ok(self
                .options
                .devices
                .iter()
                .filter_map(|device| device.canonicalize().ok())
                .collect());
        }
        let folder = &self.options.folder;
        let entries = std::fs::read_dir(folder).map_err(|source| InputError::Folder {
            folder: folder.clone(),
            source,
        })?;
        let files = entries.flatten().map(|entry| entry.path());
        Ok(files.filter(|path| is_event_file(path)).collect())
    }

    /// Opens new devices; returns one that may not be opened.
    fn scan(&mut self) -> Result<Option<PathBuf>, InputError> {
        let mut denied = None;
        for path in self.files()? {
            if self.devices.contains_key(&path) {
                continue;
            }
            match self.open_device(&path) {
                Ok(device) => {
                    log::info!(
                        "{}: listening to '{}'",
                        path.display(),
                        device.0.name().unwrap_or("a device without a name")
                    );
                    self.devices.insert(path, device);
                }
                Err(error) if error.kind() == ErrorKind::PermissionDenied => denied = Some(path),
                Err(error) => log::debug!("{}: {error}", path.display()),
            }
        }
        Ok(denied)
    }

    fn open_device(&self, path: &Path) -> std::io::Result<(Device, Translator)> {
        let mut device = Device::open(path)?;
        device.set_nonblocking(true)?;
        if self.options.grab && is_keyboard(&device) {
            let refused = |source| InputError::Grab {
                device: path.to_owned(),
                source,
            };
            device.grab().map_err(refused).unwrap_or_else(|error| log::warn!("{error}"));
        }
        let translator = Translator::of(&device, self.options.frame, self.options.rotation);
        Ok((device, translator))
    }

    fn run(&mut self) {
        let mut scanned = Instant::now();
        while !self.stop.load(Ordering::Relaxed) {
            self.wait();
            if !self.read() {
                return;
            }
            if scanned.elapsed() >= RESCAN {
                if let Err(error) = self.scan() {
                    log::debug!("{error}");
                }
                scanned = Instant::now();
            }
        }
    }

    /// Waits until a device has events, or for a while.
    fn wait(&self) {
        let mut waiting: Vec<PollFd<'_>> = self
            .devices
            .values()
            .map(|(device, _)| PollFd::new(device, PollFlags::IN))
            .collect();
        if let Err(error) = poll(&mut waiting, Some(&PATIENCE)) {
            log::debug!("input devices: {error}");
            thread::sleep(Duration::from_millis(200));
        }
    }

    /// Reads pending events; returns whether anyone still listens.
    fn read(&mut self) -> bool {
        let (mut gone, mut signals) = (Vec::new(), Vec::new());
        for (path, (device, translator)) in &mut self.devices {
            match device.fetch_events() {
                Ok(events) => signals.extend(events.flat_map(|event| translator.event(event))),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => {
                    log::info!("{}: {error}; unplugged", path.display());
                    gone.push(path.clone());
                }
            }
        }
        self.devices.retain(|path, _| !gone.contains(path));
        let at = Instant::now();
        signals.into_iter().all(|signal| self.sender.send(signal, at))
    }
}

fn is_event_file(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("event"))
}

/// Whether it has keys that a console hears: those below the first button of a mouse or touch screen (the kernel's
/// `input-event-codes.h`).
fn is_keyboard(device: &Device) -> bool {
    let keys = device.supported_keys();
    keys.is_some_and(|keys| keys.iter().any(|key| key.code() < KeyCode::BTN_0.code()))
}

/// Turns the events of one device into signals.
#[derive(Clone, Debug)]
pub struct Translator {
    /// Width and height of the panel in pixels, before rotation.
    panel: Size,
    rotation: Rotation,
    /// Ranges of the horizontal and vertical axes of a touch device.
    ranges: Option<[RangeInclusive<i32>; 2]>,
    /// Whether it turns without being a mouse: the kernel's rotary-encoder.
    is_wheel: bool,
    /// Whether it reports touches by a key, else by finger ids.
    has_touch_key: bool,
    at: [i32; 2],
    touched: bool,
    has_changed: bool,
}

impl Translator {
    /// For a device, by its capabilities, on a panel that shows frames of a size in a rotation.
    pub fn of(device: &Device, frame: Size, rotation: Rotation) -> Translator {
        let ranges: BTreeMap<u16, RangeInclusive<i32>> = device
            .get_absinfo()
            .map(|axes| axes.map(|(axis, info)| (axis.0, info.minimum()..=info.maximum())).collect())
            .unwrap_or_default();
        let range = |single: AbsoluteAxisCode, multi: AbsoluteAxisCode| ranges.get(&multi.0).or(ranges.get(&single.0)).cloned();
        let across = range(AbsoluteAxisCode::ABS_X, AbsoluteAxisCode::ABS_MT_POSITION_X);
        let down = range(AbsoluteAxisCode::ABS_Y, AbsoluteAxisCode::ABS_MT_POSITION_Y);
        let has = |key: KeyCode| device.supported_keys().is_some_and(|keys| keys.contains(key));
        let turns = device
            .supported_relative_axes()
            .is_some_and(|axes| axes.contains(RelativeAxisCode::REL_X));
        Translator::new(
            (frame, rotation),
            across.zip(down).map(|(across, down)| [across, down]),
            has(KeyCode::BTN_TOUCH),
            turns && !has(KeyCode::BTN_LEFT),
        )
    }

    fn new(
        (frame, rotation): (Size, Rotation),
        ranges: Option<[RangeInclusive<i32>; 2]>,
        has_touch_key: bool,
        is_wheel: bool,
    ) -> Translator {
        Translator {
            panel: rotation.size(frame),
            rotation,
            ranges,
            is_wheel,
            has_touch_key,
            at: [0; 2],
            touched: false,
            has_changed: false,
        }
    }

    /// The signals of an event.
    pub fn event(&mut self, event: InputEvent) -> Vec<Signal> {
        match event.destructure() {
            EventSummary::Key(_, KeyCode::BTN_TOUCH, value) => self.touch(value != 0),
            EventSummary::Key(_, key, value) => keys(key, value),
            EventSummary::RelativeAxis(_, axis, value) => self.wheel(axis, value),
            EventSummary::AbsoluteAxis(_, axis, value) => self.finger(axis, value),
            EventSummary::Synchronization(_, SynchronizationCode::SYN_REPORT, _) => self.report().into_iter().collect(),
            _ => Vec::new(),
        }
    }

    fn touch(&mut self, touched: bool) -> Vec<Signal> {
        self.has_changed |= self.touched != touched;
        self.touched = touched;
        Vec::new()
    }

    fn wheel(&self, axis: RelativeAxisCode, value: i32) -> Vec<Signal> {
        match axis {
            // Downwards is clockwise.
            RelativeAxisCode::REL_WHEEL => vec![Signal::Turn(-value)],
            RelativeAxisCode::REL_DIAL => vec![Signal::Turn(value)],
            RelativeAxisCode::REL_X if self.is_wheel => vec![Signal::Turn(value)],
            _ => Vec::new(),
        }
    }

    fn finger(&mut self, axis: AbsoluteAxisCode, value: i32) -> Vec<Signal> {
        let place = match axis {
            AbsoluteAxisCode::ABS_X | AbsoluteAxisCode::ABS_MT_POSITION_X => 0,
            AbsoluteAxisCode::ABS_Y | AbsoluteAxisCode::ABS_MT_POSITION_Y => 1,
            AbsoluteAxisCode::ABS_MT_TRACKING_ID if !self.has_touch_key => return self.touch(value >= 0),
            _ => return Vec::new(),
        };
        self.at[place] = value;
        self.has_changed |= self.touched;
        Vec::new()
    }

    /// The end of simultaneous events.
    fn report(&mut self) -> Option<Signal> {
        let [across, down] = self.ranges.as_ref()?;
        let at = Point::new(
            scaled(self.at[0], across, self.panel.width),
            scaled(self.at[1], down, self.panel.height),
        );
        let at = self.rotation.frame_point(at, self.panel);
        std::mem::take(&mut self.has_changed).then_some(Signal::Touch { at, pressed: self.touched })
    }
}

/// A value of an axis as a pixel of a side.
fn scaled(value: i32, range: &RangeInclusive<i32>, side: u32) -> i32 {
    let (low, high) = (i64::from(*range.start()), i64::from(*range.end()));
    let last = i64::from(side.max(1)) - 1;
    let span = (high - low).max(1);
    ((i64::from(value).clamp(low, high.max(low)) - low) * last / span) as i32
}

/// The signals of a key: its name, and the character that it types. The kernel's repeats only type; [`super::Gestures`] detects
/// held buttons.
fn keys(key: KeyCode, value: i32) -> Vec<Signal> {
    let name = canonical(&format!("{key:?}"));
    let letter = letter(&name).filter(|_| value != 0).map(Signal::Character);
    let key = (value != 2).then_some(Signal::Key { name, pressed: value == 1 });
    key.into_iter().chain(letter).collect()
}

/// The character of a key: letters and digits as printed on an English keyboard.
fn letter(name: &str) -> Option<char> {
    match name {
        "space" => Some(' '),
        "minus" => Some('-'),
        "comma" => Some(','),
        "dot" => Some('.'),
        "backspace" => Some('\u{8}'),
        _ => {
            let mut letters = name.chars();
            letters
                .next()
                .filter(|letter| letter.is_ascii_alphanumeric() && letters.next().is_none())
        }
    }
}

#[cfg(test)]
mod tests;
