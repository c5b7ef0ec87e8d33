//! The one who keeps: a thread that holds the gallery, takes tasks and answers them in order, so that nobody who waits at a
//! button waits for a memory card. Depends on [`super::gallery`], and on the state machine for the form of answers.
//!
//! Every task is answered by one [`Answer`], after a new list of what is kept where that may have changed. Dropping the
//! [`Curator`] finishes what was asked for before.

use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::thread::JoinHandle;

use super::gallery::{Caps, Gallery, Kept};
use super::state::{Drawn, Entry, Outcome, Piece};
use crate::picture::PictureFile;

/// Tasks that may wait. A card that is so far behind takes no more pictures: each that waits is held in memory.
const WAITING: usize = 32;

/// What the curator is asked to do.
#[derive(Debug)]
pub enum Task {
    /// Keep a picture.
    Keep {
        /// Number of the order that it belongs to.
        order: u64,
        /// Its place in the order.
        piece: usize,
        /// The picture.
        drawn: Drawn,
        /// Whether it is kept for good.
        favourite: bool,
    },
    /// Mark a picture, by its number, as one that is kept for good, or no longer.
    Favourite(u64, bool),
    /// Read a picture, by its number.
    Load(u64),
    /// Keep no more than this from the next picture on.
    Limit(Caps),
}

/// What the curator has to say.
#[derive(Debug)]
pub enum News {
    /// What is kept now, newest first.
    Gallery(Vec<Entry>),
    /// A task is done.
    Done(Answer),
}

/// What became of a task.
#[derive(Debug)]
pub enum Answer {
    /// The folder was read. The first answer; no task asks for it.
    Opened,
    /// Of [`Task::Keep`]: order, place in it, and what became of it.
    Kept(u64, usize, Outcome),
    /// Of [`Task::Load`]: its number, and the picture unless it is damaged or gone.
    Loaded(u64, Option<Drawn>),
    /// Of [`Task::Favourite`] and [`Task::Limit`].
    Noted,
}

/// The thread.
pub struct Curator {
    tasks: Option<SyncSender<Task>>,
    thread: Option<JoinHandle<()>>,
}

impl Curator {
    /// Starts the thread; it reads the folder at once. `tell` is called from it.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(folder: PathBuf, caps: Caps, tell: impl Fn(News) + Send + 'static) -> std::io::Result<Curator> {
        let (tasks, inbox) = mpsc::sync_channel(WAITING);
        let work = move || Room::open(folder, caps, Box::new(tell)).work(&inbox);
        let thread = std::thread::Builder::new().name("curator".into()).spawn(work)?;
        Ok(Curator {
            tasks: Some(tasks),
            thread: Some(thread),
        })
    }

    /// Asks for something; never waits. Answers at once what cannot be done because too much is waiting.
    pub fn ask(&self, task: Task) -> Option<Answer> {
        let refused = match self.tasks.as_ref()?.try_send(task) {
            Ok(()) => return None,
            Err(TrySendError::Full(task)) => {
                log::error!("the gallery's disk is too slow: {WAITING} tasks wait for it");
                task
            }
            Err(TrySendError::Disconnected(task)) => {
                log::error!("the thread that keeps pictures has ended");
                task
            }
        };
        Some(match refused {
            Task::Keep { order, piece, .. } => Answer::Kept(order, piece, Outcome::NotKept),
            Task::Load(number) => Answer::Loaded(number, None),
            Task::Favourite(..) | Task::Limit(_) => Answer::Noted,
        })
    }
}

impl Drop for Curator {
    fn drop(&mut self) {
        self.tasks = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            log::error!("the thread that keeps pictures ended in a panic");
        }
    }
}

/// Where the thread works.
struct Room {
    gallery: Gallery,
    tell: Box<dyn Fn(News) + Send>,
}

impl Room {
    fn open(folder: PathBuf, caps: Caps, tell: Box<dyn Fn(News) + Send>) -> Room {
        let gallery = Gallery::open(&folder, caps);
        if let Err(error) = gallery.check() {
            log::error!("{error}");
        }
        Room { gallery, tell }
    }

    fn work(&mut self, inbox: &Receiver<Task>) {
        self.tell_gallery();
        (self.tell)(News::Done(Answer::Opened));
        for task in inbox {
            let answer = self.answer(task);
            (self.tell)(News::Done(answer));
        }
    }

    fn answer(&mut self, task: Task) -> Answer {
        match task {
            Task::Keep {
                order,
                piece,
                drawn,
                favourite,
            } => Answer::Kept(order, piece, self.keep(&drawn, favourite)),
            Task::Favourite(number, favourite) => {
                self.mark(number, favourite);
                self.tell_gallery();
                Answer::Noted
            }
            Task::Load(number) => Answer::Loaded(number, self.load(number)),
            Task::Limit(caps) => {
                self.gallery.set_caps(caps);
                Answer::Noted
            }
        }
    }

    fn keep(&mut self, drawn: &Drawn, favourite: bool) -> Outcome {
        let outcome = match self.gallery.keep(&drawn.picture, &drawn.provenance) {
            Kept::Kept(number) => {
                if favourite {
                    self.mark(number, true);
                }
                Outcome::Kept(number)
            }
            Kept::NotKept(reason) => {
                log::error!("a picture is not kept: {reason}");
                Outcome::NotKept
            }
        };
        self.tell_gallery();
        outcome
    }

    fn mark(&mut self, number: u64, favourite: bool) {
        if let Err(error) = self.gallery.set_favourite(number, favourite) {
            log::error!("{error}");
        }
    }

    fn load(&mut self, number: u64) -> Option<Drawn> {
        let loaded = self.gallery.load(number).inspect_err(|error| log::error!("{error}")).ok();
        if loaded.is_none() {
            self.tell_gallery();
        }
        loaded.map(drawn)
    }

    fn tell_gallery(&self) {
        let entry = |entry: &super::gallery::Entry| Entry {
            number: entry.number(),
            favourite: entry.is_favourite(),
        };
        let kept = self.gallery.entries().iter().rev().map(entry).collect();
        (self.tell)(News::Gallery(kept));
    }
}

/// A file of the gallery as if it had just been drawn.
fn drawn(contents: PictureFile) -> Drawn {
    let provenance = contents.provenance.unwrap_or_default();
    Drawn {
        piece: Piece {
            prompt: provenance.prompt.clone(),
            style: provenance.style.clone(),
            steps: provenance.steps as usize,
            seed: provenance.seed,
        },
        picture: contents.picture.into(),
        provenance: provenance.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::{Picture, Provenance};
    use std::time::Duration;

    const CAPS: Caps = Caps {
        bytes: 1 << 20,
        pictures: 10,
    };

    fn picture(seed: u64) -> Drawn {
        let picture = Picture::filled(16, 16, [seed as u8, 0, 0, 255]).unwrap();
        let provenance = Provenance {
            prompt: "a fox".into(),
            seed,
            steps: 4,
            picture_sha256: picture.sha256(),
            ..Provenance::default()
        };
        Drawn {
            piece: Piece {
                prompt: "a fox".into(),
                style: None,
                steps: 4,
                seed,
            },
            picture: picture.into(),
            provenance: provenance.into(),
        }
    }

    fn keep(order: u64, favourite: bool) -> Task {
        Task::Keep {
            order,
            piece: 0,
            drawn: picture(order),
            favourite,
        }
    }

    fn start(folder: &std::path::Path) -> (Curator, Receiver<News>) {
        let (news, heard) = mpsc::channel();
        let curator = Curator::start(folder.to_owned(), CAPS, move |said| drop(news.send(said))).unwrap();
        (curator, heard)
    }

    /// What is kept, and the answer that came after it.
    fn next(heard: &Receiver<News>) -> (Option<Vec<Entry>>, Answer) {
        let mut kept = None;
        loop {
            match heard.recv_timeout(Duration::from_secs(20)).unwrap() {
                News::Gallery(entries) => kept = Some(entries),
                News::Done(answer) => return (kept, answer),
            }
        }
    }

    #[test]
    fn tasks_are_answered_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let (curator, heard) = start(folder.path());
        assert!(matches!(next(&heard), (Some(kept), Answer::Opened) if kept.is_empty()));
        for task in [
            keep(7, true),
            keep(8, false),
            Task::Favourite(1, false),
            Task::Load(2),
            Task::Load(9),
        ] {
            assert!(curator.ask(task).is_none());
        }
        let entry = |number, favourite| Entry { number, favourite };
        let (kept, answer) = next(&heard);
        assert_eq!(kept, Some(vec![entry(1, true)]));
        assert!(matches!(answer, Answer::Kept(7, 0, Outcome::Kept(1))));
        let (kept, answer) = next(&heard);
        assert_eq!(kept, Some(vec![entry(2, false), entry(1, true)]));
        assert!(matches!(answer, Answer::Kept(8, 0, Outcome::Kept(2))));
        let (kept, answer) = next(&heard);
        assert_eq!(kept, Some(vec![entry(2, false), entry(1, false)]));
        assert!(matches!(answer, Answer::Noted));
        let (kept, answer) = next(&heard);
        assert_eq!(kept, None);
        assert!(matches!(answer, Answer::Loaded(2, Some(drawn)) if drawn == picture(8)));
        let (kept, answer) = next(&heard);
        assert_eq!(kept.map(|kept| kept.len()), Some(2));
        assert!(matches!(answer, Answer::Loaded(9, None)));
    }

    #[test]
    fn the_end_waits_for_what_was_asked_for_before() {
        let folder = tempfile::tempdir().unwrap();
        let (curator, heard) = start(folder.path());
        for order in 1..=8 {
            assert!(curator.ask(keep(order, false)).is_none());
        }
        drop(curator);
        assert_eq!(Gallery::open(folder.path(), CAPS).entries().len(), 8);
        let kept = heard
            .iter()
            .filter(|news| matches!(news, News::Done(Answer::Kept(_, _, Outcome::Kept(_)))));
        assert_eq!(kept.count(), 8);
    }

    /// A card that hangs: the thread stands still in `tell` until the test lets it go.
    #[test]
    fn a_disk_that_hangs_stalls_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let (go, gate) = mpsc::channel::<()>();
        let (news, heard) = mpsc::channel();
        let tell = move |said| {
            if matches!(said, News::Done(Answer::Opened)) {
                let _ = gate.recv();
            }
            drop(news.send(said));
        };
        let curator = Curator::start(folder.path().to_owned(), CAPS, tell).unwrap();
        let refused: Vec<Answer> = (1..=WAITING as u64 + 1)
            .filter_map(|order| curator.ask(keep(order, false)))
            .collect();
        assert!(matches!(refused[..], [Answer::Kept(_, 0, Outcome::NotKept)]), "{refused:?}");
        drop(go);
        assert!(matches!(next(&heard).1, Answer::Opened));
        drop(curator);
        assert_eq!(heard.iter().filter(|news| matches!(news, News::Done(_))).count(), WAITING);
    }
}
