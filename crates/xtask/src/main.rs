//! Build, test and measure bastide.
fn main() {}
