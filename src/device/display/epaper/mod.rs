//! E-paper: panels of two, six and seven inks on SPI.
//!
//! | file | what it owns |
//! |---|---|
//! | `row` | from settings to an open panel |
//! | `models`, `tables` | the supported panels, and the commands of their controllers |
//! | `link` | the wires: SPI, data/command, reset, busy |
//! | `driver`, `pixels` | showing one picture: wake, send, refresh, sleep |
//! | `guard` | when a refresh is allowed |
//! | `screen` | the [`Screen`](super::Screen), whose thread refreshes the panel |
//! | `preview` | the same inks in a folder of PNG files, without a panel |
//! | `wiring` | the pins, and the devices of Linux |
//! | `eeprom` | which Inky is plugged in |
//!
//! This project never ran the drivers on a real panel: the register tables are those of the vendors' drivers, which each table
//! names, and everything is tested against models of the controllers. Not supported: the 13.3 inch Inky (EL133UF1), which has
//! two controllers with a chip select each, and black, white and red panels.

mod driver;
mod eeprom;
mod guard;
mod link;
mod models;
mod pixels;
mod preview;
mod row;
mod screen;
mod tables;
#[cfg(test)]
mod tests;
mod wiring;

pub use super::wires::WiringError;
pub use driver::{Driver, PartialRefresh, Refresh};
pub use eeprom::identify;
pub use guard::{Guard, Permission};
pub use link::{Connection, LONGEST_TRANSFER, Lines, Link, LinkError};
pub use models::Model;
pub(super) use preview::DRIVER as PREVIEW;
pub(super) use row::DRIVER;
pub use screen::{EPaper, Options, Thermometer};
pub use wiring::Wiring;
