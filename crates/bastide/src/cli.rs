//! The command line: nouns and verbs, what was said and nothing more.

mod signing;

use std::net::{Ipv6Addr, SocketAddr};
use std::num::NonZero;
use std::path::PathBuf;

use bastide_types::GuardMode;
use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use signing::{Base, Cover, Hash, RequiredVerdict, Sign, Signer, Verify};

/// One wall around everything an organisation does with AI.
#[derive(Debug, Parser)]
#[command(name = "bastide", version, disable_help_subcommand = true)]
#[command(after_help = "Exit codes: 0 fine, 1 what was checked does not hold, 2 usage, 3 could not do it.")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the gateway.
    Serve(Box<Serve>),
    /// Make, list and revoke keys.
    #[command(subcommand)]
    Key(Key),
    /// Make, list and revoke API tokens of users, for programs that use the management API.
    #[command(subcommand)]
    Token(Token),
    /// Add, list and remove providers of models.
    #[command(subcommand)]
    Provider(Provider),
    /// Make and list projects.
    #[command(subcommand)]
    Project(Project),
    /// Add, list, change and remove the people who may sign in to the console.
    #[command(subcommand)]
    User(User),
    /// Read, check and set the policies.
    #[command(subcommand)]
    Policy(Policy),
    /// Read and set what the guard does.
    #[command(subcommand)]
    Guard(Guard),
    /// Read and verify the audit log.
    #[command(subcommand)]
    Audit(Audit),
    /// Look after the data folder.
    #[command(name = "data", subcommand)]
    Folder(Folder),
    /// Find personal data, secrets and attacks in text.
    Inspect(Inspect),
    /// Scan model files for what would act when they are loaded. Exit code 1 when something is malicious, 3 when something
    /// could not be read to the end.
    Scan(Box<Scan>),
    /// Sign a model (OpenSSF Model Signing), after a scan in the same read. What is malicious (exit code 1) or could not be
    /// read to the end (3) is not signed.
    Sign(Box<Sign>),
    /// Verify the signature of a model, every file of it, and what was attested of it. Exit code 0 only when everything holds.
    Verify(Box<Verify>),
    /// Check, explain and reload the settings.
    #[command(subcommand)]
    Config(Config),
    /// Print or set what the running server's own log shows, until it stops.
    LogLevel {
        /// A level (`error`, `warn`, `info`, `debug`, `trace`), or one for a part, such as `info,bastide_gateway=debug`.
        filter: Option<String>,
        #[command(flatten)]
        server: Server,
        #[command(flatten)]
        output: Output,
    },
    /// Look for what is wrong with an installation. Exit code 1 when something is.
    Doctor(Box<Doctor>),
    /// Whether the server on this machine takes requests. Exit code 1 when it does not.
    Healthcheck {
        #[command(flatten)]
        server: Server,
        #[command(flatten)]
        output: Output,
    },
    /// Print what an error code means and what to do about it.
    ExplainError {
        /// The code, such as `guard.blocked`, or the `type` of a problem.
        code: String,
        #[command(flatten)]
        output: Output,
    },
    /// Print what a shell needs to complete commands.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual pages.
    Man {
        /// Folder for all pages; without it, the first one goes to standard output.
        dir: Option<PathBuf>,
    },
    /// Print a reference page.
    #[command(hide = true)]
    Reference {
        /// Which.
        page: crate::reference::Page,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Check a settings file as `serve` would, and start nothing.
    Check {
        /// The file; without it, that of `--config`.
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        #[command(flatten)]
        serve: Box<Serve>,
        #[command(flatten)]
        output: Output,
    },
    /// Print every setting with its value, and where that comes from.
    Explain {
        /// Those in force in the running server, instead of those that one would start with.
        #[arg(long)]
        running: bool,
        #[command(flatten)]
        serve: Box<Serve>,
        #[command(flatten)]
        output: Output,
    },
    /// Print the JSON Schema of the settings file, for editors.
    Schema,
    /// Have the running server read its settings file and certificate again.
    Reload {
        #[command(flatten)]
        server: Server,
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) serve: Serve,
    /// Connect to each provider too.
    #[arg(long)]
    pub(crate) online: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// The data folder of a running server.
#[derive(Clone, Debug, Args)]
pub(crate) struct Server {
    /// Data folder of the server.
    #[arg(long = "data", value_name = "DIR", env = "BASTIDE_DATA", default_value = DEFAULT_DATA)]
    pub(crate) dir: PathBuf,
}

/// The data folder unless told otherwise.
pub(crate) const DEFAULT_DATA: &str = "bastide-data";

/// The data folder.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Data {
    /// Folder that holds keys, records and the log.
    #[arg(long = "data", value_name = "DIR", env = "BASTIDE_DATA", default_value = DEFAULT_DATA)]
    pub(crate) dir: PathBuf,
    /// File with the passphrase that seals the keys in the data folder (or set `BASTIDE_PASSPHRASE`).
    #[arg(long, value_name = "FILE", env = "BASTIDE_PASSPHRASE_FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

/// How results are written.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Output {
    /// Write JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) data: Data,
    /// Settings file (TOML); flags and environment win over it.
    #[arg(long, value_name = "FILE", env = "BASTIDE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Address to listen on [default: 127.0.0.1:8800]
    #[arg(long, value_name = "ADDR", env = "BASTIDE_LISTEN", value_parser = address)]
    pub(crate) listen: Option<SocketAddr>,
    /// Address for the console and the management API alone, which then answer nowhere else.
    #[arg(long, value_name = "ADDR", env = "BASTIDE_ADMIN_LISTEN", value_parser = address)]
    pub(crate) admin_listen: Option<SocketAddr>,
    /// Base URL of one OpenAI-compatible server that answers every model, as an SDK takes it.
    #[arg(long, value_name = "URL", env = "BASTIDE_UPSTREAM")]
    pub(crate) upstream: Option<String>,
    /// Environment variable that holds the credential of `--upstream`.
    #[arg(long, value_name = "NAME", requires = "upstream")]
    pub(crate) upstream_key_env: Option<String>,
    /// Reach `--upstream` over `http://` on another machine too: prompts and answers then cross the network in clear.
    #[arg(long, requires = "upstream")]
    pub(crate) upstream_plain_http: bool,
    /// What the guard does: `off`, `observe` or `enforce` [default: enforce]
    #[arg(long, value_name = "MODE", env = "BASTIDE_GUARD")]
    pub(crate) guard: Option<GuardMode>,
    /// Whether each exchange waits until the log is on disk: `strict` or `relaxed` [default: strict]
    #[arg(long, value_name = "MODE", env = "BASTIDE_AUDIT")]
    pub(crate) audit: Option<AuditMode>,
    /// Host name that requests may carry besides loopback names, without a port; may be given again.
    #[arg(long = "allow-host", value_name = "NAME", value_parser = host)]
    pub(crate) allow_host: Vec<String>,
    /// Certificate chain (PEM) for TLS; needed to listen on anything but loopback.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Private key (PEM) for TLS.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Listen without TLS on an address that is not loopback, because something in front ends TLS.
    #[arg(long)]
    pub(crate) plain_http: bool,
    /// How the server's own log is written (to stderr).
    #[arg(long, value_name = "FORMAT", default_value = "text", env = "BASTIDE_LOG_FORMAT")]
    pub(crate) log_format: LogFormat,
}

/// An address to listen on.
pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        // A port alone, or a name with a port, is what people mean most often.
        let port = text.rsplit(':').next().and_then(|port| port.parse::<u16>().ok()).unwrap_or(8800);
        format!("give an IP address and a port, such as `127.0.0.1:{port}`")
    })
}

/// The name of a host as it stands in a `host` header, without a port: lower case, IPv6 in brackets.
pub(crate) fn host(text: &str) -> Result<String, String> {
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    if let Ok(ip) = bare.unwrap_or(text).parse::<Ipv6Addr>() {
        return Ok(format!("[{ip}]"));
    }
    let label = |l: &str| {
        (1..=63).contains(&l.len()) && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if text.len() <= 253 && text.split('.').all(label) {
        return Ok(text.to_ascii_lowercase());
    }
    let why = if text.is_empty() {
        "it is empty"
    } else if text.contains("://") {
        "it has a scheme"
    } else if text.contains('/') {
        "it has a path"
    } else if text.contains(char::is_whitespace) {
        "it has blanks"
    } else if text.contains(':') {
        "it has a port, and every port is meant"
    } else if text.contains('*') {
        "names are listed one by one"
    } else if !text.is_ascii() {
        "write it in ASCII (`xn--...`)"
    } else {
        "it is no host name"
    };
    Err(format!("{why}; give the name alone, such as `ai.example.org`"))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AuditMode {
    Strict,
    Relaxed,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    #[default]
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Make a key. It is shown once.
    Create(KeyCreate),
    /// List the keys.
    List {
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        output: Output,
    },
    /// Make a successor of a key. The old one works on for a while and then ends by itself.
    Rotate {
        /// The key's id (`key_...`) or name.
        key: String,
        /// How long the old key still works: `0`, or a span such as `1h` or `7d` [default: 24h]
        #[arg(long, value_name = "SPAN")]
        overlap: Option<String>,
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        output: Output,
    },
    /// Revoke a key: in force at once, running streams included.
    Revoke {
        /// The key's id (`key_...`) or name.
        key: String,
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Guard {
    /// Print the mode and the rules in force, or those of a version.
    Show {
        /// Those of this version, where 0 has the built-in rules alone.
        #[arg(long, value_name = "N")]
        version: Option<u64>,
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        output: Output,
    },
    /// Use the rules in a file from now on, and its mode where it has one; or rules and mode of a version of before.
    Set {
        /// The file, in the form of the settings file: `[[guard.rules]]` (`-`: standard input).
        #[arg(required_unless_present = "version")]
        file: Option<PathBuf>,
        /// Those of this version again, where 0 has the built-in rules alone.
        #[arg(long, value_name = "N", conflicts_with = "file")]
        version: Option<u64>,
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        output: Output,
    },
    /// Let the guard act (`enforce`), only record (`observe`) or look for nothing (`off`).
    Mode {
        /// The mode.
        mode: GuardMode,
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        output: Output,
    },
    /// List the versions, the newest first.
    History {
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Debug, Args)]
pub(crate) struct KeyCreate {
    /// What the key is for.
    pub(crate) name: String,
    /// Project the key acts for [default: the first one]
    #[arg(long, value_name = "PROJECT")]
    pub(crate) project: Option<String>,
    /// When it ends: a day (`2027-01-31`, UTC, which it lasts through), an RFC 3339 time, a span such as `30d`, `12h`,
    /// `15m` or `90s`, or `never`.
    #[arg(long, value_name = "WHEN", default_value = bastide_admin::KEY_LASTS)]
    pub(crate) expires: String,
    /// Requests a minute.
    #[arg(long, value_name = "N")]
    pub(crate) requests_per_minute: Option<u64>,
    /// Tokens a minute, in and out.
    #[arg(long, value_name = "N")]
    pub(crate) tokens_per_minute: Option<u64>,
    /// Tokens a day (UTC), in and out.
    #[arg(long, value_name = "N")]
    pub(crate) tokens_per_day: Option<u64>,
    /// Requests at the same time.
    #[arg(long, value_name = "N")]
    pub(crate) concurrency: Option<u32>,
    #[command(flatten)]
    pub(crate) data: Data,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Make an API token in a user's name. It is shown once.
    Create {
        /// The user's name or id.
        user: String,
        /// What the token is for.
        #[arg(long, value_name = "NAME")]
        name: String,
        /// What it may do at most: `administrator`, `operator`, `security`, `auditor` or `viewer`. Never more than its user
        /// may.
        #[arg(long, value_name = "ROLE")]
        role: String,
        /// When it ends: a day (`2027-01-31`, UTC, which it lasts through), an RFC 3339 time or a span such as `30d`; 366
        /// days at most.
        #[arg(long, value_name = "WHEN", default_value = bastide_admin::TOKEN_LASTS)]
        expires: String,
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        output: Output,
    },
    /// List the API tokens that hold.
    List {
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        output: Output,
    },
    /// Revoke an API token: in force at once.
    Revoke {
        /// The token's id.
        token: String,
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Provider {
    /// Add a provider. Known by name: `openai`, `mistral`, `groq`, `openrouter`, `ollama`.
    Add {
        /// Its name; models are then also reached as `NAME/model`.
        name: String,
        /// Base URL, as an SDK takes it; not needed for names that are known.
        #[arg(long, value_name = "URL")]
        base_url: Option<String>,
        /// Environment variable of the server that holds the credential.
        #[arg(long, value_name = "NAME", group = "credential")]
        key_env: Option<String>,
        /// File that holds the credential.
        #[arg(long, value_name = "FILE", group = "credential")]
        key_file: Option<PathBuf>,
        /// Read the credential from standard input and seal it in the data folder.
        #[arg(long, group = "credential")]
        key_stdin: bool,
        /// Reach it over `http://` on another machine too: prompts and answers then cross the network in clear.
        #[arg(long)]
        plain_http: bool,
        /// Only for this project.
        #[arg(long, value_name = "PROJECT")]
        project: Option<String>,
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        output: Output,
    },
    /// List the providers.
    List {
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        output: Output,
    },
    /// Remove a provider.
    Remove {
        /// Its name.
        name: String,
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Project {
    /// Make a project.
    Create {
        /// Its name.
        name: String,
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        output: Output,
    },
    /// List the projects.
    List {
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// List the users.
    List {
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        output: Output,
    },
    /// Add a user. The password is asked for, or read from standard input.
    Create {
        /// What they sign in with.
        name: String,
        /// What they may do: `administrator`, `operator`, `security`, `auditor` or `viewer`. The first user is an
        /// administrator.
        #[arg(long, value_name = "ROLE", default_value = "administrator")]
        role: String,
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        output: Output,
    },
    /// Give a user another role.
    Role {
        /// Their id (`usr_...`) or name.
        user: String,
        /// What they may do from now on: `administrator`, `operator`, `security`, `auditor` or `viewer`.
        role: String,
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        output: Output,
    },
    /// Refuse a user from now on; their sessions and API tokens end.
    Disable {
        /// Their id (`usr_...`) or name.
        user: String,
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        output: Output,
    },
    /// Let a user sign in again.
    Enable {
        /// Their id (`usr_...`) or name.
        user: String,
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        output: Output,
    },
    /// Set a user's password, which is asked for or read from standard input. Their sessions and API tokens end.
    Password {
        /// Their id (`usr_...`) or name.
        user: String,
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        output: Output,
    },
    /// Take a user's authenticator app and recovery codes away: a lost device.
    TotpRemove {
        /// Their id (`usr_...`) or name.
        user: String,
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        output: Output,
    },
    /// Remove a user. The log keeps what they did.
    Remove {
        /// Their id (`usr_...`) or name.
        user: String,
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Print the policies in force, or those of a version.
    Show {
        /// Those of this version, where 0 is the built-in starter policy.
        #[arg(long, value_name = "N")]
        version: Option<u64>,
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        output: Output,
    },
    /// Print the schema that policies are written against.
    Schema {
        #[command(flatten)]
        output: Output,
    },
    /// Check a policy file without using it. Exit code 1 when it does not hold.
    Check {
        /// The file (`-`: standard input).
        file: PathBuf,
        /// Data folder whose projects, providers and keys the policies may name; without it, names are not looked up.
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
        /// File with the passphrase that seals the keys in the data folder (or set `BASTIDE_PASSPHRASE`).
        #[arg(long, value_name = "FILE", env = "BASTIDE_PASSPHRASE_FILE")]
        passphrase_file: Option<PathBuf>,
        #[command(flatten)]
        output: Output,
    },
    /// Use the policies in a file, or those of a version of before, from now on.
    Set {
        /// The file (`-`: standard input).
        #[arg(required_unless_present = "version")]
        file: Option<PathBuf>,
        /// Those of this version again, where 0 is the built-in starter policy.
        #[arg(long, value_name = "N", conflicts_with = "file")]
        version: Option<u64>,
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        output: Output,
    },
    /// List the versions, the newest first.
    History {
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Verify the log, and a receipt against it. Exit code 0 only when everything holds.
    Verify {
        #[command(flatten)]
        data: Data,
        /// A receipt: the value of the `bastide-receipt` header, or a file that holds it.
        #[arg(long, value_name = "RECEIPT")]
        receipt: Option<String>,
        #[command(flatten)]
        output: Output,
    },
    /// Print the newest entries.
    Tail {
        #[command(flatten)]
        data: Data,
        /// How many.
        #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
        lines: u64,
        /// Go on printing as entries arrive.
        #[arg(short, long)]
        follow: bool,
        #[command(flatten)]
        output: Output,
    },
    /// Print what the log has of an exchange, and its kept bodies with every finding masked.
    Show {
        /// Its id (`exc_...`), from the `bastide-exchange` header or `bastide audit tail`.
        exchange: String,
        /// Show the bodies as they are. The log records the look first.
        #[arg(long)]
        reveal: bool,
        /// Why, in a line; the log keeps it with the look.
        #[arg(long, value_name = "TEXT", requires = "reveal")]
        reason: Option<String>,
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        output: Output,
    },
    /// Destroy what makes a key's bodies readable and its digests mean something. The log still holds.
    Erase {
        /// The key's id (`key_...`) or name.
        key: String,
        /// Do it: it cannot be undone.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        output: Output,
    },
    /// Print the key that receipts and checkpoints are verified with.
    Key {
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Folder {
    /// Seal the keys in the data folder under a passphrase, which every start needs from then on. No server may run.
    Seal {
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// Read `{"id","text"}` lines from this file (`-`: standard input) and write `{"id","findings"}` lines.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["text", "list"])]
    pub(crate) jsonl: Option<PathBuf>,
    /// Text to inspect; without it and without `--jsonl`, standard input is one text.
    pub(crate) text: Option<String>,
    /// Leave out findings below this score (0 to 1).
    #[arg(long, value_name = "S", default_value_t = 0.0)]
    pub(crate) min_score: f64,
    /// Print the categories and detectors.
    #[arg(long)]
    pub(crate) list: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// A form in which a scan is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    Human,
    Json,
    Sarif,
    Cyclonedx,
    Junit,
}

#[derive(Debug, Args)]
#[command(override_usage = "bastide scan [OPTIONS] <PATHS>...\n       bastide scan --rules [ID] [--json]")]
#[command(
    after_help = "Exit codes: 0 nothing worse than `review`, 1 something is malicious (with `--strict` also: is to be \
    reviewed), 2 usage, 3 something could not be read to the end (with `--strict` also: nothing was scanned). 1 beats 3."
)]
pub(crate) struct Scan {
    /// Files and folders; `-` is standard input. Content decides what a file is, never its name.
    #[arg(required_unless_present = "rules")]
    pub(crate) paths: Vec<PathBuf>,
    /// Fail also when something is to be reviewed (exit code 1), and when there is nothing to scan (3).
    #[arg(long)]
    pub(crate) strict: bool,
    /// Leave out what has this name at any depth (`*.md`, `tests`) or this path from the working folder (`data/**`); may
    /// be given again. `*` ends at a folder, `**` does not.
    #[arg(long, value_name = "PATTERN", visible_alias = "ignore")]
    pub(crate) exclude: Vec<String>,
    /// What goes to standard output: `human` (unless told otherwise), `json`, `sarif`, `cyclonedx` or `junit`.
    #[arg(long, value_name = "FORM", value_enum, hide_possible_values = true, conflicts_with = "json")]
    pub(crate) format: Option<Form>,
    /// Write that to this file instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Print no report for people, no warnings and no progress: the exit code says it. Other forms are still written.
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// Write SARIF 2.1.0 for code-scanning services to this file too (`-`: standard output).
    #[arg(long, value_name = "FILE")]
    pub(crate) sarif: Option<PathBuf>,
    /// Write a CycloneDX 1.6 bill of materials to this file too (`-`: standard output). Reads every file to its end.
    #[arg(long, value_name = "FILE")]
    pub(crate) cyclonedx: Option<PathBuf>,
    /// Write JUnit XML for build servers to this file too (`-`: standard output).
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Say the SHA-256 of every file. Reads every file to its end.
    #[arg(long)]
    pub(crate) digest: bool,
    /// Match packages of lock files, and libraries that models name, against the advisories in this folder (JSON files in
    /// the OSV schema at any depth, also within `.zip` files). Nothing is asked of a network.
    #[arg(long, value_name = "DIR")]
    pub(crate) osv: Option<PathBuf>,
    /// Days within which a vulnerability must be patched, from its publication.
    #[arg(
        long,
        value_name = "DAYS",
        default_value = "critical=7,high=30,medium=90,low=180",
        requires = "osv"
    )]
    pub(crate) sla: bastide_code::dependencies::Sla,
    /// Accept what this file (TOML) says, each with a reason and a last day.
    #[arg(long, value_name = "FILE")]
    pub(crate) suppressions: Option<PathBuf>,
    /// Accept what was there when this file was written; what is malicious is never accepted by it.
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,
    /// Write what is found to this file, as a baseline for later scans.
    #[arg(long, value_name = "FILE")]
    pub(crate) write_baseline: Option<PathBuf>,
    /// How many files are read at a time; without it, as many as there are cores.
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZero<usize>>,
    /// How deep archives in archives are followed.
    #[arg(long, value_name = "N", default_value_t = bastide_artifact::Limits::default().depth)]
    pub(crate) max_depth: usize,
    /// How many entries of one archive are read.
    #[arg(long, value_name = "N", default_value_t = bastide_artifact::Limits::default().entries)]
    pub(crate) max_entries: u64,
    /// How much one file may decompress to (`500MiB`, `16GiB`).
    #[arg(long, value_name = "BYTES", default_value = EXPANDED, value_parser = bytes)]
    pub(crate) max_expanded: u64,
    /// List what is looked for, or explain one rule: why it matters, and what to do about it. Takes a family (`pickle`) too.
    #[arg(long, value_name = "ID", num_args = 0..=1, conflicts_with_all = ["paths", "format", "output", "quiet"])]
    pub(crate) rules: Option<Option<String>>,
    /// The same as `--format json`.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The default of `--max-expanded`.
const EXPANDED: &str = "16GiB";

/// A number of bytes: `1000000`, `500MiB`, `16GiB`.
fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let power = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => Some(0),
        "k" | "kib" => Some(10),
        "m" | "mib" => Some(20),
        "g" | "gib" => Some(30),
        "t" | "tib" => Some(40),
        _ => None,
    };
    let number = number.parse::<u64>().ok();
    let bytes = number.zip(power).and_then(|(number, power)| number.checked_mul(1 << power));
    bytes.ok_or_else(|| "give a number of bytes, such as `500MiB` or `16GiB`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_without_anything_around_them() {
        for (good, read) in [
            ("ai.example.org", "ai.example.org"),
            ("AI.Example", "ai.example"),
            ("10.0.0.5", "10.0.0.5"),
            ("::1", "[::1]"),
            ("[fd00::A]", "[fd00::a]"),
            ("gate_way-1", "gate_way-1"),
        ] {
            assert_eq!(host(good).as_deref(), Ok(read));
        }
        for (bad, why) in [
            ("", "empty"),
            ("https://ai.example.org", "scheme"),
            ("ai.example.org/v1", "path"),
            ("ai example", "blanks"),
            ("ai.example.org:443", "port"),
            ("*.example.org", "one by one"),
            ("bücher.example", "xn--"),
            ("a..b", "no host name"),
            ("a;b", "no host name"),
        ] {
            let error = host(bad).expect_err(bad);
            assert!(error.contains(why) && error.contains("ai.example.org"), "{bad}: {error}");
        }
    }

    #[test]
    fn sizes_are_typed_with_units() {
        assert_eq!(bytes(EXPANDED), Ok(bastide_artifact::Limits::default().expanded_bytes));
        for (text, read) in [("0", 0), ("17", 17), ("500MiB", 500 << 20), ("2 g", 2 << 30), ("1KIB", 1024)] {
            assert_eq!(bytes(text), Ok(read), "{text}");
        }
        for bad in ["", "GiB", "1.5GiB", "-1", "1GB", "99999999TiB", "1 2"] {
            assert!(bytes(bad).is_err_and(|why| why.contains("`16GiB`")), "{bad}");
        }
    }

    #[test]
    fn an_address_that_is_none_shows_one() {
        for (bad, example) in [
            ("8800", "127.0.0.1:8800"),
            (":9000", "127.0.0.1:9000"),
            ("localhost:9000", "127.0.0.1:9000"),
            ("127.0.0.1", "127.0.0.1:8800"),
            ("", "127.0.0.1:8800"),
        ] {
            let error = address(bad).expect_err(bad);
            assert!(error.contains(&format!("`{example}`")), "{bad}: {error}");
        }
        assert!(address("[::1]:8800").is_ok());
    }
}
