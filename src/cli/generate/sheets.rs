//! `generate --sheet` and `vary --sheet`: pictures onto one sprite sheet.

use std::io::BufRead;
use std::time::Instant;

use serde_json::json;

use super::super::destination::Destination;
use super::super::prompts::Prompts;
use super::super::sheet::{Description, Grid};
use super::super::terminal::Album;
use super::super::{CliError, interrupt, output};
use super::{Counted, Series, Session, Watch, record, report, warn_above};
use crate::picture::provenance::SHEET;
use crate::picture::scale::sides;
use crate::picture::{Picture, Provenance, SpriteSheet};
use crate::pipeline::{PipelineError, Request};
use crate::process::PeakMemory;

impl Session<'_> {
    /// Draws a prompt a line onto one sheet.
    pub(super) fn draw_sheet_of_lines(&mut self, mut prompts: Prompts<impl BufRead>, grid: Grid) -> Result<(), CliError> {
        let mut all = Vec::new();
        while let Some(prompt) = prompts.next_line()? {
            if all.len() == grid.cells() {
                let (place, Grid { columns, rows }) = (prompts.place(), grid);
                let problem = format!("{place}: a sheet of {columns}x{rows} has room for {} prompts", grid.cells());
                return Err(CliError::Usage(problem));
            }
            all.push(prompt);
        }
        self.draw_sheet("sheet", &all, grid)
    }

    /// Draws a picture a prompt onto one sheet.
    pub(super) fn draw_sheet(&mut self, name: &str, prompts: &[String], grid: Grid) -> Result<(), CliError> {
        let seeds = self.seeds_of_sheet(prompts)?;
        let Some(first) = prompts.first() else {
            return Err(CliError::Usage("there is no prompt for the sheet".into()));
        };
        let cells = prompts.iter().zip(&seeds).map(|(prompt, &seed)| Cell {
            request: self.series(Request::new(prompt)).request.seed(seed),
            number: seed,
        });
        let cells: Vec<Cell> = cells.collect();
        let series = Series {
            name: name.to_owned(),
            ..self.series(Request::new(first))
        };
        let prompt = if prompts.iter().all(|prompt| prompt == first) {
            None
        } else {
            Some(prompts.join("\n"))
        };
        self.draw_cells(&series, &cells, prompt, grid)
    }

    /// Draws as many pictures of a series as there are cells onto one sheet.
    ///
    /// # Errors
    /// If a picture cannot be drawn, or the sheet cannot be written.
    pub fn draw_sheet_of_series(&mut self, series: &Series, grid: Grid) -> Result<(), CliError> {
        let resolved = self.pipeline.resolve(&self.started_from(series.request.clone()))?;
        let first = series.first(&resolved);
        let numbers = (0..grid.cells() as u64).map(|index| first.wrapping_add(index));
        let cells = numbers.map(|number| Cell {
            request: series.request(number),
            number,
        });
        self.draw_cells(series, &cells.collect::<Vec<_>>(), None, grid)
    }

    /// Draws cells onto one sheet. `prompts` are those of all of them, if they differ.
    fn draw_cells(&mut self, series: &Series, cells: &[Cell], prompts: Option<String>, grid: Grid) -> Result<(), CliError> {
        let arguments = self.arguments;
        if matches!(self.destination, Destination::Stream(_) | Destination::Stdout) {
            let problem = "--sheet: a pipe or standard output takes one file; name a file or a folder for two";
            return Err(CliError::Usage(problem.into()));
        }
        let too_large = |error| CliError::Usage(format!("--sheet: {error}"));
        let mut sheet = SpriteSheet::new(grid.columns, grid.rows, self.cell(series)?).map_err(too_large)?;
        let Some(first_number) = cells.first().map(|cell| cell.number) else {
            return Err(CliError::Usage("there is no prompt for the sheet".into()));
        };
        self.destination.prepare(series.request.background, false)?;
        let name = if arguments.no_prompt { "" } else { &series.name };
        let mut description = Description::new(self.destination.name(name, first_number, None), arguments.no_prompt);
        description.check(arguments.force)?;
        let count = u32::try_from(cells.len()).unwrap_or(u32::MAX);
        let mut watch = Watch::new(arguments, count, PeakMemory::default(), self.started)?;
        watch.is_several = true;
        self.pipeline.load()?;
        interrupt::listen();
        let (mut records, mut first, mut notes) = (Vec::new(), None, Vec::new());
        for cell in cells {
            let drawing = Instant::now();
            let generated = self.pipeline.generate_with(&self.started_from(cell.request.clone()), &mut watch)?;
            let frame = sheet.add(&generated.picture)?;
            let mut record = record(&description.file, &generated, drawing.elapsed());
            (record["prompt"], record["frame"]) = (json!(generated.prompt), json!(frame));
            if let Counted::Variation { .. } = series.counted {
                record["variation"] = cell.number.into();
            }
            record["sprite"] = json!(description.add(frame, &generated.prompt, cell.number, &generated.provenance));
            records.push(record);
            self.tell_notes(&generated.notes, &mut notes);
            first.get_or_insert(generated.provenance);
            watch.memory.sample();
        }
        watch.finish();
        warn_above(arguments, &watch.memory);
        let sheet = sheet.into_picture();
        let made = of_sheet(first.unwrap_or_default(), prompts, grid, &sheet);
        self.destination
            .write(&description.file, &sheet, &made, &self.signing, arguments.force)?;
        description.write(&sheet, arguments.force)?;
        if arguments.json {
            let resolved = self.pipeline.resolve(&self.started_from(cells[0].request.clone()))?;
            let mut report = report(series, &resolved, &self.pipeline, &watch, (records, notes));
            report["sheet"] = description.to_json(&sheet, grid);
            return output::json(&report);
        }
        let mut album = Album::new(&arguments.preview);
        album.add(&sheet)?;
        album.show()?;
        output::result(&format!("{} ({} pictures)", description.file.display(), records.len()))?;
        output::result(&description.own_file().display().to_string())
    }

    /// The seeds of a sheet's prompts, each of which can be drawn. A prompt that comes again has the next seed.
    fn seeds_of_sheet(&mut self, prompts: &[String]) -> Result<Vec<u64>, CliError> {
        let mut seeds: Vec<u64> = Vec::new();
        for (number, prompt) in prompts.iter().enumerate() {
            if number > 0 && prompts[number - 1] == *prompt {
                seeds.push(seeds[number - 1].wrapping_add(1));
                continue;
            }
            let request = self.started_from(self.series(Request::new(prompt)).request);
            let resolved = self.pipeline.resolve(&request).map_err(|error| {
                if error.is_input_fault() && number > 0 {
                    CliError::Usage(format!("prompt {} of the sheet: {error}", number + 1))
                } else {
                    error.into()
                }
            })?;
            seeds.push(resolved.seed());
        }
        Ok(seeds)
    }

    /// Width and height of a picture.
    fn cell(&self, series: &Series) -> Result<(u32, u32), CliError> {
        let can = self.pipeline.capabilities();
        let own = match self.source.as_ref().filter(|source| !source.extend.is_empty()) {
            Some(source) => source.extended_sides().map_err(PipelineError::Extended)?,
            None => (can.width, can.height),
        };
        Ok(series.request.size.map_or(own, |size| sides(own, size)))
    }
}

/// A picture of a sheet, and the number that tells it from the others.
struct Cell {
    request: Request,
    number: u64,
}

/// The record of a sheet: that of its first picture, with all prompts if they differ, unless they are private.
fn of_sheet(first: Provenance, prompts: Option<String>, grid: Grid, sheet: &Picture) -> Provenance {
    let mut made = Provenance {
        size: [sheet.width(), sheet.height()],
        picture_sha256: sheet.sha256(),
        ..first
    };
    if let Some(prompts) = prompts.filter(|_| !made.prompt.is_empty()) {
        made.prompt = prompts;
    }
    made.extra.insert(SHEET.to_owned(), format!("{}x{}", grid.columns, grid.rows));
    made
}
