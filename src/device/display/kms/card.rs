//! The graphics cards of the machine, their connectors, and the choice of a mode.

use std::fmt;
use std::fs::{self, File};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use drm::control::{Device, Mode, ModeTypeFlags, connector, crtc};
use embedded_graphics::prelude::Size;

use super::OutputRequest;
use crate::device::display::{DisplayError, ModeRequest, device_file};

const FOLDER: &str = "/dev/dri";
const ADVICE: &str = "enable a display driver (on a Raspberry Pi `dtoverlay=vc4-kms-v3d` in config.txt)";

/// An open `/dev/dri/card*`.
pub struct Card(File);

impl AsFd for Card {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl drm::Device for Card {}
impl Device for Card {}

/// A connector of a card, as the kernel knows it without probing the display.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connector {
    /// The card's device file.
    pub card: PathBuf,
    /// Name as in `/sys/class/drm`: `HDMI-A-1`.
    pub name: String,
    /// Whether a display is connected.
    pub connected: bool,
    /// Modes such as `1920x1080@60`, the best first.
    pub modes: Vec<String>,
}

/// All connectors of all cards that this user may open.
pub fn connectors() -> Vec<Connector> {
    let mut found = Vec::new();
    for path in cards() {
        let Ok(card) = device_file::open(&path, "video", ADVICE).map(Card) else {
            continue;
        };
        let Ok(resources) = card.resource_handles() else { continue };
        let about = resources
            .connectors()
            .iter()
            .filter_map(|handle| card.get_connector(*handle, false).ok());
        found.extend(about.map(|about| Connector {
            card: path.clone(),
            name: about.to_string(),
            connected: about.state() == connector::State::Connected,
            modes: about.modes().iter().map(|mode| Candidate::of(mode).to_string()).collect(),
        }));
    }
    found
}

/// The cards that cannot be opened, and why.
pub fn denied() -> Vec<(PathBuf, DisplayError)> {
    let opened = |path: PathBuf| device_file::open(&path, "video", ADVICE).err().map(|error| (path, error));
    cards().into_iter().filter_map(opened).collect()
}

/// The cards' device files, in the order of their numbers.
fn cards() -> Vec<PathBuf> {
    let number = |path: &Path| path.file_name()?.to_str()?.strip_prefix("card")?.parse::<u32>().ok();
    let entries = fs::read_dir(FOLDER).into_iter().flatten().flatten();
    let mut cards: Vec<(u32, PathBuf)> = entries.filter_map(|entry| Some((number(&entry.path())?, entry.path()))).collect();
    cards.sort();
    cards.into_iter().map(|(_, path)| path).collect()
}

/// A connected display.
pub struct Found {
    /// The card.
    pub card: Card,
    /// The card's device file.
    pub path: PathBuf,
    /// The connector.
    pub connector: connector::Handle,
    /// The connector's name.
    pub name: String,
    /// The CRTC, which scans the picture out.
    pub crtc: crtc::Handle,
    /// Size and timing.
    pub mode: Mode,
}

/// The first display of all cards that matches the request. Probes displays, which may take a moment.
///
/// # Errors
/// As [`super::Kms::open`].
pub fn find(request: &OutputRequest) -> Result<Found, DisplayError> {
    let (mut problem, mut seen) = (None, Vec::new());
    for path in cards() {
        let card = match device_file::open(&path, "video", ADVICE) {
            Ok(file) => Card(file),
            Err(error) => {
                problem.get_or_insert(error);
                continue;
            }
        };
        match find_on(card, &path, request, &mut seen) {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => {}
            Err(error) => problem = Some(error),
        }
    }
    Err(problem.unwrap_or_else(|| nothing_found(request, &seen)))
}

fn nothing_found(request: &OutputRequest, seen: &[String]) -> DisplayError {
    if seen.is_empty() {
        return DisplayError::absent("kms", format!("no card in {FOLDER} has a connector"), ADVICE);
    }
    let seen = format!("the connectors are {}", seen.join(", "));
    match &request.connector {
        Some(name) => DisplayError::absent(format!("kms {name}"), "nothing is connected there", seen),
        None => DisplayError::absent("kms", "nothing is connected", format!("plug a display in; {seen}")),
    }
}

/// Cards without connectors, such as a Raspberry Pi's v3d, which only renders, are skipped.
fn find_on(card: Card, path: &Path, request: &OutputRequest, seen: &mut Vec<String>) -> Result<Option<Found>, DisplayError> {
    let Ok(resources) = card.resource_handles() else { return Ok(None) };
    for handle in resources.connectors() {
        let Ok(about) = card.get_connector(*handle, true) else { continue };
        let (name, state) = (about.to_string(), about.state());
        seen.push(format!("{name} ({})", format!("{state:?}").to_lowercase()));
        let named = request.connector.as_ref().is_some_and(|wanted| wanted.eq_ignore_ascii_case(&name));
        // Connectors that cannot detect a display are used if they are named.
        let usable = state == connector::State::Connected || (named && state == connector::State::Unknown);
        if !usable || (request.connector.is_some() && !named) || about.modes().is_empty() {
            continue;
        }
        let mode = choose(about.modes(), request.mode).map_err(|problem| DisplayError::failed(format!("kms {name}"), problem))?;
        let encoders = about.current_encoder().into_iter().chain(about.encoders().iter().copied());
        let mut encoders = encoders.filter_map(|encoder| card.get_encoder(encoder).ok());
        let crtc = encoders.find_map(|encoder| {
            let possible = resources.filter_crtcs(encoder.possible_crtcs());
            encoder.crtc().or_else(|| possible.first().copied())
        });
        let crtc = crtc.ok_or_else(|| DisplayError::failed(format!("kms {name}"), "no CRTC of the card can drive it"))?;
        return Ok(Some(Found {
            connector: *handle,
            path: path.to_owned(),
            name,
            crtc,
            mode,
            card,
        }));
    }
    Ok(None)
}

fn choose(modes: &[Mode], request: Option<ModeRequest>) -> Result<Mode, String> {
    let candidates: Vec<Candidate> = modes.iter().map(Candidate::of).collect();
    match best(&candidates, request) {
        Some(at) => Ok(modes[at]),
        None => {
            let mut have: Vec<String> = candidates.iter().map(Candidate::to_string).collect();
            have.dedup();
            let requested = request.map(|request| request.to_string()).unwrap_or_default();
            Err(format!("it has no mode {requested}; it has {}", have.join(", ")))
        }
    }
}

/// The properties of a mode that the choice depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Candidate {
    size: Size,
    /// Refresh rate in Hz.
    rate: u32,
    preferred: bool,
}

impl Candidate {
    fn of(mode: &Mode) -> Candidate {
        let (width, height) = mode.size();
        Candidate {
            size: Size::new(u32::from(width), u32::from(height)),
            rate: mode.vrefresh(),
            preferred: mode.mode_type().contains(ModeTypeFlags::PREFERRED),
        }
    }
}

impl fmt::Display for Candidate {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "{}x{}@{}", self.size.width, self.size.height, self.rate)
    }
}

/// The index of the display's preferred mode among those that match the request, or of the first of them.
fn best(candidates: &[Candidate], request: Option<ModeRequest>) -> Option<usize> {
    let fits =
        |mode: &Candidate| request.is_none_or(|request| request.size == mode.size && request.rate.is_none_or(|rate| rate == mode.rate));
    let fitting = || candidates.iter().enumerate().filter(|(_, mode)| fits(mode));
    fitting()
        .find(|(_, mode)| mode.preferred)
        .or_else(|| fitting().next())
        .map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(width: u32, height: u32, rate: u32, preferred: bool) -> Candidate {
        Candidate {
            size: Size::new(width, height),
            rate,
            preferred,
        }
    }

    #[test]
    fn modes_are_chosen_by_request_then_preference_then_order() {
        let modes = [
            mode(1920, 1080, 60, false),
            mode(1280, 720, 60, true),
            mode(1280, 720, 50, false),
            mode(1920, 1080, 50, false),
        ];
        let chosen = |request: &str| best(&modes, Some(request.parse().unwrap()));
        assert_eq!(best(&modes, None), Some(1));
        assert_eq!(best(&modes[2..], None), Some(0));
        assert_eq!(best(&[], None), None);
        assert_eq!(chosen("1920x1080"), Some(0));
        assert_eq!(chosen("1920x1080@50"), Some(3));
        assert_eq!(chosen("1280x720"), Some(1));
        assert_eq!(chosen("1280x720@50"), Some(2));
        assert_eq!(chosen("640x480"), None);
    }

    #[test]
    fn errors_name_what_is_missing() {
        let seen = ["HDMI-A-1 (disconnected)".to_owned()];
        let named = OutputRequest {
            connector: Some("HDMI-A-2".to_owned()),
            ..OutputRequest::default()
        };
        let error = nothing_found(&named, &seen).to_string();
        assert_eq!(
            error,
            "kms HDMI-A-2: nothing is connected there; the connectors are HDMI-A-1 (disconnected)"
        );
        assert!(
            nothing_found(&OutputRequest::default(), &seen)
                .to_string()
                .contains("plug a display in")
        );
        assert!(nothing_found(&OutputRequest::default(), &[]).to_string().contains("config.txt"));
    }
}
