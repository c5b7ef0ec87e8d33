//! A request with everything decided: which style, how many steps, which seed, and what of the prompt is drawn. Depends on the
//! request, the prompt's reading and the manifest's styles.

use std::collections::BTreeMap;
use std::ops::Range;

use super::emphasis::Emphasised;
use super::generated::Note;
use super::noise::{between, gaussian_noise};
use super::prompt::Prompt;
use super::request::{Part, Source, Variation};
use crate::pack::Style;
use crate::picture::{Background, Resampling, arrangement};
use crate::words::{Ambiguity, Reading, Remark};

/// A text that is encoded, and its share of what is drawn. What the text encoders give for all of them is added up, each as often as its
/// weight says.
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    pub(super) prompt: Prompt,
    pub(super) weight: f32,
    pub(super) style: i64,
    /// How strong every token of each row is to be; nothing if all are as strong as without emphasis.
    pub(super) emphasis: Vec<Vec<f32>>,
}

impl Text {
    /// The whole of what is drawn, or a part of it.
    pub(super) fn new(prompt: Prompt, weight: f32, style: Option<&Style>) -> Text {
        Text {
            prompt,
            weight,
            style: id_of(style),
            emphasis: Vec::new(),
        }
    }

    /// Makes tokens of an emphasised text stronger or weaker.
    pub(super) fn emphasise(&mut self, emphasised: &Emphasised) {
        let strength = |place: &Range<usize>| {
            let spans = emphasised.spans.iter();
            let mut around = spans.filter(|span| span.place.start < place.end && place.start < span.place.end);
            around.next().map_or(1.0, |span| span.weight)
        };
        self.emphasis = self.prompt.places.iter().map(|row| row.iter().map(strength).collect()).collect();
    }

    /// Token ids, as [`Resolved::ids`].
    pub fn ids(&self) -> &[Vec<i64>] {
        &self.prompt.ids
    }

    /// How many of the token ids in each row are the text's, as [`Resolved::token_counts`].
    pub fn token_counts(&self) -> &[usize] {
        &self.prompt.token_counts
    }

    /// How strong each token of a row is to be, 1 being as strong as without emphasis; empty if all are.
    pub fn emphasis(&self, row: usize) -> &[f32] {
        self.emphasis.get(row).map_or(&[], Vec::as_slice)
    }

    /// Its share. Shares of all texts add up to 1; that of a text which is to be less like it is negative.
    pub fn weight(&self) -> f32 {
        self.weight
    }

    /// The number that stages take for its style; 0 if the pack has no styles.
    pub fn style_id(&self) -> i64 {
        self.style
    }
}

fn id_of(style: Option<&Style>) -> i64 {
    style.map_or(0, |style| style.id)
}

/// What will be generated for a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// The prompt, or the first of several that are mixed.
    pub(super) prompt: Prompt,
    /// The prompts after all choices: one, or several that are mixed.
    pub(super) parts: Vec<Part>,
    /// The prompts before their choices, if there were any.
    pub(super) template: Option<String>,
    /// What is drawn: of each prompt, and of what emphasis compares it with.
    pub(super) texts: Vec<Text>,
    /// What guidance moves away from: the text after all choices, and what is encoded.
    pub(super) negative_prompt: Option<String>,
    pub(super) negative: Vec<Text>,
    /// What the request says of the pack's conditions.
    pub(super) conditions: BTreeMap<String, f64>,
    /// The picture to start from.
    pub(super) source: Option<Source>,
    pub(super) style: Option<Style>,
    pub(super) steps: usize,
    pub(super) guidance: f32,
    pub(super) seed: u64,
    pub(super) variations: Vec<Variation>,
    pub(super) size: Option<u32>,
    pub(super) background: Background,
    pub(super) notes: Vec<Note>,
}

impl Resolved {
    /// The prompt after all choices, with its marks of emphasis; prompts that are mixed as `cat:0.6 AND dog:0.4`.
    pub fn prompt(&self) -> String {
        label(&self.parts)
    }

    /// The prompts that are mixed, after all choices; one if there is nothing to mix.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The prompt before its choices, if it has any.
    pub fn template(&self) -> Option<&str> {
        self.template.as_deref()
    }

    /// What is left of the prompt: the text that is encoded, without filler words and with names that the model knows; of prompts that are
    /// mixed that of the first.
    pub fn read_as(&self) -> &str {
        &self.prompt.reading.text
    }

    /// The texts that are encoded, with their shares: one unless prompts are mixed or emphasised. All have the same number of rows.
    pub fn texts(&self) -> &[Text] {
        &self.texts
    }

    /// The texts of what guidance moves away from, with their shares; all have one row.
    pub fn negative_texts(&self) -> &[Text] {
        &self.negative
    }

    /// Words of the prompt that were read as others, and those.
    pub fn nearest(&self) -> BTreeMap<&str, &str> {
        let read = self.prompt.reading.remarks.iter().filter_map(|remark| match remark {
            Remark::ReadAs { text, read, .. } => Some((text.as_str(), read.as_str())),
            _ => None,
        });
        read.collect()
    }

    /// Parts of the prompt that are not drawn.
    pub fn unread(&self) -> Vec<&str> {
        let unread = self.prompt.reading.remarks.iter().filter_map(|remark| match remark {
            Remark::Dropped { text, .. } | Remark::Unknown { text, .. } | Remark::NotLearned { text, .. } => Some(text.as_str()),
            _ => None,
        });
        unread.collect()
    }

    /// How the prompt was read: its words, their roles and meanings.
    pub fn reading(&self) -> &Reading {
        &self.prompt.reading
    }

    /// A word of the prompt that names several things, with the prompts that ask for each of them; `None` if the prompt is
    /// clear.
    pub fn ambiguity(&self) -> Option<&Ambiguity> {
        self.prompt.ambiguity.as_ref()
    }

    /// The prompts of several objects that are drawn one by one; empty if the prompt is drawn as a whole.
    pub fn objects(&self) -> &[String] {
        let arrangement = self.prompt.reading.arrangement.as_ref();
        arrangement.map_or(&[], |arrangement| &arrangement.objects)
    }

    /// The rows that the objects stand in, from the top, with indices into [`Resolved::objects`]; empty if the prompt is
    /// drawn as a whole.
    pub fn rows(&self) -> &[Vec<usize>] {
        let arrangement = self.prompt.reading.arrangement.as_ref();
        arrangement.map_or(&[], |arrangement| &arrangement.rows)
    }

    /// The style's name; `None` if the pack has no styles.
    pub fn style(&self) -> Option<&str> {
        self.style.as_ref().map(|style| style.name.as_str())
    }

    /// The number that stages take for the style; 0 if the pack has no styles.
    pub fn style_id(&self) -> i64 {
        id_of(self.style.as_ref())
    }

    /// The numbers of all styles that are drawn, with their shares, in the order of the texts: one unless styles are mixed.
    pub fn style_shares(&self) -> Vec<(i64, f32)> {
        let mut shares: Vec<(i64, f32)> = Vec::new();
        for text in &self.texts {
            match shares.iter_mut().find(|(style, _)| *style == text.style) {
                Some((_, share)) => *share += text.weight,
                None => shares.push((text.style, text.weight)),
            }
        }
        shares
    }

    /// Longest side of the picture in pixels; `None` for the pack's own.
    pub fn size(&self) -> Option<u32> {
        self.size
    }

    /// Longest side of the page that several objects are put on; `None` if it is as large as one of them.
    pub(super) fn size_of_page(&self) -> Option<u32> {
        self.size.filter(|_| self.resampling() == Resampling::Smooth)
    }

    /// Longest side that each object needs for the picture's size; `None` for the pack's own.
    pub fn size_of_object(&self) -> Option<u32> {
        let rows = self.rows();
        let across = if rows.is_empty() { 1 } else { arrangement::across(rows) };
        self.size.map(|size| size / across)
    }

    /// How the picture is resized.
    pub fn resampling(&self) -> Resampling {
        self.style.as_ref().map_or(Resampling::Smooth, |style| style.resampling)
    }

    /// Denoising steps of each object, at least 1.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The steps that are done: all of them, but fewer where a picture is there to start from.
    pub fn steps_done(&self) -> usize {
        let Some(source) = &self.source else { return self.steps };
        // A strength of 0.6 is a little more than 3 of 5 as a float, and 0.7 a little less than 7 of 10.
        let share = (self.steps as f32 * source.strength + 1e-4) as usize;
        if source.strength > 0.0 { share.clamp(1, self.steps) } else { 0 }
    }

    /// The picture to start from.
    pub fn source(&self) -> Option<&Source> {
        self.source.as_ref()
    }

    /// Strength of guidance; 1 is without.
    pub fn guidance(&self) -> f32 {
        self.guidance
    }

    /// Seed of the noise.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// How far the noise is moved towards that of other seeds.
    pub fn variations(&self) -> &[Variation] {
        &self.variations
    }

    /// `count` numbers of the standard normal distribution: the noise of this picture. `stream` separates uses of its seed.
    pub fn noise(&self, stream: u32, count: usize) -> Vec<f32> {
        let noise = gaussian_noise(self.seed, stream, count);
        let moved = |noise, variation: &Variation| between(noise, gaussian_noise(variation.seed, stream, count), variation.strength);
        self.variations.iter().fold(noise, moved)
    }

    /// What there is to say about how the request was understood.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// Token ids, one row for each object that is drawn by itself. A model without a text encoder gets one empty row.
    pub fn ids(&self) -> &[Vec<i64>] {
        &self.prompt.ids
    }

    /// How many of the token ids in each row of [`Resolved::ids`] are the text's, special tokens included; padding follows.
    pub fn token_counts(&self) -> &[usize] {
        &self.prompt.token_counts
    }

    /// Token ids of what guidance moves away from; empty for a model without a text encoder.
    pub fn negative_ids(&self) -> &[i64] {
        self.negative
            .first()
            .and_then(|text| text.prompt.ids.first())
            .map_or(&[], Vec::as_slice)
    }

    /// How many of [`Resolved::negative_ids`] are the text's.
    pub fn negative_token_count(&self) -> usize {
        let counts = self.negative.first().map_or(&[][..], |text| &text.prompt.token_counts);
        counts.first().copied().unwrap_or_default()
    }

    /// Whether nothing is named that guidance moves away from.
    pub fn has_empty_negative(&self) -> bool {
        self.negative.iter().all(|text| text.prompt.reading.text.is_empty())
    }

    /// Numbers that the request gives by name, for ports of role `condition`.
    pub fn conditions(&self) -> &BTreeMap<String, f64> {
        &self.conditions
    }
}

/// Prompts that are mixed as one text, in the form that web interfaces use for it; a prompt by itself as it is.
pub fn label(parts: &[Part]) -> String {
    match parts {
        [only] => only.prompt.clone(),
        several => {
            let texts = several.iter().map(|part| format!("{}:{}", part.prompt, part.weight));
            texts.collect::<Vec<_>>().join(" AND ")
        }
    }
}
