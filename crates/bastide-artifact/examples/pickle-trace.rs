//! Shows what the symbolic pickle machine sees in each file named on the command line; with `--scan`, what the scan
//! says of it and how long it took.

#![expect(clippy::print_stdout, reason = "an example for people and for the differential test")]

use std::time::Instant;

use bastide_artifact::{Limits, pickle_trace, scan};

fn main() -> std::io::Result<()> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let scanning = arguments.first().is_some_and(|first| first == "--scan");
    if scanning {
        arguments.remove(0);
    }
    for path in arguments {
        let bytes = std::fs::read(&path)?;
        if !scanning {
            println!("# {path}");
            pickle_trace(&bytes).iter().for_each(|line| println!("{line}"));
            continue;
        }
        let name = path.rsplit('/').next().unwrap_or(&path);
        let begin = Instant::now();
        let report = scan(&bytes, name, &Limits::default());
        let took = begin.elapsed();
        println!("{path}: {} {} ({} bytes in {took:?})", report.format, report.assessment(), bytes.len());
        for finding in report.findings {
            println!("  {} {:?} {}", finding.rule.id, finding.offset, finding.message);
            if let Some(call) = finding.call {
                println!("    {call}");
            }
        }
    }
    Ok(())
}
