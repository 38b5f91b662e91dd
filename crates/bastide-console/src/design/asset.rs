//! The files that pages refer to, part of the program.

use std::sync::LazyLock;

/// Where the router serves them: this, then [`Asset::file_name`].
pub const ASSET_PATH: &str = "/console/assets/";

/// What every page of the console is sent with. Nothing inline runs or styles, nothing comes from elsewhere, no other
/// site frames a page or receives a form.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// How long a client may keep an asset: its name changes with its content.
pub const ASSET_CACHE_CONTROL: &str = "public, max-age=31536000, immutable";

/// One embedded file.
#[derive(Debug)]
pub struct Asset {
    stem: &'static str,
    extension: &'static str,
    /// The media type to serve it with.
    pub content_type: &'static str,
    /// The file.
    pub bytes: &'static [u8],
    name: LazyLock<String>,
}

macro_rules! asset {
    ($static:ident, $stem:literal, $extension:literal, $content_type:literal, $doc:literal) => {
        #[doc = $doc]
        pub(crate) static $static: Asset = Asset {
            stem: $stem,
            extension: $extension,
            content_type: $content_type,
            bytes: include_bytes!(concat!("../../assets/", $stem, ".", $extension)),
            name: LazyLock::new(|| $static.hashed_name()),
        };
    };
}

asset!(STYLE, "console", "css", "text/css; charset=utf-8", "Every style.");
asset!(SCRIPT, "console", "js", "text/javascript; charset=utf-8", "What a page does beyond links and forms.");
asset!(FAVICON, "mark", "svg", "image/svg+xml", "The mark, for the browser's tab.");

/// Every embedded file.
#[must_use]
pub fn assets() -> [&'static Asset; 3] {
    [&STYLE, &SCRIPT, &FAVICON]
}

/// The asset of this file name, hash and all.
#[must_use]
pub fn asset(file_name: &str) -> Option<&'static Asset> {
    assets().into_iter().find(|asset| asset.file_name() == file_name)
}

impl Asset {
    /// Its name with the hash of its content: `console.5f0c….css`.
    #[must_use]
    pub fn file_name(&self) -> &str {
        &self.name
    }

    fn hashed_name(&self) -> String {
        format!("{}.{:016x}.{}", self.stem, fnv1a(self.bytes), self.extension)
    }
}

/// FNV-1a of 64 bits. It tells one build's file from another's; nobody gains by making two alike.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv1a() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn assets_are_found_by_the_name_that_pages_use_and_by_no_other() {
        for one in assets() {
            assert_eq!(asset(one.file_name()).map(|found| found.bytes), Some(one.bytes));
        }
        assert!(asset("console.css").is_none());
        assert!(asset("../console.css").is_none());
    }

    #[test]
    fn assets_stay_small() {
        assert!(STYLE.bytes.len() <= 32_000, "the style has {} bytes", STYLE.bytes.len());
        assert!(SCRIPT.bytes.len() <= 12_000, "the script has {} bytes", SCRIPT.bytes.len());
    }
}
