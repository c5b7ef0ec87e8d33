//! From settings to the rules of the state machine and the settings of the drawing worker.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::drawing_worker::WorkerSettings;
use super::filter::{Filter, FilterError};
use super::settings::Settings;
use super::state::{AtOnce, Rules};
use super::subjects::{Subjects, SubjectsError};
use crate::picture::Background;

/// Words for colours that the shipped pack knows.
const COLOURS: [&str; 11] = [
    "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white", "gray",
];

/// An invalid file that the settings name.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// Own subjects.
    #[error(transparent)]
    Subjects(#[from] SubjectsError),
    /// Own words of the filter.
    #[error(transparent)]
    Filter(#[from] FilterError),
}

/// The rules. `still` is whether the main display is too slow for anything to move.
///
/// # Errors
/// If a file that the settings name is invalid.
pub fn rules(settings: &Settings, seed: u64, still: bool) -> Result<Rules, RulesError> {
    let subjects = match &settings.draw.subjects {
        Some(file) => Subjects::read(file)?,
        None => Subjects::shipped()?,
    };
    let filter = Filter::new(&settings.filter)?;
    // A prompt that stays on the screen is asked about again and again, and logged once.
    let logged = Mutex::new(None::<String>);
    let allows = move |prompt: &str| {
        let mut logged = logged.lock().unwrap_or_else(PoisonError::into_inner);
        if logged.as_deref() == Some(prompt) {
            return false;
        }
        let is_allowed = filter.check(prompt).is_none();
        if !is_allowed {
            *logged = Some(prompt.to_owned());
        }
        is_allowed
    };
    let usual = || COLOURS.map(String::from).to_vec();
    let fade = Duration::from_secs_f32(settings.attract.fade.clamp(0.0, 60.0));
    Ok(Rules {
        language: settings.language,
        subjects: Arc::new(subjects),
        colours: settings.draw.colours.clone().unwrap_or_else(usual),
        allows: Arc::new(allows),
        at_once: if settings.draw.at_once > 1 { AtOnce::Four } else { AtOnce::One },
        seed,
        keep_all: settings.gallery.keep_all,
        only_favourites: settings.attract.only_favourites,
        idle: Duration::from_secs(settings.attract.idle.into()),
        shown: Duration::from_secs(settings.attract.seconds.into()),
        fade: if still { Duration::ZERO } else { fade },
        sketch: !still,
        morphs: settings.attract.morphs && !still,
    })
}

/// The settings of the drawing worker. `pack` is the folder of the pack by default.
pub fn worker_settings(settings: &Settings, pack: &Path) -> WorkerSettings {
    WorkerSettings {
        language: crate::words::Language::of(settings.language.tag()),
        pack: settings.pack.clone().unwrap_or_else(|| pack.to_owned()),
        threads: settings.threads,
        styles: settings.draw.styles.clone(),
        style: settings.draw.style.clone(),
        steps: settings.draw.steps,
        guidance: settings.draw.guidance,
        background: settings.draw.background.parse().unwrap_or(Background::Transparent),
    }
}
