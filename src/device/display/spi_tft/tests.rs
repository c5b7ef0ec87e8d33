//! A model of the controllers: it takes the bytes of the bus with the level of the data/command line and keeps what its
//! memory would hold, by the data sheets' account of CASET, RASET, RAMWR, MADCTL and COLMOD.

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

use embedded_hal::digital::ErrorType as PinErrors;
use embedded_hal::spi::{ErrorType as BusErrors, Operation};

use super::*;
use crate::device::display::test_pattern;
use embedded_graphics::pixelcolor::Rgb888;

#[derive(Default)]
struct Controller {
    size: (usize, usize),
    memory: Vec<u16>,
    is_data: bool,
    command: u8,
    arguments: Vec<u8>,
    /// First and last column and row of the window.
    window: [u16; 4],
    at: (u16, u16),
    /// MADCTL.
    access: u8,
    /// COLMOD.
    format: u8,
    inverted: bool,
    shows: bool,
    sleeps: bool,
    resets: usize,
    soft_resets: usize,
    light: Option<bool>,
    bytes: usize,
    longest: usize,
    is_broken: bool,
}

impl Controller {
    fn feed(&mut self, bytes: &[u8]) {
        assert!(!bytes.is_empty(), "an empty transfer");
        self.bytes += bytes.len();
        self.longest = self.longest.max(bytes.len());
        for &byte in bytes {
            if self.is_data { self.argument(byte) } else { self.begin(byte) }
        }
    }

    fn begin(&mut self, command: u8) {
        self.command = command;
        self.arguments.clear();
        match command {
            0x01 => self.soft_resets += 1,
            0x10 => self.sleeps = true,
            0x11 => self.sleeps = false,
            0x20 | 0x21 => self.inverted = command == 0x21,
            0x28 | 0x29 => self.shows = command == 0x29,
            0x2C => self.at = (self.window[0], self.window[2]),
            _ => {}
        }
    }

    fn argument(&mut self, byte: u8) {
        self.arguments.push(byte);
        match (self.command, self.arguments.as_slice()) {
            (0x2A | 0x2B, &[a, b, c, d]) => {
                let half = usize::from(self.command == 0x2B) * 2;
                self.window[half] = u16::from_be_bytes([a, b]);
                self.window[half + 1] = u16::from_be_bytes([c, d]);
            }
            (0x2C, &[high, low]) => {
                self.arguments.clear();
                self.pixel(u16::from_be_bytes([high, low]));
            }
            (0x36, &[access]) => self.access = access,
            (0x3A, &[format]) => self.format = format,
            _ => {}
        }
    }

    /// Bit 5 of MADCTL exchanges rows and columns, bits 6 and 7 then count columns and rows from the other end.
    fn pixel(&mut self, colour: u16) {
        let (column, row) = (usize::from(self.at.0), usize::from(self.at.1));
        let (mut x, mut y) = if self.access & 0x20 == 0 { (column, row) } else { (row, column) };
        let (width, height) = self.size;
        assert!(x < width && y < height, "{x},{y} is outside the memory");
        x = if self.access & 0x40 == 0 { x } else { width - 1 - x };
        y = if self.access & 0x80 == 0 { y } else { height - 1 - y };
        self.memory[y * width + x] = colour;
        let [first, last, top, bottom] = self.window;
        self.at = match self.at {
            (column, row) if column < last => (column + 1, row),
            (_, row) if row < bottom => (first, row + 1),
            _ => (first, top),
        };
    }
}

type Shared = Rc<RefCell<Controller>>;

#[derive(Clone)]
struct Bus(Shared);

#[derive(Debug)]
struct Broken;

impl embedded_hal::spi::Error for Broken {
    fn kind(&self) -> embedded_hal::spi::ErrorKind {
        embedded_hal::spi::ErrorKind::Other
    }
}

impl BusErrors for Bus {
    type Error = Broken;
}

impl SpiDevice for Bus {
    fn transaction(&mut self, operations: &mut [Operation<'_, u8>]) -> Result<(), Broken> {
        for operation in operations {
            let Operation::Write(bytes) = operation else {
                panic!("only writing is needed")
            };
            if self.0.borrow().is_broken {
                return Err(Broken);
            }
            self.0.borrow_mut().feed(bytes);
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Purpose {
    DataCommand,
    Reset,
    Light,
}

struct Pin(Shared, Purpose);

impl PinErrors for Pin {
    type Error = Infallible;
}

impl OutputPin for Pin {
    fn set_low(&mut self) -> Result<(), Infallible> {
        let mut controller = self.0.borrow_mut();
        match self.1 {
            Purpose::DataCommand => controller.is_data = false,
            Purpose::Reset => controller.resets += 1,
            Purpose::Light => controller.light = Some(false),
        }
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        let mut controller = self.0.borrow_mut();
        match self.1 {
            Purpose::DataCommand => controller.is_data = true,
            Purpose::Reset => {}
            Purpose::Light => controller.light = Some(true),
        }
        Ok(())
    }
}

struct NoDelay;

impl DelayNs for NoDelay {
    fn delay_ns(&mut self, _: u32) {}
}

fn attach(config: PanelConfig, has_reset: bool) -> (Shared, Box<dyn Screen>) {
    let Size { width, height } = config.model.memory();
    let size = (width as usize, height as usize);
    let controller = Rc::new(RefCell::new(Controller {
        size,
        memory: vec![0xDEAD; size.0 * size.1],
        ..Controller::default()
    }));
    let pin = |purpose| Pin(controller.clone(), purpose);
    let connection = Connection {
        spi: Bus(controller.clone()),
        data_command: pin(Purpose::DataCommand),
        reset: has_reset.then(|| pin(Purpose::Reset)),
        backlight: Some(pin(Purpose::Light)),
        max_transfer: DEFAULT_TRANSFER,
    };
    let screen = start(config, connection, NoDelay).unwrap();
    (controller, screen)
}

/// The five, six and five bits nearest to a colour.
fn high_colour(colour: Rgb888) -> u16 {
    let bits = |value: u8, most: u16| (f64::from(value) / 255.0 * f64::from(most)).round() as u16;
    bits(colour.r(), 31) << 11 | bits(colour.g(), 63) << 5 | bits(colour.b(), 31)
}

/// Every visible pixel of the controller's memory is the frame's that belongs there, and no other was touched.
fn holds(controller: &Controller, config: PanelConfig, frame: &Frame) {
    let mut expected = vec![0xDEAD; controller.memory.len()];
    for point in frame.bounding_box().points() {
        let place = config.rotation.point(point, config.size) + config.offset;
        expected[place.y as usize * controller.size.0 + place.x as usize] = high_colour(frame.colour(point).unwrap());
    }
    let wrong = controller.memory.iter().zip(&expected).position(|(one, other)| one != other);
    assert_eq!(wrong, None, "{config:?}: the first wrong pixel");
}

const ROTATIONS: [Rotation; 4] = [Rotation::None, Rotation::Quarter, Rotation::Half, Rotation::ThreeQuarters];

/// Panels as they are sold.
fn configs() -> Vec<PanelConfig> {
    let st7789 = PanelConfig::new(Model::St7789);
    let square = PanelConfig {
        size: Size::new(240, 240),
        ..st7789
    };
    let narrow = PanelConfig {
        size: Size::new(135, 240),
        offset: Point::new(52, 40),
        ..st7789
    };
    vec![
        st7789,
        square,
        narrow,
        PanelConfig::new(Model::Ili9341),
        PanelConfig::new(Model::Gc9a01),
    ]
}

#[test]
fn every_pixel_arrives_on_every_panel_in_every_rotation() {
    for upright in configs() {
        for rotation in ROTATIONS {
            let config = PanelConfig { rotation, ..upright };
            let (controller, mut screen) = attach(config, true);
            assert_eq!(screen.panel().size, rotation.size(config.size));
            holds(&controller.borrow(), config, &Frame::new(screen.panel().size));
            let frame = test_pattern(screen.panel().size);
            screen.present(&frame, frame.bounding_box()).unwrap();
            let controller = controller.borrow();
            holds(&controller, config, &frame);
            assert!(controller.shows && !controller.sleeps && controller.resets == 1);
            assert_eq!(controller.format & 0x07, 5, "16 bits a pixel");
            assert_eq!(
                (controller.access & 0x08 != 0, controller.inverted),
                (config.blue_first, config.inverted)
            );
            assert!(controller.longest <= DEFAULT_TRANSFER);
        }
    }
}

#[test]
fn only_the_damage_is_sent() {
    for config in configs() {
        let (controller, mut screen) = attach(config, true);
        let mut frame = test_pattern(screen.panel().size);
        screen.present(&frame, frame.bounding_box()).unwrap();
        let before = controller.borrow().bytes;
        let damage = Rectangle::new(Point::new(20, 30), Size::new(17, 5));
        frame.fill_solid(&damage, Rgb888::RED).unwrap();
        screen.present(&frame, damage).unwrap();
        holds(&controller.borrow(), config, &frame);
        assert_eq!(
            controller.borrow().bytes - before,
            11 + 17 * 5 * 2,
            "the window, the command and two bytes a pixel"
        );
        screen.present(&frame, Rectangle::zero()).unwrap();
        let outside = Rectangle::new(Point::new(-9, 5000), Size::new(90, 90));
        screen.present(&frame, outside).unwrap();
        assert_eq!(controller.borrow().bytes - before, 11 + 17 * 5 * 2);
    }
}

#[test]
fn the_light_follows_sleep_and_brightness() {
    let config = PanelConfig::new(Model::Gc9a01);
    let (controller, mut screen) = attach(config, true);
    assert_eq!(controller.borrow().light, Some(true));
    let frame = test_pattern(screen.panel().size);
    screen.sleep().unwrap();
    screen.sleep().unwrap();
    assert_eq!((controller.borrow().light, controller.borrow().sleeps), (Some(false), true));
    screen.present(&frame, Rectangle::new(Point::zero(), Size::new(1, 1))).unwrap();
    assert_eq!((controller.borrow().light, controller.borrow().sleeps), (Some(true), false));
    holds(&controller.borrow(), config, &frame);
    screen.dim(0.5).unwrap();
    let mut white = Frame::new(frame.size());
    white.clear(Rgb888::WHITE).unwrap();
    screen.present(&white, white.bounding_box()).unwrap();
    let mut grey = Frame::new(frame.size());
    grey.clear(Rgb888::new(128, 128, 128)).unwrap();
    holds(&controller.borrow(), config, &grey);
    screen.dim(0.0).unwrap();
    assert_eq!(controller.borrow().light, Some(false));
    screen.dim(1.0).unwrap();
    drop(screen);
    assert_eq!((controller.borrow().light, controller.borrow().sleeps), (Some(false), true));
}

#[test]
fn without_a_reset_line_a_command_resets() {
    let (controller, _screen) = attach(PanelConfig::new(Model::St7789), false);
    assert_eq!((controller.borrow().resets, controller.borrow().soft_resets), (0, 1));
}

#[test]
fn a_bus_that_fails_is_an_error_and_may_work_again() {
    let config = PanelConfig::new(Model::Ili9341);
    let (controller, mut screen) = attach(config, true);
    let frame = test_pattern(screen.panel().size);
    controller.borrow_mut().is_broken = true;
    let error = screen.present(&frame, frame.bounding_box()).unwrap_err().to_string();
    assert!(error.contains("spi ili9341") && error.contains("Broken"), "{error}");
    controller.borrow_mut().is_broken = false;
    screen.present(&frame, frame.bounding_box()).unwrap();
    holds(&controller.borrow(), config, &frame);
}

#[test]
fn a_visible_part_outside_the_memory_is_rejected() {
    let config = PanelConfig::new(Model::St7789);
    for (size, offset) in [
        (Size::new(241, 240), Point::zero()),
        (Size::new(240, 240), Point::new(0, 81)),
        (Size::new(0, 240), Point::zero()),
        (Size::new(10, 10), Point::new(-1, 0)),
    ] {
        let error = PanelConfig { size, offset, ..config }.check().unwrap_err().to_string();
        assert!(error.contains("240x320"), "{error}");
    }
}
