//! What is measured: the mock alone, the proxies that set the yardstick, bastide.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Bed;
use super::cell::Mode;
use crate::shell::{Fallible, Server, capture, find_program, free_address, get, line};

/// A kind of subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// The load straight on the mock: what the rig itself costs.
    Direct,
    /// The yardstick.
    Nginx,
    /// Another yardstick.
    Haproxy,
    /// Bastide without guard, the log not waited for.
    BastideOff,
    /// Bastide with everything on.
    BastideOn,
}

impl Kind {
    pub(crate) const ALL: [Kind; 5] =
        [Kind::Direct, Kind::Nginx, Kind::Haproxy, Kind::BastideOff, Kind::BastideOn];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Direct => "direct",
            Kind::Nginx => "nginx",
            Kind::Haproxy => "haproxy",
            Kind::BastideOff => "bastide-off",
            Kind::BastideOn => "bastide-on",
        }
    }
}

/// A subject that runs.
pub(crate) struct Subject {
    kind: Kind,
    json: SocketAddr,
    stream: SocketAddr,
    key: Option<String>,
    /// Dropped, and so ended, before the mock.
    server: Option<Server>,
    mock: Server,
}

impl Subject {
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    pub(crate) fn url(&self, mode: Mode) -> String {
        let address = match mode {
            Mode::Json => self.json,
            Mode::Stream => self.stream,
        };
        format!("http://{address}/v1")
    }

    pub(crate) fn pids(&self) -> Vec<u32> {
        self.server.as_ref().unwrap_or(&self.mock).pids()
    }

    /// What bastide says it spent where, from `/metrics`.
    pub(crate) fn stages(&self) -> Option<Stages> {
        let text = get(self.json, "/metrics").ok()?;
        Stages::read(&text)
    }
}

fn pinned(bed: &Bed, program: &Path, cpu: u32) -> Command {
    match &bed.taskset {
        Some(taskset) => {
            let mut command = Command::new(taskset);
            command.args(["--cpu-list", &cpu.to_string()]).arg(program);
            command
        }
        None => Command::new(program),
    }
}

/// Starts a mock, and a subject of this kind in front of it.
pub(crate) fn start(kind: Kind, bed: &Bed) -> Fallible<Subject> {
    let upstream = free_address()?;
    let mut mock = pinned(bed, &bed.binaries.join("mock-upstream"), 1);
    mock.args(["--listen", &upstream.to_string(), "--burst", &bed.burst.to_string()]);
    let mock = Server::start("the mock upstream", &mut mock, &bed.scratch.join("mock.log"), upstream)?;
    let (json, stream) = (free_address()?, free_address()?);
    let log = bed.scratch.join(format!("{}.log", kind.name()));
    let subject = |json, stream, key, server| Subject { kind, json, stream, key, server, mock };
    match kind {
        Kind::Direct => Ok(subject(upstream, upstream, None, None)),
        Kind::Nginx => {
            let config = bed.scratch.join("nginx.conf");
            write(&config, &nginx(&bed.scratch, upstream, json, stream))?;
            let mut command = pinned(bed, &program("nginx")?, 0);
            command.arg("-c").arg(&config).arg("-p").arg(&bed.scratch);
            let server = Server::start("nginx", &mut command, &log, json)?;
            // The master listens before its worker is there, and it is the worker that spends.
            let begun = Instant::now();
            while server.pids().len() < 2 && begun.elapsed() < Duration::from_secs(5) {
                sleep(Duration::from_millis(10));
            }
            Ok(subject(json, stream, None, Some(server)))
        }
        Kind::Haproxy => {
            let config = bed.scratch.join("haproxy.cfg");
            write(&config, &haproxy(upstream, json))?;
            let mut command = pinned(bed, &program("haproxy")?, 0);
            command.arg("-db").arg("-f").arg(&config);
            let server = Server::start("haproxy", &mut command, &log, json)?;
            Ok(subject(json, json, None, Some(server)))
        }
        Kind::BastideOff | Kind::BastideOn => {
            let binary = bed.binaries.join("bastide");
            let data = bed.data.join(free_name(&bed.data, kind.name()));
            let mut command = pinned(bed, &binary, 0);
            command.args(["serve", "--listen", &json.to_string(), "--data"]).arg(&data);
            command.args(["--upstream", &format!("http://{upstream}/v1")]);
            match kind {
                Kind::BastideOff => command.args(["--guard", "off", "--audit", "relaxed"]),
                _ => command.args(["--guard", "enforce", "--audit", "strict"]),
            };
            let server = Server::start("bastide", &mut command, &log, json)?;
            server.wait_for(json, "/readyz")?;
            let mut create = Command::new(&binary);
            // Limits are on, as they would be, but out of reach.
            create.args(["key", "create", "bench", "--json", "--requests-per-minute", "1000000000"]);
            create.args(["--tokens-per-minute", "1000000000000", "--tokens-per-day", "1000000000000"]);
            create.args(["--concurrency", "100000"]).arg("--data").arg(&data);
            let created: Value = serde_json::from_str(&capture(&mut create)?)
                .map_err(|e| format!("`{}` printed no JSON: {e}", line(&create)))?;
            let key = created["key"].as_str().map(str::to_owned);
            if key.is_none() {
                return Err(format!("`{}` printed no key", line(&create)));
            }
            Ok(subject(json, json, key, Some(server)))
        }
    }
}

/// A folder that nobody has used: removing an old one just before would slow down the file system under test.
fn free_name(folder: &Path, name: &str) -> String {
    (0..).map(|n| format!("{name}-{n}")).find(|name| !folder.join(name).exists()).unwrap_or_default()
}

fn program(name: &str) -> Fallible<std::path::PathBuf> {
    find_program(name).ok_or_else(|| format!("{name} is not installed"))
}

fn write(path: &Path, text: &str) -> Fallible<()> {
    std::fs::write(path, text).map_err(|e| format!("cannot write `{}`: {e}", path.display()))
}

/// One worker, connections kept alive on both sides, no access log; streams unbuffered, so that an event is not held
/// back, on a port of their own.
fn nginx(scratch: &Path, upstream: SocketAddr, json: SocketAddr, stream: SocketAddr) -> String {
    let folder = scratch.display();
    let server = |address: SocketAddr, buffering: &str| {
        format!(
            "  server {{\n    listen {address};\n    location / {{\n      proxy_pass http://mock;\n      \
             proxy_http_version 1.1;\n      proxy_set_header Connection \"\";\n      \
             proxy_buffering {buffering};\n    }}\n  }}\n"
        )
    };
    format!(
        "daemon off;\nworker_processes 1;\npid {folder}/nginx.pid;\nerror_log {folder}/nginx-error.log crit;\n\
         events {{ worker_connections 4096; }}\n\
         http {{\n  access_log off;\n  tcp_nodelay on;\n  keepalive_timeout 300s;\n  \
         keepalive_requests 1000000000;\n  client_body_temp_path {folder}/nginx-body;\n  \
         proxy_temp_path {folder}/nginx-proxy;\n  fastcgi_temp_path {folder}/nginx-fastcgi;\n  \
         uwsgi_temp_path {folder}/nginx-uwsgi;\n  scgi_temp_path {folder}/nginx-scgi;\n  \
         upstream mock {{ server {upstream}; keepalive 256; keepalive_requests 1000000000; }}\n{}{}}}\n",
        server(json, "on"),
        server(stream, "off"),
    )
}

fn haproxy(upstream: SocketAddr, listen: SocketAddr) -> String {
    format!(
        "global\n  nbthread 1\n  maxconn 4096\ndefaults\n  mode http\n  option http-no-delay\n  \
         http-reuse always\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n\
         frontend in\n  bind {listen}\n  default_backend mock\nbackend mock\n  server mock {upstream}\n"
    )
}

/// Mean time in each stage of an exchange, as the server under test counts it, and the most text that its streams held.
pub(crate) struct Stages {
    stages: Vec<(String, f64, f64)>,
    /// So many streams held so many bytes at most.
    held: Vec<(f64, f64)>,
}

/// The histogram of what a request waits for the log.
const COMMIT: &str = "bastide_audit_commit_duration_seconds";

impl Stages {
    /// Every histogram of seconds in the text format: its name, its mean in microseconds, its count.
    fn read(metrics: &str) -> Option<Self> {
        let value = |name: &str, suffix: &str| {
            let wanted = format!("{name}_{suffix} ");
            metrics
                .lines()
                .find_map(|line| line.strip_prefix(&wanted)?.split(' ').next()?.parse::<f64>().ok())
        };
        let mut stages = Vec::new();
        for line in metrics.lines() {
            let Some(name) = line.strip_prefix("# TYPE ").and_then(|rest| rest.strip_suffix(" histogram"))
            else {
                continue;
            };
            if !name.ends_with("_seconds") {
                continue;
            }
            if let (Some(sum), Some(count)) = (value(name, "sum"), value(name, "count"))
                && count > 0.0
            {
                stages.push((name.to_owned(), sum / count * 1e6, count));
            }
        }
        let bucket = |line: &str| {
            let (bound, rest) =
                line.strip_prefix("bastide_stream_held_bytes_bucket{le=\"")?.split_once("\"} ")?;
            let count = rest.split(' ').next()?.parse().ok()?;
            Some((bound.parse().unwrap_or(f64::INFINITY), count))
        };
        let held = metrics.lines().filter_map(bucket).collect();
        (!stages.is_empty()).then_some(Stages { stages, held })
    }

    /// The mean wait for the log between `before` and now, in microseconds.
    pub(crate) fn commit_since(&self, before: Option<&Stages>) -> Option<f64> {
        let total = |of: &Stages| {
            let (_, mean, count) = of.stages.iter().find(|(name, ..)| name == COMMIT)?;
            Some((mean * count, *count))
        };
        let (sum, count) = total(self)?;
        let (sum_before, count_before) = before.and_then(total).unwrap_or_default();
        (count > count_before).then(|| (sum - sum_before) / (count - count_before))
    }

    /// No more than this was held by this share of the streams.
    fn held_at(&self, share: f64) -> Option<f64> {
        let (_, all) = self.held.last()?;
        self.held.iter().find(|(_, count)| *count >= share * all).map(|(bound, _)| *bound)
    }

    pub(crate) fn to_json(&self) -> Value {
        self.stages
            .iter()
            .map(|(name, mean, count)| json!({"name": name, "mean_us": mean, "count": count}))
            .collect()
    }
}

impl fmt::Display for Stages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "what bastide-on says it spent, mean over all its runs above (wall time, so waits count):"
        )?;
        for (name, mean, count) in &self.stages {
            write!(f, "\n  {name:<44} {mean:>9.1} us   {count:>9.0} times")?;
        }
        let bytes = |share| self.held_at(share).map_or("-".to_owned(), |n| format!("{n:.0}"));
        write!(
            f,
            "\nmost text that a stream held back at one time: at most {} bytes in half of the streams, {} in 99 %, {} in \
             all",
            bytes(0.5),
            bytes(0.99),
            bytes(1.0)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_means_of_histograms() {
        let text = "# HELP a x\n# TYPE a_seconds histogram\na_seconds_sum 0.5\na_seconds_count 1000\n\
                    # TYPE b_bytes histogram\nb_bytes_sum 1\nb_bytes_count 1\n# TYPE c counter\nc_total 3\n";
        let stages = Stages::read(text).unwrap();
        assert_eq!(stages.stages.len(), 1);
        assert!((stages.stages[0].1 - 500.0).abs() < 1e-6);
        assert!(Stages::read("").is_none());
        let commits = |sum: f64, count: u32| {
            let text = format!("# TYPE {COMMIT} histogram\n{COMMIT}_sum {sum}\n{COMMIT}_count {count}\n");
            Stages::read(&text).unwrap()
        };
        let since = commits(0.003, 20).commit_since(Some(&commits(0.001, 10))).unwrap();
        assert!((since - 200.0).abs() < 1e-6, "{since}");
        let held = "# TYPE a_seconds histogram\na_seconds_sum 1\na_seconds_count 1\n\
                    bastide_stream_held_bytes_bucket{le=\"8.0\"} 6\n\
                    bastide_stream_held_bytes_bucket{le=\"16.0\"} 10\n\
                    bastide_stream_held_bytes_bucket{le=\"+Inf\"} 10\n";
        let held = Stages::read(held).unwrap();
        assert_eq!((held.held_at(0.5), held.held_at(0.99)), (Some(8.0), Some(16.0)));
    }

    #[test]
    fn braces_of_the_configuration_balance() {
        let any = SocketAddr::from(([127, 0, 0, 1], 1));
        let text = nginx(Path::new("/x"), any, any, any);
        assert_eq!(text.matches('{').count(), text.matches('}').count());
    }
}
