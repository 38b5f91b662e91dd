//! What a form or a query string says.

use std::borrow::Cow;

/// Fields of one form; the largest of ours has a dozen.
const MOST_FIELDS: usize = 200;

/// Fields by name, in the order they came.
#[derive(Clone, Default)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads `application/x-www-form-urlencoded` (WHATWG URL, section 5). What is beyond the bound is left out.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(bytes).take(MOST_FIELDS);
        Fields(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    /// The first field of this name, as it came.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The first field of this name without blanks around it; empty when there is none.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default().trim()
    }

    /// As [`Fields::text`]; `None` when nothing is left.
    pub(crate) fn given(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    /// Puts another value in the place of the first field of this name.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        if let Some((_, held)) = self.0.iter_mut().find(|(n, _)| n == name) {
            value.clone_into(held);
        }
    }

    /// Every field, in the order they came.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether a box of this name was ticked.
    pub(crate) fn ticked(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value != "false" && !value.is_empty())
    }

    /// A whole number. `Ok(None)` when the field was left empty.
    ///
    /// # Errors
    /// What to tell whoever typed it.
    pub(crate) fn number<N: std::str::FromStr>(&self, name: &str) -> Result<Option<N>, String> {
        let Some(text) = self.given(name) else { return Ok(None) };
        let shown: Cow<'_, str> = text.chars().take(40).collect();
        text.parse().map(Some).map_err(|_| format!("`{shown}` is no whole number in range; digits only"))
    }
}

/// Names only: values may be secrets.
impl std::fmt::Debug for Fields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_as_browsers_write_them() {
        let fields = Fields::parse("name=my+app&name=b&limit=+12+&box=on&empty=&p=%C3%A9%26".as_bytes());
        assert_eq!((fields.text("name"), fields.text("p")), ("my app", "\u{e9}&"));
        assert_eq!(fields.number::<u64>("limit"), Ok(Some(12)));
        assert_eq!(fields.number::<u64>("empty"), Ok(None));
        assert!(fields.number::<u8>("name").is_err() && fields.ticked("box") && !fields.ticked("empty"));
        assert!(!format!("{fields:?}").contains("my app"));
    }

    #[test]
    fn an_endless_form_is_cut() {
        let many = "a=1&".repeat(10_000);
        assert_eq!(Fields::parse(many.as_bytes()).0.len(), MOST_FIELDS);
        Fields::parse(&[0xff; 100]);
    }
}
