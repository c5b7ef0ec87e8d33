//! The page of `explain`: one file without anything from elsewhere. Owns its layout; depends on the explanation.

use std::fmt::Write;

use super::{data_url, light};
use crate::cli::CliError;
use crate::picture::escape_xml;
use crate::pipeline::Explanation;

const HEAD: &str =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n";

const STYLE: &str = "<style>
:root { color-scheme: light dark }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
.picture { position: relative; width: min(24rem, 100%); background: #fff; border: 1px solid #8888 }
.picture img { display: block; width: 100% }
.picture img.light { position: absolute; inset: 0; opacity: 0; transition: opacity .15s }
.picture img.light.on { opacity: 1 }
.picture.pointed img.drawn { opacity: .45 }
.words { display: flex; flex-wrap: wrap; gap: .5rem; padding: 0; list-style: none }
button { font: inherit; padding: .3rem .7rem; border: 1px solid #8888; border-radius: .4rem; background: none; color: inherit; cursor: pointer }
button small { opacity: .7 }
button.on, button:focus-visible { outline: 3px solid rgb(230, 0, 90); outline-offset: 1px }
.steps { display: flex; flex-wrap: wrap; gap: .5rem }
.steps figure { margin: 0 } .steps img { width: 8rem; image-rendering: pixelated; background: #fff; border: 1px solid #8888 }
table { border-collapse: collapse } td, th { padding: .2rem .8rem .2rem 0; text-align: left }
</style>
";

/// Pointing at a word, or moving to it with the Tab key, lights it until another one is; Escape puts all lights out.
const SCRIPT: &str = "<script>
const picture = document.querySelector('.picture'), words = [...document.querySelectorAll('.words button')];
const lights = [...picture.querySelectorAll('.light')];
function show(number) {
  lights.forEach((light, at) => light.classList.toggle('on', at === number));
  words.forEach((word, at) => { word.classList.toggle('on', at === number); word.setAttribute('aria-pressed', at === number) });
  picture.classList.toggle('pointed', number >= 0);
}
words.forEach((word, number) => ['pointerenter', 'focus', 'click'].forEach(kind => word.addEventListener(kind, () => show(number))));
document.querySelector('.words').addEventListener('pointerleave', () => show(words.indexOf(document.activeElement)));
document.addEventListener('keydown', event => { if (event.key === 'Escape') show(-1) });
</script>
";

/// The whole page.
pub fn write(explained: &Explanation) -> Result<String, CliError> {
    let (prompt, made) = (escape_xml(&explained.generated.prompt), &explained.generated.provenance);
    let mut page = format!("{HEAD}<title>{prompt}</title>\n{STYLE}<h1>{prompt}</h1>\n");
    let style = made
        .style
        .as_deref()
        .map_or(String::new(), |style| format!("Style {}, ", escape_xml(style)));
    page += &format!("<p>{style}{} steps, seed {}.</p>\n", made.steps, made.seed);
    page += &format!(
        "<div class=\"picture\"><img class=\"drawn\" src=\"{}\" alt=\"{prompt}\">\n",
        data_url(&explained.generated.picture)?
    );
    for word in &explained.words {
        page += &format!("<img class=\"light\" src=\"{}\" alt=\"\">\n", data_url(&light(explained, word)?)?);
    }
    page += "</div>\n<p>Point at a word, or move to it with the Tab key: what it decided lights up. Escape puts the light out.</p>\n<ul class=\"words\">\n";
    for word in &explained.words {
        page += &format!(
            "<li><button type=\"button\" aria-pressed=\"false\">{} <small>{:.0} %</small></button>\n",
            escape_xml(&word.text),
            100.0 * word.share
        );
    }
    page += "</ul>\n";
    if !explained.estimates.is_empty() {
        page += "<h2>Step by step</h2>\n<div class=\"steps\">\n";
        for (estimate, number) in explained.estimates.iter().zip(1..) {
            let source = data_url(estimate)?;
            page += &format!(
                "<figure><img src=\"{source}\" alt=\"the estimate after step {number}\"><figcaption>step {number}</figcaption></figure>\n"
            );
        }
        page += "</div>\n";
    }
    page += "<h2>Word by word</h2>\n<table>\n<tr><th>word<th>share<th>of the picture<th>without it\n";
    for word in &explained.words {
        let without = word.without.as_deref().map_or("nothing to draw".to_owned(), escape_xml);
        let _ = writeln!(
            page,
            "<tr><td>{}<td>{:.0} %<td>{:.0} %<td>{without}",
            escape_xml(&word.text),
            100.0 * word.share,
            100.0 * word.changed
        );
    }
    page += "</table>\n<p>Each word was left out once and the picture drawn again from the same noise. The share is the word's part of all differences; a picture is \
        counted as changed where a channel differs by a tenth. Attention maps are not shown: the model attends to pixels and words in one operator that keeps \
        no weights.</p>\n";
    page += SCRIPT;
    Ok(page)
}
