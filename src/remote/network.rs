//! Names and addresses of this machine. Depends on `if-addrs`.

use std::fs;
use std::net::{IpAddr, SocketAddr};

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

/// Where others in the network reach a server of this address: at that of the machine, if it listens on all; a hotspot's address is one, too.
pub fn url(listens: SocketAddr) -> String {
    let address = if listens.ip().is_unspecified() {
        own_address()
    } else {
        listens.ip()
    };
    format!("http://{}", SocketAddr::new(address, listens.port()))
}

/// A local address of this machine, IPv4 first; loopback without a network.
fn own_address() -> IpAddr {
    let found = if_addrs::get_if_addrs().inspect_err(|error| log::warn!("addresses of this machine: {error}"));
    let addresses = found.into_iter().flatten().filter(|found| !found.is_loopback());
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
    let best = addresses.min_by_key(|found| (rank(found), found.name.clone()));
    best.map_or(IpAddr::from([127, 0, 0, 1]), |found| found.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lead_to_an_address() {
        assert_eq!(url("127.0.0.1:7860".parse().unwrap()), "http://127.0.0.1:7860");
        assert_eq!(url("[fe80::1]:80".parse().unwrap()), "http://[fe80::1]:80");
        assert!(!url("0.0.0.0:7860".parse().unwrap()).contains("0.0.0.0:"));
        assert!(!host_name().is_empty());
    }
}
