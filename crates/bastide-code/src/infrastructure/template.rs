//! Templates of manifests, as Helm writes them: read as far as they are manifests without their values.

/// Whether what stands in braces are values of Helm, and not of a tool that keeps YAML.
pub(crate) fn is_helm(text: &str) -> bool {
    [".Values", ".Release", ".Chart", "include ", "toYaml", "tpl "].iter().any(|word| text.contains(word))
}

/// `text` with a word for each value, and without the lines that only steer. Lines keep their numbers.
pub(crate) fn plain(text: &str) -> std::borrow::Cow<'_, str> {
    let mut plain = String::with_capacity(text.len());
    let mut inside = false;
    for line in text.split_inclusive('\n') {
        let bare = line.trim();
        let steers =
            (bare.starts_with("{{") && bare.ends_with("}}") && bare.matches("{{").count() == 1) || inside;
        if steers || (bare.starts_with("{{") && !bare.contains("}}")) {
            inside = !bare.contains("}}");
            plain.push('\n');
            continue;
        }
        let mut rest = line;
        while let Some(start) = rest.find("{{") {
            plain.push_str(rest.get(..start).unwrap_or_default());
            plain.push_str("templated");
            let after = rest.get(start..).unwrap_or_default();
            rest = after.find("}}").and_then(|end| after.get(end + 2..)).unwrap_or("\n");
        }
        plain.push_str(rest);
    }
    plain.into()
}
