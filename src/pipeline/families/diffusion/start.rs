//! What denoising starts from: noise, or a picture with as much noise as the strength asks for (SDEdit, Meng et al., arXiv 2108.01073). With
//! a mask the rest of the picture takes its place again after every step (RePaint without resampling, Lugmayr et al., arXiv 2201.09865), and in
//! the result it is the picture's own pixels.

use super::{DENOISER, Diffusion, ENCODER, floats, input_of, output_of, planes};
use crate::engine::{Engine, Value};
use crate::pack::{Channels, Manifest, Role};
use crate::picture::scale::{Resampling, resize};
use crate::picture::{Background, Picture, PictureError, fitted};
use crate::pipeline::families::{Values, run_stage_with};
use crate::pipeline::schedulers::Sampler;
use crate::pipeline::{PipelineError, Resolved};

/// A picture to start from, as the denoiser has it.
pub struct Start {
    /// The picture or its latent.
    clean: Vec<f32>,
    /// The noise of the first step.
    noise: Vec<f32>,
    /// How much of every value is to be drawn anew, from 0 to 1; everything without a mask.
    mask: Option<Vec<f32>>,
}

impl Start {
    /// What the first step begins with.
    pub fn noisy(&self, sampler: &dyn Sampler, step: usize) -> Vec<f32> {
        let (picture, noise) = sampler.mixture(step);
        let pairs = self.clean.iter().zip(&self.noise);
        pairs.map(|(clean, fresh)| clean * picture + fresh * noise).collect()
    }

    /// Puts back what is not drawn anew, with the noise of a step; without noise after the last one.
    pub fn put_back(&self, sampler: &dyn Sampler, step: Option<usize>, values: &mut [f32]) {
        let Some(mask) = &self.mask else { return };
        let kept = match step {
            Some(step) => self.noisy(sampler, step),
            None => self.clean.clone(),
        };
        for ((value, kept), share) in values.iter_mut().zip(kept).zip(mask) {
            *value = kept + (*value - kept) * share;
        }
    }
}

/// Whether pictures can be given to a pack: it works on pictures itself, or has an encoder.
pub fn takes_pictures(manifest: &Manifest) -> bool {
    manifest.latent.is_none() || manifest.stages.contains_key(ENCODER)
}

impl Diffusion {
    /// The picture of a request, with this noise; nothing if there is none.
    ///
    /// # Errors
    /// If the encoder cannot be loaded or fails.
    pub fn start(&self, engine: &Engine, request: &Resolved, noise: impl FnOnce() -> Vec<f32>) -> Result<Option<Start>, PipelineError> {
        let Some(source) = request.source() else { return Ok(None) };
        let shape = output_of(self.manifest(), DENOISER, Role::Prediction).map(|port| port.shape.as_slice());
        let Some(&[1, channels, height, width]) = shape else {
            return Ok(None);
        };
        let clean = match &self.manifest().latent {
            None => planes(&self.fitted(&source.picture, sides(height, width))?, self.picture.channels),
            Some(latent) => {
                let taken = input_of(self.manifest(), ENCODER, Role::Picture).map(|port| port.shape.as_slice());
                let Some(&[1, _, tall, wide]) = taken else { return Ok(None) };
                let picture = self.fitted(&source.picture, sides(tall, wide))?;
                let values = Values::from([(Role::Picture, Value::F32(planes(&picture, self.picture.channels)))]);
                let encoded = run_stage_with(&self.stages, engine, ENCODER, &values, request.conditions())?;
                let encoded = floats(ENCODER, encoded, Role::Latent)?;
                encoded.iter().map(|value| (value - latent.shift) * latent.scale).collect()
            }
        };
        let mask = source.mask.as_ref().map(|mask| -> Result<Vec<f32>, PictureError> {
            let (wide, tall) = sides(height, width);
            let small = resize(&self.fitted_mask(mask)?, wide, tall, Resampling::Smooth)?;
            Ok(shares(&small).repeat(channels))
        });
        Ok(Some(Start {
            clean,
            noise: noise(),
            mask: mask.transpose()?,
        }))
    }

    /// Puts the picture's own pixels back where the mask keeps them; all of them if nothing was drawn on it.
    ///
    /// # Errors
    /// If the picture cannot have the size of this one.
    pub fn restore(&self, request: &Resolved, drawn: Picture) -> Result<Picture, PipelineError> {
        let Some(source) = request.source() else { return Ok(drawn) };
        let own = || self.fitted(&source.picture, self.sides());
        if request.steps_done() == 0 {
            return Ok(own()?);
        }
        let Some(mask) = &source.mask else { return Ok(drawn) };
        let (own, shares) = (own()?, shares(&self.fitted_mask(mask)?));
        let pairs = own.pixels().as_chunks().0.iter().zip(drawn.pixels().as_chunks().0);
        let pixels = pairs.zip(shares).flat_map(|((own, drawn), share)| mixed(*own, *drawn, share));
        Ok(Picture::new(drawn.width(), drawn.height(), pixels.collect())?)
    }

    fn sides(&self) -> (u32, u32) {
        (self.picture.width, self.picture.height)
    }

    /// A picture of these sides: with transparent margins where the model knows transparency, else cut at the edges, on white.
    fn fitted(&self, picture: &Picture, sides: (u32, u32)) -> Result<Picture, PictureError> {
        match self.picture.channels {
            Channels::RgbaPremultiplied => self.fitted_by(picture, sides, Resampling::Smooth),
            Channels::Rgb | Channels::Gray => self.fitted_by(&Background::Colour([255; 3]).apply(picture), sides, Resampling::Smooth),
        }
    }

    /// A mask of the picture's sides, by whole pixels: black that is blended with white would no longer be kept.
    fn fitted_mask(&self, mask: &Picture) -> Result<Picture, PictureError> {
        self.fitted_by(mask, self.sides(), Resampling::Nearest)
    }

    fn fitted_by(&self, picture: &Picture, (width, height): (u32, u32), resampling: Resampling) -> Result<Picture, PictureError> {
        match self.picture.channels {
            Channels::RgbaPremultiplied => fitted::within(picture, width, height, resampling),
            Channels::Rgb | Channels::Gray => fitted::over(picture, width, height, resampling),
        }
    }
}

fn sides(height: usize, width: usize) -> (u32, u32) {
    let side = |side: usize| u32::try_from(side).unwrap_or(u32::MAX);
    (side(width), side(height))
}

/// How white every pixel of a mask is, from 0 to 1; what is transparent is black.
fn shares(mask: &Picture) -> Vec<f32> {
    let on_black = Background::Colour([0; 3]).apply(mask);
    on_black.to_gray().iter().map(|value| value.midpoint(1.0)).collect()
}

/// `own` at a share of 0, `drawn` at 1, to the byte.
fn mixed(own: [u8; 4], drawn: [u8; 4], share: f32) -> [u8; 4] {
    if share <= 0.0 {
        return own;
    }
    if share >= 1.0 {
        return drawn;
    }
    std::array::from_fn(|channel| {
        let (own, drawn) = (f32::from(own[channel]), f32::from(drawn[channel]));
        (own + (drawn - own) * share).round() as u8
    })
}
