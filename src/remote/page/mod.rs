//! The page for phones: files that the binary contains. No build step, and nothing of another server. Owns them and their routes.
//!
//! | file | what it owns |
//! |---|---|
//! | `page.html` | the page's parts: wish, gallery, frames, owner |
//! | `page.css` | their look, light and dark, from phones to desktops |
//! | `page.js` | what they do |
//! | `texts.json` | their words in twelve languages |

use std::sync::Arc;

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;

use super::site::Site;

/// A row of the table: path, type and contents.
type Row = (&'static str, &'static str, &'static str);

/// The words of the page in all languages, by language and key.
pub const TEXTS: &str = include_str!("texts.json");

const FILES: [Row; 5] = [
    ("/", "text/html; charset=utf-8", include_str!("page.html")),
    ("/page.css", "text/css; charset=utf-8", include_str!("page.css")),
    ("/page.js", "text/javascript; charset=utf-8", include_str!("page.js")),
    ("/texts.json", "application/json", TEXTS),
    ("/icon.svg", "image/svg+xml", include_str!("icon.svg")),
];

/// The page's files.
pub fn routes() -> Router<Arc<Site>> {
    FILES.into_iter().fold(Router::new(), |router, (path, kind, contents)| {
        let answer = move || async move { ([(header::CONTENT_TYPE, kind)], contents).into_response() };
        router.route(path, get(answer))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::kiosk::settings::Language;

    /// The keys that page and script ask for.
    fn used() -> BTreeSet<String> {
        let mut used = BTreeSet::new();
        for (text, before) in [
            (FILES[0].2, "data-text=\""),
            (FILES[0].2, "data-label=\""),
            (FILES[0].2, "data-hint=\""),
            (FILES[2].2, "say(\""),
        ] {
            for part in text.split(before).skip(1) {
                used.insert(part.split('"').next().unwrap_or_default().to_owned());
            }
        }
        used
    }

    #[test]
    fn every_word_is_there_in_every_language() {
        let texts: Value = serde_json::from_str(TEXTS).unwrap();
        let used = used();
        assert!(used.len() > 40, "{used:?}");
        for language in Language::ALL {
            let known: BTreeSet<String> = texts[language.tag()].as_object().unwrap().keys().cloned().collect();
            assert_eq!(known, used, "{}", language.tag());
            let is_filled = |key: &String| texts[language.tag()][key].as_str().is_some_and(|text| !text.trim().is_empty());
            assert!(known.iter().all(is_filled), "{}", language.tag());
        }
    }

    #[test]
    fn nothing_comes_from_elsewhere() {
        for (path, _, contents) in FILES {
            // A namespace is a name, not an address.
            let contents = contents.replace("http://www.w3.org/2000/svg", "");
            assert!(!contents.contains("://") && !contents.contains("src=\"//"), "{path}");
        }
        let html = FILES[0].2;
        assert!(
            !html.contains("onclick") && !html.contains("style=") && !html.contains("<script>"),
            "the page's rules forbid it"
        );
    }
}
