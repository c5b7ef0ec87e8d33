//! Inkstone: pictures from words on the smallest computers.
//!
//! A text-to-image model, distilled to one to four steps and quantized to int8, is mapped from a file and run on the CPU.
//!
//! ```no_run
//! use inkstone::{Pipeline, Request};
//!
//! let mut pipeline = Pipeline::open("models/pictogram")?;
//! let generated = pipeline.generate(&Request::new("a red apple").style("flat").seed(7))?;
//! generated.picture.save("apple.png", &generated.provenance)?;
//! for note in &generated.notes {
//!     eprintln!("note: {note}");
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A tour
//!
//! Data flows one way:
//!
//! ```text
//! pack ──► engine ──► pipeline ──► picture ──► device
//!   └────► words ────────┘ │          │           │
//!                          └──────────┴──► kiosk ◄┘
//!                                            │
//!                              bench, doctor ├──► remote
//!                                            └──► cli
//! ```
//!
//! 1. **[`pipeline`]** is the door: a [`Request`] goes in, a [`Generated`] picture with its notes, timings and provenance comes
//!    out. Most programs need nothing else. A kind of model is one file in [`pipeline::families`], a way of sampling one in
//!    [`pipeline::schedulers`].
//! 2. **[`pack`]** is a folder that holds a model. Opening one checks it; nothing reads an unchecked byte after that.
//! 3. **[`engine`]** runs a pack's graphs through tract, with int8 operators of our own on the mapped weights.
//! 4. **[`words`]** is what a prompt asks for, by the pack's lexicon, in twelve languages.
//! 5. **[`picture`]** is what is done with a finished picture: files with provenance, backgrounds, sizes, dithering, previews.
//! 6. **[`device`]** is what is attached, each behind a small trait: displays and buttons (feature `kiosk`), power meters and
//!    the processor's own figures (feature `power`).
//! 7. **`kiosk`** (feature `kiosk`) is a state machine that a visitor steers with four buttons, and what it shows.
//! 8. **`remote`** (feature `remote`) is an HTTP server for phones and programs, in a kiosk or alone; Home Assistant (feature `mqtt`).
//! 9. **`bench`** measures time, memory and energy; **[`doctor`]** tells whether a kiosk would run on this
//!    machine. `bench` needs the feature `power` and Linux.
//!
//! `credentials` (feature `content-credentials`, not by default) signs picture files and checks them.
//!
//! [`process`] is this process's memory and allocator, [`atomic_file`] writes files whole or not at all. The command line
//! (feature `cli`) is not part of the library's interface.

#![warn(missing_docs)]

pub mod atomic_file;
#[cfg(all(feature = "power", target_os = "linux"))]
pub mod bench;
#[doc(hidden)]
pub mod bounded_file;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
#[cfg(feature = "content-credentials")]
pub mod credentials;
pub mod device;
pub mod doctor;
pub mod engine;
#[cfg(feature = "kiosk")]
pub mod kiosk;
pub mod pack;
pub mod picture;
pub mod pipeline;
pub mod process;
#[cfg(feature = "remote")]
pub mod remote;
#[cfg(feature = "kiosk")]
mod suggest;
pub mod words;

pub use pipeline::{Generated, Note, Observer, Part, Pipeline, PipelineError, Progress, Request, Source};
