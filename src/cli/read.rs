//! `inkstone read`: how prompts are read, without drawing them.

use std::io::{BufRead, BufWriter, Write};

use clap::Args;
use rayon::prelude::*;
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

use super::locate::PackArgument;
use super::output::printable;
use super::prompts::Prompts;
use super::{CliError, locate};
use crate::pack::Pack;
use crate::pipeline::{Note, PromptReading, read_prompt};
use crate::words::{Language, Reader, Role};

/// Prompts from standard input that are read side by side.
const AT_ONCE: usize = 1024;

/// Arguments of `read`.
#[derive(Debug, Args)]
#[command(
    after_help = "Without PROMPT, reads one prompt a line from standard input. Exit codes: 0 all prompts can be drawn, 2 one of them cannot."
)]
pub struct Arguments {
    /// Prompts to read.
    prompts: Vec<String>,
    #[command(flatten)]
    pack: PackArgument,
    /// Language that a prompt is taken for where its words do not tell; by default that of LANG.
    #[arg(long, value_name = "TAG")]
    language: Option<Language>,
    /// Print JSON, one prompt a line.
    #[arg(long)]
    json: bool,
}

/// Runs `read`.
pub fn run(arguments: &Arguments) -> Result<(), CliError> {
    let pack = Pack::open(&arguments.pack.folder())?;
    let lexicon = pack.manifest().prompt.as_ref().and_then(|prompt| prompt.lexicon.as_ref());
    let Some(name) = lexicon else {
        return Err(CliError::Usage(format!(
            "{}: this pack reads prompts as they are: it has no lexicon",
            pack.folder().display()
        )));
    };
    let session = Session {
        reader: Reader::open(&pack.folder().join(name)).map_err(crate::pipeline::PipelineError::from)?,
        language: arguments.language.or_else(locate::language),
        as_json: arguments.json,
        pack,
    };
    let mut output = BufWriter::new(std::io::stdout().lock());
    let unknown = if arguments.prompts.is_empty() {
        session.lines(Prompts::of_stdin(), &mut output)?
    } else {
        session.prompts(&arguments.prompts, &mut output)?
    };
    output.flush()?;
    match unknown {
        0 => Ok(()),
        1 => Err(CliError::Usage("one prompt cannot be drawn: this model knows nothing in it".into())),
        count => Err(CliError::Usage(format!(
            "{count} prompts cannot be drawn: this model knows nothing in them"
        ))),
    }
}

struct Session {
    pack: Pack,
    reader: Reader,
    language: Option<Language>,
    as_json: bool,
}

impl Session {
    /// Reads prompts side by side and writes them in order. Returns how many cannot be drawn.
    fn prompts(&self, prompts: &[String], output: &mut impl Write) -> Result<usize, CliError> {
        let read = |prompt: &String| read_prompt(self.pack.manifest(), &self.reader, prompt, self.language);
        let readings = prompts.par_iter().map(read).collect::<Result<Vec<_>, _>>()?;
        for (prompt, read) in prompts.iter().zip(&readings) {
            if self.as_json {
                writeln!(output, "{}", record(prompt, read))?;
            } else {
                write!(output, "{}", printable(&table(prompt, read)))?;
            }
        }
        Ok(readings.iter().filter(|read| !read.reading.is_known()).count())
    }

    fn lines(&self, mut input: Prompts<impl BufRead>, output: &mut impl Write) -> Result<usize, CliError> {
        let mut unknown = 0;
        loop {
            let mut prompts = Vec::with_capacity(AT_ONCE);
            let mut ended = Ok(());
            while prompts.len() < AT_ONCE {
                match input.next_line() {
                    Ok(Some(line)) => prompts.push(line),
                    Ok(None) => break,
                    Err(error) => {
                        ended = Err(error);
                        break;
                    }
                }
            }
            let is_last = prompts.len() < AT_ONCE;
            unknown += self.prompts(&prompts, output)?;
            if is_last {
                output.flush()?;
                return ended.map(|()| unknown);
            }
        }
    }
}

fn record(prompt: &str, read: &PromptReading) -> Value {
    let reading = &read.reading;
    let notes: Vec<Value> = read.notes.iter().map(Note::to_json).collect();
    json!({
        "prompt": prompt, "language": reading.language, "known": reading.is_known(), "read_as": reading.text, "style": read.style,
        "spans": reading.spans, "objects": reading.objects, "rows": reading.arrangement.as_ref().map(|arrangement| &arrangement.rows),
        "negative": reading.negative, "notes": notes, "suggestions": read.suggestions, "ambiguity": read.ambiguity,
    })
}

/// The words of a prompt in columns, and what becomes of it.
fn table(prompt: &str, read: &PromptReading) -> String {
    let reading = &read.reading;
    let language = reading.language.map_or(String::new(), |language| format!(" ({language})"));
    let rows: Vec<[&str; 4]> = reading.spans.iter().filter(|span| span.role != Role::Filler).map(columns).collect();
    let widths: [usize; 3] = std::array::from_fn(|column| rows.iter().map(|row| row[column].width()).max().unwrap_or(0));
    let mut text = format!("{prompt}{language}\n");
    for row in &rows {
        text.push_str("  ");
        for (cell, size) in row.iter().zip(widths) {
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', size + 2 - cell.width()));
        }
        text.push_str(row[3]);
        text.push('\n');
    }
    if reading.is_known() {
        text.push_str(&format!("  drawn: {}\n", reading.text));
    } else {
        text.push_str("  nothing in it can be drawn\n");
    }
    read.style.iter().for_each(|style| text.push_str(&format!("  style: {style}\n")));
    reading
        .negative
        .iter()
        .for_each(|name| text.push_str(&format!("  left out: {name}\n")));
    read.notes.iter().for_each(|note| text.push_str(&format!("  note: {note}\n")));
    if !read.suggestions.is_empty() {
        text.push_str(&format!("  nearest: {}\n", read.suggestions.join(", ")));
    }
    text
}

fn columns(span: &crate::words::Span) -> [&str; 4] {
    let meaning = span.name.as_deref().or(span.value.as_deref()).unwrap_or("");
    [&span.text, span.role.name(), meaning, span.found.name()]
}
