//! The navigation: the pages that somebody may open.

use bastide_identity::SessionPrincipal;
use bastide_types::Permission as P;

use crate::design::{Href, Icon, Nav, NavEntry};

/// For this person. A page that they may not open is not offered.
pub(crate) fn nav(who: &SessionPrincipal) -> Nav {
    let group = |entries: Vec<(P, NavEntry)>| {
        entries.into_iter().filter(|(p, _)| who.may(*p)).map(|(_, entry)| entry).collect::<Vec<_>>()
    };
    let entry = |icon, name: &'static str, href: &'static str, key| {
        NavEntry::new(icon, name, Href::page(href)).key(key)
    };
    Nav::new()
        .group(
            "Watch",
            group(vec![
                (P::TrafficView, entry(Icon::Overview, "Overview", "/console", 'o')),
                (P::TrafficView, entry(Icon::Live, "Live", "/console/live", 'v')),
                (P::TrafficView, entry(Icon::Exchanges, "Exchanges", "/console/exchanges", 'e')),
                (P::TrafficView, entry(Icon::Findings, "Findings", "/console/findings", 'f')),
            ]),
        )
        .group(
            "Control",
            group(vec![
                (P::ConfigView, entry(Icon::Keys, "Keys", "/console/keys", 'k')),
                (P::ConfigView, entry(Icon::Models, "Models & providers", "/console/models", 'm')),
                (P::ConfigView, entry(Icon::Policies, "Policies", "/console/policies", 'p')),
                (P::ConfigView, entry(Icon::Guard, "Guard", "/console/guard", 'g')),
            ]),
        )
        .group("Prove", group(vec![(P::LogView, entry(Icon::Log, "Log", "/console/log", 'l'))]))
        .group(
            "Try",
            group(vec![
                (P::TextInspect, entry(Icon::Playground, "Playground", "/console/playground", 't')),
                (P::TextInspect, entry(Icon::Check, "First steps", "/console/guide", 'h')),
            ]),
        )
        .group(
            "Administer",
            group(vec![
                (P::UsersManage, entry(Icon::Users, "Users", "/console/users", 'u')),
                (P::ConfigView, entry(Icon::Settings, "Settings", "/console/settings", 's')),
                (P::ConfigView, entry(Icon::System, "System", "/console/system", 'y')),
            ]),
        )
}
