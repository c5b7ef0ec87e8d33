//! The wires to an e-paper controller: SPI with a data/command line, a reset line and a busy line.
//!
//! Owns [`Link`], the operations that the driver needs, and [`Connection`], which implements them over any `embedded-hal`
//! devices. Depends on nothing else here.

use std::time::Duration;

use embedded_hal::delay::DelayNs;
use embedded_hal::digital::{InputPin, OutputPin};
use embedded_hal::spi::SpiDevice;

/// The longest SPI transfer in bytes: the default `bufsiz` of Linux's spidev (`drivers/spi/spidev.c`); longer ones are
/// refused there.
pub const LONGEST_TRANSFER: usize = 4096;

/// A wire that does not work.
#[derive(Debug, thiserror::Error)]
#[error("{wire}: {problem}")]
pub struct LinkError {
    /// The wire: `SPI`, `busy line`.
    pub wire: &'static str,
    /// What happened.
    pub problem: String,
}

/// The operations on the wires.
pub trait Link: Send {
    /// Sends a command byte and the data that belongs to it.
    ///
    /// # Errors
    /// If a wire does not work.
    fn send(&mut self, command: u8, data: &[u8]) -> Result<(), LinkError>;

    /// Pulls the reset line low (`true`) or high.
    ///
    /// # Errors
    /// If the line does not work.
    fn reset(&mut self, low: bool) -> Result<(), LinkError>;

    /// Whether the controller is busy. All supported controllers signal that by a low line.
    ///
    /// # Errors
    /// If the line does not work.
    fn is_busy(&mut self) -> Result<bool, LinkError>;

    /// Waits.
    fn pause(&mut self, time: Duration);

    /// Switches the panel's power supply, if a line does that. Without power, the lines to the panel go low.
    ///
    /// # Errors
    /// If a line does not work.
    fn supply(&mut self, on: bool) -> Result<(), LinkError>;
}

/// The lines other than SPI.
#[derive(Debug)]
pub struct Lines<Out, In> {
    /// Low for commands, high for data.
    pub data_command: Out,
    /// Resets the controller while low.
    pub reset: Out,
    /// Low while the controller is busy.
    pub busy: In,
    /// Selects the controller while low, if the SPI controller does not drive it.
    pub chip_select: Option<Out>,
    /// Supplies the panel while high, on boards with such a line.
    pub supply: Option<Out>,
}

/// A [`Link`] over `embedded-hal` devices.
#[derive(Debug)]
pub struct Connection<Spi, Out, In, Delay> {
    spi: Spi,
    lines: Lines<Out, In>,
    delay: Delay,
}

impl<Spi, Out, In, Delay> Connection<Spi, Out, In, Delay>
where
    Spi: SpiDevice,
    Out: OutputPin,
    In: InputPin,
    Delay: DelayNs,
{
    /// Takes the devices.
    pub fn new(spi: Spi, lines: Lines<Out, In>, delay: Delay) -> Self {
        Connection { spi, lines, delay }
    }

    fn write(&mut self, bytes: &[u8], is_data: bool) -> Result<(), LinkError> {
        level(&mut self.lines.data_command, is_data, "data/command line")?;
        for part in bytes.chunks(LONGEST_TRANSFER) {
            self.spi.write(part).map_err(|error| problem("SPI", &error))?;
        }
        Ok(())
    }

    fn select(&mut self, selected: bool) -> Result<(), LinkError> {
        match &mut self.lines.chip_select {
            Some(line) => level(line, !selected, "chip select line"),
            None => Ok(()),
        }
    }
}

fn level(line: &mut impl OutputPin, high: bool, wire: &'static str) -> Result<(), LinkError> {
    line.set_state(high.into()).map_err(|error| problem(wire, &error))
}

fn problem(wire: &'static str, error: &dyn std::fmt::Debug) -> LinkError {
    LinkError {
        wire,
        problem: format!("{error:?}"),
    }
}

impl<Spi, Out, In, Delay> Link for Connection<Spi, Out, In, Delay>
where
    Spi: SpiDevice + Send,
    Out: OutputPin + Send,
    In: InputPin + Send,
    Delay: DelayNs + Send,
{
    fn send(&mut self, command: u8, data: &[u8]) -> Result<(), LinkError> {
        self.select(true)?;
        let sent = self.write(&[command], false).and_then(|()| self.write(data, true));
        self.select(false)?;
        sent
    }

    fn reset(&mut self, low: bool) -> Result<(), LinkError> {
        level(&mut self.lines.reset, !low, "reset line")
    }

    fn is_busy(&mut self) -> Result<bool, LinkError> {
        self.lines.busy.is_low().map_err(|error| problem("busy line", &error))
    }

    fn pause(&mut self, time: Duration) {
        self.delay.delay_us(u32::try_from(time.as_micros()).unwrap_or(u32::MAX));
    }

    fn supply(&mut self, on: bool) -> Result<(), LinkError> {
        let Some(line) = &mut self.lines.supply else { return Ok(()) };
        level(line, on, "supply line")?;
        if !on {
            level(&mut self.lines.reset, false, "reset line")?;
            level(&mut self.lines.data_command, false, "data/command line")?;
        }
        Ok(())
    }
}
