//! Where the parts of a document type declaration begin and end (XML 1.0, productions 15, 16, 28 and 69 to 83). A quotation
//! mark means nothing in a comment or an instruction, and the marks of those mean nothing in a quoted text.

/// A document type declaration, without `<!DOCTYPE`.
pub(super) struct Doctype<'a> {
    /// The name of the root, and where the type is taken from.
    pub(super) head: &'a str,
    /// What is declared between the brackets, where there are any.
    pub(super) subset: Option<Subset<'a>>,
}

impl<'a> Doctype<'a> {
    /// Reads the declaration at the start of `text`, which may be cut short.
    pub(super) fn parse(text: &'a str) -> Self {
        let end = outside_literals(text, &['[', '>']).unwrap_or(text.len());
        let (head, rest) = text.split_at_checked(end).unwrap_or((text, ""));
        let subset = rest.strip_prefix('[').map(|rest| Subset { rest });
        Doctype { head, subset }
    }
}

/// What stands behind the declaration at the start of `text`, if it ends.
pub(super) fn behind(text: &str) -> Option<&str> {
    let Doctype { head, subset } = Doctype::parse(text);
    let rest = match subset {
        Some(mut subset) => {
            subset.by_ref().for_each(drop);
            subset.rest.strip_prefix(']')?
        }
        None => text.get(head.len()..)?,
    };
    rest.get(rest.find('>')? + 1..)
}

/// The declarations, comments and instructions between the brackets, each from its `<` on.
pub(super) struct Subset<'a> {
    /// What was not read yet; the closing bracket in the end.
    rest: &'a str,
}

impl<'a> Iterator for Subset<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let at = self.rest.find(['<', ']']).unwrap_or(self.rest.len());
        let markup = self.rest.get(at..)?;
        self.rest = markup;
        if !markup.starts_with('<') {
            return None;
        }
        let (part, rest) = markup.split_at_checked(length(markup)).unwrap_or((markup, ""));
        self.rest = rest;
        Some(part)
    }
}

/// The length of the markup at the start of `text`, which is all of it where the markup does not end.
fn length(text: &str) -> usize {
    let from = |start: usize, end: &str| {
        text.get(start..).and_then(|rest| rest.find(end)).map(|at| start + at + end.len())
    };
    let end = if text.starts_with("<!--") {
        from("<!--".len(), "-->")
    } else if text.starts_with("<?") {
        from("<?".len(), "?>")
    } else if text.starts_with("<!ELEMENT") {
        from(0, ">")
    } else {
        outside_literals(text, &['>']).map(|at| at + 1)
    };
    end.unwrap_or(text.len())
}

/// Where one of `signs` first stands outside of quotation marks.
fn outside_literals(text: &str, signs: &[char]) -> Option<usize> {
    let mut quote = None;
    text.char_indices().find_map(|(at, c)| {
        match quote {
            Some(open) if open == c => quote = None,
            Some(_) => {}
            None if matches!(c, '"' | '\'') => quote = Some(c),
            None if signs.contains(&c) => return Some(at),
            None => {}
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<&str> {
        Doctype::parse(text).subset.into_iter().flatten().collect()
    }

    #[test]
    fn marks_count_only_where_they_mean_something() {
        assert_eq!(
            parts(r#" r [<!ENTITY a "<!--"><!ENTITY x '"'><!ENTITY b "-->">]>"#),
            [r#"<!ENTITY a "<!--">"#, r#"<!ENTITY x '"'>"#, r#"<!ENTITY b "-->">"#]
        );
        assert_eq!(
            parts(r#" r [<?x it's "?> %a; <!-- ]> <!ENTITY y --><!ENTITY x "]>">]>"#),
            [r#"<?x it's "?>"#, "<!-- ]> <!ENTITY y -->", r#"<!ENTITY x "]>">"#]
        );
        assert_eq!(parts(r#" r SYSTEM "[<a>" >"#), [""; 0]);
        assert_eq!(parts(r#" r [<!ENTITY x "#), ["<!ENTITY x "]);
    }

    #[test]
    fn the_end_is_behind_the_brackets() {
        assert_eq!(behind(r#" r [<?x it's ?><!ENTITY a "]>"> ] ><r/>"#), Some("<r/>"));
        assert_eq!(behind(r#" r SYSTEM "a>b"><r/>"#), Some("<r/>"));
        assert_eq!(behind(" r><r/>"), Some("<r/>"));
        assert_eq!(behind(" r [<!-- "), None);
        assert_eq!(behind(r#" r [<!ENTITY a ">]>"#), None);
    }
}
