//! Inkstone: pictures from words on the smallest computers.
//!
//! A text-to-image diffusion model, distilled to one to four steps and quantized to int8, is mapped from a file
//! and run on the CPU. Data flows one way:
//!
//! ```text
//! pack ──► engine ──► diffusion ──► picture ──► device
//!                         │            │           │
//!                         └────────────┴──► kiosk ◄┘
//!                                             │
//!                                  bench ──► cli
//! ```
//!
//! * [`pack`]: a folder that holds a model. Opening one checks it; nothing after that reads a byte unchecked.
//! * [`engine`]: runs a pack's graphs through tract, with our own int8 operators on the mapped weights.
//! * [`diffusion`]: a prompt becomes tokens, tokens a few denoising steps, steps a picture.
//! * [`picture`]: what is done with a finished picture: files with their provenance, backgrounds, sizes, previews.
//! * [`device`]: what is attached, each behind a small trait: displays and buttons (feature `kiosk`), power meters and the
//!   processor's own figures (feature `power`).
//! * `kiosk`: a state machine that a visitor steers with four buttons, and what it shows (feature `kiosk`).
//! * [`mod@bench`]: what it cost in time, memory and energy.
//! * [`doctor`]: whether a kiosk would run on this machine, and what to do where it would not.
//! * [`cli`]: the command line over all of it.
//!
//! ```no_run
//! use inkstone::diffusion::{Observer, Pipeline, Progress, PromptReader, Request};
//! use inkstone::engine::{Engine, Residency};
//! use inkstone::pack::Pack;
//!
//! struct Quiet;
//! impl Observer for Quiet {
//!     fn progress(&mut self, _: Progress) -> bool {
//!         true
//!     }
//! }
//!
//! let pack = std::sync::Arc::new(Pack::open("models/pictogram".as_ref())?);
//! let reader = PromptReader::load(&pack)?;
//! let (prompt, negative) = (reader.read("a red apple")?, reader.nothing()?);
//! drop(reader);
//! let (engine, pipeline) = (Engine::new(2)?, Pipeline::load(pack, Residency::All)?);
//! let request = Request { prompt: &prompt, negative: &negative, style: None, steps: 4, guidance: 1.0, seed: 7 };
//! let picture = pipeline.generate(&engine, &request, &mut Quiet)?.picture;
//! println!("{}", picture.sha256());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod bench;
pub mod cli;
pub mod device;
pub mod diffusion;
pub mod doctor;
pub mod engine;
#[cfg(feature = "kiosk")]
pub mod kiosk;
pub mod pack;
pub mod picture;
#[cfg(feature = "kiosk")]
mod suggest;
