//! Enlarging by a network: the optional stage `enlarger` makes a picture twice as large, again and again until it is as large as asked for;
//! what it has too much is shrunk away by the pipeline. Sprites keep their whole pixels and never go through it.
//!
//! A picture that the stage does not take as a whole is enlarged in tiles. Of the largest picture, only one row of tiles is ever kept as floats.

use std::ops::RangeInclusive;

use super::tiles::Tiling;
use super::{Diffusion, floats, picture, planes};
use crate::engine::{Engine, Value};
use crate::pack::{Channels, Role};
use crate::picture::{Picture, Resampling, clean_edges};
use crate::pipeline::families::{Run, Values, run_stage_with};
use crate::pipeline::observer::Phase;
use crate::pipeline::{PipelineError, Resolved};

/// Makes a picture larger.
pub const ENLARGER: &str = "enlarger";
/// By how much the stage may enlarge at once.
pub const FACTORS: RangeInclusive<usize> = 2..=4;
/// The longest side that is reached by enlarging, in pixels; larger pictures are scaled from there.
const LARGEST: u32 = 1024;

impl Diffusion {
    /// The tilings of a picture, one each time that it is enlarged.
    fn tilings(&self, request: &Resolved) -> Vec<Tiling> {
        let wanted = request.size_of_object().unwrap_or(0).min(LARGEST);
        let mut tilings: Vec<Tiling> = Vec::new();
        if request.resampling() == Resampling::Nearest {
            return tilings;
        }
        let [channels, mut height, mut width] = self.picture.planes();
        while height.max(width) < wanted as usize
            && let Ok(tiling) = Tiling::over([channels, height, width], self.manifest(), ENLARGER, Role::Picture)
        {
            [height, width] = tiling.picture_sides();
            tilings.push(tiling);
        }
        tilings
    }

    /// How many parts of a picture are enlarged one by one, each time that it is.
    pub fn parts(&self, request: &Resolved) -> usize {
        self.tilings(request).iter().map(Tiling::count).sum()
    }

    /// The picture of an object at the size that it needs or larger, if there is an enlarger; a picture that is large enough stays as it is.
    ///
    /// # Errors
    /// If the stage cannot be loaded or fails, or the observer cancels.
    pub fn enlarge(
        &self,
        engine: &Engine,
        request: &Resolved,
        drawn: Picture,
        object: usize,
        run: &mut Run<'_>,
    ) -> Result<Picture, PipelineError> {
        let tilings = self.tilings(request);
        let Some((last, earlier)) = tilings.split_last() else {
            return Ok(drawn);
        };
        let channels = self.picture.channels;
        let mut number = object * self.parts(request);
        let mut enlarged = |part| {
            number += 1;
            run.phase(Phase::Enlarge(number), || {
                let inputs = Values::from([(Role::Picture, Value::F32(part))]);
                let outputs = run_stage_with(&self.stages, engine, ENLARGER, &inputs, request.conditions())?;
                Ok(floats(ENLARGER, outputs, Role::Picture)?)
            })
        };
        let mut values = planes(&drawn, channels);
        drop(drawn);
        for tiling in earlier {
            values = tiling.decode(values, &mut enlarged)?;
            values.iter_mut().for_each(|value| *value = value.clamp(-1.0, 1.0));
        }
        let [height, width] = last.picture_sides().map(|side| u32::try_from(side).unwrap_or(u32::MAX));
        let mut pixels = Vec::with_capacity(height as usize * width as usize * 4);
        last.decode_strips(&values, enlarged, |strip| -> Result<(), PipelineError> {
            let rows = strip.len() / (last.picture_elements() / height as usize);
            pixels.extend_from_slice(picture(channels, &strip, width, rows as u32)?.pixels());
            Ok(())
        })?;
        drop(values);
        let large = Picture::new(width, height, pixels)?;
        // A decoder's alpha is sharper than its colours, of which the outermost pixel is mixed with the black of what is transparent; enlarged,
        // that is a dark rim of less than a pixel of the decoder's.
        let rim = width / self.picture.width.max(1) * 3 / 4;
        Ok(match channels {
            Channels::RgbaPremultiplied => clean_edges(&large, u8::try_from(rim).unwrap_or(u8::MAX)),
            Channels::Rgb | Channels::Gray => large,
        })
    }
}
