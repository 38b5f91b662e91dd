//! The end of an exchange: limits settled, the outcome in the log, the receipt.

use std::sync::Arc;

use bastide_audit::{AuditError, Pending, Recorded};
use bastide_types::{
    DecisionRecord, Digest, Direction, Ending, Event, ExchangeOutcome, Problem, UsageRecord,
};
use bastide_wire::Usage;
use bytes::Bytes;
use http::Response;

use super::{Came, Exchange, Ticket, micros};
use crate::guard::Tally;
use crate::problem;
use crate::relay::Body;
use crate::trace;
use crate::traffic::Noted;

/// About as many bytes of an answer make a token.
const BYTES_PER_TOKEN: u64 = 4;

/// What the end of an exchange knows.
pub(crate) struct End<'a> {
    pub(crate) status: u16,
    pub(crate) ending: Ending,
    pub(crate) received: Digest,
    pub(crate) sent: Digest,
    pub(crate) tally: Option<&'a Tally>,
    pub(crate) decisions: Vec<DecisionRecord>,
    pub(crate) usage: Option<Usage>,
    pub(crate) output_bytes: u64,
}

impl Exchange {
    /// Settles limits and hands the outcome to the log.
    pub(crate) fn end(&mut self, end: End<'_>) -> Result<Pending, AuditError> {
        let usage = match end.usage {
            Some(u) => {
                UsageRecord { input_tokens: u.input_tokens, output_tokens: u.output_tokens, estimated: false }
            }
            None => UsageRecord {
                input_tokens: self.input_estimate,
                output_tokens: end.output_bytes.div_ceil(BYTES_PER_TOKEN),
                estimated: true,
            },
        };
        self.reservation.used(usage.input_tokens.saturating_add(usage.output_tokens));
        let total = self.started.elapsed();
        let metrics = &self.gateway.metrics;
        metrics.tokens(usage.input_tokens, usage.output_tokens);
        metrics.ended(end.ending, total, self.own);
        if let Some(tally) = end.tally {
            for finding in tally.findings() {
                metrics.found(finding.category, Direction::Response, finding.verdict);
            }
        }
        if std::mem::take(&mut self.counted) {
            metrics.exchange_left();
        }
        let (own_micros, total_micros) = (micros(self.own), micros(total));
        let mut findings = self.request_findings.clone();
        findings.extend(end.tally.iter().flat_map(|tally| tally.counts()));
        let now = self.gateway.clock.now();
        self.gateway.traffic.note(
            now,
            &Noted {
                at: now,
                model: &self.model,
                verdict: end.tally.map_or(self.request_verdict, |t| t.verdict().max(self.request_verdict)),
                ending: Some(end.ending),
                findings: &findings,
                input_tokens: usage.input_tokens,
                output_tokens: usage.output_tokens,
                own_micros,
                total_micros,
            },
        );
        let request = self.request_leaf.take();
        let named = match &request {
            Some(Ticket::Recorded(recorded)) => Some((recorded.index(), recorded.leaf())),
            Some(Ticket::OnItsWay(pending)) => Some((pending.index(), pending.leaf())),
            None => None,
        };
        self.trace.ended(&trace::Ended {
            status: end.status,
            ending: end.ending,
            tally: end.tally,
            decisions: &end.decisions,
            usage,
            own: self.own,
            log_index: named.map(|(index, _)| index),
        });
        // An outcome without its request would be taken for a log that somebody changed.
        let (request_index, request_leaf) = named.ok_or(AuditError::Unfounded)?;
        let outcome = Event::Outcome(Box::new(ExchangeOutcome {
            exchange: self.id,
            at: now,
            request_index,
            request_leaf: Digest(request_leaf),
            request_verdict: self.request_verdict,
            request_findings: std::mem::take(&mut self.request_findings),
            upstream: Arc::clone(&self.provider),
            status: end.status,
            ending: end.ending,
            received: end.received,
            sent: end.sent,
            decisions: end.decisions,
            guard: end.tally.map(|t| t.record(&self.guard, Direction::Response, t.unscanned())),
            usage,
            timing: self.timing,
            own_micros,
            total_micros,
        }));
        let earlier = match &request {
            Some(Ticket::OnItsWay(pending)) => Some(pending),
            _ => None,
        };
        self.gateway.log.submit_as(self.settings.audit.durability(), outcome, earlier)
    }

    /// What came of the answer, and what it is charged by: nothing where no provider was asked.
    fn take_came(&mut self) -> (Bytes, Option<Usage>) {
        let nothing = Some(Usage { input_tokens: 0, output_tokens: 0 });
        let mut came = self.came.take().unwrap_or(Came { usage: nothing, ..Came::default() });
        (came.body.join(), came.usage)
    }

    /// The bytes that an answer is charged by which nobody got: not the blanks that keep a connection alive, and no more
    /// than the request could ask for.
    pub(crate) fn undelivered(&self, body: &[u8]) -> u64 {
        said(body).min(self.most_output.saturating_mul(BYTES_PER_TOKEN))
    }

    /// Ends an exchange that has no reply of its own.
    pub(crate) async fn fail(mut self: Box<Self>, problem: Problem, ending: Ending) -> Response<Body> {
        self.gateway.metrics.problem(problem.code);
        self.trace.problem(&problem);
        let sent = self.digest_of(&problem::body(&problem));
        let (body, usage) = self.take_came();
        self.kept.answered(&body, &problem::body(&problem).into(), !body.is_empty());
        let received = self.digest_of(&body);
        let pending = self.end(End {
            status: problem.status,
            ending,
            received,
            sent,
            tally: None,
            decisions: Vec::new(),
            usage,
            output_bytes: self.undelivered(&body),
        });
        let recorded = recorded(pending).await;
        problem::response(&problem, Some(self.id), recorded.as_ref())
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if self.request_leaf.is_none() && std::mem::take(&mut self.counted) {
            // The log did not take its request: it has no end.
            self.gateway.metrics.exchange_left();
        }
        // Dropped between the steps: the client left while we waited. What is known is recorded.
        if self.request_leaf.is_some() {
            let (body, usage) = self.take_came();
            if !body.is_empty() {
                // Nobody read it to the end: as one that was refused, it is kept with those in which something is found.
                self.kept.answered(&body, &Bytes::new(), true);
            }
            let end = End {
                status: 499,
                ending: Ending::ClientLeft,
                received: self.digest_of(&body),
                sent: self.digest_of(&[]),
                tally: None,
                decisions: Vec::new(),
                usage,
                output_bytes: self.undelivered(&body),
            };
            if self.end(end).is_err() {
                tracing::error!("the audit log refused the outcome of an abandoned exchange");
            }
        }
    }
}

/// The bytes of a body without the blanks before it that kept its connection alive.
pub(crate) fn said(body: &[u8]) -> u64 {
    u64::try_from(body.trim_ascii_start().len()).unwrap_or(u64::MAX)
}

/// Waits until the outcome is on disk, and with it the request's record, which stands before it; nothing that a receipt
/// could be of when the log failed.
pub(crate) async fn recorded(outcome: Result<Pending, AuditError>) -> Option<Recorded> {
    outcome.ok()?.await.ok()
}
