use bastide_inspect::*;
fn main() {
    let e = Engine::new(standard_detectors()).unwrap();
    let mut s = Scratch::default();
    let mut out = vec![];
    let t = std::env::args().nth(1).unwrap();
    let mut best = f64::INFINITY;
    for _ in 0..2000 {
    let b = std::time::Instant::now();
    for _ in 0..1000 { e.inspect(std::hint::black_box(&t), Syntax::Plain, &mut s, &mut out); }
    best = best.min(b.elapsed().as_secs_f64());
    }
    println!("{} ns", best * 1e6);
}
