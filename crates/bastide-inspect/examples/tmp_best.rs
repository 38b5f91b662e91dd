use bastide_inspect::*;
fn main() {
    let mut b = f64::INFINITY; for _ in 0..10 { let t = std::time::Instant::now(); Engine::new(standard_detectors()).unwrap(); b = b.min(t.elapsed().as_secs_f64()); } println!("build {b}");
    let e = Engine::new(standard_detectors()).unwrap();
    let mut s = Scratch::default();
    let prose = "The committee met on Tuesday to discuss the new library. Several members asked whether the old building could be kept, and how much it would cost to repair the roof before winter. Nobody knew. The chair promised to write to the council, and the treasurer said that she had already done so, twice, without an answer. ";
    let german = "Die Prüfung der Unterlagen dauert länger als erwartet; wir melden uns, sobald das Ergebnis vorliegt. Über die Gebühren entscheidet die Behörde, nicht der Ausschuss – so steht es im Gesetz. ";
    let umlaut = german.replace('–', "-");
    let russian = "Комитет собрался во вторник, чтобы обсудить новую библиотеку. ";
    let chinese = "委员会星期二开会讨论新图书馆。几位成员问旧楼能否保留。";
    let code = "let mut buffer = Vec::with_capacity(header.len() + body.len());\n    if request.method() == Method::POST && !headers.contains_key(\"content-length\") {\n        return Err(Error::LengthRequired);\n    }\n";
    let data = "Write to ada.lovelace@example.com or call +49 30 901820, pay to DE89 3704 0044 0532 0130 00 with card 4111 1111 1111 1111, token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dBjftJeZ4CVPmB92K27uhbUJU1p1r. ";
    let lots = std::fs::read_to_string("/tmp/prose.txt").unwrap();
    let pii = std::fs::read_to_string("/tmp/pii.txt").unwrap();
    let long = |t: &str, n: usize| { let mut l = t.repeat(n / t.len() + 1); while l.len() > n || !l.is_char_boundary(l.len()) { l.pop(); } l };
    let cases = vec![
        ("empty", String::new()), ("tiny", "The weather is fine.".into()), ("key", "temperature".into()), ("number", "0.7".into()),
        ("prose", long(prose, 2000)), ("prose64k", long(prose, 65536)), ("german", long(german, 2000)), ("umlaut", long(&umlaut, 2000)), ("russian", long(russian, 2000)), ("chinese", long(chinese, 2000)), ("code", long(code, 2000)), ("data", long(data, 2000)),
        ("base64", long("TG9yZW0gaXBzdW0gZG9sb3Igc2l0IGFtZXQsIGNvbnNlY3RldHVy", 2000)),
        ("digits", long("1 2 3 4 5 6 7 8 9 0 ", 16384)), ("eyJ", long("eyJ", 16384)), ("eyJ256k", long("eyJ", 262144)), ("@", long("a@b.c", 16384)), ("aaa", long("a", 16384)), ("percent", long("%41", 16384)),
        ("docs", lots), ("pii", pii),
    ];
    for (n, t) in cases {
        if let Some(a) = std::env::args().nth(1) { if a != n { continue } }
        let mut best = f64::INFINITY; let mut out = vec![];
        let mut bs = f64::INFINITY;
        for _ in 0..if t.len() > 5000 { 5 } else { 2000 } {
            out.clear();
            let b = std::time::Instant::now();
            e.inspect(&t, Syntax::Plain, &mut s, &mut out);
            best = best.min(b.elapsed().as_secs_f64());
            let b = std::time::Instant::now();
            let mut o = vec![];
            let mut st = StreamInspector::new(Syntax::Plain);
            for (i, c) in t.char_indices() { st.push(&e, &mut s, &t[i..i + c.len_utf8()], &mut o); }
            st.finish(&e, &mut s, &mut o);
            bs = bs.min(b.elapsed().as_secs_f64());
        }
        println!("{n:<10} {:>8} B {:>10.2} us {:>8.1} MB/s  by char {:>8.2} MB/s  {} found, evictions {}", t.len(), best * 1e6, t.len() as f64 / best / 1e6, t.len() as f64 / bs / 1e6, out.len(), s.evictions());
    }
    println!("{} {}", e.memory_usage(), s.memory_usage());
}
