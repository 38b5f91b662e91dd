//! Content that text inspection cannot read.

/// A part that passes only by an explicit grant and appears in the receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unscanned {
    /// JSON pointer of the part.
    pub path: String,
    /// What it is.
    pub kind: UnscannedKind,
}

/// What cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnscannedKind {
    /// An image, by value or by address.
    Image,
    /// Sound.
    Audio,
    /// A file.
    File,
    /// A kind of content part that this dialect does not define; its text is inspected, what it points to is not.
    Other,
}

impl UnscannedKind {
    /// The name used in the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            UnscannedKind::Image => "image",
            UnscannedKind::Audio => "audio",
            UnscannedKind::File => "file",
            UnscannedKind::Other => "other",
        }
    }
}

/// Whether a string is nothing but encoded bytes: base64, or a `data:` URL (RFC 2397) of base64 with an ordinary
/// media type. Anything else might be words.
pub(crate) fn is_payload(text: &str) -> bool {
    let bytes = text.as_bytes();
    if !bytes.get(..5).is_some_and(|head| head.eq_ignore_ascii_case(b"data:")) {
        return base64(bytes);
    }
    // `data:image/png;base64,`; a longer head than this carries parameters that are text.
    let Some(comma) = memchr::memchr(b',', bytes.get(..96).unwrap_or(bytes)) else { return false };
    let head = bytes.get(5..comma).unwrap_or_default();
    let Some(media) = head.strip_suffix(b";base64") else { return false };
    media.iter().all(|b| b.is_ascii_alphabetic() || b"/+.-".contains(b) || b.is_ascii_digit())
        && media.iter().filter(|b| b.is_ascii_digit()).count() <= 4
        && base64(bytes.get(comma + 1..).unwrap_or_default())
}

/// The alphabets of RFC 4648 sections 4 and 5. Short runs might be words or numbers: the smallest GIF has 35 bytes.
fn base64(bytes: &[u8]) -> bool {
    bytes.len() >= 40 && bytes.iter().all(|&b| b.is_ascii_alphanumeric() || b"+/=-_".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_encoded_bytes_count_as_payload() {
        let b64 = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
        for yes in
            [b64.to_owned(), format!("data:image/png;base64,{b64}"), format!("DATA:audio/x-wav;base64,{b64}")]
        {
            assert!(is_payload(&yes), "{yes}");
        }
        for no in [
            "https://example.com/a.png".to_owned(),
            "data:text/plain,my number is 4111 1111 1111 1111".to_owned(),
            format!("data:text/plain;name=ada@example.com;base64,{b64}"),
            format!("data:image/4111111111111111;base64,{b64}"),
            format!("data:image/png;base64,{b64} and words"),
            "4111111111111111".to_owned(),
            String::new(),
        ] {
            assert!(!is_payload(&no), "{no}");
        }
    }
}
