//! What another guard would have done to what has passed.

use bastide_admin::{GuardDraft, GuardPreview};
use bastide_types::Verdict;
use http::StatusCode;

use super::edit::{draft_of, mode_word, page, previewed, unread};
use crate::design::{
    Badge, Callout, Card, Column, Empty, Href, Html, LineUp, Paragraph, Row, Table, Tone, When, format,
};
use crate::web::{Refusal, Reply, Visit};

/// Where the live preview goes.
pub(super) const RESULT: &str = "guard-result";

pub(in crate::pages) async fn preview(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    match draft_of(visit) {
        Ok(draft) => {
            let result = previewed(visit, &draft).await?;
            if visit.fragment {
                return Ok(Reply::page(result.into_string()));
            }
            Ok(visit.page(&page(visit, &draft, None, result)))
        }
        Err(wrong) => {
            let html = match visit.fragment {
                true => Html::from(Callout::new(Tone::Block, wrong.why)).into_string(),
                false => unread(visit, &wrong).render(),
            };
            // The script shows what comes with a good status only.
            let status = if visit.fragment { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
            Ok(Reply::page_with(status, html))
        }
    }
}

fn counted(n: usize, noun: &str) -> String {
    format::counted(u64::try_from(n).unwrap_or(u64::MAX), noun)
}

fn number(n: usize) -> String {
    format::count(u64::try_from(n).unwrap_or(u64::MAX))
}

pub(super) fn fragment(visit: &Visit<'_>, draft: &GuardDraft, preview: &GuardPreview) -> Html {
    if preview.exchanges == 0 {
        return Empty::new("Nothing to try it on", "The log has no exchanges yet.").into();
    }
    let head = match preview.changed {
        0 => Callout::new(Tone::Allow, "Nothing of what has passed would have ended otherwise"),
        n => Callout::new(Tone::Flag, format!("{} would have ended otherwise", counted(n, "exchange"))),
    };
    let mut note = format!(
        "Tried on the findings of the newest {} ({}), by a guard that {}.",
        counted(preview.exchanges, "exchange"),
        counted(preview.findings, "finding"),
        mode_word(draft.mode)
    );
    if preview.cut > 0 {
        note.push_str(&format!(" {} of them have more findings than the log lists.", number(preview.cut)));
    }
    if preview.denied > 0 {
        note.push_str(&format!(" A policy refused {}, whatever the guard says.", number(preview.denied)));
    }
    let counts = Verdict::ALL.iter().filter_map(|verdict| {
        let (before, after) = preview.counts(*verdict);
        (before + after > 0).then(|| {
            Row::new([Badge::from(*verdict).into(), Html::from(number(before)), Html::from(number(after))])
        })
    });
    let columns = [Column::text("Verdict"), Column::number("Exchanges now"), Column::number("Then")];
    let table = Table::new("Exchanges by verdict", columns).rows(counts);
    let listed = preview.list.iter().map(|change| {
        let way =
            LineUp::new([Badge::from(change.from).into(), Html::from("to"), Badge::from(change.to).into()]);
        Row::new([
            When::new(change.at, visit.now()).into(),
            Html::from(&change.model),
            way.into(),
            Html::from(change.categories.join(", ")),
        ])
        .href(Href::page("/console/exchanges").segment(&change.exchange))
    });
    let columns =
        [Column::text("When"), Column::text("Model"), Column::text("Verdict"), Column::text("Because of")];
    let list = Table::new("Exchanges that would have ended otherwise", columns).rows(listed);
    let all =
        Html::from(head).then(Paragraph::new(note).hush()).then(Card::new("By verdict").flush().body(table));
    match preview.list.is_empty() {
        true => all,
        false => all.then(Card::new("Which").flush().body(list)),
    }
}
