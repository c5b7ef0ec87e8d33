//! The page for phones in a real browser: headless Chromium, steered through chromedriver (W3C WebDriver), at a phone's and a desktop's size.
//! Skipped, with a message, where chromedriver is not installed. `INKSTONE_PICTURES=FOLDER` keeps pictures of the pages.

#![cfg(feature = "remote")]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use support::http::Served;

/// Longest that anything here may take; the machines that test are slow.
const PATIENCE: Duration = Duration::from_secs(120);
/// The key of an element in WebDriver's answers.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// chromedriver with one browser.
struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// A browser with a window of this size, in a language; `None` without chromedriver.
    fn start(width: u32, height: u32, language: &str) -> Option<Browser> {
        let mut command = Command::new("chromedriver");
        let mut driver = command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
        let mut lines = BufReader::new(driver.stdout.take()?).lines().map_while(Result::ok);
        let port = lines.find_map(|line| line.split_once("successfully on port ")?.1.trim_end_matches('.').parse().ok());
        let mut browser = Browser {
            driver,
            address: SocketAddr::from(([127, 0, 0, 1], port.expect("chromedriver says where it listens"))),
            session: String::new(),
            _profile: tempfile::tempdir().unwrap(),
        };
        // It goes on writing.
        std::thread::spawn(move || lines.for_each(drop));
        let folder = browser._profile.path().display().to_string();
        let arguments = [
            "--headless=new".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--hide-scrollbars".to_owned(),
            format!("--user-data-dir={folder}"),
            format!("--lang={language}"),
        ];
        let metrics = json!({ "width": width, "height": height, "pixelRatio": 1.0, "touch": width < 600, "mobile": width < 600 });
        let chrome =
            json!({ "args": arguments, "mobileEmulation": { "deviceMetrics": metrics }, "prefs": { "intl.accept_languages": language } });
        let capabilities =
            json!({ "capabilities": { "alwaysMatch": { "goog:loggingPrefs": { "browser": "ALL" }, "goog:chromeOptions": chrome } } });
        let answer = browser.ask("POST", "/session", &capabilities);
        browser.session = answer["sessionId"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        Some(browser)
    }

    fn ask(&self, method: &str, path: &str, value: &Value) -> Value {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let body = if method == "GET" { String::new() } else { value.to_string() };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        // It keeps the connection open.
        let mut reader = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let answer: Value = serde_json::from_slice(&body).unwrap();
        assert!(answer["value"]["error"].is_null(), "{path}: {answer}");
        answer["value"].clone()
    }

    fn of_session(&self, method: &str, path: &str, value: &Value) -> Value {
        self.ask(method, &format!("/session/{}{path}", self.session), value)
    }

    fn open(&self, url: &str) {
        self.of_session("POST", "/url", &json!({ "url": url }));
    }

    fn find(&self, css: &str) -> String {
        let found = self.of_session("POST", "/element", &json!({ "using": "css selector", "value": css }));
        found[ELEMENT].as_str().unwrap_or_else(|| panic!("{css}: {found}")).to_owned()
    }

    fn click(&self, css: &str) {
        let element = self.find(css);
        self.of_session("POST", &format!("/element/{element}/click"), &json!({}));
    }

    fn write(&self, css: &str, text: &str) {
        let element = self.find(css);
        self.of_session("POST", &format!("/element/{element}/clear"), &json!({}));
        self.of_session("POST", &format!("/element/{element}/value"), &json!({ "text": text }));
    }

    /// What a script returns.
    fn run(&self, script: &str) -> Value {
        self.of_session("POST", "/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Waits until a script returns true.
    fn wait(&self, script: &str) {
        let started = Instant::now();
        while self.run(script) != json!(true) {
            let text = self.run("return document.body.innerText");
            assert!(started.elapsed() < PATIENCE, "{script}\n{text}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// A drag over an element, from its centre in steps of pixels, as a finger or mouse does.
    fn draw(&self, css: &str, path: &[(i32, i32)]) {
        let element = self.find(css);
        let origin = json!({ ELEMENT: element });
        let mut actions = Vec::new();
        for (index, (x, y)) in path.iter().enumerate() {
            actions.push(json!({ "type": "pointerMove", "duration": 30, "x": x, "y": y, "origin": origin }));
            if index == 0 {
                actions.push(json!({ "type": "pointerDown", "button": 0 }));
            }
        }
        actions.push(json!({ "type": "pointerUp", "button": 0 }));
        let finger = json!({ "type": "pointer", "id": "finger", "parameters": { "pointerType": "touch" }, "actions": actions });
        self.of_session("POST", "/actions", &json!({ "actions": [finger] }));
    }

    /// What the browser complains about.
    fn complaints(&self) -> Vec<String> {
        let log = self.of_session("POST", "/se/log", &json!({ "type": "browser" }));
        let severe = log.as_array().into_iter().flatten().filter(|entry| entry["level"] == "SEVERE");
        severe
            .map(|entry| entry["message"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// Keeps a picture of the page where `INKSTONE_PICTURES` says.
    fn picture(&self, name: &str) {
        if let Some(folder) = std::env::var_os("INKSTONE_PICTURES") {
            let png = self.of_session("GET", "/screenshot", &Value::Null);
            let bytes = STANDARD.decode(png.as_str().unwrap()).unwrap();
            std::fs::write(Path::new(&folder).join(format!("{name}.png")), bytes).unwrap();
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() && !std::thread::panicking() {
            self.ask("DELETE", &format!("/session/{}", self.session), &json!({}));
        }
        self.driver.kill().ok();
        self.driver.wait().ok();
    }
}

fn serve(folder: &Path) -> Served {
    Served::start(folder, "[remote]\nper_minute = 1000\nname = \"kitchen frame\"\n")
}

fn browser(width: u32, height: u32, language: &str) -> Option<Browser> {
    let browser = Browser::start(width, height, language);
    if browser.is_none() {
        eprintln!("skipped: needs chromedriver (apt-get install chromium-driver)");
    }
    browser
}

const READY: &str = "return document.querySelectorAll('#styles input').length > 5";
const DRAWN: &str = "return document.querySelector('#progress').hidden && document.querySelectorAll('#drawn li[data-state=done] img').length > 0 \
    && [...document.querySelectorAll('#drawn img')].every((image) => image.complete && image.naturalWidth > 0)";

#[test]
fn a_visitor_draws_on_a_phone() {
    let folder = tempfile::tempdir().unwrap();
    let Some(browser) = browser(390, 844, "en") else { return };
    let server = serve(folder.path());
    browser.open(&format!("http://{}/", server.address));
    browser.wait(READY);
    assert_eq!(browser.run("return document.title"), "kitchen frame");
    browser.write("#prompt", "fox");
    browser.click("#styles input[value=flat]");
    browser.click("#colours input[value=red]");
    assert_eq!(
        browser.run("return document.querySelector('#styles input[value=flat] + span').textContent"),
        "flat colour"
    );
    browser.picture("remote-wish");
    browser.click("#ask button[type=submit]");
    browser.wait(DRAWN);
    let listed = server.get("/api/v1/gallery").json();
    assert_eq!(
        (&listed["pictures"][0]["prompt"], &listed["pictures"][0]["style"]),
        (&"red fox".into(), &"flat".into())
    );
    browser.run("document.querySelector('#drawn').scrollIntoView()");
    browser.picture("remote-phone");
    // Four to choose from.
    browser.run("scrollTo(0, 0)");
    browser.write("#prompt", "owl");
    browser.click("input[name=count][value='4']");
    browser.click("#ask button[type=submit]");
    browser
        .wait("return document.querySelector('#progress').hidden && document.querySelectorAll('#drawn li[data-state=done]').length === 4");
    // What cannot be drawn is said.
    browser.write("#prompt", "zzgrblfx");
    browser.click("input[name=count][value='1']");
    browser.click("#ask button[type=submit]");
    browser.wait("return !document.querySelector('#trouble').hidden && document.querySelector('#trouble').textContent.includes('none of these words')");
    // The gallery, and one picture large.
    browser.click("[data-part=gallery]");
    browser.wait("return document.querySelectorAll('#kept img').length === 5");
    browser.click("#kept li:last-child button");
    browser.wait("return document.querySelector('#large').open && document.querySelector('#about').textContent === 'red fox'");
    assert_eq!(
        browser.run("return document.querySelectorAll('#actions button').length"),
        0,
        "curation is the owner's"
    );
    browser.click("#close");
    browser.picture("remote-gallery");
    // Nothing is wider than the phone, and everything can be hit with a finger.
    assert_eq!(browser.run("return document.documentElement.scrollWidth <= 390"), true);
    let small = "return [...document.querySelectorAll('button, input, select, summary')].filter((each) => each.offsetParent && Math.min(each.offsetWidth, each.offsetHeight) < 22).map((each) => each.outerHTML)";
    assert_eq!(browser.run(small), json!([]));
    let complaints: Vec<String> = browser.complaints().into_iter().filter(|each| !each.contains("favicon")).collect();
    assert!(complaints.is_empty(), "{complaints:?}");
}

#[test]
fn a_finger_sketches_and_the_picture_follows() {
    let folder = tempfile::tempdir().unwrap();
    let Some(browser) = browser(390, 844, "en") else { return };
    let server = serve(folder.path());
    browser.open(&format!("http://{}/", server.address));
    browser.wait(READY);
    browser.write("#prompt", "apple");
    browser.click("#sketching summary");
    browser.run("document.querySelector('#sketch').scrollIntoView({ block: 'center' })");
    let circle: Vec<(i32, i32)> = (0..=24)
        .map(|step| f64::from(step) * std::f64::consts::TAU / 24.0)
        .map(|angle| ((90.0 * angle.cos()) as i32, (90.0 * angle.sin()) as i32))
        .collect();
    browser.draw("#sketch", &circle);
    browser.wait(DRAWN);
    let jobs = server.own("GET", "/api/v1/jobs", None).json();
    assert_eq!(
        (&jobs["jobs"][0]["state"], &jobs["jobs"][0]["pictures"][0]["number"]),
        (&"done".into(), &Value::Null),
        "it is not kept"
    );
    let before = browser.run("return document.querySelector('#drawn img').src");
    browser.draw("#sketch", &[(0, -90), (10, -120), (25, -140)]);
    browser.wait(&format!("return document.querySelector('#drawn li[data-state=done] img') && document.querySelector('#drawn img').src !== {before} && document.querySelector('#progress').hidden"));
    browser.picture("remote-sketch");
    browser.click("#clear");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn the_page_speaks_arabic_from_right_to_left_and_the_owner_curates() {
    let folder = tempfile::tempdir().unwrap();
    let Some(browser) = browser(1280, 800, "ar") else { return };
    let server = serve(folder.path());
    let number = server.draw(&json!({ "prompt": "cat", "steps": 1 }))["pictures"][0]["number"]
        .as_u64()
        .unwrap();
    browser.open(&format!("http://{}/#owner={}", server.address, server.token));
    browser.wait("return document.querySelectorAll('#health dd').length > 5");
    assert_eq!(
        browser.run("return [document.documentElement.dir, document.documentElement.lang, location.hash]"),
        json!(["rtl", "ar", ""])
    );
    assert_eq!(
        browser.run("return document.querySelector('[data-part=gallery]').textContent"),
        "المعرض"
    );
    assert_eq!(
        browser.run(
            "return document.querySelector('#prompt').getAttribute('aria-label') || document.querySelector('label[for=prompt]').textContent"
        ),
        "كلماتك"
    );
    browser.click("#settings-part summary");
    browser.wait("return document.querySelector('#settings').value.includes('kitchen frame')");
    browser.picture("remote-owner");
    browser.click("[data-part=gallery]");
    browser.wait("return document.querySelectorAll('#kept img').length === 1");
    browser.click("#kept button");
    browser.click("#actions button:first-child");
    browser.wait("return document.querySelectorAll('#kept .heart').length === 1");
    assert_eq!(
        server.get("/api/v1/gallery?favourites=true").json()["pictures"][0]["number"],
        number
    );
    browser.click("#kept button");
    browser.click("#actions button:nth-child(2)");
    browser.wait("return document.querySelectorAll('#kept img').length === 0 && !document.querySelector('#empty').hidden");
    // Every control has a name, and words stand out from their ground.
    let nameless = "return [...document.querySelectorAll('button, input, select, textarea, img')].filter((each) => !(each.textContent.trim() || each.getAttribute('aria-label') || each.labels?.length || each.hasAttribute('alt'))).map((each) => each.outerHTML)";
    assert_eq!(browser.run(nameless), json!([]));
    let contrast = "const lightness = (colour) => { const [r, g, b] = colour.match(/[\\d.]+/g).map((part) => { const share = part / 255; return share <= .03928 ? share / 12.92 : ((share + .055) / 1.055) ** 2.4; }); return .2126 * r + .7152 * g + .0722 * b; };\
        const ground = lightness(getComputedStyle(document.body).backgroundColor); const worst = [];\
        for (const each of document.querySelectorAll('h1, label, legend, p, a')) { const ink = lightness(getComputedStyle(each).color); const ratio = (Math.max(ink, ground) + .05) / (Math.min(ink, ground) + .05); if (ratio < 4.5) worst.push([each.outerHTML, ratio]); } return worst;";
    assert_eq!(browser.run(contrast), json!([]));
}
