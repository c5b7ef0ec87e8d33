//! Every kernel of this processor against the portable reference, bit for bit.

use super::*;
use crate::engine::AT_MOST;

/// A linear congruential generator: the same numbers on every machine.
pub(super) struct Numbers(u64);

impl Numbers {
    pub(super) fn new(seed: u64) -> Numbers {
        Numbers(seed)
    }

    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % below
    }

    /// Values of [-127, 127], one in eight of them an extreme.
    pub(super) fn bytes(&mut self, length: usize) -> Vec<i8> {
        let value = |_| match self.next(16) {
            0 => -127,
            1 => 127,
            _ => (self.next(255) as i16 - 127) as i8,
        };
        (0..length).map(value).collect()
    }
}

/// One multiplication, `columns` columns wide, before it is laid out for a kernel.
struct Problem {
    groups: usize,
    columns: usize,
    /// `[groups][8][4]`
    weights: Vec<i8>,
    /// `[columns][groups·4]`
    activations: Vec<i8>,
}

impl Problem {
    fn random(numbers: &mut Numbers, groups: usize, columns: usize) -> Self {
        let weights = numbers.bytes(groups * ROWS * GROUP);
        let activations = numbers.bytes(columns * groups * GROUP);
        Self {
            groups,
            columns,
            weights,
            activations,
        }
    }

    fn constant(groups: usize, columns: usize, weight: i8, activation: i8) -> Self {
        Self {
            groups,
            columns,
            weights: vec![weight; groups * ROWS * GROUP],
            activations: vec![activation; columns * groups * GROUP],
        }
    }

    fn row_sums(&self) -> [i32; ROWS] {
        let mut sums = [0; ROWS];
        for (index, &weight) in self.weights.iter().enumerate() {
            sums[index / GROUP % ROWS] += i32::from(weight);
        }
        sums
    }

    /// The activations as `kernel` reads them, `[panels][groups][columns][4]`.
    fn panels(&self, kernel: &dyn Kernel) -> Vec<u8> {
        let mut panels = Vec::new();
        for panel in self.activations.chunks(kernel.columns() * self.groups * GROUP) {
            for group in 0..self.groups {
                for column in panel.chunks(self.groups * GROUP) {
                    panels.extend(
                        column[group * GROUP..][..GROUP]
                            .iter()
                            .map(|&value| value as u8 ^ kernel.activation_mask()),
                    );
                }
            }
        }
        panels
    }

    /// `[8][columns]`, one call for as many panels as the columns fill. The operands start at odd addresses, and
    /// what lies between and behind the rows of sums must stay untouched.
    fn solve(&self, kernel: &dyn Kernel) -> Vec<i32> {
        const UNTOUCHED: i32 = 0x5a5a_5a5a;
        let weights: Vec<i8> = std::iter::once(0).chain(self.weights.iter().copied()).collect();
        let activations: Vec<u8> = std::iter::once(0).chain(self.panels(kernel)).collect();
        let stride = self.columns + self.groups % 20;
        let mut sums = vec![UNTOUCHED; ROWS * stride + 16];
        let count = self.columns / kernel.columns();
        let rows = Sums { values: &mut sums, stride };
        kernel.multiply(&weights[1..], &self.row_sums(), &activations[1..], self.groups, count, rows);
        let untouched = |beside: &[i32]| {
            assert!(
                beside.iter().all(|&sum| sum == UNTOUCHED),
                "{} writes beside its sums",
                kernel.name()
            )
        };
        let (rows, behind) = sums.split_at(ROWS * stride);
        untouched(behind);
        let mut found = Vec::new();
        for row in rows.chunks_exact(stride) {
            let (row, between) = row.split_at(self.columns);
            untouched(between);
            found.extend_from_slice(row);
        }
        found
    }

    /// `[8][columns]` by the reference, panel by panel. `columns` need not fill whole panels of the reference.
    fn reference(&self) -> Vec<i32> {
        let reference = &portable::Portable;
        let width = reference.columns();
        let mut sums = vec![0; ROWS * self.columns];
        for first in (0..self.columns).step_by(width) {
            let taken = width.min(self.columns - first);
            let mut activations = self.activations[first * self.groups * GROUP..][..taken * self.groups * GROUP].to_vec();
            activations.resize(width * self.groups * GROUP, 0);
            let part = Problem {
                groups: self.groups,
                columns: width,
                weights: self.weights.clone(),
                activations,
            };
            for (row, part) in part.solve(reference).chunks(width).enumerate() {
                sums[row * self.columns + first..][..taken].copy_from_slice(&part[..taken]);
            }
        }
        sums
    }

    fn assert_equal(&self, kernel: &dyn Kernel) {
        assert_eq!(
            self.solve(kernel),
            self.reference(),
            "{}, {} groups, {} columns",
            kernel.name(),
            self.groups,
            self.columns
        );
    }
}

/// Every kernel with every number of panels that it takes, and the columns of those panels.
fn widths() -> impl Iterator<Item = (&'static dyn Kernel, usize)> {
    available()
        .into_iter()
        .flat_map(|kernel| (1..=kernel.panels()).map(move |count| (kernel, count * kernel.columns())))
}

#[test]
fn portable_sums_products_row_by_column() {
    let problem = Problem::random(&mut Numbers::new(1), 5, 8);
    let mut expected = Vec::new();
    for row in 0..ROWS {
        for column in problem.activations.chunks(problem.groups * GROUP) {
            let weight = |input: usize| i32::from(problem.weights[(input / GROUP * ROWS + row) * GROUP + input % GROUP]);
            expected.push(
                (0..problem.groups * GROUP)
                    .map(|input| weight(input) * i32::from(column[input]))
                    .sum::<i32>(),
            );
        }
    }
    assert_eq!(problem.solve(&portable::Portable), expected);
}

#[test]
fn every_kernel_equals_the_reference_on_random_operands() {
    let mut numbers = Numbers::new(2);
    for (kernel, columns) in widths() {
        for groups in (1..=17).chain([31, 32, 33, 47, 64, 69, 70, 143, 432, 433]).take(AT_MOST) {
            Problem::random(&mut numbers, groups, columns).assert_equal(kernel);
        }
    }
}

#[test]
fn every_kernel_equals_the_reference_on_extreme_operands() {
    for (kernel, columns) in widths() {
        let extremes = [(127, 127), (-127, -127), (127, -127), (-127, 127), (0, -127), (-127, 0)];
        for (weight, activation) in extremes.into_iter().take(AT_MOST) {
            for groups in [1, 2, 3, 70, 4097].into_iter().take(AT_MOST) {
                Problem::constant(groups, columns, weight, activation).assert_equal(kernel);
            }
        }
    }
}

/// An image, windows over it, and the byte at which each panel of them begins.
struct Scene {
    image: Vec<u8>,
    planes: [usize; 2],
    pixels: Vec<usize>,
    panels: Vec<usize>,
}

impl Scene {
    /// Panels begin anywhere in the first plane; the image ends with the last one's last pixel.
    fn random(numbers: &mut Numbers, kernel: &dyn Kernel, planes: usize, size: [usize; 2], count: usize) -> Scene {
        let line = (kernel.columns() + size[1] + 3) * GROUP;
        let pixels: Vec<usize> = (0..size[0]).flat_map(|y| (0..size[1]).map(move |x| y * line + x * GROUP)).collect();
        let panels: Vec<usize> = (0..count).map(|_| numbers.next(70) as usize * GROUP).collect();
        let end = panels.iter().max().unwrap() + pixels.last().unwrap() + kernel.columns() * GROUP;
        let bytes = numbers.bytes(end * planes);
        let image = bytes.into_iter().map(|value| value as u8 ^ kernel.activation_mask()).collect();
        Scene {
            image,
            planes: [planes, end],
            pixels,
            panels,
        }
    }

    fn windows(&self) -> Windows<'_> {
        Windows {
            image: &self.image,
            planes: self.planes,
            pixels: &self.pixels,
        }
    }

    fn groups(&self) -> usize {
        self.planes[0] * self.pixels.len()
    }

    /// The same columns, one after another.
    fn columns(&self, kernel: &dyn Kernel) -> Vec<i8> {
        let mut columns = Vec::new();
        for panel in &self.panels {
            for column in 0..kernel.columns() {
                for pixel in &self.pixels {
                    for plane in 0..self.planes[0] {
                        let start = panel + column * GROUP + pixel + plane * self.planes[1];
                        columns.extend(
                            self.image[start..][..GROUP]
                                .iter()
                                .map(|byte| (byte ^ kernel.activation_mask()) as i8),
                        );
                    }
                }
            }
        }
        columns
    }
}

#[test]
fn windows_where_they_lie_give_the_sums_of_panels() {
    let mut numbers = Numbers::new(3);
    for (kernel, columns) in widths() {
        let Some(in_place) = kernel.in_place() else { continue };
        for (planes, size) in [(1, [1, 1]), (3, [1, 1]), (12, [3, 3]), (25, [3, 2]), (2, [5, 1])]
            .into_iter()
            .take(AT_MOST)
        {
            let scene = Scene::random(&mut numbers, kernel, planes, size, columns / kernel.columns());
            let problem = Problem {
                groups: scene.groups(),
                columns,
                weights: numbers.bytes(scene.groups() * ROWS * GROUP),
                activations: scene.columns(kernel),
            };
            let mut values = vec![0; ROWS * columns];
            let sums = Sums {
                values: &mut values,
                stride: columns,
            };
            in_place.multiply_in_place(&problem.weights, &problem.row_sums(), scene.windows(), &scene.panels, sums);
            assert_eq!(
                values,
                problem.reference(),
                "{}, {planes} planes, windows of {size:?}",
                kernel.name()
            );
        }
    }
}

#[test]
fn windows_that_leave_the_image_panic() {
    for kernel in available() {
        let Some(in_place) = kernel.in_place() else { continue };
        let scene = Scene::random(&mut Numbers::new(4), kernel, 2, [3, 3], 2);
        let columns = 2 * kernel.columns();
        let panics = |windows: Windows, panels: &[usize], weights: usize, sums: usize| {
            let (weights, mut values) = (vec![0; weights], vec![0; sums]);
            let call = || {
                let sums = Sums {
                    values: &mut values,
                    stride: columns,
                };
                in_place.multiply_in_place(&weights, &[0; ROWS], windows, panels, sums)
            };
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).is_err()
        };
        let (whole, panels) = (scene.windows(), &scene.panels[..]);
        let (weights, sums) = (scene.groups() * ROWS * GROUP, ROWS * columns);
        let short = &scene.image[..scene.image.len() - 1];
        assert!(!panics(whole, panels, weights, sums));
        assert!(panics(Windows { image: short, ..whole }, panels, weights, sums));
        assert!(panics(Windows { pixels: &[], ..whole }, panels, weights, sums));
        for planes in [[0, 4], [3, whole.planes[1]], [2, usize::MAX], [usize::MAX, 4]] {
            assert!(panics(Windows { planes, ..whole }, panels, weights, sums), "{planes:?}");
        }
        assert!(panics(whole, &[], weights, sums));
        assert!(panics(
            whole,
            &vec![0; kernel.panels() + 1],
            weights,
            ROWS * columns * kernel.panels()
        ));
        assert!(panics(whole, &[0, usize::MAX], weights, sums));
        assert!(panics(whole, panels, weights - 1, sums));
        assert!(panics(whole, panels, weights, sums - 1));
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes an hour")]
fn sums_near_the_limit_of_32_bits_are_exact() {
    let groups = 133_000 / GROUP;
    for (kernel, columns) in widths() {
        let sums = Problem::constant(groups, columns, -127, 127).solve(kernel);
        assert!(sums.iter().all(|&sum| sum == -127 * 127 * 133_000), "{}", kernel.name());
    }
}

#[test]
fn short_operands_panic() {
    for (kernel, columns) in widths().take(AT_MOST) {
        let count = columns / kernel.columns();
        let strided = |weights: usize, activations: usize, groups: usize, count: usize, sums: usize, stride: usize| {
            let (weights, activations, mut sums) = (vec![0; weights], vec![0; activations], vec![0; sums]);
            let call = move || {
                let values = &mut sums;
                kernel.multiply(&weights, &[0; ROWS], &activations, groups, count, Sums { values, stride })
            };
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).is_err()
        };
        let panics =
            |weights, activations, groups, count: usize, sums| strided(weights, activations, groups, count, sums, count * kernel.columns());
        assert!(!strided(96, 12 * columns, 3, count, ROWS * columns + 7, columns + 1));
        assert!(strided(96, 12 * columns, 3, count, ROWS * columns + 6, columns + 1));
        assert!(strided(96, 12 * columns, 3, count, ROWS * columns, columns - 1));
        assert!(strided(96, 12 * columns, 3, count, ROWS * columns, usize::MAX / 4));
        assert!(!panics(96, 12 * columns, 3, count, ROWS * columns));
        assert!(panics(95, 12 * columns, 3, count, ROWS * columns));
        assert!(panics(96, 12 * columns - 1, 3, count, ROWS * columns));
        assert!(panics(96, 12 * columns, 3, count, ROWS * columns - 1));
        assert!(panics(96, 12 * columns, 3, 0, ROWS * columns));
        assert!(panics(96, 12 * columns, usize::MAX / 2, count, ROWS * columns));
        let too_many = kernel.panels() + 1;
        assert!(panics(
            96,
            12 * kernel.columns() * too_many,
            3,
            too_many,
            ROWS * kernel.columns() * too_many
        ));
    }
}

#[test]
fn kernels_are_found_by_name() {
    for kernel in available() {
        assert_eq!(by_name(Some(kernel.name().to_string())).unwrap().name(), kernel.name());
    }
    assert_eq!(by_name(None).unwrap().name(), available()[0].name());
    assert_eq!(available().last().unwrap().name(), "portable");
}

#[test]
fn an_unknown_name_is_answered_with_the_known_ones() {
    let message = by_name(Some("abacus".to_string())).unwrap_err().to_string();
    assert!(
        message.starts_with("INKSTONE_KERNEL is 'abacus': this processor runs "),
        "{message}"
    );
    assert!(message.ends_with("portable"), "{message}");
}
