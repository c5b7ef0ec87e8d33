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
use super::site::{AwaitedJob, Site};
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

/// The same for a client that waits for the pictures: if it goes away before, they are not drawn.
async fn awaited(site: &Arc<Site>, from: &From, headers: &HeaderMap, wish: Wish) -> Result<AwaitedJob, Refusal> {
    let (address, is_owner, site) = (address(from), site.access.is_owner(headers), site.clone());
    // Made where the job is submitted: nothing after the first `await` runs for a client that has gone.
    apart(move || {
        let job = site.submit(wish, address, is_owner)?;
        Ok(AwaitedJob::new(site, job))
    })
    .await?
}

/// Puts an admitted wish in the line and waits for its pictures.
async fn drawn(site: &Arc<Site>, from: &From, headers: &HeaderMap, wish: Wish) -> Result<Status, Refusal> {
    let awaited = awaited(site, from, headers, wish).await?;
    let status = awaited.job().finished().await;
    match status.refusal {
        Some(refusal) => Err(refusal),
        None if status.pictures.is_empty() => Err(Refusal::cancelled()),
        None => Ok(status),
    }
}
