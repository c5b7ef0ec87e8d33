//! Pictures drawn by the blocks of a plan, and their times.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Bench, Listener, RunError};
use crate::bench::energy::{Interval, energy};
use crate::bench::plan::{Configuration, Plan, Share};
use crate::bench::report::{
    ColdResult, ConfigurationResult, EnergyMethod, EnergyResult, FaultRates, INFERENCE, PictureTime, PowerRecord, StageResult, WHOLE,
};
use crate::bench::statistics::{Summary, median};
use crate::device::power::marker::Marker;
use crate::device::processor::counters::{Counters, Counts};
use crate::device::processor::load::{Load, OtherLoad, PageFaults};
use crate::picture::png;
use crate::pipeline::{Generated, Observer, Pipeline, Progress, Request};
use crate::process::Memory;

/// One picture's figures.
struct Drawn {
    time: PictureTime,
    stages: Vec<(String, f64)>,
}

/// What is summed over the blocks of one configuration.
#[derive(Default)]
struct Sums {
    windows: Vec<Interval>,
    faults: PageFaults,
    has_load: bool,
    counts: Option<Counts>,
    hashes: Vec<String>,
}

/// The pipeline, and what has been drawn.
pub(super) struct Drawing<'b, 'a> {
    pipeline: &'b mut Pipeline,
    request: Request,
    root: &'a Path,
    folder: tempfile::TempDir,
    marker: Option<Box<dyn Marker>>,
    counters: Option<Counters>,
    counters_lost: Option<String>,
    origin: Instant,
    sums: Vec<Sums>,
    pictures: Vec<Drawn>,
    load: Vec<(Load, Load)>,
}

impl<'b, 'a> Drawing<'b, 'a> {
    pub(super) fn prepare(bench: &'b mut Bench<'a>, counters: Option<Counters>, origin: Instant) -> Result<Drawing<'b, 'a>, RunError> {
        bench.pipeline.resolve(&bench.request)?;
        for configuration in &bench.plan.configurations {
            bench.pipeline.set_threads(configuration.threads)?;
        }
        bench.pipeline.load()?;
        Ok(Drawing {
            request: bench.request.clone(),
            root: bench.root,
            folder: tempfile::tempdir()?,
            marker: bench.marker.take().map(|(marker, _)| marker),
            counters,
            counters_lost: None,
            origin,
            pipeline: &mut bench.pipeline,
            sums: bench.plan.configurations.iter().map(|_| Sums::default()).collect(),
            pictures: Vec::new(),
            load: Vec::new(),
        })
    }

    fn now(&self) -> f64 {
        self.origin.elapsed().as_secs_f64()
    }

    /// Warm-up, then all blocks.
    pub(super) fn all(&mut self, plan: &Plan, listener: &mut dyn Listener) -> Result<(), RunError> {
        listener.phase("warm-up", (plan.warm_up * plan.configurations.len()) as u64);
        for &configuration in &plan.configurations {
            for _ in 0..plan.warm_up {
                let mut sums = Sums::default();
                self.picture(configuration, &mut sums, listener)?;
                listener.advance();
            }
        }
        let blocks = plan.blocks();
        listener.phase("measuring", blocks.iter().map(|block| units(block.2)).sum());
        for (round, index, share) in blocks {
            self.block(plan.configurations[index], index, round, share, listener)?;
        }
        Ok(())
    }

    fn block(
        &mut self,
        configuration: Configuration,
        index: usize,
        round: usize,
        share: Share,
        listener: &mut dyn Listener,
    ) -> Result<(), RunError> {
        let mut sums = std::mem::take(&mut self.sums[index]);
        let (load, counts) = (Load::now(self.root), self.counts());
        let start = self.now();
        let (began, mut drawn, mut told) = (Instant::now(), 0, 0);
        loop {
            let begin = self.now();
            let (stages, end) = self.picture(configuration, &mut sums, listener)?;
            let window = Interval { start: begin, end };
            let time = PictureTime {
                configuration: index,
                round,
                window,
            };
            self.pictures.push(Drawn { time, stages });
            drawn += 1;
            let (done, reached) = match share {
                Share::Pictures(count) => (drawn >= count, drawn as u64),
                Share::Time(time) => (began.elapsed() >= time, began.elapsed().min(time).as_secs()),
            };
            while told < reached {
                listener.advance();
                told += 1;
            }
            if done {
                break;
            }
        }
        sums.windows.push(Interval { start, end: self.now() });
        if let Some((before, after)) = load.zip(Load::now(self.root)) {
            sums.has_load = true;
            sums.faults.major += after.faults.major - before.faults.major;
            sums.faults.minor += after.faults.minor - before.faults.minor;
            self.load.push((before, after));
        }
        if let Some((before, after)) = counts.zip(self.counts()) {
            let (more, sum) = (after.since(before), sums.counts.get_or_insert_default());
            sum.instructions += more.instructions;
            sum.cycles += more.cycles;
        }
        self.sums[index] = sums;
        Ok(())
    }

    fn counts(&mut self) -> Option<Counts> {
        let counts = self.counters.as_mut()?.read();
        if let Err(error) = &counts {
            self.counters_lost = Some(error.to_string());
            self.counters = None;
        }
        counts.ok()
    }

    /// Draws one picture and writes it; milliseconds of its stages, and when it was written.
    fn picture(
        &mut self,
        configuration: Configuration,
        sums: &mut Sums,
        listener: &dyn Listener,
    ) -> Result<(Vec<(String, f64)>, f64), RunError> {
        let request = self.request.clone().steps(configuration.steps).size(configuration.size);
        self.pipeline.set_threads(configuration.threads)?;
        let file = self.folder.path().join("picture.png");
        mark(&mut self.marker, true)?;
        let started = Instant::now();
        let mut watch = Eyes { listener };
        let generated = self.pipeline.generate_with(&request, &mut watch);
        if generated.is_err() {
            mark(&mut self.marker, false)?;
        }
        let Generated { picture, timings, .. } = generated?;
        let drawn = Instant::now();
        png::write(&picture, &file, None, true)?;
        let ended = Instant::now();
        mark(&mut self.marker, false)?;
        let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
        let phases = timings.iter().map(|timing| (timing.phase.to_string(), milliseconds(timing.time)));
        let mut stages: Vec<(String, f64)> = phases.collect();
        stages.push((INFERENCE.into(), milliseconds(drawn - started)));
        stages.push(("png".into(), milliseconds(ended - drawn)));
        stages.push((WHOLE.into(), milliseconds(ended - started)));
        let hash = picture.sha256();
        if !sums.hashes.contains(&hash) {
            sums.hashes.push(hash);
        }
        Ok((stages, (ended - self.origin).as_secs_f64()))
    }

    pub(super) fn counters_lost(&self) -> Option<String> {
        self.counters_lost.clone()
    }

    /// When each picture was drawn, in order.
    pub(super) fn pictures(&self) -> Vec<PictureTime> {
        self.pictures.iter().map(|picture| picture.time).collect()
    }

    /// The engine's int8 kernel.
    pub(super) fn kernel(&self) -> &'static str {
        self.pipeline.kernel()
    }

    /// What others took over all blocks together.
    pub(super) fn others(&self) -> Option<OtherLoad> {
        let (first, _) = *self.load.first()?;
        let mut sum = first;
        for (before, after) in &self.load {
            sum.busy += after.busy - before.busy;
            sum.total += after.total - before.total;
            sum.stolen += after.stolen - before.stolen;
            sum.own += after.own - before.own;
        }
        sum.others_since(first)
    }

    pub(super) fn results(
        &self,
        plan: &Plan,
        colds: Vec<Option<ColdResult>>,
        memories: Vec<Option<Memory>>,
        power: &PowerRecord,
    ) -> Vec<ConfigurationResult> {
        let each = plan
            .configurations
            .iter()
            .zip(&self.sums)
            .zip(colds.into_iter().zip(memories))
            .enumerate();
        each.map(|(index, ((&configuration, sums), (cold, memory)))| {
            let pictures: Vec<&Drawn> = self.pictures.iter().filter(|picture| picture.time.configuration == index).collect();
            let count = pictures.len().max(1) as f64;
            ConfigurationResult {
                configuration,
                picture_sha256: sums.hashes.clone(),
                stages: stages(&pictures),
                pictures_per_second: rate(pictures.len(), &sums.windows),
                memory,
                page_faults: sums.has_load.then(|| FaultRates::new(sums.faults, pictures.len())),
                counts: sums.counts.map(|counts| Counts {
                    instructions: counts.instructions / count,
                    cycles: counts.cycles / count,
                }),
                energy: energy_result(&pictures, &sums.windows, power),
                cold,
            }
        })
        .collect()
    }
}

/// Pictures a second over the blocks of a configuration.
fn rate(pictures: usize, blocks: &[Interval]) -> Option<f64> {
    let seconds: f64 = blocks.iter().map(|block| block.end - block.start).sum();
    (seconds > 0.0).then(|| pictures as f64 / seconds)
}

fn mark(marker: &mut Option<Box<dyn Marker>>, high: bool) -> Result<(), RunError> {
    marker.as_mut().map_or(Ok(()), |marker| marker.set(high).map_err(RunError::Marker))
}

/// Pictures, or whole seconds, of a share.
fn units(share: Share) -> u64 {
    match share {
        Share::Pictures(count) => count as u64,
        Share::Time(time) => time.as_secs(),
    }
}

/// Watches whether to stop.
struct Eyes<'a> {
    listener: &'a dyn Listener,
}

impl Observer for Eyes<'_> {
    fn progress(&mut self, _: &Progress<'_>) -> ControlFlow<()> {
        if self.listener.stopped() {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}

fn stages(pictures: &[&Drawn]) -> Vec<StageResult> {
    let names = pictures.first().map(|picture| picture.stages.iter().map(|(name, _)| name.clone()));
    names
        .into_iter()
        .flatten()
        .enumerate()
        .filter_map(|(at, stage)| {
            let samples: Vec<f64> = pictures.iter().map(|picture| picture.stages[at].1).collect();
            let rounds = pictures.chunk_by(|left, right| left.time.round == right.time.round);
            let round_medians = rounds.map(|round| median(&round.iter().map(|picture| picture.stages[at].1).collect::<Vec<_>>()));
            Some(StageResult {
                stage,
                milliseconds: Summary::of(&samples)?,
                round_medians: round_medians.collect(),
                samples,
            })
        })
        .collect()
}

/// Joules a picture: of every picture by itself where the meter is fast enough, else of the blocks.
fn energy_result(pictures: &[&Drawn], blocks: &[Interval], power: &PowerRecord) -> Option<EnergyResult> {
    let accuracy = &power.meter.as_ref()?.accuracy;
    let windows: Vec<Interval> = pictures.iter().map(|picture| picture.time.window).collect();
    let single = |&window: &Interval| energy(&power.samples, &[window], power.idle, accuracy);
    let singles: Option<Vec<f64>> = windows.iter().map(|window| single(window).map(|joules| joules.gross)).collect();
    let (method, windows) = match singles {
        Some(_) => (EnergyMethod::EachPicture, windows.as_slice()),
        None => (EnergyMethod::BlocksOfPictures, blocks),
    };
    let joules = energy(&power.samples, windows, power.idle, accuracy)?;
    let count = pictures.len() as f64;
    Some(EnergyResult {
        method,
        pictures: pictures.len(),
        samples: joules.samples,
        gross_joules: joules.gross / count,
        gross_error: joules.gross_error / count,
        net_joules: joules.net.map(|net| net / count),
        net_error: joules.net_error.map(|error| error / count),
        spread: singles.and_then(|singles| Summary::of(&singles)),
    })
}
