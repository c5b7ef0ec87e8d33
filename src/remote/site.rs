//! What all endpoints share: settings, queue, gallery, rules. Depends on its neighbours and the kiosk's handle.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::access::Access;
use super::frames::Frames;
use super::gallery::Pictures;
use super::links::Links;
use super::network::Place;
use super::offer::Offer;
use super::queue::{Job, Queue};
use super::refusal::Refusal;
use super::wish::Wish;
use crate::kiosk::Handle;
use crate::kiosk::filter::Filter;
use crate::kiosk::settings::Settings;
use crate::picture::{Picture, Resampling, scale};

/// Longest side of a picture to start from while the pack is not open.
const LARGEST: u32 = 1024;

/// The server's state.
pub struct Site {
    pub settings: Settings,
    /// The file that the settings came from.
    pub file: Option<PathBuf>,
    pub filter: Filter,
    pub queue: Queue,
    pub gallery: Pictures,
    pub access: Access,
    pub links: Arc<Links>,
    pub frames: Frames,
    pub kiosk: Option<Handle>,
    pub offer: Arc<Mutex<Option<Offer>>>,
    /// The name that others see.
    pub name: String,
    /// Where visitors reach the server.
    pub place: Place,
    pub started: Instant,
}

impl Site {
    /// What the pack offers; `None` before it is open.
    pub fn offer(&self) -> Option<Offer> {
        self.offer.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the pack reads prompts, or is not known yet.
    pub fn needs_prompt(&self) -> bool {
        self.offer().is_none_or(|offer| offer.has_prompt)
    }

    /// Refuses words that the owner does not want.
    pub fn check_words(&self, prompt: &str) -> Result<(), Refusal> {
        self.filter.check(prompt).map_or(Ok(()), |hit| Err(Refusal::blocked(&hit)))
    }

    /// Puts a wish at the end of the line. Whether this client may have one was checked before.
    pub fn submit(&self, wish: Wish, from: IpAddr, is_owner: bool) -> Result<Arc<Job>, Refusal> {
        let (order, request, seed) = wish.order(self, from, is_owner)?;
        self.queue.submit(order, request, seed)
    }

    /// A picture to start from, no larger than its model can use: many of them wait in memory.
    pub fn smaller(&self, picture: Picture) -> Result<Picture, Refusal> {
        let side = self
            .offer()
            .map_or(LARGEST, |offer| offer.width.max(offer.height).saturating_mul(2));
        if picture.width().max(picture.height()) <= side {
            return Ok(picture);
        }
        scale::scale(&picture, side, Resampling::Smooth).map_err(Refusal::internal)
    }

    /// Seconds until everything that waits is drawn, as far as that is known.
    pub fn backlog(&self) -> Option<Duration> {
        let jobs = self.queue.waiting() + usize::from(self.queue.running().is_some());
        Some(self.queue.pace()? * u32::try_from(jobs).unwrap_or(u32::MAX))
    }
}

/// A job and the client that waits for it. Dropped when the client goes away, which cancels the job if it is not over.
pub struct AwaitedJob {
    site: Arc<Site>,
    job: Arc<Job>,
}

impl AwaitedJob {
    /// The client's job.
    pub fn new(site: Arc<Site>, job: Arc<Job>) -> AwaitedJob {
        AwaitedJob { site, job }
    }

    /// The job.
    pub fn job(&self) -> &Arc<Job> {
        &self.job
    }
}

impl Drop for AwaitedJob {
    fn drop(&mut self) {
        if !self.job.status().state.is_over() {
            self.site.queue.cancel(&self.job);
        }
    }
}
