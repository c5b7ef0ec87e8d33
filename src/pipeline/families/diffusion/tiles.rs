//! Drawing in tiles: a decoder for a smaller latent than the denoiser's, or an enlarger for a smaller picture than the one at hand, is run on
//! parts of it that overlap by a quarter, and their pictures are blended. It needs the memory of one tile, and of a row of tiles' pictures.
//!
//! What a decoder draws near a tile's edge lacks what lies beyond, so that the outer quarter of an overlap is not used at all; over the half
//! between, one tile fades into the next. A decoder whose norms take their mean over the whole picture, as those of Stable Diffusion do,
//! draws each tile a little otherwise than the whole; one of convolutions alone, such as TAESD, hardly does.

use std::ops::Range;

use super::{DENOISER, input_of, output_of};
use crate::pack::{Manifest, Port, Role};

/// Share of a tile that the next one covers as well.
const OVERLAP: usize = 4;

/// Which parts of a latent are decoded one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tiling {
    channels: usize,
    /// Height and width of the latent.
    whole: [usize; 2],
    /// Height and width of what the decoder takes.
    tile: [usize; 2],
    /// By how much the decoder enlarges.
    scale: usize,
    /// Channels that it gives.
    given: usize,
}

impl Tiling {
    /// The tiling of what the denoiser gives that the shapes of a decoder's ports ask for.
    ///
    /// # Errors
    /// As [`Tiling::over`].
    pub fn of(manifest: &Manifest, decoder: &str, role: Role) -> Result<Tiling, String> {
        let whole = planes(output_of(manifest, DENOISER, Role::Prediction))?;
        Tiling::over(whole, manifest, decoder, role)
    }

    /// The tiling of channels, height and width that the shapes of a stage's ports ask for.
    ///
    /// # Errors
    /// If the stage takes neither all of it nor parts of it, or does not enlarge by a whole number.
    pub fn over([channels, height, width]: [usize; 3], manifest: &Manifest, stage: &str, role: Role) -> Result<Tiling, String> {
        let [taken, tile_height, tile_width] = planes(input_of(manifest, stage, role))?;
        let [given, out_height, out_width] = planes(output_of(manifest, stage, Role::Picture))?;
        let scale = out_height / tile_height.max(1);
        if channels != taken {
            return Err(format!("takes {taken} channels, but is given {channels}"));
        }
        if tile_height > height || tile_width > width {
            return Err(format!(
                "takes {tile_height}×{tile_width}, which is larger than the {height}×{width} that it is given"
            ));
        }
        if scale == 0 || [out_height, out_width] != [tile_height * scale, tile_width * scale] {
            return Err("does not enlarge height and width by the same whole number".to_owned());
        }
        Ok(Tiling {
            channels,
            whole: [height, width],
            tile: [tile_height, tile_width],
            scale,
            given,
        })
    }

    /// Values of the whole picture.
    pub fn picture_elements(&self) -> usize {
        self.given * self.picture_sides().iter().product::<usize>()
    }

    /// Height and width of the whole picture.
    pub fn picture_sides(&self) -> [usize; 2] {
        self.whole.map(|side| side * self.scale)
    }

    /// By how much the stage enlarges.
    pub fn scale(&self) -> usize {
        self.scale
    }

    /// How many tiles there are.
    pub fn count(&self) -> usize {
        let starts = [0, 1].map(|axis| starts(self.whole[axis], self.tile[axis]).len());
        starts[0] * starts[1]
    }

    /// Decodes a latent, `channels` planes, by a decoder of one tile.
    ///
    /// # Errors
    /// The decoder's.
    pub fn decode<E>(&self, latent: Vec<f32>, mut decoder: impl FnMut(Vec<f32>) -> Result<Vec<f32>, E>) -> Result<Vec<f32>, E> {
        if self.whole == self.tile {
            return decoder(latent);
        }
        let area = self.picture_sides().iter().product();
        let (mut whole, mut done) = (vec![0.0; self.given * area], 0);
        self.decode_strips(&latent, decoder, |strip| {
            let finished = strip.len() / self.given;
            for (plane, lines) in whole.chunks_exact_mut(area).zip(strip.chunks_exact(finished)) {
                plane[done..done + finished].copy_from_slice(lines);
            }
            done += finished;
            Ok(())
        })?;
        Ok(whole)
    }

    /// The same from top to bottom: `finished` is given the picture in strips as wide as all of it, each as planes. Of the picture no more is
    /// kept than a tile is high.
    ///
    /// # Errors
    /// Those of the decoder and of `finished`.
    pub fn decode_strips<E>(
        &self,
        latent: &[f32],
        mut decoder: impl FnMut(Vec<f32>) -> Result<Vec<f32>, E>,
        mut finished: impl FnMut(Vec<f32>) -> Result<(), E>,
    ) -> Result<(), E> {
        let [rows, columns] = [0, 1].map(|axis| starts(self.whole[axis], self.tile[axis]));
        let mut strip = Strip::new(self);
        for (number, &top) in rows.iter().enumerate() {
            for &left in &columns {
                let drawn = decoder(self.part(latent, top, left))?;
                self.add(&drawn, [top, left], &mut strip);
            }
            let next = rows.get(number + 1).copied().unwrap_or(self.whole[0]);
            finished(strip.take((next - top) * self.scale))?;
        }
        Ok(())
    }

    /// A tile of the latent.
    fn part(&self, latent: &[f32], top: usize, left: usize) -> Vec<f32> {
        let [height, width] = self.whole;
        let mut part = Vec::with_capacity(self.channels * self.tile.iter().product::<usize>());
        for plane in latent.chunks_exact(height * width) {
            for row in plane.chunks_exact(width).skip(top).take(self.tile[0]) {
                part.extend_from_slice(&row[left..left + self.tile[1]]);
            }
        }
        part
    }

    /// Adds a tile's picture, weighted, to the strip that it lies in.
    fn add(&self, drawn: &[f32], start: [usize; 2], strip: &mut Strip) {
        let sides = self.tile.map(|side| side * self.scale);
        let [down, across] = [0, 1].map(|axis| self.window(axis, start[axis]));
        let (left, width, area) = (start[1] * self.scale, strip.width, strip.weights.len());
        let within = |row: usize| -> Range<usize> {
            let begin = row * width + left;
            begin..begin + sides[1]
        };
        for (row, &vertical) in down.iter().enumerate() {
            let sums = strip.weights[within(row)].iter_mut().zip(&across);
            sums.for_each(|(sum, horizontal)| *sum += vertical * horizontal);
        }
        for (plane, sums) in drawn.chunks_exact(sides[0] * sides[1]).zip(strip.sums.chunks_exact_mut(area)) {
            for (row, (line, &vertical)) in plane.chunks_exact(sides[1]).zip(&down).enumerate() {
                let sums = sums[within(row)].iter_mut().zip(line).zip(&across);
                sums.for_each(|((sum, value), horizontal)| *sum += value * (vertical * horizontal));
            }
        }
    }

    /// The weights of a tile's pixels along an axis: 1 inside, 0 in the outer quarter of an overlap, rising evenly between. At the picture's
    /// own edges there is no overlap.
    fn window(&self, axis: usize, start: usize) -> Vec<f32> {
        let (side, tile) = (self.whole[axis], self.tile[axis]);
        let (pixels, overlap) = (tile * self.scale, (tile / OVERLAP * self.scale) as f32);
        let rise = |distance: usize| (((distance as f32 + 0.5) / overlap - 0.25) * 2.0).clamp(0.0, 1.0);
        let weight = |pixel: usize| {
            let before = if start == 0 { 1.0 } else { rise(pixel) };
            let after = if start + tile == side { 1.0 } else { rise(pixels - 1 - pixel) };
            f32::min(before, after)
        };
        (0..pixels).map(weight).collect()
    }
}

/// The part of the picture that tiles are being added to: as high as a tile, as wide as the picture.
struct Strip {
    width: usize,
    /// Weighted sums, in planes.
    sums: Vec<f32>,
    /// What their weights add up to.
    weights: Vec<f32>,
}

impl Strip {
    fn new(tiling: &Tiling) -> Strip {
        let width = tiling.picture_sides()[1];
        let area = tiling.tile[0] * tiling.scale * width;
        Strip {
            width,
            sums: vec![0.0; tiling.given * area],
            weights: vec![0.0; area],
        }
    }

    /// Takes finished rows from the top, as planes; what lies below moves up.
    fn take(&mut self, rows: usize) -> Vec<f32> {
        let (area, finished) = (self.weights.len(), rows * self.width);
        let mut taken = Vec::with_capacity(self.sums.len() / area * finished);
        for sums in self.sums.chunks_exact_mut(area) {
            taken.extend(sums.iter().zip(&self.weights[..finished]).map(|(sum, weight)| sum / weight));
            move_up(sums, finished);
        }
        move_up(&mut self.weights, finished);
        taken
    }
}

/// Drops the first values; zeros follow the last.
fn move_up(values: &mut [f32], dropped: usize) {
    values.copy_within(dropped.., 0);
    let left = values.len() - dropped;
    values[left..].fill(0.0);
}

/// Channels, height and width of a port.
fn planes(port: Option<&Port>) -> Result<[usize; 3], String> {
    match port.map(|port| port.shape.as_slice()) {
        Some(&[1, channels, height, width]) => Ok([channels, height, width]),
        _ => Err("must have ports of shape [1, channels, height, width], as the denoiser must".to_owned()),
    }
}

/// Where tiles begin along an axis: each a quarter before the end of the last one, the last at the end.
fn starts(side: usize, tile: usize) -> Vec<usize> {
    let step = (tile - tile / OVERLAP).max(1);
    let before = (0..).map(|number| number * step).take_while(|start| start + tile < side);
    before.chain([side - tile]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiling(whole: [usize; 2], tile: [usize; 2], scale: usize) -> Tiling {
        Tiling {
            channels: 1,
            whole,
            tile,
            scale,
            given: 1,
        }
    }

    /// Enlarges by repeating, as a decoder that looks at one value.
    fn repeat(latent: &[f32], width: usize, scale: usize) -> Vec<f32> {
        let lines = latent.chunks_exact(width).flat_map(|line| {
            let line: Vec<f32> = line.iter().flat_map(|&value| std::iter::repeat_n(value, scale)).collect();
            std::iter::repeat_n(line, scale)
        });
        lines.flatten().collect()
    }

    #[test]
    fn tiles_reach_both_ends_and_overlap_by_a_quarter() {
        assert_eq!(starts(64, 32), [0, 24, 32]);
        assert_eq!(starts(64, 64), [0]);
        assert_eq!(starts(8, 3), [0, 3, 5]);
        assert_eq!(starts(3, 1), [0, 1, 2]);
        assert_eq!(tiling([64, 32], [32, 32], 2).count(), 3);
    }

    #[test]
    fn a_decoder_that_looks_at_one_value_draws_the_same_in_tiles() {
        for (whole, tile, scale) in [
            ([16, 12], [8, 8], 2),
            ([9, 7], [4, 7], 3),
            ([5, 5], [1, 1], 2),
            ([33, 64], [32, 16], 1),
        ] {
            let latent: Vec<f32> = (0..whole[0] * whole[1]).map(|index| (index * 37 % 101) as f32).collect();
            let mut tiles = 0;
            let decode = |part: Vec<f32>| -> Result<_, ()> {
                tiles += 1;
                Ok(repeat(&part, tile[1], scale))
            };
            let drawn = tiling(whole, tile, scale).decode(latent.clone(), decode).unwrap();
            let wanted = repeat(&latent, whole[1], scale);
            assert!(tiles > 1);
            assert_eq!(drawn.len(), wanted.len());
            for (drawn, wanted) in drawn.iter().zip(&wanted) {
                assert!((drawn - wanted).abs() < 1e-4, "{whole:?} {tile:?}: {drawn} for {wanted}");
            }
        }
    }

    #[test]
    fn strips_are_the_picture_from_top_to_bottom() {
        for (whole, tile, scale) in [([16, 12], [8, 8], 2), ([9, 7], [4, 7], 3), ([8, 8], [8, 8], 2)] {
            let tiling = Tiling {
                given: 2,
                ..tiling(whole, tile, scale)
            };
            let latent: Vec<f32> = (0..whole[0] * whole[1]).map(|index| (index * 37 % 101) as f32).collect();
            let decoder = |part: Vec<f32>| -> Result<_, ()> {
                let plane = repeat(&part, tile[1], scale);
                let other: Vec<f32> = plane.iter().map(|value| -value).collect();
                Ok([plane, other].concat())
            };
            let mut planes = [Vec::new(), Vec::new()];
            let kept = |strip: Vec<f32>| -> Result<(), ()> {
                assert!(strip.len() <= 2 * tile[0] * scale * whole[1] * scale);
                let (one, other) = strip.split_at(strip.len() / 2);
                planes[0].extend_from_slice(one);
                planes[1].extend_from_slice(other);
                Ok(())
            };
            tiling.decode_strips(&latent, decoder, kept).unwrap();
            assert_eq!(planes.concat(), tiling.decode(latent.clone(), decoder).unwrap());
            assert_eq!(planes[0].len(), repeat(&latent, whole[1], scale).len());
            assert!(planes[0].iter().zip(&planes[1]).all(|(one, other)| *one == -other));
        }
    }

    #[test]
    fn what_is_wrong_at_a_tile_s_edge_is_not_seen() {
        // A decoder that is wrong in the two outermost pixels, which are the outer quarter of an overlap of eight.
        let wrong = |part: Vec<f32>| -> Result<Vec<f32>, ()> {
            let mut drawn = part;
            for (index, value) in drawn.iter_mut().enumerate() {
                let (row, column) = (index / 32, index % 32);
                let is_edge = |place: usize| !(2..30).contains(&place);
                if is_edge(row) || is_edge(column) {
                    *value += 1000.0;
                }
            }
            Ok(drawn)
        };
        let drawn = tiling([80, 80], [32, 32], 1).decode(vec![1.0; 6400], wrong).unwrap();
        let inside = (2..78).flat_map(|row| drawn[row * 80 + 2..row * 80 + 78].iter());
        assert!(
            inside.clone().all(|value| (value - 1.0).abs() < 1e-4),
            "{:?}",
            inside.fold(0.0f32, |a, b| a.max(*b))
        );
    }
}
