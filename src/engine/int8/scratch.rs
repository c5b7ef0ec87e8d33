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

    /// So many bytes and sums, of any content.
    pub fn panels(&mut self, bytes: usize, sums: usize) -> (&mut [u8], &mut [i32]) {
        (grown(&mut self.packed, bytes), grown(&mut self.sums, sums))
    }

    /// So many 16-bit values and sums, of any content.
    pub fn tiles(&mut self, values: usize, sums: usize) -> (&mut [i16], &mut [i32]) {
        (grown(&mut self.tiles, values), grown(&mut self.sums, sums))
    }
}

fn grown<T: Copy + Default>(room: &mut Vec<T>, length: usize) -> &mut [T] {
    if room.len() < length {
        room.resize(length, T::default());
    }
    &mut room[..length]
}
