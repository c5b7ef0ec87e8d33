//! The stages of a pack, all in memory or one at a time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::kernels::Kernel;
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

/// A pack's stages, loaded as [`Residency`] says.
pub struct Stages {
    kernel: &'static dyn Kernel,
    pack: Arc<Pack>,
    all: BTreeMap<String, Arc<Stage>>,
    current: Mutex<Option<(String, Arc<Stage>)>>,
}

impl Stages {
    /// Loads all stages for an engine, or prepares to load them one by one.
    ///
    /// # Errors
    /// As [`Stage::load`].
    pub fn load(engine: &Engine, pack: Arc<Pack>, residency: Residency) -> Result<Stages, EngineError> {
        let mut all = BTreeMap::new();
        if residency == Residency::All {
            for name in pack.manifest().stages.keys() {
                all.insert(name.clone(), Arc::new(Stage::load(engine, &pack, name)?));
            }
        }
        Ok(Stages {
            kernel: engine.kernel,
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
                let stage = Arc::new(Stage::with_kernel(self.kernel, &self.pack, name)?);
                *current = Some((name.to_owned(), stage.clone()));
                Ok(stage)
            }
        }
    }
}
