//! A client of a running `inkstone serve`, small enough to send what no real one would.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use assert_cmd::cargo::CommandCargoExt;
use serde_json::Value;

/// Longest that an answer may take; the machines that test are slow.
const PATIENCE: Duration = Duration::from_secs(120);

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

#[allow(dead_code, reason = "not every test file looks at all of it")]
impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// The kind of refusal.
    pub fn kind(&self) -> String {
        self.json()["error"]["kind"].as_str().unwrap_or_default().to_owned()
    }
}

/// A server in a process of its own.
pub struct Served {
    child: Child,
    pub address: SocketAddr,
    /// The owner's token.
    pub token: String,
}

#[allow(dead_code, reason = "not every test file uses all of it")]
impl Served {
    /// Starts `inkstone serve` with these settings on a free port; gallery and token lie in the folder, in which it was never started.
    pub fn start(folder: &Path, settings: &str) -> Served {
        Served::start_on("127.0.0.1:0", folder, settings)
    }

    /// The same on an address; clients of tests come through the loopback interface all the same.
    pub fn start_on(listen: &str, folder: &Path, settings: &str) -> Served {
        std::fs::write(folder.join("kiosk.toml"), settings).unwrap();
        let mut command = Command::cargo_bin("inkstone").unwrap();
        command
            .current_dir(folder)
            .env("INKSTONE_PACK", super::pack())
            .env("XDG_DATA_HOME", folder);
        command.env_remove("STATE_DIRECTORY").stderr(Stdio::null());
        command.args(["serve", "--config", "kiosk.toml", "--listen", listen]);
        let mut child = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().expect("it says where it listens").unwrap();
        let told: SocketAddr = first.strip_prefix("listening on http://").expect(&first).parse().unwrap();
        let address = ([127, 0, 0, 1], told.port()).into();
        let second = lines.next().expect("it shows a new owner's page").unwrap();
        let (_, token) = second.split_once("#owner=").expect(&second);
        Served {
            child,
            address,
            token: token.to_owned(),
        }
    }

    /// Asks it to end, and waits until it has.
    pub fn end(mut self) -> std::process::ExitStatus {
        let asked = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(asked.success());
        self.child.wait().unwrap()
    }

    pub fn process(&mut self) -> &mut Child {
        &mut self.child
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"")
    }

    pub fn post(&self, path: &str, value: &Value) -> Answer {
        self.send("POST", path, &[("Content-Type", "application/json")], value.to_string().as_bytes())
    }

    /// As the owner.
    pub fn own(&self, method: &str, path: &str, value: Option<&Value>) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        let headers = [("Content-Type", "application/json"), ("Authorization", bearer.as_str())];
        self.send(method, path, &headers, value.map_or(String::new(), Value::to_string).as_bytes())
    }

    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        exchange(self.address, method, path, headers, body)
    }

    pub fn connect(&self) -> TcpStream {
        connect(self.address)
    }

    /// Asks for pictures and waits until the job is over.
    pub fn draw(&self, wish: &Value) -> Value {
        let submitted = self.post("/api/v1/jobs", wish);
        assert_eq!(submitted.status, 202, "{}", String::from_utf8_lossy(&submitted.body));
        self.wait(submitted.json()["id"].as_str().unwrap())
    }

    /// Waits until a job is over.
    pub fn wait(&self, id: &str) -> Value {
        let started = Instant::now();
        loop {
            let job = self.get(&format!("/api/v1/jobs/{id}")).json();
            if ["done", "failed", "cancelled"].contains(&job["state"].as_str().unwrap()) {
                return job;
            }
            assert!(started.elapsed() < PATIENCE, "{job}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// One request on a connection of its own.
pub fn exchange(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut stream = connect(address);
    let mut head = format!(
        "{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    );
    if !headers.iter().any(|(name, _)| *name == "Host") {
        head += &format!("Host: {address}\r\n");
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
    // A server that refuses early does not read the rest.
    let _ = stream.write_all(body);
    answer(stream)
}

/// Reads a whole answer.
pub fn answer(stream: TcpStream) -> Answer {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let status = line
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or_else(|| panic!("{line:?}"));
    let mut headers = Vec::new();
    loop {
        line.clear();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let mut body = Vec::new();
    let is_chunked = headers
        .iter()
        .any(|(name, value)| name.eq_ignore_ascii_case("transfer-encoding") && value == "chunked");
    if is_chunked {
        read_chunks(&mut reader, &mut body);
    } else {
        reader.read_to_end(&mut body).ok();
    }
    Answer { status, headers, body }
}

fn read_chunks(reader: &mut impl BufRead, body: &mut Vec<u8>) {
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let length = usize::from_str_radix(line.trim(), 16).unwrap_or(0);
        if length == 0 {
            return;
        }
        let mut chunk = vec![0; length + 2];
        reader.read_exact(&mut chunk).unwrap();
        body.extend_from_slice(&chunk[..length]);
    }
}
