//! The bar of work that reads much, on standard error, where a person watches.

use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::time::{Duration, Instant};

use bastide_registry::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

pub(crate) struct Bar {
    bar: ProgressBar,
    begun: Instant,
    /// Whether it may appear.
    wanted: bool,
}

/// Work that is done by then shows no bar.
const PATIENCE: Duration = Duration::from_millis(400);

impl Bar {
    pub(crate) fn new() -> Self {
        Bar::wanted(true)
    }

    /// One that appears only if it is wanted.
    pub(crate) fn wanted(wanted: bool) -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::hidden());
        let style =
            "{bar:30} {binary_bytes}/{binary_total_bytes}  {binary_bytes_per_sec}  {eta} left  {wide_msg}";
        bar.set_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()));
        Bar { bar, begun: Instant::now(), wanted }
    }

    /// Takes the bar away; how long it all took.
    pub(crate) fn done(&self) -> Duration {
        self.bar.finish_and_clear();
        self.begun.elapsed()
    }

    fn appear(&self) {
        if self.wanted
            && self.bar.is_hidden()
            && self.begun.elapsed() > PATIENCE
            && io::stderr().is_terminal()
        {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }
}

impl Progress for Bar {
    fn planned(&self, _files: u64, bytes: u64) {
        // One run may read files twice, such as for a scan and for shards.
        self.bar.inc_length(bytes);
    }

    fn read(&self, bytes: u64) {
        self.appear();
        self.bar.inc(bytes);
    }

    fn finished(&self, path: &Path) {
        self.appear();
        self.bar.set_message(crate::show::printable(&path.display().to_string()));
    }
}
