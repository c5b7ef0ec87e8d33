//! The block of memory that holds all floats of a graph while it runs. Owns the memory plan, made when the graph is loaded, and the
//! splitting of the block into what an operator writes and what it reads. Depends on nothing.

use std::ops::Range;

use tract_onnx::tract_core::internal::{TVec, tvec};

/// Floats of a cache line; every value begins at the start of one.
const LINE: usize = 16;

/// How long a value is needed, in moments; both ends are included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// Number of floats.
    pub floats: usize,
    /// The moment at which it is written.
    pub born: usize,
    /// The last moment at which it is read.
    pub dies: usize,
}

impl Lifetime {
    fn meets(&self, other: &Lifetime) -> bool {
        self.born <= other.dies && other.born <= self.dies
    }
}

/// The offset of every value, and the size of the block in floats: no two values that are needed at the same moment overlap. Values are
/// placed one after another, each into the lowest gap that is large enough, in several orders of which the one with the smallest
/// block is taken: by size (greedy by size; Pisarchyk & Lee, arXiv 2001.03288), by size times lifetime, and by time.
pub fn plan(lifetimes: &[Lifetime]) -> (Vec<usize>, usize) {
    let moments = |value: &Lifetime| (value.dies - value.born + 1) as u64;
    let by_size = in_order(lifetimes, |value| value.floats as u64);
    let by_use = in_order(lifetimes, |value| value.floats as u64 * moments(value));
    let by_birth = in_order(lifetimes, |value| u64::MAX - value.born as u64);
    let plans = [by_size, by_use, by_birth].map(|order| place(lifetimes, order));
    let smallest = plans.into_iter().min_by_key(|(_, whole)| *whole);
    smallest.unwrap_or_default()
}

/// Values by a key, the largest first.
fn in_order(lifetimes: &[Lifetime], key: impl Fn(&Lifetime) -> u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..lifetimes.len()).collect();
    order.sort_by_key(|&value| std::cmp::Reverse((key(&lifetimes[value]), lifetimes[value].floats)));
    order
}

fn place(lifetimes: &[Lifetime], order: Vec<usize>) -> (Vec<usize>, usize) {
    let mut starts = vec![0; lifetimes.len()];
    // Values that have a place, by place.
    let mut placed: Vec<usize> = Vec::new();
    let mut whole = 0;
    for value in order {
        let length = lifetimes[value].floats.next_multiple_of(LINE);
        let mut start = 0;
        for &other in placed.iter().filter(|&&other| lifetimes[value].meets(&lifetimes[other])) {
            if start + length <= starts[other] {
                break;
            }
            start = start.max(starts[other] + lifetimes[other].floats.next_multiple_of(LINE));
        }
        starts[value] = start;
        whole = whole.max(start + length);
        let place = placed.partition_point(|&other| starts[other] <= start);
        placed.insert(place, value);
    }
    (starts, whole)
}

/// The block, kept from run to run and as large as the largest graph so far needs.
#[derive(Debug, Default)]
pub struct Arena(Vec<f32>);

impl Arena {
    /// `count` floats of any content, from the start of a cache line on.
    pub fn floats(&mut self, count: usize) -> &mut [f32] {
        if self.0.len() < count + LINE {
            // What was there is of no use, so nothing is copied.
            self.0 = Vec::new();
            self.0 = vec![0.0; count + LINE];
        }
        let start = self.0.as_ptr().align_offset(LINE * size_of::<f32>());
        // `align_offset` may refuse, as it does in an interpreter.
        let start = if start > LINE { 0 } else { start };
        &mut self.0[start..start + count]
    }
}

/// The parts of the arena that may be read while others are written.
pub struct Rest<'a>(TVec<(usize, &'a [f32])>);

impl<'a> Rest<'a> {
    /// A range that overlaps none of the parts that are written; none if it does.
    pub fn get(&self, range: &Range<usize>) -> Option<&'a [f32]> {
        let inside = |&&(start, part): &&(usize, &[f32])| start <= range.start && range.end <= start + part.len();
        let &(start, part) = self.0.iter().find(inside)?;
        part.get(range.start - start..range.end - start)
    }
}

/// Splits two parts, which are written, from the rest of a block. They must not overlap.
pub fn cut<'a>(floats: &'a mut [f32], one: &Range<usize>, other: &Range<usize>) -> (&'a mut [f32], &'a mut [f32], Rest<'a>) {
    let (mut parts, rest) = cut_all(floats, &[one, other]);
    let (of_other, of_one) = (parts.pop(), parts.pop());
    (of_one.unwrap_or_default(), of_other.unwrap_or_default(), rest)
}

/// Splits any number of parts, which are written, from the rest of a block; returned in the order given.
pub fn cut_all<'a>(floats: &'a mut [f32], parts: &[&Range<usize>]) -> (TVec<&'a mut [f32]>, Rest<'a>) {
    let mut order: TVec<usize> = (0..parts.len()).collect();
    order.sort_by_key(|&part| (parts[part].start, parts[part].end));
    let (mut cut, mut rest): (TVec<&mut [f32]>, _) = (parts.iter().map(|_| Default::default()).collect(), tvec!());
    let (mut behind, mut place) = (floats, 0);
    for part in order {
        let (before, from) = behind.split_at_mut(parts[part].start - place);
        rest.push((place, &*before));
        (cut[part], behind) = from.split_at_mut(parts[part].len());
        place = parts[part].end;
    }
    rest.push((place, &*behind));
    (cut, Rest(rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::AT_MOST;

    fn lifetimes(seed: u32, count: usize) -> Vec<Lifetime> {
        let mut state = seed;
        let mut next = |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((state >> 16) % below) as usize
        };
        (0..count)
            .map(|born| Lifetime {
                floats: 1 + next(5000),
                born,
                dies: born + next(6),
            })
            .collect()
    }

    #[test]
    fn values_that_live_together_lie_apart_and_the_block_is_small() {
        for seed in (0..50).take(AT_MOST) {
            let values = lifetimes(seed, 60);
            let (starts, whole) = plan(&values);
            for (index, (value, &start)) in values.iter().zip(&starts).enumerate() {
                assert!(start % LINE == 0 && start + value.floats <= whole);
                for (other, &place) in values[..index].iter().zip(&starts) {
                    let apart = start + value.floats <= place || place + other.floats <= start;
                    assert!(apart || !value.meets(other), "seed {seed}: {value:?} and {other:?}");
                }
            }
            let most = (0..70).map(|step| {
                let alive = values.iter().filter(|value| value.born <= step && step <= value.dies);
                alive.map(|value| value.floats.next_multiple_of(LINE)).sum::<usize>()
            });
            let most = most.max().unwrap_or_default();
            assert!(
                whole <= most + most / 3,
                "seed {seed}: {whole} floats where {most} are needed at once"
            );
        }
    }

    #[test]
    fn a_value_goes_into_the_gap_between_two_others() {
        let value = |floats, born, dies| Lifetime { floats, born, dies };
        let (starts, whole) = plan(&[value(64, 0, 9), value(32, 0, 3), value(48, 0, 9), value(16, 5, 6)]);
        assert_eq!((starts, whole), (vec![0, 112, 64, 112], 144));
    }

    /// Residual layers whose first convolution works with more than a picture: the largest first would leave gaps.
    #[test]
    fn a_chain_of_layers_takes_what_its_largest_step_needs() {
        let value = |floats, born, dies| Lifetime { floats, born, dies };
        let mut values = vec![value(768, 0, 2)];
        for step in [1, 3] {
            let inner = [value(976, step, step), value(768, step, step + 1)];
            let outer = [value(768, step + 1, step + 3), value(208, step + 1, step + 1)];
            values.extend(inner.into_iter().chain(outer));
        }
        assert_eq!(plan(&values).1, 768 + 768 + 976);
    }

    #[test]
    fn the_block_starts_at_a_cache_line_and_grows() {
        let mut arena = Arena::default();
        for count in [1, 100, 50, 1000] {
            let floats = arena.floats(count);
            assert_eq!(floats.len(), count);
            assert!(cfg!(miri) || floats.as_ptr().addr().is_multiple_of(64));
        }
    }

    #[test]
    fn any_number_of_parts_is_cut() {
        let (mut floats, mut others): (Vec<f32>, _) = ((0..100u8).map(f32::from).collect(), [0.0; 3]);
        let (parts, rest) = cut_all(&mut floats, &[&(50..60), &(0..10), &(10..10), &(10..12), &(90..100)]);
        let found: Vec<(usize, Option<f32>)> = parts.iter().map(|part| (part.len(), part.first().copied())).collect();
        assert_eq!(
            found,
            [(10, Some(50.0)), (10, Some(0.0)), (0, None), (2, Some(10.0)), (10, Some(90.0))]
        );
        for (read, free) in [(12..50, true), (60..90, true), (12..51, false), (9..10, false), (0..100, false)] {
            assert_eq!(
                rest.get(&read).is_some_and(|values| values[0] == read.start as f32),
                free,
                "{read:?}"
            );
        }
        let (_, whole) = cut_all(&mut others, &[]);
        assert_eq!(whole.get(&(0..3)).map(<[f32]>::len), Some(3));
    }

    #[test]
    fn parts_are_cut_in_either_order() {
        let mut floats: Vec<f32> = (0..100u8).map(f32::from).collect();
        for (one, other) in [(10..20, 40..60), (40..60, 10..20), (0..0, 90..100), (20..30, 30..40), (5..9, 0..0)] {
            let (first, second, rest) = cut(&mut floats, &one, &other);
            assert_eq!((first.len(), second.len()), (one.len(), other.len()));
            assert_eq!(first.first().copied(), one.clone().next().map(|place| place as f32));
            assert_eq!(second.first().copied(), other.clone().next().map(|place| place as f32));
            for start in 0..98 {
                let touches = |part: &Range<usize>| start < part.end && part.start < start + 2;
                let read = rest.get(&(start..start + 2));
                assert_eq!(
                    read.is_none(),
                    touches(&one) || touches(&other),
                    "{start} beside {one:?} and {other:?}"
                );
                assert!(read.is_none_or(|read| read[0] == start as f32));
            }
        }
    }
}
