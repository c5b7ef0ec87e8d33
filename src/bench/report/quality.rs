//! Quality figures of a pack's model card by number of steps, which a report shows beside the times.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::bounded_file;

/// Quality figures for one number of steps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Denoising steps.
    pub steps: usize,
    /// R@1: fraction of pictures whose own caption ranks first.
    pub retrieval_at_1: Option<f64>,
    /// R@5: fraction of pictures whose own caption ranks in the top five.
    pub retrieval_at_5: Option<f64>,
    /// Fréchet distance to real pictures.
    pub frechet_distance: Option<f64>,
}

/// The figures of the int8 model in the card's `figures.json`, by number of steps; empty without such a card.
pub fn quality(pack_folder: &Path) -> Vec<Quality> {
    let text = bounded_file::read_text(&pack_folder.join("card/figures.json"), bounded_file::TEXT).unwrap_or_default();
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
