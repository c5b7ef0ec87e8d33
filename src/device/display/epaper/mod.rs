//! E-paper: panels of two, six and seven inks on SPI, with drivers of their own.
//!
//! | file | what it owns |
//! |---|---|
//! | `models`, `tables` | the panels that are known and what their controllers are told |
//! | `link` | the wires: SPI, data/command, reset, busy |
//! | `driver`, `pixels` | one picture on a panel: wake, send, refresh, sleep |
//! | `guard` | when a refresh does no harm |
//! | `screen` | the thread that makes a [`Screen`](super::Screen) of it |
//! | `preview` | what the panel would show, on another display |
//! | `wiring` | which pins; the real devices of Linux |
//! | `eeprom` | which Inky is plugged in |
//!
//! No panel was at hand: the register tables are those of the makers' drivers, named beside each, and everything is
//! tested against models of the controllers that take the bytes and give back a picture. Not supported: the 13.3 inch
//! Inky (EL133UF1), which has two controllers with a chip select each, and black, white and red panels.

mod driver;
mod eeprom;
mod guard;
mod link;
mod models;
mod pixels;
mod preview;
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
pub use preview::{Preview, inked};
pub use screen::{EPaper, Options, Thermometer};
pub use wiring::Wiring;
