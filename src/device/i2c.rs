//! I²C buses of Linux: opening one, and what it means if that fails. Depends on nothing else here but display errors.

use std::io::ErrorKind;
use std::path::Path;

use linux_embedded_hal::I2cdev;

use super::display::DisplayError;

/// Opens a bus, `/dev/i2c-1` on the pin header of a Raspberry Pi.
///
/// # Errors
/// If it is absent or may not be opened.
pub fn open(path: &Path) -> Result<I2cdev, DisplayError> {
    I2cdev::new(path).map_err(|error| {
        let error = std::io::Error::from(error);
        match error.kind() {
            ErrorKind::NotFound => DisplayError::Absent {
                display: path.display().to_string(),
                problem: "there is no such I2C bus".into(),
                advice: "switch I2C on: dtparam=i2c_arm=on in /boot/firmware/config.txt, then restart".into(),
            },
            ErrorKind::PermissionDenied => DisplayError::Permission {
                path: path.into(),
                group: "i2c".into(),
            },
            _ => DisplayError::Failed {
                display: path.display().to_string(),
                problem: error.to_string(),
            },
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_bus_says_how_to_switch_it_on() {
        let error = open("/nonexistent/i2c-1".as_ref()).err().unwrap().to_string();
        assert!(
            error.contains("/nonexistent/i2c-1: there is no such I2C bus; switch I2C on: dtparam=i2c_arm=on"),
            "{error}"
        );
    }
}
