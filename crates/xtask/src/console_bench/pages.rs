//! Which pages there are, from the console's table of routes, and which files a page brings along.

/// Lists as people search them, besides those without a search.
const SEARCHES: [&str; 4] = [
    "/console/exchanges?verdict=block",
    "/console/exchanges?category=CREDIT_CARD",
    "/console/exchanges?model=mock-none",
    "/console/log?kind=changed",
];

/// Routes that a GET opens and that are no page, or only before somebody signs in; and the gallery of all parts.
const NO_PAGE: [&str; 6] = [
    "/console/assets/{}",
    "/console/design",
    "/console/live/events",
    "/console/log/checkpoint",
    "/console/setup",
    "/console/sign-in",
];

/// The paths to measure; a page about one thing gets this key, this exchange, the second entry, the first version.
pub(super) fn paths(table: &str, key: &str, exchange: Option<&str>) -> Vec<String> {
    let routes = table.lines().filter_map(|line| line.split_once("= GET \"")?.1.split('"').next());
    let mut all: Vec<String> = routes
        .filter(|path| !NO_PAGE.contains(path))
        .filter_map(|path| {
            let thing = match path {
                _ if path.starts_with("/console/keys/") => key,
                _ if path.starts_with("/console/exchanges/") => exchange?,
                _ => "1",
            };
            Some(path.replace("{}", thing))
        })
        .collect();
    all.extend(SEARCHES.iter().map(|path| (*path).to_owned()));
    all
}

/// The style and the script of a page, each once.
pub(super) fn assets(page: &str) -> Vec<&str> {
    let mut found: Vec<&str> = page
        .match_indices("\"/console/assets/")
        .filter_map(|(at, _)| page.get(at + 1..)?.split('"').next())
        .filter(|path| path.contains(".css") || path.contains(".js"))
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_routes_is_read() {
        let table =
            std::fs::read_to_string(crate::workspace::root().join("crates/bastide-console/src/web/route.rs"))
                .expect("the table");
        let found = paths(&table, "key_x", Some("exc_y"));
        for wanted in ["/console", "/console/keys/key_x", "/console/exchanges/exc_y", "/console/log/1"] {
            assert!(found.iter().any(|path| path == wanted), "{wanted}: {found:?}");
        }
        assert!(found.iter().all(|path| !path.contains('{') && !path.contains("/assets/")), "{found:?}");
    }

    #[test]
    fn a_page_brings_its_style_and_script_along_once() {
        let page = r#"<link href="/console/assets/a.css"><script src="/console/assets/b.js"></script>
            <img src="/console/assets/m.svg"><link href="/console/assets/a.css">"#;
        assert_eq!(assets(page), ["/console/assets/a.css", "/console/assets/b.js"]);
    }
}
