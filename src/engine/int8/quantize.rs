//! Quantization of activations to symmetric int8: pictures with one scale, as convolutions read them, and rows with a scale each, packed
//! into panels as matrix products read them. Depends on the kernels' panel format.

use std::ops::Range;

use crate::engine::arithmetic::ROUNDING;
use crate::engine::geometry::Padding;
use crate::engine::kernels::{GROUP, Kernel};
use crate::engine::parallel;
use crate::engine::simd::{larger, largest_magnitude, widest};

/// Lower bound of the largest magnitude, so that no scale is 0.
const TINY: f32 = 1e-12;

/// Bytes of a cache line.
const LINE: usize = 64;

/// Scale by which the largest magnitude becomes 127.
pub fn scale_of(values: &[f32]) -> f32 {
    scale_for(largest_magnitude(values))
}

/// Scale by which this magnitude becomes 127.
pub fn scale_for(largest: f32) -> f32 {
    largest.max(TINY) / 127.0
}

/// The largest magnitude of many values. Threads share them.
pub fn largest_of(values: &[f32]) -> f32 {
    let threads = parallel::threads_for_values(values.len());
    let parts = values.chunks(values.len().div_ceil(threads * parallel::TASKS_PER_THREAD).max(1));
    let mut largest = vec![0f32; parts.len()];
    parallel::for_each(threads, parts.zip(&mut largest), |(values, largest)| {
        *largest = largest_magnitude(values)
    });
    largest.into_iter().fold(0.0, larger)
}

/// The largest magnitude of a picture's values times a factor for each channel; without factors that of the values. Threads share them.
pub fn largest_scaled(values: &[f32], factors: &[f32]) -> f32 {
    if factors.is_empty() {
        return largest_of(values);
    }
    let area = (values.len() / factors.len()).max(1);
    let mut largest = vec![0f32; factors.len()];
    let channels = values.chunks_exact(area).zip(factors).zip(&mut largest);
    parallel::for_each(
        parallel::threads_for_values(values.len()),
        channels,
        |((values, factor), largest)| {
            *largest = largest_magnitude(values) * factor.abs();
        },
    );
    largest.into_iter().fold(0.0, larger)
}

/// The nearest integer of `value·inverse`, ties to even, as a byte XORed with `mask`.
#[inline(always)]
pub fn quantize(value: f32, inverse: f32, mask: u8) -> u8 {
    ((value * inverse + ROUNDING).to_bits() as u8) ^ mask
}

/// How much smaller than a [`Byte::High`] a [`Byte::Low`] counts: two bytes from -127 to 127 are every integer of ±127·255.
pub const BASE: f32 = 255.0;

/// To what integers activations are quantized.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// 8 bits.
    #[default]
    Int8,
    /// 16 bits, which are multiplied a byte at a time: twice the work.
    Int16,
}

impl Precision {
    /// The bytes of a value, in the order in which they are multiplied.
    pub fn bytes(self) -> &'static [Byte] {
        match self {
            Precision::Int8 => &[Byte::Only],
            Precision::Int16 => &[Byte::Low, Byte::High],
        }
    }
}

/// Which part of the quantized values are meant. Values of 16 bits are multiplied a byte at a time: `high·255 + low`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Byte {
    /// All of 8 bits.
    Only,
    /// The upper byte of 16 bits.
    High,
    /// The lower byte of 16 bits.
    Low,
}

impl Byte {
    /// Scale of the byte for values of this largest magnitude.
    fn scale(self, largest: f32) -> f32 {
        match self {
            Byte::High => self.unit(largest) * BASE,
            Byte::Only | Byte::Low => self.unit(largest),
        }
    }

    /// Scale of the whole integers that the byte is of.
    fn unit(self, largest: f32) -> f32 {
        match self {
            Byte::Only => scale_for(largest),
            Byte::High | Byte::Low => largest.max(TINY) / LIMIT_16,
        }
    }
}

/// Work with the function `(value, inverse scale, mask) -> u8` that makes a byte of a value: a copy for each byte, so that its loops have
/// nothing to decide.
macro_rules! for_byte {
    ($byte:expr, $quantize:ident => $work:expr) => {
        match $byte {
            Byte::Only => {
                let $quantize = quantize;
                $work
            }
            Byte::High => {
                let $quantize = quantize_high;
                $work
            }
            Byte::Low => {
                let $quantize = quantize_low;
                $work
            }
        }
    };
}

/// The largest integer of 16-bit values.
const LIMIT_16: f32 = 127.0 * BASE;

/// The bytes, high and low, of the nearest integer of `value·inverse`, ties to even.
#[inline(always)]
fn quantize_16(value: f32, inverse: f32) -> [f32; 2] {
    let integer = (value * inverse + ROUNDING) - ROUNDING;
    let high = (integer * (1.0 / BASE) + ROUNDING) - ROUNDING;
    [high, integer - high * BASE]
}

/// The high byte of the nearest integer of 16 bits of `value·inverse`, XORed with `mask`.
#[inline(always)]
fn quantize_high(value: f32, inverse: f32, mask: u8) -> u8 {
    quantize(quantize_16(value, inverse)[0], 1.0, mask)
}

/// The low byte of it.
#[inline(always)]
fn quantize_low(value: f32, inverse: f32, mask: u8) -> u8 {
    quantize(quantize_16(value, inverse)[1], 1.0, mask)
}

/// A quantized image with its padding, `[channels/4][height][width][4]` bytes, planes some bytes apart: the four channels that a kernel
/// multiplies at once are contiguous, and so are adjacent columns.
pub struct Image<'a> {
    bytes: &'a [u8],
    /// Width with padding.
    pub width: usize,
    /// Bytes from one plane to the next.
    pub plane: usize,
    /// Scale: the float that 1 stands for.
    pub scale: f32,
}

/// How a picture is quantized.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Channels, a multiple of four, height and width of the picture.
    pub shape: [usize; 3],
    /// How often each row and column is repeated (nearest-neighbour upsampling).
    pub upsample: usize,
    /// Zeros around the upsampled picture.
    pub padding: Padding,
}

impl Layout {
    /// Height and width with padding.
    fn size(&self) -> [usize; 2] {
        let ([_, height, width], padding) = (self.shape, self.padding);
        [
            height * self.upsample + padding.top + padding.bottom,
            width * self.upsample + padding.left + padding.right,
        ]
    }

    /// Bytes from one plane to the next: five cache lines more than a multiple of eight, so that the same pixels of all planes, which are
    /// read together, lie in different sets of the cache.
    fn plane(&self) -> usize {
        let [tall, wide] = self.size();
        let lines = (tall * wide * GROUP).div_ceil(LINE);
        (lines + (13 - lines % 8) % 8) * LINE
    }

    /// Bytes of the quantized picture.
    pub fn bytes(&self) -> usize {
        self.shape[0] / GROUP * self.plane()
    }

    /// Quantizes all channels, times a factor each if there are factors; threads share them.
    fn fill_all(&self, values: &[f32], factors: &[f32], bytes: &mut [u8], mask: u8, quantize: impl Fn(f32) -> u8 + Copy + Sync) {
        let area = self.shape[1] * self.shape[2];
        let threads = parallel::threads_for_values(values.len());
        let planes = (self.shape[0] / GROUP).div_ceil(threads * parallel::TASKS_PER_THREAD).max(1);
        let (plane, picture) = (self.plane(), area.max(1) * GROUP);
        let parts = bytes.chunks_mut(planes * plane).zip(values.chunks(planes * picture));
        parallel::for_each(threads, parts.enumerate(), |(part, (bytes, values))| {
            let planes = (part * planes..).zip(bytes.chunks_exact_mut(plane).zip(values.chunks_exact(picture)));
            for (group, (plane, channels)) in planes {
                let channels = std::array::from_fn(|index| &channels[index * area..][..area]);
                match factors.as_chunks::<GROUP>().0.get(group) {
                    Some(factors) => self.fill(
                        plane,
                        channels,
                        #[inline(always)]
                        |channel, value| quantize(value * factors[channel]),
                        mask,
                    ),
                    None => self.fill(
                        plane,
                        channels,
                        #[inline(always)]
                        |_, value| quantize(value),
                        mask,
                    ),
                }
            }
        });
    }

    /// Quantizes four channels, each by its number, into a plane.
    fn fill(&self, plane: &mut [u8], channels: [&[f32]; GROUP], quantize: impl Fn(usize, f32) -> u8 + Copy, mask: u8) {
        plane.fill(mask);
        let ([_, height, width], upsample, wide) = (self.shape, self.upsample, self.size()[1]);
        for y in 0..height {
            let start = |copy: usize| ((y * upsample + copy + self.padding.top) * wide + self.padding.left) * GROUP;
            let row = &mut plane[start(0)..][..width * GROUP];
            interleave(row, channels.map(|channel| &channel[y * width..][..width]), quantize);
            if upsample > 1 {
                let length = width * upsample * GROUP;
                repeat(&mut plane[start(0)..][..length], upsample);
                (1..upsample).for_each(|copy| plane.copy_within(start(0)..start(0) + length, start(copy)));
            }
        }
    }
}

impl<'a> Image<'a> {
    /// Quantizes `[channels, height, width]`, times a factor a channel if there are factors, of a known largest magnitude with one scale into
    /// [`Layout::bytes`] bytes. Threads share the channels.
    pub fn quantize(
        values: &[f32],
        factors: &[f32],
        largest: f32,
        byte: Byte,
        layout: &Layout,
        mask: u8,
        bytes: &'a mut [u8],
    ) -> Image<'a> {
        let inverse = 1.0 / byte.unit(largest);
        for_byte!(byte, quantize => layout.fill_all(
            values,
            factors,
            bytes,
            mask,
            #[inline(always)]
            |value| quantize(value, inverse, mask),
        ));
        Image::of(bytes, largest, byte, layout)
    }

    /// The picture that [`Image::quantize`] made of values of this largest magnitude.
    pub fn of(bytes: &'a [u8], largest: f32, byte: Byte, layout: &Layout) -> Image<'a> {
        Image {
            bytes,
            width: layout.size()[1],
            plane: layout.plane(),
            scale: byte.scale(largest),
        }
    }

    /// All bytes, plane by plane.
    pub fn bytes(&self) -> &[u8] {
        self.bytes
    }

    /// Bytes of every group of four channels.
    pub fn planes(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.chunks_exact(self.plane)
    }
}

/// Repeats the pixels at the start of a row over all of it, from the last one on so that none is lost.
fn repeat(row: &mut [u8], times: usize) {
    let pixels = row.as_chunks_mut::<GROUP>().0;
    for index in (0..pixels.len()).rev() {
        pixels[index] = pixels[index / times];
    }
}

/// Quantizes the values of four channels, each by its number, and puts those of a pixel side by side.
fn interleave(row: &mut [u8], channels: [&[f32]; GROUP], quantize: impl Fn(usize, f32) -> u8 + Copy) {
    // On ARM the compiler makes better vectors of the plain loop.
    let wide = if cfg!(target_arch = "x86_64") {
        row.len() / GROUP / WIDE * WIDE
    } else {
        0
    };
    widest(
        #[inline(always)]
        |_| {
            let (pixels, rest) = row.split_at_mut(wide * GROUP);
            let (whole, rest_of) = (
                channels.map(|channel| channel[..wide].as_chunks::<WIDE>().0),
                channels.map(|channel| &channel[wide..]),
            );
            for (index, pixels) in pixels.as_chunks_mut::<{ WIDE * GROUP }>().0.iter_mut().enumerate() {
                let words = interleaved(whole.map(|channel| channel[index]), quantize);
                for (pixel, word) in pixels.as_chunks_mut::<GROUP>().0.iter_mut().zip(words) {
                    *pixel = word.to_le_bytes();
                }
            }
            let [a, b, c, d] = rest_of;
            for ((((out, a), b), c), d) in rest.as_chunks_mut::<GROUP>().0.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                *out = [quantize(0, *a), quantize(1, *b), quantize(2, *c), quantize(3, *d)];
            }
        },
    );
}

/// Pixels whose bytes are made together: whole vectors on every processor.
const WIDE: usize = 16;

/// The quantized values of some pixels, the first channel's in the lowest byte of a word.
#[inline(always)]
fn interleaved([a, b, c, d]: [[f32; WIDE]; GROUP], quantize: impl Fn(usize, f32) -> u8) -> [u32; WIDE] {
    let mut words = [0; WIDE];
    for (lane, word) in words.iter_mut().enumerate() {
        let (a, b) = (u32::from(quantize(0, a[lane])), u32::from(quantize(1, b[lane])));
        let (c, d) = (u32::from(quantize(2, c[lane])), u32::from(quantize(3, d[lane])));
        *word = a | b << 8 | c << 16 | d << 24;
    }
    words
}

/// Tokens that are quantized, or whose outputs are computed, at once: whole panels of every kernel.
pub const TOGETHER: usize = 16;

/// Memory order of the values of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// `[tokens][values]`.
    Rows,
    /// `[values][tokens]`, as in a picture whose places are the tokens and whose channels are the values.
    Picture,
}

/// Tokens to multiply.
#[derive(Clone, Copy)]
pub struct Tokens<'a> {
    /// All their values.
    pub values: &'a [f32],
    /// Values of a token, a multiple of four.
    pub inputs: usize,
    /// Their memory order.
    pub order: Order,
    /// How they are quantized.
    pub precision: Precision,
    /// Factors of every token's values, by which they are multiplied first; empty for none.
    pub factors: &'a [f32],
}

impl Tokens<'_> {
    /// Number of tokens.
    pub fn count(&self) -> usize {
        self.values.len() / self.inputs.max(1)
    }

    /// Whether these are the same slice of tokens, not only equal ones.
    pub fn are(&self, others: &Tokens) -> bool {
        let form = |tokens: &Tokens| (tokens.inputs, tokens.order, tokens.precision, tokens.factors.len());
        // Where an empty slice lies says nothing.
        let same_factors = self.factors.is_empty() || std::ptr::eq(self.factors, others.factors);
        std::ptr::eq(self.values, others.values) && same_factors && form(self) == form(others)
    }

    /// The least number of tokens that are quantized at once.
    pub fn grain(&self, kernel: &dyn Kernel) -> usize {
        match self.order {
            Order::Rows => kernel.columns(),
            Order::Picture => TOGETHER,
        }
    }

    /// Bytes of the panels of `count` tokens with one byte of each value.
    pub fn panel_bytes(&self, kernel: &dyn Kernel, count: usize) -> usize {
        count.next_multiple_of(kernel.columns()) * self.inputs
    }

    /// Quantizes a range of tokens into panels of one byte of each value, `[groups][columns][4]` each, with a scale for every token: that of
    /// whole integers.
    pub fn pack(&self, range: Range<usize>, byte: Byte, kernel: &dyn Kernel, panels: &mut [u8], scales: &mut [f32]) {
        let panel = kernel.columns() * self.inputs;
        match self.order {
            Order::Rows => {
                let tokens = &self.values[range.start * self.inputs..range.end * self.inputs];
                let parts = panels.chunks_mut(panel).zip(tokens.chunks(panel));
                for ((panel, tokens), scales) in parts.zip(scales.chunks_mut(kernel.columns())) {
                    self.pack_rows(panel, tokens, byte, scales, kernel);
                }
            }
            Order::Picture => {
                let parts = panels
                    .chunks_mut(TOGETHER / kernel.columns() * panel)
                    .zip(scales.chunks_mut(TOGETHER));
                for (index, (panels, scales)) in parts.enumerate() {
                    self.pack_places(panels, range.start + index * TOGETHER, byte, scales, kernel);
                }
            }
        }
    }

    /// Quantizes the tokens of a panel.
    fn pack_rows(&self, panel: &mut [u8], tokens: &[f32], byte: Byte, scales: &mut [f32], kernel: &dyn Kernel) {
        let (stride, mask) = (kernel.columns() * GROUP, kernel.activation_mask());
        for (column, (values, scale)) in tokens.chunks_exact(self.inputs).zip(scales).enumerate() {
            let largest = match self.factors {
                [] => largest_magnitude(values),
                factors => largest_product(values, factors),
            };
            *scale = byte.unit(largest);
            let (inverse, panel) = (1.0 / *scale, &mut panel[column * GROUP..]);
            for_byte!(byte, quantize => pack_row(
                panel,
                stride,
                [values, self.factors],
                #[inline(always)]
                |value| quantize(value, inverse, mask),
            ));
        }
    }

    /// Quantizes up to [`TOGETHER`] places of a picture.
    fn pack_places(&self, panels: &mut [u8], first: usize, byte: Byte, scales: &mut [f32], kernel: &dyn Kernel) {
        let places = Places {
            factors: self.factors,
            values: &self.values[first..],
            row: self.count(),
            count: scales.len(),
        };
        let largest = widest(
            #[inline(always)]
            |_| places.largest(self.inputs),
        );
        let own = largest.map(|largest| byte.unit(largest));
        scales.copy_from_slice(&own[..scales.len()]);
        let (inverses, mask, groups) = (own.map(|scale| 1.0 / scale), kernel.activation_mask(), self.inputs / GROUP);
        for_byte!(byte, quantize => match kernel.columns() {
            4 => places.interleave::<16>(panels, groups, inverses, mask, quantize),
            8 => places.interleave::<32>(panels, groups, inverses, mask, quantize),
            _ => places.interleave::<64>(panels, groups, inverses, mask, quantize),
        });
    }
}

/// Up to [`TOGETHER`] adjacent places of a picture.
struct Places<'a> {
    /// The picture from the first of them on.
    values: &'a [f32],
    /// Values of a channel.
    row: usize,
    count: usize,
    /// Factors of the channels; empty for none.
    factors: &'a [f32],
}

impl Places<'_> {
    /// Values of a channel at these places, filled up with zeros.
    #[inline(always)]
    fn channel(&self, channel: usize) -> [f32; TOGETHER] {
        let mut values = filled(&self.values[channel * self.row..][..self.count], 0.0);
        if let Some(factor) = self.factors.get(channel) {
            for value in &mut values {
                *value *= factor;
            }
        }
        values
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

    /// Quantizes groups of channels into panels with groups of `BYTES` bytes.
    fn interleave<const BYTES: usize>(
        &self,
        panels: &mut [u8],
        groups: usize,
        inverses: [f32; TOGETHER],
        mask: u8,
        quantize: impl Fn(f32, f32, u8) -> u8 + Copy,
    ) {
        widest(
            #[inline(always)]
            |_| {
                for group in 0..groups {
                    // Not by `map`, which may become a function for any processor.
                    let (a, b) = (self.channel(group * GROUP), self.channel(group * GROUP + 1));
                    let (c, d) = (self.channel(group * GROUP + 2), self.channel(group * GROUP + 3));
                    let mut bytes = [[0u8; GROUP]; TOGETHER];
                    for lane in 0..TOGETHER {
                        bytes[lane] = [a[lane], b[lane], c[lane], d[lane]].map(|value| quantize(value, inverses[lane], mask));
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

/// Values whose products with factors are made at once.
const WIDE_ROW: usize = 64;

/// Up to [`WIDE_ROW`] values times their factors; without factors the values.
#[inline(always)]
fn products(values: &[f32], factors: Option<&[f32]>) -> [f32; WIDE_ROW] {
    let mut products: [f32; WIDE_ROW] = filled(values, 0.0);
    if let Some(factors) = factors {
        let factors: [f32; WIDE_ROW] = filled(factors, 1.0);
        for lane in 0..WIDE_ROW {
            products[lane] *= factors[lane];
        }
    }
    products
}

/// The largest magnitude of values times factors.
fn largest_product(values: &[f32], factors: &[f32]) -> f32 {
    let parts = values.chunks(WIDE_ROW).zip(factors.chunks(WIDE_ROW));
    parts.fold(0.0, |largest, (values, factors)| {
        larger(largest_magnitude(&products(values, Some(factors))), largest)
    })
}

/// Quantizes one token, times factors if there are any, into the first bytes of every `stride`, a group each.
fn pack_row(panel: &mut [u8], stride: usize, [values, factors]: [&[f32]; 2], quantize: impl Fn(f32) -> u8 + Copy) {
    let mut groups = panel.chunks_mut(stride);
    let mut factors = factors.chunks(WIDE_ROW);
    for values in values.chunks(WIDE_ROW) {
        let values = products(values, factors.next());
        let mut bytes = [0; WIDE_ROW];
        widest(
            #[inline(always)]
            |_| {
                for (byte, &value) in bytes.iter_mut().zip(&values) {
                    *byte = quantize(value);
                }
            },
        );
        for (bytes, group) in bytes.as_chunks::<GROUP>().0.iter().zip(&mut groups) {
            group[..GROUP].copy_from_slice(bytes);
        }
    }
}

/// The first `COUNT` values, filled up with `beyond`.
#[inline(always)]
pub fn filled<T: Copy, const COUNT: usize>(values: &[T], beyond: T) -> [T; COUNT] {
    if let Some(values) = values.first_chunk() {
        return *values;
    }
    let mut filled = [beyond; COUNT];
    filled[..values.len()].copy_from_slice(values);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_to_nearest_even_and_reaches_the_ends() {
        for (value, expected) in [(0.5, 0), (1.5, 2), (-0.5, 0), (-1.5, -2), (126.6, 127), (-127.0, -127)] {
            assert_eq!(quantize(value, 1.0, 0) as i8, expected, "{value}");
            assert_eq!(quantize(value, 1.0, 0x80) ^ 0x80, expected as u8, "{value}");
        }
    }

    #[test]
    fn two_bytes_are_every_integer_of_16_bits() {
        for integer in -32_385..=32_385 {
            let [high, low] = quantize_16(integer as f32, 1.0);
            assert_eq!(high * BASE + low, integer as f32);
            assert!(high.abs() <= 127.0 && low.abs() <= 127.0, "{integer} = {high}·255 + {low}");
        }
        assert_eq!(LIMIT_16, 32_385.0);
    }

    #[test]
    fn enlarging_repeats_rows_and_columns() {
        let values: Vec<f32> = (0..4 * 3 * 2).map(|i| i as f32).collect();
        let padding = Padding {
            top: 1,
            left: 1,
            bottom: 1,
            right: 1,
        };
        let shape = [4, 3, 2];
        let layouts = [1, 3].map(|upsample| Layout { shape, upsample, padding });
        let mut rooms = layouts.map(|layout| vec![0; layout.bytes()]);
        let [one, other] = &mut rooms;
        let (small, large) = (
            Image::quantize(&values, &[], largest_of(&values), Byte::Only, &layouts[0], 0, one),
            Image::quantize(&values, &[], largest_of(&values), Byte::Only, &layouts[1], 0, other),
        );
        assert_eq!((large.width, large.scale), (8, small.scale));
        let pixel = |image: &Image, y: usize, x: usize| image.planes().next().unwrap()[(y * image.width + x) * GROUP..][..GROUP].to_vec();
        for y in 0..9 {
            for x in 0..6 {
                assert_eq!(
                    pixel(&large, y + 1, x + 1),
                    pixel(&small, y / 3 + 1, x / 3 + 1),
                    "row {y}, column {x}"
                );
            }
        }
        assert!((0..8).all(|x| pixel(&large, 0, x) == [0; GROUP] && pixel(&large, 10, x) == [0; GROUP]));
    }

    #[test]
    fn image_has_zeros_around_and_channels_together() {
        let values: Vec<f32> = (0..8 * 2 * 3).map(|i| i as f32 - 20.0).collect();
        let padding = Padding {
            top: 1,
            left: 2,
            bottom: 0,
            right: 1,
        };
        let layout = Layout {
            shape: [8, 2, 3],
            upsample: 1,
            padding,
        };
        let mut room = vec![0; layout.bytes()];
        let image = Image::quantize(&values, &[], largest_of(&values), Byte::Only, &layout, 0x80, &mut room);
        assert_eq!((image.planes().count(), image.width), (2, 6));
        for group in 0..2 {
            for y in 0..3 {
                for x in 0..6 {
                    for lane in 0..4 {
                        let inside = y >= 1 && (2..5).contains(&x);
                        let value = if inside {
                            values[((group * 4 + lane) * 2 + y - 1) * 3 + x - 2]
                        } else {
                            0.0
                        };
                        let byte = image.planes().nth(group).unwrap()[(y * 6 + x) * 4 + lane] ^ 0x80;
                        let error = (f32::from(byte as i8) * image.scale - value).abs();
                        assert!(error <= image.scale * 0.5001, "group {group} y {y} x {x} lane {lane}");
                    }
                }
            }
        }
    }
}
