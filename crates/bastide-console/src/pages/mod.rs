//! The pages: one module each, functions from a visit to an answer.

mod account;
mod exchange;
mod exchanges;
mod figures;
mod findings;
mod guard;
mod guide;
mod keys;
mod live;
mod log;
mod models;
mod overview;
mod playground;
mod policies;
mod roles;
mod rows;
mod settings;
mod setup;
mod sign_in;
mod snippets;
mod system;
mod taxonomy;
mod users;
mod versions;

use bastide_types::Permission;

use crate::design::{self, Callout, Code, Empty, Href, Html, Language, Link, Tone};
use crate::web::route::Route;
use crate::web::{Refusal, Reply, Visit};

/// Answers a visit that was let in.
pub(crate) async fn answer(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    match visit.route {
        Route::Assets => design::asset(visit.segment())
            .map(Reply::asset)
            .ok_or_else(|| Refusal::no("file", visit.segment())),
        Route::Design => Ok(Reply::page(design::gallery(visit.context().theme))),
        Route::Overview => overview::show(visit).await,
        Route::Live => live::show(visit).await,
        Route::LiveEvents => live::events(visit).await,
        Route::Exchanges => exchanges::list(visit).await,
        Route::Exchange => exchange::show(visit).await,
        Route::ExchangeReveal => exchange::reveal(visit).await,
        Route::Findings => findings::show(visit).await,
        Route::Models => models::show(visit).await,
        Route::ProviderAdd => models::add(visit).await,
        Route::ProviderTest => models::test(visit).await,
        Route::ProviderRemove => models::remove(visit).await,
        Route::ProjectCreate => models::create_project(visit).await,
        Route::Keys => keys::list(visit).await,
        Route::KeyCreate => keys::create(visit).await,
        Route::Key => keys::show(visit).await,
        Route::KeyRotate => keys::rotate(visit).await,
        Route::KeyRevoke => keys::revoke(visit).await,
        Route::KeyErase => keys::erase(visit).await,
        Route::Policies => policies::show(visit).await,
        Route::PoliciesEdit => policies::edit(visit).await,
        Route::PoliciesCheck => policies::check(visit).await,
        Route::PoliciesSet => policies::set(visit).await,
        Route::PoliciesTry => policies::try_out(visit).await,
        Route::PoliciesTryDraft => policies::try_draft(visit).await,
        Route::PoliciesVersion => policies::version(visit).await,
        Route::Guard => guard::show(visit).await,
        Route::GuardEdit => guard::edit(visit).await,
        Route::GuardPreview => guard::preview(visit).await,
        Route::GuardSet => guard::set(visit).await,
        Route::GuardVersion => guard::version(visit).await,
        Route::Log => log::list(visit).await,
        Route::LogEntry => log::entry(visit).await,
        Route::LogCheckpoint => log::checkpoint(visit).await,
        Route::ReceiptCheck => log::check_receipt(visit).await,
        Route::Playground => playground::show(visit).await,
        Route::PlaygroundTry => playground::try_text(visit).await,
        Route::Guide => guide::show(visit).await,
        Route::GuideSend => guide::send(visit).await,
        Route::GuideVerify => guide::verify(visit).await,
        Route::Users => users::list(visit).await,
        Route::UserCreate => users::create(visit).await,
        Route::UserRole => users::set_role(visit).await,
        Route::UserDisable => users::disable(visit).await,
        Route::UserEnable => users::enable(visit).await,
        Route::UserSignOut => users::sign_out(visit).await,
        Route::UserPassword => users::set_password(visit).await,
        Route::UserTotpRemove => users::remove_totp(visit).await,
        Route::UserRemove => users::remove(visit).await,
        Route::Account => account::show(visit).await,
        Route::AccountPassword => account::set_password(visit).await,
        Route::AccountTotpBegin => account::begin_totp(visit).await,
        Route::AccountTotpConfirm => account::confirm_totp(visit).await,
        Route::AccountTotpDefer => account::defer_totp(visit).await,
        Route::AccountTokenCreate => account::create_token(visit).await,
        Route::AccountSessionEnd => account::end_session(visit).await,
        Route::Theme => account::set_theme(visit).await,
        Route::Settings => settings::show(visit).await,
        Route::System => system::show(visit).await,
        Route::SystemReload => system::reload(visit).await,
        Route::SystemLogLevel => system::set_log_level(visit).await,
        Route::Setup => setup::show(visit).await,
        Route::SetupPost => setup::create(visit).await,
        Route::SignIn => sign_in::show(visit).await,
        Route::SignInPost => sign_in::sign_in(visit).await,
        Route::SignOut => sign_in::sign_out(visit).await,
    }
}

/// How a receipt is verified anywhere, by a program that shares nothing with this one. Without a receipt, where it goes.
fn verify_command(receipt: &str, log_key: &str) -> Code {
    let receipt = if receipt.is_empty() { "bst1…" } else { receipt };
    let command = format!("bastide-verify receipt '{receipt}' --log-key '{log_key}'\n");
    Code::new("The same without this server, anywhere", Language::Shell, command)
}

/// Leads on to the first steps, for those who may take them.
fn with_first_steps(visit: &Visit<'_>, empty: Empty) -> Empty {
    match visit.may(Permission::TextInspect) {
        true => empty.link(Link::button(Href::page("/console/guide"), "First steps").primary()),
        false => empty,
    }
}

/// What a change had to say besides, on the page that is its answer.
fn warnings(said: &[String]) -> Html {
    Html::join(said.iter().map(|warning| Callout::new(Tone::Flag, warning.as_str())))
}
