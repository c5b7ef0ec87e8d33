//! The drawing worker: a thread that owns the pipeline, runs jobs and sends updates. A newer job replaces an older one within a
//! step. A pack that cannot be read is retried from time to time. Between jobs it lends the pipeline to whoever else draws with it, such as
//! the queue of the remote ([`Lender`]). Depends on the pipeline, and on the state machine for the types of jobs and updates.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::heat::Pace;
use super::state::{FinishedPicture, Item, Job, JobStage, JobUpdate, MORPH_FRAMES, MorphFrame, PackChoices, Purpose};
use crate::picture::{Background, Resampling, SketchError};
use crate::pipeline::morph::Morph;
use crate::pipeline::{Note, Observer, Options, Phase, Pipeline, PipelineError, Progress, Request, Source};
use crate::process::allocator;
use crate::process::panics::caught;
use crate::words::{Ambiguity, Language};

/// Delay before a pack that cannot be read is tried again.
const RETRY: Duration = Duration::from_secs(20);

/// Longest rest between two pictures of a morph, and how often it is asked meanwhile whether something else is wanted.
const LONGEST_REST: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(10);
/// A picture of a morph that takes longer tells that its steps go on: the service manager takes longer silence for a fault.
const SILENCE: Duration = Duration::from_secs(20);

/// The settings that concern drawing.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkerSettings {
    /// Folder of the pack.
    pub pack: PathBuf,
    /// Threads; 0 for one per core.
    pub threads: usize,
    /// Styles to choose from; all of the pack if empty.
    pub styles: Vec<String>,
    /// Initial style; by default the pack's.
    pub style: Option<String>,
    /// Initial number of steps; by default the pack's.
    pub steps: Option<usize>,
    /// Guidance; by default the pack's.
    pub guidance: Option<f32>,
    /// Background of pictures.
    pub background: Background,
    /// Language that prompts are taken for where their words do not tell.
    pub language: Option<Language>,
}

/// An event from the worker.
#[derive(Debug)]
pub enum DrawingEvent {
    /// What the pack offers; `None` if it cannot be read.
    Pack(Option<PackChoices>),
    /// An update of a job.
    Job(JobUpdate),
}

enum Task {
    Draw(Job),
    Configure(WorkerSettings),
    Lend(Borrower),
    End,
}

/// What is done with the pipeline while it is lent. It is given `None` while there is no pack to draw with.
pub type Borrower = Box<dyn FnOnce(Option<Loan<'_>>) + Send>;

/// The pipeline, lent to a [`Borrower`].
pub struct Loan<'a> {
    /// The pipeline.
    pub pipeline: &'a mut Pipeline,
    /// The settings that concern drawing.
    pub settings: &'a WorkerSettings,
    /// Whether a visitor waits for it.
    pub watch: Watch<'a>,
}

/// Tells a borrower when it is time to give the pipeline back.
pub struct Watch<'a> {
    wanted: &'a AtomicU64,
    /// The last job that was run: a visitor may have asked for another before the pipeline was lent.
    last: u64,
}

impl Watch<'_> {
    /// Whether a visitor at the kiosk waits for the pipeline: then it should be given back within a step.
    pub fn is_wanted_back(&self) -> bool {
        let wanted = self.wanted.load(Ordering::SeqCst);
        wanted != 0 && wanted != self.last
    }
}

/// A way to the worker's pipeline for other threads. Clones lead to the same worker.
#[derive(Clone)]
pub struct Lender {
    tasks: Sender<Task>,
    pace: Arc<Mutex<Pace>>,
}

impl Lender {
    /// Lends the pipeline once the jobs before are done. A borrower that the worker has no more time for is dropped.
    pub fn lend(&self, borrower: Borrower) {
        // A worker that has ended drops it.
        self.tasks.send(Task::Lend(borrower)).ok();
    }

    /// How fast the temperature allows drawing.
    pub fn pace(&self) -> Pace {
        *self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The worker. Dropping it cancels the running job and waits for its step to end.
pub struct DrawingWorker {
    tasks: Sender<Task>,
    pace: Arc<Mutex<Pace>>,
    wanted: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl DrawingWorker {
    /// Starts the thread, which opens the pack at once and calls `notify`.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn start(settings: WorkerSettings, notify: impl Fn(DrawingEvent) + Send + 'static) -> std::io::Result<DrawingWorker> {
        let (tasks, inbox) = mpsc::channel();
        let wanted = Arc::new(AtomicU64::new(0));
        let mut worker = Worker {
            settings,
            pipeline: None,
            last: 0,
            wanted: wanted.clone(),
            notify: Box::new(notify),
        };
        let thread = std::thread::Builder::new()
            .name("drawing".into())
            .spawn(move || worker.work(&inbox))?;
        Ok(DrawingWorker {
            tasks,
            pace: Arc::default(),
            wanted,
            thread: Some(thread),
        })
    }

    /// Runs a job, which replaces all earlier ones.
    pub fn draw(&self, job: Job) {
        self.wanted.store(job.number, Ordering::SeqCst);
        self.send(Task::Draw(job));
    }

    /// Cancels the running job within a step.
    pub fn cancel(&self) {
        self.wanted.store(0, Ordering::SeqCst);
    }

    /// Replaces the settings, from the next job on.
    pub fn set_settings(&self, settings: WorkerSettings) {
        self.send(Task::Configure(settings));
    }

    /// Lends the pipeline to others.
    pub fn lender(&self) -> Lender {
        Lender {
            tasks: self.tasks.clone(),
            pace: self.pace.clone(),
        }
    }

    /// Sets how fast the temperature allows drawing.
    pub fn set_pace(&self, pace: Pace) {
        *self.pace.lock().unwrap_or_else(PoisonError::into_inner) = pace;
    }

    fn send(&self, task: Task) {
        if self.tasks.send(task).is_err() {
            log::error!("the drawing worker has ended");
        }
    }
}

impl Drop for DrawingWorker {
    fn drop(&mut self) {
        self.cancel();
        // Lenders may keep the channel open.
        self.tasks.send(Task::End).ok();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            log::error!("the drawing worker panicked");
        }
    }
}

/// What the thread owns.
struct Worker {
    settings: WorkerSettings,
    pipeline: Option<Pipeline>,
    /// The last job that was run.
    last: u64,
    wanted: Arc<AtomicU64>,
    notify: Box<dyn Fn(DrawingEvent) + Send>,
}

fn open(settings: &WorkerSettings) -> Result<Pipeline, PipelineError> {
    let mut pipeline = Pipeline::open_with(&settings.pack, &Options::default().threads(settings.threads))?;
    pipeline.load()?;
    Ok(pipeline)
}

/// What the pack offers, as far as the settings allow.
fn choices(pipeline: &Pipeline, settings: &WorkerSettings) -> PackChoices {
    let known = pipeline.styles();
    let shown = |name: &String| settings.styles.is_empty() || settings.styles.contains(name);
    let usual = known.iter().find(|style| style.default).map(|style| &style.name);
    let styles: Vec<String> = known.iter().map(|style| style.name.clone()).filter(shown).collect();
    let place = |name: &String| styles.iter().position(|style| style == name);
    let style = settings.style.as_ref().and_then(place).or_else(|| usual.and_then(place));
    let can = pipeline.capabilities();
    let wanted = settings.steps.unwrap_or(can.default_steps);
    let step = can.steps.iter().position(|steps| *steps == wanted);
    let nearest = known.iter().filter(|style| style.resampling == Resampling::Nearest);
    PackChoices {
        nearest: nearest.map(|style| style.name.clone()).collect(),
        style: style.unwrap_or(0),
        style_is_open: settings.style.is_none() && settings.styles.is_empty(),
        step: step.unwrap_or(can.steps.len().saturating_sub(1)),
        styles,
        steps: can.steps.clone(),
        takes_pictures: can.takes_pictures,
    }
}

impl Worker {
    fn work(&mut self, inbox: &Receiver<Task>) {
        self.open();
        loop {
            let task = match &self.pipeline {
                Some(_) => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
                None => inbox.recv_timeout(RETRY),
            };
            match task {
                Ok(Task::Draw(job)) => {
                    self.draw_guarded(&job);
                    allocator::trim();
                }
                Ok(Task::Configure(settings)) if settings != self.settings => {
                    self.settings = settings;
                    self.open();
                }
                Ok(Task::Configure(_)) => {}
                Ok(Task::Lend(borrower)) => {
                    self.lend(borrower);
                    allocator::trim();
                }
                Err(RecvTimeoutError::Timeout) => self.open(),
                Ok(Task::End) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn open(&mut self) {
        // The old pack is closed first: the board may not have memory for two.
        self.pipeline = None;
        match caught(|| open(&self.settings)) {
            Ok(Ok(pipeline)) => self.pipeline = Some(pipeline),
            Ok(Err(error)) => log::error!("{error}"),
            Err(problem) => log::error!("{}: {problem}", self.settings.pack.display()),
        }
        allocator::trim();
        let choices = self.pipeline.as_ref().map(|pipeline| choices(pipeline, &self.settings));
        (self.notify)(DrawingEvent::Pack(choices));
    }

    fn lend(&mut self, borrower: Borrower) {
        let (wanted, settings, last) = (&*self.wanted, &self.settings, self.last);
        let loan = self.pipeline.as_mut().map(|pipeline| Loan {
            pipeline,
            settings,
            watch: Watch { wanted, last },
        });
        if let Err(problem) = caught(|| borrower(loan)) {
            log::error!("{problem}");
            self.open();
        }
    }

    /// Draws; a job that panics has failed, and the pack is opened anew.
    fn draw_guarded(&mut self, job: &Job) {
        self.last = job.number;
        let Err(problem) = caught(|| self.draw(job)) else { return };
        (self.notify)(DrawingEvent::Job(JobUpdate {
            job: job.number,
            item: 0,
            stage: JobStage::Failed(problem),
        }));
        self.open();
    }

    fn draw(&mut self, job: &Job) {
        if job.purpose == Purpose::Morph {
            return self.draw_morph(job);
        }
        for (index, item) in job.items.iter().enumerate() {
            if self.wanted.load(Ordering::SeqCst) != job.number {
                return;
            }
            let report = |stage: JobStage| {
                (self.notify)(DrawingEvent::Job(JobUpdate {
                    job: job.number,
                    item: index,
                    stage,
                }));
            };
            let Some(pipeline) = &mut self.pipeline else {
                report(JobStage::Failed("there is no pack to draw with".into()));
                return;
            };
            let mut observer = JobObserver {
                wanted: &self.wanted,
                job: job.number,
                report: &report,
            };
            let request = match request(&self.settings, item) {
                Ok(request) => request,
                Err(problem) => {
                    report(JobStage::Failed(problem.to_string()));
                    return;
                }
            };
            match ambiguity(pipeline, &request, job) {
                Ok(None) => {}
                Ok(Some(ambiguity)) => {
                    report(JobStage::Ambiguous(ambiguity));
                    return;
                }
                Err(error) => log::debug!("{error}"),
            }
            match draw(pipeline, &request, item, &mut observer) {
                Ok(finished) => report(JobStage::Finished(finished)),
                Err(PipelineError::Interrupted) => return,
                Err(PipelineError::UnknownPrompt { nearest, .. }) => {
                    report(JobStage::Unknown(nearest));
                    return;
                }
                Err(error) => {
                    report(JobStage::Failed(error.to_string()));
                    if matches!(
                        error,
                        PipelineError::Pack(_) | PipelineError::Engine(_) | PipelineError::Panic { .. }
                    ) {
                        self.open();
                    }
                    return;
                }
            }
        }
    }
}

/// The request of an item, but for what was drawn by hand.
fn in_words(settings: &WorkerSettings, item: &Item) -> Request {
    let mut request = Request::new(&item.prompt)
        // The filter has seen the letters as they are.
        .literal(true)
        .steps(item.steps)
        .seed(item.seed)
        .background(settings.background);
    request.style.clone_from(&item.style);
    request.variations.clone_from(&item.variations);
    request.guidance = settings.guidance;
    request.language = settings.language;
    request
}

/// The request of an item.
///
/// # Errors
/// If no lines are found in what was drawn by hand.
fn request(settings: &WorkerSettings, item: &Item) -> Result<Request, SketchError> {
    let mut request = in_words(settings, item);
    request.source = item.sketch.as_ref().map(|sketch| Source::of_sketch(sketch)).transpose()?;
    Ok(request)
}

/// A word of the prompt that a visitor is to be asked about.
fn ambiguity(pipeline: &mut Pipeline, request: &Request, job: &Job) -> Result<Option<Ambiguity>, PipelineError> {
    if !job.asks {
        return Ok(None);
    }
    Ok(pipeline.resolve(request)?.ambiguity().cloned())
}

fn draw(pipeline: &mut Pipeline, request: &Request, item: &Item, observer: &mut JobObserver) -> Result<FinishedPicture, PipelineError> {
    let generated = pipeline.generate_with(request, observer)?;
    for note in &generated.notes {
        match note {
            // The visitor was asked.
            Note::Ambiguous { .. } => log::info!("{note}"),
            _ => log::warn!("{note}"),
        }
    }
    Ok(FinishedPicture {
        item: item.clone(),
        picture: Arc::new(generated.picture),
        provenance: Arc::new(generated.provenance),
    })
}

impl Worker {
    /// Draws the pictures that lead from a job's first item to its second.
    fn draw_morph(&mut self, job: &Job) {
        let report = |stage: JobStage| {
            (self.notify)(DrawingEvent::Job(JobUpdate {
                job: job.number,
                item: 0,
                stage,
            }));
        };
        let (Some(pipeline), [from, to]) = (&mut self.pipeline, job.items.as_slice()) else {
            return report(JobStage::Failed("there is no pack to draw with".into()));
        };
        let mut observer = Leisurely {
            wanted: &self.wanted,
            job: job.number,
            began: Instant::now(),
            told: Instant::now(),
            done: 0,
            report: &report,
        };
        match pipeline.morph(&morph(&self.settings, from, to), &mut observer) {
            Ok(morphed) => {
                let count = morphed.frames.len();
                let inner = morphed.frames.into_iter().skip(1).take(count.saturating_sub(2));
                let frames = inner.map(|frame| MorphFrame {
                    picture: Arc::new(frame.picture),
                    share: frame.share as f32,
                });
                report(JobStage::Morphed(Arc::new(frames.collect())));
            }
            Err(PipelineError::Interrupted) => {}
            Err(error) => report(JobStage::Failed(error.to_string())),
        }
    }
}

/// The morph from an item to another.
fn morph(settings: &WorkerSettings, from: &Item, to: &Item) -> Morph {
    let mut request = in_words(settings, from);
    // A pack's styles are mixed only if both have one.
    request.style = from.style.clone().filter(|_| to.style.is_some());
    let mut morph = Morph::new([from.prompt.clone(), to.prompt.clone()]);
    morph.to_seed = Some(to.seed);
    morph.to_style = to.style.clone().filter(|_| request.style.is_some());
    morph.request = request;
    morph.frames = MORPH_FRAMES + 2;
    morph
}

/// Watches the pictures of a morph: after each the processor rests for as long as it took, since nobody waits for them, and whoever wants something
/// else is served within a step.
struct Leisurely<'a> {
    wanted: &'a AtomicU64,
    job: u64,
    /// When the current picture began, and when something was told last.
    began: Instant,
    told: Instant,
    /// Pictures that are done.
    done: usize,
    report: &'a dyn Fn(JobStage),
}

impl Leisurely<'_> {
    fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::SeqCst) == self.job
    }

    fn tell(&mut self) {
        self.told = Instant::now();
        (self.report)(JobStage::Step {
            done: self.done,
            of: MORPH_FRAMES + 2,
            preview: None,
        });
    }

    fn rest(&self) {
        let end = Instant::now() + self.began.elapsed().min(LONGEST_REST);
        while self.is_wanted() && Instant::now() < end {
            std::thread::sleep(LOOK);
        }
    }
}

impl Observer for Leisurely<'_> {
    fn progress(&mut self, progress: &Progress<'_>) -> ControlFlow<()> {
        if progress.done == progress.total {
            self.done += 1;
            self.tell();
            self.rest();
            self.began = Instant::now();
        } else if self.told.elapsed() > SILENCE {
            self.tell();
        }
        match self.is_wanted() {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    }
}

struct JobObserver<'a> {
    wanted: &'a AtomicU64,
    job: u64,
    report: &'a dyn Fn(JobStage),
}

impl Observer for JobObserver<'_> {
    fn progress(&mut self, progress: &Progress<'_>) -> ControlFlow<()> {
        match progress.phase {
            Phase::Encode => (self.report)(JobStage::Text),
            Phase::Step(done) => (self.report)(JobStage::Step {
                done,
                of: progress.steps,
                preview: progress.preview().map(Arc::new),
            }),
            Phase::Decode | Phase::Enlarge(_) => {}
        }
        if self.wanted.load(Ordering::SeqCst) == self.job {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn settings() -> WorkerSettings {
        WorkerSettings {
            pack: "nowhere".into(),
            threads: 1,
            styles: Vec::new(),
            style: None,
            steps: None,
            guidance: None,
            background: Background::Transparent,
            language: None,
        }
    }

    fn job(number: u64) -> Job {
        let item = Item {
            prompt: "cat".into(),
            style: None,
            steps: 1,
            seed: 1,
            variations: Vec::new(),
            sketch: None,
        };
        Job {
            number,
            purpose: Purpose::Picture,
            items: vec![item],
            asks: false,
        }
    }

    /// The listener panics in place of a pack: at the first update of the first job.
    #[test]
    fn a_panic_is_told_and_the_next_job_is_done() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let heard = told.clone();
        let worker = DrawingWorker::start(settings(), move |event| {
            let DrawingEvent::Job(update) = event else { return };
            let JobStage::Failed(problem) = update.stage else { return };
            assert!(update.job != 1 || problem.starts_with("internal error"), "broken on purpose");
            heard.lock().unwrap().push((update.job, problem));
        });
        let worker = worker.unwrap();
        worker.draw(job(1));
        let wait = |count: usize| {
            let started = Instant::now();
            while told.lock().unwrap().len() < count {
                assert!(started.elapsed() < Duration::from_secs(60));
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        wait(1);
        worker.draw(job(2));
        wait(2);
        let told = told.lock().unwrap();
        assert_eq!(told[0], (1, "internal error: broken on purpose".to_owned()));
        assert_eq!(told[1], (2, "there is no pack to draw with".to_owned()));
    }
}
