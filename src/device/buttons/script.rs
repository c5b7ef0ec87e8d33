//! Scripts: presses with their times, for demonstrations and tests.
//!
//! ```text
//! # seconds  what
//! 0.5  press a            a, b, c, d, previous, next, confirm, back
//! 2.0  long c             held for a second
//! 3.5  double d
//! 4.0  hold next 2.5      held for 2.5 seconds
//! 7    type "red fox"
//! 8    turn -2            notches of a wheel
//! 9    touch 100 200      pixels
//! 9.5  stroke 100 200 300 200 300 400    a finger that draws from pixel to pixel, 0.2 seconds each
//! 10   motion
//! 11   close
//! ```
//!
//! Owns the format. Knows no clock: a script is a list of signals with their times since the start, which the kiosk plays in
//! simulated time. Depends on the names of buttons.

use std::path::{Path, PathBuf};
use std::time::Duration;

use embedded_graphics::prelude::Point;

use super::{Button, Signal};
use crate::bounded_file;
use crate::suggest::did_you_mean;

/// How long keys are down for short presses, and between the two of a double press.
const SHORT: Duration = Duration::from_millis(80);

/// How long they are down for long presses.
const LONG: Duration = Duration::from_secs(1);

/// From one typed letter to the next.
const TYPING: Duration = Duration::from_millis(60);

/// From one point of a stroke to the next, and how many signals tell of the way.
const STROKE: Duration = Duration::from_millis(200);
const MOVES: u32 = 10;

/// What a line may begin with.
const WORDS: [&str; 10] = [
    "press", "long", "double", "hold", "type", "turn", "touch", "stroke", "motion", "close",
];

/// The longest script: a day.
const LONGEST: f64 = 86_400.0;

/// An invalid script.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A line is wrong.
    #[error("{file}: line {line}: {problem}")]
    Line {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong and what was expected.
        problem: String,
    },
}

/// Signals in the order of their times since the start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Script {
    steps: Vec<(Duration, Signal)>,
}

impl Script {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read or a line is wrong.
    pub fn read(path: &Path) -> Result<Script, ScriptError> {
        let text = bounded_file::read_text(path, bounded_file::TEXT).map_err(|source| ScriptError::File { path: path.into(), source })?;
        Script::parse(&text, &path.display().to_string())
    }

    /// Reads a text; `file` is its name in messages.
    ///
    /// # Errors
    /// If a line is wrong.
    pub fn parse(text: &str, file: &str) -> Result<Script, ScriptError> {
        let mut steps = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line_error = |problem| ScriptError::Line {
                file: file.to_owned(),
                line: index + 1,
                problem,
            };
            steps.extend(parse_line(&without_comment(line)).map_err(line_error)?);
        }
        steps.sort_by_key(|(at, _)| *at);
        Ok(Script { steps })
    }

    /// Its signals with their times since the start, in order.
    pub fn steps(&self) -> &[(Duration, Signal)] {
        &self.steps
    }

    /// When its last signal comes.
    pub fn length(&self) -> Duration {
        self.steps.last().map_or(Duration::ZERO, |(at, _)| *at)
    }
}

/// The line up to a # that is not within quotation marks.
fn without_comment(line: &str) -> String {
    let mut quoted = false;
    let kept = line.chars().take_while(|&letter| {
        quoted ^= letter == '"';
        letter != '#' || quoted
    });
    kept.collect::<String>().trim().to_owned()
}

fn parse_line(line: &str) -> Result<Vec<(Duration, Signal)>, String> {
    if line.is_empty() {
        return Ok(Vec::new());
    }
    let (time, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let at = seconds(time).ok_or(format!("'{time}' is not a time: expected seconds since the start, such as 2.5"))?;
    let rest = rest.trim();
    let (word, argument) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let signals = signals(word, argument.trim())?;
    Ok(signals.into_iter().map(|(after, signal)| (at + after, signal)).collect())
}

fn seconds(text: &str) -> Option<Duration> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.0..=LONGEST).contains(seconds))?;
    Some(Duration::from_secs_f64(seconds))
}

/// The signals of one line, with their times after it.
fn signals(word: &str, argument: &str) -> Result<Vec<(Duration, Signal)>, String> {
    let now = |signal| Ok(vec![(Duration::ZERO, signal)]);
    match word {
        "press" => Ok(press(button(argument)?, Duration::ZERO, SHORT)),
        "long" => Ok(press(button(argument)?, Duration::ZERO, LONG)),
        "double" => {
            let button = button(argument)?;
            Ok([press(button, Duration::ZERO, SHORT), press(button, 2 * SHORT, SHORT)].concat())
        }
        "hold" => {
            let expected = || format!("'hold {argument}': expected a button and seconds, such as hold next 2.5");
            let (name, time) = argument.split_once(char::is_whitespace).ok_or_else(expected)?;
            Ok(press(button(name)?, Duration::ZERO, seconds(time.trim()).ok_or_else(expected)?))
        }
        "type" => {
            let text = argument.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
            let text = text.ok_or(format!(
                "'type {argument}': expected a text in quotation marks, such as type \"red fox\""
            ))?;
            Ok(text
                .chars()
                .enumerate()
                .map(|(index, letter)| (TYPING * index as u32, Signal::Character(letter)))
                .collect())
        }
        "turn" => {
            let notches = argument
                .parse()
                .map_err(|_| format!("'turn {argument}': expected notches, such as turn -2"))?;
            now(Signal::Turn(notches))
        }
        "touch" => {
            let expected = || format!("'touch {argument}': expected two numbers of pixels, such as touch 100 200");
            let numbers = pixels(argument).ok_or_else(expected)?;
            let [x, y] = numbers[..] else { return Err(expected()) };
            let finger = |pressed| Signal::Touch {
                at: Point::new(x, y),
                pressed,
            };
            Ok(vec![(Duration::ZERO, finger(true)), (SHORT, finger(false))])
        }
        "stroke" => {
            let expected = || format!("'stroke {argument}': expected pairs of pixels, two at least, such as stroke 100 200 300 200");
            let numbers = pixels(argument).ok_or_else(expected)?;
            let (pairs, []) = numbers.as_chunks::<2>() else {
                return Err(expected());
            };
            let points: Vec<Point> = pairs.iter().map(|[x, y]| Point::new(*x, *y)).collect();
            if points.len() < 2 {
                return Err(expected());
            }
            Ok(stroke(&points))
        }
        "motion" | "close" if !argument.is_empty() => Err(format!("'{word} {argument}': {word} takes no argument")),
        "motion" => now(Signal::Motion),
        "close" => now(Signal::Closed),
        _ => Err(format!("unknown command '{word}'{}", did_you_mean(word, &WORDS))),
    }
}

/// Whole numbers with spaces between.
fn pixels(text: &str) -> Option<Vec<i32>> {
    text.split_whitespace().map(|number| number.parse().ok()).collect()
}

/// A finger that comes down at the first point, moves from each to the next, and is lifted.
fn stroke(points: &[Point]) -> Vec<(Duration, Signal)> {
    let finger = |at, pressed| Signal::Touch { at, pressed };
    let (mut signals, mut after) = (vec![(Duration::ZERO, finger(points[0], true))], Duration::ZERO);
    for pair in points.windows(2) {
        for part in 1..=MOVES {
            after += STROKE / MOVES;
            let at = pair[0] + (pair[1] - pair[0]) * part as i32 / MOVES as i32;
            signals.push((after, finger(at, true)));
        }
    }
    signals.push((after, finger(points[points.len() - 1], false)));
    signals
}

fn button(text: &str) -> Result<Button, String> {
    text.parse().map_err(|error: super::UnknownButton| error.to_string())
}

fn press(button: Button, after: Duration, time: Duration) -> Vec<(Duration, Signal)> {
    let key = |pressed| Signal::Key {
        name: format!("button-{}", button.name()),
        pressed,
    };
    vec![(after, key(true)), (after + time, key(false))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::buttons::bindings::Bindings;
    use crate::device::buttons::gestures::{Gestures, Timing};
    use crate::device::buttons::{Event, Gesture};
    use std::time::Instant;

    /// Plays a script in simulated time.
    fn played(text: &str) -> Vec<Event> {
        let script = Script::parse(text, "demo.txt").unwrap();
        let (start, mut gestures) = (Instant::now(), Gestures::new(Bindings::default(), Timing::default(), [Button::D]));
        let mut events: Vec<Event> = script
            .steps()
            .iter()
            .flat_map(|(at, signal)| gestures.signal(0, signal, start + *at))
            .collect();
        events.extend(gestures.tick(start + script.length() + Duration::from_secs(1)));
        events
    }

    #[test]
    fn scripts_are_what_a_visitor_does() {
        let events = played(
            "# a demonstration\n0.5 press a\n\n2.0 long c # too\n3.5 double d\n5 type \"r #\"\n6 turn -2\n7 touch 100 200\n8 motion\n9 close",
        );
        let press = Event::Press;
        assert_eq!(
            events,
            [
                press(Button::A, Gesture::Short),
                press(Button::C, Gesture::Long),
                press(Button::C, Gesture::Hold),
                press(Button::C, Gesture::Hold),
                press(Button::D, Gesture::Double),
                Event::Character('r'),
                Event::Character(' '),
                Event::Character('#'),
                Event::Turn(-2),
                Event::Touch {
                    output: 0,
                    at: Point::new(100, 200),
                    gesture: Gesture::Short
                },
                Event::Motion,
                Event::Closed,
            ]
        );
        assert_eq!(played("0 hold next 0.7").len(), 1, "long");
        assert_eq!(
            played("3 press b\n1 press a")[0],
            press(Button::A, Gesture::Short),
            "in the order of time"
        );
    }

    #[test]
    fn a_stroke_is_a_finger_that_moves() {
        let script = Script::parse("1 stroke 0 0 100 0 100 50", "demo.txt").unwrap();
        let places: Vec<(Point, bool)> = script
            .steps()
            .iter()
            .map(|(_, signal)| match signal {
                Signal::Touch { at, pressed } => (*at, *pressed),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(places.len(), 22);
        assert_eq!(
            (places[0], places[5], places[21]),
            ((Point::zero(), true), (Point::new(50, 0), true), (Point::new(100, 50), false))
        );
        assert_eq!(script.length(), Duration::from_millis(1400));
        assert!(played("1 stroke 0 0 100 0").is_empty(), "it is no touch of what lies there");
    }

    #[test]
    fn wrong_lines_say_what_was_expected() {
        for (line, expected) in [
            ("soon press a", "'soon' is not a time: expected seconds"),
            ("-1 press a", "'-1' is not a time"),
            ("1e9 motion", "'1e9' is not a time"),
            ("nan motion", "'nan' is not a time"),
            ("1 pres a", "did you mean 'press'?"),
            ("1 press previuos", "did you mean 'previous'?"),
            ("1 press", "there is no button ''"),
            ("1 hold a", "expected a button and seconds"),
            ("1 type red", "expected a text in quotation marks"),
            ("1 turn left", "expected notches"),
            ("1 touch 5", "expected two numbers"),
            ("1 stroke 5 5", "expected pairs of pixels"),
            ("1 stroke 5 5 6", "expected pairs of pixels"),
            ("1 motion now", "motion takes no argument"),
            ("1", "unknown command ''"),
        ] {
            let error = Script::parse(&format!("0 press a\n{line}"), "demo.txt").unwrap_err().to_string();
            assert!(
                error.starts_with("demo.txt: line 2: ") && error.contains(expected),
                "{line}: {error}"
            );
        }
    }

    #[test]
    fn files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("demo.txt");
        assert!(Script::read(&path).unwrap_err().to_string().contains("demo.txt"));
        std::fs::write(&path, "1 press a").unwrap();
        assert_eq!(Script::read(&path).unwrap().length(), Duration::from_millis(1080));
    }
}
