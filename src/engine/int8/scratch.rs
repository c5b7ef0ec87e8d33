//! Buffers that each thread reuses.

use std::cell::RefCell;

/// Buffers for packed activations, transformed operands and sums, one set a thread and kept: clearing them for every layer takes
/// as long as a few of its operators. They grow to what the largest layer needs.
#[derive(Default)]
pub struct Scratch {
    packed: Vec<u8>,
    tiles: Vec<i16>,
    sums: Vec<i32>,
}

impl Scratch {
    /// Runs work with this thread's scratch; the work must not come back here.
    pub fn with(work: impl FnOnce(&mut Scratch)) {
        thread_local! {
            static SCRATCH: RefCell<Scratch> = RefCell::default();
        }
        SCRATCH.with_borrow_mut(work);
    }

    /// Bytes of any content, from the start of a cache line on.
    pub fn packed(&mut self, bytes: usize) -> &mut [u8] {
        grown(&mut self.packed, bytes)
    }

    /// 16-bit values and sums, of any content.
    pub fn tiles(&mut self, values: usize, sums: usize) -> (&mut [i16], &mut [i32]) {
        (grown(&mut self.tiles, values), grown(&mut self.sums, sums))
    }
}

fn grown<T: Copy + Default>(buffer: &mut Vec<T>, length: usize) -> &mut [T] {
    if buffer.len() < length + LINE {
        buffer.resize(length + LINE, T::default());
    }
    &mut from_line(buffer)[..length]
}

/// Bytes of a cache line, and the most elements in one: a vector load across two lines costs two loads.
pub const LINE: usize = 64;

/// The part of a slice from the start of a cache line on.
pub fn from_line<T>(buffer: &mut [T]) -> &mut [T] {
    // `align_offset` may refuse, as it does in an interpreter.
    let skipped = buffer.as_ptr().align_offset(LINE);
    &mut buffer[if skipped < LINE { skipped } else { 0 }..]
}
