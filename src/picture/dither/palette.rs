//! The inks of a panel: their nominal and their measured colours.
//!
//! Owns the shipped palettes with their sources, and the conversion from measured colours to those that dithering uses. Depends
//! on [`light`](super::light) only.

use super::light;
use thiserror::Error;

/// One colour that a panel can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ink {
    /// Its name.
    pub name: &'static str,
    /// Its nominal pure colour, as used by drivers and tools, sRGB.
    pub nominal: [u8; 3],
    /// Its measured colour on the panel, sRGB. The white of e-paper is a light grey.
    pub measured: [u8; 3],
}

/// The inks of one kind of panel. The first is black, the second white.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Palette {
    inks: Vec<Ink>,
}

/// Why measured colours do not make a palette.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum PaletteError {
    /// The wrong number of colours.
    #[error("{given} measured colours were given for a panel of {expected} inks: {inks}")]
    Number {
        /// Number of inks of the panel.
        expected: usize,
        /// Number of colours given.
        given: usize,
        /// Names of the inks, in order.
        inks: String,
    },
    /// White is not lighter than black.
    #[error("the measured white {white:?} must be lighter than the measured black {black:?} in red, green and blue")]
    WhiteNotLighter {
        /// Measured white.
        white: [u8; 3],
        /// Measured black.
        black: [u8; 3],
    },
}

const fn ink(name: &'static str, nominal: [u8; 3], measured: [u8; 3]) -> Ink {
    Ink { name, nominal, measured }
}

/// E Ink Spectra 6. Measured: photographs of full-screen blocks on a 7.3 inch panel under even light, averaged, from
/// `docs/MEASURED_PALETTE.md` of the project aitjcize/esp32-photoframe.
const SPECTRA_6: [Ink; 6] = [
    ink("black", [0, 0, 0], [2, 2, 2]),
    ink("white", [255, 255, 255], [179, 182, 171]),
    ink("yellow", [255, 255, 0], [201, 184, 0]),
    ink("red", [255, 0, 0], [117, 10, 0]),
    ink("blue", [0, 0, 255], [0, 47, 107]),
    ink("green", [0, 255, 0], [33, 69, 40]),
];

/// E Ink Gallery Palette (ACeP, seven colours). Measured: the palette `SATURATED_PALETTE` of Pimoroni's driver for the
/// UC8159 (`inky_uc8159.py` of pimoroni/inky 2.6.0), relative to a white of 255.
const ACEP_7: [Ink; 7] = [
    ink("black", [0, 0, 0], [57, 48, 57]),
    ink("white", [255, 255, 255], [255, 255, 255]),
    ink("green", [0, 255, 0], [58, 91, 70]),
    ink("blue", [0, 0, 255], [61, 59, 94]),
    ink("red", [255, 0, 0], [156, 72, 75]),
    ink("yellow", [255, 255, 0], [208, 190, 71]),
    ink("orange", [255, 128, 0], [177, 106, 73]),
];

/// Black and white in their nominal colours: the eye adapts to paper white and ink black.
const MONO: [Ink; 2] = [ink("black", [0, 0, 0], [0, 0, 0]), ink("white", [255, 255, 255], [255, 255, 255])];

impl Palette {
    /// The six inks of E Ink Spectra 6: black, white, yellow, red, blue, green. Their colours were photographed by the project
    /// aitjcize/esp32-photoframe on one panel in one light; use [`Palette::with_measured`] for your own.
    pub fn spectra_6() -> Palette {
        Palette { inks: SPECTRA_6.to_vec() }
    }

    /// The seven inks of E Ink Gallery Palette (ACeP): black, white, green, blue, red, yellow, orange, as
    /// measured by Pimoroni; use [`Palette::with_measured`] for your own.
    pub fn acep_7() -> Palette {
        Palette { inks: ACEP_7.to_vec() }
    }

    /// Black and white.
    pub fn mono() -> Palette {
        Palette { inks: MONO.to_vec() }
    }

    /// The same inks with other measured colours, in the order of [`Palette::inks`]: photograph the panel next to a white
    /// sheet in the light of its place, and use the mean of each colour.
    ///
    /// # Errors
    /// If their number is wrong or white is not lighter than black.
    pub fn with_measured(mut self, measured: &[[u8; 3]]) -> Result<Palette, PaletteError> {
        if measured.len() != self.inks.len() {
            return Err(PaletteError::Number {
                expected: self.inks.len(),
                given: measured.len(),
                inks: self.inks.iter().map(|ink| ink.name).collect::<Vec<_>>().join(", "),
            });
        }
        let [black, white, ..] = *measured else {
            return Err(PaletteError::Number {
                expected: 2,
                given: measured.len(),
                inks: "black, white".into(),
            });
        };
        if black.iter().zip(&white).any(|(black, white)| white <= black) {
            return Err(PaletteError::WhiteNotLighter { white, black });
        }
        self.inks
            .iter_mut()
            .zip(measured)
            .for_each(|(ink, &measured)| ink.measured = measured);
        Ok(self)
    }

    /// Its inks. The first is black, the second white.
    pub fn inks(&self) -> &[Ink] {
        &self.inks
    }

    /// The measured colour of each ink, sRGB.
    pub fn measured(&self) -> Vec<[u8; 3]> {
        self.inks.iter().map(|ink| ink.measured).collect()
    }

    /// The colour of each ink as seen by an eye adapted to the panel's white and black, sRGB. Channels that exceed white (often
    /// the red of yellow) are clamped.
    pub fn adapted(&self) -> Vec<[u8; 3]> {
        self.light(1.0).iter().map(|light| light.map(light::byte)).collect()
    }

    /// Light of each ink, relative to the panel's black and white. `saturation` 1 is as measured; towards 0 each ink
    /// approaches the hue of its nominal colour, at the measured luminance.
    pub(super) fn light(&self, saturation: f32) -> Vec<[i32; 3]> {
        let (black, white) = match self.inks[..] {
            [black, white, ..] => (light::of(black.measured), light::of(white.measured)),
            _ => ([0; 3], [light::FULL; 3]),
        };
        let blend = |ink: &Ink| {
            let measured = light::of(ink.measured);
            let relative: [i32; 3] = std::array::from_fn(|channel| {
                let range = (white[channel] - black[channel]).max(1);
                (measured[channel] - black[channel]) * light::FULL / range
            });
            let pure = light::of(ink.nominal);
            let (wanted, own) = (light::luminance(relative).max(0), light::luminance(pure).max(1));
            std::array::from_fn(|channel| {
                let pure = i64::from(pure[channel]) * i64::from(wanted) / i64::from(own);
                pure as i32 + ((relative[channel] - pure as i32) as f32 * saturation + 0.5).floor() as i32
            })
        };
        self.inks.iter().map(blend).collect()
    }

    /// The ink whose nominal, measured or adapted colour is exactly this colour.
    pub(super) fn named(&self, colour: [u8; 3], adapted: &[[u8; 3]]) -> Option<usize> {
        (0..self.inks.len()).find(|&index| {
            let ink = &self.inks[index];
            colour == ink.nominal || colour == ink.measured || colour == adapted[index]
        })
    }
}
