//! From what the detectors vouch for to findings that do not overlap.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use bastide_types::{Finding, Guarded, Span, View};

use crate::Detector;
use crate::reader::Found;

/// Findings that overlap one another in a chain are resolved together, up to this many bytes from the first one's
/// start; then the chain is cut. Only an attacker writes longer chains, and a stream cannot wait for their end.
const CHAIN_LIMIT: usize = 16 * 1024;

/// A finding before resolution, in original bytes.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    pub(crate) found: Found,
    pub(crate) view: View,
}

/// Findings that wait until everything that may overlap them is known.
#[derive(Debug, Default)]
pub(crate) struct Resolver {
    waiting: Vec<Hit>,
    /// Before it everything is resolved. Where a chain was cut, a hit that starts before it begins here.
    settled: usize,
    order: Vec<usize>,
    kept: Vec<(Span, usize)>,
    /// Where in the list of findings those stand that go on from the one before.
    pub(crate) continued: Vec<usize>,
}

impl Resolver {
    pub(crate) fn reset(&mut self) {
        self.waiting.clear();
        self.continued.clear();
        self.settled = 0;
    }

    pub(crate) fn add(&mut self, hit: Hit) {
        self.waiting.push(hit);
    }

    /// Resolves every chain that is complete when all hits that start before `decided` are known, in order, into
    /// `out`. Returns the place up to which the text is final: no finding crosses it, and none will.
    pub(crate) fn settle(
        &mut self,
        decided: usize,
        detectors: &[Arc<dyn Detector>],
        out: &mut Vec<Finding>,
    ) -> usize {
        if self.waiting.is_empty() {
            self.settled = self.settled.max(decided);
            return self.settled;
        }
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.sort_by_key(|h| (h.found.span.start, h.found.span.end));
        let mut at = 0;
        loop {
            self.clamp(&mut waiting, at);
            let Some(chain) = chain(waiting.get(at..).unwrap_or_default()) else { break };
            if chain.end > decided && chain.start + CHAIN_LIMIT > decided {
                break;
            }
            self.resolve(waiting.get(at..at + chain.count).unwrap_or_default(), detectors, out);
            self.settled = chain.end;
            at += chain.count;
        }
        let first = waiting.get(at).map_or(decided, |h| h.found.span.start);
        self.settled = self.settled.max(first.min(decided));
        waiting.drain(..at);
        self.waiting = waiting;
        self.settled
    }

    /// Behind a cut chain: what starts before its end starts at its end.
    fn clamp(&self, waiting: &mut Vec<Hit>, at: usize) {
        let settled = self.settled;
        if waiting.get(at).is_none_or(|h| h.found.span.start >= settled) {
            return;
        }
        for hit in waiting.iter_mut().skip(at).take_while(|h| h.found.span.start < settled) {
            hit.found.span = Span::new(settled, hit.found.span.end);
        }
        let mut index = 0;
        waiting.retain(|h| {
            index += 1;
            index <= at || !h.found.span.is_empty()
        });
    }

    fn resolve(&mut self, chain: &[Hit], detectors: &[Arc<dyn Detector>], out: &mut Vec<Finding>) {
        let attack = |hit: &Hit| family(hit, detectors) == Some(Guarded::Attack);
        let Resolver { order, kept, continued, .. } = self;
        order.clear();
        order.extend(0..chain.len());
        order.sort_by_key(|&i| chain.get(i).map(|hit| rank(hit, detectors)));
        kept.clear();
        // Sorted by start and free of overlaps, so that one neighbour on each side decides.
        let mut apart: Vec<Span> = Vec::new();
        let mut attacks = BTreeSet::new();
        for &i in order.iter() {
            let Some(hit) = chain.get(i) else { continue };
            let span = hit.found.span;
            if attack(hit) {
                // Two readings may show the same.
                if attacks.insert((span, hit.found.detector)) {
                    kept.push((span, i));
                }
                continue;
            }
            let place = apart.partition_point(|s| s.start < span.start);
            let before = place.checked_sub(1).and_then(|p| apart.get(p));
            if before.is_some_and(|s| s.overlaps(span)) || apart.get(place).is_some_and(|s| s.overlaps(span))
            {
                continue;
            }
            apart.insert(place, span);
            kept.push((span, i));
        }
        kept.sort_unstable_by_key(|&(span, i)| (span, chain.get(i).map(|h| h.found.detector)));
        for &(span, i) in kept.iter() {
            let Some(hit) = chain.get(i) else { continue };
            let Some(detector) = detectors.get(hit.found.detector) else { continue };
            if hit.found.continues {
                continued.push(out.len());
            }
            out.push(Finding {
                category: detector.category(),
                span,
                score: hit.found.score,
                severity: detector.severity(),
                detector: detector.id(),
                reason: hit.found.reason.clone(),
                view: hit.view,
            });
        }
    }
}

struct Chain {
    start: usize,
    end: usize,
    count: usize,
}

/// The hits at the start of `sorted` that overlap one another in a chain.
fn chain(sorted: &[Hit]) -> Option<Chain> {
    let Span { start, mut end } = sorted.first()?.found.span;
    let mut count = 0;
    for Hit { found, .. } in sorted {
        if count > 0 && (found.span.start >= end || found.span.start - start >= CHAIN_LIMIT) {
            break;
        }
        end = end.max(found.span.end);
        count += 1;
    }
    Some(Chain { start, end, count })
}

fn family(hit: &Hit, detectors: &[Arc<dyn Detector>]) -> Option<Guarded> {
    detectors.get(hit.found.detector).map(|d| d.category().family())
}

/// The first in this order is kept: what has begun and is not over, then the surer, the longer, secrets, the plainer
/// reading, and last the detector that was named first.
fn rank(hit: &Hit, detectors: &[Arc<dyn Detector>]) -> impl Ord + use<> {
    let Hit { found, view } = hit;
    let plain = match view {
        View::Raw => 0u8,
        View::Folded => 1,
        View::Base64 => 2,
        View::Hex => 3,
    };
    (
        !found.open,
        Reverse(found.score),
        Reverse(found.span.len()),
        family(hit, detectors) != Some(Guarded::Secret),
        plain,
        found.detector,
        found.span.start,
    )
}

#[cfg(test)]
mod tests {
    use bastide_types::{Category, Score, Severity};

    use super::*;
    use crate::{Candidate, Match, Pattern};

    struct Named(&'static str, Category);

    impl Detector for Named {
        fn id(&self) -> &'static str {
            self.0
        }
        fn category(&self) -> Category {
            self.1
        }
        fn severity(&self) -> Severity {
            Severity::Low
        }
        fn pattern(&self) -> &Pattern {
            unreachable!("resolving asks for no pattern")
        }
        fn validate(&self, _: &Candidate<'_>) -> Option<Match> {
            None
        }
    }

    fn detectors() -> Vec<Arc<dyn Detector>> {
        let all = [
            ("mail", Category::EmailAddress),
            ("card", Category::CreditCard),
            ("key", Category::Secret),
            ("order", Category::PromptInjection),
        ];
        all.into_iter().map(|(id, category)| Arc::new(Named(id, category)) as Arc<dyn Detector>).collect()
    }

    fn hit(detector: usize, start: usize, end: usize, score: u16) -> Hit {
        let span = Span::new(start, end);
        let score = Score::per_mille(score);
        let reason = "".into();
        Hit {
            found: Found { detector, span, score, reason, open: false, continues: false, cut: false },
            view: View::Raw,
        }
    }

    fn resolved(hits: &[Hit]) -> Vec<(&'static str, usize, usize)> {
        let mut resolver = Resolver::default();
        hits.iter().for_each(|h| resolver.add(h.clone()));
        let mut out = Vec::new();
        resolver.settle(usize::MAX, &detectors(), &mut out);
        out.iter().map(|f| (f.detector, f.span.start, f.span.end)).collect()
    }

    #[test]
    fn the_surer_then_the_longer_then_the_secret_is_kept() {
        assert_eq!(resolved(&[hit(0, 0, 9, 500), hit(1, 5, 12, 600)]), [("card", 5, 12)]);
        assert_eq!(resolved(&[hit(0, 0, 9, 500), hit(1, 5, 12, 500)]), [("mail", 0, 9)]);
        assert_eq!(resolved(&[hit(0, 0, 9, 500), hit(2, 3, 12, 500)]), [("key", 3, 12)]);
        assert_eq!(
            resolved(&[hit(0, 0, 9, 500), hit(1, 9, 12, 900)]),
            [("mail", 0, 9), ("card", 9, 12)],
            "they touch"
        );
    }

    #[test]
    fn what_a_loser_kept_away_comes_back() {
        let hits = [hit(0, 0, 10, 500), hit(1, 8, 20, 600), hit(2, 18, 30, 700)];
        assert_eq!(resolved(&hits), [("mail", 0, 10), ("key", 18, 30)]);
    }

    #[test]
    fn attacks_overlap_anything_but_their_own_twin() {
        let mut folded = hit(3, 0, 10, 800);
        folded.view = View::Folded;
        assert_eq!(
            resolved(&[hit(0, 0, 10, 500), hit(3, 0, 10, 800), folded, hit(3, 5, 12, 800)]),
            [("mail", 0, 10), ("order", 0, 10), ("order", 5, 12)]
        );
    }

    #[test]
    fn nothing_is_final_while_something_may_still_overlap_it() {
        let mut resolver = Resolver::default();
        let mut out = Vec::new();
        resolver.add(hit(0, 10, 20, 500));
        assert_eq!(resolver.settle(15, &detectors(), &mut out), 10);
        assert!(out.is_empty());
        resolver.add(hit(1, 16, 30, 900));
        assert_eq!(resolver.settle(25, &detectors(), &mut out), 10);
        assert_eq!(resolver.settle(30, &detectors(), &mut out), 30);
        assert_eq!(out.iter().map(|f| f.detector).collect::<Vec<_>>(), ["card"]);
    }

    #[test]
    fn a_chain_without_end_is_cut_at_the_same_place_however_it_arrives() {
        let links: Vec<Hit> =
            (0..9000).map(|i| hit(i % 2, 5 * i, 5 * i + 8, [500, 530, 510, 540][i % 4])).collect();
        let whole = resolved(&links);
        assert!(whole.windows(2).all(|w| w[0].2 <= w[1].1), "no overlaps");
        let (mut resolver, mut out, mut most) = (Resolver::default(), Vec::new(), 0);
        for link in &links {
            let at = link.found.span.start;
            resolver.add(link.clone());
            let settled = resolver.settle(at, &detectors(), &mut out);
            most = most.max(at.saturating_sub(settled));
        }
        resolver.settle(usize::MAX, &detectors(), &mut out);
        let out: Vec<_> = out.iter().map(|f| (f.detector, f.span.start, f.span.end)).collect();
        assert_eq!(out, whole);
        assert!(most <= CHAIN_LIMIT, "{most} bytes waited");
    }
}
