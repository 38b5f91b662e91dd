//! What the kernel says a process cost: CPU time from `/proc/PID/stat`, memory from `/proc/PID/status` (proc(5)).

use std::io;
use std::time::Duration;

/// Ticks per second of the times in `/proc/PID/stat`. Linux has shown 100 to user space on every architecture it
/// still runs on, whatever its internal tick.
const TICKS_PER_SECOND: u64 = 100;

/// Memory of a process, in KiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Memory {
    /// Resident now (`VmRSS`).
    pub resident_kib: u64,
    /// The most that was ever resident (`VmHWM`).
    pub peak_kib: u64,
}

/// User and system time of `pid` so far, all its threads included, ended ones too.
///
/// # Errors
/// When the process is gone, or the system has no `/proc`.
pub fn cpu_time(pid: u32) -> io::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    parse_stat(&stat).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "unreadable `/proc/PID/stat`"))
}

fn parse_stat(stat: &str) -> Option<Duration> {
    // The second field is the program's name in parentheses and may itself hold blanks and parentheses.
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis(user.checked_add(system)?.checked_mul(1000 / TICKS_PER_SECOND)?))
}

/// Memory of `pid`.
///
/// # Errors
/// When the process is gone, or the system has no `/proc`.
pub fn memory(pid: u32) -> io::Result<Memory> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    Ok(parse_status(&status))
}

fn parse_status(status: &str) -> Memory {
    let field = |name: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .and_then(|rest| rest.split_ascii_whitespace().next()?.parse().ok())
            .unwrap_or(0)
    };
    Memory { resident_kib: field("VmRSS:"), peak_kib: field("VmHWM:") }
}

/// Ties the calling thread, and every thread it starts later, to one CPU.
///
/// # Errors
/// When there is no such CPU, or the system has no such call.
pub fn pin_to_cpu(cpu: usize) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        if cpu >= rustix::thread::CpuSet::MAX_CPU {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("no CPU `{cpu}`")));
        }
        let mut set = rustix::thread::CpuSet::new();
        set.set(cpu);
        Ok(rustix::thread::sched_setaffinity(None, &set)?)
    }
    #[cfg(not(target_os = "linux"))]
    Err(io::Error::new(io::ErrorKind::Unsupported, format!("cannot pin to CPU `{cpu}` on this system")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_may_hold_anything() {
        let stat = "42 (a) b (c)) S 1 42 42 0 -1 4194560 99 0 0 0 150 25 7 7 20 0 4 0 100 0 0";
        assert_eq!(parse_stat(stat), Some(Duration::from_millis(1750)));
        assert_eq!(parse_stat("42"), None);
    }

    #[test]
    fn memory_is_read_by_name() {
        let status = "Name:\tx\nVmHWM:\t  5120 kB\nVmRSS:\t  4096 kB\n";
        assert_eq!(parse_status(status), Memory { resident_kib: 4096, peak_kib: 5120 });
    }

    #[test]
    fn this_process_uses_time_and_memory() {
        let pid = std::process::id();
        if !std::path::Path::new("/proc/self/stat").exists() {
            eprintln!("no /proc here: nothing measured");
            return;
        }
        let before = cpu_time(pid).unwrap();
        let end = std::time::Instant::now() + Duration::from_millis(60);
        while std::time::Instant::now() < end {
            std::hint::spin_loop();
        }
        assert!(cpu_time(pid).unwrap() > before);
        let memory = memory(pid).unwrap();
        assert!(memory.resident_kib > 100 && memory.peak_kib >= memory.resident_kib);
    }
}
