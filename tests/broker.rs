//! A real broker, Debian's mosquitto, as Home Assistant's: `inkstone serve` is discovered there, takes wishes, and is not held up by a broker that
//! is away. Skipped, with a message, where mosquitto is not installed.

#![cfg(feature = "mqtt")]

mod support;

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use serde_json::Value;
use support::http::Served;

/// Longest that anything here may take; the machines that test are slow.
const PATIENCE: Duration = Duration::from_secs(120);

/// A process that ends with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Starts a broker with a user and a password.
fn broker(folder: &Path, port: u16) -> Option<Ended> {
    let passwords = folder.join("passwords");
    let made = Command::new("mosquitto_passwd")
        .args(["-b", "-c"])
        .arg(&passwords)
        .args(["frame", "secret"])
        .output();
    made.ok()?;
    let settings = format!(
        "listener {port} 127.0.0.1\nallow_anonymous false\npassword_file {}\nuser root\n",
        passwords.display()
    );
    std::fs::write(folder.join("mosquitto.conf"), settings).unwrap();
    let mut command = Command::new("mosquitto");
    command
        .arg("-c")
        .arg(folder.join("mosquitto.conf"))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let child = Ended(command.spawn().ok()?);
    let started = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(started.elapsed() < PATIENCE, "the broker does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    Some(child)
}

/// A client of the broker's makers.
fn client(name: &str, port: u16) -> Command {
    let mut command = Command::new(name);
    command.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-u", "frame", "-P", "secret"]);
    command
}

/// Everything that is published, as topic, length of the payload, and payload as text.
struct Messages {
    _client: Ended,
    lines: Receiver<(String, usize, String)>,
}

impl Messages {
    fn start(port: u16) -> Messages {
        let mut command = client("mosquitto_sub", port);
        command.args(["-t", "#", "-F", "%t\t%l\t%p"]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = Vec::new();
            while output.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                let mut parts = text.splitn(3, '\t');
                if let (Some(topic), Some(length), Some(payload)) = (parts.next(), parts.next(), parts.next())
                    && let Ok(length) = length.parse()
                    && sender.send((topic.to_owned(), length, payload.to_owned())).is_err()
                {
                    return;
                }
                line.clear();
            }
        });
        Messages {
            _client: Ended(child),
            lines,
        }
    }

    /// The next message whose topic ends like this and whose payload is as wanted.
    fn next(&self, ending: &str, wanted: impl Fn(usize, &str) -> bool) -> (String, String) {
        let started = Instant::now();
        let mut seen = Vec::new();
        while let Ok((topic, length, payload)) = self.lines.recv_timeout(PATIENCE.saturating_sub(started.elapsed())) {
            if topic.ends_with(ending) && wanted(length, &payload) {
                return (topic, payload);
            }
            seen.push((topic, payload.chars().take(80).collect::<String>()));
        }
        panic!("no {ending}; there came {seen:?}");
    }
}

fn publish(port: u16, topic: &str, payload: &str) {
    let mut command = client("mosquitto_pub", port);
    command.args(["-t", topic, "-m", payload]);
    assert!(command.status().unwrap().success());
}

fn serve(folder: &Path, port: u16) -> Served {
    std::fs::write(folder.join("password"), "secret\n").unwrap();
    let settings = format!("[mqtt]\nbroker = \"127.0.0.1:{port}\"\nuser = \"frame\"\npassword_file = \"password\"\n");
    Served::start(folder, &settings)
}

#[test]
fn home_assistant_finds_it_and_draws() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    // It starts, and draws, while the broker is away.
    let mut server = serve(folder.path(), port);
    assert_eq!(server.draw(&serde_json::json!({ "prompt": "cat", "steps": 1 }))["state"], "done");
    let Some(broker) = broker(folder.path(), port) else {
        eprintln!("skipped: needs mosquitto (apt-get install mosquitto mosquitto-clients)");
        return;
    };
    let messages = Messages::start(port);
    let (topic, config) = messages.next("/config", |_, payload| payload.contains("3d"));
    assert!(topic.starts_with("homeassistant/device/inkstone_"), "{topic}");
    let config: Value = serde_json::from_str(&config).unwrap();
    let components = config["cmps"].as_object().unwrap();
    for (key, component) in components {
        assert!(component["p"].is_string() && component["unique_id"].is_string(), "{key}");
    }
    let command = |key: &str| components[key]["command_topic"].as_str().unwrap().to_owned();
    assert!(config["o"]["name"] == "inkstone" && config["dev"]["ids"].is_string());
    let is_picture = |length: usize, payload: &str| length > 500 && payload.contains("PNG");
    messages.next("/picture", is_picture);
    // A wish by entities.
    publish(port, &command("prompt"), "red fox");
    messages.next("/prompt", |_, payload| payload == "red fox");
    publish(port, &command("style"), "flat");
    messages.next("/style", |_, payload| payload == "flat");
    publish(port, &command("steps"), "3");
    messages.next("/steps", |_, payload| payload == "2" || payload == "4");
    publish(port, &command("draw"), "PRESS");
    messages.next("/message", |_, payload| payload == "drawing");
    messages.next("/picture", is_picture);
    messages.next("/message", |_, payload| payload == "drawn");
    let kept = server.get("/api/v1/gallery").json();
    assert_eq!(
        (&kept["pictures"][0]["prompt"], &kept["pictures"][0]["style"]),
        (&"red fox".into(), &"flat".into())
    );
    // What cannot be drawn is told there, too.
    publish(port, &command("draw"), "zzgrblfx");
    messages.next("/message", |_, payload| payload.contains("zzgrblfx"));
    publish(port, &command("style"), "cubist");
    messages.next("/message", |_, payload| payload.contains("cubist"));
    messages.next("/style", |_, payload| payload == "flat");
    publish(port, &command("steps"), "few");
    messages.next("/message", |_, payload| payload.contains("number"));
    // Home Assistant starts again, and so does the broker.
    publish(port, "homeassistant/status", "online");
    messages.next("/config", |_, _| true);
    drop((messages, broker));
    let _broker = self::broker(folder.path(), port).unwrap();
    let messages = Messages::start(port);
    messages.next("/status", |_, payload| payload == "online");
    // A server that is killed is told to be away.
    server.process().kill().unwrap();
    messages.next("/status", |_, payload| payload == "offline");
}
