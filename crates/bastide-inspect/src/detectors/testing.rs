//! Runs one detector over a text, as slowly and plainly as it can be done.

use bastide_types::View;
use regex_automata::meta::Regex;
use regex_automata::util::syntax;

use crate::{Candidate, Detector, Match};

pub(crate) fn compile(regex: &str) -> Regex {
    Regex::builder()
        .configure(Regex::config().utf8_empty(false))
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .build(regex)
        .unwrap()
}

/// Matches with their absolute spans.
pub(crate) fn matches(detector: &dyn Detector, text: &str) -> Vec<(usize, usize, Match)> {
    let bytes = text.as_bytes();
    let regex = compile(&detector.pattern().regex);
    let (mut from, mut out) = (0, Vec::new());
    while from <= bytes.len() {
        let input = regex_automata::Input::new(bytes).range(from..);
        let Some(m) = regex.find(input) else { break };
        let (start, end) = (m.start(), m.end());
        let candidate = Candidate {
            bytes: &bytes[start..end],
            before: &bytes[start.saturating_sub(Candidate::LEFT_CONTEXT)..start],
            after: &bytes[end..(end + detector.pattern().max_right_context).min(bytes.len())],
            view: View::Raw,
        };
        let fits = end - start <= detector.pattern().max_span;
        match detector.validate(&candidate).filter(|_| fits) {
            Some(found) => {
                let (a, b) = (start + found.span.start, start + found.span.end);
                assert!(text.is_char_boundary(a) && text.is_char_boundary(b) && a < b, "{}", detector.id());
                from = b.max(start + 1);
                out.push((a, b, found));
            }
            None => from = start + 1,
        }
    }
    out
}

/// The texts found.
pub(crate) fn found<'a>(detector: &dyn Detector, text: &'a str) -> Vec<&'a str> {
    matches(detector, text).iter().map(|(a, b, _)| &text[*a..*b]).collect()
}

/// Asserts that nothing is found.
pub(crate) fn nothing(detector: &dyn Detector, text: &str) {
    let found = matches(detector, text);
    assert!(found.is_empty(), "{} found {found:?} in {text}", detector.id());
}

/// The best score, 0 when nothing is found.
pub(crate) fn scored(detector: &dyn Detector, text: &str) -> u16 {
    matches(detector, text).iter().map(|(_, _, m)| m.score.get()).max().unwrap_or(0)
}
