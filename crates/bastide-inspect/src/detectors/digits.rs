//! Numbers written in groups: `4111 1111 1111 1111`, `+44 (20) 7946-0958`.

use std::ops::Range;

use bastide_types::Span;

/// Expression for one separator inside a number: space, dash, dot, the no-break and narrow spaces, the Unicode dashes.
pub(crate) const SEPARATOR: &str = r"(?:[ .-]|\xC2\xA0|\xE2\x80[\x87\x89\x90-\x94\xAF])";

/// A number cut into its groups of digits (or of letters and digits).
pub(crate) struct Groups {
    /// Every digit's value (or character), in order.
    pub(crate) digits: Vec<u8>,
    /// For each group: where it stands in the candidate, and which of `digits` it holds.
    pub(crate) groups: Vec<(Span, Range<usize>)>,
}

impl Groups {
    /// Groups of decimal digits; `digits` are values 0 to 9.
    pub(crate) fn of_digits(bytes: &[u8]) -> Groups {
        let mut all = Groups::split(bytes, u8::is_ascii_digit);
        for d in &mut all.digits {
            *d -= b'0';
        }
        all
    }

    /// Groups of letters and digits; `digits` are the characters.
    pub(crate) fn of_alphanumerics(bytes: &[u8]) -> Groups {
        Groups::split(bytes, u8::is_ascii_alphanumeric)
    }

    fn split(bytes: &[u8], belongs: fn(&u8) -> bool) -> Groups {
        let mut all = Groups { digits: Vec::with_capacity(24), groups: Vec::with_capacity(8) };
        let mut open = false;
        for (at, b) in bytes.iter().enumerate() {
            if !belongs(b) {
                open = false;
                continue;
            }
            let n = all.digits.len();
            all.digits.push(*b);
            match all.groups.last_mut().filter(|_| open) {
                Some((span, range)) => {
                    span.end = at + 1;
                    range.end = n + 1;
                }
                None => all.groups.push((Span::new(at, at + 1), n..n + 1)),
            }
            open = true;
        }
        all
    }

    /// Every run of whole groups, longest first from each start: the digits, their span, and the sizes of the groups.
    pub(crate) fn runs(&self) -> impl Iterator<Item = Run<'_>> {
        (0..self.groups.len())
            .flat_map(move |first| (first..self.groups.len()).rev().map(move |last| (first, last)))
            .filter_map(move |(first, last)| {
                let groups = self.groups.get(first..=last)?;
                let ((a, from), (b, to)) = (groups.first()?, groups.last()?);
                let digits = self.digits.get(from.start..to.end)?;
                Some(Run {
                    digits,
                    span: Span::new(a.start, b.end),
                    groups,
                    first,
                    whole: groups.len() == self.groups.len(),
                })
            })
    }
}

/// Some neighbouring groups.
pub(crate) struct Run<'a> {
    pub(crate) digits: &'a [u8],
    pub(crate) span: Span,
    groups: &'a [(Span, Range<usize>)],
    /// Index of its first group.
    pub(crate) first: usize,
    /// Whether it is all of the candidate's groups.
    pub(crate) whole: bool,
}

impl Run<'_> {
    /// How many groups.
    pub(crate) fn len(&self) -> usize {
        self.groups.len()
    }

    /// Whether the groups have exactly these sizes.
    pub(crate) fn is(&self, sizes: &[usize]) -> bool {
        self.sizes().eq(sizes.iter().copied())
    }

    /// The sizes of the groups.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = usize> {
        self.groups.iter().map(|(_, r)| r.len())
    }

    /// What stands between the groups, one entry for each gap.
    pub(crate) fn gaps<'b>(&'b self, bytes: &'b [u8]) -> impl Iterator<Item = &'b [u8]> {
        self.groups
            .iter()
            .zip(self.groups.iter().skip(1))
            .map(move |((a, _), (b, _))| bytes.get(a.end..b.start).unwrap_or_default())
    }

    /// Whether no dash, dot or slash ties it to a neighbouring group of the candidate.
    pub(crate) fn detached(&self, bytes: &[u8]) -> bool {
        let before = bytes.get(..self.span.start).unwrap_or_default();
        let after = bytes.get(self.span.end..).unwrap_or_default();
        !continues_from(before) && !continues_into(after)
    }

    /// Whether all gaps are the same.
    pub(crate) fn evenly_written(&self, bytes: &[u8]) -> bool {
        let mut gaps = self.gaps(bytes);
        gaps.next().is_none_or(|first| gaps.all(|g| g == first))
    }
}

/// Whether a number that ends in `before` runs on into the candidate: `12-` or `1.`, not `no. ` nor `12, `.
pub(crate) fn continues_from(before: &[u8]) -> bool {
    matches!(before, [.., d, b'-' | b'.' | b'/'] if d.is_ascii_digit())
}

/// Whether `before` ends like the inner part of a UUID: four hexadecimal digits and a dash.
pub(crate) fn continues_uuid(before: &[u8]) -> bool {
    matches!(before, [.., a, b, c, d, b'-'] if [a, b, c, d].iter().all(|x| x.is_ascii_hexdigit()))
}

/// Whether `before` ends like the head of an IBAN: country, check digits, separator.
pub(crate) fn continues_iban(before: &[u8]) -> bool {
    matches!(before, [.., a, b, c, d, b' ' | b'-']
        if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() && c.is_ascii_digit() && d.is_ascii_digit())
}

/// Whether the candidate runs on into `after`: `-12`, `.5`.
pub(crate) fn continues_into(after: &[u8]) -> bool {
    match after {
        [b, ..] if b.is_ascii_alphanumeric() || *b == b'_' => true,
        [b'-' | b'.' | b'/', d, ..] => d.is_ascii_digit(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_and_runs() {
        let g = Groups::of_digits(b"12 3-456");
        assert_eq!(g.digits, [1, 2, 3, 4, 5, 6]);
        let runs: Vec<_> = g.runs().map(|r| (r.span.start, r.span.end, r.digits.len(), r.whole)).collect();
        assert_eq!(
            runs,
            [
                (0, 8, 6, true),
                (0, 4, 3, false),
                (0, 2, 2, false),
                (3, 8, 4, false),
                (3, 4, 1, false),
                (5, 8, 3, false)
            ]
        );
        let all = g.runs().next().unwrap();
        assert!(all.is(&[2, 1, 3]) && !all.evenly_written(b"12 3-456"));
    }

    #[test]
    fn edges() {
        assert!(continues_uuid(b"41d4-a716-") && !continues_uuid(b"card-"));
        assert!(
            continues_from(b"v1.")
                && !continues_from(b"a-")
                && !continues_from(b"no. ")
                && !continues_from(b"-")
        );
        assert!(
            continues_into(b"-1") && continues_into(b"x") && !continues_into(b". ") && !continues_into(b"")
        );
    }
}
