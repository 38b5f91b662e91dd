//! The server's own log, to standard error, and the filter that may change while it runs.

use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};

use bastide_admin::{Failure, could_not};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, fmt, reload};

use crate::cli::LogFormat;
use crate::environment;

/// Longest filter, bytes: it is kept in the audit log.
const FILTER_BYTES: usize = 500;

/// What the log shows.
pub(crate) struct LogLevel {
    handle: reload::Handle<EnvFilter, Registry>,
    /// What it began with.
    begun: String,
    /// What somebody set since.
    set: Mutex<Option<String>>,
}

/// Begins the log, with what the environment says it shows.
pub(crate) fn begin(format: LogFormat) -> Result<LogLevel, Failure> {
    let filter = environment::log_filter()?;
    let begun = filter.to_string();
    let (filter, handle) = reload::Layer::new(filter);
    let lines = fmt::layer().with_writer(std::io::stderr).with_target(false);
    let lines = match format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    // A second subscriber cannot be set; the first one then goes on.
    let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
    Ok(LogLevel { handle, begun, set: Mutex::default() })
}

impl LogLevel {
    /// The filter in force.
    pub(crate) fn text(&self) -> String {
        self.given().unwrap_or_else(|| self.begun.clone())
    }

    /// The filter that somebody set while it ran.
    pub(crate) fn given(&self) -> Option<String> {
        self.set.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A filter that somebody asked for.
    pub(crate) fn parse(text: &str) -> Result<EnvFilter, Failure> {
        if text.trim().is_empty() || text.len() > FILTER_BYTES {
            return Err(Failure::usage(format!(
                "a filter has 1 to {FILTER_BYTES} bytes; write a level, such as `debug`"
            )));
        }
        environment::filter(text, text)
    }

    /// Uses another one from now on.
    pub(crate) fn set(&self, filter: EnvFilter) -> Result<(), Failure> {
        let text = filter.to_string();
        self.handle.reload(filter).map_err(could_not)?;
        *self.set.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
        Ok(())
    }
}
