//! Small colour panels on SPI: ST7789, ILI9341 and GC9A01, driven by `mipidsi` over any `embedded-hal` devices. Only the
//! rectangle that changed is sent, 16 bits a pixel; the controller rotates the picture.
//!
//! | file | what it owns |
//! |---|---|
//! | `link` | bytes to the controller, with its data/command line |
//! | `wiring` | the pins, and opening them through the kernel or `rppal` |
//!
//! This project never ran the drivers on a real panel: they are tested against models of the controllers.

mod link;
mod wiring;

use std::fmt::Debug;

use embedded_graphics::pixelcolor::Rgb565;
use embedded_graphics::pixelcolor::raw::RawU16;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use embedded_hal::delay::DelayNs;
use embedded_hal::digital::OutputPin;
use embedded_hal::spi::SpiDevice;
use mipidsi::models::Model as Commands;
use mipidsi::options::{ColorInversion, ColorOrder, Orientation};
use mipidsi::{Builder, Display, models};

pub use self::link::{DEFAULT_TRANSFER, Link};
pub use self::wiring::Wiring;
pub use super::wires::WiringError;
use super::{
    Colours, Detail, Device, DisplayError, DisplaySettings, Driver, Frame, Panel, PixelLayout, PixelWriter, Presence, Rotation, Screen,
};

/// The row of the driver table.
pub(super) const DRIVER: Driver = Driver::new(
    "spi",
    open,
    Presence::DeviceFiles {
        prefix: "/dev/spidev",
        group: "spi",
    },
)
.with_about("small colour panels on SPI")
.with_detail(Detail::OneOf {
    words: &[Model::St7789.name(), Model::Ili9341.name(), Model::Gc9a01.name()],
    required: true,
})
.with_devices(|settings| vec![Device::Spi(settings.spi_bus())])
.with_pins(|settings| Wiring::of(settings).pins());

fn open(settings: &DisplaySettings) -> Result<Box<dyn Screen>, DisplayError> {
    let config = PanelConfig::of(settings)?;
    config.check()?;
    Wiring::of(settings).open(config)
}

/// The controllers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    /// Sitronix ST7789: rectangular panels of 240×320, 240×240, 135×240 and 172×320.
    St7789,
    /// Ilitek ILI9341: panels of 240×320.
    Ili9341,
    /// GalaxyCore GC9A01: round panels of 240×240.
    Gc9a01,
}

impl Model {
    /// All of them.
    pub const ALL: [Model; 3] = [Model::St7789, Model::Ili9341, Model::Gc9a01];

    /// The name in settings: `st7789`.
    pub const fn name(self) -> &'static str {
        match self {
            Model::St7789 => "st7789",
            Model::Ili9341 => "ili9341",
            Model::Gc9a01 => "gc9a01",
        }
    }

    /// The size of the controller's memory in pixels, unrotated.
    pub fn memory(self) -> Size {
        let (width, height) = match self {
            Model::St7789 => models::ST7789::FRAMEBUFFER_SIZE,
            Model::Ili9341 => models::ILI9341Rgb565::FRAMEBUFFER_SIZE,
            Model::Gc9a01 => models::GC9A01::FRAMEBUFFER_SIZE,
        };
        Size::new(u32::from(width), u32::from(height))
    }
}

/// A panel: its controller, and how that is connected to the display.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PanelConfig {
    /// The controller.
    pub model: Model,
    /// Visible width and height in pixels, before rotation.
    pub size: Size,
    /// Where the visible part begins in the controller's memory, in pixels.
    pub offset: Point,
    /// Whether the panel is wired blue, green, red.
    pub blue_first: bool,
    /// Whether the panel inverts its colours, as IPS panels do.
    pub inverted: bool,
    /// How it is mounted.
    pub rotation: Rotation,
}

impl PanelConfig {
    /// The usual panel of a controller: the whole memory; ST7789 and GC9A01 inverted, ILI9341 and GC9A01 with blue first
    /// (the vendors' example code for Waveshare's 2" and 1.28" and Adafruit's 2.8" panels).
    pub fn new(model: Model) -> PanelConfig {
        PanelConfig {
            model,
            size: model.memory(),
            offset: Point::zero(),
            blue_first: model != Model::St7789,
            inverted: model != Model::Ili9341,
            rotation: Rotation::None,
        }
    }

    /// The panel that settings describe.
    fn of(settings: &DisplaySettings) -> Result<PanelConfig, DisplayError> {
        let name = settings.kind.detail().unwrap_or_default();
        let model = Model::ALL.into_iter().find(|model| model.name() == name);
        let model = model.ok_or_else(|| DisplayError::failed(settings.kind.to_string(), "there is no such panel"))?;
        let default = PanelConfig::new(model);
        let point = |[x, y]: [u32; 2]| Point::new(i32::try_from(x).unwrap_or(i32::MAX), i32::try_from(y).unwrap_or(i32::MAX));
        Ok(PanelConfig {
            size: settings.size_or(default.size),
            offset: settings.offset.map_or(default.offset, point),
            blue_first: settings.blue_first.unwrap_or(default.blue_first),
            inverted: settings.inverted.unwrap_or(default.inverted),
            rotation: settings.rotation,
            ..default
        })
    }

    /// Checks that the visible part lies within the controller's memory.
    ///
    /// # Errors
    /// If it does not.
    pub fn check(&self) -> Result<(), DisplayError> {
        let memory = Rectangle::new(Point::zero(), self.model.memory());
        let visible = Rectangle::new(self.offset, self.size);
        if visible.is_zero_sized() || memory.intersection(&visible) != visible {
            let (Size { width, height }, most) = (self.size, memory.size);
            let problem = format!(
                "a size of {width}x{height} at the offset {},{} does not fit into its {}x{} pixels",
                self.offset.x, self.offset.y, most.width, most.height
            );
            return Err(DisplayError::failed(self.model.name(), problem));
        }
        Ok(())
    }
}

/// The devices that a panel is connected to.
pub struct Connection<Spi, Pin> {
    /// The bus.
    pub spi: Spi,
    /// Low for commands, high for data.
    pub data_command: Pin,
    /// Resets while low. Without one the controller is reset by a command.
    pub reset: Option<Pin>,
    /// Lights the panel while high.
    pub backlight: Option<Pin>,
    /// The longest transfer in bytes.
    pub max_transfer: usize,
}

/// Initializes a panel over any `embedded-hal` devices.
///
/// # Errors
/// If the visible part does not fit into the controller's memory, or a device does not work.
pub fn start<Spi, Pin, Delay>(config: PanelConfig, connection: Connection<Spi, Pin>, delay: Delay) -> Result<Box<dyn Screen>, DisplayError>
where
    Spi: SpiDevice + 'static,
    Pin: OutputPin + 'static,
    Delay: DelayNs + 'static,
{
    config.check()?;
    match config.model {
        Model::St7789 => start_as(models::ST7789, config, connection, delay),
        Model::Ili9341 => start_as(models::ILI9341Rgb565, config, connection, delay),
        Model::Gc9a01 => start_as(models::GC9A01, config, connection, delay),
    }
}

fn start_as<Spi, Pin, Delay, M>(
    model: M,
    config: PanelConfig,
    connection: Connection<Spi, Pin>,
    mut delay: Delay,
) -> Result<Box<dyn Screen>, DisplayError>
where
    Spi: SpiDevice + 'static,
    Pin: OutputPin + 'static,
    Delay: DelayNs + 'static,
    M: Commands<ColorFormat = Rgb565> + 'static,
{
    let link = Link::new(connection.spi, connection.data_command, connection.max_transfer);
    let builder = Builder::new(model, link)
        .display_size(config.size.width as u16, config.size.height as u16)
        .display_offset(config.offset.x as u16, config.offset.y as u16)
        .color_order(if config.blue_first { ColorOrder::Bgr } else { ColorOrder::Rgb })
        .invert_colors(if config.inverted {
            ColorInversion::Inverted
        } else {
            ColorInversion::Normal
        })
        .orientation(orientation(config.rotation));
    let failed = |error: &dyn Debug| DisplayError::failed(config.model.name(), format!("{error:?}"));
    match connection.reset {
        Some(reset) => {
            let display = builder.reset_pin(reset).init(&mut delay).map_err(|error| failed(&error))?;
            SpiTft::boxed(display, config, connection.backlight, delay)
        }
        None => {
            let display = builder.init(&mut delay).map_err(|error| failed(&error))?;
            SpiTft::boxed(display, config, connection.backlight, delay)
        }
    }
}

fn orientation(rotation: Rotation) -> Orientation {
    use mipidsi::options::Rotation as Angle;
    Orientation::new().rotate(match rotation {
        Rotation::None => Angle::Deg0,
        Rotation::Quarter => Angle::Deg90,
        Rotation::Half => Angle::Deg180,
        Rotation::ThreeQuarters => Angle::Deg270,
    })
}

/// A panel that shows frames. It is turned off when this is dropped.
struct SpiTft<Spi, Pin, Delay, M, Reset>
where
    Spi: SpiDevice,
    Pin: OutputPin,
    Delay: DelayNs,
    M: Commands<ColorFormat = Rgb565>,
    Reset: OutputPin,
{
    display: Display<Link<Spi, Pin>, M, Reset>,
    backlight: Option<Pin>,
    delay: Delay,
    panel: Panel,
    writer: PixelWriter,
    /// The frame in the panel's colours.
    pixels: Vec<u8>,
    brightness: f32,
    asleep: bool,
}

impl<Spi, Pin, Delay, M, Reset> SpiTft<Spi, Pin, Delay, M, Reset>
where
    Spi: SpiDevice + 'static,
    Pin: OutputPin + 'static,
    Delay: DelayNs + 'static,
    M: Commands<ColorFormat = Rgb565> + 'static,
    Reset: OutputPin + 'static,
{
    /// Takes a panel that was just initialized, and makes it black before its backlight goes on.
    fn boxed(
        display: Display<Link<Spi, Pin>, M, Reset>,
        config: PanelConfig,
        backlight: Option<Pin>,
        delay: Delay,
    ) -> Result<Box<dyn Screen>, DisplayError> {
        let size = config.rotation.size(config.size);
        let writer = PixelWriter::new(PixelLayout::RGB565, size, size.width as usize * 2, Rotation::None);
        let panel = Panel::new(format!("spi {}", config.model.name()), size)
            .with_rotation(config.rotation)
            .with_colours(Colours::HighColour);
        let mut tft = SpiTft {
            display,
            backlight,
            delay,
            panel,
            pixels: vec![0; writer.length()],
            writer,
            brightness: 1.0,
            asleep: false,
        };
        tft.send(Rectangle::new(Point::zero(), size))?;
        tft.update_backlight()?;
        Ok(Box::new(tft))
    }
}

impl<Spi, Pin, Delay, M, Reset> SpiTft<Spi, Pin, Delay, M, Reset>
where
    Spi: SpiDevice,
    Pin: OutputPin,
    Delay: DelayNs,
    M: Commands<ColorFormat = Rgb565>,
    Reset: OutputPin,
{
    /// Sends the pixels of an area.
    fn send(&mut self, area: Rectangle) -> Result<(), DisplayError> {
        if area.is_zero_sized() {
            return Ok(());
        }
        let (width, pixels) = (self.panel.size.width as usize, self.pixels.as_chunks::<2>().0);
        let (left, columns) = (area.top_left.x as usize, area.size.width as usize);
        let rows = area.rows().flat_map(|y| &pixels[y as usize * width + left..][..columns]);
        let colours = rows.map(|bytes| Rgb565::from(RawU16::new(u16::from_ne_bytes(*bytes))));
        let sent = self.display.fill_contiguous(&area, colours);
        sent.map_err(|error| DisplayError::failed(&self.panel.name, format!("{error:?}")))
    }

    /// Switches the backlight on if the panel is awake and not dimmed to zero.
    fn update_backlight(&mut self) -> Result<(), DisplayError> {
        let on = !self.asleep && self.brightness > 0.0;
        let Some(pin) = &mut self.backlight else { return Ok(()) };
        pin.set_state(on.into())
            .map_err(|error| DisplayError::failed(&self.panel.name, format!("backlight: {error:?}")))
    }

    fn turn_off(&mut self) -> Result<(), DisplayError> {
        if self.asleep {
            return Ok(());
        }
        self.asleep = true;
        self.update_backlight()?;
        self.display
            .sleep(&mut self.delay)
            .map_err(|error| DisplayError::failed(&self.panel.name, format!("{error:?}")))
    }
}

impl<Spi, Pin, Delay, M, Reset> Screen for SpiTft<Spi, Pin, Delay, M, Reset>
where
    Spi: SpiDevice,
    Pin: OutputPin,
    Delay: DelayNs,
    M: Commands<ColorFormat = Rgb565>,
    Reset: OutputPin,
{
    fn panel(&self) -> &Panel {
        &self.panel
    }

    fn present(&mut self, frame: &Frame, damage: Rectangle) -> Result<(), DisplayError> {
        if !self.asleep {
            let area = self.writer.write(frame, damage, &mut self.pixels);
            return self.send(area);
        }
        let woken = self.display.wake(&mut self.delay);
        woken.map_err(|error| DisplayError::failed(&self.panel.name, format!("{error:?}")))?;
        let area = self.writer.write(frame, frame.bounding_box(), &mut self.pixels);
        self.send(area)?;
        self.asleep = false;
        self.update_backlight()
    }

    fn sleep(&mut self) -> Result<(), DisplayError> {
        self.turn_off()
    }

    /// The backlight can only be switched: between 0 and 1, colours are darkened.
    fn dim(&mut self, brightness: f32) -> Result<(), DisplayError> {
        self.brightness = brightness;
        self.writer.dim(brightness);
        self.update_backlight()
    }
}

impl<Spi, Pin, Delay, M, Reset> Drop for SpiTft<Spi, Pin, Delay, M, Reset>
where
    Spi: SpiDevice,
    Pin: OutputPin,
    Delay: DelayNs,
    M: Commands<ColorFormat = Rgb565>,
    Reset: OutputPin,
{
    fn drop(&mut self) {
        if let Err(error) = self.turn_off() {
            log::warn!("{error}");
        }
    }
}

#[cfg(test)]
mod tests;
