//! The kiosk: a state machine that a visitor steers with four buttons, a touch screen or a keyboard, and what it shows.
//! Depends on everything but the command line; knows devices by their traits alone.

pub mod filter;
pub mod gallery;
pub mod heat;
pub mod schedule;
pub mod settings;
pub mod supervisor;
