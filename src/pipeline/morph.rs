//! From one picture to another in small steps: the conditions of the prompts are mixed, and the noise moves from one seed to another on the
//! sphere ([`Part`], [`Variation`](super::Variation)). Each frame is a picture of a [`Request`] of its own; the ends are those of single prompts.
//!
//! Pictures do not change evenly while the mixture does. So frames are placed where most changes: starting with the ends, the two neighbours
//! that differ most get a frame between them, until there are enough; and each is shown the longer, the more the next one differs.
//!
//! Owns that order. Depends on the rest of the pipeline as its callers do.

use serde_json::json;

use super::{Note, Observer, Part, Pipeline, PipelineError, Request};
use crate::picture::provenance::MORPH;
use crate::picture::scale::{Resampling, resize};
use crate::picture::{Picture, PictureError, Provenance};

/// Places between two ends, a power of two: enough that frames never meet.
const PLACES: u64 = 1 << 20;
/// Side of the pictures that are compared, in pixels.
const COMPARED: u32 = 32;
/// Most frames.
const MOST_FRAMES: usize = 1000;
/// Most bytes of all frames, which are in memory until the last one is drawn.
const MOST_BYTES: u64 = 256 << 20;
/// The least time that a frame is shown, of the time that it would have if all had the same.
const SHORTEST: f64 = 0.25;

/// Pictures that become one another.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Morph {
    /// What all pictures have in common, and seed and style of the first. Its prompts are not read.
    pub request: Request,
    /// The prompts, in order; one will do if the seed or the style changes.
    pub prompts: Vec<String>,
    /// The seed of the last picture; by default that of the first.
    pub to_seed: Option<u64>,
    /// The style of the last picture; by default that of the first, and without one of its own each prompt's own.
    pub to_style: Option<String>,
    /// Number of pictures, at most 1000 and 256 MiB of pixels.
    pub frames: usize,
    /// Whether the last picture becomes the first again.
    pub closed: bool,
}

impl Morph {
    /// A morph from prompt to prompt in 30 frames.
    pub fn new(prompts: impl IntoIterator<Item = String>) -> Morph {
        Morph {
            request: Request::new(""),
            prompts: prompts.into_iter().collect(),
            to_seed: None,
            to_style: None,
            frames: 30,
            closed: false,
        }
    }
}

/// A picture of a morph.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Frame {
    /// The picture.
    pub picture: Picture,
    /// What made it, by itself.
    pub provenance: Provenance,
    /// Its share of the time; all add up to 1.
    pub share: f64,
}

/// A morph that was drawn.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Morphed {
    /// The pictures, in order.
    pub frames: Vec<Frame>,
    /// What made all of them: the first picture's record, with the morph.
    pub provenance: Provenance,
    /// What there is to say about the prompts.
    pub notes: Vec<Note>,
}

/// A picture that the morph passes through.
#[derive(Clone)]
struct End {
    prompt: String,
    /// The style that it is asked for in by itself; nothing if its words choose it.
    asked: Option<String>,
    /// Its styles and their shares.
    styles: Vec<(Option<String>, f32)>,
    /// How far its noise is on the way to that of the last seed.
    moved: f32,
}

/// A frame while others are still drawn.
struct Placed {
    place: u64,
    /// What it is compared by.
    small: Vec<i32>,
    /// Nothing for a frame that closes the circle, which is the first one.
    frame: Option<Frame>,
}

impl Pipeline {
    /// Draws a morph. The observer is told of each picture in turn; they are not drawn in order.
    ///
    /// # Errors
    /// As [`Pipeline::generate_with`], and if the number of prompts or frames does not make a morph.
    pub fn morph(&mut self, morph: &Morph, observer: &mut dyn Observer) -> Result<Morphed, PipelineError> {
        let seed = morph.request.seed.unwrap_or_else(super::random_seed);
        let mut course = self.course(morph, seed)?;
        let mut frames: Vec<Placed> = Vec::new();
        let mut drawn = 0;
        for index in 0..course.ends.len() {
            let place = index as u64 * PLACES;
            if index > 0 && morph.closed && index == course.ends.len() - 1 {
                let small = frames.first().map_or_else(Vec::new, |first| first.small.clone());
                frames.push(Placed { place, small, frame: None });
            } else {
                frames.push(self.placed(&mut course, place, observer)?);
                drawn += 1;
            }
        }
        while drawn < morph.frames {
            let Some(left) = widest(&frames) else { break };
            let place = frames[left].place.midpoint(frames[left + 1].place);
            let placed = self.placed(&mut course, place, observer)?;
            frames.insert(left + 1, placed);
            drawn += 1;
        }
        let shares = shares(&frames);
        let frames = frames.into_iter().filter_map(|placed| placed.frame).zip(shares);
        let frames: Vec<Frame> = frames.map(|(frame, share)| Frame { share, ..frame }).collect();
        let mut provenance = frames.first().map(|frame| frame.provenance.clone()).unwrap_or_default();
        let facts = json!({
            "prompts": (!morph.request.private).then(|| course.prompts()), "to_seed": morph.to_seed, "to_style": morph.to_style,
            "frames": morph.frames, "loop": morph.closed,
        });
        provenance.extra.insert(MORPH.to_owned(), facts.to_string());
        Ok(Morphed {
            frames,
            provenance,
            notes: course.notes,
        })
    }

    fn placed(&mut self, course: &mut Course, place: u64, observer: &mut dyn Observer) -> Result<Placed, PipelineError> {
        let generated = self.generate_with(&course.request(place), observer)?;
        Ok(Placed {
            place,
            small: small(&generated.picture)?,
            frame: Some(Frame {
                picture: generated.picture,
                provenance: generated.provenance,
                share: 0.0,
            }),
        })
    }

    /// Decides everything before the first picture: what the morph passes through, in which styles.
    fn course(&mut self, morph: &Morph, seed: u64) -> Result<Course, PipelineError> {
        let mut prompts = morph.prompts.clone();
        if let ([only], true) = (prompts.as_slice(), morph.to_seed.is_some() || morph.to_style.is_some()) {
            prompts.push(only.clone());
        }
        let count = prompts.len();
        if count < 2 {
            return Err(wrong(
                "a second prompt is missing, or another seed or style for the last picture".into(),
            ));
        }
        if !(count..=MOST_FRAMES).contains(&morph.frames) {
            let problem = format!(
                "{} frames for {count} prompts: there must be one for each, and at most {MOST_FRAMES}",
                morph.frames
            );
            return Err(wrong(problem));
        }
        let mut course = Course {
            base: morph.request.clone(),
            seed,
            to_seed: morph.to_seed.unwrap_or(seed),
            ends: Vec::new(),
            notes: Vec::new(),
        };
        for (index, prompt) in prompts.iter().enumerate() {
            let end = self.end(morph, &mut course, prompt, index as f32 / (count - 1) as f32)?;
            course.ends.push(end);
        }
        if morph.closed {
            course.ends.extend(course.ends.first().cloned());
        }
        let side = u64::from(morph.request.size.unwrap_or(self.capabilities.width.max(self.capabilities.height)));
        if side * side * 4 * morph.frames as u64 > MOST_BYTES {
            let most = MOST_BYTES / (side * side * 4);
            return Err(wrong(format!(
                "{} frames of {side} pixels need too much memory: at most {most} are possible",
                morph.frames
            )));
        }
        // Prompts that do not go together are told before the first picture.
        for left in 0..course.ends.len() as u64 - 1 {
            self.resolve(&course.request(left * PLACES + PLACES / 2))?;
        }
        Ok(course)
    }

    fn end(&mut self, morph: &Morph, course: &mut Course, prompt: &str, along: f32) -> Result<End, PipelineError> {
        let request = Request {
            seed: Some(course.seed),
            ..course.base.clone()
        };
        let resolved = self.resolve(&Request {
            prompt: prompt.to_owned(),
            parts: Vec::new(),
            ..request
        })?;
        let fresh: Vec<Note> = resolved
            .notes()
            .iter()
            .filter(|note| !course.notes.contains(note))
            .cloned()
            .collect();
        course.notes.extend(fresh);
        let own = resolved.style().map(str::to_owned);
        let styles = match &morph.to_style {
            None => vec![(own, 1.0)],
            Some(last) => vec![(own, 1.0 - along), (Some(last.clone()), along)],
        };
        let is_last = along >= 1.0;
        Ok(End {
            prompt: resolved.prompt(),
            asked: morph.to_style.clone().filter(|_| is_last).or(course.base.style.clone()),
            styles: styles.into_iter().filter(|(_, share)| *share > 0.0).collect(),
            moved: along,
        })
    }
}

fn wrong(problem: String) -> PipelineError {
    PipelineError::Morph(problem)
}

/// What a morph passes through.
struct Course {
    base: Request,
    seed: u64,
    to_seed: u64,
    ends: Vec<End>,
    notes: Vec<Note>,
}

impl Course {
    fn prompts(&self) -> Vec<&str> {
        self.ends.iter().map(|end| end.prompt.as_str()).collect()
    }

    /// The request of a place.
    fn request(&self, place: u64) -> Request {
        let (index, share) = ((place / PLACES) as usize, (place % PLACES) as f32 / PLACES as f32);
        let (left, right) = (&self.ends[index], self.ends.get(index + 1).unwrap_or(&self.ends[index]));
        let mut parts: Vec<Part> = Vec::new();
        for (end, weight) in [(left, 1.0 - share), (right, share)] {
            for (style, part) in end.styles.iter().filter(|_| weight > 0.0) {
                let weight = weight * part;
                match parts.iter_mut().find(|part| part.prompt == end.prompt && part.style == *style) {
                    Some(known) => known.weight += weight,
                    None => parts.push(Part {
                        style: style.clone(),
                        ..Part::new(&end.prompt, weight)
                    }),
                }
            }
        }
        let request = Request {
            style: heaviest(&parts),
            ..self.base.clone()
        };
        let moved = left.moved + (right.moved - left.moved) * share;
        let request = match moved {
            _ if self.seed == self.to_seed || moved <= 0.0 => request.seed(self.seed),
            moved if moved >= 1.0 => request.seed(self.to_seed),
            moved => request.seed(self.seed).variation(self.to_seed, moved),
        };
        match <[Part; 1]>::try_from(parts) {
            Ok([only]) => Request {
                prompt: only.prompt,
                parts: Vec::new(),
                style: left.asked.clone(),
                ..request
            },
            Err(parts) => Request { parts, ..request },
        }
    }
}

/// The style that has the largest share, in which the picture is enlarged.
fn heaviest(parts: &[Part]) -> Option<String> {
    let share = |style: &Option<String>| -> f32 { parts.iter().filter(|part| part.style == *style).map(|part| part.weight).sum() };
    let mut styles = parts.iter().map(|part| &part.style);
    let first = styles.next()?;
    styles
        .fold(first, |best, style| if share(style) > share(best) { style } else { best })
        .clone()
}

/// A picture as it is compared: small, with colours as strong as they are opaque. Values are differences that an eye sees, since they are
/// those of a screen's own scale.
fn small(picture: &Picture) -> Result<Vec<i32>, PictureError> {
    let small = resize(picture, COMPARED, COMPARED, Resampling::Smooth)?;
    let pixels = small.pixels().as_chunks().0.iter();
    let values = pixels.flat_map(|&[red, green, blue, alpha]| {
        let [red, green, blue, alpha] = [red, green, blue, alpha].map(i32::from);
        [red * alpha / 255, green * alpha / 255, blue * alpha / 255, alpha]
    });
    Ok(values.collect())
}

/// How different two pictures look. Whole numbers, so that frames are placed the same everywhere.
fn distance(one: &Placed, other: &Placed) -> u64 {
    let squares = one.small.iter().zip(&other.small).map(|(one, other)| one.abs_diff(*other).pow(2));
    squares.map(u64::from).sum::<u64>().isqrt()
}

/// The left one of the two neighbours that differ most and have room between them: frames are not piled up where a picture changes all at once.
fn widest(frames: &[Placed]) -> Option<usize> {
    let narrowest = (PLACES / (4 * frames.len() as u64)).max(2);
    let gaps = frames.windows(2).enumerate().filter_map(|(left, pair)| {
        let [one, other] = pair else { return None };
        (other.place - one.place >= narrowest).then(|| (distance(one, other), other.place - one.place, std::cmp::Reverse(left)))
    });
    gaps.max().map(|(.., std::cmp::Reverse(left))| left)
}

/// The share of the time of each frame: as much as the next one differs, the last one an average.
fn shares(frames: &[Placed]) -> Vec<f64> {
    let is_closed = frames.last().is_some_and(|last| last.frame.is_none());
    let steps: Vec<f64> = frames.windows(2).map(|pair| distance(&pair[0], &pair[1]) as f64).collect();
    let mean = steps.iter().sum::<f64>() / steps.len().max(1) as f64;
    let mut times: Vec<f64> = steps
        .iter()
        .map(|step| if mean > 0.0 { (step / mean).max(SHORTEST) } else { 1.0 })
        .collect();
    times.extend((!is_closed).then_some(1.0));
    let sum: f64 = times.iter().sum();
    times.iter().map(|time| time / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(prompt: &str, style: &str, moved: f32) -> End {
        End {
            prompt: prompt.into(),
            asked: None,
            styles: vec![(Some(style.into()), 1.0)],
            moved,
        }
    }

    fn course(ends: Vec<End>) -> Course {
        Course {
            base: Request::new("").steps(1),
            seed: 3,
            to_seed: 4,
            ends,
            notes: Vec::new(),
        }
    }

    #[test]
    fn ends_are_single_requests_and_the_rest_lies_between() {
        let course = course(vec![end("cat", "flat", 0.0), end("dog", "ink", 0.5), end("dog", "ink", 1.0)]);
        assert_eq!(course.request(0), Request::new("cat").steps(1).seed(3));
        assert_eq!(course.request(2 * PLACES), Request::new("dog").steps(1).seed(4));
        let middle = course.request(PLACES / 4);
        assert_eq!(
            middle.parts,
            [Part::new("cat", 0.75).style("flat"), Part::new("dog", 0.25).style("ink")]
        );
        assert_eq!((middle.style.as_deref(), middle.variations[0].strength), (Some("flat"), 0.125));
        let same = course.request(PLACES + PLACES / 2);
        assert_eq!(
            (same.prompt.as_str(), same.parts.len(), same.variations[0].strength),
            ("dog", 0, 0.75)
        );
    }

    fn placed(place: u64, value: i32) -> Placed {
        Placed {
            place,
            small: vec![value; 4],
            frame: Some(Frame {
                picture: Picture::filled(1, 1, [0; 4]).unwrap(),
                provenance: Provenance::default(),
                share: 0.0,
            }),
        }
    }

    #[test]
    fn frames_go_where_most_changes_until_there_is_no_room() {
        let frames = [placed(0, 0), placed(PLACES / 2, 10), placed(PLACES, 200)];
        assert_eq!(widest(&frames), Some(1));
        let jump = [
            placed(0, 0),
            placed(PLACES / 2, 10),
            placed(PLACES / 2 + 1, 200),
            placed(PLACES, 210),
        ];
        assert_eq!(
            widest(&jump),
            Some(0),
            "the jump has no room, and of what is alike the wider gap is divided"
        );
        let still = [placed(0, 0), placed(PLACES, 0), placed(3 * PLACES, 0)];
        assert_eq!(widest(&still), Some(1), "where nothing changes the widest gap is divided");
    }

    #[test]
    fn times_follow_the_changes() {
        let shares = shares(&[placed(0, 0), placed(1, 30), placed(2, 40), placed(3, 40)]);
        assert_eq!(shares.len(), 4);
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!(
            shares[0] > shares[3] && shares[3] > shares[1] && shares[1] > shares[2] && shares[2] > 0.0,
            "{shares:?}"
        );
        let still = super::shares(&[placed(0, 5), placed(1, 5)]);
        assert_eq!(still, [0.5, 0.5]);
    }
}
