//! A keyboard on the screen, for touch displays and for visitors who have only buttons: the letters of the visitor's language, a space
//! and a backspace. Languages that are not written with letters alone have those of English.

use std::time::Duration;

use super::choose::Choose;
use super::selection::{Typed, around};
use super::shared::Shared;
use super::view::Scene;
use super::{Mode, Next, go};
use crate::device::buttons::{Button, Gesture};
use crate::kiosk::language::{Language, Phrase};

/// Removes the last letter.
const BACKSPACE: char = '\u{8}';

pub(super) struct Keyboard {
    /// What was typed before, for those who go back.
    before: Option<Typed>,
    /// Index of the key that a button types, over all rows.
    at: usize,
}

impl Keyboard {
    pub fn enter(shared: &mut Shared) -> Keyboard {
        shared.cancel();
        Keyboard {
            before: shared.selection.typed.clone(),
            at: 0,
        }
    }

    /// Rows of keys as they are usual in a language.
    fn rows(language: Language) -> Vec<Vec<char>> {
        let rows: &[&str] = match language {
            Language::De => &["qwertzuiopü", "asdfghjklöä", "yxcvbnmß"],
            Language::Fr => &["azertyuiop", "qsdfghjklm", "wxcvbnéèçà"],
            Language::Es => &["qwertyuiop", "asdfghjklñ", "zxcvbnmáéíóú"],
            Language::It => &["qwertyuiop", "asdfghjklò", "zxcvbnmàèìù"],
            Language::Pt => &["qwertyuiop", "asdfghjklç", "zxcvbnmãáéíóú"],
            Language::Ru => &["йцукенгшщзхъ", "фывапролджэё", "ячсмитьбю"],
            Language::Hi => &["अआइईउऊएऐओऔ", "ािीुूेैोौृंँ", "कखगघचछजझटठडढ", "तथदधनपफबभमयर", "लवशषसहङञण़्"],
            Language::Ar => &["ضصثقفغعهخحجد", "شسيبلاتنمكط", "أإآئءؤرىةوزظذ"],
            Language::En | Language::Zh | Language::Ja | Language::Ko => &["qwertyuiop", "asdfghjkl", "zxcvbnm"],
        };
        let letters = rows.iter().map(|row| row.chars().collect());
        letters.chain([vec![' ', BACKSPACE]]).collect()
    }

    fn keys(shared: &Shared) -> Vec<char> {
        Keyboard::rows(shared.language).concat()
    }

    fn move_by(&mut self, shared: &Shared, by: i32) -> Next {
        self.at = around(self.at, by, Keyboard::keys(shared).len());
        None
    }
}

impl Mode for Keyboard {
    fn press(&mut self, shared: &mut Shared, button: Button, gesture: Gesture, now: Duration) -> Next {
        let held = matches!(gesture, Gesture::Long | Gesture::Hold);
        match button {
            Button::A => self.move_by(shared, if held { -1 } else { 1 }),
            Button::Next => self.move_by(shared, 1),
            Button::Previous => self.move_by(shared, -1),
            Button::B | Button::Confirm => {
                shared.type_letter(*Keyboard::keys(shared).get(self.at)?);
                None
            }
            Button::C => go(Choose::resume(now)),
            Button::D | Button::Back => {
                shared.selection.typed = self.before.take();
                go(Choose::resume(now))
            }
        }
    }

    fn character(&mut self, shared: &mut Shared, letter: char, _now: Duration) -> Next {
        shared.type_letter(letter);
        None
    }

    fn text(&mut self, shared: &mut Shared, text: &str, _now: Duration) -> Next {
        shared.type_text(text);
        None
    }

    fn times_out(&self) -> bool {
        true
    }

    fn scene(&self, shared: &Shared, _now: Duration) -> Scene {
        let typed = shared.selection.typed.as_ref();
        Scene::Keyboard {
            text: typed.map_or_else(String::new, |typed| typed.text.clone()),
            hint: shared.language.say(Phrase::TypeOrTurn).to_owned(),
            rows: Keyboard::rows(shared.language),
            at: self.at,
        }
    }

    fn legends(&self, _shared: &Shared) -> [Option<Phrase>; 4] {
        [Phrase::Next, Phrase::Type, Phrase::Done, Phrase::Back].map(Some)
    }
}
