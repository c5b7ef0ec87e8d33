//! Activations as symmetric int8: one scale for a whole image, or one a row; and the windows that move over an image.

use crate::engine::arithmetic::ROUNDING;
use crate::engine::geometry::Padding;
use crate::engine::kernels::GROUP;
use crate::engine::lanes::{larger, largest_magnitude, widest};
use crate::engine::shares;

/// Smallest largest magnitude, so that a scale is never 0.
const TINY: f32 = 1e-12;

/// Scale of values, the largest of which becomes 127.
pub fn scale_of(values: &[f32]) -> f32 {
    scale_for(largest_magnitude(values))
}

/// Scale by which a magnitude becomes 127.
pub fn scale_for(largest: f32) -> f32 {
    largest.max(TINY) / 127.0
}

/// The largest magnitude of many values. Threads share them.
pub fn largest_of(values: &[f32]) -> f32 {
    let threads = shares::of_values(values.len());
    let parts = values.chunks(values.len().div_ceil(threads * shares::PER_THREAD).max(1));
    let mut largest = vec![0f32; parts.len()];
    shares::each(threads, parts.zip(&mut largest), |(values, largest)| {
        *largest = largest_magnitude(values)
    });
    largest.into_iter().fold(0.0, larger)
}

/// The nearest integer of `value·inverse`, ties to even, as a byte XORed with `mask`.
#[inline(always)]
pub fn quantize(value: f32, inverse: f32, mask: u8) -> u8 {
    ((value * inverse + ROUNDING).to_bits() as u8) ^ mask
}

/// Quantizes four values.
#[inline(always)]
pub fn quantize_group(values: [f32; GROUP], inverse: f32, mask: u8) -> [u8; GROUP] {
    values.map(|value| quantize(value, inverse, mask))
}

/// A quantized image with its padding, `[channels/4][height][width][4]` bytes: the four channels that a kernel
/// takes at once lie together, and neighbouring columns lie side by side.
pub struct Image<'a> {
    bytes: &'a [u8],
    /// Height with padding.
    pub height: usize,
    /// Width with padding.
    pub width: usize,
    /// What one unit stands for.
    pub scale: f32,
}

/// How a picture becomes a quantized one.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Channels, a multiple of four, height and width of the picture.
    pub shape: [usize; 3],
    /// How often each row and column is repeated.
    pub enlarge: usize,
    /// Zeros around what comes of that.
    pub padding: Padding,
}

impl Layout {
    /// Height and width with padding.
    fn size(&self) -> [usize; 2] {
        let ([_, height, width], padding) = (self.shape, self.padding);
        [
            height * self.enlarge + padding.top + padding.bottom,
            width * self.enlarge + padding.left + padding.right,
        ]
    }

    /// Bytes of the quantized picture.
    pub fn bytes(&self) -> usize {
        let [tall, wide] = self.size();
        self.shape[0] * tall * wide
    }

    /// Fills what comes of four channels.
    fn fill(&self, plane: &mut [u8], channels: [&[f32]; GROUP], inverse: f32, mask: u8) {
        plane.fill(mask);
        let ([_, height, width], enlarge, wide) = (self.shape, self.enlarge, self.size()[1]);
        for y in 0..height {
            let start = |copy: usize| ((y * enlarge + copy + self.padding.top) * wide + self.padding.left) * GROUP;
            let row = &mut plane[start(0)..][..width * GROUP];
            interleave(row, channels.map(|channel| &channel[y * width..][..width]), inverse, mask);
            if enlarge > 1 {
                let length = width * enlarge * GROUP;
                repeat(&mut plane[start(0)..][..length], enlarge);
                (1..enlarge).for_each(|copy| plane.copy_within(start(0)..start(0) + length, start(copy)));
            }
        }
    }
}

impl<'a> Image<'a> {
    /// Quantizes `[channels, height, width]`, of which the largest magnitude is known, with one scale into as many bytes as the
    /// layout takes. Threads share the channels.
    pub fn quantize(values: &[f32], largest: f32, layout: &Layout, mask: u8, bytes: &'a mut [u8]) -> Image<'a> {
        let ([height, width], area) = (layout.size(), layout.shape[1] * layout.shape[2]);
        let (threads, scale) = (shares::of_values(values.len()), scale_for(largest));
        let planes = (layout.shape[0] / GROUP).div_ceil(threads * shares::PER_THREAD).max(1);
        let (plane, picture) = (height * width * GROUP, area.max(1) * GROUP);
        let parts = bytes.chunks_mut((planes * plane).max(1)).zip(values.chunks(planes * picture));
        shares::each(threads, parts, |(bytes, values)| {
            for (plane, channels) in bytes.chunks_exact_mut(plane).zip(values.chunks_exact(picture)) {
                let channels = std::array::from_fn(|index| &channels[index * area..][..area]);
                layout.fill(plane, channels, 1.0 / scale, mask);
            }
        });
        Image {
            bytes,
            height,
            width,
            scale,
        }
    }

    /// All bytes, plane by plane.
    pub fn bytes(&self) -> &[u8] {
        self.bytes
    }

    /// Bytes of every group of four channels.
    pub fn planes(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.chunks_exact(self.height * self.width * GROUP)
    }
}

/// Spreads the pixels at the start of a row over all of it, from the last one on so that none is lost.
fn repeat(row: &mut [u8], times: usize) {
    let pixels = row.as_chunks_mut::<GROUP>().0;
    for index in (0..pixels.len()).rev() {
        pixels[index] = pixels[index / times];
    }
}

fn interleave(row: &mut [u8], channels: [&[f32]; GROUP], inverse: f32, mask: u8) {
    widest(
        #[inline(always)]
        |_| {
            let [a, b, c, d] = channels;
            for ((((out, a), b), c), d) in row.as_chunks_mut::<GROUP>().0.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                *out = quantize_group([*a, *b, *c, *d], inverse, mask);
            }
        },
    );
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
    fn enlarging_repeats_rows_and_columns() {
        let values: Vec<f32> = (0..4 * 3 * 2).map(|i| i as f32).collect();
        let padding = Padding {
            top: 1,
            left: 1,
            bottom: 1,
            right: 1,
        };
        let shape = [4, 3, 2];
        let layouts = [1, 3].map(|enlarge| Layout { shape, enlarge, padding });
        let mut rooms = layouts.map(|layout| vec![0; layout.bytes()]);
        let [one, other] = &mut rooms;
        let (small, large) = (
            Image::quantize(&values, largest_of(&values), &layouts[0], 0, one),
            Image::quantize(&values, largest_of(&values), &layouts[1], 0, other),
        );
        assert_eq!((large.height, large.width, large.scale), (11, 8, small.scale));
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
            enlarge: 1,
            padding,
        };
        let mut room = vec![0; layout.bytes()];
        let image = Image::quantize(&values, largest_of(&values), &layout, 0x80, &mut room);
        assert_eq!((image.planes().count(), image.height, image.width), (2, 3, 6));
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
