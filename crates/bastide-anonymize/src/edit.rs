//! Whole texts: what to write where.

use bastide_inspect::Syntax;
use bastide_types::{Category, Finding, Guarded, Span, Verdict};

use crate::json::{escape, unescape};
use crate::placement::Placement;
use crate::token::redaction;
use crate::vault::Vault;

/// What is written instead of a span of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// Bytes of the text.
    pub span: Span,
    /// What stands there instead.
    pub text: String,
}

/// Writes `replacements` (in order, without overlap) into `text`. One that does not fit the text is left out.
#[must_use]
pub fn apply(text: &str, replacements: &[Replacement]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for replacement in replacements {
        let Some(before) = text.get(at..replacement.span.start) else { continue };
        if text.get(replacement.span.range()).is_none() {
            continue;
        }
        out.push_str(before);
        out.push_str(&replacement.text);
        at = replacement.span.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

/// What to write into a text on its way to a model: tokens and redactions where `verdict` asks for them. Every
/// personal value and secret is remembered in the vault, replaced or not.
///
/// Findings that overlap are replaced as one: by a token when all of them are to be tokenised, else by the redaction
/// of the sternest. `Hold` and `Block` redact; refusing the exchange is the caller's.
///
/// In JSON text, values are taken without their escapes, so that the same value has the same token in any writing.
pub fn anonymise(
    text: &str,
    syntax: Syntax,
    findings: &[Finding],
    verdict: impl Fn(&Finding) -> Verdict,
    vault: &mut Vault,
) -> Vec<Replacement> {
    let mut clusters: Vec<(Span, Category, Verdict)> = Vec::new();
    let mut ordered: Vec<&Finding> = findings.iter().collect();
    ordered.sort_by_key(|f| (f.span.start, f.span.end));
    for finding in ordered {
        let Some(value) = text.get(finding.span.range()).and_then(|raw| meant(raw, syntax)) else { continue };
        if matches!(finding.category.family(), Guarded::PersonalData | Guarded::Secret) {
            vault.remember(finding.category, &value);
        }
        let verdict = verdict(finding);
        if verdict < Verdict::Tokenise {
            continue;
        }
        match clusters.last_mut() {
            Some((span, category, sternest)) if span.overlaps(finding.span) => {
                span.end = span.end.max(finding.span.end);
                if verdict > *sternest {
                    (*category, *sternest) = (finding.category, verdict);
                }
            }
            _ => clusters.push((finding.span, finding.category, verdict)),
        }
    }
    clusters
        .into_iter()
        .map(|(span, category, verdict)| {
            let value = text.get(span.range()).and_then(|raw| meant(raw, syntax));
            let text = match (verdict, value) {
                (Verdict::Tokenise, Some(value)) => vault.tokenise(category, &value),
                _ => redaction(category),
            };
            Replacement { span, text }
        })
        .collect()
}

/// What a piece of text says: itself, or without the escapes of JSON. `None` where a finding cuts an escape in two.
fn meant(raw: &str, syntax: Syntax) -> Option<std::borrow::Cow<'_, str>> {
    match syntax {
        Syntax::Plain => Some(raw.into()),
        Syntax::Json => unescape(raw),
    }
}

/// Why a token was left as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Withheld {
    /// It stands for nothing in this exchange: invented, altered, or another's.
    Unknown,
    /// Whoever reads the reply may not read this category.
    Forbidden,
    /// It stands where a program would follow it.
    Placement,
}

/// What to write into a text on its way back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restoration {
    /// The values to put back.
    pub replacements: Vec<Replacement>,
    /// The tokens that stay, and why.
    pub withheld: Vec<(Span, Withheld)>,
}

/// What to write into a text, or into the next piece of one, on its way back to the caller: values for tokens of this
/// vault, where `may_restore` allows the category and [`Placement`] the place.
///
/// `findings` are those of the category `Placeholder` (others are passed over), with spans in `text`; `placement` has
/// read everything before `text`, and has read `text`, as it will be written, afterwards. In JSON text values are
/// escaped; `placement` should then be [`Placement::json`].
pub fn restore_text(
    text: &str,
    syntax: Syntax,
    findings: &[Finding],
    vault: &Vault,
    placement: &mut Placement,
    may_restore: impl Fn(Category) -> bool,
) -> Restoration {
    let mut out = Restoration::default();
    let mut at = 0;
    for finding in findings.iter().filter(|f| f.category == Category::Placeholder) {
        let (Some(before), Some(token)) = (text.get(at..finding.span.start), text.get(finding.span.range()))
        else {
            continue;
        };
        placement.advance(before);
        at = finding.span.end;
        let withheld = match vault.restore(token) {
            None => Withheld::Unknown,
            Some((category, _)) if !may_restore(category) => Withheld::Forbidden,
            Some(_) if !placement.restorable() => Withheld::Placement,
            Some((_, value)) => {
                let text = match syntax {
                    Syntax::Plain => value.to_owned(),
                    Syntax::Json => escape(value),
                };
                placement.advance(&text);
                out.replacements.push(Replacement { span: finding.span, text });
                continue;
            }
        };
        placement.advance(token);
        out.withheld.push((finding.span, withheld));
    }
    placement.advance(text.get(at..).unwrap_or_default());
    out
}
