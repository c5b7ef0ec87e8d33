//! The drawing queue: requests of all clients wait in line, one is drawn at a time, with the pipeline that the kiosk lends between its own
//! pictures; a visitor at the buttons is never held up. Owns [`Queue`] and its thread; depends on [`Lender`] and the gallery.
//!
//! | file | what it owns |
//! |---|---|
//! | `job` | a request on its way |
//! | `drawing` | drawing one picture of it |

mod drawing;
mod job;

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use drawing::shown;
pub use job::{Finished, Job, Order, State, Status};

use super::gallery::Pictures;
use super::offer::Offer;
use super::refusal::Refusal;
use super::token;
use crate::kiosk::Handle;
use crate::kiosk::drawing_worker::Lender;
use crate::kiosk::filter::Filter;
use crate::pipeline::Request;

/// Jobs that are over and can still be asked about.
const REMEMBERED: usize = 64;
/// Bytes of their pictures.
const REMEMBERED_BYTES: usize = 32 << 20;
/// A picture's time before one was drawn.
const GUESS: Duration = Duration::from_secs(5);

/// What the queue draws with and for.
pub struct Studio {
    pub lender: Lender,
    pub kiosk: Option<Handle>,
    pub gallery: Pictures,
    pub filter: Filter,
    pub offer: Arc<Mutex<Option<Offer>>>,
}

/// The queue. Dropping it cancels what is being drawn and waits for its step to end.
pub struct Queue {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<Line>,
    changed: Condvar,
    most: usize,
}

#[derive(Default)]
struct Line {
    waiting: VecDeque<Arc<Job>>,
    running: Option<Arc<Job>>,
    /// The oldest first.
    over: VecDeque<Arc<Job>>,
    /// How long a picture takes.
    pace: Option<Duration>,
    is_ended: bool,
}

impl Queue {
    /// Starts the thread. At most `most` jobs may wait.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn start(studio: Studio, most: usize) -> std::io::Result<Queue> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
            most,
        });
        let of_thread = shared.clone();
        let thread = std::thread::Builder::new()
            .name("remote queue".into())
            .spawn(move || of_thread.work(&studio))?;
        Ok(Queue {
            shared,
            thread: Some(thread),
        })
    }

    /// Adds a job at the end.
    ///
    /// # Errors
    /// If too many wait, or too many of this address.
    pub fn submit(&self, order: Order, request: Request, seed: u64) -> Result<Arc<Job>, Refusal> {
        let id = token::random(20).map_err(Refusal::internal)?;
        let mut line = self.shared.lock();
        if line.is_ended {
            return Err(Refusal::unavailable("the server is ending"));
        }
        let own = line.waiting.iter().filter(|job| job.order.from == order.from).count();
        let share = self.shared.most.div_ceil(4);
        if line.waiting.len() >= self.shared.most {
            let problem = format!("{} requests are waiting, which is the most", self.shared.most);
            return Err(Refusal::too_many(problem, line.wait()));
        }
        if own >= share && !order.is_owner {
            let problem = format!("{share} of your requests are waiting, which is the most for one address");
            return Err(Refusal::too_many(problem, line.wait()));
        }
        let position = line.waiting.len() + usize::from(line.running.is_some());
        let job = Arc::new(Job::new(id, order, request, seed, position));
        line.waiting.push_back(job.clone());
        drop(line);
        self.shared.changed.notify_all();
        Ok(job)
    }

    /// A job by its id.
    ///
    /// # Errors
    /// If there is none, or no longer.
    pub fn find(&self, id: &str) -> Result<Arc<Job>, Refusal> {
        let found = self.shared.lock().all().find(|job| job.id == id).cloned();
        found.ok_or_else(|| Refusal::not_found("there is no such job, or no longer"))
    }

    /// All jobs, those that are over first.
    pub fn jobs(&self) -> Vec<Arc<Job>> {
        self.shared.lock().all().cloned().collect()
    }

    /// The one that is being drawn.
    pub fn running(&self) -> Option<Arc<Job>> {
        self.shared.lock().running.clone()
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.shared.lock().waiting.len()
    }

    /// How long a picture takes, once one was drawn.
    pub fn pace(&self) -> Option<Duration> {
        self.shared.lock().pace
    }

    /// Cancels a job: one that waits at once, one that is drawn within a step.
    pub fn cancel(&self, job: &Job) {
        job.mark_cancelled();
        let mut line = self.shared.lock();
        if let Some(at) = line.waiting.iter().position(|other| other.id == job.id)
            && let Some(job) = line.waiting.remove(at)
        {
            job.take_request();
            job.update(|status| status.state = State::Cancelled);
            line.remember(job);
            line.count();
        }
        drop(line);
        self.shared.changed.notify_all();
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let mut line = self.shared.lock();
        line.is_ended = true;
        for job in line.running.iter().chain(&line.waiting) {
            job.mark_cancelled();
        }
        drop(line);
        self.shared.changed.notify_all();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            log::error!("the queue of the remote panicked");
        }
    }
}

impl Line {
    fn all(&self) -> impl Iterator<Item = &Arc<Job>> {
        self.over.iter().chain(&self.running).chain(&self.waiting)
    }

    /// When there will be room.
    fn wait(&self) -> Duration {
        let pictures = self.running.iter().chain(self.waiting.front()).map(|job| job.order.count);
        self.pace.unwrap_or(GUESS) * u32::try_from(pictures.max().unwrap_or(1)).unwrap_or(1)
    }

    fn remember(&mut self, job: Arc<Job>) {
        self.over.push_back(job);
        let mut bytes: usize = self.over.iter().map(|job| job.bytes()).sum();
        while self.over.len() > REMEMBERED || (bytes > REMEMBERED_BYTES && self.over.len() > 1) {
            bytes -= self.over.pop_front().map_or(0, |job| job.bytes());
        }
    }

    /// Tells those who wait how many are before them.
    fn count(&self) {
        let before = usize::from(self.running.is_some());
        for (index, job) in self.waiting.iter().enumerate() {
            job.update(|status| status.position = index + before);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Line> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, studio: &Studio) {
        while let Some(job) = self.next() {
            let began = Instant::now();
            let ending = drawing::draw(studio, &job, &|wait| self.pause(wait));
            job.update(|status| {
                (status.state, status.preview, status.reason) = (ending.state(), None, None);
                status.refusal = ending.err();
            });
            let mut line = self.lock();
            let drawn = u32::try_from(job.status().pictures.len()).unwrap_or(1);
            if drawn > 0 {
                line.pace = Some(began.elapsed() / drawn);
            }
            line.running = None;
            line.remember(job);
            line.count();
        }
    }

    /// Waits for a job.
    fn next(&self) -> Option<Arc<Job>> {
        let line = self.lock();
        let waits = |line: &mut Line| line.waiting.is_empty() && !line.is_ended;
        let mut line = self.changed.wait_while(line, waits).unwrap_or_else(PoisonError::into_inner);
        if line.is_ended {
            return None;
        }
        let job = line.waiting.pop_front();
        line.running.clone_from(&job);
        line.count();
        job
    }

    /// Waits a while, or until something changes; whether the queue goes on.
    fn pause(&self, wait: Duration) -> bool {
        let line = self.lock();
        let waited = self.changed.wait_timeout_while(line, wait, |line| !line.is_ended);
        let (line, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !line.is_ended
    }
}

/// How a job ended.
pub(super) trait Ending {
    fn state(&self) -> State;
}

impl Ending for Result<(), Refusal> {
    fn state(&self) -> State {
        match self {
            Ok(()) => State::Done,
            Err(refusal) if refusal.kind == Refusal::cancelled().kind => State::Cancelled,
            Err(_) => State::Failed,
        }
    }
}
