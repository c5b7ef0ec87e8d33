//! What all modes share: the rules, the wish, what is kept, what is wrong, and the list of things to be done.

use std::sync::Arc;
use std::time::Duration;

use super::order::{Drawn, Measured, Order, Piece, Purpose, Report};
use super::request::DrawRequest;
use super::view::Shown;
use super::wish::{AtOnce, Skills, Wish};
use super::{Effect, Input, Outcome};
use crate::kiosk::heat::Pace;
use crate::kiosk::language::{Language, Phrase};
use crate::kiosk::subjects::Subjects;
use crate::picture::Picture;

/// Style whose pictures are enlarged by whole pixels.
const SPRITES: &str = "pixel";
/// How long a hint stays.
const HINT: Duration = Duration::from_secs(4);
/// Orders whose outcomes are remembered.
const OUTCOMES: u64 = 8;
/// Longest text that can be typed or sent, in characters.
pub(super) const LONGEST: usize = 120;
/// What is drawn while nothing is kept: words and the places of styles.
const EXAMPLES: [(&str, usize); 6] = [
    ("red apple", 0),
    ("owl", 4),
    ("rocket", 1),
    ("cat face", 3),
    ("sunflower", 0),
    ("robot", 1),
];

/// Answers whether words are drawn.
pub type Allows = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// What does not change while visitors come and go.
#[derive(Clone)]
pub struct Rules {
    /// Language at first.
    pub language: Language,
    /// What can be chosen.
    pub subjects: Arc<Subjects>,
    /// Words for colours.
    pub colours: Vec<String>,
    /// Which words are drawn.
    pub allows: Allows,
    /// How many at once, at first.
    pub at_once: AtOnce,
    /// Where seeds begin.
    pub seed: u64,
    /// Whether every finished picture is kept.
    pub keep_all: bool,
    /// Whether only favourites are shown while nobody is there.
    pub only_favourites: bool,
    /// How long nobody does anything until nobody is there.
    pub idle: Duration,
    /// How long each picture is shown.
    pub shown: Duration,
    /// How long one picture takes to become the next; none on panels that cannot move.
    pub fade: Duration,
    /// Whether what is being chosen is sketched.
    pub sketch: bool,
}

/// A kept picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// By which it is asked for.
    pub number: u64,
    /// Whether it is kept for good.
    pub favourite: bool,
}

/// See the module.
pub(super) struct Desk {
    pub rules: Rules,
    pub wish: Wish,
    pub language: Language,
    /// What the pack can do; nothing while it is being opened, and where it cannot be read.
    pub skills: Option<Skills>,
    is_pack_known: bool,
    /// What is kept, newest first; nothing as long as the gallery is being read.
    pub kept: Vec<Entry>,
    pub is_kept_known: bool,
    pub examples: Vec<Drawn>,
    pub measured: Measured,
    pub effects: Vec<Effect>,
    /// The program ends after one picture.
    pub once: bool,
    /// A request that waits for the pack to be opened.
    pub pending: Option<DrawRequest>,
    pace: Pace,
    display_gone: bool,
    gallery: Option<Phrase>,
    hint: Option<(Phrase, Duration)>,
    outcomes: Vec<((u64, usize), Outcome)>,
    running: Option<(u64, Duration)>,
    numbers: u64,
    seeds: u64,
}

impl Desk {
    pub fn new(rules: Rules) -> Desk {
        let mut desk = Desk {
            wish: Wish::default(),
            language: rules.language,
            skills: None,
            is_pack_known: false,
            kept: Vec::new(),
            is_kept_known: false,
            examples: Vec::new(),
            measured: Measured::default(),
            effects: Vec::new(),
            once: false,
            pending: None,
            pace: Pace::Normal,
            display_gone: false,
            gallery: None,
            hint: None,
            outcomes: Vec::new(),
            running: None,
            numbers: 0,
            seeds: rules.seed,
            rules,
        };
        desk.wish.at_once = desk.rules.at_once;
        desk.wish.seed = desk.rules.seed;
        let places = desk.wish.places(&desk.rules.subjects);
        desk.wish.subject = places[usize::try_from(desk.rules.seed % places.len() as u64).unwrap_or(0)];
        desk
    }

    pub fn set_rules(&mut self, rules: Rules) {
        if rules.language != self.rules.language {
            self.language = rules.language;
        }
        if rules.at_once != self.rules.at_once {
            self.wish.at_once = rules.at_once;
        }
        let colours = rules.colours.len();
        self.wish.colour = self.wish.colour.filter(|colour| *colour < colours);
        self.wish.subject %= rules.subjects.count();
        self.wish.category = self.wish.category.filter(|category| *category < rules.subjects.categories().len());
        self.rules = rules;
    }

    pub fn wish_language(&self) -> Language {
        self.language
    }

    /// A seed that was not there before: short enough to be typed.
    pub fn next_seed(&mut self) -> u64 {
        // The multiplier and increment of Knuth's MMIX generator.
        self.seeds = self
            .seeds
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.seeds >> 33) % 100_000
    }

    /// One picture of the wish, with as many steps as the warmth allows; nothing without a pack.
    pub fn piece(&self) -> Option<Piece> {
        let skills = self.skills.as_ref()?;
        let mut piece = self.wish.piece(&self.rules.subjects, &self.rules.colours, skills);
        piece.steps = self.pace.steps(piece.steps, &skills.steps);
        Some(piece)
    }

    /// The picture of a request, which becomes the wish; `None` without a pack or if the style is not offered.
    pub fn requested(&mut self, request: &DrawRequest) -> Option<Piece> {
        let skills = self.skills.clone()?;
        let style = request.style_name();
        let place = style.and_then(|name| skills.styles.iter().position(|style| style == name));
        if let (Some(name), None) = (style, place) {
            log::warn!(
                "a request is refused: there is no style '{name}'; there are {}",
                skills.styles.join(", ")
            );
            return None;
        }
        let usual = skills.steps.get(skills.step).copied().unwrap_or(1);
        let steps = request.steps_or(usual);
        let piece = Piece {
            prompt: request.prompt().to_owned(),
            style: style.map(str::to_owned),
            steps: self.pace.steps(steps, &skills.steps),
            seed: request.seed_or(|| self.next_seed()),
        };
        self.wish.typed = Some(piece.prompt.clone());
        self.wish.colour = None;
        self.wish.seed = piece.seed;
        self.wish.style = place.unwrap_or(self.wish.style);
        Some(piece)
    }

    /// Why a picture cannot be drawn now.
    pub fn hindrance(&self) -> Option<Phrase> {
        let warm = (self.pace == Pace::Paused).then_some(Phrase::Pause);
        self.lacks_pack().or(warm)
    }

    /// Why there is no pack, where there is none.
    fn lacks_pack(&self) -> Option<Phrase> {
        let phrase = if self.is_pack_known {
            Phrase::PackTrouble
        } else {
            Phrase::Starting
        };
        self.skills.is_none().then_some(phrase)
    }

    /// Whether the pack is still being opened.
    pub fn is_starting(&self) -> bool {
        self.skills.is_none() && !self.is_pack_known
    }

    /// Whether small things may be drawn that nobody asked for.
    pub fn may_sketch(&self) -> bool {
        self.rules.sketch && self.skills.is_some() && self.pace == Pace::Normal
    }

    /// Whether the words of a wish are drawn.
    pub fn allows(&self, prompt: &str) -> bool {
        (self.rules.allows)(prompt)
    }

    /// Orders pictures; whatever is being drawn stops.
    pub fn order(&mut self, purpose: Purpose, pieces: Vec<Piece>, now: Duration) -> Order {
        self.numbers += 1;
        self.running = Some((self.numbers, now));
        let order = Order {
            number: self.numbers,
            purpose,
            pieces,
        };
        self.effects.push(Effect::Draw(order.clone()));
        order
    }

    /// Stops whatever is being drawn.
    pub fn cancel(&mut self) {
        if self.running.take().is_some() {
            self.effects.push(Effect::Cancel);
        }
    }

    pub fn is_running(&self, order: u64) -> bool {
        self.running.is_some_and(|(number, _)| number == order)
    }

    /// The order is done.
    pub fn finished(&mut self) {
        self.running = None;
    }

    /// Since when the current stage has been running.
    pub fn stage_began(&self) -> Option<Duration> {
        self.running.map(|(_, began)| began)
    }

    /// Learns how long the stages take.
    pub fn measure(&mut self, report: &Report, now: Duration) {
        if let Some((_, began)) = &mut self.running {
            self.measured.learn(&report.stage, now.saturating_sub(*began));
            *began = now;
        }
    }

    pub fn learn(&mut self, input: Input) {
        match input {
            Input::Kept(order, piece, outcome) => self.learn_outcome(order, piece, outcome),
            Input::Gallery(kept) => (self.kept, self.is_kept_known) = (kept, true),
            Input::Pack(skills) => self.learn_skills(skills),
            Input::Pace(pace) => self.pace = pace,
            Input::DisplayGone(gone) => self.display_gone = gone,
            Input::Event(_) | Input::Request(_) | Input::Tick | Input::Report(_) | Input::Loaded(..) | Input::Hours(_) => {}
        }
    }

    /// Takes a hint away that has been there long enough.
    pub fn forget_hint(&mut self, now: Duration) {
        self.hint = self.hint.filter(|(_, until)| now < *until);
    }

    fn learn_outcome(&mut self, order: u64, piece: usize, outcome: Outcome) {
        self.gallery = match outcome {
            Outcome::Kept(_) => None,
            Outcome::NotKept => Some(Phrase::NotKept),
        };
        self.outcomes
            .retain(|(of, _)| *of != (order, piece) && order - of.0.min(order) < OUTCOMES);
        self.outcomes.push(((order, piece), outcome));
    }

    /// What became of a picture of one of the last orders.
    pub fn outcome(&self, order: u64, piece: usize) -> Option<&Outcome> {
        let found = self.outcomes.iter().find(|(of, _)| *of == (order, piece));
        found.map(|(_, outcome)| outcome)
    }

    fn learn_skills(&mut self, skills: Option<Skills>) {
        if let Some(skills) = &skills
            && self.skills.as_ref() != Some(skills)
        {
            (self.wish.style, self.wish.step) = (skills.style, skills.step);
        }
        self.skills = skills;
        self.is_pack_known = true;
        self.hint = self.hint.filter(|(phrase, _)| *phrase != Phrase::Starting);
    }

    /// Says something for a while.
    pub fn hint(&mut self, phrase: Phrase, now: Duration) {
        self.hint = Some((phrase, now + HINT));
    }

    pub fn notice_ends(&self) -> Option<Duration> {
        self.hint.map(|(_, until)| until)
    }

    /// What is said beside the picture. That the pack is still being opened is said to those who are there.
    pub fn notice(&self, now: Duration, is_someone_there: bool) -> Option<String> {
        let hint = self.hint.filter(|(_, until)| now < *until).map(|(phrase, _)| phrase);
        let display = self.display_gone.then_some(Phrase::DisplayTrouble);
        let pack = self.lacks_pack().filter(|phrase| is_someone_there || *phrase != Phrase::Starting);
        let warm = match self.pace {
            Pace::Normal => None,
            Pace::Slower => Some(Phrase::Slower),
            Pace::Paused => Some(Phrase::Pause),
        };
        let phrase = hint.or(display).or(pack).or(self.gallery).or(warm)?;
        Some(self.language.say(phrase).to_owned())
    }

    /// The pieces of the examples.
    pub fn examples_to_draw(&self) -> Vec<Piece> {
        let Some(skills) = &self.skills else { return Vec::new() };
        let example = |(index, (prompt, style)): (usize, &(&str, usize))| Piece {
            prompt: (*prompt).to_owned(),
            style: (!skills.styles.is_empty()).then(|| skills.styles[style % skills.styles.len()].clone()),
            steps: skills.steps.get(skills.step).copied().unwrap_or(1),
            seed: index as u64 + 1,
        };
        EXAMPLES.iter().enumerate().map(example).collect()
    }

    /// A picture with its words.
    pub fn shown(&self, piece: &Piece, picture: &Arc<Picture>) -> Shown {
        Shown {
            picture: picture.clone(),
            title: self.title(piece),
            style: self.style_name(piece.style.as_deref()),
            sprite: piece.style.as_deref() == Some(SPRITES),
        }
    }

    pub fn title(&self, piece: &Piece) -> String {
        self.rules.subjects.title(&piece.prompt, self.language, &self.rules.colours)
    }

    pub fn style_name(&self, style: Option<&str>) -> String {
        style.map_or_else(String::new, |style| self.language.name(style).to_owned())
    }

    /// A letter typed after others; backspace takes the last away. Answers whether anything changed.
    pub fn type_letter(&mut self, letter: char) -> bool {
        let mut text = self.wish.typed.clone().unwrap_or_default();
        match letter {
            '\u{8}' | '\u{7f}' => {
                text.pop();
            }
            letter if letter.is_control() || text.chars().count() >= LONGEST => return false,
            letter if letter.is_whitespace() && text.is_empty() => return false,
            letter => text.push(letter),
        }
        let typed = (!text.is_empty()).then_some(text);
        let changed = typed != self.wish.typed;
        self.wish.typed = typed;
        changed
    }

    /// Takes a whole text in place of what is typed, as if it were typed letter by letter. Answers whether anything changed.
    pub fn type_text(&mut self, text: &str) -> bool {
        let before = self.wish.typed.take();
        for letter in text.chars() {
            self.type_letter(letter);
        }
        self.wish.typed != before
    }

    /// Keeps a picture.
    pub fn keep(&mut self, order: u64, piece: usize, drawn: Drawn, favourite: bool) {
        self.outcomes.retain(|(of, _)| *of != (order, piece));
        self.effects.push(Effect::Keep {
            order,
            piece,
            drawn,
            favourite,
        });
    }
}
