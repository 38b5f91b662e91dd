//! What the streaming guard holds back, how fast it is, and that it finds what whole-text inspection finds.
//!
//! `cargo run --release -p bastide-inspect --example spike_stream`
#![allow(clippy::print_stdout, reason = "an example prints")]

use std::time::Instant;

use bastide_inspect::{Engine, Scratch, StreamInspector, Syntax, standard_detectors};
use bastide_types::Finding;

const PROSE: &str = "The committee met on Tuesday to discuss the new library, and whether the old building could be \
    kept. Nobody knew how much it would cost to repair the roof before winter. ";

const ROUNDS: usize = 20;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let begun = Instant::now();
    let engine = Engine::new(standard_detectors())?;
    println!("{} detectors, built in {:.0?}", engine.detectors().count(), begun.elapsed());
    let key: String = (0..26)
        .map(|i| format!("MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us{i:04}\n"))
        .collect();
    let kinds = [
        ("prose", String::new()),
        ("e-mail", "Write to ada.lovelace@example.com today. ".to_owned()),
        ("IBAN", "Pay to DE89 3704 0044 0532 0130 00 please. ".to_owned()),
        ("JWT", "Token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dBjftJeZ4CVPmB92K27uhbUJU1p1r1wW1gFWFOEjXk here. ".to_owned()),
        ("PEM", format!("-----BEGIN PRIVATE KEY-----\n{key}-----END PRIVATE KEY-----\n")),
        ("base64 e-mail", "See YWRhLmxvdmVsYWNlQGV4YW1wbGUuY29tIGlzIHRoZSBhZGRyZXNz there. ".to_owned()),
        ("full width", "Ｗｒｉｔｅ ａｄａ＠ｅｘａｍｐｌｅ．ｃｏｍ now. ".to_owned()),
    ];
    let mut scratch = Scratch::default();
    println!(
        "{:<14} {:>5} {:>6} {:>5} {:>6} {:>9} {:>9} {:>9} {:>9} {:>6}",
        "text", "p50", "p99", "max", "found", "1 B", "16 B", "1 kB", "whole", "differ"
    );
    let mut differ = 0;
    for (name, value) in kinds {
        let text = format!("{PROSE}{value}").repeat(40);
        let mut whole = Vec::new();
        engine.inspect(&text, Syntax::Plain, &mut scratch, &mut whole);
        // The best of several rounds: other work on the machine only ever slows one down.
        let mut best = [f64::INFINITY; 4];
        let (mut held, before) = (Vec::new(), differ);
        for _ in 0..ROUNDS {
            for (size, best) in [1, 16, 1024, usize::MAX].into_iter().zip(&mut best) {
                let mut at_rest = Vec::with_capacity(text.len());
                let begun = Instant::now();
                let found = stream(&engine, &mut scratch, &text, size, &mut at_rest);
                *best = begun.elapsed().as_secs_f64().min(*best);
                if size == 1 {
                    held = at_rest;
                }
                differ += usize::from(coverage(&found, text.len()) != coverage(&whole, text.len()));
            }
        }
        let speeds = best.map(|seconds| format!("{:.1} MB/s", text.len() as f64 / seconds / 1e6));
        held.sort_unstable();
        let percentile = |p: usize| held.get(held.len() * p / 100).or(held.last()).copied().unwrap_or(0);
        println!(
            "{name:<14} {:>5} {:>6} {:>5} {:>6} {:>9} {:>9} {:>9} {:>9} {:>6}",
            percentile(50),
            percentile(99),
            percentile(100),
            whole.len(),
            speeds[0],
            speeds[1],
            speeds[2],
            speeds[3],
            differ - before
        );
    }
    println!(
        "engine {} kB, scratch {} kB, states emptied {} times",
        engine.memory_usage() / 1000,
        scratch.memory_usage() / 1000,
        scratch.evictions()
    );
    println!("streams that differ from whole texts: {differ}");
    Ok(())
}

fn stream(
    engine: &Engine,
    scratch: &mut Scratch,
    text: &str,
    size: usize,
    held: &mut Vec<usize>,
) -> Vec<Finding> {
    let mut out = Vec::new();
    if size == usize::MAX {
        engine.inspect(text, Syntax::Plain, scratch, &mut out);
        return out;
    }
    let mut stream = StreamInspector::new(Syntax::Plain);
    let mut at = 0;
    while at < text.len() {
        let mut end = (at + size).min(text.len());
        while !text.is_char_boundary(end) {
            end += 1;
        }
        stream.push(engine, scratch, &text[at..end], &mut out);
        held.push(stream.held_bytes());
        at = end;
    }
    stream.finish(engine, scratch, &mut out);
    out
}

/// Which detector covers each byte, as a hash would see it.
fn coverage(findings: &[Finding], length: usize) -> Vec<&'static str> {
    let mut covered = vec![""; length];
    for finding in findings {
        covered[finding.span.range()].fill(finding.detector);
    }
    covered
}
