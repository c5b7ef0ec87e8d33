//! The stages of a pack, all in memory or one at a time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Engine, EngineError, Stage};
use crate::pack::Pack;

/// Which stages of a pack stay in memory between runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Residency {
    /// All stages: fastest.
    #[default]
    All,
    /// The stage that ran last. Before another is loaded it is dropped and the pages of its weights are given back to
    /// the system.
    OneStage,
}

/// A pack's stages, loaded when they are first used and kept as [`Residency`] says.
pub struct Stages {
    pack: Arc<Pack>,
    residency: Residency,
    loaded: Mutex<BTreeMap<String, Arc<Stage>>>,
}

impl Stages {
    /// The stages of a pack, none of them loaded.
    pub fn new(pack: Arc<Pack>, residency: Residency) -> Stages {
        Stages {
            pack,
            residency,
            loaded: Mutex::default(),
        }
    }

    /// Loads all stages, if all of them are to stay in memory.
    ///
    /// # Errors
    /// As [`Stage::load`].
    pub fn load(&self, engine: &Engine) -> Result<(), EngineError> {
        self.load_if(engine, |_| true)
    }

    /// Loads the stages that a test of their name picks, if all of them are to stay in memory.
    ///
    /// # Errors
    /// As [`Stage::load`].
    pub fn load_if(&self, engine: &Engine, is_wanted: impl Fn(&str) -> bool) -> Result<(), EngineError> {
        if self.residency == Residency::OneStage {
            return Ok(());
        }
        let mut names = self.pack.manifest().stages.keys().filter(|name| is_wanted(name));
        names.try_for_each(|name| self.get(engine, name).map(drop))
    }

    /// The stages in memory.
    pub fn loaded(&self) -> Vec<Arc<Stage>> {
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.values().cloned().collect()
    }

    /// The pack.
    pub fn pack(&self) -> &Pack {
        &self.pack
    }

    /// A stage, loaded with the engine's kernel if it is not in memory.
    ///
    /// # Errors
    /// As [`Stage::load`]; or if the system does not take pages back.
    pub fn get(&self, engine: &Engine, name: &str) -> Result<Arc<Stage>, EngineError> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stage) = loaded.get(name) {
            return Ok(stage.clone());
        }
        if self.residency == Residency::OneStage {
            loaded.clear();
            self.pack.weights().give_back()?;
        }
        let stage = Arc::new(Stage::load(engine, &self.pack, name)?);
        loaded.insert(name.to_owned(), stage.clone());
        Ok(stage)
    }
}
