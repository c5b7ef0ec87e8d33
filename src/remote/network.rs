//! Names and addresses of this machine. Depends on `if-addrs`.

use std::fs;
use std::net::{IpAddr, SocketAddr};

use if_addrs::IfAddr;

use super::access::is_local;

/// Longest label of a host name (RFC 1035).
const LABEL: usize = 63;

/// The machine's name without a domain; `inkstone` if it has none.
pub fn host_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let label = name.trim().split('.').next().unwrap_or_default();
    let is_name = !label.is_empty() && label.len() <= LABEL && label.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-');
    if is_name { label.to_owned() } else { "inkstone".to_owned() }
}

/// Where others in the network reach a server.
#[derive(Clone, Debug)]
pub struct Place {
    /// What the server listens on.
    pub listens: SocketAddr,
    /// Where a reverse proxy has it, if the settings say so.
    pub url: Option<String>,
}

impl Place {
    /// The URL of now, without a slash at the end: a machine may get its addresses after the server was started, and others later.
    pub fn url(&self) -> String {
        if let Some(url) = &self.url {
            return url.trim_end_matches('/').to_owned();
        }
        let address = addresses(self.listens).into_iter().next().unwrap_or(IpAddr::from([127, 0, 0, 1]));
        format!("http://{}", SocketAddr::new(address, self.listens.port()))
    }
}

/// Whether an address lies in a network that this machine is in.
pub fn is_neighbour(address: IpAddr) -> bool {
    let own = if_addrs::get_if_addrs().unwrap_or_default();
    own.iter().any(|own| match (&own.addr, address) {
        (IfAddr::V4(own), IpAddr::V4(other)) => own.ip.to_bits() & own.netmask.to_bits() == other.to_bits() & own.netmask.to_bits(),
        (IfAddr::V6(own), IpAddr::V6(other)) => own.ip.to_bits() & own.netmask.to_bits() == other.to_bits() & own.netmask.to_bits(),
        _ => false,
    })
}

/// The addresses at which clients reach a server that listens here, the best one first. Where it listens on all IPv4 addresses these are the
/// machine's own; where it listens on `[::]`, those of both families.
pub fn addresses(listens: SocketAddr) -> Vec<IpAddr> {
    if !listens.ip().is_unspecified() {
        return vec![listens.ip()];
    }
    let found = if_addrs::get_if_addrs().inspect_err(|error| log::warn!("addresses of this machine: {error}"));
    let is_served = |found: &if_addrs::Interface| !found.is_loopback() && (listens.is_ipv6() || found.ip().is_ipv4());
    let mut addresses: Vec<_> = found.into_iter().flatten().filter(is_served).collect();
    // Containers and virtual machines have networks of their own.
    let is_virtual = |name: &str| {
        ["docker", "veth", "br-", "virbr", "tun", "tap"]
            .iter()
            .any(|kind| name.starts_with(kind))
    };
    let rank = |found: &if_addrs::Interface| {
        (
            is_virtual(&found.name),
            !is_local(found.ip()),
            found.is_link_local(),
            found.ip().is_ipv6(),
        )
    };
    addresses.sort_by_key(|found| (rank(found), found.name.clone()));
    addresses.iter().map(if_addrs::Interface::ip).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lead_to_an_address() {
        let url = |listens: &str, url: Option<&str>| {
            let (listens, url) = (listens.parse().unwrap(), url.map(str::to_owned));
            Place { listens, url }.url()
        };
        assert_eq!(url("127.0.0.1:7860", None), "http://127.0.0.1:7860");
        assert_eq!(url("[fe80::1]:80", None), "http://[fe80::1]:80");
        assert!(!url("0.0.0.0:7860", None).contains("0.0.0.0:"));
        assert_eq!(url("0.0.0.0:7860", Some("https://frame.example/")), "https://frame.example");
        assert!(!host_name().is_empty());
    }

    #[test]
    fn own_addresses_are_neighbours_and_documentation_is_not() {
        for own in addresses("[::]:0".parse().unwrap()) {
            assert!(is_neighbour(own), "{own}");
        }
        assert!(is_neighbour([127, 0, 0, 2].into()) && !is_neighbour([203, 0, 113, 7].into()));
    }
}
