//! The endpoints: one file an interface. Each takes what its clients send, builds a [`Wish`](super::wish::Wish), and tells what came of it in the form
//! that they expect. Depends on the rest of the remote, but not on its neighbours here.

pub mod automatic1111;
pub mod openai;
pub mod own;
pub mod owner;

use std::net::IpAddr;
use std::sync::Arc;

use axum::Extension;
use axum::http::HeaderMap;

use super::queue::{Job, Status};
use super::refusal::Refusal;
use super::server::Peer;
use super::site::{CancelOnDrop, Site};
use super::wish::Wish;

/// The address of a client, as endpoints are given it.
pub type From = Extension<Peer>;

fn address(from: &From) -> IpAddr {
    from.0.0.ip().to_canonical()
}

/// Runs what blocks, or takes long, apart from the other clients.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.map_err(Refusal::internal)
}

/// Whether a client may have something drawn, or decoded, now: asked before anything is done for it.
fn admit(site: &Site, from: &From, headers: &HeaderMap) -> Result<(), Refusal> {
    site.access.check_wish(address(from), headers)
}

/// Puts an admitted wish in the line.
async fn submit(site: &Arc<Site>, from: &From, headers: &HeaderMap, wish: Wish) -> Result<Arc<Job>, Refusal> {
    let (address, is_owner, site) = (address(from), site.access.is_owner(headers), site.clone());
    // Pictures are decoded.
    apart(move || site.submit(wish, address, is_owner)).await?
}

/// Puts an admitted wish in the line and waits for its pictures. If the client goes away before, it is cancelled.
async fn drawn(site: &Arc<Site>, from: &From, headers: &HeaderMap, wish: Wish) -> Result<Status, Refusal> {
    let job = submit(site, from, headers, wish).await?;
    let guard = CancelOnDrop {
        site: site.as_ref(),
        job: job.clone(),
    };
    let status = job.finished().await;
    drop(guard);
    match status.refusal {
        Some(refusal) => Err(refusal),
        None if status.pictures.is_empty() => Err(Refusal::cancelled()),
        None => Ok(status),
    }
}
