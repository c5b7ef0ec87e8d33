//! Several objects in one picture: how they are laid out. Depends on nothing but how many a picture has room for.
//!
//! A network that draws whole pictures of things draws small ones badly, several of them above all. What a prompt has several of
//! is therefore drawn one by one and put together, as in layout-guided diffusion (Bar-Tal et al. 2023, arXiv 2302.08113), but
//! without a denoiser's step over the whole: these pictures have no ground that they would share.

use serde::Serialize;

use crate::picture::arrangement::MOST;

/// Objects that are drawn one by one and put into one picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Arrangement {
    /// The prompt of each object, without duplicates.
    pub objects: Vec<String>,
    /// The rows of the picture, from the top; each holds indices into `objects`, from the left.
    pub rows: Vec<Vec<usize>>,
}

/// A thing, how often it is drawn, and where.
pub(super) struct Placed {
    pub text: String,
    pub count: usize,
    /// Above the thing before it, or below; nothing for beside.
    pub above: Option<bool>,
}

/// Most things of a picture.
const THINGS: usize = MOST * MOST;

/// How things are laid out; nothing where there is one only.
pub(super) fn arrange(things: &[Placed]) -> Option<Arrangement> {
    if things.is_empty() {
        return None;
    }
    if things.iter().all(|thing| thing.above.is_none()) {
        return placed(side_by_side(things)?);
    }
    let mut rows: Vec<Vec<&str>> = vec![Vec::new()];
    let mut row = 0;
    for thing in things {
        match thing.above {
            Some(true) => rows.insert(row, Vec::new()),
            Some(false) => {
                row += 1;
                rows.insert(row, Vec::new());
            }
            None => {}
        }
        rows[row].extend(thing.each());
    }
    rows.iter_mut().for_each(|row| row.truncate(MOST));
    rows.truncate(MOST);
    placed(rows)
}

impl Placed {
    /// The thing as often as it is asked for.
    fn each(&self) -> impl Iterator<Item = &str> {
        std::iter::repeat_n(self.text.as_str(), self.count)
    }
}

/// Rows for things of which no two are told to stand above each other: as even as can be, and by kinds where that is as even.
fn side_by_side(things: &[Placed]) -> Option<Vec<Vec<&str>>> {
    let all: Vec<&str> = things.iter().flat_map(Placed::each).take(THINGS + 1).collect();
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
