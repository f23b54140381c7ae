//! Memory: what glibc's allocator is told so that peak memory stays low (other C libraries need
//! no telling, and are told nothing); how much may be taken; and how the program ends where
//! there is none left.

use std::alloc::{GlobalAlloc, Layout, System};

/// The system's allocator, which ends the program with code 3, "could not finish", where there is
/// no memory: by itself Rust aborts.
pub struct Ending;

// SAFETY: all of it is the system's allocator, but that it never returns null.
unsafe impl GlobalAlloc for Ending {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        given(unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        given(unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as the caller promises.
        given(unsafe { System.realloc(memory, layout, size) })
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(memory, layout) }
    }
}

fn given(memory: *mut u8) -> *mut u8 {
    if memory.is_null() {
        end();
    }
    memory
}

/// Neither takes memory nor runs anything of ours.
#[cold]
fn end() -> ! {
    const MESSAGE: &[u8] =
        b"error: not enough memory (`--max-memory` sets how much may be taken)\n";
    // SAFETY: writes bytes that are there, and ends the process.
    unsafe {
        libc::write(2, MESSAGE.as_ptr().cast(), MESSAGE.len());
        libc::_exit(3)
    }
}

/// Takes no more memory than so many bytes, by default a part of what the machine or the cgroup has.
/// A limit that is lower already stays.
#[cfg(target_os = "linux")]
pub fn limit(bytes: Option<u64>) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Some(bytes) = bytes.or_else(usual) else { return };
    let now = getrlimit(Resource::Data);
    let current = now.current.map_or(bytes, |now| now.min(bytes));
    // Where the kernel refuses, there is no limit, as before.
    let _ = setrlimit(Resource::Data, Rlimit { current: Some(current), ..now });
}

#[cfg(not(target_os = "linux"))]
pub fn limit(_: Option<u64>) {}

/// What is left is for what is not counted: the program itself, buffers of the kernel.
#[cfg(target_os = "linux")]
fn usual() -> Option<u64> {
    let machine = total_of(&std::fs::read_to_string("/proc/meminfo").ok()?)?;
    let cgroup = cgroup_limit().map(|bytes| bytes / 10 * 9);
    Some(cgroup.unwrap_or(u64::MAX).min(machine / 10 * 8))
}

#[cfg(target_os = "linux")]
fn total_of(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The lowest of the cgroup and those above it, of both versions.
#[cfg(target_os = "linux")]
fn cgroup_limit() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let mut lowest = None::<u64>;
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next(), parts.next()?, parts.next()?);
        let (root, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            _ if controllers.split(',').any(|one| one == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        for directory in std::path::Path::new(path.trim_start_matches('/')).ancestors() {
            let place = std::path::Path::new(root).join(directory).join(file);
            let limit =
                std::fs::read_to_string(place).ok().and_then(|text| text.trim().parse().ok());
            lowest = lowest.into_iter().chain(limit).min();
        }
    }
    lowest
}

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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_machines_memory_is_read_in_kilobytes() {
        assert_eq!(total_of("MemTotal:        8024 kB\nMemFree: 1 kB\n"), Some(8024 * 1024));
        assert_eq!(total_of("MemFree: 1 kB\n"), None);
    }
}
