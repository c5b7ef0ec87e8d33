//! Notifies systemd of readiness, status, watchdog, reloading and stopping (`sd_notify(3)`).
//! Owns when the watchdog is fed; depends on nothing of this crate.
//!
//! The watchdog is fed by the work itself and never by a timer, so that a kiosk whose drawing hangs is restarted: while a
//! picture is drawn only its steps feed it, otherwise the iterations of the main loop.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// The connection to the service manager. Does nothing without one, as on a desktop.
#[derive(Debug)]
pub struct Supervisor {
    /// How often the watchdog is fed: half of what the unit's `WatchdogSec` asks for.
    interval: Option<Duration>,
    fed: Option<Instant>,
    drawing: bool,
    status: String,
    /// Whether the last message failed, so that the failure is logged once.
    unheard: bool,
}

impl Supervisor {
    /// The service manager of this process, from `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`.
    pub fn from_environment() -> Supervisor {
        Supervisor {
            interval: sd_notify::watchdog_enabled().map(|period| period / 2),
            fed: None,
            drawing: false,
            status: String::new(),
            unheard: false,
        }
    }

    /// The longest time that the main loop may sleep; `None` without a watchdog.
    pub fn longest_sleep(&self) -> Option<Duration> {
        self.interval
    }

    /// The kiosk shows its first screen.
    pub fn ready(&mut self, status: &str, now: Instant) {
        self.status = line(status);
        self.send(|status| vec![NotifyState::Ready, NotifyState::Status(status)]);
        self.feed(now);
    }

    /// The status in a few words, for `systemctl status`; sent only when it changed.
    pub fn status(&mut self, status: &str) {
        let status = line(status);
        if status != self.status {
            self.status = status;
            self.send(|status| vec![NotifyState::Status(status)]);
        }
    }

    /// An iteration of the main loop is done. Feeds the watchdog if due, unless a picture is being drawn: then its steps do.
    pub fn turned(&mut self, now: Instant) {
        if !self.drawing {
            self.feed(now);
        }
    }

    /// A drawing has started.
    pub fn drawing(&mut self, now: Instant) {
        self.feed(now);
        self.drawing = true;
    }

    /// A stage of the drawing is done. Feeds the watchdog if due.
    pub fn step(&mut self, now: Instant) {
        self.feed(now);
    }

    /// The drawing has finished or was cancelled.
    pub fn drawn(&mut self, now: Instant) {
        self.drawing = false;
        self.feed(now);
    }

    /// The settings are being reloaded; [`Supervisor::ready`] ends that.
    pub fn reloading(&mut self) {
        let time = NotifyState::monotonic_usec_now().ok();
        self.send(|_| std::iter::once(NotifyState::Reloading).chain(time).collect());
    }

    /// The kiosk is shutting down.
    pub fn stopping(&mut self, status: &str) {
        self.status = line(status);
        self.send(|status| vec![NotifyState::Stopping, NotifyState::Status(status)]);
    }

    fn feed(&mut self, now: Instant) {
        let Some(interval) = self.interval else { return };
        if self.fed.is_none_or(|fed| now.saturating_duration_since(fed) >= interval) {
            self.fed = Some(now);
            self.send(|_| vec![NotifyState::Watchdog]);
        }
    }

    fn send<'a>(&'a mut self, states: impl FnOnce(&'a str) -> Vec<NotifyState<'a>>) {
        let sent = sd_notify::notify(&states(&self.status));
        if let Err(fault) = &sent
            && !self.unheard
        {
            log::warn!("cannot notify the service manager: {fault}");
        }
        self.unheard = sent.is_err();
    }
}

/// The text on one line: a line break would begin another message.
fn line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixDatagram;
    use std::process::Command;

    /// The part of the test that runs in a process of its own, whose surroundings are those of a service.
    const CHILD: &str = "INKSTONE_TEST_SUPERVISOR";

    #[test]
    fn a_service_manager_hears_everything() {
        if std::env::var_os(CHILD).is_some() {
            return speak();
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kiosk::supervisor::tests::a_service_manager_hears_everything"])
            .env(CHILD, "1")
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", "20000000")
            .env_remove("WATCHDOG_PID")
            .output()
            .unwrap();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
        socket.set_nonblocking(true).unwrap();
        let mut heard = Vec::new();
        let mut bytes = [0; 1024];
        while let Ok(length) = socket.recv(&mut bytes) {
            let text = String::from_utf8(bytes[..length].to_vec()).unwrap();
            heard.push(text.trim_end().to_owned());
        }
        let reload = heard
            .iter()
            .position(|text| text.starts_with("RELOADING=1\nMONOTONIC_USEC="))
            .unwrap();
        heard[reload].truncate("RELOADING=1".len());
        assert_eq!(
            heard,
            [
                "READY=1\nSTATUS=shows pictures READY=0",
                "WATCHDOG=1",
                "STATUS=draws a red fox",
                "WATCHDOG=1",
                "WATCHDOG=1",
                "WATCHDOG=1",
                "RELOADING=1",
                "READY=1\nSTATUS=shows pictures",
                "STOPPING=1\nSTATUS=ends",
            ]
        );
    }

    fn speak() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut supervisor = Supervisor::from_environment();
        assert_eq!(supervisor.longest_sleep(), Some(Duration::from_secs(10)));
        supervisor.ready("shows pictures\nREADY=0", at(0));
        supervisor.turned(at(5));
        supervisor.status("draws a red fox");
        supervisor.status("draws a red fox");
        supervisor.drawing(at(9));
        // The main loop goes on, but the picture does not: nothing is fed.
        supervisor.turned(at(15));
        supervisor.turned(at(60));
        supervisor.step(at(61));
        supervisor.step(at(62));
        supervisor.step(at(71));
        supervisor.drawn(at(72));
        supervisor.turned(at(80));
        supervisor.turned(at(81));
        supervisor.reloading();
        supervisor.ready("shows pictures", at(85));
        supervisor.stopping("ends");
    }

    #[test]
    fn without_a_service_manager_nothing_happens() {
        let mut supervisor = Supervisor {
            interval: None,
            ..Supervisor::from_environment()
        };
        supervisor.ready("shows pictures", Instant::now());
        supervisor.turned(Instant::now());
        assert_eq!(supervisor.longest_sleep(), None);
        assert!(!supervisor.unheard);
    }
}
