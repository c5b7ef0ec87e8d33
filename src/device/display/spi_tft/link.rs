//! Bytes to a controller on SPI with a data/command line: the four-wire interface of the data sheets. Owns the buffer, and
//! sends no empty transfers and none longer than the bus supports.

use std::fs;

use embedded_hal::digital::OutputPin;
use embedded_hal::spi::SpiDevice;
use mipidsi::interface::{Interface, InterfaceKind};

/// The default of the longest transfer in bytes that Linux's spidev supports (`bufsiz` of `drivers/spi/spidev.c`).
pub const DEFAULT_TRANSFER: usize = 4096;

/// The longest transfer in bytes that spidev supports on this machine.
pub fn longest_transfer() -> usize {
    let setting = fs::read_to_string("/sys/module/spidev/parameters/bufsiz").ok();
    setting.and_then(|text| text.trim().parse().ok()).unwrap_or(DEFAULT_TRANSFER)
}

/// What failed.
#[derive(Debug)]
pub enum LinkError<Bus, Line> {
    /// The bus.
    Spi(Bus),
    /// The data/command line.
    DataCommand(Line),
}

/// The wires to a controller.
pub struct Link<Spi, Pin> {
    spi: Spi,
    data_command: Pin,
    /// Bytes to be sent; never more than the capacity.
    buffer: Vec<u8>,
    max_transfer: usize,
}

type Sent<Spi, Pin> = Result<(), LinkError<<Spi as embedded_hal::spi::ErrorType>::Error, <Pin as embedded_hal::digital::ErrorType>::Error>>;

impl<Spi: SpiDevice, Pin: OutputPin> Link<Spi, Pin> {
    /// A link with transfers of at most `max_transfer` bytes.
    pub fn new(spi: Spi, data_command: Pin, max_transfer: usize) -> Link<Spi, Pin> {
        let max_transfer = max_transfer.max(16);
        Link {
            spi,
            data_command,
            buffer: Vec::with_capacity(max_transfer),
            max_transfer,
        }
    }

    fn flush(&mut self) -> Sent<Spi, Pin> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let sent = self.spi.write(&self.buffer).map_err(LinkError::Spi);
        self.buffer.clear();
        sent
    }

    fn push(&mut self, bytes: &[u8]) -> Sent<Spi, Pin> {
        if self.buffer.len() + bytes.len() > self.max_transfer {
            self.flush()?;
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }
}

impl<Spi: SpiDevice, Pin: OutputPin> Interface for Link<Spi, Pin> {
    type Word = u8;
    type Error = LinkError<Spi::Error, Pin::Error>;

    const KIND: InterfaceKind = InterfaceKind::Serial4Line;

    fn send_command(&mut self, command: u8, arguments: &[u8]) -> Result<(), Self::Error> {
        self.data_command.set_low().map_err(LinkError::DataCommand)?;
        self.spi.write(&[command]).map_err(LinkError::Spi)?;
        self.data_command.set_high().map_err(LinkError::DataCommand)?;
        arguments
            .chunks(self.max_transfer)
            .try_for_each(|part| self.spi.write(part).map_err(LinkError::Spi))
    }

    fn send_pixels<const N: usize>(&mut self, pixels: impl IntoIterator<Item = [u8; N]>) -> Result<(), Self::Error> {
        for pixel in pixels {
            self.push(&pixel)?;
        }
        self.flush()
    }

    fn send_repeated_pixel<const N: usize>(&mut self, pixel: [u8; N], count: u32) -> Result<(), Self::Error> {
        self.send_pixels(std::iter::repeat_n(pixel, count as usize))
    }
}
