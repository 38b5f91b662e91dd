//! What passed of late.

use bastide_admin::{Failure, show_time};
use bastide_gateway::{Slot, Times};
use bastide_types::{Category, Timestamp, Verdict};

use crate::call::{Call, Refusal};
use crate::shapes::{ModelUsed, SlotLength, TrafficQuery, TrafficShown, TrafficSlot};

/// Slots unless told otherwise.
const SLOTS: usize = 60;

pub(crate) async fn show(call: &Call<'_>, query: TrafficQuery, (): ()) -> Result<TrafficShown, Refusal> {
    let gateway = call.admin().gateway.as_ref().ok_or_else(|| Failure::could_not("no gateway runs here"))?;
    let (traffic, now) = (gateway.traffic(), call.admin().node.clock.now());
    let count = query.count.unwrap_or(SLOTS);
    let slots = match query.by {
        SlotLength::Minute => traffic.minutes(now, count),
        SlotLength::Hour => traffic.hours(now, count),
    };
    let models = traffic.models(now).into_iter().map(|(model, used)| ModelUsed {
        model,
        exchanges: used.exchanges,
        blocked: used.blocked,
        input_tokens: used.input_tokens,
        output_tokens: used.output_tokens,
    });
    Ok(TrafficShown {
        slots: slots.iter().map(|(from, counted)| slot(*from, counted)).collect(),
        models: models.collect(),
    })
}

fn slot(from: Timestamp, slot: &Slot) -> TrafficSlot {
    let micros = |times: &Times, per_mille| {
        times.quantile(per_mille).map(|time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
    };
    TrafficSlot {
        from: show_time(from),
        exchanges: slot.exchanges,
        blocked: slot.blocked(),
        failed: slot.failed(),
        verdicts: Verdict::ALL
            .iter()
            .map(|v| (v.as_str(), slot.judged(*v)))
            .filter(|(_, count)| *count > 0)
            .collect(),
        findings: Category::ALL
            .iter()
            .map(|c| (c.as_str(), slot.found(*c)))
            .filter(|(_, count)| *count > 0)
            .collect(),
        input_tokens: slot.input_tokens,
        output_tokens: slot.output_tokens,
        own_p50_micros: micros(&slot.own, 500),
        own_p99_micros: micros(&slot.own, 990),
        total_p50_micros: micros(&slot.total, 500),
        total_p99_micros: micros(&slot.total, 990),
    }
}
