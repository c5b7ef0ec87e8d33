//! The page of `explain`: one file without anything from elsewhere. Owns its layout; depends on the explanation.

use std::fmt::Write;

use super::{ATTENTION, DIFFERENCE, data_url, light};
use crate::cli::CliError;
use crate::picture::escape_xml;
use crate::pipeline::{Attention, Explanation, Nearest};

const HEAD: &str =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n";

const STYLE: &str = "<style>
:root { color-scheme: light dark }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
.pictures { display: flex; flex-wrap: wrap; gap: 1rem }
.pictures figure { margin: 0; width: min(24rem, 100%) } figcaption { font-size: .9rem }
.picture { position: relative; background: #fff; border: 1px solid #8888 }
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
const pictures = [...document.querySelectorAll('.picture')], words = [...document.querySelectorAll('.words button')];
function show(number) {
  for (const picture of pictures) {
    picture.querySelectorAll('.light').forEach(light => light.classList.toggle('on', light.dataset.word == number));
    picture.classList.toggle('pointed', number >= 0);
  }
  words.forEach((word, at) => { word.classList.toggle('on', at === number); word.setAttribute('aria-pressed', at === number) });
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
    page += "<div class=\"pictures\">\n";
    let decided = explained.words.iter().map(|word| Some(word.map.as_slice()));
    page += &figure(explained, &prompt, decided, DIFFERENCE, "What differs without the word")?;
    if explained.attention.is_ok() {
        let looked = explained
            .words
            .iter()
            .map(|word| word.attention.as_ref().map(|attention| attention.map.as_slice()));
        page += &figure(explained, &prompt, looked, ATTENTION, "Where pixels looked at the word (attention)")?;
    }
    page += "</div>\n<p>Point at a word, or move to it with the Tab key: what it decided lights up, and where it was looked at. Escape puts the light \
        out.</p>\n<ul class=\"words\">\n";
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
    page += "<h2>Word by word</h2>\n<table>\n<tr><th>word<th>share<th>of the picture<th>without it<th>attention\n";
    for word in &explained.words {
        let without = word.without.as_deref().map_or("nothing to draw".to_owned(), escape_xml);
        let attention = word.attention.as_ref();
        let attention = attention.map_or("–".to_owned(), |attention| format!("{:.0} %", 100.0 * attention.share));
        let _ = writeln!(
            page,
            "<tr><td>{}<td>{:.0} %<td>{:.0} %<td>{without}<td>{attention}",
            escape_xml(&word.text),
            100.0 * word.share,
            100.0 * word.changed
        );
    }
    page += "</table>\n<p>Each word was left out once and the picture drawn again from the same noise. The share is the word's part of all differences; a picture is \
        counted as changed where a channel differs by a tenth.</p>\n";
    page += &attention(explained);
    explained.nearest.iter().for_each(|nearest| page += &neighbours(nearest));
    page += SCRIPT;
    Ok(page)
}

/// The picture with a light for each word that has a map.
fn figure<'a>(
    explained: &Explanation,
    prompt: &str,
    maps: impl Iterator<Item = Option<&'a [u8]>>,
    strength: u32,
    caption: &str,
) -> Result<String, CliError> {
    let picture = data_url(&explained.generated.picture)?;
    let mut figure = format!("<figure><div class=\"picture\"><img class=\"drawn\" src=\"{picture}\" alt=\"{prompt}\">\n");
    for (map, word) in maps.zip(0..) {
        let Some(map) = map else { continue };
        let light = data_url(&light(explained, map, strength)?)?;
        let _ = writeln!(figure, "<img class=\"light\" data-word=\"{word}\" src=\"{light}\" alt=\"\">");
    }
    Ok(figure + &format!("</div><figcaption>{caption}</figcaption></figure>\n"))
}

/// Where the attention went, in words.
pub fn where_to(attention: &Attention) -> String {
    format!(
        "{:.0} % to the words, {:.0} % to other rows of the text (its start, padding, style), {:.0} % to the picture itself; means of {} maps",
        100.0 * attention.prompt,
        100.0 * attention.other_rows,
        100.0 * attention.pixels,
        attention.maps
    )
}

fn attention(explained: &Explanation) -> String {
    let attention = match &explained.attention {
        Ok(attention) => attention,
        Err(reason) => return format!("<h2>Attention</h2>\n<p>Attention is not shown: {reason}.</p>\n"),
    };
    format!(
        "<h2>Attention</h2>\n<p>While the picture was denoised, its pixels weighed what they looked at: {}. The column above is each word's part of what went to \
        words; its light is between its least and its most, so that faint ones are seen. Attention tells where the network looked, not what it would have \
        drawn otherwise: where the two pictures disagree, the left one is what happened. Words that the model was not given, such as those for a style, have \
        none.</p>\n",
        where_to(attention)
    )
}

fn neighbours(nearest: &Nearest) -> String {
    let mut page = "<h2>Nearest training pictures</h2>\n<table>\n<tr><th>similarity<th>picture<th>shows<th>from<th>licence\n".to_owned();
    for picture in &nearest.pictures {
        let [id, name, source, licence] = [&picture.id, &picture.name, &picture.source, &picture.licence].map(|text| escape_xml(text));
        let _ = writeln!(page, "<tr><td>{:.2}<td>{id}<td>{name}<td>{source}<td>{licence}", picture.similarity);
    }
    page + &format!(
        "</table>\n<p>Of {} training pictures these are the most alike in colours and shape at 16×16 pixels: 1 is the same picture, 0 is any other. Details are not \
        compared, and being alike does not tell that the model learned this picture from that one. For comparison: {:.0} % of the training pictures have another \
        training picture that is as similar to them as the first one here is to this picture, or more.</p>\n",
        nearest.among,
        100.0 * nearest.ordinary
    )
}
