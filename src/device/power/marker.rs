//! An output that is high while a picture is drawn, for external instruments: an oscilloscope or a power analyser triggers on its
//! edges, as in EEMBC's EnergyRunner.

/// The output.
pub trait Marker {
    /// Sets it high or low.
    ///
    /// # Errors
    /// If the line cannot be set.
    fn set(&mut self, high: bool) -> Result<(), String>;
}

/// A GPIO line of the board's pin header.
#[cfg(feature = "gpio")]
#[derive(Debug)]
pub struct GpioMarker {
    request: gpiocdev::Request,
    line: u32,
}

#[cfg(feature = "gpio")]
impl GpioMarker {
    /// Requests a line of the pin header's chip, initially low.
    ///
    /// # Errors
    /// If there is no chip, it cannot be opened, or the line does not exist or is in use.
    pub fn open(line: u32) -> Result<GpioMarker, crate::device::lines::LineError> {
        use crate::device::lines;
        let chip = lines::header_chip()?;
        let request = lines::request(&chip, &[line], |builder| {
            builder.with_line(line).as_output(gpiocdev::line::Value::Inactive);
        })?;
        Ok(GpioMarker { request, line })
    }
}

#[cfg(feature = "gpio")]
impl Marker for GpioMarker {
    fn set(&mut self, high: bool) -> Result<(), String> {
        let value = if high {
            gpiocdev::line::Value::Active
        } else {
            gpiocdev::line::Value::Inactive
        };
        let set = self.request.set_value(self.line, value);
        set.map(drop).map_err(|error| format!("GPIO line {}: {error}", self.line))
    }
}
