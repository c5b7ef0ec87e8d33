//! Several objects in one prompt: what each of them is, and how they are laid out. Depends on the spans of its parent.
//!
//! A network that draws whole pictures of things draws small ones badly, several of them above all. What a prompt has several of
//! is therefore drawn one by one and put together, as in layout-guided diffusion (Bar-Tal et al. 2023, arXiv 2302.08113), but
//! without a denoiser's step over the whole: these pictures have no ground that they would share.

use super::lexicon::{Entry, Kind, Relation};
use super::{Reader, Span, only_word, rebuilt};
use crate::picture::arrangement::MOST;

/// Objects that are drawn one by one and put into one picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrangement {
    /// The prompt of each object, without duplicates.
    pub objects: Vec<String>,
    /// The rows of the picture, from the top; each holds indices into `objects`, from the left.
    pub rows: Vec<Vec<usize>>,
}

/// N of a thing.
struct Several {
    count: usize,
    thing: String,
}

/// Most things of a picture.
const THINGS: usize = MOST * MOST;

impl Reader {
    /// The things of a prompt and how they stand; nothing where there is one only, where there are more than a picture has room for, and
    /// where punctuation makes the words a list that says together what is meant.
    pub(super) fn arrangement(&self, prompt: &str, spans: &[Span]) -> Option<Arrangement> {
        let mut rows: Vec<Vec<Several>> = vec![Vec::new()];
        let mut row = 0;
        for (relation, group) in related(spans)? {
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
    fn several(&self, prompt: &str, words: Vec<Span>) -> Option<Several> {
        let first = words.first().and_then(Span::number);
        let count = first.unwrap_or(1);
        // Borrows what is made here, too.
        let mut words: Vec<Span> = words.into_iter().skip(usize::from(first.is_some())).collect();
        // Elsewhere a number is none of things, as in "keycap 5".
        if words.iter().any(|span| span.number().is_some()) || count > THINGS {
            return None;
        }
        let thing = words.iter().rposition(Span::is_caption)?;
        let written = words[thing].units.last()?.key.clone();
        let entry = words[thing].entry?;
        let one = (count > 1 && words[thing].units.len() == 1).then(|| self.singular(entry.nearest.unwrap_or(&written), &entry));
        if let Some((one, entry)) = one.as_ref().and_then(Option::as_ref) {
            words[thing].instead = entry.nearest.or(Some(one));
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

/// What lies between a group of words and the one before it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Border {
    Told(Relation),
    /// The second group begins with a number.
    Number,
    Comma,
}

impl Border {
    fn relation(self) -> Relation {
        match self {
            Border::Told(relation) => relation,
            Border::Number | Border::Comma => Relation::Beside,
        }
    }
}

/// Words that are kept, in groups, with the relation of each group to the one before it: `Beside` for the first, for what a list has
/// before its last "and", and for what begins with a number. Nothing where punctuation says something else.
fn related<'a>(spans: &[Span<'a>]) -> Option<Vec<(Relation, Vec<Span<'a>>)>> {
    let mut groups: Vec<(Border, Vec<Span>)> = Vec::new();
    let (mut relation, mut broken) = (Some(Relation::Beside), false);
    for span in spans {
        broken |= span.broken();
        if span.relation().is_some() {
            relation = span.relation();
        } else if span.is_kept() {
            let counted = span.number().is_some() && groups.last().is_some_and(|(_, words)| words.iter().any(Span::is_caption));
            let border = match relation.take() {
                Some(relation) => Some(Border::Told(relation)),
                None if counted => Some(Border::Number),
                None => broken.then_some(Border::Comma),
            };
            groups.extend(border.map(|border| (border, Vec::new())));
            groups.last_mut()?.1.push(span.clone());
            broken = false;
        }
    }
    let all = |has: &dyn Fn(Border) -> bool| groups.iter().all(|(border, _)| has(*border));
    let (told, in_a_row) = (
        all(&|border| matches!(border, Border::Told(_))),
        all(&|border| border.relation() == Relation::Beside),
    );
    let things = groups
        .iter()
        .all(|(_, words)| words.iter().any(|span| span.kind() == Some(Kind::Thing)));
    // What follows "under" may be the sky, and what follows a comma how old the cat is.
    let sure = if told { in_a_row || things } else { in_a_row && things };
    let closed = groups.last()?.0 != Border::Comma;
    (sure && closed).then(|| groups.into_iter().map(|(border, words)| (border.relation(), words)).collect())
}

impl Several {
    /// The thing as often as it is asked for.
    fn each(&self) -> impl Iterator<Item = &str> {
        std::iter::repeat_n(self.thing.as_str(), self.count)
    }
}

/// Rows for things of which no two are told to stand above each other: as even as can be, and by kinds where that is as even.
fn side_by_side(things: &[Several]) -> Option<Vec<Vec<&str>>> {
    let all: Vec<&str> = things.iter().flat_map(Several::each).take(THINGS + 1).collect();
    let lengths: &[usize] = match (all.len(), things[0].count) {
        (2, _) => &[2],
        (3, 2) => &[2, 1],
        (3, _) => &[1, 2],
        (4, _) => &[2, 2],
        (5, 3) => &[3, 2],
        (5, _) => &[2, 3],
        (6, _) => &[3, 3],
        (7, _) => &[2, 3, 2],
        (8, _) => &[3, 2, 3],
        (9, _) => &[3, 3, 3],
        _ => return None,
    };
    let mut rest = all.into_iter();
    Some(lengths.iter().map(|&length| rest.by_ref().take(length).collect()).collect())
}

/// The arrangement of rows, where a picture has room for them.
fn placed(rows: Vec<Vec<&str>>) -> Option<Arrangement> {
    if rows.len() > MOST || rows.iter().any(|row| !(1..=MOST).contains(&row.len())) {
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
    Some(Arrangement { objects: things, rows })
}
