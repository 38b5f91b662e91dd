//! What the fuzz targets claim. See `README.md`.

pub mod targets;
