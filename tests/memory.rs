//! What `inkstone::process` says of this process's memory, measured where nothing else allocates.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use std::hint::black_box;
use std::sync::{Mutex, MutexGuard, PoisonError};

use inkstone::process::{Memory, PeakMemory, allocator};

/// One test at a time: all of them measure the whole process.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn touched_pages_count() {
    let _alone = alone();
    let mut peak = PeakMemory::default();
    peak.sample();
    let before = peak.peak().private_bytes;
    // Mapped, because the allocator may still hold pages of an earlier block.
    let mut block = memmap2::MmapMut::map_anon(32 << 20).unwrap();
    block.fill(1);
    peak.sample();
    drop(block);
    let (held, now) = (peak.peak().private_bytes, Memory::now().unwrap().private_bytes);
    assert!(
        held - before >= 30 << 20,
        "bytes before and while 32 MiB are held: {before}, {held}"
    );
    assert!(now + (30 << 20) < held, "the peak stays: {held}, now {now}");
}

#[test]
fn trimming_returns_free_pages() {
    let _alone = alone();
    let private = || Memory::now().unwrap().private_bytes;
    // 64 MiB in blocks too small to be mapped individually; the last one keeps the others from being at the end of the heap.
    let blocks: Vec<Vec<u8>> = (0..8192).map(|_| vec![1; 8 << 10]).collect();
    let pin = black_box(vec![1_u8; 64]);
    let held = private();
    drop(black_box(blocks));
    let freed = private();
    allocator::trim();
    let trimmed = private();
    drop(pin);
    assert!(
        freed + (32 << 20) > held,
        "freed blocks are kept: {held} bytes held, {freed} after they were freed"
    );
    assert!(
        trimmed + (32 << 20) < held,
        "free pages are returned: {held} bytes held, {trimmed} after trimming"
    );
}
