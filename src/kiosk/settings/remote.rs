//! `[remote]` and `[mqtt]`: who may reach the kiosk through the network, and what for. The form of these tables alone; what they do is
//! in `crate::remote`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// `[remote]`: the HTTP server.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RemoteSettings {
    /// Whether the kiosk has a server. `inkstone serve` always has.
    pub enabled: bool,
    /// Address and port to listen on; `[::]` listens on IPv4 and IPv6.
    pub listen: SocketAddr,
    /// The name that other frames and Home Assistant show; by default the machine's.
    pub name: Option<String>,
    /// The address that visitors reach the server at, for QR codes, such as `http://10.42.0.1:7860`; by default that of the network.
    pub url: Option<String>,
    /// Names under which the server is reached besides the machine's own, such as that of a reverse proxy.
    pub hosts: Vec<String>,
    /// Whether addresses beyond the local network are served.
    pub anywhere: bool,
    /// Whether visitors may ask for pictures; otherwise the owner alone.
    pub visitors: bool,
    /// How many requests for pictures one address may make a minute, 1 to 1000.
    pub per_minute: u32,
    /// How many requests may wait, 1 to 256.
    pub waiting: usize,
    /// Most pictures of one request, 1 to 16.
    pub at_once: u32,
    /// Longest side of a picture in pixels, 8 to 4096.
    pub max_size: u32,
    /// Minutes for which the address of a picture that is taken home works, 1 to 1440.
    pub link_minutes: u32,
    /// Whether the server tells other frames of itself, and finds them (mDNS).
    pub discover: bool,
    /// The printer of CUPS that the owner prints on.
    pub printer: Option<String>,
    /// Whether the owner may switch the machine off.
    pub power_off: bool,
}

impl Default for RemoteSettings {
    fn default() -> Self {
        Self {
            enabled: false,
            listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 7860)),
            name: None,
            url: None,
            hosts: Vec::new(),
            anywhere: false,
            visitors: true,
            per_minute: 20,
            waiting: 16,
            at_once: 4,
            max_size: 1024,
            link_minutes: 15,
            discover: true,
            printer: None,
            power_off: false,
        }
    }
}

/// `[mqtt]`: a broker that the remote tells of itself.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct MqttSettings {
    /// Host of the broker, with a port where that is not 1883; none by default.
    pub broker: Option<String>,
    /// User name at the broker.
    pub user: Option<String>,
    /// File with the password, on its first line.
    pub password_file: Option<PathBuf>,
    /// The prefix under which Home Assistant looks for devices.
    pub discovery: String,
}

impl MqttSettings {
    /// Port of brokers without encryption.
    const PORT: u16 = 1883;

    /// Host and port of the broker; `None` if none is set, or it is none.
    pub fn address(&self) -> Option<(String, u16)> {
        let broker = self.broker.as_deref()?;
        let is_host = |host: &str| !host.is_empty() && host.chars().all(|letter| letter.is_ascii_alphanumeric() || ".-_".contains(letter));
        let (host, port) = match broker.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (broker, MqttSettings::PORT),
        };
        is_host(host).then(|| (host.to_owned(), port))
    }
}

impl Default for MqttSettings {
    fn default() -> Self {
        Self {
            broker: None,
            user: None,
            password_file: None,
            discovery: "homeassistant".into(),
        }
    }
}
