//! Who may do what: local addresses, names of this machine, pages of this server, the owner's token, and how often an address may ask.
//! Decides; knows no endpoint. Depends on the settings and on [`super::token`].
//!
//! | threat | what is done |
//! |---|---|
//! | the internet | other than private, link-local and loopback addresses are refused unless `anywhere` is set |
//! | DNS rebinding: a page of a foreign name that resolves to this machine | the `Host` must be an address, a name of this machine, or one of the settings |
//! | foreign pages that make a visitor's browser ask | an `Origin` other than this host is refused; JSON bodies need their type, which browsers ask about first |
//! | guessing the token | ten wrong ones a minute from an address, then it has to wait |
//! | one phone that asks for everything | a number of requests a minute, and a quarter of the queue, for each address |

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, StatusCode, Uri, header};

use super::refusal::Refusal;
use super::token::Token;
use crate::kiosk::settings::RemoteSettings;

/// Wrong tokens an address may send a minute.
const WRONG_TOKENS: u32 = 10;
/// The time over which requests are counted.
const MINUTE: Duration = Duration::from_secs(60);
/// Most addresses that are counted at once.
const MOST_ADDRESSES: usize = 4096;

/// The rules.
pub struct Access {
    anywhere: bool,
    visitors: bool,
    per_minute: u32,
    /// Names of this machine.
    names: Vec<String>,
    /// Names of the settings: a reverse proxy may serve pages under them.
    proxies: Vec<String>,
    token: Token,
    asked: Mutex<Counts>,
    wrong: Mutex<Counts>,
}

type Counts = HashMap<IpAddr, (Instant, u32)>;

impl Access {
    /// `names` are those of this machine.
    pub fn new(settings: &RemoteSettings, names: impl IntoIterator<Item = String>, token: Token) -> Access {
        let url: Option<Uri> = settings.url.as_ref().and_then(|url| url.parse().ok());
        let of_url = url.and_then(|url| url.host().map(str::to_owned));
        let lowercase = |host: String| host.to_ascii_lowercase();
        Access {
            anywhere: settings.anywhere,
            visitors: settings.visitors,
            per_minute: settings.per_minute,
            names: names.into_iter().map(lowercase).collect(),
            proxies: settings.hosts.iter().cloned().chain(of_url).map(lowercase).collect(),
            token,
            asked: Mutex::default(),
            wrong: Mutex::default(),
        }
    }

    /// Whether requests of this address are answered at all.
    pub fn accepts(&self, address: IpAddr) -> bool {
        self.anywhere || is_local(address)
    }

    /// Checks where a request says that it goes, and which page it comes from.
    pub fn check_request(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        if headers.get_all(header::HOST).iter().count() > 1 {
            return Err(Refusal::new(
                StatusCode::BAD_REQUEST,
                "invalid_request",
                "there are several Host headers",
            ));
        }
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let host = host.or_else(|| uri.authority().map(|authority| authority.as_str()));
        let host = host.ok_or_else(|| Refusal::new(StatusCode::BAD_REQUEST, "invalid_request", "the Host header is missing"))?;
        if !self.is_own(host) {
            let problem = format!("this server is not {}", shortened(host));
            let advice = "reach it by its address, or add the name to [remote] hosts in the settings";
            return Err(Refusal::new(
                StatusCode::MISDIRECTED_REQUEST,
                "unknown_host",
                format!("{problem}; {advice}"),
            ));
        }
        // What browsers say of pages of other sites, where they send no origin.
        if headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site")
            && headers.get("sec-fetch-mode").is_none_or(|mode| mode != "navigate")
        {
            return Err(Refusal::forbidden("pages of other sites may not use this server"));
        }
        let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
        let of = origin
            .to_str()
            .ok()
            .and_then(|origin| origin.split_once("://"))
            .map(|(_, host)| host);
        match of {
            Some(of) if of.eq_ignore_ascii_case(host) || self.is_own_behind_proxy(of) => Ok(()),
            _ => Err(Refusal::forbidden("pages of other sites may not use this server")),
        }
    }

    fn is_own(&self, host: &str) -> bool {
        let name = without_port(host).to_ascii_lowercase();
        let name = name.trim_end_matches('.');
        let is_address = name.parse::<IpAddr>().is_ok() || name.trim_matches(['[', ']']).parse::<Ipv6Addr>().is_ok();
        is_address || name == "localhost" || self.names.iter().chain(&self.proxies).any(|own| own == name)
    }

    /// Whether this is a name of the settings: a reverse proxy may change the host.
    fn is_own_behind_proxy(&self, host: &str) -> bool {
        let name = without_port(host).to_ascii_lowercase();
        self.proxies.contains(&name)
    }

    /// Whether a request comes from the owner. Clients of OpenAI's interface always send a key; one that is no token says nothing.
    pub fn is_owner(&self, headers: &HeaderMap) -> bool {
        bearer(headers).is_some_and(|given| self.token.matches(given))
    }

    /// Lets only the owner pass.
    ///
    /// # Errors
    /// If the token is missing or wrong; a wait if the address has sent too many wrong ones.
    pub fn check_owner(&self, address: IpAddr, headers: &HeaderMap) -> Result<(), Refusal> {
        // The right one always passes: behind a proxy others share its address, and 130 bits cannot be tried out.
        if self.is_owner(headers) {
            return Ok(());
        }
        if let Some(wait) = self.wait_of(&self.wrong, address, WRONG_TOKENS) {
            return Err(Refusal::too_many("too many wrong tokens", wait));
        }
        if bearer(headers).is_some() {
            self.count(&self.wrong, address);
        }
        let advice = "this is the owner's: send the token that the kiosk has shown (a new one: `inkstone serve --new-token`)";
        Err(Refusal::new(StatusCode::UNAUTHORIZED, "owner_only", advice))
    }

    /// Counts a request for a picture, and refuses it if there are too many.
    pub fn check_wish(&self, address: IpAddr, headers: &HeaderMap) -> Result<(), Refusal> {
        if !self.visitors {
            return self.check_owner(address, headers);
        }
        if self.is_owner(headers) {
            return Ok(());
        }
        if let Some(wait) = self.wait_of(&self.asked, address, self.per_minute) {
            let problem = format!("{} requests a minute are the most", self.per_minute);
            return Err(Refusal::too_many(problem, wait));
        }
        self.count(&self.asked, address);
        Ok(())
    }

    /// How long an address has to wait, if it was counted this often within a minute.
    fn wait_of(&self, counts: &Mutex<Counts>, address: IpAddr, most: u32) -> Option<Duration> {
        let counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, count) = counts.get(&counted(address))?;
        let wait = MINUTE.saturating_sub(since.elapsed());
        (*count >= most && !wait.is_zero()).then_some(wait)
    }

    fn count(&self, counts: &Mutex<Counts>, address: IpAddr) {
        let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
        let address = counted(address);
        if counts.len() >= MOST_ADDRESSES && !counts.contains_key(&address) {
            counts.retain(|_, (since, _)| since.elapsed() < MINUTE);
            if counts.len() >= MOST_ADDRESSES {
                counts.clear();
            }
        }
        let (since, count) = counts.entry(address).or_insert((Instant::now(), 0));
        if since.elapsed() >= MINUTE {
            (*since, *count) = (Instant::now(), 0);
        }
        *count += 1;
    }
}

/// The key under which requests of an address are counted. An IPv6 machine may use any address of its /64 network, so that network is counted as one.
fn counted(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address => address,
    }
}

/// Private, link-local, loopback and carrier-grade addresses (RFC 1918, 3927, 4193, 4291, 6598).
pub fn is_local(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, ..] = address.octets();
            address.is_private() || address.is_loopback() || address.is_link_local() || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(address) => address.is_loopback() || address.is_unicast_link_local() || address.is_unique_local(),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) && (!name.contains(':') || name.ends_with(']')) => name,
        _ => host,
    }
}

fn shortened(host: &str) -> String {
    let shown: String = host.chars().take(60).collect();
    format!("\"{}\"", shown.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn access(settings: RemoteSettings) -> Access {
        Access::new(&settings, ["Kiosk.local".to_owned()], Token::of_secret("secret"))
    }

    fn headers(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    fn check(access: &Access, host: &str, origin: Option<&str>) -> Result<(), &'static str> {
        let mut pairs = vec![(header::HOST, host)];
        pairs.extend(origin.map(|origin| (header::ORIGIN, origin)));
        let checked = access.check_request(&Uri::from_static("/"), &headers(&pairs));
        checked.map_err(|refusal| refusal.kind)
    }

    #[test]
    fn only_local_addresses_are_answered() {
        let is_local = |text: &str| is_local(text.parse().unwrap());
        for address in ["127.0.0.1", "192.168.1.7", "10.42.0.9", "172.31.0.1", "169.254.3.4", "100.64.0.1"] {
            assert!(is_local(address), "{address}");
        }
        for address in ["::1", "fe80::1", "fd00::7", "::ffff:192.168.1.7"] {
            assert!(is_local(address), "{address}");
        }
        for address in ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2001:db8::1", "::ffff:8.8.8.8", "0.0.0.0"] {
            assert!(!is_local(address), "{address}");
        }
        let anywhere = RemoteSettings {
            anywhere: true,
            ..RemoteSettings::default()
        };
        assert!(access(anywhere).accepts("8.8.8.8".parse().unwrap()));
    }

    #[test]
    fn foreign_names_and_pages_are_refused() {
        let settings = RemoteSettings {
            hosts: vec!["frame.example".into()],
            ..RemoteSettings::default()
        };
        let access = access(settings);
        for host in [
            "192.168.1.7:7860",
            "localhost",
            "KIOSK.local:80",
            "kiosk.local.",
            "[::1]:7860",
            "[fe80::1]",
            "frame.example",
        ] {
            assert_eq!(check(&access, host, None), Ok(()), "{host}");
        }
        for host in [
            "evil.example:7860",
            "kiosk.local.evil.example",
            "",
            "local",
            "kiosk.local:7860@evil.example",
        ] {
            assert_eq!(check(&access, host, None), Err("unknown_host"), "{host}");
        }
        assert_eq!(check(&access, "10.0.0.2:7860", Some("http://10.0.0.2:7860")), Ok(()));
        assert_eq!(check(&access, "10.0.0.2:7860", Some("https://frame.example")), Ok(()));
        for origin in ["http://evil.example", "http://10.0.0.2:8080", "null", "http://10.0.0.2"] {
            assert_eq!(check(&access, "10.0.0.2:7860", Some(origin)), Err("forbidden"), "{origin}");
        }
        assert_eq!(check(&access, "kiosk.local:7860", Some("http://kiosk.local:7860")), Ok(()));
        let of_another_server = check(&access, "kiosk.local:7860", Some("http://kiosk.local:8080"));
        assert_eq!(of_another_server, Err("forbidden"), "a page of another server of this machine");
        assert!(access.check_request(&Uri::from_static("/"), &HeaderMap::new()).is_err());
    }

    #[test]
    fn tokens_cannot_be_guessed_and_requests_are_counted() {
        let access = access(RemoteSettings {
            per_minute: 2,
            ..RemoteSettings::default()
        });
        let (one, other) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let bearer = |token: &str| headers(&[(header::AUTHORIZATION, token)]);
        assert!(access.is_owner(&bearer("Bearer secret")) && !access.is_owner(&HeaderMap::new()));
        for _ in 0..WRONG_TOKENS {
            assert_eq!(access.check_owner(one, &bearer("Bearer wrong")).unwrap_err().kind, "owner_only");
        }
        let refusal = access.check_owner(one, &bearer("Bearer other")).unwrap_err();
        assert_eq!(refusal.kind, "too_many_requests");
        assert!(refusal.retry_after.unwrap() <= MINUTE);
        assert_eq!(
            access.check_owner(one, &bearer("bearer secret")),
            Ok(()),
            "the owner is never locked out"
        );
        let nothing = HeaderMap::new();
        for _ in 0..2 {
            access.check_wish(other, &nothing).unwrap();
        }
        assert_eq!(access.check_wish(other, &nothing).unwrap_err().kind, "too_many_requests");
        assert_eq!(access.check_wish(other, &bearer("Bearer secret")), Ok(()));
        assert_eq!(access.check_wish(one, &nothing), Ok(()));
    }

    #[test]
    fn visitors_may_be_kept_out() {
        let access = access(RemoteSettings {
            visitors: false,
            ..RemoteSettings::default()
        });
        let address = "10.0.0.1".parse().unwrap();
        assert_eq!(access.check_wish(address, &HeaderMap::new()).unwrap_err().kind, "owner_only");
        let owner = headers(&[(header::AUTHORIZATION, "Bearer secret")]);
        assert_eq!(access.check_wish(address, &owner), Ok(()));
    }
}
