//! Room that a thread works in.

use std::cell::RefCell;

/// Room for packed activations, transformed operands and sums, one a thread and kept: clearing it anew for every layer
/// takes as long as a few of its operators. It grows to what the largest layer needs.
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

    /// So many bytes of any content, from the start of a cache line on.
    pub fn packed(&mut self, bytes: usize) -> &mut [u8] {
        grown(&mut self.packed, bytes)
    }

    /// So many 16-bit values and sums, of any content.
    pub fn tiles(&mut self, values: usize, sums: usize) -> (&mut [i16], &mut [i32]) {
        (grown(&mut self.tiles, values), grown(&mut self.sums, sums))
    }
}

fn grown<T: Copy + Default>(room: &mut Vec<T>, length: usize) -> &mut [T] {
    if room.len() < length + LINE {
        room.resize(length + LINE, T::default());
    }
    &mut from_line(room)[..length]
}

/// Bytes of a cache line, so many elements at the most: loads of whole vectors that cross one cost two.
pub const LINE: usize = 64;

/// What of a slice lies from the start of a cache line on.
pub fn from_line<T>(room: &mut [T]) -> &mut [T] {
    // `align_offset` may refuse, as it does in an interpreter.
    let skipped = room.as_ptr().align_offset(LINE);
    &mut room[if skipped < LINE { skipped } else { 0 }..]
}
