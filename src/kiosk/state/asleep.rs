//! The panel is off. Whether a press or someone's motion wakes it is the schedule's to say.

use std::time::Duration;

use super::desk::Desk;
use super::view::Scene;
use super::{Mode, Next};
use crate::device::buttons::{Button, Gesture};
use crate::kiosk::language::Phrase;

pub(super) struct Asleep;

impl Mode for Asleep {
    fn press(&mut self, _desk: &mut Desk, _button: Button, _gesture: Gesture, _now: Duration) -> Next {
        None
    }

    fn text(&mut self, _desk: &mut Desk, _text: &str, _now: Duration) -> Next {
        None
    }

    fn scene(&self, _desk: &Desk, _now: Duration) -> Scene {
        Scene::Dark
    }

    fn legends(&self, _desk: &Desk) -> [Option<Phrase>; 4] {
        [None; 4]
    }
}
