//! Folders and ports that belong to one test.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

/// A folder that goes away with the value.
///
/// # Errors
/// When the system's temporary folder cannot be written.
pub fn temp_folder() -> io::Result<tempfile::TempDir> {
    tempfile::Builder::new().prefix("bastide-test-").tempdir()
}

/// A loopback port that was free a moment ago. Another process may take it before its user does: a server that can
/// listen on port 0 should rather do that.
///
/// # Errors
/// When no port can be bound at all.
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_can_be_bound_and_a_folder_goes_away() {
        assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, free_port().unwrap())).is_ok());
        let folder = temp_folder().unwrap();
        let path = folder.path().to_owned();
        assert!(path.is_dir());
        drop(folder);
        assert!(!path.exists());
    }
}
