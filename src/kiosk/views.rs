//! Subscriptions to what the kiosk shows, for everything that is not a display: a phone page, a broker, a test.
//! Owns the slot in which the main loop publishes each changed view, and the subscribers' side of it; depends on [`View`] only.
//!
//! The slot holds the latest view and there is no queue: a slow subscriber misses views and blocks nothing.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::state::View;

/// The latest view, shared between the main loop and all subscribers.
#[derive(Default)]
pub(super) struct LatestView {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    view: Option<Arc<View>>,
    /// Counts up with each changed view.
    version: u64,
    ended: bool,
}

impl LatestView {
    /// Publishes a view unless it equals the latest one.
    pub fn publish(&self, view: &View) {
        let mut state = self.lock();
        if state.view.as_deref() != Some(view) {
            state.view = Some(Arc::new(view.clone()));
            state.version += 1;
            self.changed.notify_all();
        }
    }

    /// No view will follow.
    pub fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why [`Views::next_within`] has no view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoView {
    /// Nothing changed within the time.
    #[error("nothing changed in time")]
    Unchanged,
    /// The kiosk has ended.
    #[error("the kiosk has ended")]
    Ended,
}

/// A subscription: an iterator over the views of a kiosk, from the current one on, which waits for changes and ends with the
/// kiosk. Of several changes since the last call only the latest is seen. Made by [`super::Handle::subscribe`].
///
/// A callback is a thread: `thread::spawn(move || for view in views { publish(&view) })`.
pub struct Views {
    latest_view: Arc<LatestView>,
    /// Version of the view seen last; 0 before the first.
    seen: u64,
}

impl Views {
    pub(super) fn of(latest_view: &Arc<LatestView>) -> Views {
        Views {
            latest_view: latest_view.clone(),
            seen: 0,
        }
    }

    /// What is shown now, without waiting, seen before or not; `None` before the kiosk shows its first screen.
    pub fn latest(&self) -> Option<Arc<View>> {
        self.latest_view.lock().view.clone()
    }

    /// The next changed view, if there is one within the time.
    ///
    /// # Errors
    /// If nothing changes within the time, or the kiosk has ended and its last view was seen.
    pub fn next_within(&mut self, time: Duration) -> Result<Arc<View>, NoView> {
        let state = self.latest_view.lock();
        let waits = |state: &mut State| state.version == self.seen && !state.ended;
        let waited = self.latest_view.changed.wait_timeout_while(state, time, waits);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match &state.view {
            Some(view) if state.version != self.seen => {
                self.seen = state.version;
                Ok(view.clone())
            }
            _ if state.ended => Err(NoView::Ended),
            _ => Err(NoView::Unchanged),
        }
    }
}

impl Iterator for Views {
    type Item = Arc<View>;

    fn next(&mut self) -> Option<Arc<View>> {
        loop {
            match self.next_within(Duration::from_secs(3600)) {
                Ok(view) => return Some(view),
                Err(NoView::Ended) => return None,
                Err(NoView::Unchanged) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kiosk::state::Scene;

    fn view(text: &str) -> View {
        View {
            scene: Scene::Message { text: text.into() },
            legends: Default::default(),
            notice: None,
            is_right_to_left: false,
        }
    }

    #[test]
    fn subscribers_see_each_change_once_and_the_latest_alone() {
        let latest_view = Arc::new(LatestView::default());
        let (mut quick, mut slow) = (Views::of(&latest_view), Views::of(&latest_view));
        assert_eq!(quick.next_within(Duration::ZERO), Err(NoView::Unchanged));
        for text in ["one", "one", "two"] {
            latest_view.publish(&view(text));
            if text == "one" {
                quick.next_within(Duration::ZERO).ok();
            }
        }
        assert_eq!(*quick.next_within(Duration::ZERO).unwrap(), view("two"));
        assert_eq!(*slow.next().unwrap(), view("two"), "what came before is lost on the slow");
        assert_eq!(slow.next_within(Duration::ZERO), Err(NoView::Unchanged));
        assert_eq!(*Views::of(&latest_view).latest().unwrap(), view("two"));
        latest_view.publish(&view("three"));
        latest_view.end();
        assert_eq!(quick.map(|view| (*view).clone()).collect::<Vec<_>>(), [view("three")]);
    }

    #[test]
    fn a_change_wakes_those_who_wait() {
        let latest_view = Arc::new(LatestView::default());
        let mut views = Views::of(&latest_view);
        let waits = std::thread::spawn(move || views.next());
        latest_view.publish(&view("fox"));
        assert_eq!(*waits.join().unwrap().unwrap(), view("fox"));
    }
}
