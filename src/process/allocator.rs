//! Settings of the C library's allocator. All of them do nothing where the C library is not glibc.
//!
//! By default glibc keeps an arena per thread, each as large as it ever was (`mallopt(3)`). Loading a pack and drawing allocate
//! many times what is in use at any one time, so a program limits itself to one arena, and a long-running one returns free
//! pages between pictures.

/// Largest block that is kept when freed, in bytes: larger than any layer's activations.
const MMAP_THRESHOLD: usize = 24 << 20;

/// Makes all threads share one arena. Call it before any thread is started.
pub fn limit_malloc_arenas() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: `mallopt` takes two integers and changes the allocator's state under its lock.
    if unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) } == 0 {
        log::debug!("the C library rejects M_ARENA_MAX");
    }
}

/// Keeps freed blocks of up to 24 MiB for reuse. glibc returns large freed blocks to the system and faults them in again page by
/// page, until it has once seen a larger block freed (`mallopt(3)`, `M_MMAP_THRESHOLD`). The block here is never touched, so it
/// costs no memory.
pub fn raise_mmap_threshold() {
    let mut block = Vec::<u8>::new();
    // Without effect where so much address space is not to be had (`ulimit -v`).
    if block.try_reserve_exact(MMAP_THRESHOLD).is_ok() {
        drop(std::hint::black_box(block));
    }
}

/// Returns free pages to the system. Takes about a millisecond, and a page fault for each page that is needed again.
pub fn trim() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: `malloc_trim` looks only at free blocks, under the allocator's lock.
    unsafe {
        libc::malloc_trim(0);
    }
}
