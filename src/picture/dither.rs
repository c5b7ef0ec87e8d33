//! Dithering to the inks of an e-paper panel.
//!
//! Owns error diffusion; submodules own [`Palette`]s, the gamut and linear light. Depends on [`Picture`] only. All arithmetic is
//! in integers, so a picture has the same dots on every processor.
//!
//! * Dots are mixed **in linear light**, because the eye adds up light, relative to the panel's own black and white, because the
//!   eye adapts to the paper: white stays paper, not a grey of dots.
//! * Inks count as what they **look like** on the panel, not as their nominal colours, to the degree of
//!   [`Dithering::saturation`].
//! * Colours outside the gamut of the inks are first mapped into it, keeping the hue: otherwise their error spreads across the
//!   picture and light blue turns green.
//! * A colour that is one of the inks stays **solid**: no dots in white areas or black text.
//!
//! Error diffusion: R. Floyd and L. Steinberg, *An adaptive algorithm for spatial grey scale*, 1976; B. Atkinson's
//! variant, Apple 1984, passes on only six eighths of the error, which gives clean lights and shadows and more contrast.

mod gamut;
mod light;
mod palette;
#[cfg(test)]
mod tests;

pub use palette::{Ink, Palette, PaletteError};

use super::{Picture, PictureError};
use gamut::Gamut;
use serde::{Deserialize, Serialize};

/// How the error of a dot is distributed to its neighbours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Diffusion {
    /// All of it, to four neighbours: tones are exact.
    #[default]
    FloydSteinberg,
    /// Three quarters of it, to six neighbours: fewer stray dots, more contrast.
    Atkinson,
    /// None: each pixel becomes the nearest ink, for drawings in the inks' colours.
    None,
}

/// How a picture is dithered.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dithering {
    /// How errors spread.
    pub diffusion: Diffusion,
    /// Whether every second row runs from right to left, which avoids the diagonal lines of dots of error diffusion.
    pub serpentine: bool,
    /// From 0 to 1: whether inks count as what they look like on the panel (1) or as having the hue of their nominal colours (0).
    /// Towards 0, inks count as purer than they are and are used less: pictures become paler.
    pub saturation: f32,
    /// Colourfulness of the picture before dithering, from 0 (grey) over 1 (unchanged) to 2. Values above 1 compensate for the
    /// dullness of the panel.
    pub vividness: f32,
    /// Whether pixels in an ink's colour (nominal or measured; for white and black within four steps of 255) become that ink
    /// whatever the error of their neighbours.
    pub solid_inks: bool,
}

impl Default for Dithering {
    fn default() -> Self {
        Dithering {
            diffusion: Diffusion::FloydSteinberg,
            serpentine: true,
            saturation: 1.0,
            vividness: 1.2,
            solid_inks: true,
        }
    }
}

/// A dithered picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dithered {
    width: u32,
    inks: Vec<u8>,
}

/// How a preview shows the inks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Appearance {
    /// As measured: white is the grey of the paper.
    #[default]
    Measured,
    /// As seen by an eye that is adapted to the paper: white is white.
    Adapted,
}

impl Dithered {
    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        (self.inks.len() / (self.width as usize).max(1)) as u32
    }

    /// The index of each pixel's ink in the palette, rows from the top.
    pub fn inks(&self) -> &[u8] {
        &self.inks
    }

    /// A preview of the panel.
    ///
    /// # Errors
    /// If there are no pixels.
    pub fn preview(&self, palette: &Palette, appearance: Appearance) -> Result<Picture, PictureError> {
        let colours = match appearance {
            Appearance::Measured => palette.measured(),
            Appearance::Adapted => palette.adapted(),
        };
        let colour = |&ink: &u8| {
            let [red, green, blue] = colours.get(ink as usize).copied().unwrap_or_default();
            [red, green, blue, 255]
        };
        Picture::new(self.width, self.height(), self.inks.iter().flat_map(colour).collect())
    }
}

/// Dithers pictures to one palette.
#[derive(Clone, Debug)]
pub struct Ditherer {
    dithering: Dithering,
    palette: Palette,
    adapted: Vec<[u8; 3]>,
    inks: Vec<[i32; 3]>,
    gamut: Gamut,
}

/// A pixel before dithering.
#[derive(Clone, Copy)]
enum Wanted {
    /// This ink, whatever the error of its neighbours.
    Solid(u8),
    /// This light.
    Light([i32; 3]),
}

/// Amplitude of the noise.
const NOISE: i32 = light::FULL / 16;

/// Largest difference from 255 or 0 that counts as white or black.
const NEAR: u8 = 4;

impl Ditherer {
    /// Prepares for a palette. Saturation and vividness are clamped to their ranges; NaN counts as 1.
    pub fn new(palette: Palette, dithering: Dithering) -> Ditherer {
        let tame = |value: f32, most: f32| if value.is_nan() { 1.0 } else { value.clamp(0.0, most) };
        let (saturation, vividness) = (tame(dithering.saturation, 1.0), tame(dithering.vividness, 2.0));
        let inks = palette.light(saturation);
        Ditherer {
            adapted: palette.adapted(),
            gamut: Gamut::new(&inks),
            dithering: Dithering {
                saturation,
                vividness,
                ..dithering
            },
            palette,
            inks,
        }
    }

    /// The palette.
    pub fn palette(&self) -> &Palette {
        &self.palette
    }

    /// Dithers a picture; transparent pixels become paper white.
    pub fn picture(&self, picture: &Picture) -> Dithered {
        let over_white = |pixel: &[u8; 4]| {
            let alpha = u32::from(pixel[3]);
            std::array::from_fn(|channel| ((u32::from(pixel[channel]) * alpha + 255 * (255 - alpha) + 127) / 255) as u8)
        };
        self.colours(picture.width(), picture.pixels().as_chunks::<4>().0.iter().map(over_white))
    }

    /// Dithers red, green and blue bytes, rows of `width` pixels from the top. An incomplete last row is ignored.
    pub fn rgb(&self, width: u32, bytes: &[u8]) -> Dithered {
        self.colours(width, bytes.as_chunks::<3>().0.iter().copied())
    }

    fn colours(&self, width: u32, colours: impl Iterator<Item = [u8; 3]>) -> Dithered {
        let wide = width as usize;
        let mut debts = Debts::new(wide);
        let (mut inks, mut row, mut known) = (Vec::new(), Vec::with_capacity(wide), None);
        for colour in colours {
            let wanted = match known {
                Some((same, wanted)) if same == colour => wanted,
                _ => self.wanted(colour),
            };
            known = Some((colour, wanted));
            row.push(wanted);
            if row.len() == wide {
                let backwards = self.dithering.serpentine && debts.rows % 2 == 1;
                inks.extend(self.row(&row, &mut debts, backwards));
                debts.next_row();
                row.clear();
            }
        }
        Dithered { width, inks }
    }

    /// The target of a colour.
    fn wanted(&self, colour: [u8; 3]) -> Wanted {
        if self.dithering.solid_inks {
            if colour.iter().all(|&value| value <= NEAR) {
                return Wanted::Solid(0);
            }
            if colour.iter().all(|&value| value >= 255 - NEAR) {
                return Wanted::Solid(1);
            }
            if let Some(ink) = self.palette.named(colour, &self.adapted) {
                return Wanted::Solid(ink as u8);
            }
        }
        Wanted::Light(self.gamut.nearest(self.vivid(light::of(colour))))
    }

    /// A light moved away from or towards the grey of its luminance.
    fn vivid(&self, light: [i32; 3]) -> [i32; 3] {
        let grey = light::luminance(light);
        light.map(|value| grey + ((value - grey) as f32 * self.dithering.vividness + 0.5).floor() as i32)
    }

    /// The inks of one row.
    fn row(&self, row: &[Wanted], debts: &mut Debts, backwards: bool) -> Vec<u8> {
        let mut inks = vec![0; row.len()];
        for step in 0..row.len() {
            let x = if backwards { row.len() - 1 - step } else { step };
            inks[x] = match row[x] {
                Wanted::Solid(ink) => ink,
                Wanted::Light(light) => {
                    let owed = debts.owed(x);
                    let sum = std::array::from_fn(|channel| light[channel] + owed[channel]);
                    let ink = self.nearest(stir(sum, x, debts.rows));
                    let rest = std::array::from_fn(|channel| sum[channel] - self.inks[ink][channel]);
                    debts.spread(self.dithering.diffusion, x, backwards, rest);
                    ink as u8
                }
            };
        }
        inks
    }

    /// The ink nearest to a light. Differences in luminance are weighted more than those in colour, because the eye sees dots of
    /// different luminance as grain. The quadratic form is fixed, so the error stays bounded for every colour in the gamut.
    fn nearest(&self, light: [i32; 3]) -> usize {
        let distance = |ink: &[i32; 3]| {
            let difference: [i32; 3] = std::array::from_fn(|channel| light[channel] - ink[channel]);
            let square = |value: i32| i64::from(value) * i64::from(value);
            difference.iter().map(|&value| square(value)).sum::<i64>() + 3 * square(light::luminance(difference))
        };
        (0..self.inks.len()).min_by_key(|&index| distance(&self.inks[index])).unwrap_or(0)
    }
}

/// A light with a little noise, used for the choice of ink: it breaks up the outlines at edges and the worms of error diffusion
/// (R. Ulichney, *Dithering with blue noise*, 1988). The error is computed without it, so means are exact. The noise is a hash of
/// the position (the finalizer of MurmurHash3, A. Appleby).
fn stir(light: [i32; 3], x: usize, y: usize) -> [i32; 3] {
    let mut hash = (x as u32) << 16 ^ y as u32;
    for (shift, factor) in [(16, 0x85EB_CA6B), (13, 0xC2B2_AE35)] {
        hash = (hash ^ hash >> shift).wrapping_mul(factor);
    }
    hash ^= hash >> 16;
    std::array::from_fn(|channel| light[channel] + ((hash >> (10 * channel) & 1023) as i32 - 512) * NOISE / 512)
}

/// Limit of the error of a pixel: twice full light. Only colours outside the gamut could exceed it.
const MOST: i32 = 2 * light::FULL;

/// Errors not yet applied, for the current row and the two below.
struct Debts {
    rows: usize,
    lines: [Vec<[i32; 3]>; 3],
}

impl Debts {
    fn new(width: usize) -> Debts {
        Debts {
            rows: 0,
            lines: std::array::from_fn(|_| vec![[0; 3]; width]),
        }
    }

    fn owed(&self, x: usize) -> [i32; 3] {
        self.lines[0][x].map(|value| value.clamp(-MOST, MOST))
    }

    fn next_row(&mut self) {
        self.rows += 1;
        self.lines.rotate_left(1);
        self.lines[2].fill([0; 3]);
    }

    /// Distributes an error. What would go beyond the edge of the picture goes to the pixel below, so none is lost.
    fn spread(&mut self, diffusion: Diffusion, x: usize, backwards: bool, error: [i32; 3]) {
        let last = self.lines[0].len() as isize - 1;
        let mut add = |across: isize, down: usize, share: [i32; 3]| {
            let at = x as isize + if backwards { -across } else { across };
            let (at, down) = if (0..=last).contains(&at) {
                (at as usize, down)
            } else {
                (x, down.max(1))
            };
            self.lines[down][at]
                .iter_mut()
                .zip(share)
                .for_each(|(value, share)| *value += share);
        };
        match diffusion {
            Diffusion::None => {}
            Diffusion::FloydSteinberg => {
                let part = |sixteenths: i32| error.map(|value| value * sixteenths / 16);
                let (ahead, behind, below) = (part(7), part(3), part(5));
                let rest = std::array::from_fn(|channel| error[channel] - ahead[channel] - behind[channel] - below[channel]);
                add(1, 0, ahead);
                add(-1, 1, behind);
                add(0, 1, below);
                add(1, 1, rest);
            }
            Diffusion::Atkinson => {
                let eighth = error.map(|value| value / 8);
                for (across, down) in [(1, 0), (2, 0), (-1, 1), (0, 1), (1, 1), (0, 2)] {
                    add(across, down, eighth);
                }
            }
        }
    }
}

/// Which pixels of red, green and blue bytes are lit on a display of one colour: those of at least the luminance of a grey of
/// 128.
pub fn lit(bytes: &[u8]) -> Vec<bool> {
    let threshold = light::of([128; 3])[0];
    let is_lit = |&colour: &[u8; 3]| light::luminance(light::of(colour)) >= threshold;
    bytes.as_chunks::<3>().0.iter().map(is_lit).collect()
}
