//! Colours, and which of them suit a panel.

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;

use crate::device::display::{Colours, Panel};
use crate::kiosk::settings::ThemeName;

/// The colours of a screen.
#[derive(Clone, Debug, PartialEq)]
pub struct Theme {
    /// Behind everything.
    pub ground: Rgb888,
    /// Behind pictures.
    pub card: Rgb888,
    /// Around pictures; `None` if the card stands out by itself.
    pub edge: Option<Rgb888>,
    /// Words on the ground.
    pub ink: Rgb888,
    /// Words on a card.
    pub on_card: Rgb888,
    /// Words of less weight.
    pub faint: Rgb888,
    /// Lines and empty parts.
    pub line: Rgb888,
    /// What one should look at.
    pub accent: Rgb888,
    /// Words upon the accent.
    pub on_accent: Rgb888,
    /// Whether letters have no shades, because the panel has none.
    pub crisp: bool,
}

impl Theme {
    /// Dark, as ink in the stone: for panels with a light of their own.
    pub fn ink() -> Theme {
        Theme {
            ground: Rgb888::new(22, 21, 24),
            card: Rgb888::new(245, 240, 230),
            edge: None,
            ink: Rgb888::new(240, 234, 222),
            on_card: Rgb888::new(38, 34, 36),
            faint: Rgb888::new(150, 144, 136),
            line: Rgb888::new(58, 55, 58),
            accent: Rgb888::new(204, 66, 46),
            on_accent: Rgb888::new(255, 250, 240),
            crisp: false,
        }
    }

    /// Light, as paper: for rooms with much daylight.
    pub fn paper() -> Theme {
        Theme {
            ground: Rgb888::new(238, 232, 220),
            card: Rgb888::new(253, 250, 243),
            edge: Some(Rgb888::new(214, 205, 188)),
            ink: Rgb888::new(38, 34, 36),
            on_card: Rgb888::new(38, 34, 36),
            faint: Rgb888::new(100, 91, 82),
            line: Rgb888::new(209, 200, 184),
            accent: Rgb888::new(192, 57, 43),
            on_accent: Rgb888::new(255, 250, 240),
            crisp: false,
        }
    }

    /// Ink on white: for e-paper with colours.
    pub fn print() -> Theme {
        Theme {
            ground: Rgb888::WHITE,
            card: Rgb888::WHITE,
            edge: Some(Rgb888::BLACK),
            ink: Rgb888::BLACK,
            on_card: Rgb888::BLACK,
            faint: Rgb888::BLACK,
            line: Rgb888::BLACK,
            accent: Rgb888::RED,
            on_accent: Rgb888::WHITE,
            crisp: true,
        }
    }

    /// Black on white: for e-paper without colours.
    pub fn black_on_white() -> Theme {
        Theme {
            accent: Rgb888::BLACK,
            ..Theme::print()
        }
    }

    /// White on black: for small panels whose dots give light.
    pub fn white_on_black() -> Theme {
        Theme {
            ground: Rgb888::BLACK,
            card: Rgb888::BLACK,
            edge: Some(Rgb888::WHITE),
            ink: Rgb888::WHITE,
            on_card: Rgb888::WHITE,
            faint: Rgb888::WHITE,
            line: Rgb888::WHITE,
            accent: Rgb888::WHITE,
            on_accent: Rgb888::BLACK,
            crisp: true,
        }
    }

    /// Words of a little less weight than [`Theme::ink`].
    pub fn near(&self) -> Rgb888 {
        let mix = |one: u8, other: u8| ((u16::from(one) + u16::from(other)) / 2) as u8;
        Rgb888::new(
            mix(self.ink.r(), self.faint.r()),
            mix(self.ink.g(), self.faint.g()),
            mix(self.ink.b(), self.faint.b()),
        )
    }

    /// For words over a card that fills the panel.
    pub fn over_card(&self) -> Theme {
        Theme {
            ground: self.card,
            ink: self.on_card,
            faint: self.on_card,
            ..self.clone()
        }
    }

    /// The theme of a panel: the named one if the panel allows a choice.
    pub fn of(panel: &Panel, name: ThemeName) -> Theme {
        match &panel.colours {
            Colours::Mono if panel.has_slow_refresh() => Theme::black_on_white(),
            Colours::Mono => Theme::white_on_black(),
            Colours::Palette(inks) if inks.len() <= 2 => Theme::black_on_white(),
            Colours::Palette(_) => Theme::print(),
            Colours::Full | Colours::HighColour if panel.has_slow_refresh() => Theme::print(),
            Colours::Full | Colours::HighColour => match name {
                ThemeName::Ink => Theme::ink(),
                ThemeName::Paper => Theme::paper(),
                ThemeName::Print => Theme::print(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// The contrast of two colours by WCAG 2.2.
    fn contrast(one: Rgb888, other: Rgb888) -> f64 {
        let linear = |value: u8| {
            let value = f64::from(value) / 255.0;
            if value <= 0.04045 {
                value / 12.92
            } else {
                ((value + 0.055) / 1.055).powf(2.4)
            }
        };
        let luminance = |colour: Rgb888| 0.2126 * linear(colour.r()) + 0.7152 * linear(colour.g()) + 0.0722 * linear(colour.b());
        let (one, other) = (luminance(one) + 0.05, luminance(other) + 0.05);
        one.max(other) / one.min(other)
    }

    #[test]
    fn words_stand_out_from_what_is_behind_them() {
        assert!((contrast(Rgb888::WHITE, Rgb888::BLACK) - 21.0).abs() < 1e-9);
        for theme in [Theme::ink(), Theme::paper(), Theme::black_on_white(), Theme::white_on_black()] {
            for (words, behind) in [
                (theme.ink, theme.ground),
                (theme.faint, theme.ground),
                (theme.near(), theme.ground),
                (theme.on_card, theme.card),
                (theme.on_accent, theme.accent),
            ] {
                assert!(
                    contrast(words, behind) >= 4.5,
                    "{words:?} on {behind:?}: {}",
                    contrast(words, behind)
                );
            }
        }
    }

    #[test]
    fn themes_suit_panels() {
        let panel = |colours, refresh| Panel {
            name: "test".into(),
            size: Size::new(1, 1),
            rotation: crate::device::display::Rotation::None,
            colours,
            refresh: Duration::from_secs(refresh),
            minimum_interval: Duration::ZERO,
        };
        assert_eq!(Theme::of(&panel(Colours::Full, 0), ThemeName::Ink), Theme::ink());
        assert_eq!(Theme::of(&panel(Colours::HighColour, 0), ThemeName::Paper), Theme::paper());
        assert_eq!(Theme::of(&panel(Colours::Full, 0), ThemeName::Print), Theme::print());
        assert_eq!(Theme::of(&panel(Colours::Mono, 0), ThemeName::Ink), Theme::white_on_black());
        assert_eq!(Theme::of(&panel(Colours::Mono, 4), ThemeName::Paper), Theme::black_on_white());
        assert_eq!(
            Theme::of(&panel(Colours::Palette(vec![[0; 3]; 6]), 30), ThemeName::Ink),
            Theme::print()
        );
        assert_eq!(Theme::of(&panel(Colours::Full, 30), ThemeName::Paper), Theme::print());
    }
}
