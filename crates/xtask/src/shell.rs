//! Starting programs and waiting for them.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How a command of `cargo xtask` ended, apart from what kept it from running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All well.
    Fine,
    /// It ran and found something wrong.
    Findings,
}

/// What kept a command from running, for a person to read.
pub(crate) type Fallible<T> = Result<T, String>;

/// The cargo that started us, so that the toolchain stays the same.
pub(crate) fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    Command::new(program)
}

/// A command's line as a person would type it.
pub(crate) fn line(command: &Command) -> String {
    let short = |word: &OsStr| {
        let word = word.to_string_lossy();
        match Path::new(&*word).file_name() {
            Some(name) if word.starts_with('/') && name == "cargo" => "cargo".to_owned(),
            _ if word.is_empty() || word.contains(' ') => format!("'{word}'"),
            _ => word.into_owned(),
        }
    };
    std::iter::once(command.get_program()).chain(command.get_args()).map(short).collect::<Vec<_>>().join(" ")
}

/// Runs a command in the foreground, printing its line first. `false` when it failed.
pub(crate) fn run(command: &mut Command) -> Fallible<bool> {
    println!("$ {}", line(command));
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|e| format!("cannot start `{}`: {e}", line(command)))?;
    Ok(status.success())
}

/// Runs a command and returns what it printed.
pub(crate) fn capture(command: &mut Command) -> Fallible<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("cannot start `{}`: {e}", line(command)))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("`{}` ended with {}:\n{}", line(command), output.status, said.trim_end()))
}

/// The first program of this name in `PATH`, or in the folders where servers are kept.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into(), "/opt/homebrew/bin".into()])
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

/// Whether a cargo subcommand is installed.
pub(crate) fn has_cargo_command(name: &str) -> bool {
    cargo()
        .args([name, "--version"])
        .stdin(Stdio::null())
        .output()
        .is_ok_and(|output| output.status.success())
}

/// A server that is asked to end when the value goes, and made to when it does not.
pub(crate) struct Server {
    child: Child,
    name: String,
}

impl Server {
    /// Starts `command`, its output into `log`, and waits until `address` accepts connections.
    pub(crate) fn start(
        name: &str,
        command: &mut Command,
        log: &Path,
        address: SocketAddr,
    ) -> Fallible<Self> {
        let file =
            std::fs::File::create(log).map_err(|e| format!("cannot write `{}`: {e}", log.display()))?;
        let copy = file.try_clone().map_err(|e| format!("cannot write `{}`: {e}", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(copy)
            .spawn()
            .map_err(|e| format!("cannot start {name} (`{}`): {e}", line(command)))?;
        let mut server = Server { child, name: name.to_owned() };
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(20) {
            if TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_ok() {
                return Ok(server);
            }
            if let Ok(Some(status)) = server.child.try_wait() {
                let said = std::fs::read_to_string(log).unwrap_or_default();
                return Err(format!("{name} ended with {status}:\n{}", said.trim_end()));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let said = std::fs::read_to_string(log).unwrap_or_default();
        Err(format!("{name} does not listen on {address} after 20 s:\n{}", said.trim_end()))
    }

    /// Waits until `path` answers 200: a server may listen before it can do its work.
    pub(crate) fn wait_for(&self, address: SocketAddr, path: &str) -> Fallible<()> {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(20) {
            if get(address, path).is_ok_and(|reply| reply.starts_with("HTTP/1.1 200")) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(format!("{} does not answer 200 on `{path}` after 20 s", self.name))
    }

    /// Its process and its children's.
    pub(crate) fn pids(&self) -> Vec<u32> {
        let pid = self.child.id();
        let children =
            std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        std::iter::once(pid).chain(children.split_whitespace().filter_map(|word| word.parse().ok())).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A master process told to end takes its workers along; one that is killed leaves them behind.
        let asked = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let begun = Instant::now();
        while asked.is_ok() && begun.elapsed() < Duration::from_secs(5) {
            if let Ok(Some(_)) = self.child.try_wait() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        eprintln!("{} did not end when asked and is killed", self.name);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A whole response to a GET, head included.
pub(crate) fn get(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(2))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

/// A loopback address that was free a moment ago.
pub(crate) fn free_address() -> Fallible<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map_err(|e| format!("cannot find a free port: {e}"))
}

/// A folder under the target folder that is empty and is left there to be looked at.
pub(crate) fn scratch_folder(target: &Path, name: &str) -> Fallible<PathBuf> {
    let folder = target.join("xtask").join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).map_err(|e| format!("cannot empty `{}`: {e}", folder.display()))?;
    }
    std::fs::create_dir_all(&folder).map_err(|e| format!("cannot make `{}`: {e}", folder.display()))?;
    Ok(folder)
}

/// A duration for a table.
pub(crate) fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
