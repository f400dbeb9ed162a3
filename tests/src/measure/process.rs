//! A view of this process and its machine from outside: time, memory, instructions.

use std::process::Command;
use std::time::{Duration, SystemTime};
use std::{env, fs, thread};

use rustix::time::{ClockId, clock_gettime};

/// Returns the CPU time that all threads of this process have taken.
pub fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).expect("time taken isn't negative");
    let nanoseconds = u32::try_from(time.tv_nsec).expect("it is below a second");
    Duration::new(seconds, nanoseconds)
}

/// Returns the bytes of memory that this process occupies, as Linux tells it.
pub fn resident_bytes() -> f64 {
    status_bytes("VmRSS:")
}

/// Returns the most bytes of memory that this process has occupied so far.
pub fn peak_bytes() -> f64 {
    status_bytes("VmHWM:")
}

fn status_bytes(name: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kibibytes: f64 = kibibytes
        .and_then(|number| number.parse().ok())
        .expect("a number of kB");
    kibibytes * 1024.0
}

/// Starts this program again with other arguments, and returns its output. This is for measurements
/// that one run would spoil for the next.
///
/// # Panics
///
/// If the program fails; the message has its error output.
pub fn in_own_process(arguments: &[&str]) -> String {
    let program = env::current_exe().expect("a program knows where it is");
    let output = Command::new(program).args(arguments).output();
    let output = output.expect("a program can start itself");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8_lossy(&output.stdout).trim().to_string()
}

/// Starts this program again under callgrind, and returns the number of instructions that it took,
/// or `None` if there is no valgrind.
///
/// # Panics
///
/// If the program fails; the message has its error output.
pub fn instructions(arguments: &[&str]) -> Option<f64> {
    let program = env::current_exe().expect("a program knows where it is");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args(arguments)
        .output();
    let output = output.ok()?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    let count = said.lines().find_map(|line| line.split_once("Collected :"));
    let count = count.and_then(|(_, count)| count.trim().parse().ok());
    Some(count.unwrap_or_else(|| panic!("callgrind tells no count: {said}")))
}

/// Describes the machine, the compiler and the time, in one line.
pub(super) fn describe() -> String {
    let cores = thread::available_parallelism().map_or(0, |cores| cores.get());
    let information = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = information
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = line.map_or("an unknown processor", |line| {
        line.trim_start_matches([' ', '\t', ':'])
    });
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    let compiler = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_string());
    let compiler = Command::new(compiler).arg("--version").output();
    let compiler = compiler.map_or("rustc".to_string(), |output| {
        String::from_utf8_lossy(&output.stdout).trim().to_string()
    });
    let now = humantime::format_rfc3339_seconds(SystemTime::now());
    format!("{cores} cores of {model}, load {load} at the start, {compiler}, {now}")
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn work_takes_cpu_time() {
        let (before, begin) = (cpu_time(), Instant::now());
        while begin.elapsed() < Duration::from_millis(50) {
            std::hint::black_box(0);
        }
        assert!(cpu_time() > before + Duration::from_millis(1));
    }

    #[test]
    fn memory_that_is_written_is_resident() {
        let before = resident_bytes();
        let size = 64 << 20;
        let written = std::hint::black_box(vec![1_u8; size]);
        assert!(resident_bytes() > before + size as f64 * 0.9);
        drop(written);
    }

    #[test]
    fn the_description_is_one_line() {
        let text = describe();
        assert!(text.contains("rustc 1."), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}
