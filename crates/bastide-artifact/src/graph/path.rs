//! Paths that a graph names.

/// Why `path` leads out of the model's folder; nothing where it stays.
pub(super) fn escape(path: &str) -> Option<&'static str> {
    let bytes = path.as_bytes();
    let scheme = path.split_once(':').is_some_and(|(scheme, rest)| {
        !scheme.is_empty()
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'.' | b'-'))
            && (rest.starts_with("//") || scheme.eq_ignore_ascii_case("file"))
    });
    if path.contains('\0') {
        Some("holds a NUL")
    } else if scheme {
        Some("is an address")
    } else if matches!(bytes, [b'a'..=b'z' | b'A'..=b'Z', b':', ..]) {
        Some("names a drive")
    } else if matches!(bytes.first(), Some(b'/' | b'\\')) {
        Some("is absolute")
    } else if bytes.first() == Some(&b'~') {
        Some("names a home folder")
    } else if path.split(['/', '\\']).any(|part| part.trim() == "..") {
        Some("leaves the model's folder")
    } else if path.split(['/', '\\']).any(|part| part.contains("%2e%2e") || part.contains("%2E%2E")) {
        Some("hides a way out of the model's folder")
    } else {
        None
    }
}

/// Whether `path` lies where hosts keep what is theirs: no data of a model is there.
///
/// Exported graphs keep the paths that vocabularies had where the model was trained, which nothing opens any more: an
/// absolute path alone says little.
pub(crate) fn is_of_host(path: &str) -> bool {
    /// Containers train as root, and libraries keep what they fetched there.
    const CACHES: &[&str] = &["/root/.keras/", "/root/.cache/", "/root/.kaggle/"];
    const PLACES: &[&str] =
        &["/etc/", "/proc/", "/sys/", "/dev/", "/root/", "/boot/", "/var/run/", "/run/", "/var/log/"];
    let path = path.strip_prefix("file://").unwrap_or(path).replace('\\', "/");
    let upward = path.split('/').filter(|part| part.trim() == "..").count();
    let cached = CACHES.iter().any(|cache| path.starts_with(cache));
    PLACES.iter().any(|place| path.starts_with(place)) && !cached
        || ["/.ssh/", "/.aws/", "/.kube/", "/.gnupg/", "/.docker/", "/.netrc", "/.config/", "/Windows/"]
            .iter()
            .any(|place| path.contains(place))
        || upward >= 3
}

#[cfg(test)]
mod tests {
    use super::{escape, is_of_host};

    #[test]
    fn places_of_the_host_are_told_from_those_of_training() {
        for path in [
            "/etc/passwd",
            "file:///etc/shadow",
            "/home/user/.ssh/id_rsa",
            "../../../x",
            "C:\\Windows\\win.ini",
        ] {
            assert!(is_of_host(path), "{path:?}");
        }
        for path in [
            "/tmp/vocab.txt",
            "/home/user/model/vocab.txt",
            "assets/vocab.txt",
            "../vocab.txt",
            "/root/.keras/datasets/vocab.txt",
            "gs://b/etc/x",
        ] {
            assert!(!is_of_host(path), "{path:?}");
        }
    }

    #[test]
    fn ways_out_are_seen_and_plain_names_are_not() {
        for path in [
            "../x",
            "a/../../x",
            "a\\..\\x",
            "/etc/passwd",
            "\\\\host\\share",
            "C:\\x",
            "c:x",
            "file:///x",
            "http://h/x",
            "file:x",
            "~/x",
            "a\0b",
            "..",
            "s3://b/k",
            "%2e%2e/x",
        ] {
            assert!(escape(path).is_some(), "{path:?}");
        }
        for path in ["model.onnx.data", "weights/a.bin", "a..b", "...", "ab:c", "./x", "", "x~"] {
            assert!(escape(path).is_none(), "{path:?}");
        }
    }
}
