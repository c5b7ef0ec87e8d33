//! Addresses by which visitors take pictures home: short, unguessable, and gone after a while. Owns the pictures that wait to be fetched;
//! depends on [`super::token`].

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::token;
use crate::kiosk::state::FinishedPicture;
use crate::picture::{Picture, Provenance};

/// Letters of an address: 60 bits.
const LETTERS: usize = 12;
/// Pictures that wait at once.
const MOST: usize = 64;

/// A picture that waits to be fetched.
#[derive(Clone)]
pub struct Waiting {
    pub picture: Arc<Picture>,
    pub provenance: Arc<Provenance>,
    code: String,
    since: Instant,
}

/// The addresses that work.
pub struct Links {
    lifetime: Duration,
    waiting: Mutex<VecDeque<Waiting>>,
}

impl Links {
    pub fn new(lifetime: Duration) -> Links {
        Links {
            lifetime,
            waiting: Mutex::default(),
        }
    }

    /// The path of a picture, `/p/CODE`. A picture that has one gets it again.
    pub fn path(&self, finished: &FinishedPicture) -> Option<String> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        self.forget(&mut waiting);
        let known = waiting.iter_mut().find(|other| Arc::ptr_eq(&other.picture, &finished.picture));
        let code = match known {
            Some(known) => {
                known.since = Instant::now();
                known.code.clone()
            }
            None => {
                let code = token::random(LETTERS).inspect_err(|error| log::error!("{error}")).ok()?;
                waiting.push_back(Waiting {
                    picture: finished.picture.clone(),
                    provenance: finished.provenance.clone(),
                    code: code.clone(),
                    since: Instant::now(),
                });
                code
            }
        };
        Some(format!("/p/{code}"))
    }

    /// The picture of a code, while it works.
    pub fn find(&self, code: &str) -> Option<Waiting> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        self.forget(&mut waiting);
        waiting.iter().find(|other| other.code == code).cloned()
    }

    fn forget(&self, waiting: &mut VecDeque<Waiting>) {
        waiting.retain(|other| other.since.elapsed() < self.lifetime);
        while waiting.len() >= MOST {
            waiting.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> FinishedPicture {
        FinishedPicture::of_record(Arc::new(Picture::filled(1, 1, [0; 4]).unwrap()), Arc::default())
    }

    #[test]
    fn a_picture_has_one_address_which_ends() {
        let links = Links::new(Duration::from_secs(60));
        let (one, other) = (picture(), picture());
        let path = links.path(&one).unwrap();
        assert_eq!(links.path(&one).as_ref(), Some(&path));
        assert_ne!(links.path(&other).as_ref(), Some(&path));
        let code = path.strip_prefix("/p/").unwrap();
        assert_eq!(code.len(), LETTERS);
        assert!(Arc::ptr_eq(&links.find(code).unwrap().picture, &one.picture));
        assert!(links.find("").is_none() && links.find("abcdefghijkm").is_none());
        let brief = Links::new(Duration::ZERO);
        let path = brief.path(&one).unwrap();
        assert!(brief.find(&path[3..]).is_none());
    }

    #[test]
    fn the_oldest_make_room() {
        let links = Links::new(Duration::from_secs(60));
        let paths: Vec<String> = (0..MOST + 5).filter_map(|_| links.path(&picture())).collect();
        assert!(links.find(&paths[0][3..]).is_none());
        assert!(links.find(&paths[MOST + 4][3..]).is_some());
        assert!(links.waiting.lock().unwrap().len() <= MOST);
    }
}
