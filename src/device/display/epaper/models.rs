//! The supported e-paper panels: size, inks and the commands of the controller.
//!
//! Depends on the register tables beside it and on the palettes of [`crate::picture`]. **This project never ran any of these
//! panels**: they are sent what the vendors' own drivers send, tested here against models of the controllers.

use std::time::Duration;

use embedded_graphics::prelude::Size;

use super::tables::*;
use crate::device::display::Rotation;
use crate::picture::dither::Palette;

/// A panel by vendor and name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Model {
    /// Waveshare 7.3 inch (F), seven colours.
    Waveshare73F,
    /// Waveshare 7.3 inch (E), Spectra 6.
    Waveshare73E,
    /// Waveshare 5.65 inch (F), seven colours.
    Waveshare565F,
    /// Waveshare 7.5 inch V2, black and white.
    Waveshare75V2,
    /// Inky Impression 7.3 inch of 2022, seven colours.
    Inky73Of2022,
    /// Inky Impression 7.3 inch of 2025, Spectra 6.
    Inky73,
    /// Inky Impression 5.7 inch, seven colours.
    Inky57,
    /// Inky Impression 4 inch of 2021, seven colours.
    Inky4Of2021,
    /// Inky Impression 4 inch of 2025, Spectra 6.
    Inky4,
}

/// How the pixels of a panel are encoded.
#[derive(Clone, Copy, Debug)]
pub(super) enum Coding {
    /// Four bits a pixel, the left one in the high nibble: the controller's code for each ink of the palette.
    Codes(&'static [u8]),
    /// One bit a pixel, the left one in the most significant bit, 1 for white; with the steps before a partial refresh.
    Bits {
        /// Before a partial refresh.
        partial: &'static [Step],
    },
}

/// Everything that the driver knows about a panel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Specification {
    /// Name in settings and messages.
    pub name: &'static str,
    /// Pixels of the controller's memory.
    pub memory: Size,
    /// How the memory is rotated relative to the panel.
    pub rotation: Rotation,
    /// Its inks.
    pub palette: fn() -> Palette,
    /// The encoding of its pixels.
    pub coding: Coding,
    /// SPI clock in Hz.
    pub speed: u32,
    /// Its reset pulse.
    pub reset: Reset,
    /// After each reset, before the pixels.
    pub initialise: &'static [Step],
    /// After power on, before the refresh.
    pub prepare: &'static [Step],
    /// Data of the refresh command.
    pub refresh: &'static [u8],
    /// After the refresh: power off.
    pub finish: &'static [Step],
    /// How long a refresh takes according to the vendor.
    pub duration: Duration,
    /// The time after which a refresh counts as failed.
    pub longest: Duration,
    /// Shortest time from one refresh to the next.
    pub minimum_interval: Duration,
}

/// Waveshare's advice for its panels without partial refresh (wiki pages of the panels, *Precautions*): at least 180 s
/// between refreshes.
const ADVISED_INTERVAL: Duration = Duration::from_secs(180);

/// Codes of the seven-colour controllers: black, white, green, blue, red, yellow, orange are 0 to 6.
const SEVEN: Coding = Coding::Codes(&[0, 1, 2, 3, 4, 5, 6]);

/// Codes of the Spectra 6 controllers for black, white, yellow, red, blue, green; there is no 4.
const SIX: Coding = Coding::Codes(&[0, 1, 2, 3, 5, 6]);

/// Common to most seven-colour panels: 800 × 480, half a minute a refresh.
const COLOUR: Specification = Specification {
    name: "",
    memory: Size::new(800, 480),
    rotation: Rotation::None,
    palette: Palette::acep_7,
    coding: SEVEN,
    speed: 4_000_000,
    reset: WAVESHARE_RESET,
    initialise: &[],
    prepare: &[],
    refresh: &[0x00],
    finish: POWER_OFF,
    duration: Duration::from_secs(35),
    longest: Duration::from_secs(60),
    minimum_interval: ADVISED_INTERVAL,
};

/// Common to the UC8159 panels: a refresh command without data.
const UC8159: Specification = Specification {
    refresh: &[],
    finish: UC8159_POWER_OFF,
    reset: Reset {
        pulses: 1,
        low: 100,
        high: 100,
    },
    speed: 3_000_000,
    duration: Duration::from_secs(32),
    ..COLOUR
};

/// Common to the Spectra 6 panels.
const SPECTRA: Specification = Specification {
    palette: Palette::spectra_6,
    coding: SIX,
    ..COLOUR
};

impl Model {
    /// All of them.
    pub const ALL: [Model; 9] = [
        Model::Waveshare73F,
        Model::Waveshare73E,
        Model::Waveshare565F,
        Model::Waveshare75V2,
        Model::Inky73Of2022,
        Model::Inky73,
        Model::Inky57,
        Model::Inky4Of2021,
        Model::Inky4,
    ];

    /// Its name in settings.
    pub fn name(self) -> &'static str {
        self.specification().name
    }

    /// Width and height in pixels, before the rotation of settings.
    pub fn size(self) -> Size {
        let specification = self.specification();
        specification.rotation.size(specification.memory)
    }

    /// Its inks.
    pub fn palette(self) -> Palette {
        (self.specification().palette)()
    }

    /// Whether it is an Inky, which is wired differently.
    pub fn is_inky(self) -> bool {
        self.name().starts_with("inky")
    }

    /// SPI clock in Hz, as in the vendor's driver.
    pub fn speed(self) -> u32 {
        self.specification().speed
    }

    pub(super) fn specification(self) -> Specification {
        match self {
            Model::Waveshare73F => Specification {
                name: "waveshare-7.3-f",
                initialise: WAVESHARE_73_F,
                ..COLOUR
            },
            Model::Waveshare73E => Specification {
                name: "waveshare-7.3-e",
                initialise: WAVESHARE_73_E,
                duration: Duration::from_secs(19),
                ..SPECTRA
            },
            Model::Waveshare565F => Specification {
                name: "waveshare-5.65-f",
                memory: Size::new(600, 448),
                reset: Reset {
                    pulses: 1,
                    low: 2,
                    high: 200,
                },
                initialise: WAVESHARE_565_F,
                speed: 4_000_000,
                ..UC8159
            },
            Model::Waveshare75V2 => Specification {
                name: "waveshare-7.5-v2",
                palette: Palette::mono,
                coding: Coding::Bits {
                    partial: WAVESHARE_75_V2_PARTIAL,
                },
                initialise: WAVESHARE_75_V2,
                refresh: &[],
                finish: &[Step::Send(0x02, &[]), Step::Ready],
                duration: Duration::from_secs(4),
                longest: Duration::from_secs(20),
                // Waveshare's advice does not apply to panels with partial refresh.
                minimum_interval: Duration::ZERO,
                ..COLOUR
            },
            Model::Inky73Of2022 => Specification {
                name: "inky-impression-7.3-2022",
                reset: Reset {
                    pulses: 2,
                    low: 100,
                    high: 100,
                },
                initialise: INKY_73_OF_2022,
                speed: 5_000_000,
                duration: Duration::from_secs(41),
                longest: Duration::from_secs(70),
                ..COLOUR
            },
            Model::Inky73 => Specification {
                name: "inky-impression-7.3",
                reset: Reset {
                    pulses: 1,
                    low: 30,
                    high: 30,
                },
                initialise: INKY_73,
                prepare: BOOST_73,
                finish: INKY_73_FINISH,
                speed: 10_000_000,
                duration: Duration::from_secs(20),
                ..SPECTRA
            },
            Model::Inky57 => Specification {
                name: "inky-impression-5.7",
                memory: Size::new(600, 448),
                initialise: INKY_57,
                ..UC8159
            },
            Model::Inky4Of2021 => Specification {
                name: "inky-impression-4-2021",
                memory: Size::new(640, 400),
                initialise: INKY_4_OF_2021,
                ..UC8159
            },
            Model::Inky4 => Specification {
                name: "inky-impression-4",
                memory: Size::new(400, 600),
                rotation: Rotation::Quarter,
                reset: Reset {
                    pulses: 1,
                    low: 30,
                    high: 30,
                },
                initialise: INKY_4,
                prepare: BOOST_4,
                speed: 10_000_000,
                duration: Duration::from_secs(20),
                ..SPECTRA
            },
        }
    }
}
