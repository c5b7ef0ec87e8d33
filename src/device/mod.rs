//! What is attached to the board: displays and buttons, each behind a small trait with real drivers and simulated ones.
//! Knows pictures as pixels in a frame and nothing of diffusion; depends on nothing else in this crate but
//! [`crate::picture`] for its palettes and files.
//!
//! * `display`: one frame in memory that everything is drawn into, and the panels that show it.
//! * [`board`]: which board this is.
//! * `buttons`: keys, pins, wheels, touch and motion, and what presses they make.
//! * `power`: meters of electric power, and the thread that samples one.
//! * `processor`: clock, governor, temperature, throttling, load and counters.

pub mod board;
#[cfg(feature = "kiosk")]
pub mod buttons;
#[cfg(feature = "kiosk")]
pub mod display;
#[cfg(all(any(feature = "e-paper", feature = "status-display"), target_os = "linux"))]
pub mod i2c;
#[cfg(all(any(feature = "gpio", feature = "e-paper", feature = "spi-tft"), target_os = "linux"))]
pub mod lines;
#[cfg(all(feature = "power", target_os = "linux"))]
pub mod power;
pub mod processor;
pub mod vcgencmd;
