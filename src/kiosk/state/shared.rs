//! State shared by all modes: rules, selection, gallery, problems, and the effects to carry out.

use std::sync::Arc;
use std::time::Duration;

use super::job::{FinishedPicture, Item, Job, JobUpdate, Purpose, StageTimes};
use super::request::DrawRequest;
use super::selection::{AtOnce, PackChoices, Selection, Typed};
use super::view::{Code, Shown};
use super::{Effect, Input, KeepOutcome};
use crate::kiosk::heat::Pace;
use crate::kiosk::language::{Language, Phrase};
use crate::kiosk::subjects::Subjects;
use crate::picture::{Picture, Resampling};
use crate::words::Ambiguity;

/// A line for the visitor, with names where the phrase has room for them.
struct Hint {
    phrase: Phrase,
    names: Vec<String>,
    /// Whether it was given in answer to the current input.
    is_new: bool,
}

/// How long a hint is shown.
const HINT: Duration = Duration::from_secs(4);
/// Jobs whose outcomes are remembered.
const OUTCOMES: u64 = 8;
/// Longest text that can be typed or sent, in characters.
pub(super) const LONGEST: usize = 120;
/// Examples that are drawn while nothing is kept: prompts and indices of styles.
const EXAMPLES: [(&str, usize); 6] = [
    ("red apple", 0),
    ("owl", 4),
    ("rocket", 1),
    ("cat face", 3),
    ("sunflower", 0),
    ("robot", 1),
];

/// Whether a prompt passes the word filter.
pub type Allows = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// The address at which a visitor's phone finds a picture for a while; `None` if there is none now.
pub type Links = Arc<dyn Fn(&FinishedPicture) -> Option<String> + Send + Sync>;

/// What does not depend on the visitor.
#[derive(Clone)]
pub struct Rules {
    /// Initial language.
    pub language: Language,
    /// The subjects on the wheel.
    pub subjects: Arc<Subjects>,
    /// Colour words.
    pub colours: Vec<String>,
    /// The word filter.
    pub allows: Allows,
    /// Initial number of pictures per drawing.
    pub at_once: AtOnce,
    /// The first seed.
    pub seed: u64,
    /// Whether every finished picture is kept.
    pub keep_all: bool,
    /// Whether the slide show has only favourites, once there is one.
    pub only_favourites: bool,
    /// Time without a press until the slide show starts.
    pub idle: Duration,
    /// How long each slide is shown.
    pub shown: Duration,
    /// Length of the fade between two slides; zero on panels that are too slow for it.
    pub fade: Duration,
    /// Whether the main display is fast enough for pictures that move: sketches of the current choice, morphs, and drawing by hand.
    pub sketch: bool,
    /// Whether pictures of the slide show become one another by a morph, instead of fading.
    pub morphs: bool,
}

/// A picture in the gallery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GalleryEntry {
    /// Its number, by which it is loaded.
    pub number: u64,
    /// Whether it is a favourite.
    pub favourite: bool,
}

/// State shared by all modes.
pub(super) struct Shared {
    pub rules: Rules,
    pub selection: Selection,
    pub language: Language,
    /// What the pack offers; `None` while it is being opened, and if it cannot be read.
    pub choices: Option<PackChoices>,
    is_pack_known: bool,
    /// Pictures in the gallery, newest first; empty while it is being read.
    pub kept: Vec<GalleryEntry>,
    pub is_kept_known: bool,
    pub examples: Vec<FinishedPicture>,
    pub stage_times: StageTimes,
    pub effects: Vec<Effect>,
    /// Whether the program ends after one picture.
    pub once: bool,
    /// A request during loading, drawn once the pack is open.
    pub pending: Option<DrawRequest>,
    /// Where visitors find the pictures that are shown.
    pub links: Option<Links>,
    /// Whether somebody has touched a display, which therefore can be touched.
    pub has_touch: bool,
    pace: Pace,
    display_gone: bool,
    gallery: Option<Phrase>,
    hint: Option<(Hint, Duration)>,
    outcomes: Vec<((u64, usize), KeepOutcome)>,
    running: Option<(u64, Duration)>,
    numbers: u64,
    seeds: u64,
}

impl Shared {
    pub fn new(rules: Rules) -> Shared {
        let mut shared = Shared {
            selection: Selection::default(),
            language: rules.language,
            choices: None,
            is_pack_known: false,
            kept: Vec::new(),
            is_kept_known: false,
            examples: Vec::new(),
            stage_times: StageTimes::default(),
            effects: Vec::new(),
            once: false,
            pending: None,
            links: None,
            has_touch: false,
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
        shared.selection.at_once = shared.rules.at_once;
        shared.selection.seed = shared.rules.seed;
        let places = shared.selection.places(&shared.rules.subjects);
        shared.selection.subject = places[usize::try_from(shared.rules.seed % places.len() as u64).unwrap_or(0)];
        shared
    }

    pub fn set_rules(&mut self, rules: Rules) {
        if rules.language != self.rules.language {
            self.language = rules.language;
        }
        if rules.at_once != self.rules.at_once {
            self.selection.at_once = rules.at_once;
        }
        let colours = rules.colours.len();
        self.selection.colour = self.selection.colour.filter(|colour| *colour < colours);
        self.selection.subject %= rules.subjects.count();
        self.selection.category = self
            .selection
            .category
            .filter(|category| *category < rules.subjects.categories().len());
        self.rules = rules;
    }

    /// The visitor has gone: what was chosen is not the next one's choice. The wheel stays where it is.
    pub fn end_visit(&mut self) {
        let (style, step) = self.choices.as_ref().map_or((0, 0), |choices| (choices.style, choices.step));
        self.language = self.rules.language;
        self.selection = Selection {
            subject: self.selection.subject,
            seed: self.selection.seed,
            at_once: self.rules.at_once,
            style,
            step,
            ..Selection::default()
        };
    }

    /// A new seed, short enough to be typed.
    pub fn next_seed(&mut self) -> u64 {
        // The multiplier and increment of Knuth's MMIX generator.
        self.seeds = self
            .seeds
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.seeds >> 33) % 100_000
    }

    /// The picture of the selection, with fewer steps when the board is hot; `None` without a pack.
    pub fn item(&self) -> Option<Item> {
        let choices = self.choices.as_ref()?;
        let mut item = self.selection.item(&self.rules.subjects, &self.rules.colours, choices);
        item.steps = self.pace.steps(item.steps, &choices.steps);
        Some(item)
    }

    /// The picture of a request, which becomes the selection; `None` without a pack or if the style is not offered.
    pub fn requested(&mut self, request: &DrawRequest) -> Option<Item> {
        let choices = self.choices.clone()?;
        let style = request.style_name();
        let place = style.and_then(|name| choices.styles.iter().position(|style| style == name));
        if let (Some(name), None) = (style, place) {
            log::warn!(
                "a request is refused: there is no style '{name}'; there are {}",
                choices.styles.join(", ")
            );
            return None;
        }
        let usual = choices.steps.get(choices.step).copied().unwrap_or(1);
        let steps = request.steps_or(usual);
        let item = Item {
            prompt: request.prompt().to_owned(),
            style: style.map(str::to_owned),
            steps: self.pace.steps(steps, &choices.steps),
            seed: request.seed_or(|| self.next_seed()),
            variations: Vec::new(),
            sketch: None,
        };
        self.selection.typed = Some(Typed {
            asks: false,
            ..Typed::new(&item.prompt)
        });
        self.selection.colour = None;
        self.selection.seed = item.seed;
        self.selection.style = place.unwrap_or(self.selection.style);
        Some(item)
    }

    /// Why a picture cannot be drawn now.
    pub fn blocked_by(&self) -> Option<Phrase> {
        let warm = (self.pace == Pace::Paused).then_some(Phrase::Pause);
        self.lacks_pack().or(warm)
    }

    /// Why there is no pack; `None` if there is one.
    fn lacks_pack(&self) -> Option<Phrase> {
        let phrase = if self.is_pack_known {
            Phrase::PackTrouble
        } else {
            Phrase::Starting
        };
        self.choices.is_none().then_some(phrase)
    }

    /// Whether the pack is still being opened.
    pub fn is_starting(&self) -> bool {
        self.choices.is_none() && !self.is_pack_known
    }

    /// Whether sketches may be drawn.
    pub fn may_sketch(&self) -> bool {
        self.rules.sketch && self.choices.is_some() && self.pace == Pace::Normal
    }

    /// Whether visitors may draw by hand: where a display is touched, and the pack starts from pictures.
    pub fn may_draw_by_hand(&self) -> bool {
        let takes = self.choices.as_ref().is_some_and(|choices| choices.takes_pictures);
        self.rules.sketch && self.has_touch && takes
    }

    /// Whether a prompt passes the word filter.
    pub fn allows(&self, prompt: &str) -> bool {
        (self.rules.allows)(prompt)
    }

    /// Starts a job, which replaces the running one.
    pub fn start_job(&mut self, purpose: Purpose, items: Vec<Item>, now: Duration) -> Job {
        self.numbers += 1;
        self.running = Some((self.numbers, now));
        let job = Job {
            number: self.numbers,
            purpose,
            asks: self.asks_about(&items),
            items,
        };
        self.effects.push(Effect::Draw(job.clone()));
        job
    }

    /// Whether these are of a text that someone typed, who has not been asked yet what it means.
    fn asks_about(&self, items: &[Item]) -> bool {
        let prompt = self.selection.prompt(&self.rules.subjects, &self.rules.colours);
        let is_typed = self.selection.typed.as_ref().is_some_and(|typed| typed.asks);
        is_typed && !self.once && items.iter().all(|item| item.prompt == prompt && item.sketch.is_none())
    }

    /// A word of the typed text names several things: their names take the place of the wheel's words.
    pub fn ask(&mut self, ambiguity: &Ambiguity, now: Duration) {
        if let Some(typed) = &mut self.selection.typed {
            typed.question = Some((ambiguity.clone(), 0));
            typed.asks = false;
            self.hint(Phrase::Pick, now);
        }
    }

    /// A number for a picture that no job of the kiosk drew, which was kept under another in the gallery.
    pub fn adopt(&mut self, number: Option<u64>) -> u64 {
        self.numbers += 1;
        let outcome = number.map(|number| ((self.numbers, 0), KeepOutcome::Kept(number)));
        self.outcomes.extend(outcome);
        self.numbers
    }

    /// What a visitor takes a picture home by.
    pub fn code(&self, finished: &FinishedPicture) -> Code {
        let link = self.links.as_ref().and_then(|links| links(finished));
        let phrase = if link.is_some() { Phrase::ScanLink } else { Phrase::Scan };
        Code {
            command: finished.command().or_else(|| link.clone()).unwrap_or_default(),
            link,
            invitation: self.language.say(phrase).to_owned(),
        }
    }

    /// Cancels the running job.
    pub fn cancel(&mut self) {
        if self.running.take().is_some() {
            self.effects.push(Effect::Cancel);
        }
    }

    pub fn is_running(&self, job: u64) -> bool {
        self.running.is_some_and(|(number, _)| number == job)
    }

    /// The job has ended.
    pub fn end_job(&mut self) {
        self.running = None;
    }

    /// When the current stage of the running job began.
    pub fn stage_began(&self) -> Option<Duration> {
        self.running.map(|(_, began)| began)
    }

    /// Records how long a stage took.
    pub fn record_stage(&mut self, update: &JobUpdate, now: Duration) {
        if let Some((_, began)) = &mut self.running {
            self.stage_times.record(&update.stage, now.saturating_sub(*began));
            *began = now;
        }
    }

    pub fn apply(&mut self, input: Input) {
        match input {
            Input::Kept(job, item, outcome) => self.apply_outcome(job, item, outcome),
            Input::Gallery(kept) => (self.kept, self.is_kept_known) = (kept, true),
            Input::Pack(choices) => self.set_choices(choices),
            Input::Pace(pace) => self.pace = pace,
            Input::DisplayGone(gone) => self.display_gone = gone,
            Input::Event(_)
            | Input::Touch(..)
            | Input::Finger(..)
            | Input::Request(_)
            | Input::Tick
            | Input::JobUpdate(_)
            | Input::Loaded(..)
            | Input::Hours(_)
            | Input::Show(..)
            | Input::Invite(_) => {}
        }
    }

    /// Removes an expired hint.
    pub fn forget_hint(&mut self, now: Duration) {
        self.hint = self.hint.take().filter(|(_, until)| now < *until);
    }

    fn apply_outcome(&mut self, job: u64, item: usize, outcome: KeepOutcome) {
        self.gallery = match outcome {
            KeepOutcome::Kept(_) => None,
            KeepOutcome::NotKept => Some(Phrase::NotKept),
        };
        self.outcomes.retain(|(of, _)| *of != (job, item) && job - of.0.min(job) < OUTCOMES);
        self.outcomes.push(((job, item), outcome));
    }

    /// Whether a picture of a recent job was kept.
    pub fn outcome(&self, job: u64, item: usize) -> Option<&KeepOutcome> {
        let found = self.outcomes.iter().find(|(of, _)| *of == (job, item));
        found.map(|(_, outcome)| outcome)
    }

    fn set_choices(&mut self, choices: Option<PackChoices>) {
        if let Some(choices) = &choices
            && self.choices.as_ref() != Some(choices)
        {
            (self.selection.style, self.selection.step) = (choices.style, choices.step);
        }
        self.choices = choices;
        self.is_pack_known = true;
        self.hint = self.hint.take().filter(|(hint, _)| hint.phrase != Phrase::Starting);
    }

    /// Removes the hint that words are not known or not clear, once they are others.
    pub fn forget_unknown(&mut self) {
        self.hint = self
            .hint
            .take()
            .filter(|(hint, _)| !matches!(hint.phrase, Phrase::Unknown | Phrase::UnknownNear | Phrase::Pick));
    }

    /// Shows a hint for a few seconds.
    pub fn hint(&mut self, phrase: Phrase, now: Duration) {
        self.hint_with(phrase, Vec::new(), now);
    }

    /// Shows a hint with names in it for a few seconds.
    pub fn hint_with(&mut self, phrase: Phrase, names: Vec<String>, now: Duration) {
        let hint = Hint {
            phrase,
            names,
            is_new: true,
        };
        self.hint = Some((hint, now + HINT));
    }

    /// Another input comes: the hint is no answer to it.
    pub fn age_hint(&mut self) {
        if let Some((hint, _)) = &mut self.hint {
            hint.is_new = false;
        }
    }

    /// Another screen begins, which a hint of the one before says nothing about.
    pub fn drop_old_hint(&mut self) {
        self.hint = self.hint.take().filter(|(hint, _)| hint.is_new);
    }

    pub fn notice_ends(&self) -> Option<Duration> {
        self.hint.as_ref().map(|(_, until)| *until)
    }

    /// The notice beside the picture. That the pack is still being opened concerns only visitors who are there.
    pub fn notice(&self, now: Duration, is_someone_there: bool) -> Option<String> {
        if let Some((hint, _)) = self.hint.as_ref().filter(|(_, until)| now < *until) {
            return Some(self.language.say_names(hint.phrase, &hint.names));
        }
        let display = self.display_gone.then_some(Phrase::DisplayTrouble);
        let pack = self.lacks_pack().filter(|phrase| is_someone_there || *phrase != Phrase::Starting);
        let warm = match self.pace {
            Pace::Normal => None,
            Pace::Slower => Some(Phrase::Slower),
            Pace::Paused => Some(Phrase::Pause),
        };
        let phrase = display.or(pack).or(self.gallery).or(warm)?;
        Some(self.language.say(phrase).to_owned())
    }

    /// The items of the examples.
    pub fn examples_to_draw(&self) -> Vec<Item> {
        let Some(choices) = &self.choices else {
            return Vec::new();
        };
        let example = |(index, (prompt, style)): (usize, &(&str, usize))| Item {
            prompt: (*prompt).to_owned(),
            style: (!choices.styles.is_empty()).then(|| choices.styles[style % choices.styles.len()].clone()),
            steps: choices.steps.get(choices.step).copied().unwrap_or(1),
            seed: index as u64 + 1,
            variations: Vec::new(),
            sketch: None,
        };
        EXAMPLES.iter().enumerate().map(example).collect()
    }

    /// A preview of an item with its title and style.
    pub fn shown(&self, item: &Item, picture: &Arc<Picture>) -> Shown {
        let style = self.style_of(item);
        Shown {
            picture: picture.clone(),
            title: self.title(item),
            style: self.style_name(style),
            resampling: self.resampling(style),
        }
    }

    /// A finished picture with its style, and with its title, which says what was drawn if that is not all that was asked for.
    pub fn finished(&self, finished: &FinishedPicture) -> Shown {
        let record = &finished.provenance;
        let style = record.style.as_deref().or(self.style_of(&finished.item));
        let title = self.title(&finished.item);
        Shown {
            picture: finished.picture.clone(),
            title: match record.drawn_as() {
                Some(drawn) => format!("{title} ({drawn})"),
                None => title,
            },
            style: self.style_name(style),
            resampling: self.resampling(style),
        }
    }

    /// The style of an item, the default one while nothing has chosen another.
    pub fn style_of<'a>(&'a self, item: &'a Item) -> Option<&'a str> {
        let default = || {
            let choices = self.choices.as_ref()?;
            choices.styles.get(choices.style).map(String::as_str)
        };
        item.style.as_deref().or_else(default)
    }

    /// How pictures of a style are scaled; smoothly before the pack is open.
    fn resampling(&self, style: Option<&str>) -> Resampling {
        let is_nearest = |style: &str| self.choices.iter().any(|choices| choices.nearest.iter().any(|name| name == style));
        if style.is_some_and(is_nearest) {
            Resampling::Nearest
        } else {
            Resampling::Smooth
        }
    }

    pub fn title(&self, item: &Item) -> String {
        self.rules.subjects.title(&item.prompt, self.language, &self.rules.colours)
    }

    pub fn style_name(&self, style: Option<&str>) -> String {
        style.map_or_else(String::new, |style| self.language.name(style).to_owned())
    }

    /// Appends a typed character; backspace removes the last one. Returns whether anything changed.
    pub fn type_letter(&mut self, letter: char) -> bool {
        let before = self.selection.typed.as_ref().map_or("", |typed| &typed.text);
        let mut text = before.to_owned();
        match letter {
            '\u{8}' | '\u{7f}' => {
                text.pop();
            }
            letter if letter.is_control() || text.chars().count() >= LONGEST => return false,
            letter if letter.is_whitespace() && text.is_empty() => return false,
            letter => text.push(letter),
        }
        let changed = text != before;
        if changed {
            self.selection.typed = (!text.is_empty()).then(|| Typed::new(text));
        }
        changed
    }

    /// Replaces the typed text, as if the new one were typed character by character. It comes from elsewhere, where nobody sees the
    /// colour that was chosen here. Returns whether anything changed.
    pub fn type_text(&mut self, text: &str) -> bool {
        let before = self.selection.typed.take();
        for letter in text.chars() {
            self.type_letter(letter);
        }
        let text = |typed: &Option<Typed>| typed.as_ref().map(|typed| typed.text.clone());
        let changed = text(&self.selection.typed) != text(&before);
        if changed {
            self.selection.colour = None;
        } else {
            self.selection.typed = before;
        }
        changed
    }

    /// Keeps a picture.
    pub fn keep(&mut self, job: u64, item: usize, finished: FinishedPicture, favourite: bool) {
        self.outcomes.retain(|(of, _)| *of != (job, item));
        self.effects.push(Effect::Keep {
            job,
            item,
            finished,
            favourite,
        });
    }
}
