//! The gallery worker: a thread that owns the gallery and carries out tasks in order, so that a slow memory card never delays
//! a button. Depends on [`super::gallery`], and on the state machine for the types of its results.
//!
//! Each task has one [`TaskResult`], preceded by the new contents of the gallery if these may have changed. Dropping the
//! [`GalleryWorker`] finishes all tasks first.

use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::thread::JoinHandle;

use super::gallery::{Caps, Gallery, Kept};
use super::state::{FinishedPicture, GalleryEntry, KeepOutcome};
use crate::picture::PictureFile;

/// Tasks that may wait. Beyond that pictures are not kept, because each waiting one is held in memory.
const WAITING: usize = 32;

/// A task for the worker.
#[derive(Debug)]
pub enum Task {
    /// Keep a picture.
    Keep {
        /// Number of the job that it belongs to.
        job: u64,
        /// Index of the item in the job.
        item: usize,
        /// The picture.
        finished: FinishedPicture,
        /// Whether it is a favourite.
        favourite: bool,
    },
    /// Set or clear the favourite mark of a picture, by its number.
    Favourite(u64, bool),
    /// Read a picture, by its number.
    Load(u64),
    /// Change the limits, from the next picture on.
    Limit(Caps),
    /// Read the folder again: somebody else changed it.
    Reread,
}

/// An event from the worker.
#[derive(Debug)]
pub enum GalleryEvent {
    /// The contents of the gallery, newest first.
    Gallery(Vec<GalleryEntry>),
    /// A task is done.
    Done(TaskResult),
}

/// The result of a task.
#[derive(Debug)]
pub enum TaskResult {
    /// The folder was read. Always the first result, of no task.
    Opened,
    /// Of [`Task::Keep`]: job, item, and outcome.
    Kept(u64, usize, KeepOutcome),
    /// Of [`Task::Load`]: its number, and the picture unless it is damaged or gone.
    Loaded(u64, Option<FinishedPicture>),
    /// Of [`Task::Favourite`], [`Task::Limit`] and [`Task::Reread`].
    Noted,
}

/// The thread.
pub struct GalleryWorker {
    tasks: Option<SyncSender<Task>>,
    thread: Option<JoinHandle<()>>,
}

impl GalleryWorker {
    /// Starts the thread, which reads the folder at once and calls `notify`.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn start(folder: PathBuf, caps: Caps, notify: impl Fn(GalleryEvent) + Send + 'static) -> std::io::Result<GalleryWorker> {
        let (tasks, inbox) = mpsc::sync_channel(WAITING);
        let work = move || Worker::open(folder, caps, Box::new(notify)).work(&inbox);
        let thread = std::thread::Builder::new().name("gallery".into()).spawn(work)?;
        Ok(GalleryWorker {
            tasks: Some(tasks),
            thread: Some(thread),
        })
    }

    /// Adds a task without waiting. Returns a result at once if the task is refused because too many are waiting.
    pub fn ask(&self, task: Task) -> Option<TaskResult> {
        let refused = match self.tasks.as_ref()?.try_send(task) {
            Ok(()) => return None,
            Err(TrySendError::Full(task)) => {
                log::error!("the gallery's disk is too slow: {WAITING} tasks are waiting");
                task
            }
            Err(TrySendError::Disconnected(task)) => {
                log::error!("the gallery worker has ended");
                task
            }
        };
        Some(match refused {
            Task::Keep { job, item, .. } => TaskResult::Kept(job, item, KeepOutcome::NotKept),
            Task::Load(number) => TaskResult::Loaded(number, None),
            Task::Favourite(..) | Task::Limit(_) | Task::Reread => TaskResult::Noted,
        })
    }
}

impl Drop for GalleryWorker {
    fn drop(&mut self) {
        self.tasks = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            log::error!("the gallery worker panicked");
        }
    }
}

/// What the thread owns.
struct Worker {
    gallery: Gallery,
    notify: Box<dyn Fn(GalleryEvent) + Send>,
}

impl Worker {
    fn open(folder: PathBuf, caps: Caps, notify: Box<dyn Fn(GalleryEvent) + Send>) -> Worker {
        let gallery = Gallery::open(&folder, caps);
        if let Err(error) = gallery.check() {
            log::error!("{error}");
        }
        Worker { gallery, notify }
    }

    fn work(&mut self, inbox: &Receiver<Task>) {
        self.notify_entries();
        (self.notify)(GalleryEvent::Done(TaskResult::Opened));
        for task in inbox {
            let result = self.carry_out(task);
            (self.notify)(GalleryEvent::Done(result));
        }
    }

    fn carry_out(&mut self, task: Task) -> TaskResult {
        match task {
            Task::Keep {
                job,
                item,
                finished,
                favourite,
            } => TaskResult::Kept(job, item, self.keep(&finished, favourite)),
            Task::Favourite(number, favourite) => {
                self.mark(number, favourite);
                self.notify_entries();
                TaskResult::Noted
            }
            Task::Load(number) => TaskResult::Loaded(number, self.load(number)),
            Task::Limit(caps) => {
                self.gallery.set_caps(caps);
                TaskResult::Noted
            }
            Task::Reread => {
                self.gallery.read_again();
                self.notify_entries();
                TaskResult::Noted
            }
        }
    }

    fn keep(&mut self, finished: &FinishedPicture, favourite: bool) -> KeepOutcome {
        let outcome = match self.gallery.keep(&finished.picture, &finished.provenance) {
            Kept::Kept(number) => {
                if favourite {
                    self.mark(number, true);
                }
                KeepOutcome::Kept(number)
            }
            Kept::NotKept(reason) => {
                log::error!("a picture was not kept: {reason}");
                KeepOutcome::NotKept
            }
        };
        self.notify_entries();
        outcome
    }

    fn mark(&mut self, number: u64, favourite: bool) {
        if let Err(error) = self.gallery.set_favourite(number, favourite) {
            log::error!("{error}");
        }
    }

    fn load(&mut self, number: u64) -> Option<FinishedPicture> {
        let loaded = self.gallery.load(number).inspect_err(|error| log::error!("{error}")).ok();
        if loaded.is_none() {
            self.notify_entries();
        }
        loaded.map(finished)
    }

    fn notify_entries(&self) {
        let entry = |entry: &super::gallery::Entry| GalleryEntry {
            number: entry.number(),
            favourite: entry.is_favourite(),
        };
        let kept = self.gallery.entries().iter().rev().map(entry).collect();
        (self.notify)(GalleryEvent::Gallery(kept));
    }
}

/// A file of the gallery as a finished picture.
pub fn finished(contents: PictureFile) -> FinishedPicture {
    FinishedPicture::of_record(contents.picture.into(), contents.provenance.unwrap_or_default().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kiosk::state::Item;
    use crate::picture::{Picture, Provenance};
    use std::time::Duration;

    const CAPS: Caps = Caps {
        bytes: 1 << 20,
        pictures: 10,
    };

    fn picture(seed: u64) -> FinishedPicture {
        let picture = Picture::filled(16, 16, [seed as u8, 0, 0, 255]).unwrap();
        let provenance = Provenance {
            prompt: "a fox".into(),
            seed,
            steps: 4,
            picture_sha256: picture.sha256(),
            ..Provenance::default()
        };
        FinishedPicture {
            item: Item {
                prompt: "a fox".into(),
                style: None,
                steps: 4,
                seed,
                variations: Vec::new(),
                sketch: None,
            },
            picture: picture.into(),
            provenance: provenance.into(),
        }
    }

    fn keep(job: u64, favourite: bool) -> Task {
        Task::Keep {
            job,
            item: 0,
            finished: picture(job),
            favourite,
        }
    }

    fn start(folder: &std::path::Path) -> (GalleryWorker, Receiver<GalleryEvent>) {
        let (events, heard) = mpsc::channel();
        let worker = GalleryWorker::start(folder.to_owned(), CAPS, move |event| drop(events.send(event))).unwrap();
        (worker, heard)
    }

    /// What is kept, and the answer that came after it.
    fn next(heard: &Receiver<GalleryEvent>) -> (Option<Vec<GalleryEntry>>, TaskResult) {
        let mut kept = None;
        loop {
            match heard.recv_timeout(Duration::from_secs(20)).unwrap() {
                GalleryEvent::Gallery(entries) => kept = Some(entries),
                GalleryEvent::Done(result) => return (kept, result),
            }
        }
    }

    #[test]
    fn tasks_are_answered_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let (worker, heard) = start(folder.path());
        assert!(matches!(next(&heard), (Some(kept), TaskResult::Opened) if kept.is_empty()));
        for task in [
            keep(7, true),
            keep(8, false),
            Task::Favourite(1, false),
            Task::Load(2),
            Task::Load(9),
        ] {
            assert!(worker.ask(task).is_none());
        }
        let entry = |number, favourite| GalleryEntry { number, favourite };
        let (kept, result) = next(&heard);
        assert_eq!(kept, Some(vec![entry(1, true)]));
        assert!(matches!(result, TaskResult::Kept(7, 0, KeepOutcome::Kept(1))));
        let (kept, result) = next(&heard);
        assert_eq!(kept, Some(vec![entry(2, false), entry(1, true)]));
        assert!(matches!(result, TaskResult::Kept(8, 0, KeepOutcome::Kept(2))));
        let (kept, result) = next(&heard);
        assert_eq!(kept, Some(vec![entry(2, false), entry(1, false)]));
        assert!(matches!(result, TaskResult::Noted));
        let (kept, result) = next(&heard);
        assert_eq!(kept, None);
        assert!(matches!(result, TaskResult::Loaded(2, Some(finished)) if finished == picture(8)));
        let (kept, result) = next(&heard);
        assert_eq!(kept.map(|kept| kept.len()), Some(2));
        assert!(matches!(result, TaskResult::Loaded(9, None)));
    }

    #[test]
    fn the_end_waits_for_what_was_asked_for_before() {
        let folder = tempfile::tempdir().unwrap();
        let (worker, heard) = start(folder.path());
        for job in 1..=8 {
            assert!(worker.ask(keep(job, false)).is_none());
        }
        drop(worker);
        assert_eq!(Gallery::open(folder.path(), CAPS).entries().len(), 8);
        let kept = heard
            .iter()
            .filter(|event| matches!(event, GalleryEvent::Done(TaskResult::Kept(_, _, KeepOutcome::Kept(_)))));
        assert_eq!(kept.count(), 8);
    }

    /// A card that hangs: the thread stands still in `notify` until the test lets it go.
    #[test]
    fn a_disk_that_hangs_stalls_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let (go, gate) = mpsc::channel::<()>();
        let (events, heard) = mpsc::channel();
        let notify = move |said| {
            if matches!(said, GalleryEvent::Done(TaskResult::Opened)) {
                let _ = gate.recv();
            }
            drop(events.send(said));
        };
        let worker = GalleryWorker::start(folder.path().to_owned(), CAPS, notify).unwrap();
        let refused: Vec<TaskResult> = (1..=WAITING as u64 + 1).filter_map(|job| worker.ask(keep(job, false))).collect();
        assert!(matches!(refused[..], [TaskResult::Kept(_, 0, KeepOutcome::NotKept)]), "{refused:?}");
        drop(go);
        assert!(matches!(next(&heard).1, TaskResult::Opened));
        drop(worker);
        assert_eq!(heard.iter().filter(|event| matches!(event, GalleryEvent::Done(_))).count(), WAITING);
    }
}
