use super::*;
use sha2::{Digest, Sha256};

/// A pseudo-random sequence (xorshift, G. Marsaglia 2003).
struct Random(u32);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    fn colour(&mut self) -> [u8; 3] {
        std::array::from_fn(|_| (self.next() >> 11) as u8)
    }
}

fn palettes() -> [Palette; 3] {
    [Palette::spectra_6(), Palette::acep_7(), Palette::mono()]
}

fn flat(width: u32, height: u32, [red, green, blue]: [u8; 3]) -> Picture {
    Picture::filled(width, height, [red, green, blue, 255]).unwrap()
}

/// Mean light of a dithered picture, with the inks that the ditherer reckons with.
fn mean(ditherer: &Ditherer, dithered: &Dithered) -> [f64; 3] {
    let mut sum = [0.0; 3];
    for &ink in dithered.inks() {
        let light = ditherer.inks[ink as usize];
        sum.iter_mut().zip(light).for_each(|(sum, light)| *sum += f64::from(light));
    }
    sum.map(|sum| sum / dithered.inks().len() as f64)
}

fn shares(dithered: &Dithered, inks: usize) -> Vec<f64> {
    let count = |ink: usize| dithered.inks().iter().filter(|&&found| found as usize == ink).count();
    (0..inks).map(|ink| count(ink) as f64 / dithered.inks().len() as f64).collect()
}

#[test]
fn the_mean_of_every_colour_is_kept() {
    let mut random = Random(7);
    for palette in palettes() {
        for saturation in [0.0, 0.5, 1.0] {
            for serpentine in [true, false] {
                let dithering = Dithering {
                    saturation,
                    serpentine,
                    solid_inks: false,
                    ..Dithering::default()
                };
                let ditherer = Ditherer::new(palette.clone(), dithering);
                for _ in 0..60 {
                    let colour = random.colour();
                    let wanted = ditherer.gamut.nearest(ditherer.vivid(light::of(colour)));
                    let found = mean(&ditherer, &ditherer.picture(&flat(192, 192, colour)));
                    let off = |one: f64, other: f64| (one - other).abs() / f64::from(light::FULL);
                    let luminance = |light: [f64; 3]| 0.2126 * light[0] + 0.7152 * light[1] + 0.0722 * light[2];
                    let wanted = wanted.map(f64::from);
                    assert!(
                        off(luminance(found), luminance(wanted)) < 0.01,
                        "{colour:?} at {saturation}: {found:?} {wanted:?}"
                    );
                    // A debt of one channel waits for an ink far away, and a little of it is given up meanwhile.
                    for (found, wanted) in found.iter().zip(wanted) {
                        assert!(off(*found, wanted) < 0.06, "{colour:?} at {saturation}: {found} {wanted}");
                    }
                }
            }
        }
    }
}

#[test]
fn greys_look_as_light_as_they_are() {
    for palette in palettes() {
        let ditherer = Ditherer::new(
            palette,
            Dithering {
                saturation: 1.0,
                ..Dithering::default()
            },
        );
        for grey in [20, 60, 128, 188, 240] {
            let wanted = f64::from(light::of([grey; 3])[0]);
            let found = mean(&ditherer, &ditherer.picture(&flat(96, 96, [grey; 3])));
            assert!(
                found.iter().all(|found| (found - wanted).abs() / f64::from(light::FULL) < 0.015),
                "{grey}: {found:?} {wanted}"
            );
        }
    }
}

#[test]
fn inks_stay_solid_beside_anything() {
    let mut random = Random(99);
    for palette in palettes() {
        let ditherer = Ditherer::new(palette.clone(), Dithering::default());
        for (number, ink) in palette.inks().iter().enumerate() {
            for colour in [ink.nominal, ink.measured, palette.adapted()[number]] {
                let first = palette.inks().iter().position(|other| {
                    let at = palette.inks().iter().position(|found| found == other).unwrap();
                    [other.nominal, other.measured, palette.adapted()[at]].contains(&colour)
                });
                // Noise above and to the left, then a field of the ink.
                let pixel = |at: usize, random: &mut Random| if at % 40 < 10 || at < 400 { random.colour() } else { colour };
                let bytes: Vec<u8> = (0..1600).flat_map(|at| pixel(at, &mut random)).collect();
                let dithered = ditherer.rgb(40, &bytes);
                for at in (400..1600).filter(|at| at % 40 >= 10) {
                    assert_eq!(Some(dithered.inks()[at] as usize), first, "{} at {at}", ink.name);
                }
            }
        }
    }
}

#[test]
fn nearly_white_and_nearly_black_have_no_dots() {
    for palette in palettes() {
        let ditherer = Ditherer::new(palette, Dithering::default());
        assert!(ditherer.picture(&flat(50, 50, [253, 251, 252])).inks().iter().all(|&ink| ink == 1));
        assert!(ditherer.picture(&flat(50, 50, [4, 2, 3])).inks().iter().all(|&ink| ink == 0));
    }
}

/// How much two colours have the same hue: the cosine between their differences from the greys of their luminance.
fn same_hue(one: [f64; 3], other: [f64; 3]) -> f64 {
    let [a, b] = [one, other].map(|light| {
        let grey = f64::from(light::luminance(light.map(|value| value as i32)));
        light.map(|value| value - grey)
    });
    let dot = |a: [f64; 3], b: [f64; 3]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[test]
fn light_blue_does_not_turn_green() {
    for palette in [Palette::spectra_6(), Palette::acep_7()] {
        let ditherer = Ditherer::new(palette.clone(), Dithering::default());
        for colour in [[120, 170, 240], [150, 190, 255], [100, 149, 237], [176, 200, 250], [135, 206, 235]] {
            let found = mean(&ditherer, &ditherer.picture(&flat(192, 192, colour)));
            let hue = same_hue(light::of(colour).map(f64::from), found);
            assert!(
                hue > 0.97 && found[2] > found[1] && found[1] > found[0],
                "{colour:?}: {hue} {found:?}"
            );
        }
    }
}

#[test]
fn vivid_pictures_use_more_ink() {
    let white = |vividness| {
        let ditherer = Ditherer::new(
            Palette::spectra_6(),
            Dithering {
                vividness,
                ..Dithering::default()
            },
        );
        let shares = shares(&ditherer.picture(&flat(120, 120, [200, 150, 150])), 6);
        shares[0] + shares[1]
    };
    assert!(white(0.5) > white(1.0) && white(1.0) > white(2.0));
}

#[test]
fn luminance_is_kept_at_every_saturation() {
    for palette in [Palette::spectra_6(), Palette::acep_7()] {
        let [pale, full] = [0.0, 1.0].map(|saturation| palette.light(saturation));
        for (pale, full) in pale.iter().zip(full) {
            assert!((light::luminance(*pale) - light::luminance(full)).abs() < 40, "{pale:?} {full:?}");
        }
    }
}

#[test]
fn mapped_colours_are_in_the_gamut_and_keep_their_hue() {
    let mut random = Random(3);
    for palette in [Palette::spectra_6(), Palette::acep_7()] {
        let gamut = Gamut::new(&palette.light(1.0));
        for _ in 0..2000 {
            let colour = light::of(random.colour());
            let mapped = gamut.nearest(colour);
            let again = gamut.nearest(mapped);
            assert!(
                mapped.iter().zip(again).all(|(a, b)| (a - b).abs() <= 40),
                "{colour:?} {mapped:?} {again:?}"
            );
            // Straight towards a grey: the order of the channels stays.
            for (one, other) in [(0, 1), (1, 2), (0, 2)] {
                assert!((colour[one] - colour[other]).signum() * (mapped[one] - mapped[other]).signum() >= 0);
            }
        }
    }
}

#[test]
fn every_shape_can_be_dithered() {
    let mut random = Random(11);
    for diffusion in [Diffusion::FloydSteinberg, Diffusion::Atkinson, Diffusion::None] {
        let ditherer = Ditherer::new(
            Palette::spectra_6(),
            Dithering {
                diffusion,
                ..Dithering::default()
            },
        );
        for (width, height) in [(1, 1), (1, 37), (37, 1), (2, 2), (3, 50), (50, 3)] {
            let bytes: Vec<u8> = (0..width * height).flat_map(|_| random.colour()).collect();
            let dithered = ditherer.rgb(width, &bytes);
            assert_eq!((dithered.width(), dithered.height()), (width, height));
            assert!(dithered.inks().iter().all(|&ink| ink < 6));
            let preview = dithered.preview(ditherer.palette(), Appearance::Measured).unwrap();
            assert_eq!((preview.width(), preview.height()), (width, height));
        }
        assert!(ditherer.rgb(0, &[1, 2, 3]).inks().is_empty());
        assert!(ditherer.rgb(5, &[]).preview(ditherer.palette(), Appearance::Measured).is_err());
    }
}

#[test]
fn atkinson_has_cleaner_lights() {
    let dots = |diffusion| {
        let ditherer = Ditherer::new(
            Palette::mono(),
            Dithering {
                diffusion,
                ..Dithering::default()
            },
        );
        shares(&ditherer.picture(&flat(100, 100, [243, 243, 243])), 2)[0]
    };
    assert!(dots(Diffusion::Atkinson) < dots(Diffusion::FloydSteinberg) * 0.8);
    assert_eq!(dots(Diffusion::None), 0.0);
}

#[test]
fn the_preview_is_what_the_panel_shows() {
    let palette = Palette::spectra_6();
    let ditherer = Ditherer::new(palette.clone(), Dithering::default());
    let dithered = ditherer.rgb(3, &[255, 255, 255, 0, 0, 0, 255, 0, 0]);
    assert_eq!(dithered.inks(), [1, 0, 3]);
    let measured = dithered.preview(&palette, Appearance::Measured).unwrap();
    assert_eq!(
        measured.pixels(),
        [[179, 182, 171, 255], [2, 2, 2, 255], [117, 10, 0, 255]].concat()
    );
    let adapted = dithered.preview(&palette, Appearance::Adapted).unwrap();
    assert_eq!(adapted.pixel(0, 0), Some([255; 4]));
    assert_eq!(adapted.pixel(1, 0), Some([0, 0, 0, 255]));
}

#[test]
fn transparent_pixels_are_paper() {
    let ditherer = Ditherer::new(Palette::acep_7(), Dithering::default());
    let dithered = ditherer.picture(&Picture::new(2, 1, vec![0, 0, 0, 0, 0, 0, 0, 255]).unwrap());
    assert_eq!(dithered.inks(), [1, 0]);
}

#[test]
fn measured_colours_are_checked() {
    let palette = Palette::spectra_6();
    let message = palette.clone().with_measured(&[[0; 3]; 5]).unwrap_err().to_string();
    assert!(message.contains("5 measured colours") && message.contains("yellow"), "{message}");
    let dark = [[10; 3], [200, 10, 200], [0; 3], [0; 3], [0; 3], [0; 3]];
    assert!(palette.clone().with_measured(&dark).is_err());
    let good = [[10; 3], [200; 3], [1; 3], [2; 3], [3; 3], [4; 3]];
    assert_eq!(palette.with_measured(&good).unwrap().measured(), good);
}

#[test]
fn odd_saturations_are_tamed() {
    for (given, used) in [(f32::NAN, 1.0), (-3.0, 0.0), (9.0, 1.0), (0.25, 0.25)] {
        let ditherer = Ditherer::new(
            Palette::spectra_6(),
            Dithering {
                saturation: given,
                ..Dithering::default()
            },
        );
        assert_eq!(ditherer.dithering.saturation, used);
    }
    let ditherer = Ditherer::new(
        Palette::spectra_6(),
        Dithering {
            vividness: 3.0,
            ..Dithering::default()
        },
    );
    assert_eq!(ditherer.dithering.vividness, 2.0);
}

#[test]
fn settings_are_read_by_their_names() {
    let read: Dithering = toml::from_str("diffusion = 'atkinson'\nsaturation = 0.25").unwrap();
    assert_eq!(
        (read.diffusion, read.saturation, read.serpentine),
        (Diffusion::Atkinson, 0.25, true)
    );
    assert!(toml::from_str::<Dithering>("diffusion = 'floyd'").is_err());
}

#[test]
fn one_colour_displays_light_what_is_bright() {
    for grey in 0..=255 {
        assert_eq!(lit(&[grey; 6]), [grey >= 128; 2], "{grey}");
    }
    assert_eq!(lit(&[255, 255, 0, 0, 0, 255]), [true, false], "yellow is bright, blue is dark");
}

/// A picture of every kind of place: a ramp, a circle of hues, noise, flat fields.
fn mixed() -> Vec<u8> {
    let mut random = Random(2026);
    let pixel = |(x, y): (u32, u32), random: &mut Random| match (x / 32, y / 32) {
        (0, 0) => [(x * 8) as u8, (x * 8) as u8, (x * 8) as u8],
        (1, 0) => [(x * 8) as u8, 255 - (y * 8) as u8, 128],
        (0, 1) => random.colour(),
        _ => [135, 206, 235],
    };
    (0..64)
        .flat_map(|y| (0..64).map(move |x| (x, y)))
        .flat_map(|at| pixel(at, &mut random))
        .collect()
}

#[test]
fn the_dots_never_change() {
    let sums: Vec<String> = palettes()
        .into_iter()
        .flat_map(|palette| {
            [Diffusion::FloydSteinberg, Diffusion::Atkinson].map(|diffusion| {
                let ditherer = Ditherer::new(
                    palette.clone(),
                    Dithering {
                        diffusion,
                        ..Dithering::default()
                    },
                );
                let digest = Sha256::digest(ditherer.rgb(64, &mixed()).inks());
                digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
            })
        })
        .collect();
    assert_eq!(sums, GOLDEN);
}

const GOLDEN: [&str; 6] = [
    "83a55af99f873dce",
    "0f7d44f467e93cb2",
    "59788fc0510bb904",
    "c0419ee56fca273b",
    "9b5949ff73dac9b2",
    "8dfb2ea221801c15",
];
