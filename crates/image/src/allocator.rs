//! What glibc's allocator is told so that peak memory stays low. Other C libraries
//! need no telling, and are told nothing.

/// Before any thread begins: large buffers go back to the system when they are freed,
/// instead of being kept for reuse in each thread's own heap (a quarter less peak
/// memory on an image of 22 layers).
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn keep_little() {
    // As many heaps as there are cores: by default there are eight times as many, and
    // what a thread of one phase has freed is not found by the threads of the next.
    let heaps = std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2));
    // SAFETY: sets two numbers in the allocator.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 256 << 10);
        libc::mallopt(libc::M_ARENA_MAX, heaps.try_into().unwrap_or(libc::c_int::MAX));
    }
}

/// Between two phases: what the threads of the first have freed is of no use to the second.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn return_freed_memory() {
    // SAFETY: only gives free pages back.
    unsafe { libc::malloc_trim(0) };
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn keep_little() {}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn return_freed_memory() {}
