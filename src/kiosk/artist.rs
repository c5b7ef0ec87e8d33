//! The one who draws: a thread that holds pack, engine and pipeline, takes orders and sends reports. A newer order takes the
//! place of an older one within a step. A pack that cannot be read is tried again from time to time. Depends on packs,
//! engine and diffusion.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use super::state::{Capabilities as Skills, FinishedPicture as Drawn, Item as Piece, Job as Order, JobStage as Stage, JobUpdate as Report};
use crate::diffusion::{DiffusionError, Observer, Pipeline, Progress, PromptReader, Request};
use crate::engine::heap;
use crate::engine::{Engine, Residency};
use crate::pack::Pack;
use crate::picture::{Background, Picture, Provenance};

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
            desk: None,
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
    desk: Option<Desk>,
    wanted: Arc<AtomicU64>,
    tell: Box<dyn Fn(News) + Send>,
}

/// A pack that is ready.
struct Desk {
    pack: Arc<Pack>,
    engine: Engine,
    pipeline: Pipeline,
}

impl Desk {
    fn open(studio: &Studio) -> Result<Desk, DiffusionError> {
        let pack = Arc::new(Pack::open(&studio.pack)?);
        let engine = Engine::new(studio.threads)?;
        let pipeline = Pipeline::load(pack.clone(), Residency::All)?;
        Ok(Desk { pack, engine, pipeline })
    }

    fn skills(&self, studio: &Studio) -> Skills {
        let known = &self.pack.manifest().styles;
        let shown = |name: &String| studio.styles.is_empty() || studio.styles.contains(name);
        let styles: Vec<String> = known.iter().map(|style| style.name.clone()).filter(shown).collect();
        let usual = known.iter().find(|style| style.default).map(|style| &style.name);
        let place = |name: &String| styles.iter().position(|style| style == name);
        let style = studio.style.as_ref().and_then(place).or_else(|| usual.and_then(place));
        let sampling = self.pipeline.sampling();
        let steps = sampling.steps();
        let wanted = studio.steps.unwrap_or(sampling.default_steps);
        let step = steps.iter().position(|steps| *steps == wanted);
        Skills {
            style: style.unwrap_or(0),
            step: step.unwrap_or(steps.len().saturating_sub(1)),
            styles,
            steps,
        }
    }
}

impl Room {
    fn work(&mut self, inbox: &Receiver<Task>) {
        self.open();
        loop {
            let task = match &self.desk {
                Some(_) => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
                None => inbox.recv_timeout(RETRY),
            };
            match task {
                Ok(Task::Draw(order)) => {
                    self.draw(&order);
                    heap::give_back();
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
        self.desk = None;
        match Desk::open(&self.studio) {
            Ok(desk) => self.desk = Some(desk),
            Err(error) => log::error!("{error}"),
        }
        heap::give_back();
        let skills = self.desk.as_ref().map(|desk| desk.skills(&self.studio));
        (self.tell)(News::Pack(skills));
    }

    fn draw(&mut self, order: &Order) {
        for (index, piece) in order.items.iter().enumerate() {
            if self.wanted.load(Ordering::SeqCst) != order.number {
                return;
            }
            let report = |stage: Stage| {
                (self.tell)(News::Report(Report {
                    job: order.number,
                    item: index,
                    stage,
                }));
            };
            let Some(desk) = &self.desk else {
                report(Stage::Failed("there is no pack to draw with".into()));
                return;
            };
            let mut watch = Watch {
                wanted: &self.wanted,
                order: order.number,
                report: &report,
                preview: None,
            };
            match draw(desk, &self.studio, piece, &mut watch) {
                Ok(drawn) => report(Stage::Finished(drawn)),
                Err(DiffusionError::Interrupted) => return,
                Err(error) => {
                    report(Stage::Failed(error.to_string()));
                    if matches!(error, DiffusionError::Pack(_) | DiffusionError::Engine(_)) {
                        self.open();
                    }
                    return;
                }
            }
        }
    }
}

fn draw(desk: &Desk, studio: &Studio, piece: &Piece, watch: &mut Watch) -> Result<Drawn, DiffusionError> {
    // The tokenizer holds more memory than a step of drawing: it is there only while it is needed.
    let reader = PromptReader::load(&desk.pack)?;
    let (prompt, negative) = (reader.read(&piece.prompt)?, reader.nothing()?);
    drop(reader);
    let styles = &desk.pack.manifest().styles;
    let style = piece
        .style
        .as_ref()
        .and_then(|name| styles.iter().find(|style| style.name == *name));
    let request = Request {
        prompt: &prompt,
        negative: &negative,
        style,
        steps: piece.steps,
        guidance: studio.guidance.unwrap_or(desk.pipeline.sampling().default_guidance),
        seed: piece.seed,
    };
    let generation = desk.pipeline.generate(&desk.engine, &request, watch)?;
    let picture = studio.background.apply(&generation.picture);
    let manifest = desk.pack.manifest();
    let provenance = Provenance {
        prompt: piece.prompt.clone(),
        style: piece.style.clone(),
        steps: u32::try_from(piece.steps).unwrap_or(u32::MAX),
        seed: piece.seed,
        guidance: request.guidance,
        size: [picture.width(), picture.height()],
        background: studio.background.to_string(),
        pack_name: manifest.name.clone(),
        pack_version: manifest.version.clone(),
        pack_sha256: desk.pack.sha256().to_owned(),
        picture_sha256: picture.sha256(),
        software: env!("CARGO_PKG_NAME").into(),
        software_version: env!("CARGO_PKG_VERSION").into(),
        ..Provenance::default()
    };
    Ok(Drawn {
        item: piece.clone(),
        picture: Arc::new(picture),
        provenance: Arc::new(provenance),
    })
}

struct Watch<'a> {
    wanted: &'a AtomicU64,
    order: u64,
    report: &'a dyn Fn(Stage),
    preview: Option<Arc<Picture>>,
}

impl Observer for Watch<'_> {
    fn progress(&mut self, progress: Progress) -> bool {
        match progress {
            Progress::Text => (self.report)(Stage::Text),
            Progress::Step { done, of } => (self.report)(Stage::Step {
                done,
                of,
                preview: self.preview.take(),
            }),
            Progress::Decoded => {}
        }
        self.wanted.load(Ordering::SeqCst) == self.order
    }

    fn preview(&mut self, _step: usize, picture: &dyn Fn() -> Option<Picture>) {
        self.preview = picture().map(Arc::new);
    }
}
