//! The guard: what is done about what is found, and its history.

mod edit;
mod preview;

use bastide_admin::{GuardNow, MATRIX, Origin as SaidBy, detectors, rules_shown, steps};
use bastide_types::{Category, GuardMode, Guarded, Permission};

use crate::design::{
    Badge, Button, Callout, Card, Chip, Code, Column, Diff, Disclosure, Facts, Form, Hidden, Href, Html, Id,
    Language, LineUp, Link, Paragraph, Row, Table, Tone, format,
};
use crate::web::{Refusal, Reply, Visit};

pub(super) use edit::{edit, set};
pub(super) use preview::preview;

fn here() -> Href {
    Href::page("/console/guard")
}

/// Who said what the guard does, where that is nobody in the console.
fn locked_by(visit: &Visit<'_>) -> Option<String> {
    let said = visit.console.server.explained();
    let of_guard = said.iter().filter(|e| matches!(e.name, "guard.mode" | "guard.rules"));
    let outside = |origin: &&SaidBy| !matches!(origin, SaidBy::Default | SaidBy::Console { .. });
    of_guard.map(|e| &e.origin).find(outside).map(ToString::to_string)
}

fn lock_notice(origin: &str) -> Callout {
    Callout::new(Tone::Flag, format!("What the guard does is said by `{origin}`")).body(Paragraph::new(
        "A flag, a variable or the settings file wins over what is set here. Change it there, or take it out there to \
         set it here.",
    ))
}

fn tone(mode: GuardMode) -> Tone {
    match mode {
        GuardMode::Enforce => Tone::Allow,
        GuardMode::Observe => Tone::Flag,
        GuardMode::Off => Tone::Block,
    }
}

pub(super) async fn show(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let now = visit.admin().guard_now()?;
    let locked = locked_by(visit);
    let may = visit.may(Permission::GuardManage) && locked.is_none();
    let mut page = visit
        .shell("Guard", &here())
        .lead("What is done about what is found, by what it is, whose text it stands in, and where it goes.");
    if may {
        page = page.action(Link::button(Href::page("/console/guard/edit"), "Edit the rules").primary());
    }
    if let Some(origin) = &locked {
        page = page.body(lock_notice(origin));
    }
    page = page.body(mode_card(visit, &now, may)).body(matrix(&now)).body(rules(&now));
    page = page.body(history(visit, locked.is_some())?);
    Ok(visit.page(&page.body(Disclosure::new("Detectors", detectors_table()))))
}

fn mode_card(visit: &Visit<'_>, now: &GuardNow, may: bool) -> Card {
    let says = match now.mode {
        GuardMode::Enforce => "It acts: tokenises, redacts and refuses as the rules say.",
        GuardMode::Observe => "It records what it would do, and changes nothing.",
        GuardMode::Off => "It looks for nothing, and receipts say so.",
    };
    let mut card =
        Card::new("Mode").end(Badge::new(tone(now.mode), now.mode.as_str())).body(Paragraph::new(says));
    if may {
        let other = [(GuardMode::Enforce, "Let it act"), (GuardMode::Observe, "Let it only observe")];
        let switches = other.into_iter().filter(|(mode, _)| *mode != now.mode).map(|(mode, label)| {
            Form::post(here(), &visit.csrf())
                .field(Hidden::new("mode", mode.as_str()))
                .field(Hidden::new("keep_rules", "yes"))
                .button(Button::new(label).confirm(match mode {
                    GuardMode::Enforce => "From now on it replaces and refuses what its rules say.",
                    _ => "From now on nothing is replaced and nothing refused.",
                }))
                .into()
        });
        card = card.body(LineUp::new(switches.collect::<Vec<Html>>()));
    }
    card
}

/// Categories by whose text they stand in.
fn matrix(now: &GuardNow) -> Card {
    let columns =
        std::iter::once(Column::text("Found")).chain(MATRIX.iter().map(|(head, ..)| Column::text(*head)));
    let rows = Category::ALL.iter().filter(|c| c.family() != Guarded::Own).map(|category| {
        let first = Html::from(Id::plain(category.as_str()));
        let cells = MATRIX.iter().map(|(_, origin, direction)| {
            let steps = steps(&now.profile, *category, *origin, *direction);
            if steps.is_empty() {
                return Html::from("not looked for");
            }
            let shown = steps
                .iter()
                .enumerate()
                .filter(|(_, step)| steps.len() == 1 || step.verdict != bastide_types::Verdict::Allow);
            let parts = shown.map(|(nth, step)| {
                let above = nth.checked_sub(1).and_then(|above| steps.get(above));
                let above = above.filter(|above| above.detector == step.detector);
                let from = match (step.min_score, above) {
                    (0, None) => None,
                    (0, Some(above)) => Some(Html::from(format!("below {}", format::score(above.min_score)))),
                    (from, _) => Some(Html::from(format!("from {}", format::score(from)))),
                };
                let of = step.detector.as_deref().map(|id| Html::from(Id::plain(id)));
                let yours = step.yours.then(|| Html::from(Chip::new(Tone::Accent, "yours")));
                let said = [Some(Html::from(Badge::from(step.verdict))), of, from, yours];
                // What belongs together stays on one line.
                LineUp::new(said.into_iter().flatten().collect::<Vec<Html>>()).into()
            });
            LineUp::new(parts.collect::<Vec<Html>>()).into()
        });
        Row::new(std::iter::once(first).chain(cells))
    });
    let table = Table::new("What is done about what is found", columns).rows(rows);
    Card::new("What is done")
        .note(
            "By the score of the finding, between 0 and 1. Where a detector is named, that holds for it alone. Answers are \
             searched for what leaves with them; attacks on a model are not looked for there.",
        )
        .flush()
        .body(table)
}

fn rules(now: &GuardNow) -> Card {
    let columns = [
        Column::text("Finding"),
        Column::text("In text of"),
        Column::text("Direction"),
        Column::number("From score"),
        Column::text("Verdict"),
        Column::text("From"),
    ];
    let rows = rules_shown(&now.profile).into_iter().map(|rule| {
        let whose =
            if rule.yours { Chip::new(Tone::Accent, "yours") } else { Chip::new(Tone::Neutral, "default") };
        Row::new([
            Html::from(&rule.finding),
            Html::from(&rule.from),
            Html::from(rule.direction.as_deref().unwrap_or("both")),
            Html::from(format::score(rule.min_score)),
            Badge::from(rule.verdict).into(),
            whose.into(),
        ])
    });
    let table = Table::new("Rules, in the order in which they are tried", columns).rows(rows);
    Card::new("Rules")
        .note(
            "In the order in which they are asked: the most specific first, and the first that fits decides.",
        )
        .body(Disclosure::new("Every rule, in order", table))
}

fn history(visit: &Visit<'_>, locked: bool) -> Result<Card, Refusal> {
    let rows = visit.admin().guard_versions()?.into_iter().map(|row| {
        let [when, by] = super::versions::cells(row.set.as_ref(), visit.now());
        let state: Html = match (row.active, locked) {
            (true, false) => Badge::new(Tone::Allow, "in force").into(),
            (true, true) => Badge::new(Tone::Neutral, "stored, not in force").into(),
            (false, _) => Html::new(),
        };
        Row::new([
            Html::from(format!("version {}", row.version)),
            when,
            by,
            Badge::new(tone(row.mode), row.mode.as_str()).into(),
            state,
        ])
        .href(Href::page("/console/guard/versions").segment(&row.version.to_string()))
    });
    let columns = [
        Column::text("Version"),
        Column::text("Set"),
        Column::text("By"),
        Column::text("Mode"),
        Column::text(""),
    ];
    let table = Table::new("Versions of the guard, newest first", columns).rows(rows);
    Ok(Card::new("History").flush().body(table))
}

/// By what they find: there are hundreds, and their ids are what a rule needs.
fn detectors_table() -> Table {
    let all = detectors();
    let rows = Category::ALL.iter().filter_map(|category| {
        let ids: Vec<&str> = all.iter().filter(|d| d.category == *category).map(|d| d.id).collect();
        let cells =
            [Html::from(category.as_str()), Html::from(ids.len().to_string()), Html::from(ids.join(", "))];
        (!ids.is_empty()).then(|| Row::new(cells))
    });
    let columns = [Column::text("Finds"), Column::number("Detectors"), Column::text("Their ids")];
    Table::new("Detectors by what they find", columns).rows(rows)
}

pub(super) async fn version(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let no = || Refusal::no("version of the guard", visit.segment());
    let number: u64 = visit.segment().parse().map_err(|_| no())?;
    let row = visit.admin().guard_version(number)?;
    let newest = visit.admin().guard_versions()?.into_iter().find(|version| version.active);
    let facts = Facts::new().fact("Mode", Badge::new(tone(row.mode), row.mode.as_str()));
    let facts = super::versions::facts(facts, row.set.as_ref(), &row.digest, visit.now());
    let mut page =
        visit.shell(format!("Guard, version {number}"), &here()).crumb("Guard", Some(here())).body(facts);
    let locked = locked_by(visit);
    if row.active {
        page = page.body(match &locked {
            None => Callout::new(Tone::Allow, "This version is in force"),
            Some(origin) => lock_notice(origin),
        });
    } else {
        let now = newest.map(|row| format!("# mode {}\n{}", row.mode, row.text)).unwrap_or_default();
        let then = format!("# mode {}\n{}", row.mode, row.text);
        page = page.body(Diff::new("From the newest version to this one", &now, &then));
        if visit.may(Permission::GuardManage) && locked.is_none() {
            let form = Form::post(here(), &visit.csrf())
                .field(Hidden::new("mode", row.mode.as_str()))
                .field(Hidden::new("rules", row.text.clone()))
                .button(Button::new("Use this version again").primary());
            page = page.body(form);
        }
    }
    let text: &str =
        if row.text.trim().is_empty() { "# no rules of its own: the defaults" } else { &row.text };
    Ok(visit.page(&page.body(Code::new("Rules", Language::Toml, text))))
}
