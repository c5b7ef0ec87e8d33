//! The remote inside a kiosk: one line for phones and buttons, the panel, the code that leads to a picture.

#![cfg(feature = "remote")]

mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use inkstone::Request;
use inkstone::device::buttons::{Button, Gesture};
use inkstone::kiosk::settings::Settings;
use inkstone::kiosk::state::{Code, Scene, View};
use inkstone::kiosk::{Handle, Kiosk, Options};
use serde_json::{Value, json};
use support::http::{Answer, exchange};
use support::pack;

/// Longest that anything here may take; the machines that test are slow.
const PATIENCE: Duration = Duration::from_secs(120);

/// A kiosk that shows into a folder, with a remote.
struct Running {
    handle: Handle,
    address: SocketAddr,
    /// The owner's token, as the panel shows it.
    token: String,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Running {
    fn start(folder: &Path, more: &str) -> Running {
        let text = format!(
            "threads = 1\n[display]\nkind = \"png:frames\"\nsize = \"480x320\"\n[gallery]\nfolder = \"gallery\"\n[remote]\nenabled = true\nlisten = \"127.0.0.1:0\"\n{more}"
        );
        let file = folder.join("kiosk.toml");
        std::fs::write(&file, text).unwrap();
        let mut settings = Settings::load(&file).unwrap();
        settings.display.kind = format!("png:{}", folder.join("frames").display()).parse().unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let options = Options::new(pack()).file(Some(file)).sources(vec![inkstone::remote::source(true)]);
            let kiosk = Kiosk::new(settings, options).unwrap();
            sender.send(kiosk.handle()).unwrap();
            kiosk.run().unwrap();
        });
        let handle = receiver.recv().unwrap();
        let mut running = Running {
            handle,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            token: String::new(),
            thread: Some(thread),
        };
        // The panel shows the owner's page once.
        let view = running.wait(|view| matches!(view.scene, Scene::Code(_)));
        let Scene::Code(Code { link: Some(link), .. }) = view.scene else {
            panic!()
        };
        let (address, token) = link.strip_prefix("http://").unwrap().split_once("/#owner=").unwrap();
        (running.address, running.token) = (address.parse().unwrap(), token.to_owned());
        running.handle.press(Button::D, Gesture::Short).unwrap();
        running.wait(|view| matches!(view.scene, Scene::Attract { .. }));
        running
    }

    fn wait(&self, wanted: impl Fn(&View) -> bool) -> View {
        let (started, mut views) = (Instant::now(), self.handle.subscribe());
        loop {
            let Some(left) = PATIENCE.checked_sub(started.elapsed()) else {
                panic!(
                    "the kiosk does not get there: {:?}",
                    views
                        .latest()
                        .map(|view| (title(&view).map(str::to_owned), view.legends.clone(), view.notice.clone()))
                );
            };
            if let Ok(view) = views.next_within(left)
                && wanted(&view)
            {
                return (*view).clone();
            }
        }
    }

    fn send(&self, method: &str, path: &str, value: &Value) -> Answer {
        let body = if value.is_null() { String::new() } else { value.to_string() };
        exchange(self.address, method, path, &[("Content-Type", "application/json")], body.as_bytes())
    }

    fn own(&self, method: &str, path: &str, value: &Value) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        let body = if value.is_null() { String::new() } else { value.to_string() };
        let headers = [("Content-Type", "application/json"), ("Authorization", bearer.as_str())];
        exchange(self.address, method, path, &headers, body.as_bytes())
    }

    fn job(&self, id: &str) -> Value {
        let started = Instant::now();
        loop {
            let job = self.send("GET", &format!("/api/v1/jobs/{id}"), &Value::Null).json();
            if ["done", "failed", "cancelled"].contains(&job["state"].as_str().unwrap()) {
                return job;
            }
            assert!(started.elapsed() < PATIENCE, "{job}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.stop().ok();
        let ended = self.thread.take().map(std::thread::JoinHandle::join);
        assert!(std::thread::panicking() || ended.is_some_and(|ended| ended.is_ok()));
    }
}

fn title(view: &View) -> Option<&str> {
    match &view.scene {
        Scene::Picture { shown, .. } => Some(&shown.title),
        _ => None,
    }
}

#[test]
fn a_wish_is_shown_kept_and_taken_home() {
    let folder = tempfile::tempdir().unwrap();
    let kiosk = Running::start(folder.path(), "");
    let submitted = kiosk
        .send(
            "POST",
            "/api/v1/jobs",
            &json!({ "prompt": "red fox", "style": "flat", "seed": 7, "steps": 1 }),
        )
        .json();
    kiosk.wait(|view| title(view) == Some("fox · red"));
    let job = kiosk.job(submitted["id"].as_str().unwrap());
    let picture = kiosk.send("GET", job["pictures"][0]["url"].as_str().unwrap(), &Value::Null).body;
    let panel = kiosk.send("GET", "/api/v1/panel", &Value::Null).json();
    assert_eq!(
        (&panel["scene"], &panel["title"]),
        (&"picture".into(), &"fox · red".into()),
        "{panel}"
    );
    // It is the picture that the buttons would have drawn, and its code leads to the file.
    let drawn = inkstone::Pipeline::open(pack())
        .unwrap()
        .generate(&Request::new("red fox").style("flat").seed(7).steps(1))
        .unwrap();
    assert_eq!(inkstone::picture::png::decode(&picture).unwrap().picture, drawn.picture);
    kiosk.handle.press(Button::D, Gesture::Short).unwrap();
    let view = kiosk.wait(|view| matches!(view.scene, Scene::Picture { code: Some(_), .. }));
    let Scene::Picture { code: Some(code), .. } = view.scene else {
        panic!()
    };
    assert!(
        code.command.starts_with("inkstone generate \"red fox\" --style flat --seed 7"),
        "{}",
        code.command
    );
    let link = code.link.unwrap();
    let path = link.strip_prefix(&format!("http://{}", kiosk.address)).unwrap();
    assert_eq!(kiosk.send("GET", path, &Value::Null).body, picture);
    assert_eq!(support::files(&folder.path().join("gallery")), ["000001-red-fox.png"]);
    // Keeping it marks the file that is there.
    kiosk.handle.press(Button::C, Gesture::Short).unwrap();
    let started = Instant::now();
    while support::files(&folder.path().join("gallery")) != ["000001-red-fox.favourite.png"] {
        assert!(started.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn whoever_presses_a_button_comes_first() {
    let folder = tempfile::tempdir().unwrap();
    let kiosk = Running::start(folder.path(), "");
    let long = json!({ "prompt": "cat", "steps": 4, "size": 1024, "count": 4, "keep": false, "show": false });
    let submitted = kiosk.send("POST", "/api/v1/jobs", &long).json();
    let path = format!("/api/v1/jobs/{}", submitted["id"].as_str().unwrap());
    while kiosk.send("GET", &path, &Value::Null).json()["state"] != "drawing" {}
    kiosk.handle.request(&Request::new("dog").style("flat").seed(3).steps(1)).unwrap();
    kiosk.wait(|view| title(view) == Some("dog"));
    let meanwhile = kiosk.send("GET", &path, &Value::Null).json();
    assert!(
        meanwhile["pictures"].as_array().unwrap().len() < 4,
        "the visitor waited: {meanwhile}"
    );
    assert_eq!(kiosk.job(submitted["id"].as_str().unwrap())["state"], "done");
    // A visitor who is choosing is not disturbed; the picture is kept.
    kiosk.handle.press(Button::D, Gesture::Short).unwrap();
    kiosk.handle.press(Button::D, Gesture::Short).unwrap();
    kiosk.wait(|view| matches!(view.scene, Scene::Choose { .. }));
    let submitted = kiosk.send("POST", "/api/v1/jobs", &json!({ "prompt": "owl", "steps": 1 })).json();
    assert!(kiosk.job(submitted["id"].as_str().unwrap())["pictures"][0]["number"].is_u64());
    kiosk.wait(|view| matches!(view.scene, Scene::Choose { .. }));
}

#[test]
fn the_owner_presses_buttons_and_curates_the_slide_show() {
    let folder = tempfile::tempdir().unwrap();
    let kiosk = Running::start(folder.path(), "");
    let submitted = kiosk
        .send("POST", "/api/v1/jobs", &json!({ "prompt": "owl", "steps": 1, "show": false }))
        .json();
    let number = kiosk.job(submitted["id"].as_str().unwrap())["pictures"][0]["number"]
        .as_u64()
        .unwrap();
    assert_eq!(
        kiosk.send("POST", "/api/v1/owner/press", &json!({ "button": "a" })).kind(),
        "owner_only"
    );
    assert_eq!(kiosk.own("POST", "/api/v1/owner/press", &json!({ "button": "a" })).status, 204);
    kiosk.wait(|view| matches!(view.scene, Scene::Choose { .. }));
    assert_eq!(
        kiosk.own("POST", "/api/v1/owner/press", &json!({ "button": "e" })).kind(),
        "invalid_request"
    );
    let path = format!("/api/v1/owner/gallery/{number}");
    // Choosing is not interrupted, the slide show is.
    assert_eq!(kiosk.own("POST", &format!("{path}/show"), &Value::Null).kind(), "panel_busy");
    kiosk.handle.press(Button::Back, Gesture::Short).unwrap();
    kiosk.wait(|view| matches!(view.scene, Scene::Attract { .. }));
    assert_eq!(kiosk.own("POST", &format!("{path}/show"), &Value::Null).status, 204);
    kiosk.wait(|view| title(view) == Some("owl"));
    assert_eq!(kiosk.own("POST", &format!("{path}/hide"), &Value::Null).status, 204);
    assert_eq!(support::files(&folder.path().join("gallery/hidden")).len(), 1);
    // A kiosk that could not be reached any more, or would not start, is refused.
    for text in ["", "remote.enabled = true\npack = \"nowhere\"\n"] {
        assert_eq!(
            kiosk.own("PUT", "/api/v1/owner/settings", &json!({ "text": text })).status,
            400,
            "{text}"
        );
    }
    // Settings are read again at once.
    let text = std::fs::read_to_string(folder.path().join("kiosk.toml")).unwrap();
    let german = format!("language = \"de\"\n{text}");
    let answer = kiosk.own("PUT", "/api/v1/owner/settings", &json!({ "text": german }));
    assert_eq!((answer.status, &answer.json()["reloaded"]), (200, &true.into()));
}
