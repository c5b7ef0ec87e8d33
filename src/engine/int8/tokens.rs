//! Tokens quantized into panels, each with its own scale, in whatever order they lie.

use std::ops::Range;

use super::activations::{quantize, quantize_group, scale_for, scale_of};
use crate::engine::kernels::{GROUP, Kernel};
use crate::engine::lanes::{larger, widest};

/// Tokens that are quantized, or whose outputs are computed, together: whole panels of every kernel.
pub const TOGETHER: usize = 16;

/// How the values of tokens lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// A token's values together: `[tokens][values]`.
    Rows,
    /// As in a picture, whose places are the tokens: `[values][tokens]`.
    Picture,
}

/// Tokens to multiply.
#[derive(Clone, Copy)]
pub struct Tokens<'a> {
    /// All their values.
    pub values: &'a [f32],
    /// Values of a token, a multiple of four.
    pub inputs: usize,
    /// How they lie.
    pub order: Order,
}

impl Tokens<'_> {
    /// Number of tokens.
    pub fn count(&self) -> usize {
        self.values.len() / self.inputs.max(1)
    }

    /// Whether these are the same tokens, and not only equal ones.
    pub fn are(&self, others: &Tokens) -> bool {
        std::ptr::eq(self.values, others.values) && (self.inputs, self.order) == (others.inputs, others.order)
    }

    /// Tokens that are quantized at once at the least.
    pub fn grain(&self, kernel: &dyn Kernel) -> usize {
        match self.order {
            Order::Rows => kernel.columns(),
            Order::Picture => TOGETHER,
        }
    }

    /// Bytes of the panels of so many tokens.
    pub fn panel_bytes(&self, kernel: &dyn Kernel, count: usize) -> usize {
        count.next_multiple_of(kernel.columns()) * self.inputs
    }

    /// Quantizes a range of tokens into panels, `[groups][columns][4]` each, with a scale for every token.
    pub fn pack(&self, range: Range<usize>, kernel: &dyn Kernel, panels: &mut [u8], scales: &mut [f32]) {
        let panel = kernel.columns() * self.inputs;
        match self.order {
            Order::Rows => {
                let tokens = &self.values[range.start * self.inputs..range.end * self.inputs];
                let parts = panels.chunks_mut(panel).zip(tokens.chunks(panel));
                for ((panel, tokens), scales) in parts.zip(scales.chunks_mut(kernel.columns())) {
                    pack_rows(panel, tokens, self.inputs, scales, kernel);
                }
            }
            Order::Picture => {
                let parts = panels
                    .chunks_mut(TOGETHER / kernel.columns() * panel)
                    .zip(scales.chunks_mut(TOGETHER));
                for (index, (panels, scales)) in parts.enumerate() {
                    self.pack_places(panels, range.start + index * TOGETHER, scales, kernel);
                }
            }
        }
    }

    /// Quantizes up to [`TOGETHER`] places of a picture.
    fn pack_places(&self, panels: &mut [u8], first: usize, scales: &mut [f32], kernel: &dyn Kernel) {
        let places = Places {
            values: &self.values[first..],
            row: self.count(),
            count: scales.len(),
        };
        let largest = widest(
            #[inline(always)]
            |_| places.largest(self.inputs),
        );
        let own = largest.map(scale_for);
        scales.copy_from_slice(&own[..scales.len()]);
        let (inverses, mask, groups) = (own.map(|scale| 1.0 / scale), kernel.activation_mask(), self.inputs / GROUP);
        match kernel.columns() {
            4 => places.interleave::<16>(panels, groups, inverses, mask),
            8 => places.interleave::<32>(panels, groups, inverses, mask),
            _ => places.interleave::<64>(panels, groups, inverses, mask),
        }
    }
}

/// A few places of a picture.
struct Places<'a> {
    /// From the first of them in the first channel on.
    values: &'a [f32],
    /// Values of a channel.
    row: usize,
    count: usize,
}

impl Places<'_> {
    /// Values of a channel at these places, zeros where there are fewer.
    #[inline(always)]
    fn channel(&self, channel: usize) -> [f32; TOGETHER] {
        filled(&self.values[channel * self.row..][..self.count], 0.0)
    }

    /// The largest magnitude at each place.
    #[inline(always)]
    fn largest(&self, channels: usize) -> [f32; TOGETHER] {
        let mut largest = [0f32; TOGETHER];
        for channel in 0..channels {
            let values = self.channel(channel);
            for lane in 0..TOGETHER {
                largest[lane] = larger(values[lane].abs(), largest[lane]);
            }
        }
        largest
    }

    /// Quantizes groups of channels into panels whose groups are of so many `BYTES`.
    fn interleave<const BYTES: usize>(&self, panels: &mut [u8], groups: usize, inverses: [f32; TOGETHER], mask: u8) {
        widest(
            #[inline(always)]
            |_| {
                for group in 0..groups {
                    // Not by `map`, which may become a function for any processor.
                    let (a, b) = (self.channel(group * GROUP), self.channel(group * GROUP + 1));
                    let (c, d) = (self.channel(group * GROUP + 2), self.channel(group * GROUP + 3));
                    let mut bytes = [[0u8; GROUP]; TOGETHER];
                    for lane in 0..TOGETHER {
                        bytes[lane] = quantize_group([a[lane], b[lane], c[lane], d[lane]], inverses[lane], mask);
                    }
                    for (panel, bytes) in bytes.as_flattened().as_chunks::<BYTES>().0.iter().enumerate() {
                        let start = (panel * groups + group) * BYTES;
                        if let Some(place) = panels.get_mut(start..start + BYTES) {
                            place.copy_from_slice(bytes);
                        }
                    }
                }
            },
        );
    }
}

/// Quantizes the tokens of a panel.
fn pack_rows(panel: &mut [u8], tokens: &[f32], inputs: usize, scales: &mut [f32], kernel: &dyn Kernel) {
    let stride = kernel.columns() * GROUP;
    for (column, (values, scale)) in tokens.chunks_exact(inputs).zip(scales).enumerate() {
        *scale = scale_of(values);
        pack_row(&mut panel[column * GROUP..], stride, values, 1.0 / *scale, kernel.activation_mask());
    }
}

/// Quantizes one token into the first bytes of every `stride`, a group each.
fn pack_row(panel: &mut [u8], stride: usize, values: &[f32], inverse: f32, mask: u8) {
    const WIDE: usize = 64;
    let mut groups = panel.chunks_mut(stride);
    for values in values.chunks(WIDE) {
        let values: [f32; WIDE] = filled(values, 0.0);
        let mut bytes = [0; WIDE];
        widest(
            #[inline(always)]
            |_| {
                for (byte, &value) in bytes.iter_mut().zip(&values) {
                    *byte = quantize(value, inverse, mask);
                }
            },
        );
        for (bytes, group) in bytes.as_chunks::<GROUP>().0.iter().zip(&mut groups) {
            group[..GROUP].copy_from_slice(bytes);
        }
    }
}

/// The first values, something else where there are no more.
#[inline(always)]
pub fn filled<T: Copy, const COUNT: usize>(values: &[T], beyond: T) -> [T; COUNT] {
    if let Some(values) = values.first_chunk() {
        return *values;
    }
    let mut filled = [beyond; COUNT];
    filled[..values.len()].copy_from_slice(values);
    filled
}
