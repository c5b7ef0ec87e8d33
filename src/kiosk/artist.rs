//! The one who draws: a thread that holds pack, engine and pipeline, takes orders and sends reports. A newer order takes the
//! place of an older one within a step. A pack that cannot be read is tried again from time to time. Depends on packs,
//! engine and diffusion.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use super::state::{Drawn, Order, Piece, Report, Skills, Stage};
use crate::picture::Background;
use crate::pipeline::{Observer, Options, Phase, Pipeline, PipelineError, Progress, Request};
use crate::process::allocator;

/// How long a pack that cannot be read is left alone.
const RETRY: Duration = Duration::from_secs(20);

/// What the owner has set about drawing.
#[derive(Clone, Debug, PartialEq)]
pub struct Studio {
    /// Folder of the pack.
    pub pack: PathBuf,
    /// Threads; 0 for one a core.
    pub threads: usize,
    /// Styles to choose from; all of the pack where there are none.
    pub styles: Vec<String>,
    /// The style at first; the pack's where nothing is said.
    pub style: Option<String>,
    /// Steps at first; the pack's usual ones where nothing is said.
    pub steps: Option<usize>,
    /// Guidance; the pack's usual one where nothing is said.
    pub guidance: Option<f32>,
    /// What lies behind pictures.
    pub background: Background,
}

/// What the artist has to say.
#[derive(Debug)]
pub enum News {
    /// What the pack can do; nothing where it cannot be read.
    Pack(Option<Skills>),
    /// How far an order is.
    Report(Report),
}

enum Task {
    Draw(Order),
    Move(Studio),
}

/// The thread. Dropping it stops what is being drawn and waits for its step to end.
pub struct Artist {
    tasks: Option<Sender<Task>>,
    wanted: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Artist {
    /// Starts the thread; it opens the pack at once. `tell` is called from it.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(studio: Studio, tell: impl Fn(News) + Send + 'static) -> std::io::Result<Artist> {
        let (tasks, inbox) = mpsc::channel();
        let wanted = Arc::new(AtomicU64::new(0));
        let mut room = Room {
            studio,
            pipeline: None,
            wanted: wanted.clone(),
            tell: Box::new(tell),
        };
        let thread = std::thread::Builder::new().name("artist".into()).spawn(move || room.work(&inbox))?;
        Ok(Artist {
            tasks: Some(tasks),
            wanted,
            thread: Some(thread),
        })
    }

    /// Draws this, and nothing that was ordered before.
    pub fn draw(&self, order: Order) {
        self.wanted.store(order.number, Ordering::SeqCst);
        self.send(Task::Draw(order));
    }

    /// Stops drawing within a step.
    pub fn cancel(&self) {
        self.wanted.store(0, Ordering::SeqCst);
    }

    /// Draws by other settings from now on.
    pub fn set_studio(&self, studio: Studio) {
        self.send(Task::Move(studio));
    }

    fn send(&self, task: Task) {
        if self.tasks.as_ref().is_none_or(|tasks| tasks.send(task).is_err()) {
            log::error!("the thread that draws has ended");
        }
    }
}

impl Drop for Artist {
    fn drop(&mut self) {
        self.cancel();
        self.tasks = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            log::error!("the thread that draws ended in a panic");
        }
    }
}

/// Where the thread works.
struct Room {
    studio: Studio,
    pipeline: Option<Pipeline>,
    wanted: Arc<AtomicU64>,
    tell: Box<dyn Fn(News) + Send>,
}

fn open(studio: &Studio) -> Result<Pipeline, PipelineError> {
    let mut pipeline = Pipeline::open_with(&studio.pack, &Options::default().threads(studio.threads))?;
    pipeline.load()?;
    Ok(pipeline)
}

/// What the pack can do, as far as the owner shows it.
fn skills(pipeline: &Pipeline, studio: &Studio) -> Skills {
    let known = pipeline.styles();
    let shown = |name: &String| studio.styles.is_empty() || studio.styles.contains(name);
    let usual = known.iter().find(|style| style.default).map(|style| &style.name);
    let styles: Vec<String> = known.iter().map(|style| style.name.clone()).filter(shown).collect();
    let place = |name: &String| styles.iter().position(|style| style == name);
    let style = studio.style.as_ref().and_then(place).or_else(|| usual.and_then(place));
    let can = pipeline.capabilities();
    let wanted = studio.steps.unwrap_or(can.default_steps);
    let step = can.steps.iter().position(|steps| *steps == wanted);
    Skills {
        style: style.unwrap_or(0),
        step: step.unwrap_or(can.steps.len().saturating_sub(1)),
        styles,
        steps: can.steps.clone(),
    }
}

impl Room {
    fn work(&mut self, inbox: &Receiver<Task>) {
        self.open();
        loop {
            let task = match &self.pipeline {
                Some(_) => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
                None => inbox.recv_timeout(RETRY),
            };
            match task {
                Ok(Task::Draw(order)) => {
                    self.draw(&order);
                    allocator::trim();
                }
                Ok(Task::Move(studio)) if studio != self.studio => {
                    self.studio = studio;
                    self.open();
                }
                Ok(Task::Move(_)) => {}
                Err(RecvTimeoutError::Timeout) => self.open(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn open(&mut self) {
        // The old pack goes first: two at once may be more than the board has memory for.
        self.pipeline = None;
        match open(&self.studio) {
            Ok(pipeline) => self.pipeline = Some(pipeline),
            Err(error) => log::error!("{error}"),
        }
        allocator::trim();
        let skills = self.pipeline.as_ref().map(|pipeline| skills(pipeline, &self.studio));
        (self.tell)(News::Pack(skills));
    }

    fn draw(&mut self, order: &Order) {
        for (index, piece) in order.pieces.iter().enumerate() {
            if self.wanted.load(Ordering::SeqCst) != order.number {
                return;
            }
            let report = |stage: Stage| {
                (self.tell)(News::Report(Report {
                    order: order.number,
                    piece: index,
                    stage,
                }));
            };
            let Some(pipeline) = &mut self.pipeline else {
                report(Stage::Failed("there is no pack to draw with".into()));
                return;
            };
            let mut watch = Watch {
                wanted: &self.wanted,
                order: order.number,
                report: &report,
            };
            match draw(pipeline, &self.studio, piece, &mut watch) {
                Ok(drawn) => report(Stage::Finished(drawn)),
                Err(PipelineError::Interrupted) => return,
                Err(error) => {
                    report(Stage::Failed(error.to_string()));
                    if matches!(error, PipelineError::Pack(_) | PipelineError::Engine(_)) {
                        self.open();
                    }
                    return;
                }
            }
        }
    }
}

fn draw(pipeline: &mut Pipeline, studio: &Studio, piece: &Piece, watch: &mut Watch) -> Result<Drawn, PipelineError> {
    let mut request = Request::new(&piece.prompt)
        .steps(piece.steps)
        .seed(piece.seed)
        .background(studio.background);
    request.style.clone_from(&piece.style);
    request.guidance = studio.guidance;
    let generated = pipeline.generate_with(&request, watch)?;
    for note in &generated.notes {
        log::warn!("{note}");
    }
    Ok(Drawn {
        piece: piece.clone(),
        picture: Arc::new(generated.picture),
        provenance: Arc::new(generated.provenance),
    })
}

struct Watch<'a> {
    wanted: &'a AtomicU64,
    order: u64,
    report: &'a dyn Fn(Stage),
}

impl Observer for Watch<'_> {
    fn progress(&mut self, progress: &Progress<'_>) -> ControlFlow<()> {
        match progress.phase {
            Phase::Encode => (self.report)(Stage::Text),
            Phase::Step(done) => (self.report)(Stage::Step {
                done,
                of: progress.steps,
                preview: progress.preview().map(Arc::new),
            }),
            Phase::Decode => {}
        }
        if self.wanted.load(Ordering::SeqCst) == self.order {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    }
}
