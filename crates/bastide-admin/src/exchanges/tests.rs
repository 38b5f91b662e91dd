#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;

use bastide_types::{
    ActorRef, DecisionRecord, Digest, Direction, Ending, Event, ExchangeId, ExchangeOutcome, ExchangeRequest,
    FindingRecord, GuardMode, GuardRecord, Origin, PolicyEffect, ProjectId, Score, TimingRecord, UsageRecord,
    View,
};

use super::*;
use crate::folder::{Folder, Locked};

const NOTHING: Digest = Digest([0; 32]);

fn guard(direction: Direction, category: Option<Category>, verdict: Verdict) -> GuardRecord {
    let finding = |category| FindingRecord {
        category,
        origin: Origin::User,
        segment: 0,
        start: 3,
        end: 9,
        score: Score::MAX,
        detector: "test",
        view: View::Raw,
        verdict,
    };
    let findings: Vec<_> = category.map(finding).into_iter().collect();
    GuardRecord {
        direction,
        mode: GuardMode::Enforce,
        profile: NOTHING,
        segments: 1,
        bytes: 10,
        unscanned: 0,
        findings_total: u32::try_from(findings.len()).expect("few"),
        findings,
        verdict,
    }
}

/// Number `n` of a mixture: every third is answered with a secret, every fifth refused by a policy, some still run.
fn record(node: &Node, n: u64) {
    let exchange = ExchangeId::at(Timestamp::from_micros(n * 1000), [7; 10]);
    let denied = n.is_multiple_of(5);
    let effect = if denied { PolicyEffect::Deny } else { PolicyEffect::Permit };
    let decisions = vec![DecisionRecord { action: "invoke", effect, policies: ["p".to_owned()].into() }];
    let asked = n.is_multiple_of(4).then_some(Category::EmailAddress);
    let verdict = if denied { Verdict::Block } else { Verdict::Flag };
    let request = Event::Request(Box::new(ExchangeRequest {
        exchange,
        at: Timestamp::from_micros(n * 1000),
        actor: ActorRef::Key {
            key: node.subjects.pseudonym(KeyId::from_bytes([1; 16])),
            project: ProjectId::from_bytes([2; 16]),
        },
        model: format!("model-{}", n % 2).into(),
        upstream: "demo".into(),
        dialect: "openai.chat",
        stream: false,
        received: NOTHING,
        sent: (!denied).then_some(NOTHING),
        policy: NOTHING,
        decisions,
        guard: Some(guard(Direction::Request, asked, verdict)),
        verdict,
    }));
    let pending = node.log.submit(request).expect("submitted");
    if denied || n.is_multiple_of(7) {
        return drop(pending.wait().expect("recorded"));
    }
    let answered = n.is_multiple_of(3).then_some(Category::Secret);
    let outcome = Event::Outcome(Box::new(ExchangeOutcome {
        exchange,
        at: Timestamp::from_micros(n * 1000 + 1),
        request_index: pending.index(),
        request_leaf: Digest(pending.leaf()),
        request_verdict: verdict,
        request_findings: Vec::new(),
        upstream: "demo".into(),
        status: 200,
        ending: Ending::Complete,
        received: NOTHING,
        sent: NOTHING,
        decisions: Vec::new(),
        guard: Some(guard(Direction::Response, answered, Verdict::Redact)),
        usage: UsageRecord { input_tokens: n, output_tokens: 1, estimated: false },
        timing: TimingRecord { decided: Some(5), recorded: None, first_byte: Some(9) },
        own_micros: 1,
        total_micros: 2,
    }));
    node.log.submit(outcome).expect("submitted").wait().expect("recorded");
}

fn with_admin(exchanges: u64, work: impl AsyncFnOnce(Arc<Admin>)) {
    let dir = tempfile::tempdir().expect("a folder");
    let Ok(Locked::Mine(folder)) = Folder::take(dir.path(), None) else { panic!("the folder is ours") };
    let node = Arc::new(Node::open(folder).expect("opens"));
    node.bootstrap().expect("the defaults are made");
    (1..=exchanges).for_each(|n| record(&node, n));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(work(Arc::new(Admin::new(Arc::clone(&node), None))));
    node.log.clone().close().expect("closes");
}

async fn all(admin: &Admin, filter: &ExchangeFilter, page: usize) -> Vec<ExchangeRow> {
    let (mut rows, mut next) = (Vec::new(), None);
    loop {
        let piece = admin.exchanges(filter.clone(), next, page).await.expect("reads");
        rows.extend(piece.rows);
        match piece.next {
            Some(at) => next = Some(at),
            None => return rows,
        }
    }
}

#[test]
fn pages_hold_every_exchange_once_with_its_outcome() {
    with_admin(1_000, async |admin| {
        for page in [7, 256, 500] {
            let rows = all(&admin, &ExchangeFilter::default(), page).await;
            let times: Vec<u64> = rows.iter().map(|r| r.at.as_micros() / 1000).collect();
            assert_eq!(times, (1..=1_000).rev().collect::<Vec<_>>(), "pages of {page}");
            for row in &rows {
                let n = row.at.as_micros() / 1000;
                assert_eq!(row.outcome.is_some(), n % 5 != 0 && n % 7 != 0, "{n}");
                assert!(
                    row.outcome.as_ref().is_none_or(|o| o.input_tokens == n && o.decided_micros == Some(5))
                );
            }
        }
    });
}

#[test]
fn a_filter_finds_what_looking_at_all_finds() {
    with_admin(600, async |admin| {
        let every = all(&admin, &ExchangeFilter::default(), 100).await;
        let filters = [
            ExchangeFilter { category: Some(Category::Secret), ..ExchangeFilter::default() },
            ExchangeFilter { category: Some(Category::EmailAddress), ..ExchangeFilter::default() },
            ExchangeFilter { verdict: Some(Verdict::Block), ..ExchangeFilter::default() },
            ExchangeFilter { verdict: Some(Verdict::Redact), ..ExchangeFilter::default() },
            ExchangeFilter { model: Some("model-1".to_owned()), denied: true, ..ExchangeFilter::default() },
            ExchangeFilter { with_findings: true, ..ExchangeFilter::default() },
        ];
        for filter in filters {
            let found: Vec<u64> = all(&admin, &filter, 9).await.iter().map(|r| r.index).collect();
            let wanted: Vec<u64> = every.iter().filter(|r| filter.takes(r)).map(|r| r.index).collect();
            assert!(!wanted.is_empty() && wanted.len() < 600, "{filter:?}");
            assert_eq!(found, wanted, "{filter:?}");
        }
    });
}

#[test]
fn a_follower_is_told_of_requests_and_of_their_ends() {
    with_admin(3, async |admin| {
        let size = admin.node.log.size();
        // The writer is waited for on this thread, which runs tasks.
        tokio::task::block_in_place(|| record(&admin.node, 8));
        let (rows, next) = admin.exchanges_since(size, 1).expect("reads");
        assert!(rows[0].outcome.is_none() && next == size + 1);
        let (rows, next) = admin.exchanges_since(next, 100).expect("reads");
        assert_eq!((rows.len(), rows[0].index, next), (1, size, size + 2), "the outcome brings its request");
        assert!(rows[0].outcome.is_some());
        assert_eq!(admin.exchanges_since(next, 100).expect("reads").1, next);
    });
}
