//! What a pack's card says of its pictures by steps, which a report repeats beside their times.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// What the model's card says of pictures of so many steps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Denoising steps.
    pub steps: usize,
    /// Share of pictures whose own caption is nearest among all.
    pub retrieval_at_1: Option<f64>,
    /// Share of pictures whose own caption is among the five nearest.
    pub retrieval_at_5: Option<f64>,
    /// Fréchet distance to real pictures.
    pub frechet_distance: Option<f64>,
}

/// What the card's `figures.json` says of the shipped int8 model's pictures by steps, in the order of steps; nothing where
/// there is no card of that form.
pub fn quality(pack_folder: &Path) -> Vec<Quality> {
    let text = std::fs::read_to_string(pack_folder.join("card/figures.json")).unwrap_or_default();
    let figures: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let groups = figures["asked"].as_object().into_iter().flatten();
    let mut found: Vec<Quality> = groups
        .filter_map(|(name, figures)| {
            Some(Quality {
                steps: name.strip_prefix("int8_")?.strip_suffix("_steps")?.parse().ok()?,
                retrieval_at_1: figures["r1"].as_f64(),
                retrieval_at_5: figures["r5"].as_f64(),
                frechet_distance: figures["frechet"].as_f64(),
            })
        })
        .collect();
    found.sort_by_key(|quality| quality.steps);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_card_has_figures_by_steps() {
        let found = quality(&Path::new(env!("CARGO_MANIFEST_DIR")).join("models/pictogram"));
        let steps: Vec<usize> = found.iter().map(|quality| quality.steps).collect();
        assert_eq!(steps, [1, 2, 4]);
        assert!(found.iter().all(|quality| quality.retrieval_at_1.is_some_and(|share| share > 0.3)));
        assert!(quality("/nonexistent".as_ref()).is_empty());
    }
}
