//! The panel is off. The schedule decides whether a press or motion wakes it.

use std::time::Duration;

use super::shared::Shared;
use super::view::Scene;
use super::{Mode, Next};
use crate::device::buttons::{Button, Gesture};
use crate::kiosk::language::Phrase;

pub(super) struct Asleep;

impl Mode for Asleep {
    fn press(&mut self, _shared: &mut Shared, _button: Button, _gesture: Gesture, _now: Duration) -> Next {
        None
    }

    fn text(&mut self, _shared: &mut Shared, _text: &str, _now: Duration) -> Next {
        None
    }

    fn scene(&self, _shared: &Shared, _now: Duration) -> Scene {
        Scene::Dark
    }

    fn legends(&self, _shared: &Shared) -> [Option<Phrase>; 4] {
        [None; 4]
    }
}
