//! A handle on the real binary.
#![allow(clippy::disallowed_methods, reason = "starting the binary is what this module is for")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How a `bastide` process did not do what a test needs.
#[derive(Debug, thiserror::Error)]
pub enum BastideError {
    /// No binary.
    #[error(
        "no `{name}` binary beside this one: build it (`cargo build --bin {name}`) or name it in `{variable}`"
    )]
    NoBinary {
        /// What was looked for.
        name: String,
        /// The variable that names it.
        variable: String,
    },
    /// The system refused.
    #[error("cannot {what}")]
    System {
        /// The step.
        what: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It ended instead of serving.
    #[error("the server ended with {status} before it was ready:\n{output}")]
    Ended {
        /// How it ended.
        status: ExitStatus,
        /// What it printed.
        output: String,
    },
    /// It did not become ready.
    #[error("the server was not ready after {waited:?}:\n{output}")]
    NotReady {
        /// How long the test waited.
        waited: Duration,
        /// What it printed.
        output: String,
    },
    /// A command failed.
    #[error("`bastide {command}` ended with {status}:\n{output}")]
    Command {
        /// Its arguments.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// What it printed.
        output: String,
    },
}

fn system(what: &'static str) -> impl FnOnce(std::io::Error) -> BastideError {
    move |source| BastideError::System { what, source }
}

/// The path of a binary of this workspace: the variable `BASTIDE_BIN` (`MOCK_UPSTREAM_BIN`, ...), the one Cargo sets
/// for integration tests, or the target folder that the running test lies in.
///
/// # Errors
/// When there is none.
pub fn find_binary(name: &str) -> Result<PathBuf, BastideError> {
    let variable = format!("{}_BIN", name.to_ascii_uppercase().replace('-', "_"));
    let named = [&variable, &format!("CARGO_BIN_EXE_{name}"), &format!("NEXTEST_BIN_EXE_{name}")];
    if let Some(path) = named.into_iter().find_map(std::env::var_os) {
        return Ok(path.into());
    }
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let here = std::env::current_exe().map_err(system("find the running program"))?;
    // Tests lie in `target/PROFILE/deps`, binaries in `target/PROFILE`.
    here.ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(&file))
        .find(|path| path.is_file())
        .ok_or_else(|| BastideError::NoBinary { name: name.to_owned(), variable })
}

/// A key as `bastide key create --json` prints it.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct Key {
    /// Its id.
    pub id: String,
    /// The key itself.
    pub key: String,
}

/// Settings of a server to start.
#[derive(Clone, Debug)]
pub struct BastideBuilder {
    binary: Option<PathBuf>,
    data: PathBuf,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    wait: Duration,
    port: Option<u16>,
}

impl BastideBuilder {
    /// The binary, where it is not found by itself.
    #[must_use]
    pub fn binary(mut self, path: impl Into<PathBuf>) -> Self {
        self.binary = Some(path.into());
        self
    }

    /// `--upstream`.
    #[must_use]
    pub fn upstream(self, url: &str) -> Self {
        self.argument("--upstream").argument(url)
    }

    /// `--guard`.
    #[must_use]
    pub fn guard(self, mode: &str) -> Self {
        self.argument("--guard").argument(mode)
    }

    /// Any further argument of `serve`.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// An environment variable.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The port instead of a free one.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// How long to wait for readiness; 20 s unless told.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Starts the server and waits until it is ready.
    ///
    /// # Errors
    /// When there is no binary, it ends early or is not ready in time; the message has what it printed.
    pub fn start(self) -> Result<BastideProcess, BastideError> {
        let binary = match &self.binary {
            Some(path) => path.clone(),
            None => find_binary("bastide")?,
        };
        let port = match self.port {
            Some(port) => port,
            None => crate::free_port().map_err(system("find a free port"))?,
        };
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let begun = Instant::now();
        let mut child = Command::new(&binary)
            .arg("serve")
            .args(["--listen", &address.to_string(), "--data"])
            .arg(&self.data)
            .args(&self.arguments)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(system("start the bastide binary"))?;
        let output = Arc::new(Mutex::new(String::new()));
        let streams: [Option<Box<dyn Read + Send>>; 2] = [
            child.stdout.take().map(|stream| Box::new(stream) as _),
            child.stderr.take().map(|stream| Box::new(stream) as _),
        ];
        for stream in streams.into_iter().flatten() {
            capture(stream, Arc::clone(&output));
        }
        let mut server =
            BastideProcess { child, binary, data: self.data, address, output, ready_after: Duration::ZERO };
        server.wait_until_ready(self.wait)?;
        server.ready_after = begun.elapsed();
        Ok(server)
    }
}

fn capture(stream: Box<dyn Read + Send>, output: Arc<Mutex<String>>) {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            let mut output = output.lock().unwrap_or_else(PoisonError::into_inner);
            output.push_str(&String::from_utf8_lossy(&line));
            output.push('\n');
        }
    });
}

/// A running server. It is killed when dropped.
#[derive(Debug)]
pub struct BastideProcess {
    child: Child,
    binary: PathBuf,
    data: PathBuf,
    address: SocketAddr,
    output: Arc<Mutex<String>>,
    ready_after: Duration,
}

impl BastideProcess {
    /// Settings of a server on the data folder `data`.
    #[must_use]
    pub fn on(data: &Path) -> BastideBuilder {
        BastideBuilder {
            binary: None,
            data: data.to_owned(),
            arguments: Vec::new(),
            variables: Vec::new(),
            wait: Duration::from_secs(20),
            port: None,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL as an SDK takes it.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its data folder.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// From its start until `/readyz` said yes.
    #[must_use]
    pub fn ready_after(&self) -> Duration {
        self.ready_after
    }

    /// What it has printed so far, both streams.
    #[must_use]
    pub fn output(&self) -> String {
        self.output.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Runs another command of the same binary to its end, whatever its exit status.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run(&self, arguments: &[&str]) -> Result<Output, BastideError> {
        let mut command = Command::new(&self.binary);
        command.args(arguments).stdin(Stdio::null()).output().map_err(system("run the bastide binary"))
    }

    /// Makes a service key.
    ///
    /// # Errors
    /// When the command fails.
    pub fn create_key(&self, name: &str) -> Result<Key, BastideError> {
        let data = self.data.to_string_lossy();
        let arguments = ["key", "create", name, "--data", &data, "--json"];
        let output = self.run(&arguments)?;
        let text = String::from_utf8_lossy(&output.stdout);
        let failed = || BastideError::Command {
            command: arguments.join(" "),
            status: output.status,
            output: format!("{text}{}", String::from_utf8_lossy(&output.stderr)),
        };
        if !output.status.success() {
            return Err(failed());
        }
        serde_json::from_str(&text).map_err(|_| failed())
    }

    /// Ends it as `kill -9` does, and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to end (SIGTERM) and waits until it has, at most `limit`.
    ///
    /// # Errors
    /// When it is still there then.
    pub fn terminate(&mut self, limit: Duration) -> Result<ExitStatus, BastideError> {
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            let sent = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
            sent.map_err(|error| BastideError::System { what: "send SIGTERM", source: error.into() })?;
        }
        let begun = Instant::now();
        while begun.elapsed() < limit {
            if let Some(status) = self.child.try_wait().map_err(system("wait for the server"))? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Err(BastideError::NotReady { waited: limit, output: self.output() })
    }

    fn wait_until_ready(&mut self, limit: Duration) -> Result<(), BastideError> {
        let begun = Instant::now();
        while begun.elapsed() < limit {
            if let Some(status) = self.child.try_wait().map_err(system("wait for the server"))? {
                // Its last words may still be in the pipe.
                std::thread::sleep(Duration::from_millis(50));
                return Err(BastideError::Ended { status, output: self.output() });
            }
            if is_ready(self.address) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Err(BastideError::NotReady { waited: limit, output: self.output() })
    }
}

impl Drop for BastideProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether `/readyz` answers 200.
fn is_ready(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(
            format!("GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").as_bytes(),
        )?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        Ok(status == *b"HTTP/1.1 200")
    };
    ask().unwrap_or(false)
}
