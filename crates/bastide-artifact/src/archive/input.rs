//! Bytes of a source as decoders take them: forward, through one small buffer.

use std::cell::RefCell;
use std::io::{self, Read};
use std::rc::Rc;

use crate::source::Source;

/// How much is asked of the source at once.
const CHUNK: usize = 32 << 10;

/// A place in a source that several decoders share one after the other.
///
/// None of them reads ahead, so where one stream ends the next is found.
#[derive(Clone)]
pub(crate) struct Input<'a>(Rc<RefCell<Buffered<'a>>>);

struct Buffered<'a> {
    source: &'a dyn Source,
    /// Offset of the end of `buffer` in the source.
    end: u64,
    buffer: Vec<u8>,
    at: usize,
}

impl<'a> Input<'a> {
    pub(crate) fn new(source: &'a dyn Source) -> Self {
        Input(Rc::new(RefCell::new(Buffered { source, end: 0, buffer: Vec::new(), at: 0 })))
    }

    /// Offset of the next byte.
    pub(crate) fn position(&self) -> u64 {
        let this = self.0.borrow();
        this.end - (this.buffer.len() - this.at) as u64
    }

    /// Goes to `offset`, which lies before or behind.
    pub(crate) fn seek(&self, offset: u64) {
        let mut this = self.0.borrow_mut();
        this.buffer.clear();
        this.at = 0;
        this.end = offset;
    }

    /// Lets `work` use up bytes: it gets all that are buffered, none at the end, and gives how many it took.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&[u8]) -> (usize, T)) -> io::Result<T> {
        let mut this = self.0.borrow_mut();
        this.fill()?;
        let (used, result) = work(this.buffer.get(this.at..).unwrap_or_default());
        this.at = this.buffer.len().min(this.at.saturating_add(used));
        Ok(result)
    }

    /// The next `N` bytes without passing over them; `None` where fewer are left.
    pub(crate) fn peek<const N: usize>(&self) -> io::Result<Option<[u8; N]>> {
        let place = self.position();
        let mut bytes = [0; N];
        let read = self.clone().read_exact(&mut bytes);
        self.seek_within(place);
        match read {
            Ok(()) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Goes to `offset`, and keeps the buffer if it has it.
    fn seek_within(&self, offset: u64) {
        let mut this = self.0.borrow_mut();
        let start = this.end - this.buffer.len() as u64;
        match offset.checked_sub(start).and_then(|at| usize::try_from(at).ok()) {
            Some(at) if at <= this.buffer.len() => this.at = at,
            _ => {
                drop(this);
                self.seek(offset);
            }
        }
    }

    /// Passes over `count` bytes.
    pub(crate) fn skip(&self, count: u64) {
        self.seek_within(self.position().saturating_add(count));
    }
}

impl Buffered<'_> {
    fn fill(&mut self) -> io::Result<()> {
        if self.at < self.buffer.len() {
            return Ok(());
        }
        self.buffer.resize(CHUNK, 0);
        self.at = 0;
        let read = self.source.read_at(self.end, &mut self.buffer);
        self.buffer.truncate(*read.as_ref().unwrap_or(&0));
        self.end += self.buffer.len() as u64;
        read.map(|_| ())
    }
}

impl Read for Input<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.with(|bytes| {
            let n = bytes.len().min(into.len());
            if let (Some(into), Some(bytes)) = (into.get_mut(..n), bytes.get(..n)) {
                into.copy_from_slice(bytes);
            }
            (n, n)
        })
    }
}
