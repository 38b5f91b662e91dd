//! A body on its way into the store.

use bastide_types::ExchangeId;
use bytes::Bytes;
use zeroize::Zeroizing;

/// The most that is kept of one body, in bytes. Long contexts are megabytes; what matters of one stands in its first.
pub const MAX_BODY_BYTES: usize = 1 << 20;

/// Which body of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BodyKind {
    /// The request as the caller sent it.
    RequestReceived,
    /// The request as it left for the provider.
    RequestSent,
    /// The answer as the provider sent it.
    ResponseReceived,
    /// The answer as the caller got it.
    ResponseSent,
}

impl BodyKind {
    /// Every kind, in the order of an exchange.
    pub const ALL: [BodyKind; 4] = [
        BodyKind::RequestReceived,
        BodyKind::RequestSent,
        BodyKind::ResponseReceived,
        BodyKind::ResponseSent,
    ];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            BodyKind::RequestReceived => "request received",
            BodyKind::RequestSent => "request sent",
            BodyKind::ResponseReceived => "response received",
            BodyKind::ResponseSent => "response sent",
        }
    }

    pub(super) const fn number(self) -> u8 {
        match self {
            BodyKind::RequestReceived => 1,
            BodyKind::RequestSent => 2,
            BodyKind::ResponseReceived => 3,
            BodyKind::ResponseSent => 4,
        }
    }

    pub(super) fn from_number(number: u8) -> Option<Self> {
        BodyKind::ALL.into_iter().find(|kind| kind.number() == number)
    }
}

/// The key that seals the bodies of one exchange, derived from its subject's key. Wiped on drop; has no `Debug`.
#[derive(Clone)]
pub struct BodyKey {
    key: Zeroizing<[u8; 32]>,
    subject: [u8; 8],
}

impl BodyKey {
    pub(crate) const fn new(key: Zeroizing<[u8; 32]>, subject: [u8; 8]) -> Self {
        BodyKey { key, subject }
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.key
    }

    /// Which subject's key it comes from, without saying whose that is.
    pub(super) const fn subject(&self) -> [u8; 8] {
        self.subject
    }
}

/// A text to be kept. Has no `Debug`: it is personal data.
pub struct Body {
    pub(super) exchange: ExchangeId,
    pub(super) kind: BodyKind,
    pub(super) key: BodyKey,
    pub(super) text: Bytes,
    /// Bytes of the whole, of which `text` may be only the beginning.
    pub(super) size: u64,
    pub(super) prefix: bool,
}

impl Body {
    /// A whole body, of which the first [`MAX_BODY_BYTES`] are kept. A shorter `text` is held as it is, with the buffer that
    /// it may be a slice of: let it be none of a read buffer.
    #[must_use]
    pub fn new(exchange: ExchangeId, key: BodyKey, kind: BodyKind, text: &Bytes) -> Self {
        let size = u64::try_from(text.len()).unwrap_or(u64::MAX);
        let text = match text.get(..MAX_BODY_BYTES) {
            // A slice would hold on to all of a body that may have tens of megabytes.
            Some(beginning) if text.len() > MAX_BODY_BYTES => Bytes::copy_from_slice(beginning),
            _ => text.clone(),
        };
        Body { exchange, kind, key, text, size, prefix: false }
    }

    /// The beginning of a body that had `size` bytes.
    #[must_use]
    pub fn beginning(exchange: ExchangeId, key: BodyKey, kind: BodyKind, text: Bytes, size: u64) -> Self {
        let mut body = Body::new(exchange, key, kind, &text);
        body.size = size.max(body.size);
        body
    }

    /// A sent body that is the first `size` bytes of the received one and needs no copy.
    #[must_use]
    pub const fn prefix(exchange: ExchangeId, key: BodyKey, kind: BodyKind, size: u64) -> Self {
        Body { exchange, kind, key, text: Bytes::new(), size, prefix: true }
    }
}
