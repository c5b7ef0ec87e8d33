//! A message instead of a picture, because none can be drawn.

use std::time::Duration;

use super::attract::Attract;
use super::shared::Shared;
use super::view::Scene;
use super::{Mode, Next, go};
use crate::device::buttons::{Button, Gesture};
use crate::kiosk::language::Phrase;

pub(super) struct Message {
    pub phrase: Phrase,
}

impl Mode for Message {
    fn press(&mut self, _shared: &mut Shared, _button: Button, _gesture: Gesture, _now: Duration) -> Next {
        go(Attract::default())
    }

    fn refresh(&mut self, shared: &mut Shared, _now: Duration) -> Next {
        let over = self.phrase == Phrase::PackTrouble && shared.choices.is_some();
        if over { go(Attract::default()) } else { None }
    }

    fn times_out(&self) -> bool {
        true
    }

    fn scene(&self, shared: &Shared, _now: Duration) -> Scene {
        Scene::Message {
            text: shared.language.say(self.phrase).to_owned(),
        }
    }

    fn legends(&self, _shared: &Shared) -> [Option<Phrase>; 4] {
        [None, None, None, Some(Phrase::Back)]
    }
}
