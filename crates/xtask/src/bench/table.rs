//! The figures, each beside its ratio to nginx in the same run.

use super::cell::{Cell, Mode};
use super::memory::mib;
use super::subject::Kind;

/// Prints a table for each kind of reply.
pub(crate) fn print(cells: &[Cell]) {
    for mode in [Mode::Json, Mode::Stream] {
        let rows: Vec<&Cell> = cells.iter().filter(|cell| cell.mode == mode).collect();
        if rows.is_empty() {
            continue;
        }
        let what = match mode {
            Mode::Json => "JSON, 1 kB each way",
            Mode::Stream => "SSE, 100 events of 200 bytes",
        };
        println!("\n{what} (xN: ratio to nginx at the same number of connections; +N: added to nginx)");
        println!(
            "{:<12} {:>4} {:>10} {:>7} {:>9} {:>8} {:>9} {:>8} {:>9} {:>7} {:>10} {:>9} {:>12}",
            "subject",
            "conn",
            "req/s",
            "",
            "cpu us",
            "",
            "p50 us",
            "",
            "p99 us",
            "",
            "first us",
            "",
            "MiB now/max"
        );
        for cell in &rows {
            let same = |kind: Kind| {
                rows.iter().find(|other| other.kind == kind && other.connections == cell.connections)
            };
            println!("{}", row(cell, same(Kind::Nginx).copied()));
            if cell.failed > 0 {
                println!(
                    "{:<12} {:>4} {} FAILED of {}: {}",
                    "", "", cell.failed, cell.requests, cell.failures
                );
            }
        }
        for cell in rows.iter().filter(|cell| cell.mode == Mode::Stream) {
            let nginx = rows.iter().find(|o| o.kind == Kind::Nginx && o.connections == cell.connections);
            if let (Some(commit), Some(nginx)) = (cell.commit_us, nginx) {
                let added = cell.first_p50_us - nginx.first_p50_us;
                println!(
                    "first chunk of {} at {} connections: {added:+.0} us, of which {commit:.0} us wait for the log: \
                     {:+.0} us on top of it",
                    cell.kind.name(),
                    cell.connections,
                    added - commit
                );
            }
        }
    }
}

fn row(cell: &Cell, nginx: Option<&Cell>) -> String {
    let other = nginx.filter(|nginx| nginx.kind != cell.kind);
    let ratio = |mine: Option<f64>, theirs: Option<f64>| match (mine, theirs) {
        (Some(mine), Some(theirs)) if theirs > 0.0 => format!("x{:.2}", mine / theirs),
        _ => String::new(),
    };
    let added = |mine: f64, theirs: Option<f64>| {
        theirs.map_or(String::new(), |theirs| format!("{:+.0}", mine - theirs))
    };
    format!(
        "{:<12} {:>4} {:>10.0} {:>7} {:>9} {:>8} {:>9.0} {:>8} {:>9.0} {:>7} {:>10.0} {:>9} {:>12}",
        cell.kind.name(),
        cell.connections,
        cell.per_second,
        ratio(Some(cell.per_second), other.map(|nginx| nginx.per_second)),
        cell.cpu_us.map_or(String::new(), |cpu| format!("{cpu:.1}")),
        if cell.kind == Kind::Direct {
            "(mock)".to_owned()
        } else {
            ratio(cell.cpu_us, other.and_then(|nginx| nginx.cpu_us))
        },
        cell.p50_us,
        added(cell.p50_us, other.map(|nginx| nginx.p50_us)),
        cell.p99_us,
        added(cell.p99_us, other.map(|nginx| nginx.p99_us)),
        cell.first_p50_us,
        added(cell.first_p50_us, other.map(|nginx| nginx.first_p50_us)),
        format!("{}/{}", mib(cell.resident_kib), mib(cell.peak_kib)),
    )
}
