//! How work is split and scheduled over threads. Owns the size of tasks and which thread begins with which; depends on the Rayon pool
//! that the caller runs in.
//!
//! What a thread wrote is in its core's cache, and another core takes longer to fetch most of it than to compute it. So every operator
//! splits its work at about the same places of the picture, or at the same tokens, and the same thread does the same part of all
//! operators; threads that have finished steal the tasks that others have not begun.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Floats of an element-wise loop that are worth another thread. Threads stay awake while a graph runs, so starting a task takes about
/// a microsecond, and a thread that works alone fetches its inputs from the others' caches.
const VALUES: usize = 1 << 11;
/// Multiplications of a matrix product that are worth another thread.
const PRODUCTS: u64 = 1 << 14;
/// Floats of a row's chunk that are worth splitting every row: the list of chunks has to be fetched by another core too.
const CHUNK: usize = 512;
/// Tasks of large work for each thread, so that others can steal some.
pub const TASKS_PER_THREAD: usize = 4;
/// Iterations of a waiting thread before it yields its core.
const LOOKS: usize = 1 << 10;

/// Threads worth using for an element-wise loop over `values` floats.
pub fn threads_for_values(values: usize) -> usize {
    (values / VALUES).clamp(1, rayon::current_num_threads())
}

/// Threads worth using for matrix products of `[rows, columns, inputs]`. Computed in 64 bits: the number of multiplications may
/// overflow `usize` on 32-bit processors.
pub fn threads_for_products(sizes: impl IntoIterator<Item = [usize; 3]>) -> usize {
    let products = |size: [usize; 3]| size.into_iter().map(|size| size as u64).product::<u64>();
    let products: u64 = sizes.into_iter().map(products).sum();
    usize::try_from(products / PRODUCTS)
        .unwrap_or(usize::MAX)
        .clamp(1, rayon::current_num_threads())
}

/// `count` things split evenly into `parts` ranges.
pub fn split_evenly(count: usize, parts: usize) -> impl ExactSizeIterator<Item = Range<usize>> {
    (0..parts).map(move |part| part * count / parts..(part + 1) * count / parts)
}

/// Does work on every item, in `threads` threads. Items are in the order of their place in the output; the first thread begins with the
/// first ones, and so on.
pub fn for_each<T: Send>(threads: usize, mut items: impl ExactSizeIterator<Item = T>, work: impl Fn(T) + Sync) {
    if threads < 2 || items.len() < 2 {
        return items.for_each(work);
    }
    let lists = split_evenly(items.len(), threads).map(|range| items.by_ref().take(range.len()).collect::<Vec<T>>());
    for_each_in_parts(lists.collect(), |items| items, work);
}

/// Does work on the items of parts, in as many threads as there are parts. The thread that begins with a part splits it into items, in
/// its own cache and while others do the same.
pub fn for_each_in_parts<P: Send, T: Send>(parts: Vec<P>, cut: impl Fn(P) -> Vec<T> + Sync, work: impl Fn(T) + Sync) {
    let threads = parts.len();
    if threads < 2 {
        return parts.into_iter().flat_map(cut).for_each(work);
    }
    let lists: Vec<List<P, T>> = parts.into_iter().map(List::new).collect();
    let busy = Busy::default();
    let take = || {
        let _begun = busy.begin();
        let own = rayon::current_thread_index().unwrap_or(0) % threads;
        std::iter::from_fn(|| lists[own].next(&cut, std::vec::IntoIter::next)).for_each(&work);
        for other in (own + 1..threads).chain(0..own) {
            std::iter::from_fn(|| lists[other].next(&cut, std::vec::IntoIter::next_back)).for_each(&work);
        }
    };
    let first = || {
        take();
        // The pool would go to sleep over what takes this long.
        busy.wait();
    };
    rayon::join(first, || spread(threads - 1, &take));
}

/// Runs a closure in up to `threads` threads.
fn spread(threads: usize, take: &(impl Fn() + Sync)) {
    if threads == 1 {
        take();
    } else {
        rayon::join(|| spread(threads / 2, take), || spread(threads - threads / 2, take));
    }
}

/// Items that a thread begins with.
struct List<P, T> {
    /// The part that is still to be split, or the items that are left.
    items: Mutex<(Option<P>, std::vec::IntoIter<T>)>,
    /// A cache line between this list and the next: an allocator takes longer for an aligned block.
    _apart: [u64; 8],
}

impl<P, T> List<P, T> {
    /// The items of a part.
    fn new(part: P) -> List<P, T> {
        List {
            items: Mutex::new((Some(part), Vec::new().into_iter())),
            _apart: [0; 8],
        }
    }

    /// Takes an item, from the front or the back.
    fn next(&self, cut: impl Fn(P) -> Vec<T>, take: impl Fn(&mut std::vec::IntoIter<T>) -> Option<T>) -> Option<T> {
        let mut list = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(part) = list.0.take() {
            list.1 = cut(part).into_iter();
        }
        take(&mut list.1)
    }
}

/// The number of threads at work.
#[derive(Default)]
struct Busy(AtomicUsize);

/// A thread at work until this is dropped, also by a panic: others wait for it.
struct Begun<'a>(&'a Busy);

impl Busy {
    fn begin(&self) -> Begun<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Begun(self)
    }

    /// Waits until no thread is at work. Called when all lists are empty: a thread that took an item from a list counted itself before
    /// it took the list's lock.
    fn wait(&self) {
        let mut looks = 0;
        while self.0.load(Ordering::Acquire) > 0 {
            if looks < LOOKS {
                looks += 1;
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Release);
    }
}

/// Splits rows of `row` values at the same columns: for each part its slice of every row.
pub fn split_columns<T>(values: &mut [T], row: usize, parts: impl ExactSizeIterator<Item = Range<usize>>) -> Vec<Vec<&mut [T]>> {
    let mut rest: Vec<&mut [T]> = values.chunks_exact_mut(row.max(1)).collect();
    let cut = |length| rest.iter_mut().map(|row| row.split_off_mut(..length).unwrap_or_default()).collect();
    parts.map(|part| part.len()).map(cut).collect()
}

/// Splits slices of rows further, into chunks of `length` columns; the last may be shorter.
pub fn chunk_columns<T>(mut rows: Vec<&mut [T]>, length: usize) -> Vec<Vec<&mut [T]>> {
    let chunks = rows.first().map_or(0, |row| row.len().div_ceil(length.max(1)));
    let mut cut = |_| {
        rows.iter_mut()
            .map(|row| row.split_off_mut(..length.min(row.len())).unwrap_or_default())
            .collect()
    };
    (0..chunks).map(&mut cut).collect()
}

/// The row that an element-wise operator splits: a channel of a large picture, otherwise all values.
fn row(shape: &[usize], threads: usize) -> usize {
    match *shape {
        [1, _, height, width] if height * width >= threads * CHUNK => height * width,
        _ => shape.iter().product(),
    }
}

/// Does work on chunks of an output of a shape, each with its offset.
pub fn for_each_chunk(output: &mut [f32], shape: &[usize], work: impl Fn(usize, &mut [f32]) + Sync) {
    let threads = threads_for_values(output.len());
    let row = row(shape, threads);
    let mut strips = split_columns(output, row, split_evenly(row, threads));
    let starts = split_evenly(row, threads).map(|part| part.start);
    for_each(threads, strips.iter_mut().zip(starts), |(chunks, start)| {
        for (index, chunk) in chunks.iter_mut().enumerate() {
            work(index * row + start, chunk);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn pool(threads: usize) -> rayon::ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
    }

    #[test]
    fn small_work_is_not_shared() {
        assert_eq!(
            pool(3).install(|| [[0, 9, 9], [1, 1, 1 << 14], [2, 1 << 7, 1 << 7], [1 << 11; 3]].map(|size| threads_for_products([size]))),
            [1, 1, 2, 3]
        );
        assert_eq!(pool(2).install(|| [1, 2 * VALUES, 9 * VALUES].map(threads_for_values)), [1, 2, 2]);
    }

    #[test]
    fn parts_are_even_and_whole() {
        for (things, count) in [(0, 1), (1, 3), (7, 2), (48, 5)] {
            let parts: Vec<_> = split_evenly(things, count).collect();
            assert_eq!(parts.len(), count);
            assert!(parts.iter().flat_map(|part| part.clone()).eq(0..things));
            assert!(parts.iter().all(|part| part.len().abs_diff(things / count) <= 1));
        }
    }

    #[test]
    fn all_is_done_once_by_any_number_of_threads() {
        for threads in 1..5 {
            for items in [0, 1, 2, 3, 10] {
                let done = Mutex::new(BTreeSet::new());
                pool(threads).install(|| {
                    for_each(threads, 0..items, |item: usize| assert!(done.lock().unwrap().insert(item)));
                });
                assert_eq!(done.into_inner().unwrap(), (0..items).collect());
            }
        }
    }

    #[test]
    fn a_thread_that_has_nothing_left_takes_from_the_others() {
        let doers = Mutex::new(BTreeSet::new());
        pool(2).install(|| {
            let started = std::sync::Barrier::new(2);
            // The first item waits for the second, of the same list.
            for_each(2, 0..4, |item| {
                if item < 2 {
                    started.wait();
                    doers.lock().unwrap().insert(rayon::current_thread_index());
                }
            });
        });
        assert_eq!(doers.into_inner().unwrap().len(), 2);
    }

    #[test]
    fn every_part_is_cut_once_and_all_of_it_is_done() {
        for threads in 1..5 {
            let (cuts, done) = (AtomicUsize::new(0), Mutex::new(BTreeSet::new()));
            pool(threads).install(|| {
                let cut = |part: usize| {
                    cuts.fetch_add(1, Ordering::Relaxed);
                    (part * 7..part * 8).collect()
                };
                for_each_in_parts((0..threads).collect(), cut, |item: usize| {
                    assert!(done.lock().unwrap().insert(item))
                });
            });
            assert_eq!(cuts.into_inner(), threads);
            assert!(
                done.into_inner()
                    .unwrap()
                    .into_iter()
                    .eq((0..threads).flat_map(|part| part * 7..part * 8))
            );
        }
    }

    #[test]
    fn a_panic_ends_the_wait() {
        let result = std::panic::catch_unwind(|| pool(2).install(|| for_each(2, 0..3, |item| assert_ne!(item, 1))));
        assert!(result.is_err());
    }

    #[test]
    fn rows_are_cut_at_the_same_places() {
        let mut values: Vec<usize> = (0..12).collect();
        let cut = split_columns(&mut values, 6, [0..1, 1..3, 3..6].into_iter());
        assert_eq!(cut, [vec![&[0][..], &[6]], vec![&[1, 2], &[7, 8]], vec![&[3, 4, 5], &[9, 10, 11]]]);
        let rows = cut.into_iter().next_back().unwrap_or_default();
        assert_eq!(chunk_columns(rows, 2), [vec![&[3, 4][..], &[9, 10]], vec![&[5], &[11]]]);
    }
}
