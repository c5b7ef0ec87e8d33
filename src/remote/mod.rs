//! The remote: pictures asked for through the network, by phones, programs, Home Assistant and other frames. Owns the HTTP server, the queue
//! that all of them share, and the rules of who may do what; depends on the kiosk, with or without a display, and on the pipeline through it.
//!
//! | file | what it owns |
//! |---|---|
//! | `server` | connections and their limits |
//! | `access`, `token` | who may do what |
//! | `routes` | which path is which endpoint |
//! | `api` | endpoints: our own, OpenAI's, AUTOMATIC1111's, the owner's |
//! | `page` | the page for phones |
//! | `wish`, `canvas`, `body`, `parameters`, `refusal` | what is asked for, and what is said if it cannot be |
//! | `queue` | what is drawn next |
//! | `gallery`, `links` | kept pictures; addresses to take one home |
//! | `frames` | other frames in the network |
//! | `mqtt` | a broker (feature `mqtt`) |
//! | `network` | names and addresses of this machine |
//!
//! Nothing of a request becomes a file name, a command or text of a terminal. Everything that a slow client, disk or broker could hold up runs
//! apart from drawing and from the buttons.

mod access;
mod api;
mod body;
mod canvas;
mod frames;
mod gallery;
mod links;
pub mod log_lines;
#[cfg(feature = "mqtt")]
mod mqtt;
mod network;
mod offer;
mod page;
mod parameters;
mod queue;
mod refusal;
mod routes;
mod server;
mod site;
mod token;
mod wish;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use access::Access;
use frames::Frames;
use gallery::Pictures;
use links::Links;
use network::Place;
use offer::Offer;
use queue::{Queue, Studio};
use server::Server;
use site::Site;
use token::Token;

use crate::kiosk::Handle;
use crate::kiosk::drawing_worker::{DrawingWorker, Lender};
use crate::kiosk::filter::{Filter, FilterError};
use crate::kiosk::gallery::Caps;
use crate::kiosk::language::Phrase;
use crate::kiosk::rules::worker_settings;
use crate::kiosk::settings::Settings;
use crate::kiosk::sources::Source;
use crate::kiosk::state::Code;

/// Why there is no remote.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// The address is in use, or is none of this machine's.
    #[error("cannot listen on {address}: {source}; choose another with [remote] listen in the settings or --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// The file of the owner's token.
    #[error("the owner's token: {0}")]
    Token(io::Error),
    /// The word filter.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// The system gives no thread.
    #[error("no thread could be started: {0}")]
    Thread(io::Error),
}

/// What a remote is started with.
pub struct Options {
    /// The settings: `remote`, `draw`, `filter` and `gallery`.
    pub settings: Settings,
    /// The file that they came from, which the owner may change.
    pub file: Option<PathBuf>,
    /// Whether the owner gets a new token; the earlier one ends.
    pub new_token: bool,
}

/// A running remote. Dropping it cancels what it draws and closes all connections.
pub struct Remote {
    // Declared in the order in which they end.
    #[cfg(feature = "mqtt")]
    _mqtt: Option<mqtt::Mqtt>,
    _server: Server,
    site: Arc<Site>,
    address: SocketAddr,
    secret: Option<String>,
}

impl Remote {
    /// Starts the remote of a kiosk, or of a drawing worker alone.
    ///
    /// # Errors
    /// If the address cannot be listened on, or a file of the settings is invalid.
    pub fn start(options: Options, lender: Lender, kiosk: Option<Handle>) -> Result<Remote, RemoteError> {
        let Options { settings, file, new_token } = options;
        let listen = settings.remote.listen;
        let failed = |source| RemoteError::Listen { address: listen, source };
        let listener = TcpListener::bind(listen).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (token, secret) = Token::of_folder(&settings.remote_folder(), new_token).map_err(RemoteError::Token)?;
        let site = Arc::new(site(settings, file, token, address, lender, kiosk)?);
        let accepting = site.clone();
        let accepts = move |peer: SocketAddr| accepting.access.accepts(peer.ip());
        let server = Server::start(listener, routes::routes(site.clone()), accepts).map_err(RemoteError::Thread)?;
        Ok(Remote {
            #[cfg(feature = "mqtt")]
            _mqtt: mqtt::Mqtt::start(&site),
            _server: server,
            site,
            address,
            secret,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where visitors reach it.
    pub fn url(&self) -> String {
        self.site.place.url()
    }

    /// The address of the owner's page with the token, if that was made just now: it is told this once.
    pub fn owner_url(&self) -> Option<String> {
        let secret = self.secret.as_ref()?;
        // What follows `#` is not sent to any server.
        Some(format!("{}/#owner={secret}", self.url()))
    }
}

fn site(
    settings: Settings,
    file: Option<PathBuf>,
    token: Token,
    address: SocketAddr,
    lender: Lender,
    kiosk: Option<Handle>,
) -> Result<Site, RemoteError> {
    let remote = &settings.remote;
    let filter = Filter::new(&settings.filter)?;
    let gallery = Pictures::new(settings.gallery_folder(), Caps::from(&settings.gallery));
    let offer: Arc<Mutex<Option<Offer>>> = Arc::default();
    learn(&lender, &offer);
    let studio = Studio {
        lender,
        kiosk: kiosk.clone(),
        gallery: gallery.clone(),
        filter: filter.clone(),
        offer: offer.clone(),
    };
    let host = network::host_name();
    let place = Place {
        listens: address,
        url: remote.url.clone(),
    };
    let name = remote.name.clone().unwrap_or_else(|| host.clone());
    let frames = if remote.discover && !address.ip().is_loopback() {
        Frames::discover(&name, &host, place.clone())
    } else {
        Frames::alone(&name, place.clone())
    };
    Ok(Site {
        queue: Queue::start(studio, remote.waiting).map_err(RemoteError::Thread)?,
        access: Access::new(remote, [host.clone(), format!("{host}.local")], token),
        links: Arc::new(Links::new(Duration::from_secs(60 * u64::from(remote.link_minutes)))),
        frames,
        filter,
        gallery,
        kiosk,
        offer,
        name,
        place,
        file,
        started: Instant::now(),
        settings,
    })
}

/// Learns what the pack offers, once it is open.
fn learn(lender: &Lender, offer: &Arc<Mutex<Option<Offer>>>) {
    let offer = offer.clone();
    lender.lend(Box::new(move |loan| {
        let known = loan.map(|loan| Offer::of(loan.pipeline, loan.settings));
        *offer.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = known;
    }));
}

/// A remote without a kiosk: `inkstone serve`.
pub struct Standalone {
    remote: Remote,
    _worker: DrawingWorker,
}

impl Standalone {
    /// Starts it with the pack in a folder.
    ///
    /// # Errors
    /// As [`Remote::start`].
    pub fn start(options: Options, pack: &std::path::Path) -> Result<Standalone, RemoteError> {
        let worker = DrawingWorker::start(worker_settings(&options.settings, pack), |_| {}).map_err(RemoteError::Thread)?;
        let remote = Remote::start(options, worker.lender(), None)?;
        // Who is told that it listens can ask at once.
        let (opened, waits) = mpsc::channel();
        worker.lender().lend(Box::new(move |_| opened.send(()).unwrap_or_default()));
        waits.recv().ok();
        Ok(Standalone { remote, _worker: worker })
    }

    /// The remote.
    pub fn remote(&self) -> &Remote {
        &self.remote
    }
}

/// The remote as a source of a kiosk: it starts where the settings say so, leads the code of "take home" to the picture, and shows a new
/// owner's token on the panel.
pub fn source(new_token: bool) -> Source {
    Source::new("remote", move |context| {
        if !context.settings.remote.enabled {
            return Ok(None);
        }
        let options = Options {
            settings: context.settings.clone(),
            file: context.file.map(ToOwned::to_owned),
            new_token,
        };
        let remote = Remote::start(options, context.lender.clone(), Some(context.kiosk.clone()))?;
        log::info!("phones and programs reach this kiosk at {}", remote.url());
        let (links, place) = (remote.site.links.clone(), remote.site.place.clone());
        context.kiosk.set_links(Arc::new(move |finished| {
            let path = links.path(finished)?;
            Some(format!("{}{path}", place.url()))
        }))?;
        if let Some(owner) = remote.owner_url() {
            context.kiosk.invite(Code {
                command: owner.clone(),
                link: Some(owner),
                invitation: context.settings.language.say(Phrase::OwnerPage).to_owned(),
            })?;
        }
        Ok(Some(Box::new(remote)))
    })
}
