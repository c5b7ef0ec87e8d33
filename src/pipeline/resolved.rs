//! A request with everything decided: which style, how many steps, which seed, and what of the prompt is drawn. Depends on the
//! request, the prompt's reading and the manifest's styles.

use std::collections::BTreeMap;

use super::generated::Note;
use super::prompt::Prompt;
use super::request::Source;
use crate::pack::Style;
use crate::picture::{Background, Resampling};
use crate::words::{Ambiguity, Reading, Remark};

/// What will be generated for a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    pub(super) prompt: Prompt,
    /// What guidance moves away from.
    pub(super) negative: Prompt,
    /// What the request says of the pack's conditions.
    pub(super) conditions: BTreeMap<String, f64>,
    /// The picture to start from.
    pub(super) source: Option<Source>,
    pub(super) style: Option<Style>,
    pub(super) steps: usize,
    pub(super) guidance: f32,
    pub(super) seed: u64,
    pub(super) size: Option<u32>,
    pub(super) background: Background,
    pub(super) notes: Vec<Note>,
}

impl Resolved {
    /// What is left of the prompt: the text that is encoded, without filler words and with names that the model knows.
    pub fn read_as(&self) -> &str {
        &self.prompt.reading.text
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
        self.style.as_ref().map_or(0, |style| style.id)
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
        self.negative.ids.first().map_or(&[], Vec::as_slice)
    }

    /// How many of [`Resolved::negative_ids`] are the text's.
    pub fn negative_token_count(&self) -> usize {
        self.negative.token_counts.first().copied().unwrap_or_default()
    }

    /// Whether nothing is named that guidance moves away from.
    pub fn has_empty_negative(&self) -> bool {
        self.negative.reading.text.is_empty()
    }

    /// Numbers that the request gives by name, for ports of role `condition`.
    pub fn conditions(&self) -> &BTreeMap<String, f64> {
        &self.conditions
    }
}
