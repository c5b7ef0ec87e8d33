//! A code that leads a phone to where the kiosk can be steered from, until a button is pressed.

use std::time::Duration;

use super::attract::Attract;
use super::shared::Shared;
use super::view::{Code, Scene};
use super::{Mode, Next, go};
use crate::device::buttons::{Button, Gesture};
use crate::kiosk::language::Phrase;

pub(super) struct Invitation(pub Code);

impl Mode for Invitation {
    fn press(&mut self, _shared: &mut Shared, _button: Button, _gesture: Gesture, _now: Duration) -> Next {
        go(Attract::default())
    }

    fn times_out(&self) -> bool {
        true
    }

    fn scene(&self, _shared: &Shared, _now: Duration) -> Scene {
        Scene::Code(self.0.clone())
    }

    fn legends(&self, _shared: &Shared) -> [Option<Phrase>; 4] {
        [None, None, None, Some(Phrase::Back)]
    }
}
