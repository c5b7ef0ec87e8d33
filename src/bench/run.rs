//! Runs a plan: cold starts, idle power, then pictures drawn and timed while a meter and a watch look on.

mod drawing;

use std::path::Path;
use std::time::{Duration, Instant};

use drawing::Drawing;

use super::cold::{self, ColdError};
use super::energy::{Idle, Interval};
use super::monitor::ProcessorMonitor;
use super::plan::Plan;
use super::report::{ColdResult, ConfigurationResult, MeterRecord, PictureTime, PowerRecord, ProcessorRecord};
use crate::device::power::marker::Marker;
use crate::device::power::{Accuracy, Detection, Sampler, Trace};
use crate::device::processor::Processor;
use crate::device::processor::counters::Counters;
use crate::picture::PngError;
use crate::pipeline::{Pipeline, PipelineError, Request};
use crate::process::Memory;

/// A run that did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A picture cannot be generated, or someone stopped the run.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// A picture cannot be written.
    #[error(transparent)]
    Png(#[from] PngError),
    /// A new process failed.
    #[error(transparent)]
    Cold(#[from] ColdError),
    /// The marker's line cannot be set.
    #[error("{0}")]
    Marker(String),
    /// A thread or a temporary folder cannot be had.
    #[error("{0}")]
    System(#[from] std::io::Error),
}

/// Who is told how far a run is.
pub trait Listener {
    /// What comes next, and how much of it: pictures, starts or seconds.
    fn phase(&mut self, name: &str, count: u64);
    /// One more is done.
    fn advance(&mut self);
    /// Whether someone asked to stop.
    fn stopped(&self) -> bool;
}

/// Everything that a run needs.
pub struct Bench<'a> {
    /// What is measured.
    pub plan: &'a Plan,
    /// The model; nothing of its weights may have been read, since mapped pages stay in memory over cold starts.
    pub pipeline: Pipeline,
    /// What is drawn; each configuration sets steps and size.
    pub request: Request,
    /// Where the system's files are, `/` on a board.
    pub root: &'a Path,
    /// The program that is started for cold starts and for the memory of each configuration.
    pub program: &'a Path,
    /// The power meter.
    pub power: Detection,
    /// The line that is high while a picture is drawn, and its number.
    pub marker: Option<NumberedMarker>,
}

/// A marker and the number of its line.
pub type NumberedMarker = (Box<dyn Marker>, u32);

/// What a run found, before it is judged.
pub struct Findings {
    /// The processor over the run.
    pub processor: ProcessorRecord,
    /// The power meter and what it told.
    pub power: PowerRecord,
    /// Why instructions were not counted.
    pub counters_absent: Option<String>,
    /// Of each configuration.
    pub results: Vec<ConfigurationResult>,
    /// When each picture was drawn.
    pub pictures: Vec<PictureTime>,
    /// The engine's int8 kernel.
    pub engine_kernel: String,
    /// How long it took, in seconds.
    pub seconds: f64,
}

impl Bench<'_> {
    /// Runs the plan: cold starts, memory, idle power, warm-up, then the blocks.
    ///
    /// # Errors
    /// If a picture cannot be drawn as asked, or the listener stopped the run.
    pub fn run(mut self, listener: &mut dyn Listener) -> Result<Findings, RunError> {
        let (origin, plan) = (Instant::now(), self.plan);
        let processor = Processor::find(self.root);
        let before = processor.state();
        // Before any thread of an engine, so that these are counted too.
        let counters = Counters::open();
        let counters_absent = counters.as_ref().err().map(ToString::to_string);
        let colds = self.cold_starts(listener)?;
        let memories = self.memories(listener)?;
        let meter = self.power.meter.take();
        let told = meter.as_ref().map(|meter| (meter.name(), meter.measures(), meter.accuracy()));
        let marker_line = self.marker.as_ref().map(|(_, line)| *line);
        let why_not = std::mem::take(&mut self.power.why_not);
        let mut drawing = Drawing::prepare(&mut self, counters.ok(), origin)?;
        let monitor = ProcessorMonitor::start(processor.clone(), origin)?;
        let settle = meter.as_ref().map_or(0.0, |meter| (2.0 / meter.rate()).clamp(0.1, 2.0));
        let sampler = meter.map(|meter| Sampler::start(meter, origin)).transpose()?;
        let idle = if sampler.is_some() {
            idle_window(plan.idle_seconds, origin, listener)?
        } else {
            Interval { start: 0.0, end: 0.0 }
        };
        let drawn = drawing.all(plan, listener);
        // An integral needs a reading after the last picture.
        std::thread::sleep(Duration::from_secs_f64(settle));
        let trace = sampler.map(Sampler::stop).unwrap_or_default();
        let timeline = monitor.stop();
        drawn?;
        let after = processor.state();
        let power = power_record(told, trace, why_not, idle, marker_line, origin.elapsed());
        Ok(Findings {
            processor: ProcessorRecord {
                before,
                after,
                timeline,
                others: drawing.others(),
            },
            counters_absent: counters_absent.or(drawing.counters_lost()),
            results: drawing.results(plan, colds, memories, &power),
            pictures: drawing.pictures(),
            engine_kernel: drawing.kernel().into(),
            power,
            seconds: origin.elapsed().as_secs_f64(),
        })
    }

    fn cold_starts(&self, listener: &mut dyn Listener) -> Result<Vec<Option<ColdResult>>, RunError> {
        let (plan, count) = (self.plan, self.plan.cold_starts);
        if count > 0 {
            listener.phase("cold starts", (count * plan.configurations.len()) as u64);
        }
        let mut found = Vec::new();
        for &configuration in &plan.configurations {
            let mut done = || {
                listener.advance();
                !listener.stopped()
            };
            found.push(cold::starts(
                self.program,
                self.pipeline.pack(),
                &self.request,
                configuration,
                count,
                &mut done,
            )?);
            go_on(listener)?;
        }
        Ok(found)
    }
}

impl Bench<'_> {
    /// Peak memory of each configuration, in a process of its own.
    fn memories(&self, listener: &mut dyn Listener) -> Result<Vec<Option<Memory>>, RunError> {
        listener.phase("memory", self.plan.configurations.len() as u64);
        let mut found = Vec::new();
        for &configuration in &self.plan.configurations {
            let memory = cold::memory(self.program, self.pipeline.pack(), &self.request, configuration);
            found.push(memory.unwrap_or_else(|error| {
                log::warn!("memory was not measured: {error}");
                None
            }));
            listener.advance();
            go_on(listener)?;
        }
        Ok(found)
    }
}

fn go_on(listener: &dyn Listener) -> Result<(), RunError> {
    if listener.stopped() {
        return Err(PipelineError::Interrupted.into());
    }
    Ok(())
}

/// Waits while nothing is drawn, so that the idle power shows.
fn idle_window(seconds: f64, origin: Instant, listener: &mut dyn Listener) -> Result<Interval, RunError> {
    const LOOK: Duration = Duration::from_millis(100);
    let start = origin.elapsed().as_secs_f64();
    listener.phase("idle power", seconds.ceil() as u64);
    let mut said = 0.0;
    loop {
        let passed = origin.elapsed().as_secs_f64() - start;
        if passed >= seconds {
            return Ok(Interval {
                start,
                end: start + passed,
            });
        }
        if passed - said >= 1.0 {
            said += 1.0;
            listener.advance();
        }
        go_on(listener)?;
        std::thread::sleep(LOOK.min(Duration::try_from_secs_f64(seconds - passed).unwrap_or_default()));
    }
}

fn power_record(
    told: Option<(String, String, Accuracy)>,
    trace: Trace,
    why_not: Vec<String>,
    idle: Interval,
    marker_line: Option<u32>,
    time: Duration,
) -> PowerRecord {
    let span = match trace.samples.as_slice() {
        [first, .., last] => last.seconds - first.seconds,
        _ => time.as_secs_f64(),
    };
    PowerRecord {
        meter: told.map(|(name, measures, accuracy)| MeterRecord {
            name,
            measures,
            rate_hz: trace.samples.len().saturating_sub(1) as f64 / span.max(1e-9),
            accuracy,
            failures: trace.failures,
            first_failure: trace.first_failure.clone(),
        }),
        why_not,
        idle: Idle::of(&trace.samples, idle),
        samples: trace.samples,
        marker_line,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::bench::plan::{Amount, Configuration};
    use crate::bench::report::EnergyMethod;
    use crate::device::power::PowerSource;

    /// Keeps every edge.
    struct Edges(Arc<Mutex<Vec<bool>>>);

    impl Marker for Edges {
        fn set(&mut self, high: bool) -> Result<(), String> {
            self.0.lock().map_err(|error| error.to_string())?.push(high);
            Ok(())
        }
    }

    struct Heard {
        phases: Vec<(String, u64)>,
        advanced: u64,
        patience: u64,
    }

    impl Listener for Heard {
        fn phase(&mut self, name: &str, count: u64) {
            self.phases.push((name.into(), count));
        }
        fn advance(&mut self) {
            self.advanced += 1;
        }
        fn stopped(&self) -> bool {
            self.advanced >= self.patience
        }
    }

    fn run(patience: u64) -> (Result<Findings, RunError>, Vec<bool>, Heard) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/pictogram");
        let plan = Plan {
            // Four steps, so that three pictures last for enough of the meter's samples on a fast machine, too.
            configurations: vec![Configuration {
                steps: 4,
                threads: 1,
                size: 128,
            }],
            amount: Amount::Pictures(3),
            warm_up: 1,
            cold_starts: 0,
            idle_seconds: 0.3,
            order_seed: 1,
        };
        let edges = Arc::new(Mutex::new(Vec::new()));
        let bench = Bench {
            plan: &plan,
            pipeline: Pipeline::open(folder).unwrap(),
            request: Request::new("apple").seed(1),
            root: Path::new("/"),
            program: Path::new("/nonexistent"),
            power: PowerSource::Constant(3.0).open(Path::new("/")).unwrap(),
            marker: Some((Box::new(Edges(edges.clone())), 17)),
        };
        let mut heard = Heard {
            phases: Vec::new(),
            advanced: 0,
            patience,
        };
        let findings = bench.run(&mut heard);
        let edges = edges.lock().unwrap().clone();
        (findings, edges, heard)
    }

    #[test]
    fn a_marker_is_high_while_a_picture_is_drawn() {
        let (findings, edges, heard) = run(u64::MAX);
        let findings = findings.unwrap();
        // Warm-up and three pictures.
        assert_eq!(edges, [true, false].repeat(4));
        assert_eq!((findings.power.marker_line, findings.pictures.len()), (Some(17), 3));
        let names: Vec<&str> = heard.phases.iter().map(|phase| phase.0.as_str()).collect();
        assert_eq!(names, ["memory", "idle power", "warm-up", "measuring"]);
        assert_eq!(heard.phases[3].1, 3);
        let energy = findings.results[0].energy.as_ref().unwrap();
        assert_eq!(energy.pictures, 3);
        if energy.method == EnergyMethod::EachPicture {
            let seconds: f64 = findings.pictures.iter().map(|picture| picture.window.seconds()).sum();
            assert!(
                (energy.gross_joules - seconds).abs() < 1e-6,
                "3 W over {seconds} s in 3 pictures: {energy:?}"
            );
        }
        assert!(energy.net_joules.unwrap().abs() < 1e-6);
    }

    #[test]
    fn a_run_that_is_stopped_ends_soon() {
        // After the memory's process the warm-up picture is drawn, the first measured one is not.
        let (findings, edges, _) = run(2);
        assert!(matches!(findings, Err(RunError::Pipeline(PipelineError::Interrupted))));
        assert_eq!(edges, [true, false, true, false]);
    }
}
