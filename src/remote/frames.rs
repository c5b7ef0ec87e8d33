//! Other frames in the network: tells them of this one and finds them (mDNS and DNS-SD, RFC 6762 and 6763), and passes wishes on. A network
//! without multicast has no frames and no errors. Depends on `mdns-sd` and on hyper as a client.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use mdns_sd::{IfKind, ResolvedService, ServiceDaemon, ServiceEvent, ServiceInfo};
use serde::Serialize;
use serde_json::Value;
use tokio::net::TcpStream;

use super::access::is_local;
use super::network::{Place, addresses, is_neighbour};
use super::token;

/// The service's type.
const SERVICE: &str = "_inkstone._tcp.local.";
/// Most frames that are listed.
const MOST: usize = 64;
/// How long another frame may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest answer of another frame in bytes.
const LONGEST: usize = 64 << 10;

/// A frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Frame {
    pub name: String,
    pub url: String,
    /// Whether it is this one.
    pub own: bool,
    #[serde(skip)]
    pub address: Option<SocketAddr>,
}

/// The frames that are known.
pub struct Frames {
    name: String,
    place: Place,
    found: Arc<Mutex<BTreeMap<String, Frame>>>,
    daemon: Option<ServiceDaemon>,
}

impl Frames {
    /// This frame alone.
    pub fn alone(name: &str, place: Place) -> Frames {
        Frames {
            name: name.to_owned(),
            place,
            found: Arc::default(),
            daemon: None,
        }
    }

    /// Tells the network of this frame, and looks for others on a thread of its own.
    pub fn discover(name: &str, host: &str, place: Place) -> Frames {
        let mut frames = Frames::alone(name, place);
        match frames.start(host) {
            Ok(daemon) => frames.daemon = Some(daemon),
            Err(error) => log::warn!("frames in the network do not find each other: {error}"),
        }
        frames
    }

    fn start(&self, host: &str) -> Result<ServiceDaemon, Box<dyn std::error::Error>> {
        let id = token::random(12)?;
        let daemon = ServiceDaemon::new()?;
        let listens = self.place.listens;
        // Other addresses would lead nowhere.
        if !listens.ip().is_unspecified() {
            daemon.disable_interface(IfKind::All)?;
            daemon.enable_interface(IfKind::Addr(listens.ip()))?;
        } else if listens.is_ipv4() {
            daemon.disable_interface(IfKind::IPv6)?;
        }
        let host = format!("{host}.local.");
        let properties = [("id", id.as_str()), ("version", env!("CARGO_PKG_VERSION")), ("path", "/")];
        // The addresses of now, and later those of then.
        let service = ServiceInfo::new(SERVICE, &self.name, &host, "", listens.port(), &properties[..])?.enable_addr_auto();
        daemon.register(service)?;
        let events = daemon.browse(SERVICE)?;
        let found = self.found.clone();
        std::thread::Builder::new().name("frames".into()).spawn(move || {
            while let Ok(event) = events.recv() {
                let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                match event {
                    ServiceEvent::ServiceResolved(service) if service.txt_properties.get_property_val_str("id") != Some(&id) => {
                        if let Some(frame) = frame(&service, &addresses(listens)).filter(|_| found.len() < MOST) {
                            found.insert(service.fullname.clone(), frame);
                        }
                    }
                    ServiceEvent::ServiceRemoved(_, name) => {
                        found.remove(&name);
                    }
                    _ => {}
                }
            }
        })?;
        Ok(daemon)
    }

    /// All of them by name.
    pub fn list(&self) -> Vec<Frame> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let own = Frame {
            name: self.name.clone(),
            url: self.place.url(),
            own: true,
            address: None,
        };
        let mut frames: Vec<Frame> = std::iter::once(own).chain(found.values().cloned()).collect();
        frames.sort_by(|one, other| (&one.name, &one.url).cmp(&(&other.name, &other.url)));
        frames
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        // Tells the others that this frame leaves.
        let ended = self.daemon.take().map(|daemon| daemon.shutdown());
        if let Some(Ok(ended)) = ended {
            ended.recv_timeout(Duration::from_millis(500)).ok();
        }
    }
}

/// A frame of the network: only at a local address, whatever it says.
fn frame(service: &ResolvedService, own: &[IpAddr]) -> Option<Frame> {
    let addresses = service.addresses.iter().map(|address| address.to_ip_addr());
    // Another program of this machine may be one.
    let is_near = |address: &IpAddr| (is_local(*address) && !address.is_loopback()) || own.contains(address);
    // Frames have addresses in networks of their own, too, such as those of containers.
    let rank = |address: &IpAddr| (!is_neighbour(*address), address.is_ipv6());
    let address = addresses.filter(is_near).min_by_key(rank)?;
    let name = service
        .fullname
        .strip_suffix(SERVICE)
        .unwrap_or(&service.fullname)
        .trim_end_matches('.');
    let printable = |letter: &char| !letter.is_control() && *letter != '\\';
    let address = SocketAddr::new(address, service.port);
    Some(Frame {
        name: name.chars().filter(printable).take(60).collect(),
        url: format!("http://{address}"),
        own: false,
        address: Some(address),
    })
}

/// Passes a request on to another frame and returns its answer.
///
/// # Errors
/// A sentence, if it does not answer, or refuses.
pub async fn pass_on(address: SocketAddr, path: &str, body: &Value) -> Result<Value, String> {
    tokio::time::timeout(PATIENCE, send(address, path, body))
        .await
        .unwrap_or_else(|_| Err("it does not answer".into()))
}

async fn send(address: SocketAddr, path: &str, body: &Value) -> Result<Value, String> {
    let failed = |error: &dyn std::fmt::Display| format!("it cannot be reached: {error}");
    let stream = TcpStream::connect(address).await.map_err(|error| failed(&error))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
    tokio::spawn(async move { connection.await.inspect_err(|error| log::debug!("another frame: {error}")) });
    let request = Request::post(path)
        .header(header::HOST, address.to_string())
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()))
        .map_err(|error| failed(&error))?;
    let answer = sender.send_request(request).await.map_err(|error| failed(&error))?;
    let status = answer.status();
    let bytes = to_bytes(Body::new(answer.into_body()), LONGEST)
        .await
        .map_err(|error| failed(&error))?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|_| "it gave an answer that is no JSON".to_owned())?;
    if status.is_success() {
        return Ok(value);
    }
    let message = value["error"]["message"].as_str().unwrap_or("it refused").to_owned();
    Err(message.chars().take(300).collect())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use serde_json::json;

    use super::*;

    /// What a frame that answers like this is understood as.
    fn answered(answer: &'static str) -> Result<Value, String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let frame = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = [0; 4096];
            let length = stream.read(&mut asked).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&asked[..length]).into_owned()
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let passed = runtime.block_on(pass_on(address, "/api/v1/jobs", &json!({ "prompt": "fox" })));
        let asked = frame.join().unwrap();
        assert!(
            asked.starts_with("POST /api/v1/jobs HTTP/1.1\r\n") && asked.ends_with("{\"prompt\":\"fox\"}"),
            "{asked}"
        );
        passed
    }

    #[test]
    fn what_other_frames_answer_is_passed_back() {
        let accepted = answered("HTTP/1.1 202 Accepted\r\nContent-Length: 10\r\n\r\n{\"id\":\"x\"}");
        assert_eq!(accepted, Ok(json!({ "id": "x" })));
        let refused = answered("HTTP/1.1 429 Too Many Requests\r\nContent-Length: 30\r\n\r\n{\"error\":{\"message\":\"later\"}} ");
        assert_eq!(refused, Err("later".to_owned()));
        assert!(
            answered("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
                .unwrap_err()
                .contains("no JSON")
        );
        assert!(answered("nonsense\r\n\r\n").unwrap_err().contains("cannot be reached"));
    }

    #[test]
    fn a_frame_alone_lists_itself() {
        let (listens, url) = ("10.0.0.1:7860".parse().unwrap(), None);
        let frames = Frames::alone("kitchen", Place { listens, url }).list();
        assert_eq!(frames[0].url, "http://10.0.0.1:7860");
        assert!(frames.len() == 1 && frames[0].own && frames[0].name == "kitchen");
    }
}
