//! Pages: what a browser does with them beside showing.

use crate::document::notebook::HOSTILE_OUTPUT;
use crate::scan::Scan;

/// Whether a browser shows this.
pub(super) fn is_page(name: &str, head: &str) -> bool {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension).to_ascii_lowercase();
    let head = head.trim_start().get(..64).unwrap_or(head).to_ascii_lowercase();
    matches!(extension.as_str(), "html" | "htm" | "xhtml")
        || head.starts_with("<!doctype html")
        || head.starts_with("<html")
}

/// Finds the reader's session on its way to somebody else: one statement takes it and sends it to an address.
pub(super) fn judge(text: &str, scan: &mut Scan<'_>) {
    const SECRETS: &[&str] = &["document.cookie", "localStorage", "sessionStorage"];
    const WAYS: &[&str] = &["fetch(", "sendBeacon(", ".src", "location", "XMLHttpRequest", ".open("];
    const STATEMENT: usize = 512;
    let lower_addresses = ["http://", "https://", "//"];
    let mut at = 0;
    for statement in text.split_inclusive([';', '\n']) {
        let start = at;
        at += statement.len() as u64;
        let hostile = statement.len() <= STATEMENT
            && SECRETS.iter().any(|secret| statement.contains(secret))
            && WAYS.iter().any(|way| statement.contains(way))
            && lower_addresses.iter().any(|address| {
                ['"', '\'', '`', '='].iter().any(|mark| statement.contains(&format!("{mark}{address}")))
            });
        if hostile {
            scan.find(&HOSTILE_OUTPUT, start, "a script sends the reader's session away");
        }
    }
}
