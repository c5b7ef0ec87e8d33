//! How large the channels become that int8 layers read, over all runs of a model.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use inkstone::engine::ActivationWatch;

/// Largest magnitudes by stage and layer, or by stage and the value that the layer makes.
pub(crate) type StageMagnitudes = BTreeMap<(String, String), Vec<f32>>;

/// Keeps the largest magnitudes that the engine tells.
#[derive(Debug, Default)]
pub(super) struct Recorder(Mutex<StageMagnitudes>);

impl Recorder {
    /// What was told, by stage and layer.
    pub fn largest(&self) -> StageMagnitudes {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ActivationWatch for Recorder {
    fn magnitudes(&self, stage: &str, layer: &str, magnitudes: &[f32]) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = all
            .entry((stage.to_owned(), layer.to_owned()))
            .or_insert_with(|| vec![0.0; magnitudes.len()]);
        kept.iter_mut().zip(magnitudes).for_each(|(kept, new)| *kept = kept.max(*new));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_of_all_runs_is_kept() {
        let recorder = Recorder::default();
        recorder.magnitudes("unet", "one", &[1.0, 5.0]);
        recorder.magnitudes("unet", "one", &[2.0, 3.0]);
        recorder.magnitudes("decoder", "one", &[9.0]);
        let found: Vec<Vec<f32>> = recorder.largest().into_values().collect();
        assert_eq!(found, [vec![9.0], vec![2.0, 5.0]]);
    }
}
