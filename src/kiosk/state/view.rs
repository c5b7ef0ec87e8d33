//! The view: everything that a screen needs to draw itself, in the visitor's language, and nothing else.

use std::sync::Arc;

use crate::picture::{Picture, Resampling};

/// A picture with its title and style.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// The picture.
    pub picture: Arc<Picture>,
    /// Its title.
    pub title: String,
    /// Its style; empty for none.
    pub style: String,
    /// How it is scaled to the size of the screen.
    pub resampling: Resampling,
}

/// A word on the wheel and its neighbours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wheel {
    /// Words before, the nearest last.
    pub before: Vec<String>,
    /// The selected word.
    pub word: String,
    /// Words after, the nearest first.
    pub after: Vec<String>,
}

/// The selection besides the words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Style.
    pub style: String,
    /// Colour, if one is selected.
    pub colour: Option<String>,
    /// The English word of the colour, from which a colour patch is painted.
    pub patch: Option<String>,
    /// How many pictures at once, if more than one.
    pub several: Option<String>,
}

/// A QR code, by which visitors take a picture home, or get to the page for phones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// The command that draws the picture: what the code says unless there is a link, and is shown in letters.
    pub command: String,
    /// The address that the code leads to.
    pub link: Option<String>,
    /// What to do with it.
    pub invitation: String,
}

impl Code {
    /// What the code says.
    pub fn text(&self) -> &str {
        self.link.as_deref().unwrap_or(&self.command)
    }
}

/// What fills the screen.
#[derive(Clone, Debug, PartialEq)]
pub enum Scene {
    /// Nothing: the panel is off.
    Dark,
    /// The slide show, while no visitor is there.
    Attract {
        /// The picture.
        shown: Option<Shown>,
        /// The picture that fades in, and its opacity, 0 to 255.
        coming: Option<(Shown, u8)>,
        /// Asks visitors to begin.
        call: String,
    },
    /// Words are being chosen or typed.
    Choose {
        /// The words; a typed text has no neighbours.
        wheel: Wheel,
        /// Whether the text is typed.
        typed: bool,
        /// Category of the words, empty for all; or the typed word that may mean any of them, and a question.
        kind: String,
        /// Style, colour and number.
        choice: Choice,
        /// A sketch, and whether it shows the current choice.
        sketch: Option<(Shown, bool)>,
    },
    /// The menu.
    Menu {
        /// Names and values.
        lines: Vec<(String, String)>,
        /// Index of the selected line.
        at: usize,
    },
    /// Words are being typed on the screen.
    Keyboard {
        /// What was typed.
        text: String,
        /// What to do, while nothing was typed.
        hint: String,
        /// Rows of keys; U+0008 is the backspace.
        rows: Vec<Vec<char>>,
        /// Index of the key that a button types, over all rows.
        at: usize,
    },
    /// Somebody draws by hand.
    Paper {
        /// What was drawn on the paper; nothing while it is empty.
        paper: Option<Shown>,
        /// The picture of it.
        shown: Option<Shown>,
        /// What it is to show, and in which style.
        title: String,
        /// Its style.
        style: String,
        /// What to do, while the paper is empty.
        hint: String,
    },
    /// A picture is being drawn.
    Drawing {
        /// Its title.
        title: String,
        /// Its style.
        style: String,
        /// One or four pictures, finished or previewed.
        pictures: Vec<Option<Shown>>,
        /// Index of the one that is being drawn.
        at: usize,
        /// Progress in thousandths.
        done: u32,
        /// Remaining time, in words; empty while it is not known.
        left: String,
        /// Says that it is being drawn.
        doing: String,
    },
    /// Four pictures to choose from.
    Four {
        /// Their title.
        title: String,
        /// The pictures.
        pictures: Vec<Shown>,
        /// Index of the one with the frame.
        at: Option<usize>,
        /// Whether it is picked.
        picked: bool,
        /// Asks which one; empty once one is picked.
        question: String,
    },
    /// One picture.
    Picture {
        /// The picture.
        shown: Shown,
        /// Whether it is a favourite.
        favourite: bool,
        /// What the picture can be drawn again with, if that is shown.
        code: Option<Code>,
        /// Its position in the gallery, from 1, and the number of pictures there.
        place: Option<(usize, usize)>,
        /// Small pictures of those around it in the gallery, itself included; `None` for one that is not there yet.
        around: Vec<Option<Shown>>,
        /// Which of these it is.
        here: usize,
    },
    /// A code without a picture.
    Code(Code),
    /// A message without a picture.
    Message {
        /// The message.
        text: String,
    },
}

impl Scene {
    /// Whether a picture that was drawn elsewhere may take its place: no visitor is in the middle of something.
    pub fn gives_way(&self) -> bool {
        matches!(
            self,
            Scene::Attract { .. } | Scene::Message { .. } | Scene::Picture { place: None, .. }
        )
    }
}

/// What a screen shows.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// What fills the screen.
    pub scene: Scene,
    /// Labels of the four buttons; empty if a button does nothing.
    pub legends: [String; 4],
    /// A line that hints or warns.
    pub notice: Option<String>,
    /// Whether its language is written from right to left: then panels are mirrored, the buttons' labels and the keyboard apart.
    pub is_right_to_left: bool,
}
