//! Which Inky is plugged in, according to the EEPROM on its board.
//!
//! 29 bytes from address 0 of the EEPROM at 0x50 on the header's I²C bus: width and height (two bytes each, low first),
//! colour, revision of the board times ten, number of the display, and a Pascal string with the time of writing. Numbers
//! and format: `eeprom.py` and `auto.py` of pimoroni/inky 2.6.0. This project never ran it with a real EEPROM.

use embedded_hal::i2c::I2c;

use super::models::Model;

/// The address of the EEPROM.
const ADDRESS: u8 = 0x50;

/// Length of the record.
const RECORD: usize = 29;

/// The Inky on a bus ([`crate::device::i2c::open`]); `None` if none answers, or one that is not supported.
pub fn identify(bus: &mut impl I2c) -> Option<Model> {
    let mut record = [0; RECORD];
    bus.write_read(ADDRESS, &[0x00, 0x00], &mut record).ok()?;
    let size = [record[0], record[1], record[2], record[3]];
    let model = match record[6] {
        14 => Model::Inky57,
        15 | 16 => Model::Inky4Of2021,
        20 => Model::Inky73Of2022,
        22 | 26 => Model::Inky73,
        25 => Model::Inky4,
        _ => return None,
    };
    // The EEPROM of another board may hold any byte there.
    let (width, height) = (u16::from_le_bytes([size[0], size[1]]), u16::from_le_bytes([size[2], size[3]]));
    let expected = model.size();
    let found = (u32::from(width), u32::from(height));
    (found == (expected.width, expected.height) || found == (expected.height, expected.width)).then_some(model)
}

#[cfg(test)]
mod tests {
    use super::*;
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction};

    /// A record as `EPDType.encode` writes it.
    fn record(width: u16, height: u16, variant: u8) -> Vec<u8> {
        let mut record = [width.to_le_bytes(), height.to_le_bytes()].concat();
        record.extend([6, 12, variant, 21]);
        record.extend(b"2025-03-04 05:06:07.8");
        record
    }

    fn found(record: Vec<u8>) -> Option<Model> {
        let mut bus = Mock::new(&[Transaction::write_read(0x50, vec![0, 0], record)]);
        let found = identify(&mut bus);
        bus.done();
        found
    }

    #[test]
    fn the_record_names_the_panel() {
        assert_eq!(found(record(800, 480, 22)), Some(Model::Inky73));
        assert_eq!(found(record(600, 448, 14)), Some(Model::Inky57));
        assert_eq!(found(record(400, 600, 25)), Some(Model::Inky4));
        assert_eq!(found(record(250, 122, 23)), None, "a panel that is not supported");
        assert_eq!(found(record(640, 480, 22)), None, "a size that does not belong to it");
        assert_eq!(found(vec![0xFF; 29]), None, "an empty EEPROM");
    }

    #[test]
    fn no_answer_is_no_panel() {
        let absent = Transaction::write_read(0x50, vec![0, 0], vec![0; 29]).with_error(embedded_hal::i2c::ErrorKind::NoAcknowledge(
            embedded_hal::i2c::NoAcknowledgeSource::Address,
        ));
        let mut bus = Mock::new(&[absent]);
        assert_eq!(identify(&mut bus), None);
        bus.done();
    }
}
