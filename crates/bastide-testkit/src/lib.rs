//! What bastide's tests and benchmarks stand on: a model server that does as it is told, a client that counts, and a
//! handle on the real binary.
//!
//! It owns a few tools. [`MockUpstream`] is an OpenAI-compatible server over a raw socket, so that every way in which
//! a provider can misbehave (a cut in mid-stream, bytes that are not HTTP, a character split over two packets) is
//! one line in a test. [`Collector`] takes what an OTLP exporter posts. [`load`] is a closed-loop generator that measures latency and reads the CPU time of the server
//! under test from the kernel. [`BastideProcess`] starts the binary on a data folder, waits until it is ready and ends
//! it with the test; [`Kill9`] ends it sooner than that.
//!
//! It knows nothing of bastide's own crates, the offline verifier excepted: what it sees is what a client, a provider
//! or an auditor would see.
//!
//! ```
//! use bastide_testkit::{ChatReply, MockConfig, MockUpstream, Pieces};
//!
//! let mock = MockUpstream::start_blocking(MockConfig { record: true, ..MockConfig::default() })?;
//! let reply = ChatReply::text("the card is 4111 1111 1111 1111");
//! mock.answer("a-model", reply.stream(&Pieces::Chars(3), true));
//! println!("requests for `a-model` to {} now stream in threes", mock.base_url());
//! assert!(mock.received().is_empty());
//! # Ok::<(), bastide_testkit::MockError>(())
//! ```

mod bastide;
mod collector;
mod http1;
mod kill9;
pub mod load;
mod mock;
mod places;
mod process;

pub use bastide::{BastideBuilder, BastideError, BastideProcess, Key, find_binary};
pub use collector::{Collector, CollectorMode};
pub use kill9::{Kill9, Kill9Error, Kill9Report};
pub use mock::{
    ChatReply, Choice, MockConfig, MockError, MockUpstream, Pieces, Received, Reply, Scenario, SseStyle,
    Step, ToolCall, last_user_text,
};
pub use places::{free_port, temp_folder};
pub use process::{Memory, cpu_time, memory, pin_to_cpu};
