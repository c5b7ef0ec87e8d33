//! Several things in one prompt: what each of them is, and how they stand. Depends on the spans of its parent.
//!
//! A network that draws whole pictures of things draws small ones badly, several of them above all. What a prompt has several of
//! is therefore drawn one by one and put together, as in layout-guided diffusion (Bar-Tal et al. 2023, arXiv 2302.08113), but
//! without a denoiser's step over the whole: these pictures have no ground that they would share.

use super::lexicon::{Entry, Kind, Relation};
use super::{Span, Wording, only_word, rebuilt};

/// Things that stand together in one picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrangement {
    /// What to draw, none of it twice.
    pub things: Vec<String>,
    /// The rows of the picture from above, with the numbers of their things from the left: one or two of one or two.
    pub rows: Vec<Vec<usize>>,
}

/// So many of a thing.
struct Several {
    count: usize,
    thing: String,
}

/// Most things of a row.
const WIDEST: usize = 2;
/// Most rows.
const ROWS: usize = 2;

impl Wording {
    /// The things of a prompt and how they stand; nothing where there is one only, where there are more than a picture has room for, and
    /// where punctuation makes the words one list.
    pub(super) fn arrangement(&self, prompt: &str, spans: &[Span]) -> Option<Arrangement> {
        let (first, last) = (spans.iter().position(Span::is_kept)?, spans.iter().rposition(Span::is_kept)?);
        if spans[first + 1..=last].iter().any(Span::broken) {
            return None;
        }
        let mut rows: Vec<Vec<Several>> = vec![Vec::new()];
        let mut row = 0;
        let relations = std::iter::once(Relation::Beside).chain(spans.iter().filter_map(Span::relation));
        for (group, relation) in spans.split(|span| span.relation().is_some()).zip(relations) {
            match relation {
                Relation::Untold => return None,
                Relation::Beside => {}
                Relation::Above => {
                    row += 1;
                    rows.insert(row, Vec::new());
                }
                Relation::Below => rows.insert(row, Vec::new()),
            }
            rows[row].push(self.several(prompt, group)?);
        }
        match rows.as_slice() {
            [row] => placed(side_by_side(row)?),
            rows => placed(rows.iter().map(|row| row.iter().flat_map(Several::each).collect()).collect()),
        }
    }

    /// What a group of words asks for: something to draw, and perhaps its number.
    fn several(&self, prompt: &str, group: &[Span]) -> Option<Several> {
        let mut words: Vec<Span> = group.iter().filter(|span| span.is_kept()).cloned().collect();
        let mut numbers = group.iter().filter_map(|span| match span.kind() {
            Some(Kind::Number(number)) if span.is_kept() => Some(number),
            _ => None,
        });
        let (count, another) = (numbers.next().unwrap_or(1), numbers.next());
        words.retain(|span| !matches!(span.kind(), Some(Kind::Number(_))));
        let thing = words.iter().rposition(|span| span.kind() == Some(Kind::Thing))?;
        if another.is_some() || count > WIDEST * ROWS {
            return None;
        }
        let written = words[thing].units.last()?.key.clone();
        let entry = words[thing].entry?;
        let one = (count > 1 && words[thing].units.len() == 1).then(|| self.singular(entry.nearest.unwrap_or(&written), &entry));
        if let Some((one, entry)) = one.as_ref().and_then(Option::as_ref) {
            words[thing].instead = Some(one);
            if let Some(word) = only_word(&mut words) {
                word.instead = entry.name.or(word.instead);
            }
        }
        Some(Several {
            count,
            thing: rebuilt(prompt, &words),
        })
    }

    /// The word for one of what an English plural says, where the list has it for the same thing.
    fn singular(&self, plural: &str, entry: &Entry) -> Option<(String, Entry<'_>)> {
        let ends = [("s", ""), ("es", ""), ("ies", "y"), ("ves", "f"), ("ves", "fe")];
        ends.iter().find_map(|(end, instead)| {
            let one = plural.strip_suffix(end)?.to_owned() + instead;
            let found = self.lexicon.find(&one)?;
            found.is_known_with(entry).then_some((one, found))
        })
    }
}

impl Several {
    /// The thing as often as it is asked for.
    fn each(&self) -> impl Iterator<Item = &str> {
        std::iter::repeat_n(self.thing.as_str(), self.count)
    }
}

/// Rows for things of which no two are told to stand above each other: one row of two, three with the single one above or below, or two
/// rows of two.
fn side_by_side(things: &[Several]) -> Option<Vec<Vec<&str>>> {
    let all: Vec<&str> = things.iter().flat_map(Several::each).take(WIDEST * ROWS + 1).collect();
    let first_row = match (all.len(), things[0].count) {
        (2, _) => 2,
        (3, 2) => 2,
        (3, _) => 1,
        (4, _) => 2,
        _ => return None,
    };
    let (first, second) = all.split_at(first_row);
    Some(
        [first, second]
            .into_iter()
            .filter(|row| !row.is_empty())
            .map(<[_]>::to_vec)
            .collect(),
    )
}

/// The arrangement of rows, where a picture has room for them.
fn placed(rows: Vec<Vec<&str>>) -> Option<Arrangement> {
    if rows.len() > ROWS || rows.iter().any(|row| !(1..=WIDEST).contains(&row.len())) {
        return None;
    }
    let mut things: Vec<String> = Vec::new();
    let mut number = |thing: &str| {
        things.iter().position(|known| known == thing).unwrap_or_else(|| {
            things.push(thing.to_owned());
            things.len() - 1
        })
    };
    let rows = rows.iter().map(|row| row.iter().map(|thing| number(thing)).collect()).collect();
    Some(Arrangement { things, rows })
}
