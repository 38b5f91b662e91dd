//! Which answers of a stream have ended.

use std::collections::BTreeMap;

/// Answers of one stream that are followed; the OpenAI API allows 128.
const MAX_CHOICES: usize = 256;

/// The answers of one stream that have spoken or ended.
#[derive(Debug, Default)]
pub(crate) struct Choices {
    /// Whether each has ended.
    seen: BTreeMap<u32, bool>,
    /// How many of them have not.
    open: usize,
    /// There are more than can be followed.
    lost: bool,
}

impl Choices {
    /// An answer says something.
    pub(crate) fn speaks(&mut self, choice: u32) {
        if !self.seen.contains_key(&choice) {
            self.add(choice, false);
        }
    }

    /// An answer ends, perhaps again.
    pub(crate) fn ends(&mut self, choice: u32) {
        match self.seen.get_mut(&choice) {
            Some(ended) => self.open -= usize::from(!std::mem::replace(ended, true)),
            None => self.add(choice, true),
        }
    }

    /// Whether there was an answer and all have ended.
    pub(crate) fn are_over(&self) -> bool {
        !self.seen.is_empty() && self.open == 0 && !self.lost
    }

    fn add(&mut self, choice: u32, ended: bool) {
        if self.seen.len() >= MAX_CHOICES {
            self.lost = true;
            return;
        }
        self.seen.insert(choice, ended);
        self.open += usize::from(!ended);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_over_when_every_answer_has_ended() {
        let mut choices = Choices::default();
        assert!(!choices.are_over(), "nothing came");
        choices.speaks(0);
        choices.speaks(1);
        // Some servers say it with every event from then on.
        (0..2 * MAX_CHOICES).for_each(|_| choices.ends(0));
        assert!(!choices.are_over());
        choices.ends(1);
        assert!(choices.are_over());
        choices.speaks(1);
        assert!(choices.are_over(), "what has ended stays so");
        choices.speaks(2);
        assert!(!choices.are_over());
        choices.ends(2);
        choices.ends(3);
        assert!(choices.are_over(), "one that never spoke ends too");
    }

    #[test]
    fn more_answers_than_are_followed_are_never_over() {
        let mut choices = Choices::default();
        (0..).take(MAX_CHOICES).for_each(|choice| choices.ends(choice));
        assert!(choices.are_over());
        choices.speaks(u32::MAX);
        choices.ends(u32::MAX);
        assert!(!choices.are_over(), "nobody knows of it");
        assert_eq!(choices.seen.len(), MAX_CHOICES);
    }
}
