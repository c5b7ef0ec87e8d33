//! Words instead of a picture, because none can be drawn.

use std::time::Duration;

use super::attract::Attract;
use super::desk::Desk;
use super::view::Scene;
use super::{Mode, Next, go};
use crate::device::buttons::{Button, Gesture};
use crate::kiosk::language::Phrase;

pub(super) struct Message {
    pub phrase: Phrase,
}

impl Mode for Message {
    fn press(&mut self, _desk: &mut Desk, _button: Button, _gesture: Gesture, _now: Duration) -> Next {
        go(Attract::default())
    }

    fn news(&mut self, desk: &mut Desk, _now: Duration) -> Next {
        let over = self.phrase == Phrase::PackTrouble && desk.skills.is_some();
        if over { go(Attract::default()) } else { None }
    }

    fn is_patient(&self) -> bool {
        true
    }

    fn scene(&self, desk: &Desk, _now: Duration) -> Scene {
        Scene::Message {
            text: desk.language.say(self.phrase).to_owned(),
        }
    }

    fn legends(&self, _desk: &Desk) -> [Option<Phrase>; 4] {
        [None, None, None, Some(Phrase::Back)]
    }
}
