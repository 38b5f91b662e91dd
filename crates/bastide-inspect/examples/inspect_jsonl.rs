//! Reads `{"id","text"}` a line, writes `{"id","spans":[{"start","end","label","score","detector","reason"}]}` a line.
//! `start` and `end` count Unicode code points, `end` exclusive.
//!
//! `cargo run --release --example inspect_jsonl -- [personal|secrets|injection|all] < in.jsonl > out.jsonl`

use std::error::Error;
use std::io::{BufRead, Write};

use bastide_inspect::{
    Engine, Scratch, Syntax, injection_detectors, personal_data_detectors, secret_detectors,
    standard_detectors,
};

fn main() -> Result<(), Box<dyn Error>> {
    let engine = Engine::new(match std::env::args().nth(1).as_deref() {
        Some("personal") => personal_data_detectors(),
        Some("secrets") => secret_detectors(),
        Some("injection") => injection_detectors(),
        _ => standard_detectors(),
    })?;
    let (mut scratch, mut found) = (Scratch::default(), Vec::new());
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        let row: serde_json::Value = serde_json::from_str(&line?)?;
        let text = row.get("text").and_then(serde_json::Value::as_str).ok_or("a line without `text`")?;
        found.clear();
        engine.inspect(text, Syntax::Plain, &mut scratch, &mut found);
        let chars = |at: usize| text.get(..at).map(|s| s.chars().count());
        let spans: Vec<_> = found
            .iter()
            .map(|f| {
                serde_json::json!({
                    "start": chars(f.span.start),
                    "end": chars(f.span.end),
                    "label": f.category.as_str(),
                    "score": f64::from(f.score.get()) / 1000.0,
                    "detector": f.detector,
                    "reason": f.reason,
                })
            })
            .collect();
        writeln!(out, "{}", serde_json::json!({ "id": row.get("id"), "spans": spans }))?;
    }
    Ok(())
}
