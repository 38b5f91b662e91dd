//! Whether whole pages keep the content policy and are whole: nothing inline, every tag closed, every id once, every
//! control named. Read by an independent tokeniser.

use std::collections::HashMap;

use bastide_console::{Theme, assets, gallery, sign_in_example};
use html5gum::{Token, Tokenizer};

const VOID: &[&str] = &["meta", "link", "input", "br", "hr", "img"];

struct Tag {
    name: String,
    attributes: HashMap<String, String>,
}

fn text(bytes: impl AsRef<[u8]>) -> String {
    String::from_utf8_lossy(bytes.as_ref()).into_owned()
}

/// The start tags of a page, after checking that the tags nest.
fn tags(page: &str) -> Vec<Tag> {
    let (mut tags, mut open) = (Vec::new(), Vec::<String>::new());
    for token in Tokenizer::new(page) {
        let Ok(token) = token;
        match token {
            Token::StartTag(tag) => {
                let name = text(&*tag.name);
                if !tag.self_closing && !VOID.contains(&name.as_str()) {
                    open.push(name.clone());
                }
                let attributes =
                    tag.attributes.iter().map(|(name, value)| (text(&**name), text(&**value))).collect();
                tags.push(Tag { name, attributes });
            }
            Token::EndTag(tag) => assert_eq!(open.pop(), Some(text(&*tag.name))),
            Token::Error(error) => assert_eq!(error.as_str(), "", "no error of the grammar"),
            _ => {}
        }
    }
    assert!(open.is_empty(), "{open:?}");
    tags
}

fn pages() -> Vec<String> {
    Theme::ALL.into_iter().flat_map(|theme| [gallery(theme), sign_in_example(theme)]).collect()
}

#[test]
fn nothing_is_inline() {
    for tag in pages().iter().flat_map(|page| tags(page)) {
        assert_ne!(tag.name, "style");
        for name in tag.attributes.keys() {
            assert!(name != "style" && !name.starts_with("on"), "{name} in <{}>", tag.name);
        }
        assert!(tag.name != "script" || tag.attributes.contains_key("src"));
        for (name, value) in &tag.attributes {
            if ["href", "src", "action", "formaction"].contains(&name.as_str()) {
                assert!(
                    value.starts_with(['/', '#', '?']) || value.starts_with("https://"),
                    "{name}={value}"
                );
            }
        }
    }
}

#[test]
fn ids_are_there_once_and_what_refers_to_them_finds_them() {
    for page in pages() {
        let tags = tags(&page);
        let ids: Vec<_> = tags.iter().filter_map(|tag| tag.attributes.get("id")).collect();
        for id in &ids {
            assert_eq!(ids.iter().filter(|other| other == &id).count(), 1, "{id}");
        }
        for tag in &tags {
            for name in ["for", "aria-describedby", "aria-labelledby"] {
                for id in tag.attributes.get(name).into_iter().flat_map(|ids| ids.split(' ')) {
                    assert!(ids.iter().any(|known| *known == id), "{name}={id}");
                }
            }
        }
    }
}

#[test]
fn every_form_that_posts_carries_the_token_and_forms_that_ask_do_not() {
    for page in pages() {
        for form in page.split("<form ").skip(1) {
            let form = form.split("</form>").next().unwrap();
            let posts = form.split('>').next().unwrap().contains(r#"method="post""#);
            let named = form.contains(r#"name="csrf""#);
            let asks_here = form.contains(r#"method="dialog""#);
            assert_eq!(posts, named, "{form}");
            assert!(posts || asks_here || form.contains(r#"method="get""#));
        }
    }
}

#[test]
fn pages_refer_to_assets_by_the_names_they_are_served_by() {
    for page in pages() {
        for asset in assets() {
            assert!(page.contains(&format!("/console/assets/{}", asset.file_name())));
        }
    }
}

#[test]
fn the_theme_stands_on_the_root() {
    for theme in Theme::ALL {
        assert!(gallery(theme).contains(&format!(r#"<html lang="en" data-theme="{}">"#, theme.as_str())));
        assert_eq!(Theme::named(theme.as_str()), theme);
    }
    assert_eq!(Theme::named("<script>"), Theme::System);
}

#[test]
fn the_script_asks_nothing_that_the_policy_forbids() {
    let script = include_str!("../assets/console.js");
    for word in [
        "eval(",
        "new Function",
        "document.write",
        ".style.",
        "setAttribute('style'",
        "outerHTML",
        "insertAdjacentHTML",
    ] {
        assert!(!script.contains(word), "{word}");
    }
    assert_eq!(script.matches("innerHTML").count(), 1, "markup enters at one place");
}
