//! The tiles of an image for minimal filtering: transformed line by line, then along the lines, into panels.

use std::marker::PhantomData;

use crate::engine::kernels::GROUP;
use crate::engine::kernels::winograd::{Form, TILES, VALUES, panel_values, place_values};
use crate::engine::lanes::widest;

/// Values of the [`Lines`] of so many tiles.
pub fn lines_values(side: usize, across: usize) -> usize {
    (side + 2) * side * (across + 1) * GROUP
}

/// The lines of a row of tiles, transformed from line to line: Bᵀ·d. In `values` the pixels that lie in the same place of
/// their tile are together, so that the values of neighbouring tiles lie side by side: `[lines][side][across + 1][4
/// channels]`; the tile behind the last begins with the last one's last two pixels.
pub struct Lines<'a, F, const POINTS: usize, const PLACES: usize, const OUTPUTS: usize> {
    across: usize,
    values: &'a mut [i16],
    form: PhantomData<F>,
}

impl<'a, F: Form<POINTS, PLACES, OUTPUTS>, const POINTS: usize, const PLACES: usize, const OUTPUTS: usize>
    Lines<'a, F, POINTS, PLACES, OUTPUTS>
{
    const SIDE: usize = POINTS - 2;

    /// Lines of so many tiles, in room for [`lines_values`].
    pub fn new(across: usize, values: &'a mut [i16]) -> Self {
        Lines {
            across,
            values,
            form: PhantomData,
        }
    }

    /// Values of the pixels in one place of all tiles of a line.
    fn place(&self) -> usize {
        (self.across + 1) * GROUP
    }

    /// Transforms the lines of a row of tiles.
    pub fn fill(&mut self, plane: &[u8], width: usize, tile_row: usize) {
        let (place, pairs) = (self.place(), self.across * Self::SIDE / 2 + 1);
        let line = |index: usize| {
            plane[(Self::SIDE * tile_row + index) * width * GROUP..][..2 * pairs * GROUP]
                .as_chunks::<{ 2 * GROUP }>()
                .0
        };
        let lines: [&[[u8; 2 * GROUP]]; POINTS] = std::array::from_fn(line);
        for first in 0..Self::SIDE / 2 {
            let places = self.values.chunks_exact_mut(place).enumerate();
            let mut places = places.filter(|(index, _)| index % Self::SIDE / 2 == first);
            let mut next = || places.next().map_or_else(Default::default, |(_, place)| place.as_chunks_mut().0);
            let mut places: [[&mut [[i16; GROUP]]; 2]; POINTS] = std::array::from_fn(|_| [next(), next()]);
            widest(
                #[inline(always)]
                |_| {
                    for (tile, index) in (first..pairs).step_by(Self::SIDE / 2).enumerate() {
                        let mut pixels = [[0; 2 * GROUP]; POINTS];
                        for (pixels, line) in pixels.iter_mut().zip(lines) {
                            *pixels = wide(&line[index]);
                        }
                        let transformed = F::inputs(pixels, add, subtract);
                        for (places, pixels) in places.iter_mut().zip(transformed) {
                            places[0][tile].copy_from_slice(&pixels[..GROUP]);
                            places[1][tile].copy_from_slice(&pixels[GROUP..]);
                        }
                    }
                },
            );
        }
    }

    /// Transforms along the lines, d·B, into the panels of tiles, of which this row's begin with tile `first`.
    pub fn spread(&self, panels: &mut [i16], first: usize, group: usize, groups: usize) {
        let (panel_values, place_values) = (panel_values(Self::SIDE, groups), place_values(groups));
        let mut tile = first;
        while tile < first + self.across {
            let (panel, lane) = (tile / TILES, tile % TILES);
            let count = (TILES - lane).min(first + self.across - tile);
            let start = panel * panel_values + group * VALUES + lane * GROUP;
            let part = &mut panels[start..(panel + 1) * panel_values];
            let (from, even) = ((tile - first) * GROUP, count / 2 * 2 * GROUP);
            self.spread_tiles::<{ 2 * GROUP }>(part, place_values, from, count / 2);
            if !count.is_multiple_of(2) {
                self.spread_tiles::<GROUP>(&mut part[even..], place_values, from + even, 1);
            }
            tile += count;
        }
    }

    /// [`Lines::spread`] for `count` times `VALUES` values of tiles side by side, whose places lie `place_values` apart.
    fn spread_tiles<const VALUES: usize>(&self, part: &mut [i16], place_values: usize, from: usize, count: usize) {
        let place = self.place();
        let mut places = part.chunks_mut(place_values);
        for line in 0..POINTS {
            let pixels: [&[[i16; VALUES]]; POINTS] = std::array::from_fn(|pixel| {
                let start = (line * Self::SIDE + pixel % Self::SIDE) * place + pixel / Self::SIDE * GROUP + from;
                self.values[start..][..count * VALUES].as_chunks().0
            });
            let mut next = || {
                let place = places.next().unwrap_or_default();
                place[..count * VALUES].as_chunks_mut().0
            };
            let mut places: [&mut [[i16; VALUES]]; POINTS] = std::array::from_fn(|_| next());
            for index in 0..count {
                let transformed = F::inputs(pixels.map(|pixels| pixels[index]), add, subtract);
                for (place, values) in places.iter_mut().zip(transformed) {
                    place[index] = values;
                }
            }
        }
    }
}

/// Sums of as many values as a vector has.
#[inline(always)]
fn add<const COUNT: usize>(mut a: [i16; COUNT], b: [i16; COUNT]) -> [i16; COUNT] {
    for (a, b) in a.iter_mut().zip(b) {
        *a = a.wrapping_add(b);
    }
    a
}

/// Their differences.
#[inline(always)]
fn subtract<const COUNT: usize>(mut a: [i16; COUNT], b: [i16; COUNT]) -> [i16; COUNT] {
    for (a, b) in a.iter_mut().zip(b) {
        *a = a.wrapping_sub(b);
    }
    a
}

/// Two pixels of four channels.
#[inline(always)]
fn wide(bytes: &[u8; 2 * GROUP]) -> [i16; 2 * GROUP] {
    let mut values = [0; 2 * GROUP];
    for (value, &byte) in values.iter_mut().zip(bytes) {
        *value = i16::from(byte as i8);
    }
    values
}
