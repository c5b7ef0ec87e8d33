//! What is asked for: everything about a picture that its user decides. Depends on [`crate::picture`] and the languages of [`crate::words`].

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::picture::{Background, Margins, Picture, PictureError, SketchError, sketch};
use crate::words::Language;

/// A picture to start from, instead of noise alone.
///
/// It is fitted to the pack's size: with transparent margins if the model knows transparency, else cut at the edges.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Source {
    /// The picture.
    pub picture: Picture,
    /// The share of the denoising steps that are done, from 0 to 1, rounded down and at least one step if it is not 0: 1 leaves little of
    /// the picture, 0 all of it.
    pub strength: f32,
    /// What may change: white is drawn anew, black is kept to the pixel, grey is mixed. As large as the picture, or of its shape.
    pub mask: Option<Picture>,
    /// Whether a model made all of it. Otherwise the result is marked as made by one in part (IPTC's
    /// `compositeWithTrainedAlgorithmicMedia`).
    pub generated: bool,
    /// How many of the picture's pixels are drawn beyond each of its sides. With any, the picture itself is kept to the pixel, the result is as
    /// large as picture and margins together, and a mask is not possible.
    pub extend: Margins,
}

impl Source {
    /// The usual strength.
    pub const STRENGTH: f32 = 0.6;
    /// The usual strength for a sketch, of whose lines the model shall make a picture.
    pub const SKETCH_STRENGTH: f32 = 0.75;

    /// A picture with the usual strength, and without a mask.
    pub fn new(picture: Picture) -> Source {
        Source {
            picture,
            strength: Source::STRENGTH,
            mask: None,
            generated: false,
            extend: Margins::default(),
        }
    }

    /// The drawing of a photographed or drawn sketch, cleaned, with the strength that suits lines.
    ///
    /// # Errors
    /// If no lines are found in it.
    pub fn of_sketch(photograph: &Picture) -> Result<Source, SketchError> {
        Ok(Source::new(sketch::cleaned(photograph)?).strength(Source::SKETCH_STRENGTH))
    }

    /// Sets whether a model made all of the picture.
    #[must_use]
    pub fn generated(mut self, generated: bool) -> Source {
        self.generated = generated;
        self
    }

    /// Sets the strength.
    #[must_use]
    pub fn strength(mut self, strength: f32) -> Source {
        self.strength = strength;
        self
    }

    /// Sets what may change.
    #[must_use]
    pub fn mask(mut self, mask: Picture) -> Source {
        self.mask = Some(mask);
        self
    }

    /// Sets how much is drawn beyond the picture's sides; a strength of 1 is usual then.
    #[must_use]
    pub fn extend(mut self, margins: Margins) -> Source {
        self.extend = margins;
        self
    }

    /// Width and height of the picture with what is drawn beyond its sides.
    ///
    /// # Errors
    /// If that is more than [`MAX_PIXELS`](crate::picture::MAX_PIXELS).
    pub fn extended_sides(&self) -> Result<(u32, u32), PictureError> {
        let own = (self.picture.width(), self.picture.height());
        let (width, height) = self.extend.around(own).unwrap_or((u32::MAX, u32::MAX));
        crate::picture::check_sides(width, height)?;
        Ok((width, height))
    }
}

/// One of several prompts that are mixed into one picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Part {
    /// What to draw, as [`Request::prompt`].
    pub prompt: String,
    /// Its share of the picture, 0 or more; the shares of all parts are divided by their sum.
    pub weight: f32,
    /// The name of its style; by default the request's, else that of the first part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub style: Option<String>,
}

impl Part {
    /// A prompt with its share.
    pub fn new(prompt: impl Into<String>, weight: f32) -> Part {
        Part {
            prompt: prompt.into(),
            weight,
            style: None,
        }
    }

    /// Sets the style.
    #[must_use]
    pub fn style(mut self, name: impl Into<String>) -> Part {
        self.style = Some(name.into());
        self
    }
}

/// How far the noise of a picture is moved towards that of another seed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Variation {
    /// The other seed.
    pub seed: u64,
    /// 0 stays where it is, 1 is the noise of the other seed.
    pub strength: f32,
}

impl Variation {
    /// The strength that keeps the picture recognizable and changes it visibly.
    pub const STRENGTH: f32 = 0.5;

    /// The noise of a seed, with how far it is moved towards.
    pub fn new(seed: u64, strength: f32) -> Variation {
        Variation { seed, strength }
    }
}

/// As in records and on the command line: `SEED:STRENGTH`.
impl fmt::Display for Variation {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "{}:{}", self.seed, self.strength)
    }
}

impl FromStr for Variation {
    type Err = String;

    fn from_str(text: &str) -> Result<Variation, String> {
        let parsed = text.split_once(':').and_then(|(seed, strength)| {
            let strength: f32 = strength.parse().ok().filter(|strength| (0.0..=1.0).contains(strength))?;
            Some(Variation {
                seed: seed.parse().ok()?,
                strength,
            })
        });
        parsed.ok_or_else(|| "must be a seed, `:` and a strength from 0 to 1, such as 8:0.5".into())
    }
}

/// A picture to generate. Everything but the prompt has a default.
///
/// The command line, the kiosk, the benchmark and programs all build this value; the same request gives the same pixels from
/// all of them.
///
/// ```
/// use inkstone::Request;
///
/// let request = Request::new("a red apple").style("flat").steps(2).seed(7);
/// assert_eq!(request.seed, Some(7));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Request {
    /// What to draw, as a person writes it; empty for a model without prompts. Brackets emphasise and braces choose, unless
    /// [`literal`](Request::literal) is set: see [`emphasis and choices`](super#prompts).
    pub prompt: String,
    /// Prompts that are mixed, in the place of `prompt`; by default there are none.
    pub parts: Vec<Part>,
    /// Take prompts letter by letter: brackets, braces and backslashes mean nothing.
    pub literal: bool,
    /// The folder with word lists for choices in prompts, `NAME.txt` each.
    pub words: Option<PathBuf>,
    /// The style's name. By default words of the prompt choose it ("pixel art"), then the styles that the model has learned
    /// the object in, then the pack's default.
    pub style: Option<String>,
    /// Denoising steps, one of [`Capabilities::steps`](super::Capabilities::steps); the pack's default otherwise.
    pub steps: Option<usize>,
    /// Strength of guidance, 0 to [`Capabilities::max_guidance`](super::Capabilities::max_guidance); the pack's default
    /// otherwise. Values other than 1 take twice the time.
    pub guidance: Option<f32>,
    /// What the picture should not show; only has an effect with a guidance above 1.
    pub negative: Option<String>,
    /// Seed of the noise, and of choices in prompts; random by default.
    pub seed: Option<u64>,
    /// Moves the noise towards that of other seeds, one after another; by default nothing does.
    pub variations: Vec<Variation>,
    /// Longest side of the picture in pixels, 8 to 4096; the pack's own size by default.
    pub size: Option<u32>,
    /// What is put behind the picture; transparent by default.
    pub background: Background,
    /// The language that the prompt is taken for where its words do not tell.
    pub language: Option<Language>,
    /// Numbers by the names of the pack's [`Condition`](super::families::Condition)s; the pack's defaults otherwise.
    pub conditions: BTreeMap<String, f64>,
    /// A picture to start from; by default there is none.
    pub source: Option<Source>,
    /// Draw a prompt of which nothing is known as the text encoder takes it, instead of refusing it.
    pub guess: bool,
    /// Leave prompts out of the record of the picture.
    pub private: bool,
}

impl Request {
    /// A request for a prompt, with defaults for everything else.
    pub fn new(prompt: impl Into<String>) -> Request {
        Request {
            prompt: prompt.into(),
            parts: Vec::new(),
            literal: false,
            words: None,
            style: None,
            steps: None,
            guidance: None,
            negative: None,
            seed: None,
            variations: Vec::new(),
            size: None,
            background: Background::Transparent,
            language: None,
            conditions: BTreeMap::new(),
            source: None,
            guess: false,
            private: false,
        }
    }

    /// A request for several prompts that are mixed by their shares, with defaults for everything else.
    ///
    /// ```
    /// use inkstone::{Part, Request};
    ///
    /// let request = Request::blend([Part::new("cat", 0.6), Part::new("dog", 0.4)]);
    /// assert_eq!(request.parts.len(), 2);
    /// ```
    pub fn blend(parts: impl IntoIterator<Item = Part>) -> Request {
        Request {
            parts: parts.into_iter().collect(),
            ..Request::new("")
        }
    }

    /// Sets whether prompts are taken letter by letter.
    #[must_use]
    pub fn literal(mut self, literal: bool) -> Request {
        self.literal = literal;
        self
    }

    /// Sets the folder with word lists.
    #[must_use]
    pub fn words(mut self, folder: impl Into<PathBuf>) -> Request {
        self.words = Some(folder.into());
        self
    }

    /// Moves the noise towards that of another seed, by a strength of 0 to 1.
    #[must_use]
    pub fn variation(mut self, seed: u64, strength: f32) -> Request {
        self.variations.push(Variation { seed, strength });
        self
    }

    /// Sets whether prompts are left out of the record.
    #[must_use]
    pub fn private(mut self, private: bool) -> Request {
        self.private = private;
        self
    }

    /// Sets the style by its name.
    #[must_use]
    pub fn style(mut self, name: impl Into<String>) -> Request {
        self.style = Some(name.into());
        self
    }

    /// Sets the number of denoising steps.
    #[must_use]
    pub fn steps(mut self, steps: usize) -> Request {
        self.steps = Some(steps);
        self
    }

    /// Sets the strength of guidance.
    #[must_use]
    pub fn guidance(mut self, guidance: f32) -> Request {
        self.guidance = Some(guidance);
        self
    }

    /// Sets what the picture should not show.
    #[must_use]
    pub fn negative(mut self, text: impl Into<String>) -> Request {
        self.negative = Some(text.into());
        self
    }

    /// Sets the seed.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Request {
        self.seed = Some(seed);
        self
    }

    /// Sets the longest side, in pixels.
    #[must_use]
    pub fn size(mut self, pixels: u32) -> Request {
        self.size = Some(pixels);
        self
    }

    /// Sets what is put behind the picture.
    #[must_use]
    pub fn background(mut self, background: Background) -> Request {
        self.background = background;
        self
    }

    /// Sets the language that the prompt is taken for where its words do not tell: "chat" is a cat in French.
    #[must_use]
    pub fn language(mut self, language: Language) -> Request {
        self.language = Some(language);
        self
    }

    /// Sets the picture to start from.
    #[must_use]
    pub fn source(mut self, source: Source) -> Request {
        self.source = Some(source);
        self
    }

    /// Sets one of the pack's conditions.
    #[must_use]
    pub fn condition(mut self, name: impl Into<String>, value: f64) -> Request {
        self.conditions.insert(name.into(), value);
        self
    }

    /// Sets whether a prompt of which nothing is known is drawn all the same.
    #[must_use]
    pub fn guess(mut self, guess: bool) -> Request {
        self.guess = guess;
        self
    }
}
