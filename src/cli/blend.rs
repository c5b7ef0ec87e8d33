//! `inkstone blend`: pictures from several prompts that are mixed.

use std::time::Instant;

use clap::Args;

use super::CliError;
use super::generate::{Drawing, Session};
use crate::pipeline::{Part, Request};

/// Arguments of `blend`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// What to mix, each prompt with its weight after the last colon, 1 by default: "cat:0.6" "dog:0.4".
    #[arg(required = true, value_name = "PROMPT[:WEIGHT]")]
    prompts: Vec<String>,
    #[command(flatten)]
    drawing: Drawing,
}

/// Runs `blend`. `started` is when the process started.
pub fn run(arguments: &Arguments, started: Instant) -> Result<(), CliError> {
    let mut session = Session::open(&arguments.drawing, started)?;
    let parts = arguments.prompts.iter().map(|text| part(text));
    let series = session.series(Request::blend(parts));
    session.draw(&series, false)
}

/// A prompt with its weight after the last colon.
fn part(text: &str) -> Part {
    let weighted = text.rsplit_once(':').and_then(|(prompt, weight)| {
        let weight = weight.trim().parse().ok()?;
        Some(Part::new(prompt, weight))
    });
    weighted.unwrap_or_else(|| Part::new(text, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_follow_the_last_colon() {
        for (text, prompt, weight) in [
            ("cat:0.6", "cat", 0.6),
            ("cat", "cat", 1.0),
            ("a cat: big: 2", "a cat: big", 2.0),
            ("a cat: big", "a cat: big", 1.0),
            ("(cat:1.2)", "(cat:1.2)", 1.0),
            ("(cat:1.2):3", "(cat:1.2)", 3.0),
        ] {
            assert_eq!(part(text), Part::new(prompt, weight), "{text}");
        }
    }
}
