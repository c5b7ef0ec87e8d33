//! How work is cut for threads: into shares large enough that waking a thread for one pays. Owns the sizes; depends on
//! the thread pool that the caller runs in.
//!
//! To wake a thread takes 10 to 50 µs, the time of some ten thousand normalised values on a small core. What is less
//! than that is done by the thread that has it.

/// Floats of a share of an element-wise loop.
pub const VALUES: usize = 1 << 13;
/// Products of a share of a matrix product.
const PRODUCTS: usize = 1 << 18;

/// Items of a share, for items of so many floats each.
pub fn items(values: usize) -> usize {
    VALUES.div_ceil(values.max(1))
}

/// Shares of so many products: no more than this pool has threads.
pub fn threads(products: usize) -> usize {
    (products / PRODUCTS).clamp(1, rayon::current_num_threads())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_work_is_not_shared() {
        assert_eq!(items(VALUES), 1);
        assert_eq!(items(0), VALUES);
        assert_eq!(items(VALUES / 4 + 1), 4);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        assert_eq!(
            pool.install(|| [0, PRODUCTS, 2 * PRODUCTS, 100 * PRODUCTS].map(threads)),
            [1, 1, 2, 3]
        );
    }
}
