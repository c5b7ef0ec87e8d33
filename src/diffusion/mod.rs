//! Diffusion: from a prompt to a picture. Owns prompts, noise, schedules, guidance and the sampling loop;
//! depends on [`crate::pack`], [`crate::engine`] and [`crate::picture`].
//!
//! [`PromptReader`] turns words into a [`Prompt`]; [`Pipeline::load`] makes a pack's stages ready; [`Pipeline::generate`] draws one picture and tells an
//! [`Observer`] how far it is.

mod error;
mod noise;
mod pipeline;
mod prompt;
mod sampler;
mod wording;

pub use error::DiffusionError;
pub use noise::gaussian_noise;
pub use pipeline::{Generation, Observer, Pipeline, Progress, Request, StageTime};
pub use prompt::{Chosen, Prompt, PromptReader, choose_style};
