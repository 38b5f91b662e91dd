//! Verifies receipts and logs of bastide offline, sharing no code with their writer.
