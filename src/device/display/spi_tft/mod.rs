//! Small colour panels on SPI: ST7789, ILI9341 and GC9A01, by `mipidsi` over any `embedded-hal` devices. Only the rectangle
//! that changed is sent, 16 bits a pixel; the controller turns the picture itself.
//!
//! | file | what it owns |
//! |---|---|
//! | `link` | bytes to the controller, with its data/command line |
//! | `wiring` | which pins, and opening them by the kernel or by `rppal` |
//!
//! The drivers were run against a model of the controllers, never on a real panel by this project.

mod link;
mod wiring;

use std::fmt::Debug;
use std::time::Duration;

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
use super::{Colours, DisplayError, Frame, Panel, PixelLayout, PixelWriter, Rotation, Screen};

/// The controllers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Model {
    /// Sitronix ST7789: rectangular panels of 240×320, 240×240, 135×240 and 172×320.
    St7789,
    /// Ilitek ILI9341: panels of 240×320.
    Ili9341,
    /// GalaxyCore GC9A01: round panels of 240×240.
    Gc9a01,
}

impl Model {
    /// The name in settings: `st7789`.
    pub fn name(self) -> &'static str {
        match self {
            Model::St7789 => "st7789",
            Model::Ili9341 => "ili9341",
            Model::Gc9a01 => "gc9a01",
        }
    }

    /// The controller's memory, upright, in pixels.
    pub fn memory(self) -> Size {
        let (width, height) = match self {
            Model::St7789 => models::ST7789::FRAMEBUFFER_SIZE,
            Model::Ili9341 => models::ILI9341Rgb565::FRAMEBUFFER_SIZE,
            Model::Gc9a01 => models::GC9A01::FRAMEBUFFER_SIZE,
        };
        Size::new(u32::from(width), u32::from(height))
    }
}

/// A panel: a controller and how the glass is fixed to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glass {
    /// The controller.
    pub model: Model,
    /// Visible width and height, before rotation.
    pub size: Size,
    /// Where the visible part begins in the controller's memory.
    pub offset: Point,
    /// Whether blue comes first in the controller's wiring.
    pub blue_first: bool,
    /// Whether the panel shows the opposite of what it is sent, as IPS panels do.
    pub inverted: bool,
    /// How it is turned.
    pub rotation: Rotation,
}

impl Glass {
    /// What most panels with a controller are: the whole memory; ST7789 and GC9A01 inverted, ILI9341 and GC9A01 with blue
    /// first (the makers' example code for Waveshare's 2" and 1.28" and Adafruit's 2.8" panels).
    pub fn of(model: Model) -> Glass {
        Glass {
            model,
            size: model.memory(),
            offset: Point::zero(),
            blue_first: model != Model::St7789,
            inverted: model != Model::Ili9341,
            rotation: Rotation::None,
        }
    }

    /// Whether the visible part lies within the controller's memory.
    ///
    /// # Errors
    /// If it does not.
    pub fn check(&self) -> Result<(), DisplayError> {
        let memory = Rectangle::new(Point::zero(), self.model.memory());
        let visible = Rectangle::new(self.offset, self.size);
        if visible.is_zero_sized() || memory.intersection(&visible) != visible {
            let (Size { width, height }, most) = (self.size, memory.size);
            let problem = format!(
                "a size of {width}x{height} from {},{} is outside its {}x{} pixels",
                self.offset.x, self.offset.y, most.width, most.height
            );
            return Err(DisplayError::failed(self.model.name(), problem));
        }
        Ok(())
    }
}

/// Opens a panel.
///
/// # Errors
/// If the panel or the pins cannot be, a device is absent, in use or not permitted, or SPI does not work.
pub fn open(glass: Glass, wiring: &Wiring) -> Result<Box<dyn Screen>, DisplayError> {
    glass.check()?;
    wiring.open(glass)
}

/// The devices that a panel is attached to.
pub struct Attachment<Spi, Pin> {
    /// The bus.
    pub spi: Spi,
    /// Low for commands, high for data.
    pub data_command: Pin,
    /// Resets while low. Without one the controller is reset by a command.
    pub reset: Option<Pin>,
    /// Lights the panel while high.
    pub backlight: Option<Pin>,
    /// Bytes of one transfer at most.
    pub transfer: usize,
}

/// Starts a panel over any `embedded-hal` devices.
///
/// # Errors
/// If a device does not work.
pub fn start<Spi, Pin, Delay>(glass: Glass, attachment: Attachment<Spi, Pin>, delay: Delay) -> Result<Box<dyn Screen>, DisplayError>
where
    Spi: SpiDevice + 'static,
    Pin: OutputPin + 'static,
    Delay: DelayNs + 'static,
{
    glass.check()?;
    match glass.model {
        Model::St7789 => start_as(models::ST7789, glass, attachment, delay),
        Model::Ili9341 => start_as(models::ILI9341Rgb565, glass, attachment, delay),
        Model::Gc9a01 => start_as(models::GC9A01, glass, attachment, delay),
    }
}

fn start_as<Spi, Pin, Delay, M>(
    model: M,
    glass: Glass,
    attachment: Attachment<Spi, Pin>,
    mut delay: Delay,
) -> Result<Box<dyn Screen>, DisplayError>
where
    Spi: SpiDevice + 'static,
    Pin: OutputPin + 'static,
    Delay: DelayNs + 'static,
    M: Commands<ColorFormat = Rgb565> + 'static,
{
    let link = Link::new(attachment.spi, attachment.data_command, attachment.transfer);
    let builder = Builder::new(model, link)
        .display_size(glass.size.width as u16, glass.size.height as u16)
        .display_offset(glass.offset.x as u16, glass.offset.y as u16)
        .color_order(if glass.blue_first { ColorOrder::Bgr } else { ColorOrder::Rgb })
        .invert_colors(if glass.inverted {
            ColorInversion::Inverted
        } else {
            ColorInversion::Normal
        })
        .orientation(orientation(glass.rotation));
    let failed = |error: &dyn Debug| DisplayError::failed(glass.model.name(), format!("{error:?}"));
    match attachment.reset {
        Some(reset) => {
            let display = builder.reset_pin(reset).init(&mut delay).map_err(|error| failed(&error))?;
            SpiTft::boxed(display, glass, attachment.backlight, delay)
        }
        None => {
            let display = builder.init(&mut delay).map_err(|error| failed(&error))?;
            SpiTft::boxed(display, glass, attachment.backlight, delay)
        }
    }
}

fn orientation(rotation: Rotation) -> Orientation {
    use mipidsi::options::Rotation as Turn;
    Orientation::new().rotate(match rotation {
        Rotation::None => Turn::Deg0,
        Rotation::Quarter => Turn::Deg90,
        Rotation::Half => Turn::Deg180,
        Rotation::ThreeQuarters => Turn::Deg270,
    })
}

/// A panel that shows frames. It is switched off when this is dropped.
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
    /// A panel that was just started, made black before its light goes on.
    fn boxed(
        display: Display<Link<Spi, Pin>, M, Reset>,
        glass: Glass,
        backlight: Option<Pin>,
        delay: Delay,
    ) -> Result<Box<dyn Screen>, DisplayError> {
        let size = glass.rotation.size(glass.size);
        let writer = PixelWriter::new(PixelLayout::RGB565, size, size.width as usize * 2, Rotation::None);
        let panel = Panel {
            name: format!("spi {}", glass.model.name()),
            size,
            colours: Colours::HighColour,
            refresh: Duration::ZERO,
            minimum_interval: Duration::ZERO,
        };
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
        tft.light()?;
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
    /// Sends an area of the pixels.
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

    /// Switches the light as it should be.
    fn light(&mut self) -> Result<(), DisplayError> {
        let on = !self.asleep && self.brightness > 0.0;
        let Some(pin) = &mut self.backlight else { return Ok(()) };
        pin.set_state(on.into())
            .map_err(|error| DisplayError::failed(&self.panel.name, format!("backlight: {error:?}")))
    }

    fn switch_off(&mut self) -> Result<(), DisplayError> {
        if self.asleep {
            return Ok(());
        }
        self.asleep = true;
        self.light()?;
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
        self.light()
    }

    fn sleep(&mut self) -> Result<(), DisplayError> {
        self.switch_off()
    }

    /// The light's line only switches: between 0 and 1 colours are darker.
    fn dim(&mut self, brightness: f32) -> Result<(), DisplayError> {
        self.brightness = brightness;
        self.writer.dim(brightness);
        self.light()
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
        if let Err(error) = self.switch_off() {
            log::warn!("{error}");
        }
    }
}

#[cfg(test)]
mod tests;
