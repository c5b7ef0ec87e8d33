//! A constant power measured elsewhere, not by a meter; its name says so.

use std::time::Instant;

use super::{Accuracy, PowerError, PowerMeter, Reading};

/// A constant power.
#[derive(Clone, Copy, Debug)]
pub struct Constant {
    /// In watts.
    pub watts: f64,
}

impl PowerMeter for Constant {
    fn name(&self) -> String {
        format!("constant:{}", self.watts)
    }

    fn measures(&self) -> String {
        "nothing: a given constant, not measured during the run".into()
    }

    fn rate(&self) -> f64 {
        100.0
    }

    fn accuracy(&self) -> Accuracy {
        Accuracy {
            stated_by: "nobody".into(),
            ..Accuracy::default()
        }
    }

    fn read(&mut self) -> Result<Reading, PowerError> {
        Ok(Reading {
            at: Instant::now(),
            watts: self.watts,
        })
    }
}
