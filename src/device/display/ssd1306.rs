//! SSD1306: a small display of 128 × 64 pixels in one colour on I²C, driven by the crate `ssd1306`.
//!
//! Owns the conversion of a frame to lit pixels, and sends only the bytes that changed. This project never ran it with a real
//! display: it is tested against a model of the controller (SSD1306 data sheet, Solomon Systech, revision 1.1).

use std::path::Path;

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use embedded_hal::i2c::I2c;
use ssd1306::mode::BufferedGraphicsMode;
use ssd1306::prelude::*;
use ssd1306::{I2CDisplayInterface, Ssd1306 as Controller};

use super::{Colours, Device, DisplayError, DisplaySettings, Driver, Frame, Panel, Presence, Rotation, Screen};
use crate::device::i2c;
use crate::picture::dither;

/// Address of most modules; some answer at 0x3D.
pub const ADDRESS: u8 = 0x3C;

/// Width and height in pixels.
const SIZE: Size = Size::new(128, 64);

/// The row of the driver table.
pub(super) const DRIVER: Driver = Driver::new(
    "ssd1306",
    open,
    Presence::DeviceFiles {
        prefix: "/dev/i2c-",
        group: "i2c",
    },
)
.with_about("SSD1306 on I2C, 128x64")
.with_devices(|settings| vec![Device::I2c(settings.i2c_bus())]);

fn open(settings: &DisplaySettings) -> Result<Box<dyn Screen>, DisplayError> {
    let address = settings.address.unwrap_or(ADDRESS);
    Ok(Box::new(Ssd1306::open(&settings.i2c_bus(), address, settings.rotation)?))
}

type BufferedController<Bus> = Controller<I2CInterface<Bus>, DisplaySize128x64, BufferedGraphicsMode<DisplaySize128x64>>;

/// The error of the controller's functions.
type BusError<Bus> = <BufferedController<Bus> as DisplayConfig>::Error;

/// An SSD1306. Pixels of at least half the brightness are lit.
pub struct Ssd1306<Bus> {
    panel: Panel,
    controller: BufferedController<Bus>,
    /// The pixels that are lit; `None` before the first frame and after an error.
    shown: Option<Vec<bool>>,
    is_on: bool,
}

impl Ssd1306<linux_embedded_hal::I2cdev> {
    /// The display on an I²C bus of Linux.
    ///
    /// # Errors
    /// If the bus is absent or may not be opened.
    pub fn open(bus: &Path, address: u8, rotation: Rotation) -> Result<Self, DisplayError> {
        Ok(Ssd1306::new(i2c::open(bus)?, address, rotation))
    }
}

impl<Bus: I2c> Ssd1306<Bus> {
    /// The display on a bus. Sends nothing yet.
    pub fn new(bus: Bus, address: u8, rotation: Rotation) -> Self {
        let rotated = match rotation {
            Rotation::None => DisplayRotation::Rotate0,
            Rotation::Quarter => DisplayRotation::Rotate90,
            Rotation::Half => DisplayRotation::Rotate180,
            Rotation::ThreeQuarters => DisplayRotation::Rotate270,
        };
        let interface = I2CDisplayInterface::new_custom_address(bus, address);
        Ssd1306 {
            panel: Panel::new(format!("ssd1306 at {address:#04x}"), rotation.size(SIZE))
                .with_rotation(rotation)
                .with_colours(Colours::Mono),
            controller: Controller::new(interface, DisplaySize128x64, rotated).into_buffered_graphics_mode(),
            shown: None,
            is_on: false,
        }
    }

    /// Runs an operation. After a failure, which may be a loose plug, the next frame initializes the display again.
    fn run(&mut self, operation: impl FnOnce(&mut Self) -> Result<(), BusError<Bus>>) -> Result<(), DisplayError> {
        operation(self).map_err(|error| {
            (self.shown, self.is_on) = (None, false);
            DisplayError::Failed {
                display: self.panel.name.clone(),
                problem: format!("it does not answer ({error:?}); check its plug and its address (`i2cdetect -y 1` lists them)"),
            }
        })
    }

    fn show(&mut self, lit: Vec<bool>) -> Result<(), BusError<Bus>> {
        if self.shown.is_none() {
            self.controller.init()?;
            self.is_on = true;
        }
        let width = self.panel.size.width as usize;
        let before = self.shown.as_deref();
        // The crate sends the smallest rectangle that contains all pixels that were set.
        let changed = lit
            .iter()
            .enumerate()
            .filter(|&(at, lit)| before.is_none_or(|before| before.get(at) != Some(lit)));
        for (at, &lit) in changed {
            self.controller.set_pixel((at % width) as u32, (at / width) as u32, lit);
        }
        self.controller.flush()?;
        if !self.is_on {
            self.controller.set_display_on(true)?;
            self.is_on = true;
        }
        self.shown = Some(lit);
        Ok(())
    }
}

impl<Bus: I2c> Screen for Ssd1306<Bus> {
    fn panel(&self) -> &Panel {
        &self.panel
    }

    fn present(&mut self, frame: &Frame, _damage: Rectangle) -> Result<(), DisplayError> {
        self.panel.check_size(frame)?;
        let lit = dither::lit(frame.bytes());
        self.run(|display| display.show(lit))
    }

    fn sleep(&mut self) -> Result<(), DisplayError> {
        if !self.is_on {
            return Ok(());
        }
        self.run(|display| {
            display.controller.set_display_on(false)?;
            display.is_on = false;
            Ok(())
        })
    }

    fn dim(&mut self, brightness: f32) -> Result<(), DisplayError> {
        let contrast = (brightness.clamp(0.0, 1.0) * 255.0) as u8;
        if self.shown.is_none() {
            return Ok(());
        }
        self.run(|display| {
            display
                .controller
                .set_brightness(Brightness::custom(if contrast < 0x20 { 1 } else { 2 }, contrast))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use embedded_graphics::mono_font::{MonoTextStyle, ascii::FONT_6X10};
    use embedded_graphics::pixelcolor::Rgb888;
    use embedded_graphics::text::Text;
    use embedded_hal::i2c::{ErrorKind, ErrorType, NoAcknowledgeSource, Operation};
    use std::cell::RefCell;
    use std::rc::Rc;

    /// A model of the controller: takes the bytes of the bus and tells which pixels are lit.
    #[derive(Default)]
    struct Model {
        memory: Vec<u8>,
        column: (u8, u8, u8),
        page: (u8, u8, u8),
        remapped: bool,
        reversed: bool,
        on: bool,
        contrast: u8,
        absent: bool,
        data: usize,
        command: Vec<u8>,
    }

    impl Model {
        fn new() -> Rc<RefCell<Model>> {
            Rc::new(RefCell::new(Model {
                memory: vec![0xA5; 1024],
                ..Model::default()
            }))
        }

        fn write(&mut self, bytes: &[u8]) {
            match bytes[0] {
                0x00 => bytes[1..].iter().for_each(|&byte| self.command_byte(byte)),
                0x40 => bytes[1..].iter().for_each(|&byte| self.data_byte(byte)),
                other => panic!("control byte {other:#04x}"),
            }
        }

        /// Data sheet, table 9: commands and how many bytes follow them.
        fn command_byte(&mut self, byte: u8) {
            self.command.push(byte);
            let length = match self.command[0] {
                0x20 | 0x81 | 0x8D | 0xA8 | 0xD3 | 0xD5 | 0xD9 | 0xDA | 0xDB => 2,
                0x21 | 0x22 => 3,
                0x2E | 0x2F | 0x40..=0x7F | 0xA0 | 0xA1 | 0xA4..=0xA7 | 0xAE | 0xAF | 0xC0 | 0xC8 => 1,
                other => panic!("command {other:#04x}"),
            };
            if self.command.len() < length {
                return;
            }
            match self.command[..] {
                [0x20, mode] => assert_eq!(mode, 0, "horizontal addressing"),
                [0x21, first, last] => self.column = (first, last, first),
                [0x22, first, last] => self.page = (first, last, first),
                [0x81, contrast] => self.contrast = contrast,
                [direction @ (0xA0 | 0xA1)] => self.remapped = direction == 0xA1,
                [direction @ (0xC0 | 0xC8)] => self.reversed = direction == 0xC8,
                [state @ (0xAE | 0xAF)] => self.on = state == 0xAF,
                _ => {}
            }
            self.command.clear();
        }

        fn data_byte(&mut self, byte: u8) {
            self.data += 1;
            self.memory[usize::from(self.page.2) * 128 + usize::from(self.column.2)] = byte;
            self.column.2 += 1;
            if self.column.2 > self.column.1 {
                self.column.2 = self.column.0;
                self.page.2 = if self.page.2 == self.page.1 { self.page.0 } else { self.page.2 + 1 };
            }
        }

        /// Whether a pixel is lit, on a module whose upright orientation reverses both directions, as is common.
        fn is_lit(&self, x: usize, y: usize) -> bool {
            let column = if self.remapped { x } else { 127 - x };
            let row = if self.reversed { y } else { 63 - y };
            self.memory[row / 8 * 128 + column] >> (row % 8) & 1 == 1
        }
    }

    struct Bus(Rc<RefCell<Model>>);

    impl ErrorType for Bus {
        type Error = ErrorKind;
    }

    impl I2c for Bus {
        fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), ErrorKind> {
            let mut controller = self.0.borrow_mut();
            if address != ADDRESS || controller.absent {
                return Err(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address));
            }
            for operation in operations {
                let Operation::Write(bytes) = operation else {
                    panic!("the display is only written to")
                };
                controller.write(bytes);
            }
            Ok(())
        }
    }

    fn display(rotation: Rotation) -> (Ssd1306<Bus>, Rc<RefCell<Model>>) {
        let controller = Model::new();
        (Ssd1306::new(Bus(controller.clone()), ADDRESS, rotation), controller)
    }

    fn text(size: Size, words: &str) -> Frame {
        let mut frame = Frame::new(size);
        let style = MonoTextStyle::new(&FONT_6X10, Rgb888::WHITE);
        Text::new(words, Point::new(3, 21), style).draw(&mut frame).unwrap();
        frame
    }

    fn present(display: &mut Ssd1306<Bus>, frame: &Frame) {
        display.present(frame, frame.bounding_box()).unwrap();
    }

    /// Where a point of the frame lies on the panel: another quarter turn clockwise for each step.
    fn panel_point(point: Point, rotation: Rotation) -> (usize, usize) {
        let (x, y) = (point.x as usize, point.y as usize);
        match rotation {
            Rotation::None => (x, y),
            Rotation::Quarter => (127 - y, x),
            Rotation::Half => (127 - x, 63 - y),
            Rotation::ThreeQuarters => (y, 63 - x),
        }
    }

    #[test]
    fn every_pixel_is_the_frame_s_in_every_rotation() {
        for rotation in [Rotation::None, Rotation::Quarter, Rotation::Half, Rotation::ThreeQuarters] {
            let (mut display, controller) = display(rotation);
            for words in ["Inkstone", "drawing 42 %", "", "drawing 43 %"] {
                let frame = text(display.panel().size, words);
                present(&mut display, &frame);
                let controller = controller.borrow();
                for point in frame.bounding_box().points() {
                    let (x, y) = panel_point(point, rotation);
                    assert_eq!(
                        controller.is_lit(x, y),
                        frame.colour(point) == Some(Rgb888::WHITE),
                        "{rotation:?} {words} {point}"
                    );
                }
            }
        }
    }

    #[test]
    fn only_what_changed_is_sent() {
        let (mut display, controller) = display(Rotation::None);
        let sent = || std::mem::take(&mut controller.borrow_mut().data);
        present(&mut display, &text(SIZE, "drawing 42 %"));
        assert_eq!(sent(), 1024, "all of it at first");
        present(&mut display, &text(SIZE, "drawing 42 %"));
        assert_eq!(sent(), 0);
        present(&mut display, &text(SIZE, "drawing 43 %"));
        let changed = sent();
        assert!(
            (1..=12).contains(&changed),
            "one digit of at most 6 columns in 2 pages: {changed} bytes"
        );
    }

    #[test]
    fn it_sleeps_wakes_and_dims() {
        let (mut display, controller) = display(Rotation::None);
        display.sleep().unwrap();
        display.dim(0.1).unwrap();
        present(&mut display, &text(SIZE, "awake"));
        assert!(controller.borrow().on);
        display.sleep().unwrap();
        assert!(!controller.borrow().on);
        present(&mut display, &text(SIZE, "awake"));
        assert!(controller.borrow().on, "the same frame wakes it");
        for (brightness, contrast) in [(0.0, 0), (0.5, 127), (1.0, 255), (7.0, 255)] {
            display.dim(brightness).unwrap();
            assert_eq!(controller.borrow().contrast, contrast);
        }
    }

    #[test]
    fn a_loose_plug_is_an_error_and_then_it_shows_everything_again() {
        let (mut display, controller) = display(Rotation::None);
        present(&mut display, &text(SIZE, "one"));
        controller.borrow_mut().absent = true;
        let frame = text(SIZE, "two");
        let error = display.present(&frame, frame.bounding_box()).unwrap_err().to_string();
        assert!(error.contains("ssd1306 at 0x3c") && error.contains("i2cdetect"), "{error}");
        *controller.borrow_mut() = Model {
            memory: vec![0xFF; 1024],
            ..Model::default()
        };
        present(&mut display, &frame);
        let controller = controller.borrow();
        assert!(controller.on);
        for point in frame.bounding_box().points() {
            assert_eq!(
                controller.is_lit(point.x as usize, point.y as usize),
                frame.colour(point) == Some(Rgb888::WHITE)
            );
        }
    }

    #[test]
    fn frames_of_other_sizes_are_refused() {
        let (mut display, _) = display(Rotation::Quarter);
        let frame = Frame::new(SIZE);
        let error = display.present(&frame, frame.bounding_box()).unwrap_err().to_string();
        assert!(error.contains("64"), "{error}");
    }
}
