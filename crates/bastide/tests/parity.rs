//! The console and the management API do the same things, each under the same permission.
#![allow(clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use bastide_api::{Access as ApiAccess, Operation as O};
use bastide_console::{Access, Route as R};

/// What of the API does what a route of the console does.
enum Counterpart {
    /// This operation does it; it needs the same permission.
    Is(O),
    /// These show what the page is made of, each under its own permission.
    MadeOf(&'static [O]),
    /// Nothing, and why that is right.
    None(&'static str),
}

use Counterpart::{Is, MadeOf, None};

const OF_A_BROWSER: &str = "of a browser: a program has a token and sees no page";
const OF_A_PERSON: &str =
    "a token that is found must not become a person: passwords, factors and tokens are their own";
const A_FORM: &str =
    "a form or a page around another one: nothing is shown or done that another route does not";

/// A route that is new has no arm here, and does not compile.
fn counterpart(route: R) -> Counterpart {
    match route {
        R::Assets | R::Design | R::Theme | R::SignIn | R::SignInPost => None(OF_A_BROWSER),
        R::Setup | R::SetupPost => None("there is no token before there is a person"),
        R::SignOut | R::AccountSessionEnd => MadeOf(&[O::EndSession]),
        R::AccountPassword | R::AccountTotpBegin | R::AccountTotpConfirm | R::AccountTotpDefer => {
            None(OF_A_PERSON)
        }
        R::AccountTokenCreate => None(OF_A_PERSON),
        R::Account => MadeOf(&[O::ShowSelf, O::ListSessions]),

        R::Overview => Is(O::ShowTraffic),
        R::Live | R::LiveEvents => MadeOf(&[O::ListExchanges]),
        R::Exchanges => Is(O::ListExchanges),
        R::Exchange => Is(O::ShowExchange),
        R::ExchangeReveal => Is(O::RevealExchange),
        R::Findings => MadeOf(&[O::ListExchanges, O::ShowTraffic]),

        R::Models => MadeOf(&[O::ListProviders, O::ListProjects, O::ShowTraffic]),
        R::ProviderAdd => Is(O::AddProvider),
        R::ProviderTest => Is(O::TestProvider),
        R::ProviderRemove => Is(O::RemoveProvider),
        R::ProjectCreate => Is(O::CreateProject),
        R::Keys | R::Key => Is(O::ListKeys),
        R::KeyCreate => Is(O::CreateKey),
        R::KeyRotate => Is(O::RotateKey),
        R::KeyRevoke => Is(O::RevokeKey),
        R::KeyErase => Is(O::EraseKey),
        R::Policies => MadeOf(&[O::ShowPolicies, O::ListPolicyVersions]),
        R::PoliciesEdit | R::GuardEdit => None(A_FORM),
        R::PoliciesCheck => MadeOf(&[O::CheckPolicies]),
        R::PoliciesSet => Is(O::SetPolicies),
        R::PoliciesTry | R::PoliciesTryDraft => Is(O::AskPolicies),
        R::PoliciesVersion => Is(O::ShowPolicyVersion),
        R::Guard => MadeOf(&[O::ShowGuard, O::ListGuardVersions]),
        R::GuardPreview => Is(O::PreviewGuard),
        R::GuardSet => Is(O::SetGuard),
        R::GuardVersion => Is(O::ShowGuardVersion),

        R::Log => MadeOf(&[O::ListEntries, O::ShowLog]),
        R::LogEntry => Is(O::ProveEntry),
        R::LogCheckpoint => Is(O::ShowCheckpoint),
        R::ReceiptCheck | R::GuideVerify => Is(O::CheckReceipt),

        R::Playground => None(A_FORM),
        R::PlaygroundTry => Is(O::InspectText),
        R::Guide => None(A_FORM),
        R::GuideSend => {
            None("an example that the console sends to the built-in demo: a program sends its own")
        }

        R::Users => Is(O::ListUsers),
        R::UserCreate => Is(O::CreateUser),
        R::UserRole | R::UserDisable | R::UserEnable | R::UserSignOut => Is(O::ChangeUser),
        R::UserPassword | R::UserTotpRemove => Is(O::ChangeUser),
        R::UserRemove => Is(O::RemoveUser),
        R::Settings => Is(O::ListSettings),
        R::System => MadeOf(&[O::Examine, O::ShowLogLevel, O::ShowLog]),
        R::SystemReload => Is(O::Reload),
        R::SystemLogLevel => Is(O::SetLogLevel),
    }
}

/// What a program can do and a page does not, and why.
const ONLY_OF_THE_API: [(O, &str); 3] = [
    (O::ShowDocument, "the description of the API itself"),
    (O::ListTokens, "of everybody; the console shows how many each person has, and ends them all at once"),
    (O::RevokeToken, "the same"),
];

#[test]
fn what_the_console_does_the_api_does_under_the_same_permission() {
    for route in R::ALL.iter().copied() {
        let Is(operation) = counterpart(route) else { continue };
        let wanted = match route.access() {
            Access::May(permission) | Access::Fresh(permission) => ApiAccess::May(permission),
            Access::SignedIn | Access::SignedInFresh => ApiAccess::SignedIn,
            Access::Public { .. } => panic!("{route:?} is for everybody, and no operation is"),
        };
        assert_eq!(operation.access(), wanted, "{route:?} and {operation:?}");
    }
}

#[test]
fn every_change_of_the_console_is_one_operation_or_has_a_reason() {
    let mut without = Vec::new();
    for route in R::ALL.iter().copied().filter(|route| route.method() == "POST") {
        match counterpart(route) {
            Is(_) => {}
            MadeOf(operations) => assert!(!operations.is_empty(), "{route:?}"),
            None(why) => without.push((route, why)),
        }
    }
    // This list only shrinks.
    assert_eq!(without.len(), 9, "{without:?}");
    assert!(without.iter().all(|(_, why)| why.len() > 20));
}

#[test]
fn every_operation_of_the_api_is_one_of_the_console_or_has_a_reason() {
    let mut reached: BTreeSet<&str> = ONLY_OF_THE_API.iter().map(|(operation, _)| operation.name()).collect();
    for route in R::ALL.iter().copied() {
        match counterpart(route) {
            Is(operation) => drop(reached.insert(operation.name())),
            MadeOf(operations) => reached.extend(operations.iter().map(|operation| operation.name())),
            None(_) => {}
        }
    }
    let all: BTreeSet<&str> = O::ALL.iter().map(|operation| operation.name()).collect();
    assert_eq!(all.difference(&reached).collect::<Vec<_>>(), Vec::<&&str>::new());
}
