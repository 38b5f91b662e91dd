//! From values to places.

/// Beyond it, a value is drawn as if it were this: sums and differences stay finite.
const LARGEST: f64 = 1e15;

/// The value as it is drawn: within bounds, and no number where it is not finite.
pub(super) fn bounded(value: f64) -> f64 {
    if value.is_finite() { value.clamp(-LARGEST, LARGEST) } else { f64::NAN }
}

/// An axis whose ends and steps are numbers that people like: 1, 2 and 5 and their tens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    step: f64,
}

impl Scale {
    /// A scale that holds zero and every value, in about four steps.
    pub(super) fn holding(values: impl IntoIterator<Item = f64>) -> Self {
        let (mut low, mut high) = (0.0_f64, 0.0_f64);
        for value in values.into_iter().filter(|value| value.is_finite()).map(bounded) {
            (low, high) = (low.min(value), high.max(value));
        }
        if high - low < 1e-12 {
            high = low + 1.0;
        }
        let rough = (high - low) / 4.0;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0]
            .into_iter()
            .map(|nice| nice * power)
            .find(|step| *step >= rough * 0.999);
        let step = step.unwrap_or(rough);
        Scale { low: (low / step).floor() * step, high: (high / step - 1e-9).ceil() * step, step }
    }

    /// The values of its lines, least first; at most eight.
    pub(super) fn ticks(&self) -> Vec<f64> {
        let last = self.high + self.step / 2.0;
        (0..8u8).map(|n| self.low + f64::from(n) * self.step).take_while(|value| *value <= last).collect()
    }

    /// How far down a value is in a drawing of this height, with room above for the words of the topmost line.
    pub(super) fn y(&self, value: f64, height: f64) -> f64 {
        const ROOM: f64 = 16.0;
        let part = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        ROOM + (1.0 - part) * (height - ROOM)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn steps_are_liked() {
        assert_eq!(Scale::holding([3.0, 97.0]).ticks(), [0.0, 25.0, 50.0, 75.0, 100.0]);
        assert_eq!(Scale::holding([1.0, 12.0]).ticks(), [0.0, 5.0, 10.0, 15.0]);
        assert_eq!(Scale::holding([-3.0, 4.0]).ticks(), [-4.0, -2.0, 0.0, 2.0, 4.0]);
        assert_eq!(Scale::holding([]).ticks(), [0.0, 0.25, 0.5, 0.75, 1.0]);
    }

    proptest! {
        #[test]
        fn any_values_have_a_place(values in prop::collection::vec(prop::num::f64::ANY, 0..20)) {
            let scale = Scale::holding(values.iter().copied());
            let ticks = scale.ticks();
            prop_assert!((2..=8).contains(&ticks.len()), "{scale:?}");
            prop_assert!(ticks.iter().all(|tick| tick.is_finite()));
            for value in values.into_iter().map(bounded).filter(|value| value.is_finite()) {
                prop_assert!((16.0..=100.0).contains(&scale.y(value, 100.0)), "{scale:?} {value}");
                prop_assert!(value <= scale.high + scale.step && value >= scale.low - scale.step);
            }
        }
    }
}
