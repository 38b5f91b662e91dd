//! Cedar policies behind a sound index: may this principal do this?
