//! What the C library does with memory that was freed. Depends on nothing of this crate.
//!
//! glibc keeps what it once had: an arena for every thread, each as large as it ever was (`mallopt(3)`). Loading a pack and
//! drawing take and free many times what is held in between, so a program draws from one arena, and a kiosk gives back
//! between pictures what is free.

/// Largest block that is kept rather than given back, in bytes: more than any layer takes.
const KEPT_BYTES: usize = 24 << 20;

/// Lets all threads share one arena, where there is glibc. To be called before any thread is started.
pub fn share_one_arena() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: `mallopt` takes two numbers and changes the allocator's own state under its lock.
    if unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) } == 0 {
        log::debug!("the C library does not take M_ARENA_MAX");
    }
}

/// Layers allocate and free again and again. glibc gives large freed blocks back to the system and takes them anew, page
/// fault by page fault, until it has seen a larger one freed (`mallopt(3)`, `M_MMAP_THRESHOLD`). The block here is never
/// touched, so it costs no memory.
pub(super) fn keep_what_is_freed() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(KEPT_BYTES)));
}

/// Gives free pages back to the system, where there is glibc. Takes about a millisecond; pages that are needed again cost a
/// page fault each.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: `malloc_trim` looks only at free blocks, under the allocator's lock.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;
    use crate::bench::Memory;

    /// Private bytes while 64 MiB are held in small blocks, and after they were freed and given back.
    fn held_and_freed() -> [u64; 2] {
        let private = || Memory::now().unwrap().private_bytes;
        // Small enough that none is mapped by itself, with one at the end that keeps the others from the end of the heap.
        let blocks: Vec<Vec<u8>> = (0..8192).map(|_| vec![1; 8 << 10]).collect();
        let pin = std::hint::black_box(vec![1_u8; 64]);
        let full = private();
        drop(std::hint::black_box(blocks));
        give_back();
        let after = private();
        drop(pin);
        [full, after]
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri has no heap of the C library")]
    fn freed_pages_go_back() {
        // Other tests of this process take memory meanwhile.
        let tries: Vec<[u64; 2]> = (0..20).map(|_| held_and_freed()).collect();
        let gave_back = |&[full, after]: &[u64; 2]| after + (32 << 20) < full;
        assert!(tries.iter().any(gave_back), "bytes held and left: {tries:?}");
    }
}
