//! A model of an e-paper controller: takes bytes as they come over the wires, keeps time, and gives back the picture.
//!
//! It knows the commands that all controllers here share and keeps every other one as a register. Whatever a real
//! controller would take amiss becomes a complaint: bytes while it is busy or asleep, transfers that are too long, a
//! refresh without power, a power cut within one.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use embedded_hal::delay::DelayNs;
use embedded_hal::digital::{self, InputPin, OutputPin, PinState};
use embedded_hal::spi::{self, Operation, SpiDevice};

use super::super::{Connection, LONGEST_TRANSFER, Lines};

/// What the controller does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// It is not there: nothing pulls the busy line low.
    Absent,
    /// It never ends a refresh.
    Stuck,
    /// It is busy from the beginning.
    BusyForEver,
}

/// What is on the other side of the wires.
pub struct Controller {
    pub memory: Size,
    pub bits_per_pixel: usize,
    pub refresh_milliseconds: u64,
    pub fault: Fault,
    /// Milliseconds since the start.
    pub now: f64,
    pub busy_until: f64,
    pub registers: BTreeMap<u8, Vec<u8>>,
    /// Old and new pixels, in bytes.
    pub old: Vec<u8>,
    pub new: Vec<u8>,
    /// What the panel shows.
    pub shown: Option<Vec<u8>>,
    pub refreshes: Vec<Rectangle>,
    pub complaints: Vec<String>,
    pub powered: bool,
    pub supplied: bool,
    pub asleep: bool,
    pub resets: usize,
    pub transfers: usize,
    is_data: bool,
    reset_low: bool,
    command: u8,
    command_at: f64,
    data: Vec<u8>,
    window: Option<Rectangle>,
}

impl Controller {
    pub fn new(memory: Size, bits_per_pixel: usize, refresh_milliseconds: u64) -> Controller {
        let bytes = memory.width as usize * memory.height as usize * bits_per_pixel / 8;
        Controller {
            memory,
            bits_per_pixel,
            refresh_milliseconds,
            fault: Fault::None,
            now: 0.0,
            busy_until: 0.0,
            registers: BTreeMap::new(),
            old: vec![0; bytes],
            new: vec![0; bytes],
            shown: None,
            refreshes: Vec::new(),
            complaints: Vec::new(),
            powered: false,
            supplied: false,
            asleep: true,
            resets: 0,
            transfers: 0,
            is_data: false,
            reset_low: false,
            command: 0,
            command_at: 0.0,
            data: Vec::new(),
            window: None,
        }
    }

    fn complain(&mut self, complaint: &str) {
        let complaint = format!("{complaint} (command {:#04x}, {:.0} ms)", self.command, self.now);
        self.complaints.push(complaint);
    }

    fn is_busy(&self) -> bool {
        match self.fault {
            Fault::BusyForEver => true,
            Fault::Absent => false,
            _ => self.now < self.busy_until,
        }
    }

    fn busy_for(&mut self, milliseconds: u64) {
        self.busy_until = self.now + milliseconds as f64;
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.transfers += 1;
        if bytes.len() > LONGEST_TRANSFER {
            self.complain("a transfer longer than spidev takes");
        }
        if self.fault == Fault::Absent {
            return;
        }
        if self.asleep || self.reset_low {
            return self.complain("bytes during sleep or reset");
        }
        if !self.supplied {
            return self.complain("bytes without supply");
        }
        // The data of a command that makes it busy follow at once.
        if self.is_busy() && !(self.is_data && self.now == self.command_at) {
            return self.complain("bytes while busy");
        }
        if self.is_data {
            self.data.extend(bytes);
            self.keep();
            return;
        }
        for &command in bytes {
            self.check_pixels();
            (self.command, self.command_at, self.data) = (command, self.now, Vec::new());
            self.keep();
            self.execute();
        }
    }

    /// Keeps the data that came so far.
    fn keep(&mut self) {
        match self.command {
            0x10 | 0x13 if self.is_pixels() => {}
            0x07 => {
                if self.data == [0xA5] {
                    self.asleep = true;
                    if self.powered {
                        self.complain("deep sleep with the power on");
                    }
                }
            }
            0x90 if self.data.len() == 9 => {
                let end = |at: usize| i32::from(u16::from_be_bytes([self.data[at], self.data[at + 1]]));
                self.window = Some(Rectangle::with_corners(Point::new(end(0), end(4)), Point::new(end(2), end(6))));
            }
            command => {
                self.registers.insert(command, self.data.clone());
            }
        }
    }

    /// Whether the last command takes pixels: on colour controllers 0x13 is a register.
    fn is_pixels(&self) -> bool {
        self.command == 0x10 || (self.command == 0x13 && self.bits_per_pixel == 1)
    }

    /// When the next command comes, the pixels must be all there.
    fn check_pixels(&mut self) {
        if !self.is_pixels() || self.data.is_empty() {
            return;
        }
        let data = std::mem::take(&mut self.data);
        let part = self.window.unwrap_or(Rectangle::new(Point::zero(), self.memory));
        let line = self.memory.width as usize * self.bits_per_pixel / 8;
        let (left, width) = (
            part.top_left.x as usize * self.bits_per_pixel / 8,
            part.size.width as usize * self.bits_per_pixel / 8,
        );
        if data.len() != width * part.size.height as usize {
            return self.complain(&format!("{} bytes of pixels for {part:?}", data.len()));
        }
        let plane = if self.command == 0x10 && self.bits_per_pixel == 1 {
            &mut self.old
        } else {
            &mut self.new
        };
        for (row, bytes) in data.chunks(width).enumerate() {
            let start = (part.top_left.y as usize + row) * line + left;
            plane[start..start + width].copy_from_slice(bytes);
        }
    }

    fn execute(&mut self) {
        match self.command {
            0x04 => {
                self.powered = true;
                self.busy_for(120);
            }
            0x02 => {
                self.powered = false;
                self.busy_for(80);
            }
            0x12 => self.refresh(),
            0x92 => self.window = None,
            _ => {}
        }
    }

    fn refresh(&mut self) {
        if !self.powered {
            self.complain("a refresh without power");
        }
        let part = self.window.unwrap_or(Rectangle::new(Point::zero(), self.memory));
        if self.bits_per_pixel == 1 && self.window.is_some() && self.shown.as_ref() != Some(&self.old) {
            self.complain("a refresh of a part with other old pixels than are shown");
        }
        self.shown = Some(self.new.clone());
        // Register 0x50, bit 3: new pixels become old ones.
        if self.registers.get(&0x50).is_some_and(|data| data[0] & 0x08 != 0) {
            self.old = self.new.clone();
        }
        self.refreshes.push(part);
        let time = if self.fault == Fault::Stuck {
            u64::MAX / 4
        } else {
            self.refresh_milliseconds
        };
        self.busy_for(if self.window.is_some() { time / 10 } else { time });
    }

    fn reset(&mut self, low: bool) {
        if low && !self.reset_low {
            if !self.asleep && self.is_busy() {
                self.complain("a reset while busy");
            }
            self.resets += usize::from(self.supplied);
        }
        if !low && self.reset_low {
            let bytes = self.new.len();
            // Deep sleep and reset empty the memories and registers; what is in them is anything.
            (self.old, self.new) = (vec![0x5A; bytes], vec![0x5A; bytes]);
            (self.asleep, self.powered, self.window) = (false, false, None);
            self.registers.clear();
            self.busy_for(15);
        }
        self.reset_low = low;
    }

    /// The shown pixels, one a byte.
    pub fn picture(&self) -> Vec<u8> {
        let shown = self.shown.as_ref().expect("nothing is shown");
        let per_byte = 8 / self.bits_per_pixel;
        let mask = (1u16 << self.bits_per_pixel) as u8 - 1;
        let pixel = |byte: u8, at: usize| byte >> (8 - self.bits_per_pixel * (at + 1)) & mask;
        shown
            .iter()
            .flat_map(|&byte| (0..per_byte).map(move |at| pixel(byte, at)))
            .collect()
    }
}

/// The far end of the wires, shared by their devices.
pub type Shared = Arc<Mutex<Controller>>;

/// SPI.
pub struct Bus(Shared);

impl spi::ErrorType for Bus {
    type Error = Infallible;
}

impl SpiDevice for Bus {
    fn transaction(&mut self, operations: &mut [Operation<'_, u8>]) -> Result<(), Infallible> {
        for operation in operations {
            match operation {
                Operation::Write(bytes) => self.0.lock().unwrap().bytes(bytes),
                other => panic!("the controller is only written to: {other:?}"),
            }
        }
        Ok(())
    }
}

/// One of the lines.
pub enum Pin {
    DataCommand(Shared),
    Reset(Shared),
    Supply(Shared),
    Busy(Shared),
}

impl digital::ErrorType for Pin {
    type Error = Infallible;
}

impl OutputPin for Pin {
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.set_state(PinState::Low)
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        self.set_state(PinState::High)
    }

    fn set_state(&mut self, state: PinState) -> Result<(), Infallible> {
        let high = state == PinState::High;
        match self {
            Pin::DataCommand(controller) => controller.lock().unwrap().is_data = high,
            Pin::Reset(controller) => controller.lock().unwrap().reset(!high),
            Pin::Supply(controller) => controller.lock().unwrap().supplied = high,
            Pin::Busy(_) => panic!("the busy line is an input"),
        }
        Ok(())
    }
}

impl InputPin for Pin {
    fn is_high(&mut self) -> Result<bool, Infallible> {
        self.is_low().map(|low| !low)
    }

    fn is_low(&mut self) -> Result<bool, Infallible> {
        let Pin::Busy(controller) = self else {
            panic!("only the busy line is read")
        };
        Ok(controller.lock().unwrap().is_busy())
    }
}

/// Time: goes on only when a driver waits.
pub struct Time(Shared);

impl DelayNs for Time {
    fn delay_ns(&mut self, nanoseconds: u32) {
        self.0.lock().unwrap().now += f64::from(nanoseconds) / 1e6;
    }

    fn delay_us(&mut self, microseconds: u32) {
        self.0.lock().unwrap().now += f64::from(microseconds) / 1e3;
    }
}

/// The real connection, with the model at its far end.
pub fn connect(controller: Controller) -> (Box<Connection<Bus, Pin, Pin, Time>>, Shared) {
    let shared = Arc::new(Mutex::new(controller));
    let lines = Lines {
        data_command: Pin::DataCommand(shared.clone()),
        reset: Pin::Reset(shared.clone()),
        busy: Pin::Busy(shared.clone()),
        chip_select: None,
        supply: Some(Pin::Supply(shared.clone())),
    };
    (Box::new(Connection::new(Bus(shared.clone()), lines, Time(shared.clone()))), shared)
}
