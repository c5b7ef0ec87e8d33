//! The tiles of an image for minimal filtering: transformed line by line, then along the lines, into panels.

use std::marker::PhantomData;
use std::ops::{Add, Sub};

use crate::engine::kernels::GROUP;
use crate::engine::kernels::shorts::{COUNT, Shorts};
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
        let bytes = (self.across * Self::SIDE + 2) * GROUP;
        let lines = std::array::from_fn(|index| &plane[(Self::SIDE * tile_row + index) * width * GROUP..][..bytes]);
        match Self::SIDE {
            2 => self.fill_tiles::<1>(lines),
            _ => self.fill_tiles::<2>(lines),
        }
    }

    /// [`Lines::fill`] for tiles of `PAIRS` pairs of pixels a line. Never part of its caller, where the compiler would run out of
    /// registers.
    #[inline(never)]
    fn fill_tiles<const PAIRS: usize>(&mut self, lines: [&[u8]; POINTS]) {
        let across = self.across;
        let pairs = lines.map(|line| line.as_chunks::<COUNT>().0);
        let tiles: [&[[[u8; COUNT]; PAIRS]]; POINTS] = pairs.map(|pairs| &pairs.as_chunks().0[..across]);
        for pair in 0..PAIRS {
            // Cut to the length of the loop, which leaves nothing to check in it.
            let mut places = self.places_of(pair).map(|places| places.map(|place| &mut place[..across]));
            widest(
                #[inline(always)]
                |_| {
                    for tile in 0..across {
                        put(
                            &mut places,
                            tile,
                            transformed::<F, POINTS, PLACES, OUTPUTS>(tiles.map(|tiles| &tiles[tile][pair])),
                        );
                    }
                },
            );
        }
        let last = pairs.map(|pairs| &pairs[PAIRS * across]);
        put(&mut self.places_of(0), across, transformed::<F, POINTS, PLACES, OUTPUTS>(last));
    }

    /// For every line the places of the two pixels of a pair.
    fn places_of(&mut self, pair: usize) -> [[&mut [[i16; GROUP]]; 2]; POINTS] {
        let place = self.place();
        let mut lines = self.values.chunks_exact_mut(Self::SIDE * place);
        std::array::from_fn(|_| {
            let line = lines.next().unwrap_or_default();
            let (first, second) = line[2 * pair * place..][..2 * place].split_at_mut(place);
            [first, second].map(|place| place.as_chunks_mut().0)
        })
    }

    /// Transforms along the lines, d·B, into the panels of tiles, of which this row's begin with tile `first`.
    /// Never part of its caller, for the sake of registers.
    #[inline(never)]
    pub fn spread(&self, panels: &mut [i16], first: usize, group: usize, groups: usize) {
        let (panel_values, place_values) = (panel_values(Self::SIDE, groups), place_values(groups));
        let mut tile = first;
        while tile < first + self.across {
            let (panel, lane) = (tile / TILES, tile % TILES);
            let count = (TILES - lane).min(first + self.across - tile);
            let start = panel * panel_values + group * VALUES + lane * GROUP;
            let part = &mut panels[start..(panel + 1) * panel_values];
            self.spread_tiles(part, place_values, (tile - first) * GROUP, count);
            tile += count;
        }
    }

    /// [`Lines::spread`] for `count` tiles side by side, two at a time, whose places lie `place_values` apart.
    fn spread_tiles(&self, part: &mut [i16], place_values: usize, from: usize, count: usize) {
        let (place, pairs) = (self.place(), count / 2);
        let mut places = part.chunks_mut(place_values);
        for line in 0..POINTS {
            let pixels: [&[i16]; POINTS] = std::array::from_fn(|pixel| {
                let start = (line * Self::SIDE + pixel % Self::SIDE) * place + pixel / Self::SIDE * GROUP + from;
                &self.values[start..][..count * GROUP]
            });
            let mut places: [&mut [i16]; POINTS] = std::array::from_fn(|_| &mut places.next().unwrap_or_default()[..count * GROUP]);
            // Cut to the length of the loop, which leaves nothing to check in it.
            let of_pairs = pixels.map(|pixels| &pixels.as_chunks::<COUNT>().0[..pairs]);
            let mut to_pairs = places.each_mut().map(|places| &mut places.as_chunks_mut::<COUNT>().0[..pairs]);
            for index in 0..pairs {
                let transformed = F::inputs(of_pairs.map(|pixels| Shorts::load(&pixels[index])), Add::add, Sub::sub);
                for (places, values) in to_pairs.iter_mut().zip(transformed) {
                    values.store(&mut places[index]);
                }
            }
            if !count.is_multiple_of(2) {
                self.spread_last(
                    pixels.map(|pixels| &pixels[2 * pairs * GROUP..]),
                    places.map(|places| &mut places[2 * pairs * GROUP..]),
                );
            }
        }
    }

    /// The same for one tile's line.
    fn spread_last(&self, pixels: [&[i16]; POINTS], places: [&mut [i16]; POINTS]) {
        let doubled = pixels.map(|pixels| Shorts::load(&std::array::from_fn(|lane| pixels[lane % GROUP])));
        for (place, values) in places.into_iter().zip(F::inputs(doubled, Add::add, Sub::sub)) {
            let mut twice = [0; COUNT];
            values.store(&mut twice);
            place.copy_from_slice(&twice[..GROUP]);
        }
    }
}

/// The same pair of pixels of all lines, from line to line.
#[inline(always)]
fn transformed<F: Form<POINTS, PLACES, OUTPUTS>, const POINTS: usize, const PLACES: usize, const OUTPUTS: usize>(
    pairs: [&[u8; COUNT]; POINTS],
) -> [Shorts; POINTS] {
    F::inputs(pairs.map(Shorts::widened), Add::add, Sub::sub)
}

/// Puts the pixels of a tile's pairs into their places.
#[inline(always)]
fn put<const POINTS: usize>(places: &mut [[&mut [[i16; GROUP]]; 2]; POINTS], tile: usize, pairs: [Shorts; POINTS]) {
    for ([first, second], pair) in places.iter_mut().zip(pairs) {
        pair.store_halves([&mut first[tile], &mut second[tile]]);
    }
}
