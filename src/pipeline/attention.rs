//! Where pixels look while a picture is denoised: the weights that they give to the rows of the text, as means over heads, layers and steps
//! (DAAM; Tang et al., arXiv 2210.04885). Owns these maps; depends on the engine's watch.

use std::ops::Range;

use crate::engine::AttentionWatch;

/// The mean weight that each place of the denoised picture gives to each row of the text.
///
/// Told apart by their shapes are attention to the text alone (as many keys as the text has rows, as in Stable Diffusion) and attention to
/// pixels and text in one softmax (as many keys as pixels and rows together, the rows last, as in the shipped pack). Others are passed over.
#[derive(Clone, Debug, PartialEq)]
pub struct AttentionMaps {
    rows: usize,
    width: usize,
    height: usize,
    /// `[rows][height][width]`
    sums: Vec<f32>,
    seen: usize,
}

impl AttentionMaps {
    /// Of nothing yet: maps for a text of `rows` rows, and a denoised picture or latent of these sides.
    pub fn new(rows: usize, width: usize, height: usize) -> AttentionMaps {
        AttentionMaps {
            rows,
            width,
            height,
            sums: vec![0.0; rows * width * height],
            seen: 0,
        }
    }

    /// Rows of the text.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Width and height of each map.
    pub fn sides(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// Attention operators that were added, each once a step; 0 if the denoiser has none to the text.
    pub fn seen(&self) -> usize {
        self.seen
    }

    /// The mean weight of some rows together at each place, from 0 to 1, in rows from the top.
    pub fn of_rows(&self, rows: &[usize]) -> Vec<f32> {
        let places = self.width * self.height;
        let mut sum = vec![0f32; places];
        for row in rows.iter().filter(|row| **row < self.rows) {
            for (sum, value) in sum.iter_mut().zip(&self.sums[row * places..(row + 1) * places]) {
                *sum += value / self.seen.max(1) as f32;
            }
        }
        sum
    }

    /// The grid that so many queries are: the picture's sides, halved (and rounded up) some times.
    fn grid(&self, queries: usize) -> Option<(usize, usize)> {
        let (mut width, mut height) = (self.width, self.height);
        while width * height > queries && width.max(height) > 1 {
            (width, height) = (width.div_ceil(2), height.div_ceil(2));
        }
        (width * height == queries).then_some((width, height))
    }
}

impl AttentionWatch for AttentionMaps {
    fn keys(&mut self, queries: usize, keys: usize) -> Option<Range<usize>> {
        self.grid(queries)?;
        match keys {
            // Pixels that look at each other are as many keys as queries.
            _ if keys == queries => None,
            _ if keys == self.rows => Some(0..keys),
            _ if keys == queries + self.rows => Some(queries..keys),
            _ => None,
        }
    }

    fn weights(&mut self, queries: usize, keys: Range<usize>, weights: &[f32]) {
        let Some((width, height)) = self.grid(queries) else { return };
        let [columns, rows] = [(self.width, width), (self.height, height)].map(|(large, small)| between(large, small));
        self.seen += 1;
        let (count, side) = (keys.len(), self.width);
        for (row, map) in self.sums.chunks_exact_mut(self.width * self.height).enumerate() {
            let at = |x: usize, y: usize| weights[(y * width + x) * count + row];
            for (place, sum) in map.iter_mut().enumerate() {
                let ((left, right, across), (top, bottom, down)) = (columns[place % side], rows[place / side]);
                let upper = at(left, top) * (1.0 - across) + at(right, top) * across;
                let lower = at(left, bottom) * (1.0 - across) + at(right, bottom) * across;
                *sum += upper * (1.0 - down) + lower * down;
            }
        }
    }
}

/// For every place of a long side the two places of a short one that it lies between, and how near it is to the second.
fn between(long: usize, short: usize) -> Vec<(usize, usize, f32)> {
    let places = (0..long).map(|place| {
        let middle = ((place as f32 + 0.5) * short as f32 / long as f32 - 0.5).clamp(0.0, (short - 1) as f32);
        let first = middle as usize;
        (first, (first + 1).min(short - 1), middle - first as f32)
    });
    places.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attention_to_the_text_is_told_by_its_shape() {
        let mut maps = AttentionMaps::new(25, 32, 32);
        for (queries, keys, wanted) in [
            (256, 281, Some(256..281)),
            (64, 25, Some(0..25)),
            (256, 256, None),
            (24, 24, None),
            (100, 25, None),
            (64, 26, None),
        ] {
            assert_eq!(maps.keys(queries, keys), wanted, "{queries} to {keys}");
        }
        let mut even = AttentionMaps::new(16, 8, 8);
        assert_eq!(even.keys(16, 16), None, "which could be pixels that look at each other");
        let mut odd = AttentionMaps::new(4, 5, 3);
        assert_eq!(odd.keys(6, 4), Some(0..4), "halves are rounded up");
    }

    #[test]
    fn maps_are_means_at_the_size_of_the_picture() {
        let mut maps = AttentionMaps::new(2, 4, 4);
        // All of the left half looks at the first row, all of the right one at the second.
        maps.weights(4, 4..6, &[1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0]);
        assert_eq!(maps.of_rows(&[0])[..4], [1.0, 0.75, 0.25, 0.0]);
        maps.weights(1, 0..2, &[0.5, 0.5]);
        assert_eq!(maps.seen(), 2);
        assert_eq!(maps.of_rows(&[0])[..4], [0.75, 0.625, 0.375, 0.25]);
        assert_eq!(maps.of_rows(&[0, 1, 7]), [1.0; 16]);
    }
}
