//! What other threads send, and how it comes in.

use std::collections::VecDeque;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use crate::device::buttons::Timed;
use crate::kiosk::{artist, curator};

/// What comes in from other threads.
pub(super) enum Incoming {
    Signal(Timed),
    Artist(artist::News),
    Curator(curator::News),
    Stop,
    Reload,
}

/// Where other threads send what they have.
#[derive(Clone)]
pub struct Inbox(Sender<Incoming>);

impl Inbox {
    /// A sender of signals. They are handed on by a thread that ends when all of its senders are gone.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn signals(&self) -> std::io::Result<Sender<Timed>> {
        let (sender, receiver) = mpsc::channel();
        let inbox = self.clone();
        std::thread::Builder::new().name("signals".into()).spawn(move || {
            for timed in receiver {
                if !inbox.send(Incoming::Signal(timed)) {
                    return;
                }
            }
        })?;
        Ok(sender)
    }

    /// Ends the kiosk in order. False where it has ended already.
    pub fn stop(&self) -> bool {
        self.send(Incoming::Stop)
    }

    /// Reads the settings again. False where the kiosk has ended already.
    pub fn reload(&self) -> bool {
        self.send(Incoming::Reload)
    }

    pub(super) fn send(&self, incoming: Incoming) -> bool {
        self.0.send(incoming).is_ok()
    }
}

/// What has come in. Whoever waits for one thing lets the others wait in their order.
pub(super) struct Arrivals {
    receiver: Receiver<Incoming>,
    waiting: VecDeque<Incoming>,
}

impl Arrivals {
    /// An inbox and what comes in by it.
    pub fn new() -> (Inbox, Arrivals) {
        let (sender, receiver) = mpsc::channel();
        let waiting = VecDeque::new();
        (Inbox(sender), Arrivals { receiver, waiting })
    }

    /// The next; nothing where none comes in such a time.
    pub fn next_within(&mut self, time: Duration) -> Option<Incoming> {
        if let Some(first) = self.waiting.pop_front() {
            return Some(first);
        }
        self.receiver.recv_timeout(time).ok()
    }

    /// The first that is wanted, however long it takes.
    pub fn first(&mut self, wanted: impl Fn(&Incoming) -> bool) -> Option<Incoming> {
        if let Some(at) = self.waiting.iter().position(&wanted) {
            return self.waiting.remove(at);
        }
        while let Ok(incoming) = self.receiver.recv() {
            if wanted(&incoming) {
                return Some(incoming);
            }
            self.waiting.push_back(incoming);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_waited_for_keeps_its_order() {
        let (inbox, mut arrivals) = Arrivals::new();
        let pack = || Incoming::Artist(artist::News::Pack(None));
        for incoming in [Incoming::Reload, pack(), Incoming::Stop, pack()] {
            assert!(inbox.send(incoming));
        }
        let is_pack = |incoming: &Incoming| matches!(incoming, Incoming::Artist(_));
        assert!(arrivals.first(is_pack).is_some());
        assert!(arrivals.first(is_pack).is_some());
        let mut next = || arrivals.next_within(Duration::ZERO);
        assert!(matches!(next(), Some(Incoming::Reload)));
        assert!(matches!(next(), Some(Incoming::Stop)));
        assert!(next().is_none());
    }
}
