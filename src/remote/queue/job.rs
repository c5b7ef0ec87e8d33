//! A request for pictures on its way: what is asked for, how far it is, what came of it. Depends on the pipeline's types.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;
use serde_json::Value;
use tokio::sync::watch;

use crate::kiosk::gallery::Kept;
use crate::picture::{Picture, Provenance};
use crate::pipeline::Request;
use crate::remote::gallery::Pictures;
use crate::remote::refusal::Refusal;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Order {
    /// How many pictures.
    pub count: usize,
    /// A part of a picture that goes over several frames: which one, from 0, and of how many.
    pub part: Option<(u32, u32)>,
    /// Whether the first picture is shown on the panel.
    pub show: bool,
    /// Whether the pictures are kept in the gallery.
    pub keep: bool,
    /// Who asks.
    pub from: IpAddr,
    /// Whether the owner asks.
    pub is_owner: bool,
}

/// Where a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Waiting,
    Drawing,
    Done,
    Failed,
    Cancelled,
}

impl State {
    pub fn is_over(self) -> bool {
        matches!(self, State::Done | State::Failed | State::Cancelled)
    }

    pub fn name(self) -> &'static str {
        match self {
            State::Waiting => "waiting",
            State::Drawing => "drawing",
            State::Done => "done",
            State::Failed => "failed",
            State::Cancelled => "cancelled",
        }
    }
}

/// A finished picture.
#[derive(Debug)]
pub struct Finished {
    pub picture: Arc<Picture>,
    pub provenance: Arc<Provenance>,
    /// The picture as a PNG file with its record.
    pub file: Vec<u8>,
    pub notes: Vec<Value>,
    /// Its number in the gallery, if it was kept.
    pub number: Option<u64>,
}

/// How far a job is.
#[derive(Clone, Debug)]
pub struct Status {
    pub state: State,
    /// Why it waits, if not for others.
    pub reason: Option<&'static str>,
    /// Jobs before it.
    pub position: usize,
    /// Index of the picture that is being drawn.
    pub at: usize,
    /// Steps of that picture that are done, and all of them.
    pub done: usize,
    pub of: usize,
    /// The latest estimate of that picture as a PNG file, while somebody looks.
    pub preview: Option<Arc<Vec<u8>>>,
    /// Finished ones.
    pub pictures: Vec<Arc<Finished>>,
    /// Why it failed.
    pub refusal: Option<Refusal>,
    /// What else there is to say.
    pub notes: Vec<String>,
    /// Counts its changes.
    pub version: u64,
}

/// A job, shared between the queue and all who look at it.
pub struct Job {
    pub id: String,
    pub order: Order,
    is_cancelled: AtomicBool,
    status: watch::Sender<Status>,
    /// What all who watch are told of a version, put into words once.
    told: Mutex<(u64, Arc<str>)>,
    /// Held while a picture is kept.
    keeping: Mutex<()>,
    /// What is drawn, until that begins, and the first seed.
    request: Mutex<Option<(Request, u64)>>,
}

impl Job {
    pub fn new(id: String, order: Order, request: Request, seed: u64, position: usize) -> Job {
        let status = Status {
            state: State::Waiting,
            reason: None,
            position,
            at: 0,
            done: 0,
            of: 0,
            preview: None,
            pictures: Vec::new(),
            refusal: None,
            notes: Vec::new(),
            version: 0,
        };
        Job {
            id,
            order,
            is_cancelled: AtomicBool::new(false),
            status: watch::Sender::new(status),
            told: Mutex::new((u64::MAX, Arc::from(""))),
            keeping: Mutex::default(),
            request: Mutex::new(Some((request, seed))),
        }
    }

    /// How far it is now.
    pub fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// A subscription to its status. A slow reader sees only the latest one.
    pub fn watch(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    /// How many watch.
    pub fn watchers(&self) -> usize {
        self.status.receiver_count()
    }

    /// Keeps a finished picture in the gallery, unless it was kept already. Returns its number there.
    ///
    /// # Errors
    /// If the disk does not take it.
    pub fn keep(&self, index: usize, finished: &Finished, gallery: &Pictures) -> Result<u64, Refusal> {
        // One who asks twice waits for the first.
        let _one = self.keeping.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = self.status.borrow().pictures.get(index).and_then(|now| now.number) {
            return Ok(number);
        }
        let number = match gallery.keep(&finished.picture, &finished.provenance) {
            Kept::Kept(number) => number,
            Kept::NotKept(reason) => return Err(Refusal::new(StatusCode::INSUFFICIENT_STORAGE, "storage", reason)),
        };
        self.update(|status| {
            if let Some(now) = status.pictures.get_mut(index) {
                *now = Arc::new(Finished {
                    picture: now.picture.clone(),
                    provenance: now.provenance.clone(),
                    file: now.file.clone(),
                    notes: now.notes.clone(),
                    number: Some(number),
                });
            }
        });
        Ok(number)
    }

    pub fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::SeqCst)
    }

    /// What is drawn and the first seed; once.
    pub(super) fn take_request(&self) -> Option<(Request, u64)> {
        self.request.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn mark_cancelled(&self) {
        self.is_cancelled.store(true, Ordering::SeqCst);
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut Status)) {
        self.status.send_modify(|status| {
            change(status);
            status.version += 1;
        });
    }

    /// What is told of a version, or of a later one, by `words`.
    pub fn told(&self, version: u64, words: impl FnOnce(&Status) -> String) -> Arc<str> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.0 != version {
            let status = self.status();
            *told = (status.version, words(&status).into());
        }
        told.1.clone()
    }

    /// Waits until it is over.
    pub async fn finished(&self) -> Status {
        let mut watch = self.watch();
        match watch.wait_for(|status| status.state.is_over()).await {
            Ok(status) => status.clone(),
            // The job has the sender itself.
            Err(_) => self.status(),
        }
    }

    /// Bytes of its pictures.
    pub(super) fn bytes(&self) -> usize {
        let of = |finished: &Arc<Finished>| finished.file.len() + finished.picture.pixels().len();
        self.status.borrow().pictures.iter().map(of).sum()
    }
}
