//! The record of what made a picture, and back: the request that draws it again.
//!
//! Owns what of a request is recorded, and under which names. Depends on [`crate::picture`] for the record itself.

use super::{Note, Part, Pipeline, PipelineError, Request, Resolved, Variation};
use crate::picture::provenance::{
    BLEND, COMPOSITE, DRAWN_AS, EXTEND, FROM, INPUTS, LANGUAGE, LITERAL, MASK, PRIVATE, SHEET, SOURCE_TYPE, STRENGTH, TEMPLATE, VARIATIONS,
};
use crate::picture::{Background, Margins, Picture, Provenance};
use crate::words::Language;

impl Pipeline {
    /// The record of a picture.
    pub(super) fn provenance(&self, request: &Request, resolved: &Resolved, picture: &Picture) -> Provenance {
        let manifest = self.pack.manifest();
        let is_told = !request.private;
        let words = if is_told {
            words(request, resolved)
        } else {
            vec![(PRIVATE, "prompts are not recorded".to_owned())]
        };
        let extra = words
            .into_iter()
            .chain(inputs(resolved))
            .chain(variations(resolved))
            .chain(source(resolved));
        Provenance {
            prompt: if is_told { resolved.prompt() } else { String::new() },
            negative: resolved.negative_prompt.clone().filter(|_| is_told),
            style: resolved.style().map(str::to_owned),
            steps: u32::try_from(resolved.steps).unwrap_or(u32::MAX),
            seed: resolved.seed,
            guidance: resolved.guidance,
            size: [picture.width(), picture.height()],
            background: resolved.background.to_string(),
            pack_name: manifest.name.clone(),
            pack_version: manifest.version.clone(),
            pack_sha256: self.pack.sha256().to_owned(),
            picture_sha256: picture.sha256(),
            software: env!("CARGO_PKG_NAME").into(),
            software_version: env!("CARGO_PKG_VERSION").into(),
            // Absent, so that the same request writes the same bytes; the file's own time tells when.
            created: None,
            extra: extra.map(|(name, text)| (name.to_owned(), text)).collect(),
        }
    }

    /// The request that draws a picture of this pack again, by its record. A [source](Request::source) is not in the record: if
    /// [`Provenance::extra`] has `from`, the picture of that checksum has to be set.
    ///
    /// # Errors
    /// If another program or pack made the picture, its prompt is not recorded, or the record is not well formed.
    pub fn request_of(&mut self, record: &Provenance) -> Result<Request, PipelineError> {
        let wrong = |problem: &str| PipelineError::Record(problem.to_owned());
        if !record.is_own() {
            return Err(wrong("another program made the picture"));
        }
        if !self.made(record) {
            let pack = [record.pack_name.as_str(), record.pack_version.as_str()].join(" ");
            return Err(PipelineError::Record(format!("another pack made the picture: {}", pack.trim())));
        }
        if record.extra.contains_key(SHEET) {
            return Err(wrong("it is a sheet of several pictures"));
        }
        if record.extra.contains_key(PRIVATE) {
            return Err(wrong("its prompt is not recorded"));
        }
        let field = |name: &'static str| record.extra.get(name).map(|text| (name, text.as_str()));
        let mut request = Request {
            literal: record.extra.contains_key(LITERAL),
            steps: usize::try_from(record.steps).ok(),
            seed: Some(record.seed),
            guidance: Some(record.guidance),
            negative: record.negative.clone(),
            guess: true,
            ..Request::new(&record.prompt)
        };
        request.parts = read(field(BLEND), |text| serde_json::from_str(text).ok())?.unwrap_or_default();
        request.variations = read(field(VARIATIONS), variations_of)?.unwrap_or_default();
        request.conditions = read(field(INPUTS), |text| text.split(' ').map(input).collect())?.unwrap_or_default();
        request.language = read(field(LANGUAGE), |text| Some(Language::of(text)))?.flatten();
        request.background = read(Some(("background", &record.background)), |text| text.parse::<Background>().ok())?.unwrap_or_default();
        let own = self.capabilities.width.max(self.capabilities.height);
        request.size = Some(record.size[0].max(record.size[1])).filter(|size| *size != own);
        // Words of the prompt may have chosen it, and are then taken from the prompt.
        let chosen = self.resolve(&request).ok().and_then(|resolved| resolved.style().map(str::to_owned));
        request.style = record.style.clone().filter(|style| chosen.as_ref() != Some(style));
        Ok(request)
    }

    /// How much of a picture lies beyond the sides of the one that it was drawn on, by its record.
    ///
    /// # Errors
    /// If the record is not well formed.
    pub fn margins_of(record: &Provenance) -> Result<Margins, PipelineError> {
        let text = record.extra.get(EXTEND).map(|text| (EXTEND, text.as_str()));
        Ok(read(text, margins)?.unwrap_or_default())
    }

    /// Whether this pack made the picture of a record, of which only the beginning of the checksum may be left.
    pub fn made(&self, record: &Provenance) -> bool {
        record.pack_sha256.len() >= 10 && self.pack.sha256().starts_with(&record.pack_sha256)
    }
}

/// A field of a record, if it is there.
fn read<Found>(field: Option<(&str, &str)>, parse: impl FnOnce(&str) -> Option<Found>) -> Result<Option<Found>, PipelineError> {
    let Some((name, text)) = field else { return Ok(None) };
    let found = parse(text).ok_or_else(|| PipelineError::Record(format!("its record's \"{name}\" is not well formed: {text}")))?;
    Ok(Some(found))
}

impl Variation {
    /// The variations of a record; none if they are not well formed.
    pub fn of_record(record: &Provenance) -> Vec<Variation> {
        record
            .extra
            .get(VARIATIONS)
            .and_then(|text| variations_of(text))
            .unwrap_or_default()
    }
}

fn variations_of(text: &str) -> Option<Vec<Variation>> {
    text.split(' ').map(|variation| variation.parse().ok()).collect()
}

fn margins(text: &str) -> Option<Margins> {
    let mut margins = Margins::default();
    for part in text.split(' ') {
        let (side, pixels) = part.split_once('=')?;
        let side = match side {
            "left" => &mut margins.left,
            "right" => &mut margins.right,
            "top" => &mut margins.top,
            "bottom" => &mut margins.bottom,
            _ => return None,
        };
        *side = pixels.parse().ok()?;
    }
    Some(margins)
}

fn input(text: &str) -> Option<(String, f64)> {
    let (name, value) = text.split_once('=')?;
    Some((name.to_owned(), value.parse().ok()?))
}

/// Text to be recorded, under its name.
type Fact = (&'static str, String);

/// What is recorded of the prompts beside the prompt and the negative prompt.
fn words(request: &Request, resolved: &Resolved) -> Vec<Fact> {
    let mut facts: Vec<Fact> = drawn_as(resolved).map(|text| (DRAWN_AS, text)).into_iter().collect();
    if resolved.parts.len() > 1 {
        facts.extend(serde_json::to_string(&resolved.parts).ok().map(|text| (BLEND, text)));
    }
    facts.extend(resolved.template.clone().map(|text| (TEMPLATE, text)));
    let is_marked = |part: &Part| super::emphasis::has_syntax(&part.prompt);
    facts.extend((request.literal && resolved.parts.iter().any(is_marked)).then(|| (LITERAL, "yes".to_owned())));
    let language = request.language.filter(|language| *language != Language::default());
    facts.extend(language.map(|language| (LANGUAGE, language.to_string())));
    facts
}

/// What is drawn, if that is not all of the prompt.
fn drawn_as(resolved: &Resolved) -> Option<String> {
    let is_part = |note: &Note| {
        !matches!(
            note,
            Note::StyleChosen { .. }
                | Note::Truncated { .. }
                | Note::NegativeUnused { .. }
                | Note::PromptUnused { .. }
                | Note::EmphasisUnused { .. }
                | Note::Ambiguous { .. }
        )
    };
    resolved.notes.iter().any(is_part).then(|| resolved.read_as().to_owned())
}

/// The conditions that the request names.
fn inputs(resolved: &Resolved) -> Option<Fact> {
    let named = resolved.conditions.iter().map(|(name, value)| format!("{name}={value}"));
    let text = named.collect::<Vec<_>>().join(" ");
    (!text.is_empty()).then_some((INPUTS, text))
}

/// The seeds that the noise was moved towards, and how far.
fn variations(resolved: &Resolved) -> Option<Fact> {
    let moved = resolved.variations.iter().map(Variation::to_string);
    let text = moved.collect::<Vec<_>>().join(" ");
    (!text.is_empty()).then_some((VARIATIONS, text))
}

/// The picture that was started from: its checksum and the strength, and the mask's; and that the result is in part a person's, unless a
/// model made that picture as well.
fn source(resolved: &Resolved) -> Vec<Fact> {
    let Some(source) = &resolved.source else { return Vec::new() };
    let mut facts = vec![(FROM, source.picture.sha256()), (STRENGTH, source.strength.to_string())];
    facts.extend(source.mask.as_ref().map(|mask| (MASK, mask.sha256())));
    let Margins { left, right, top, bottom } = source.extend;
    let is_extended = !source.extend.is_empty();
    facts.extend(is_extended.then(|| (EXTEND, format!("left={left} right={right} top={top} bottom={bottom}"))));
    facts.extend((!source.generated).then(|| (SOURCE_TYPE, COMPOSITE.to_owned())));
    facts
}
