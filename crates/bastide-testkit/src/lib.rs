//! A mock upstream, a load generator and a fault-injecting disk for bastide's own tests and benchmarks.
