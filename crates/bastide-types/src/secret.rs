//! Values that do not print. They have the short names on purpose: the safe one is the one at hand.

use std::fmt;

use zeroize::Zeroize;

/// A credential. Wiped when dropped; prints as `[secret]`.
#[derive(Clone)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes the value in.
    pub const fn new(value: T) -> Self {
        Secret(value)
    }

    /// The value. Each use is a place to review.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Personal data or payload. Prints as `[sensitive]`.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Sensitive<T>(T);

impl<T> Sensitive<T> {
    /// Takes the value in.
    pub const fn new(value: T) -> Self {
        Sensitive(value)
    }

    /// The value. Each use is a place to review.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// Gives the value back.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> fmt::Debug for Sensitive<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sensitive]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_prints_its_value() {
        let shown = format!("{:?} {:?}", Secret::new("hunter2".to_owned()), Sensitive::new("Ada"));
        assert_eq!(shown, "[secret] [sensitive]");
    }
}
