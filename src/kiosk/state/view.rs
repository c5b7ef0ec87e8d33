//! What is to be seen: everything a screen needs to draw itself, in the visitor's language, and nothing else.

use std::sync::Arc;

use crate::picture::Picture;

/// A picture with its words.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// The picture.
    pub picture: Arc<Picture>,
    /// What it shows.
    pub title: String,
    /// Its style; empty where it has none.
    pub style: String,
    /// Whether it is enlarged by whole pixels.
    pub sprite: bool,
}

/// A word on the wheel and its neighbours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wheel {
    /// Words before, the nearest last.
    pub before: Vec<String>,
    /// The chosen word.
    pub word: String,
    /// Words after, the nearest first.
    pub after: Vec<String>,
}

/// What is chosen about a picture besides its words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Style.
    pub style: String,
    /// Colour, where one is asked for.
    pub colour: Option<String>,
    /// The colour's English word, from which a patch is painted.
    pub patch: Option<String>,
    /// How many at once, where more than one.
    pub several: Option<String>,
}

/// What fills the screen.
#[derive(Clone, Debug, PartialEq)]
pub enum Scene {
    /// Nothing: the panel is off.
    Dark,
    /// Nobody is here.
    Attract {
        /// The picture.
        shown: Option<Shown>,
        /// The picture that takes its place, and how much of it is there, 0 to 255.
        coming: Option<(Shown, u8)>,
    },
    /// Words are being chosen or typed.
    Choose {
        /// The words; what is typed is on it alone.
        wheel: Wheel,
        /// Whether the word is being typed.
        typed: bool,
        /// Kind of words.
        kind: String,
        /// Style, colour and number.
        choice: Choice,
        /// A quick look at it, and whether it is of what is chosen now.
        sketch: Option<(Shown, bool)>,
    },
    /// More to choose from.
    Menu {
        /// Names and values.
        lines: Vec<(String, String)>,
        /// The chosen line.
        at: usize,
    },
    /// A picture is being drawn.
    Drawing {
        /// What.
        title: String,
        /// Its style.
        style: String,
        /// The pictures as far as they are; one or four.
        pictures: Vec<Option<Shown>>,
        /// Which of them is being drawn.
        at: usize,
        /// How much is done, in thousandths.
        done: u32,
        /// How long it takes, in words.
        left: String,
    },
    /// Four to pick from.
    Four {
        /// What they show.
        title: String,
        /// The pictures.
        pictures: Vec<Shown>,
        /// The one with the frame.
        at: Option<usize>,
        /// Whether it is picked.
        picked: bool,
    },
    /// One picture.
    Picture {
        /// It.
        shown: Shown,
        /// Whether it is kept for good.
        favourite: bool,
        /// The text of the code to take home, where it is shown.
        code: Option<String>,
        /// Its place in the gallery, from 1, and how many there are.
        place: Option<(usize, usize)>,
    },
    /// Nothing but words.
    Message {
        /// The words.
        text: String,
    },
}

/// What is to be seen.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// What fills the screen.
    pub scene: Scene,
    /// What the four buttons do; empty where a button does nothing.
    pub legends: [String; 4],
    /// A line that hints or warns.
    pub notice: Option<String>,
}
