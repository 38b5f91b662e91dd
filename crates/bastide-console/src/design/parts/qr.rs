//! A text that a camera reads.

use askama::Template;
use qrcode::{Color, EcLevel, QrCode};

use crate::design::html::component;

/// The empty frame around it, in modules (ISO/IEC 18004, 9.1): readers find the edge by it.
const QUIET: usize = 4;

/// A QR code, drawn on the server. Dark on light in every theme: many readers do not see the inverse.
#[derive(Clone, Template)]
#[template(
    source = r##"<svg class="qr" viewBox="0 0 {{ side }} {{ side }}" width="{{ side * 5 }}" height="{{ side * 5 }}" role="img" aria-label="{{ label }}" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h{{ side }}v{{ side }}H0z"/><path fill="#000" d="{{ dark }}"/></svg>"##,
    ext = "html"
)]
pub struct Qr {
    label: &'static str,
    side: usize,
    dark: String,
}

component!(Qr);

impl Qr {
    /// Of a text; `None` when it is longer than a code can hold. `label` says what it is to who cannot see it: the text
    /// stands beside it.
    #[must_use]
    pub fn new(text: &str, label: &'static str) -> Option<Self> {
        let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
        let (width, colours) = (code.width(), code.into_colors());
        let mut dark = String::new();
        for (y, row) in colours.chunks(width.max(1)).enumerate() {
            let mut x = 0;
            // Neighbours as one piece: half the bytes, and no hair between them.
            for run in row.chunk_by(|one, next| one == next) {
                if run.first() == Some(&Color::Dark) {
                    let n = run.len();
                    dark.push_str(&format!("M{} {}h{n}v1h-{n}z", x + QUIET, y + QUIET));
                }
                x += run.len();
            }
        }
        Some(Qr { label, side: width + 2 * QUIET, dark })
    }
}

/// What it says may be a secret.
impl std::fmt::Debug for Qr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Qr(…)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    /// The modules of a code, read back from its path.
    fn modules(qr: &Qr) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        for run in qr.dark.split_terminator('z') {
            let (x, rest) = run.strip_prefix('M').and_then(|r| r.split_once(' ')).expect("a place");
            let (y, rest) = rest.split_once('h').expect("a run");
            let (length, _) = rest.split_once('v').expect("a height");
            let number = |text: &str| text.parse::<usize>().expect("a number");
            found.extend((0..number(length)).map(|at| (number(x) + at, number(y))));
        }
        found
    }

    #[test]
    fn it_has_its_three_corners_and_a_quiet_frame() {
        let qr = Qr::new("otpauth://totp/bastide:ada?secret=ABC", "a code").expect("fits");
        let dark = modules(&qr);
        let (first, last) = (QUIET, qr.side - QUIET - 1);
        assert!(dark.iter().all(|(x, y)| (first..=last).contains(x) && (first..=last).contains(y)));
        for corner in [(first, first), (last, first), (first, last)] {
            assert!(dark.contains(&corner), "{corner:?}");
        }
        assert!(!dark.contains(&(first + 1, first + 1)), "the ring of a finder is empty inside");
        assert!(Qr::new(&"x".repeat(10_000), "too long").is_none());
        assert!(!format!("{qr:?}").contains('M'));
    }
}
