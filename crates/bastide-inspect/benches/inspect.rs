//! What inspection costs: whole texts of several kinds, short texts, streams in small pieces, and hostile text.
#![allow(missing_docs, clippy::expect_used, reason = "a benchmark")]

use std::hint::black_box;

use bastide_inspect::{Engine, Scratch, StreamInspector, Syntax, standard_detectors};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const PROSE: &str = "The committee met on Tuesday to discuss the new library. Several members asked whether the old \
    building could be kept, and how much it would cost to repair the roof before winter. Nobody knew. The chair \
    promised to write to the council, and the treasurer said that she had already done so, twice, without an answer. ";
const GERMAN: &str = "Die Prüfung der Unterlagen dauert länger als erwartet; wir melden uns, sobald das Ergebnis \
    vorliegt. Über die Gebühren entscheidet die Behörde, nicht der Ausschuss – so steht es im Gesetz. ";
const CODE: &str = "let mut buffer = Vec::with_capacity(header.len() + body.len());\n    if request.method() == \
    Method::POST && !headers.contains_key(\"content-length\") {\n        return Err(Error::LengthRequired);\n    }\n";
const DATA: &str = "Write to ada.lovelace@example.com or call +49 30 901820, pay to DE89 3704 0044 0532 0130 00 with \
    card 4111 1111 1111 1111, token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dBjftJeZ4CVPmB92K27uhbUJU1p1r. ";

fn long(text: &str, bytes: usize) -> String {
    let mut long = text.repeat(bytes / text.len() + 1);
    while !long.is_char_boundary(bytes) || long.len() > bytes {
        long.pop();
    }
    long
}

fn texts() -> Vec<(&'static str, String)> {
    vec![
        ("tiny", "The weather is fine.".to_owned()),
        ("prose 2 kB", long(PROSE, 2000)),
        ("german 2 kB", long(GERMAN, 2000)),
        ("code 2 kB", long(CODE, 2000)),
        ("data 2 kB", long(DATA, 2000)),
        ("base64 2 kB", long("TG9yZW0gaXBzdW0gZG9sb3Igc2l0IGFtZXQsIGNvbnNlY3RldHVy", 2000)),
        ("prose 64 kB", long(PROSE, 65_536)),
        ("digits 16 kB", long("1 2 3 4 5 6 7 8 9 0 ", 16_384)),
        ("token storm 16 kB", long("eyJ", 16_384)),
        ("at storm 16 kB", long("a@b.c", 16_384)),
    ]
}

fn whole(c: &mut Criterion) {
    let engine = Engine::new(standard_detectors()).expect("the detectors compile");
    let mut group = c.benchmark_group("whole");
    for (name, text) in texts() {
        let (mut scratch, mut out) = (Scratch::default(), Vec::new());
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            b.iter(|| {
                out.clear();
                engine.inspect(black_box(&text), Syntax::Plain, &mut scratch, &mut out);
                out.len()
            });
        });
    }
}

fn streamed(c: &mut Criterion) {
    let engine = Engine::new(standard_detectors()).expect("the detectors compile");
    let mut group = c.benchmark_group("stream");
    for (name, text) in [("prose", long(PROSE, 16_384)), ("data", long(DATA, 16_384))] {
        for size in [1, 4, 16, 1024] {
            let (mut scratch, mut out) = (Scratch::default(), Vec::new());
            group.throughput(Throughput::Bytes(text.len() as u64));
            group.bench_function(BenchmarkId::new(name, size), |b| {
                b.iter(|| {
                    out.clear();
                    let mut stream = StreamInspector::new(Syntax::Plain);
                    let mut at = 0;
                    while at < text.len() {
                        let end = (at + size).min(text.len());
                        stream.push(&engine, &mut scratch, black_box(&text[at..end]), &mut out);
                        at = end;
                    }
                    stream.finish(&engine, &mut scratch, &mut out)
                });
            });
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(std::time::Duration::from_millis(300))
        .measurement_time(std::time::Duration::from_secs(1))
        .sample_size(20);
    targets = whole, streamed
}
criterion_main!(benches);
