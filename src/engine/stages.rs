//! Several stages of a pack, all in memory or one after another.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{EngineError, Stage};
use crate::pack::Pack;

/// What of a pack stays in memory between the runs of its stages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Residency {
    /// All stages: fastest.
    #[default]
    All,
    /// The stage that ran last. Before another is loaded it is dropped and the pages of its weights are given back to
    /// the system.
    OneStage,
}

/// A pack's stages, loaded as [`Residency`] says.
pub struct Stages {
    pack: Arc<Pack>,
    all: BTreeMap<String, Arc<Stage>>,
    current: Mutex<Option<(String, Arc<Stage>)>>,
}

impl Stages {
    /// Loads all stages, or makes ready to load them one by one.
    ///
    /// # Errors
    /// As [`Stage::load`].
    pub fn load(pack: Arc<Pack>, residency: Residency) -> Result<Stages, EngineError> {
        let mut all = BTreeMap::new();
        if residency == Residency::All {
            for name in pack.manifest().stages.keys() {
                all.insert(name.clone(), Arc::new(Stage::load(&pack, name)?));
            }
        }
        Ok(Stages {
            pack,
            all,
            current: Mutex::new(None),
        })
    }

    /// The pack.
    pub fn pack(&self) -> &Pack {
        &self.pack
    }

    /// A stage, loaded if it is not in memory.
    ///
    /// # Errors
    /// As [`Stage::load`]; or if the system does not take pages back.
    pub fn get(&self, name: &str) -> Result<Arc<Stage>, EngineError> {
        if let Some(stage) = self.all.get(name) {
            return Ok(stage.clone());
        }
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match &*current {
            Some((held, stage)) if held == name => Ok(stage.clone()),
            _ => {
                *current = None;
                self.pack.weights().give_back()?;
                let stage = Arc::new(Stage::load(&self.pack, name)?);
                *current = Some((name.to_owned(), stage.clone()));
                Ok(stage)
            }
        }
    }
}
