//! The HTTP server: connections, their limits and their end. One thread serves all clients; whatever takes long runs on a few others. Depends on
//! hyper and tokio; knows no endpoint.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tower::ServiceExt;

/// Connections at once; more are closed.
const CONNECTIONS: usize = 512;
/// Connections of one address at once, other than this machine's own, behind which a proxy may be.
const OF_ONE: usize = 64;
/// How long a client may take to send its next request, or to take what it was sent.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longest request line with headers, in bytes.
const HEADERS: usize = 32 << 10;
/// Most headers.
const HEADER_COUNT: usize = 64;
/// Threads for files, pictures and other work that blocks.
const BLOCKING: usize = 2;

/// The address of a client.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// A running server. Dropping it ends it.
pub struct Server {
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves clients of a socket on a thread of its own. `accepts` tells whether a client is answered at all.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn start(listener: TcpListener, router: Router, accepts: impl Fn(SocketAddr) -> bool + Send + 'static) -> io::Result<Server> {
        listener.set_nonblocking(true)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(BLOCKING)
            .thread_keep_alive(Duration::from_secs(5))
            .build()?;
        let (stop, stopped) = watch::channel(false);
        let thread = std::thread::Builder::new().name("remote".into()).spawn(move || {
            let served = runtime.block_on(serve(listener, router, accepts, stopped));
            if let Err(error) = served {
                log::error!("the remote has ended: {error}");
            }
            // What still blocks ends by itself.
            runtime.shutdown_background();
        })?;
        Ok(Server {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            log::error!("the remote panicked");
        }
    }
}

async fn serve(
    listener: TcpListener,
    router: Router,
    accepts: impl Fn(SocketAddr) -> bool,
    mut stopped: watch::Receiver<bool>,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let connected = Connected::default();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.wait_for(|stopped| *stopped) => return Ok(()),
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            // No more files, or a client that has gone again.
            Err(error) => {
                log::debug!("a client was not accepted: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        if !accepts(peer) {
            log::debug!("{peer} is not in the local network and was not answered");
            continue;
        }
        let Ok(place) = room.clone().try_acquire_owned() else {
            log::debug!("{CONNECTIONS} clients are connected, which is the most: {peer} was not answered");
            continue;
        };
        let Some(counted) = Counted::new(&connected, peer.ip()) else {
            log::debug!("{peer} has {OF_ONE} connections, which is the most for one address");
            continue;
        };
        let router = router.clone();
        tokio::spawn(async move {
            if let Err(error) = connection(stream, Peer(peer), router).await {
                log::debug!("{peer}: {error}");
            }
            drop((place, counted));
        });
    }
}

/// Connections by address.
type Connected = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// A connection that is counted for as long as this lives.
struct Counted {
    connected: Connected,
    address: IpAddr,
}

impl Counted {
    /// `None` if the address has as many as it may.
    fn new(connected: &Connected, address: IpAddr) -> Option<Counted> {
        let address = address.to_canonical();
        let mut counts = connected.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= OF_ONE && !address.is_loopback() {
            return None;
        }
        *count += 1;
        Some(Counted {
            connected: connected.clone(),
            address,
        })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = self.connected.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

async fn connection(stream: TcpStream, peer: Peer, router: Router) -> Result<(), hyper::Error> {
    prepare(&stream);
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(peer);
        router.clone().oneshot(request)
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_headers(HEADER_COUNT)
        .max_buf_size(HEADERS)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

/// Small answers are sent at once, and a client that takes nothing of what it is sent is given up.
fn prepare(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        log::debug!("{error}");
    }
    #[cfg(target_os = "linux")]
    {
        use rustix::net::sockopt;
        let patience = u32::try_from(PATIENCE.as_millis()).unwrap_or(u32::MAX);
        if let Err(error) = sockopt::set_tcp_user_timeout(stream, patience) {
            log::debug!("{error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_take_all_connections() {
        let connected = Connected::default();
        let open = |address: &str| Counted::new(&connected, address.parse().unwrap());
        let mut held: Vec<Counted> = (0..OF_ONE).filter_map(|_| open("10.0.0.1")).collect();
        assert!(open("10.0.0.1").is_none() && open("::ffff:10.0.0.1").is_none() && open("10.0.0.2").is_some());
        held.pop();
        assert!(open("10.0.0.1").is_some());
        drop(held);
        assert!(connected.lock().unwrap().is_empty());
        let proxied: Vec<Counted> = (0..CONNECTIONS).filter_map(|_| open("127.0.0.1")).collect();
        assert_eq!(proxied.len(), CONNECTIONS);
    }
}
