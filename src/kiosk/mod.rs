//! The kiosk: a state machine that a visitor steers with four buttons, a touch screen or a keyboard, and what it shows.
//! Depends on everything but the command line; knows devices by their traits alone.
//!
//! A program runs one in a few lines, and reaches it from other threads through a [`Handle`]:
//!
//! ```no_run
//! use inkstone::Request;
//! use inkstone::kiosk::settings::Settings;
//! use inkstone::kiosk::{Kiosk, Options};
//!
//! let settings = Settings::load("kiosk.toml".as_ref())?;
//! let kiosk = Kiosk::new(settings, Options::new("models/pictogram"))?;
//! let (handle, views) = (kiosk.handle(), kiosk.handle().subscribe());
//! std::thread::spawn(move || {
//!     for view in views {
//!         println!("{:?}", view.legends);
//!     }
//! });
//! handle.request(&Request::new("a red fox").style("flat").seed(7))?;
//! kiosk.run()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Something new that steers the kiosk is a [`sources::Source`], a function that is given the handle; something new that
//! shows what it does is a subscriber of [`Views`].

mod assembly;
pub mod drawing_worker;
pub mod filter;
pub mod gallery;
pub mod gallery_worker;
mod handle;
pub mod heat;
pub mod language;
pub mod output;
pub mod rules;
mod runner;
pub mod schedule;
pub mod screens;
pub mod settings;
mod shaping;
pub mod sources;
pub mod state;
pub mod subjects;
pub mod supervisor;
pub mod text;
mod views;

pub use assembly::{KioskError, Options};
pub use handle::{Handle, SendError};
pub use runner::Kiosk;
pub use views::{NoView, Views};
