//! The reports of one scan: which are wanted, and where they go.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bastide_admin::Failure;
use bastide_crypto::{Random as _, SystemRandom};
use bastide_registry::{Scan, render};

use super::{hand_on, human, is_stdout, name};
use crate::cli::{self, Form};

/// The reports that are wanted; at most one of them goes to standard output.
pub(super) struct Reports<'a> {
    wanted: Vec<(Form, &'a Path)>,
    args: &'a cli::Scan,
}

impl<'a> Reports<'a> {
    pub(super) fn of(args: &'a cli::Scan) -> Result<Self, Failure> {
        let beside =
            [(Form::Sarif, &args.sarif), (Form::Junit, &args.junit), (Form::Cyclonedx, &args.cyclonedx)];
        let mut wanted: Vec<(Form, &Path)> =
            beside.into_iter().filter_map(|(form, path)| Some((form, path.as_deref()?))).collect();
        let form = if args.json { Some(Form::Json) } else { args.format };
        // The report for people is what nobody has to ask for, and gives way to one that was.
        let taken = wanted.iter().any(|(_, path)| is_stdout(path));
        let said = form.is_some() || args.output.is_some();
        if said || !taken && !args.quiet {
            let form = form.unwrap_or(Form::Human);
            wanted.push((form, args.output.as_deref().unwrap_or(Path::new("-"))));
        }
        wanted.retain(|(form, path)| !(args.quiet && *form == Form::Human && is_stdout(path)));
        if wanted.iter().filter(|(_, path)| is_stdout(path)).count() > 1 {
            return Err(Failure::usage("only one report can go to standard output: give the others a file"));
        }
        Ok(Reports { wanted, args })
    }

    /// Whether one of them names files by their digests.
    pub(super) fn need_digests(&self) -> bool {
        self.wanted.iter().any(|(form, _)| *form == Form::Cyclonedx)
    }

    pub(super) fn write(&self, scan: &Scan, took: Duration) -> Result<(), Failure> {
        for (form, path) in &self.wanted {
            let report = match form {
                Form::Human if is_stdout(path) => {
                    human::print(scan, took)?;
                    continue;
                }
                Form::Human => human::plain(scan, took),
                Form::Json => {
                    let text = serde_json::to_string(&render::json(scan));
                    text.map_err(|e| Failure::could_not(format!("the report cannot be written: {e}")))? + "\n"
                }
                Form::Sarif => format!("{:#}\n", render::sarif(scan)),
                Form::Junit => render::junit(scan, self.args.strict),
                Form::Cyclonedx => bill(scan, &self.args.paths),
            };
            hand_on(path, report.as_bytes())?;
        }
        Ok(())
    }
}

fn bill(scan: &Scan, paths: &[PathBuf]) -> String {
    let time = jiff::Timestamp::now().to_string();
    format!("{:#}\n", render::cyclonedx(scan, &name(paths), &time, &serial()))
}

/// A random UUID (RFC 9562, version 4).
pub(crate) fn serial() -> String {
    let mut bytes = [0; 16];
    SystemRandom.fill(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = render::hex(&bytes);
    let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or_default().to_owned();
    [part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)].join("-")
}
