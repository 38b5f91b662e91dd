//! `bastide inspect`: the engine of the gateway on text from a file or a pipe.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read as _, Write};
use std::path::Path;

use bastide_admin::{Failure, could_not, shell_word};
use bastide_inspect::{Engine, Scratch, Syntax, standard_detectors};
use bastide_types::{Finding, Score};
use serde::{Deserialize, Serialize};

use crate::cli::Inspect;
use crate::client;
use crate::config;

/// No line of a JSONL file may be longer: the whole line is held in memory.
const LINE_BYTES: u64 = 64 << 20;

#[derive(Deserialize)]
struct Line {
    id: serde_json::Value,
    text: String,
}

#[derive(Serialize)]
struct Found<'a> {
    id: &'a serde_json::Value,
    findings: Vec<Shown<'a>>,
}

/// A finding with both countings of its place.
#[derive(Serialize)]
struct Shown<'a> {
    category: &'static str,
    start: usize,
    end: usize,
    bstart: usize,
    bend: usize,
    score: f64,
    detector: &'static str,
    view: &'static str,
    reason: &'a str,
}

pub(crate) fn run(args: &Inspect) -> Result<(), Failure> {
    let engine = Engine::new(standard_detectors()).map_err(could_not)?;
    let least = config::score(args.min_score)
        .ok_or_else(|| Failure::usage(format!("`--min-score {}` is not between 0 and 1", args.min_score)))?;
    let mut scratch = Scratch::default();
    let result = match (&args.jsonl, &args.text) {
        _ if args.list => list(&engine, args.output.json),
        (Some(path), _) => jsonl(path, &engine, &mut scratch, least),
        (None, Some(text)) => {
            if Path::new(text).is_file() {
                client::note(&format!(
                    "`{text}` is a file, and its name is what was inspected; for what is in it: `bastide inspect < {}`",
                    shell_word(Path::new(text))
                ));
            }
            one(text, &engine, &mut scratch, least, args.output.json)
        }
        (None, None) => {
            let mut text = String::new();
            io::stdin()
                .take(LINE_BYTES)
                .read_to_string(&mut text)
                .map_err(|e| Failure::could_not(format!("cannot read standard input as UTF-8 text: {e}")))?;
            one(&text, &engine, &mut scratch, least, args.output.json)
        }
    };
    match result {
        // `head` closed the pipe: everything it wanted has been written.
        Err(e) if e.message().contains("Broken pipe") => Ok(()),
        other => other,
    }
}

fn jsonl(path: &Path, engine: &Engine, scratch: &mut Scratch, least: Score) -> Result<(), Failure> {
    let shown = path.display();
    let mut reader: Box<dyn BufRead> = if path.as_os_str() == "-" {
        Box::new(BufReader::new(io::stdin()))
    } else {
        let file = File::open(path).map_err(|e| Failure::could_not(format!("cannot read `{shown}`: {e}")))?;
        Box::new(BufReader::with_capacity(1 << 20, file))
    };
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let mut line = Vec::new();
    let mut findings = Vec::new();
    for number in 1_u64.. {
        line.clear();
        let read = io::Read::by_ref(&mut reader)
            .take(LINE_BYTES)
            .read_until(b'\n', &mut line)
            .map_err(|e| Failure::could_not(format!("cannot read `{shown}`: {e}")))?;
        if read == 0 {
            break;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let parsed: Line = serde_json::from_slice(&line).map_err(|e| {
            Failure::could_not(format!("`{shown}` line {number}: no `{{\"id\",\"text\"}}` object: {e}"))
        })?;
        findings.clear();
        engine.inspect(&parsed.text, Syntax::Plain, scratch, &mut findings);
        let found = Found { id: &parsed.id, findings: show(&parsed.text, &findings, least) };
        serde_json::to_writer(&mut out, &found)
            .map_err(|e| Failure::could_not(format!("cannot write: {e}")))?;
        out.write_all(b"\n").map_err(|e| Failure::could_not(format!("cannot write: {e}")))?;
    }
    out.flush().map_err(|e| Failure::could_not(format!("cannot write: {e}")))
}

fn one(text: &str, engine: &Engine, scratch: &mut Scratch, least: Score, json: bool) -> Result<(), Failure> {
    let mut findings = Vec::new();
    engine.inspect(text, Syntax::Plain, scratch, &mut findings);
    let shown = show(text, &findings, least);
    let mut out = io::stdout().lock();
    let written = if json {
        serde_json::to_writer(&mut out, &shown).map_err(io::Error::from).and_then(|()| out.write_all(b"\n"))
    } else if shown.is_empty() {
        writeln!(out, "nothing found")
    } else {
        shown.iter().try_for_each(|f| {
            writeln!(
                out,
                "{:<17} {:>6}..{:<6} {:.3}  {:<28} {:<7} {}",
                f.category, f.start, f.end, f.score, f.detector, f.view, f.reason
            )
        })
    };
    written.map_err(|e| Failure::could_not(format!("cannot write: {e}")))
}

fn show<'a>(text: &str, findings: &'a [Finding], least: Score) -> Vec<Shown<'a>> {
    // Findings come in order of their start, so code points are counted once along the text.
    let mut counted = (0, 0);
    let mut points = |to: usize| {
        if to < counted.0 {
            counted = (0, 0);
        }
        let between = text.get(counted.0..to).unwrap_or_default();
        counted = (to, counted.1 + between.chars().count());
        counted.1
    };
    findings
        .iter()
        .filter(|f| f.score >= least)
        .map(|f| Shown {
            category: f.category.as_str(),
            start: points(f.span.start),
            end: points(f.span.end),
            bstart: f.span.start,
            bend: f.span.end,
            score: f64::from(f.score.get()) / 1000.0,
            detector: f.detector,
            view: f.view.as_str(),
            reason: &f.reason,
        })
        .collect()
}

fn list(engine: &Engine, json: bool) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let listed: Vec<(&str, &str)> = engine.detectors().map(|(id, c)| (c.as_str(), id)).collect();
    let written = if json {
        let value: Vec<_> =
            listed.iter().map(|(c, id)| serde_json::json!({"category": c, "detector": id})).collect();
        writeln!(out, "{}", serde_json::Value::from(value))
    } else {
        listed.iter().try_for_each(|(c, id)| writeln!(out, "{c:<17} {id}"))
    };
    written.map_err(|e| Failure::could_not(format!("cannot write: {e}")))
}
