//! A request for pictures as our own interface takes it, checked and turned into an [`Order`]. The other interfaces build a [`Wish`] from what
//! they are sent. Depends on the settings' limits and the word filter.

use std::net::IpAddr;

use serde::Deserialize;

use super::body::picture_of_base64;
use super::queue::Order;
use super::refusal::Refusal;
use super::site::Site;
use crate::picture::{Background, PictureFile};
use crate::pipeline::{Request, Source, Variation, random_seed};
use crate::words::Language;

/// Longest prompt in letters.
const LONGEST: usize = 1000;
/// Most variations of a picture.
const MOST_VARIATIONS: usize = 16;
/// Most frames that a picture goes over.
pub const MOST_PARTS: u32 = 8;

/// What a client asks for. Everything but the prompt has a default.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wish {
    pub prompt: String,
    pub style: Option<String>,
    pub steps: Option<usize>,
    /// -1 for a random one.
    pub seed: Option<i128>,
    pub guidance: Option<f32>,
    pub negative: Option<String>,
    /// Moves the noise towards that of other seeds.
    pub variations: Vec<Variation>,
    /// Longest side in pixels.
    pub size: Option<u32>,
    pub background: Option<String>,
    pub language: Option<String>,
    /// How many pictures; the seed counts up.
    pub count: Option<u32>,
    /// A picture to start from, in base64.
    pub from: Option<String>,
    pub strength: Option<f32>,
    /// What may change of it, in base64: white is drawn anew.
    pub mask: Option<String>,
    /// Whether that picture is a sketch.
    pub sketch: bool,
    /// Whether brackets and braces of the prompt mean nothing, which they do by default.
    pub literal: Option<bool>,
    /// Whether a prompt of which nothing is known is drawn all the same.
    pub guess: bool,
    /// Whether the picture is shown on the panel, which one is by default.
    pub show: Option<bool>,
    /// Whether the pictures are kept in the gallery, by default as the settings say of all pictures.
    pub keep: Option<bool>,
    /// Which part of a picture that goes over several frames, from 1.
    pub part: Option<u32>,
    /// Over how many.
    pub of: Option<u32>,
    /// The picture to start from, where it is no text.
    #[serde(skip)]
    pub source: Option<Source>,
}

impl Wish {
    /// What is drawn for it.
    ///
    /// # Errors
    /// If a field is out of range, or the prompt has a word that the owner does not want.
    pub fn order(self, site: &Site, from: IpAddr, is_owner: bool) -> Result<(Order, Request, u64), Refusal> {
        let limits = &site.settings.remote;
        let count = in_range("count", self.count.unwrap_or(1), 1, limits.at_once)?;
        let part = self.part()?;
        let request = self.request(site)?;
        let seed = self.first_seed()?;
        let order = Order {
            count: count as usize,
            part,
            show: self.show.unwrap_or(count == 1 && site.kiosk.is_some()),
            keep: self.keep.unwrap_or(site.settings.gallery.keep_all),
            from,
            is_owner,
        };
        Ok((order, request, seed))
    }

    fn part(&self) -> Result<Option<(u32, u32)>, Refusal> {
        let Some(of) = self.of else {
            return match self.part {
                Some(_) => Err(Refusal::invalid("of", "is missing: of how many parts is this one?")),
                None => Ok(None),
            };
        };
        let of = in_range("of", of, 1, MOST_PARTS)?;
        let part = in_range("part", self.part.unwrap_or(1), 1, of)?;
        if of > 1 && self.seed.is_none_or(|seed| seed < 0) {
            return Err(Refusal::invalid("seed", "is needed: all frames have to draw the same picture"));
        }
        if of > 1 && (self.from.is_some() || self.source.is_some()) {
            return Err(Refusal::invalid("from", "a picture that goes over several frames starts from none"));
        }
        Ok(Some((part - 1, of)))
    }

    fn first_seed(&self) -> Result<u64, Refusal> {
        match self.seed {
            None | Some(-1) => Ok(random_seed()),
            Some(seed) => {
                let problem = |_| Refusal::invalid("seed", format!("must be from 0 to {}, or -1 for a random one", u64::MAX));
                u64::try_from(seed).map_err(problem)
            }
        }
    }

    fn request(&self, site: &Site) -> Result<Request, Refusal> {
        let limits = &site.settings.remote;
        let prompt = text("prompt", &self.prompt)?;
        if prompt.is_empty() && site.needs_prompt() {
            return Err(Refusal::invalid("prompt", "is missing: say what to draw"));
        }
        site.check_words(prompt)?;
        let mut request = Request::new(prompt).literal(self.literal.unwrap_or(true)).guess(self.guess);
        request.style = self.style(site)?;
        request.steps = self.steps(site)?;
        if let Some(guidance) = self.guidance {
            let most = site.offer().map_or(100.0, |offer| offer.max_guidance);
            request.guidance = Some(in_range("guidance", guidance, 0.0, most)?);
        }
        if let Some(negative) = self.negative.as_deref().filter(|negative| !negative.trim().is_empty()) {
            let negative = text("negative", negative)?;
            site.check_words(negative).map_err(|refusal| refusal.of("negative"))?;
            request.negative = Some(negative.to_owned());
        }
        if let Some(size) = self.size {
            request.size = Some(in_range("size", size, 8, limits.max_size)?);
        }
        in_range("variations", self.variations.len(), 0, MOST_VARIATIONS)?;
        for variation in &self.variations {
            in_range("variations", variation.strength, 0.0, 1.0)?;
        }
        request.variations.clone_from(&self.variations);
        request.background = self.background(site)?;
        if let Some(tag) = &self.language {
            request.language = Some(tag.parse::<Language>().map_err(|error| Refusal::invalid("language", error))?);
        }
        request.source = self.picture(site)?;
        Ok(request)
    }

    /// The style, if the pack has it, as far as that is known.
    fn style(&self, site: &Site) -> Result<Option<String>, Refusal> {
        let Some(style) = self.style.as_deref().map(str::trim).filter(|style| !style.is_empty()) else {
            return Ok(None);
        };
        let known = site.offer().map(|offer| offer.styles);
        match known {
            Some(known) if !known.iter().any(|name| name == style) => {
                let shown: String = style.chars().take(40).collect();
                Err(Refusal::invalid(
                    "style",
                    format!("there is no style '{shown}' here; there are {}", known.join(", ")),
                ))
            }
            _ => Ok(Some(text("style", style)?.to_owned())),
        }
    }

    fn steps(&self, site: &Site) -> Result<Option<usize>, Refusal> {
        match (self.steps, site.offer()) {
            (Some(steps), Some(offer)) if !offer.steps.contains(&steps) => {
                let known: Vec<String> = offer.steps.iter().map(usize::to_string).collect();
                Err(Refusal::invalid(
                    "steps",
                    format!("there are no {steps} steps here; there are {}", known.join(", ")),
                ))
            }
            (steps, _) => Ok(steps),
        }
    }

    fn background(&self, site: &Site) -> Result<Background, Refusal> {
        let background = self.background.as_deref().unwrap_or(&site.settings.draw.background);
        Ok(background.parse::<Background>()?)
    }

    /// The picture to start from.
    fn picture(&self, site: &Site) -> Result<Option<Source>, Refusal> {
        let Some(text) = &self.from else {
            let needs = [
                ("strength", self.strength.is_some()),
                ("mask", self.mask.is_some()),
                ("sketch", self.sketch),
            ];
            return match needs.into_iter().find(|(_, is_set)| *is_set) {
                Some((field, _)) if self.source.is_none() => Err(Refusal::invalid(field, "needs a picture to start from: `from`")),
                _ => Ok(self.source.clone()),
            };
        };
        let source = source(site, "from", picture_of_base64("from", text)?, self.sketch)?;
        let strength = in_range("strength", self.strength.unwrap_or(source.strength), 0.0, 1.0)?;
        let source = source.strength(strength);
        match &self.mask {
            Some(_) if self.sketch => Err(Refusal::invalid("mask", "a sketch has none")),
            Some(mask) => Ok(Some(source.mask(site.smaller(picture_of_base64("mask", mask)?.picture)?))),
            None => Ok(Some(source)),
        }
    }
}

/// A picture to start from. Its file may say that a model made all of it.
pub fn source(site: &Site, field: &str, file: PictureFile, is_sketch: bool) -> Result<Source, Refusal> {
    let is_generated = file.ai_marked && !file.ai_composite;
    let source = if is_sketch {
        Source::of_sketch(&file.picture).map_err(|error| Refusal::from(error).of(field))?
    } else {
        Source::new(site.smaller(file.picture)?)
    };
    Ok(source.generated(is_generated))
}

/// A text without control characters and not too long, and without spaces around it.
pub fn text<'a>(field: &str, text: &'a str) -> Result<&'a str, Refusal> {
    let text = text.trim();
    let letters = text.chars().count();
    if letters > LONGEST {
        return Err(Refusal::invalid(
            field,
            format!("has {letters} letters; at most {LONGEST} are allowed"),
        ));
    }
    // Marks of direction make a text look like another.
    let is_unseen = |letter: &char| letter.is_control() || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    match text.chars().find(is_unseen) {
        Some(control) => Err(Refusal::invalid(
            field,
            format!("contains a control character (U+{:04X})", u32::from(control)),
        )),
        None => Ok(text),
    }
}

/// A number, if it is within its range.
pub fn in_range<T: PartialOrd + std::fmt::Display>(field: &str, value: T, least: T, most: T) -> Result<T, Refusal> {
    if (&least..=&most).contains(&&value) {
        Ok(value)
    } else {
        Err(Refusal::invalid(field, format!("{value} is not between {least} and {most}")))
    }
}
