use bastide_inspect::*;
use std::sync::{Arc, atomic::{AtomicU64, Ordering}};
struct W(Arc<dyn Detector>, AtomicU64, AtomicU64);
impl Detector for W {
    fn id(&self) -> &'static str { self.0.id() }
    fn category(&self) -> bastide_types::Category { self.0.category() }
    fn severity(&self) -> bastide_types::Severity { self.0.severity() }
    fn pattern(&self) -> &Pattern { self.0.pattern() }
    fn validate(&self, c: &Candidate<'_>) -> Option<Match> { let b = std::time::Instant::now(); let r = self.0.validate(c); self.1.fetch_add(1, Ordering::Relaxed); self.2.fetch_add(b.elapsed().as_nanos() as u64, Ordering::Relaxed); r }
}
fn main() {
    let ws: Vec<Arc<W>> = standard_detectors().into_iter().map(|d| Arc::new(W(d, AtomicU64::new(0), AtomicU64::new(0)))).collect();
    let e = Engine::new(ws.iter().map(|w| w.clone() as Arc<dyn Detector>).collect()).unwrap();
    let mut s = Scratch::default();
    let a = std::env::args().nth(1).unwrap();
    let text = match a.as_str() { "percent" => "%41".repeat(5461), "number" => "0.7".into(), "digits" => "1 2 3 4 5 6 7 8 9 0 ".repeat(819), p => std::fs::read_to_string(p).unwrap() };
    let mut out = vec![];
    let b = std::time::Instant::now();
    e.inspect(&text, Syntax::Plain, &mut s, &mut out);
    println!("{:?}", b.elapsed());
    let mut v: Vec<_> = ws.iter().map(|w| (w.2.load(Ordering::Relaxed), w.1.load(Ordering::Relaxed), w.id())).filter(|x| x.1 > 0).collect();
    v.sort(); v.reverse();
    for (t, n, id) in v.iter().take(12) { println!("{id:<40} {n:>8} calls {:>8} ns each {:>10} us", t / n, t / 1000); }
}
