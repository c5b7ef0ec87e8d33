//! The way into a running kiosk from other threads: button presses, whole texts, whole requests, finished pictures, raw signals, stopping.
//! Owns the [`Handle`] and the queue behind it; depends on the forms of what is sent.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use super::state::{Code, DrawRequest, FinishedPicture, Links, RequestError};
use super::views::{LatestView, Views};
use super::{drawing_worker, gallery_worker};
use crate::device::buttons::{Button, Event, Gesture, Signal, SignalSender};
use crate::pipeline::Request;

/// Events and requests that may wait. A kiosk that is this far behind takes no more.
const CAPACITY: usize = 64;

/// Everything that reaches the main loop from other threads.
pub(super) enum Incoming {
    /// A raw signal from the display at an index, 0 where it came from no display.
    Signal {
        output: usize,
        signal: Signal,
        at: Instant,
    },
    /// What a visitor did elsewhere.
    Event(Event, Instant),
    /// A picture to draw.
    Request(DrawRequest, Instant),
    /// From the drawing worker.
    Drawing(drawing_worker::DrawingEvent),
    /// From the gallery worker.
    Gallery(gallery_worker::GalleryEvent),
    /// A picture that was drawn elsewhere, and its number in the gallery.
    Show(FinishedPicture, Option<u64>),
    /// Somebody else changed the gallery's folder.
    GalleryChanged,
    /// Where visitors find the pictures that are shown.
    Links(Links),
    /// A code to show until a button is pressed.
    Invite(Code),
    /// Whether the display is to be on.
    Switch(bool),
    Stop,
    Reload,
}

/// Why something was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The kiosk does not accept the request.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The kiosk has ended.
    #[error("the kiosk has ended")]
    Ended,
    /// Too much is waiting already.
    #[error("the kiosk is busy: {CAPACITY} events are waiting; try again later")]
    Busy,
}

/// A handle to a kiosk, for any thread. Clones refer to the same kiosk. No method waits for the kiosk.
#[derive(Clone)]
pub struct Handle {
    sender: Sender<Incoming>,
    /// Events and requests that were sent and not yet taken.
    waiting: Arc<AtomicUsize>,
    latest_view: Arc<LatestView>,
}

impl Handle {
    /// Reports what a visitor did, as if it had happened at the kiosk.
    ///
    /// # Errors
    /// If the kiosk has ended or is busy.
    pub fn event(&self, event: Event) -> Result<(), SendError> {
        self.send_counted(Incoming::Event(event, Instant::now()))
    }

    /// Presses a button. `"a".parse()` makes a [`Button`] from its name.
    ///
    /// # Errors
    /// If the kiosk has ended or is busy.
    pub fn press(&self, button: Button, gesture: Gesture) -> Result<(), SendError> {
        self.event(Event::Press(button, gesture))
    }

    /// Enters a whole text, which replaces what was typed before; the visitor may go on typing or draw it. What is too long
    /// is cut off and control characters are left out, as with typed text. Ignored while a picture is drawn.
    ///
    /// # Errors
    /// If the kiosk has ended or is busy.
    pub fn text(&self, text: impl Into<String>) -> Result<(), SendError> {
        self.event(Event::Text(text.into()))
    }

    /// Draws a picture as if a visitor had asked for it: the word filter, heat and the schedule apply. It takes the place of
    /// whatever is being drawn; a request during loading is drawn once the pack is open. What became of it is seen in the
    /// [`Views`].
    ///
    /// # Errors
    /// If the kiosk does not accept the request (see [`RequestError`]), has ended or is busy.
    pub fn request(&self, request: &Request) -> Result<(), SendError> {
        let request = DrawRequest::try_from(request)?;
        self.send_counted(Incoming::Request(request, Instant::now()))
    }

    /// Shows a picture that was drawn elsewhere, with its number in the gallery if it was kept there, unless a visitor is choosing or a picture
    /// is being drawn: then it comes in the slide show.
    ///
    /// # Errors
    /// If the kiosk has ended.
    pub fn show(&self, finished: FinishedPicture, number: Option<u64>) -> Result<(), SendError> {
        self.send(Incoming::Show(finished, number))
    }

    /// Reads the gallery's folder again, which somebody else has changed.
    ///
    /// # Errors
    /// If the kiosk has ended.
    pub fn gallery_changed(&self) -> Result<(), SendError> {
        self.send(Incoming::GalleryChanged)
    }

    /// Sets where visitors find the pictures that are shown: the QR code of "take home" leads there.
    ///
    /// # Errors
    /// If the kiosk has ended.
    pub fn set_links(&self, links: Links) -> Result<(), SendError> {
        self.send(Incoming::Links(links))
    }

    /// Shows a QR code until a button is pressed.
    ///
    /// # Errors
    /// If the kiosk has ended.
    pub fn invite(&self, code: Code) -> Result<(), SendError> {
        self.send(Incoming::Invite(code))
    }

    /// Switches the display off, until this switches it on or somebody presses a button; its hours stay as they are.
    ///
    /// # Errors
    /// If the kiosk has ended.
    pub fn switch_display(&self, on: bool) -> Result<(), SendError> {
        self.send(Incoming::Switch(on))
    }

    /// A sender for drivers of buttons and other devices that are not part of a display.
    pub fn signals(&self) -> SignalSender {
        self.signals_from(0)
    }

    /// A sender for drivers of a device that belongs to the display at an index, such as its touch panel.
    pub fn signals_from(&self, output: usize) -> SignalSender {
        let sender = self.sender.clone();
        SignalSender::new(move |timed| {
            let incoming = Incoming::Signal {
                output,
                signal: timed.signal,
                at: timed.at,
            };
            sender.send(incoming).is_ok()
        })
    }

    /// Subscribes to what the kiosk shows. See [`Views`].
    pub fn subscribe(&self) -> Views {
        Views::of(&self.latest_view)
    }

    /// Ends the kiosk in order.
    ///
    /// # Errors
    /// If it has ended already.
    pub fn stop(&self) -> Result<(), SendError> {
        self.send(Incoming::Stop)
    }

    /// Reads the settings file again.
    ///
    /// # Errors
    /// If the kiosk has ended.
    pub fn reload(&self) -> Result<(), SendError> {
        self.send(Incoming::Reload)
    }

    pub(super) fn send(&self, incoming: Incoming) -> Result<(), SendError> {
        self.sender.send(incoming).map_err(|_| SendError::Ended)
    }

    fn send_counted(&self, incoming: Incoming) -> Result<(), SendError> {
        let room = |waiting| (waiting < CAPACITY).then_some(waiting + 1);
        self.waiting
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, room)
            .map_err(|_| SendError::Busy)?;
        self.send(incoming)
    }
}

/// The receiving end. Waiting for one kind of message leaves the others in their order.
pub(super) struct Arrivals {
    receiver: Receiver<Incoming>,
    set_aside: VecDeque<Incoming>,
    waiting: Arc<AtomicUsize>,
}

impl Arrivals {
    /// A handle and the receiving end for it.
    pub fn new(latest_view: Arc<LatestView>) -> (Handle, Arrivals) {
        let (sender, receiver) = mpsc::channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let handle = Handle {
            sender,
            waiting: waiting.clone(),
            latest_view,
        };
        let arrivals = Arrivals {
            receiver,
            set_aside: VecDeque::new(),
            waiting,
        };
        (handle, arrivals)
    }

    /// The next one; `None` if none comes within the time.
    pub fn next_within(&mut self, time: Duration) -> Option<Incoming> {
        let next = self.set_aside.pop_front().or_else(|| self.receiver.recv_timeout(time).ok());
        next.inspect(|incoming| self.taken(incoming))
    }

    /// The first one that matches, however long it takes; `None` if nothing can come any more.
    pub fn first(&mut self, matches: impl Fn(&Incoming) -> bool) -> Option<Incoming> {
        let at = self.set_aside.iter().position(&matches);
        let mut found = at.and_then(|at| self.set_aside.remove(at));
        while found.is_none() {
            let incoming = self.receiver.recv().ok()?;
            if matches(&incoming) {
                found = Some(incoming);
            } else {
                self.set_aside.push_back(incoming);
            }
        }
        found.inspect(|incoming| self.taken(incoming))
    }

    fn taken(&self, incoming: &Incoming) {
        if matches!(incoming, Incoming::Event(..) | Incoming::Request(..)) {
            self.waiting.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Handle, Arrivals) {
        Arrivals::new(Arc::default())
    }

    #[test]
    fn what_is_not_waited_for_keeps_its_order() {
        let (handle, mut arrivals) = pair();
        let pack = || Incoming::Drawing(drawing_worker::DrawingEvent::Pack(None));
        for incoming in [Incoming::Reload, pack(), Incoming::Stop, pack()] {
            handle.send(incoming).unwrap();
        }
        let is_pack = |incoming: &Incoming| matches!(incoming, Incoming::Drawing(_));
        assert!(arrivals.first(is_pack).is_some());
        assert!(arrivals.first(is_pack).is_some());
        let mut next = || arrivals.next_within(Duration::ZERO);
        assert!(matches!(next(), Some(Incoming::Reload)));
        assert!(matches!(next(), Some(Incoming::Stop)));
        assert!(next().is_none());
    }

    #[test]
    fn a_flood_is_refused_and_signals_still_arrive() {
        let (handle, mut arrivals) = pair();
        for _ in 0..CAPACITY {
            handle.text("fox").unwrap();
        }
        assert_eq!(handle.press(Button::A, Gesture::Short), Err(SendError::Busy));
        assert!(handle.signals().send(Signal::key("KEY_ENTER", true), Instant::now()));
        assert!(matches!(
            arrivals.next_within(Duration::ZERO),
            Some(Incoming::Event(Event::Text(_), _))
        ));
        handle.press(Button::A, Gesture::Short).unwrap();
        let is_signal = |incoming: &Incoming| matches!(incoming, Incoming::Signal { output: 0, .. });
        assert!(matches!(arrivals.first(is_signal), Some(Incoming::Signal { signal: Signal::Key { name, .. }, .. }) if name == "enter"));
        drop(arrivals);
        assert_eq!(handle.stop(), Err(SendError::Ended));
        assert!(!handle.signals().send(Signal::Motion, Instant::now()));
    }
}
