//! What was said, by who said it: as it came beside as it went on.

use bastide_admin::{BodyShown, Mark, MarkKind, Said};

use super::super::rows;
use super::Exchange;
use crate::design::{
    Badge, Card, Code, Columns, Html, Language, Link, Marked, Paragraph, Section, Tone, format,
};

/// What a mark costs of the room, beside the text that it marks.
const MARK_BYTES: usize = 200;
/// What a piece of text costs, however short it is.
const PIECE_BYTES: usize = 400;

/// The bytes that a page has for texts.
pub(super) struct Room {
    left: usize,
    whole: usize,
    cut: bool,
}

impl Room {
    pub(super) const fn new(bytes: usize) -> Self {
        Room { left: bytes, whole: bytes, cut: false }
    }

    /// As much of a text as there is room for, where each byte of it takes `weight` bytes of the page.
    fn take<'t>(&mut self, text: &'t str, weight: usize) -> &'t str {
        let end = text.floor_char_boundary(self.left / weight.max(1));
        self.cut |= end < text.len();
        self.left = self.left.saturating_sub(end.saturating_mul(weight));
        text.get(..end).unwrap_or_default()
    }

    /// Room for something else; `false`: there is none.
    fn spend(&mut self, bytes: usize) -> bool {
        self.cut |= self.left < bytes;
        self.left = self.left.saturating_sub(bytes);
        self.left > 0
    }
}

/// The halves of an exchange.
const HALVES: [(&str, &str, &str); 2] =
    [("Request", "request received", "request sent"), ("Answer", "response received", "response sent")];

/// The bodies' texts by who said them.
pub(super) fn said(exchange: &Exchange, mut room: Room) -> Html {
    let halves = HALVES.map(|(name, received, sent)| {
        let body = |kind: &str| exchange.shown.bodies.iter().find(|b| b.kind == kind);
        let section = Section::new(name);
        match (body(received), body(sent)) {
            (None, _) => section.note("None: it did not come to this."),
            (Some(received), sent) => {
                let section = section.note(states(name, received, sent));
                let pieces = pieces(received, sent, &mut room);
                section.body(pieces)
            }
        }
    });
    Html::join(halves).then(rest(exchange, &room, "conversation"))
}

/// The bodies as they are kept.
pub(super) fn raw(exchange: &Exchange, mut room: Room) -> Html {
    let bodies: Vec<Html> = exchange
        .shown
        .bodies
        .iter()
        .filter_map(|body| {
            // The text, the same for its button that copies, and colours.
            let text = room.take(body.text.as_ref()?, 3);
            let language = if text.starts_with('{') { Language::Json } else { Language::Plain };
            Some(Code::new(body.kind, language, text).into())
        })
        .collect();
    let none = Paragraph::new("No text of this exchange is kept.").hush();
    let bodies = if bodies.is_empty() { none.into() } else { Html::join(bodies) };
    let section = Section::new("Bodies")
        .note("As they are kept, with masks where the guard's detectors find something.");
    Html::from(section.body(bodies)).then(rest(exchange, &room, "raw"))
}

/// The way to what there was no room for.
fn rest(exchange: &Exchange, room: &Room, view: &'static str) -> Html {
    if !room.cut {
        return Html::new();
    }
    if room.whole >= super::ALL {
        let words = format!(
            "More than {} are not shown; `bastide audit show {}` prints all.",
            format::bytes(super::ALL as u64),
            exchange.shown.exchange
        );
        return Paragraph::new(words).hush().into();
    }
    let all = exchange.href().query("view", view).query("all", "yes");
    Html::from(Paragraph::new("These texts are long: only their beginning is shown.").hush())
        .then(Link::button(all, "Show all"))
}

/// What is left of the two bodies of a half.
fn states(half: &str, received: &BodyShown, sent: Option<&BodyShown>) -> String {
    let state = |body: &BodyShown| match body.state {
        "kept" if body.cut => "kept, its beginning only",
        "kept" => "kept",
        "as received" => "as received",
        "empty" => "empty",
        "erased" => "erased",
        "damaged" => "damaged",
        _ => "not kept, or not any more",
    };
    let (came, went) = match half {
        "Request" => ("Received", "sent"),
        _ => ("Received", "returned"),
    };
    match sent {
        None => format!("{came}: {}; nothing was {went}.", state(received)),
        Some(sent) => format!("{came}: {}; {went}: {}.", state(received), state(sent)),
    }
}

/// Whether a piece is worth reading: an id, a number or a setting is where something stands out in it.
fn is_talk(piece: &Said) -> bool {
    let talk = matches!(piece.kind, "text" | "json") && piece.origin != "other" && !is_label(&piece.path);
    talk || !piece.marks.is_empty()
}

/// Words that a protocol puts beside what is said.
fn is_label(path: &str) -> bool {
    let last = path.rsplit('.').next().unwrap_or_default();
    matches!(last, "role" | "type" | "id" | "tool_call_id" | "object" | "finish_reason" | "index")
}

fn pieces(received: &BodyShown, sent: Option<&BodyShown>, room: &mut Room) -> Html {
    let sent = sent.filter(|sent| !sent.said.is_empty());
    let mut quiet = 0_u32;
    let mut html = Html::new();
    for (nth, piece) in received.said.iter().enumerate() {
        let twin = sent.and_then(|sent| twin(piece, nth, &sent.said));
        let differs = twin.is_some_and(|twin| twin.text != piece.text);
        if !is_talk(piece) && !differs {
            quiet += 1;
            continue;
        }
        if !room.spend(PIECE_BYTES) {
            break;
        }
        html = html.then(card(piece, twin.filter(|_| differs), room));
    }
    // Of a body whose received half is not there, what was sent is all there is.
    if let (true, Some(sent)) = (received.said.is_empty(), sent) {
        for piece in sent.said.iter().filter(|piece| is_talk(piece)) {
            if !room.spend(PIECE_BYTES) {
                break;
            }
            html = html.then(card(piece, None, room));
        }
    }
    match quiet {
        0 => html,
        n => html.then(
            Paragraph::new(format!(
                "The raw view has {n} more (names, numbers, settings), in which nothing stands out."
            ))
            .hush(),
        ),
    }
}

/// The same piece in the other body: at the same place in the list, or else in the document.
fn twin<'s>(piece: &Said, nth: usize, others: &'s [Said]) -> Option<&'s Said> {
    let same = |other: &&Said| {
        other.path == piece.path && other.origin == piece.origin && other.choice == piece.choice
    };
    others.get(nth).filter(same).or_else(|| others.iter().find(same))
}

fn card(piece: &Said, twin: Option<&Said>, room: &mut Room) -> Card {
    let mut title = piece.origin.replace('_', " ");
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    if let Some(choice) = piece.choice.filter(|n| *n > 0) {
        title.push_str(&format!(", choice {}", choice + 1));
    }
    let card = Card::new(title).note(rows::short(&piece.path));
    match twin {
        None => card.body(marked(piece, room)),
        Some(twin) => {
            let side = |name: &'static str, tone, piece: &Said, room: &mut Room| {
                Html::from(Paragraph::new(Badge::new(tone, name))).then(marked(piece, room))
            };
            let came = side("as it came", Tone::Neutral, piece, room);
            let went = side("as it went on", Tone::Accent, twin, room);
            card.body(Columns::new([came, went]))
        }
    }
}

fn marked(piece: &Said, room: &mut Room) -> Html {
    let text = room.take(&piece.text, 1);
    let mut marked = Marked::new(text);
    for mark in piece.marks.iter().filter(|mark| mark.end <= text.len()) {
        if !room.spend(MARK_BYTES) {
            break;
        }
        marked = set(marked, mark);
    }
    let html = Html::from(marked);
    match text.len() < piece.text.len() || piece.cut {
        true => html.then(Paragraph::new("It goes on; the rest is not shown.").hush()),
        false => html,
    }
}

fn set(marked: Marked, mark: &Mark) -> Marked {
    let range = mark.start..mark.end;
    match mark.what {
        MarkKind::Masked => marked.masked(
            range,
            Tone::Neutral,
            mark.category,
            "the value is kept, and masked in this view",
            "••••••",
        ),
        MarkKind::Token => marked.mark(
            range,
            Tone::Tokenise,
            "token",
            "stands in a value's place; it turns back for those who may read it",
        ),
        MarkKind::Redacted => {
            marked.mark(range, Tone::Redact, "redacted", "stands in a value's place, for good")
        }
        MarkKind::Value => {
            marked.mark(range, Tone::Block, mark.category, mark.reason.clone().unwrap_or_default())
        }
    }
}
