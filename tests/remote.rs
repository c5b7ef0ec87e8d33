//! `inkstone serve` as phones, programs and attackers meet it: the shipped pack, real sockets.

#![cfg(feature = "remote")]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use inkstone::picture::{Margins, Picture, Provenance, image_file, png};
use inkstone::{Pipeline, Request, Source};
use serde_json::{Value, json};
use support::http::{Answer, Served, answer};
use support::pack;

/// Longest that anything here may take; the machines that test are slow.
const PATIENCE: Duration = Duration::from_secs(120);

fn serve(folder: &Path, settings: &str) -> Served {
    Served::start(folder, settings)
}

fn wish(prompt: &str) -> Value {
    json!({ "prompt": prompt, "style": "flat", "seed": 7, "steps": 1 })
}

fn decoded(bytes: &[u8]) -> (Picture, Option<Provenance>) {
    let file = png::decode(bytes).unwrap();
    (file.picture, file.provenance)
}

fn base64_of(picture: &Picture) -> String {
    STANDARD.encode(png::encode(picture, None).unwrap())
}

fn by_library(request: &Request) -> Picture {
    Pipeline::open(pack()).unwrap().generate(request).unwrap().picture
}

#[test]
fn a_wish_becomes_the_picture_that_everybody_else_gets() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), "");
    let job = server.draw(&json!({ "prompt": "red fox", "style": "flat", "seed": 7, "steps": 2, "count": 2 }));
    assert_eq!((&job["state"], &job["count"]), (&"done".into(), &2.into()), "{job}");
    for (index, picture) in job["pictures"].as_array().unwrap().iter().enumerate() {
        let file = server.get(picture["url"].as_str().unwrap());
        assert_eq!(file.header("content-type"), Some("image/png"));
        let (drawn, record) = decoded(&file.body);
        let seed = 7 + index as u64;
        assert_eq!(drawn, by_library(&Request::new("red fox").style("flat").seed(seed).steps(2)));
        let record = record.unwrap();
        assert_eq!(
            (record.seed, record.picture_sha256.as_str()),
            (seed, picture["sha256"].as_str().unwrap())
        );
        assert!(inkstone::picture::verify(&drawn, &record));
    }
    // Other formats, on a background.
    let url = job["pictures"][0]["url"].as_str().unwrap();
    let jpeg = server.get(&format!("{url}?format=jpeg"));
    assert_eq!(jpeg.header("content-type"), Some("image/jpeg"));
    let file = image_file::from_bytes(&jpeg.body, "x.jpg".as_ref(), 1 << 20).unwrap();
    assert_eq!((file.picture.width(), file.ai_marked), (128, true));
    assert_eq!(server.get(&format!("{url}?format=svg")).kind(), "invalid_request");
    // It is kept under the number that it says.
    let number = job["pictures"][0]["number"].as_u64().unwrap();
    let listed = server.get("/api/v1/gallery").json();
    assert_eq!(listed["count"], 2);
    assert_eq!(
        (&listed["pictures"][1]["number"], &listed["pictures"][1]["prompt"]),
        (&number.into(), &"red fox".into())
    );
    assert_eq!(server.get(&format!("/api/v1/gallery/{number}")).body, server.get(url).body);
}

/// Answers have exactly the fields that the interface's description says.
#[test]
fn answers_are_as_described() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), "");
    let described = server.get("/api/v1/openapi.json").json();
    let check = |name: &str, value: &Value| {
        let fields = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let known = fields(&described["components"]["schemas"][name]["properties"]);
        for field in fields(value) {
            assert!(known.contains(&field), "{name}: {field}");
        }
        // What has no value is left out of lists and errors alone.
        assert!(
            ["Listed", "Error"].contains(&name) || known.len() == fields(value).len(),
            "{name}: {value}"
        );
    };
    let job = server.draw(&wish("cat"));
    check("Job", &job);
    check("Picture", &job["pictures"][0]);
    let about = server.get("/api/v1").json();
    check("About", &about);
    check("Offer", &about["offer"]);
    check("Listed", &server.get("/api/v1/gallery").json()["pictures"][0]);
    check("Frame", &server.get("/api/v1/frames").json()["frames"][0]);
    check("Health", &server.own("GET", "/api/v1/owner", None).json());
    check("Error", &server.get("/nowhere").json()["error"]);
}

#[test]
fn a_job_is_watched_and_cancelled() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), "threads = 1");
    let long = json!({ "prompt": "cat", "seed": 1, "steps": 4, "count": 4, "size": 1024, "keep": false });
    let first = server.post("/api/v1/jobs", &long).json();
    let second = server.post("/api/v1/jobs", &wish("dog")).json();
    let place = |job: &Value| format!("/api/v1/jobs/{}", job["id"].as_str().unwrap());
    let mut stream = server.connect();
    let request = format!("GET {}/events HTTP/1.1\r\nHost: {}\r\n\r\n", place(&first), server.address);
    stream.write_all(request.as_bytes()).unwrap();
    let mut previews = 0;
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let mut last = Value::Null;
    for line in lines.by_ref().filter_map(|line| line.strip_prefix("data: ").map(str::to_owned)) {
        last = serde_json::from_str(&line).unwrap();
        previews += usize::from(
            last["preview"]
                .as_str()
                .is_some_and(|preview| preview.starts_with("data:image/png;base64,")),
        );
        if last["pictures"].as_array().unwrap().len() == 1 {
            break;
        }
    }
    assert!(previews > 0, "{last}");
    assert_eq!(server.get(&place(&second)).json()["state"], "waiting");
    assert_eq!(server.send("DELETE", &place(&first), &[], b"").status, 200);
    let ended = server.wait(first["id"].as_str().unwrap());
    assert_eq!(
        (&ended["state"], &ended["error"]["kind"]),
        (&"cancelled".into(), &"cancelled".into())
    );
    assert!(ended["pictures"].as_array().unwrap().len() < 4);
    assert_eq!(server.wait(second["id"].as_str().unwrap())["state"], "done");
    // One that waits is cancelled at once.
    let running = server.post("/api/v1/jobs", &long).json();
    let waiting = server.post("/api/v1/jobs", &wish("owl")).json();
    let cancelled = server.send("DELETE", &place(&waiting), &[], b"").json();
    assert_eq!(cancelled["state"], "cancelled");
    server.send("DELETE", &place(&running), &[], b"");
}

#[test]
fn what_cannot_be_drawn_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), "[draw]\nstyles = [\"flat\", \"pixel\"]\n[filter]\nallowed = []\n");
    let kind = |wish: &Value| {
        let job = server.draw(wish);
        assert_eq!(job["state"], "failed", "{job}");
        job["error"]["kind"].as_str().unwrap().to_owned()
    };
    assert_eq!(kind(&json!({ "prompt": "zzgrblfx" })), "unknown_prompt");
    // The owner does not offer the last one.
    for (field, value) in [("steps", json!(3)), ("style", json!("oil")), ("style", json!("3d"))] {
        let refused = server.post("/api/v1/jobs", &json!({ "prompt": "cat", field: value }));
        assert_eq!((refused.status, &refused.json()["error"]["field"]), (400, &field.into()));
    }
    assert_eq!(kind(&json!({ "prompt": "{a|b", "literal": false })), "impossible");
    let noted = server.draw(&json!({ "prompt": "a blue werewolf in the snow", "steps": 1, "style": "flat" }));
    assert!(!noted["pictures"][0]["notes"].as_array().unwrap().is_empty(), "{noted}");
    let negative = server.post("/api/v1/jobs", &json!({ "prompt": "cat", "negative": "nazi" }));
    assert_eq!(negative.kind(), "blocked_word");
    for (prompt, literal) in [
        ("nazi", true),
        ("N a z i", true),
        ("nazi1", true),
        ("na\u{e0061}zi", true),
        ("(na)zi", false),
        ("(na:1.1)zi", false),
        ("{nazi|nazi}", false),
    ] {
        let refused = server.post("/api/v1/jobs", &json!({ "prompt": prompt, "literal": literal }));
        let kind = match refused.status {
            202 => server.wait(refused.json()["id"].as_str().unwrap())["error"]["kind"].clone(),
            _ => refused.json()["error"]["kind"].clone(),
        };
        assert_eq!(kind, "blocked_word", "{prompt}");
    }
}

/// Where the settings keep nothing by themselves, whoever asked keeps what they like, once.
#[test]
fn pictures_are_kept_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), "[gallery]\nkeep_all = false");
    let job = server.draw(&wish("fox"));
    assert_eq!(
        (&job["pictures"][0]["number"], &server.get("/api/v1/gallery").json()["count"]),
        (&Value::Null, &0.into())
    );
    let path = format!("{}/keep", job["pictures"][0]["url"].as_str().unwrap());
    let number = server.send("POST", &path, &[], b"").json()["number"].clone();
    assert_eq!(server.send("POST", &path, &[], b"").json()["number"], number);
    assert_eq!(server.get("/api/v1/gallery").json()["count"], 1);
    assert_eq!(server.wait(job["id"].as_str().unwrap())["pictures"][0]["number"], number);
}

/// Each invalid request has its refusal, and the server goes on.
#[test]
fn bad_requests_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), "[remote]\nper_minute = 1000\nmax_size = 256");
    let json_type = [("Content-Type", "application/json")];
    let post = |body: &[u8]| server.send("POST", "/api/v1/jobs", &json_type, body);
    for body in [
        &b""[..],
        b"{",
        b"[]",
        b" [\"cat\"]",
        b"null",
        b"{\"prompt\": 7}",
        b"{\"prompt\": \"cat\", \"colour\": \"red\"}",
        b"\xff\xfe",
        b"{\"prompt\":\"\\ud800\"}",
    ] {
        let refused = post(body);
        assert_eq!(
            (refused.status, refused.kind().as_str()),
            (400, "invalid_request"),
            "{}",
            String::from_utf8_lossy(body)
        );
    }
    let red = base64_of(&Picture::filled(8, 8, [255, 0, 0, 255]).unwrap());
    for (field, value) in [
        ("prompt", json!("")),
        ("prompt", json!("x".repeat(1001))),
        ("prompt", json!("cat\u{1b}[2J")),
        ("prompt", json!("\u{202e}tac")),
        ("style", json!("x".repeat(5_000_000))),
        ("seed", json!(-2)),
        ("seed", json!(1e30)),
        ("count", json!(0)),
        ("count", json!(5)),
        ("size", json!(7)),
        ("size", json!(512)),
        ("guidance", json!(-1)),
        ("guidance", json!(99)),
        ("variations", json!([{ "seed": 1, "strength": 5.0 }])),
        ("background", json!("plaid")),
        ("language", json!("tlh")),
        ("from", json!("no picture")),
        ("from", json!(STANDARD.encode(b"text"))),
        ("strength", json!(0.5)),
        ("mask", json!(red)),
        ("sketch", json!(true)),
        ("part", json!(2)),
        ("of", json!(99)),
        ("variations", json!([{ "seed": 1 }])),
    ] {
        let mut wish = json!({ "prompt": "cat" });
        wish[field] = value;
        let refused = server.post("/api/v1/jobs", &wish);
        assert_eq!(
            (refused.status, refused.kind().as_str()),
            (400, "invalid_request"),
            "{field}: {wish}"
        );
        let named = refused.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(named.contains(field) || named.contains("JSON"), "{field}: {named}");
    }
    for (method, path, status, kind) in [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/../../etc/passwd", 404, "not_found"),
        ("GET", "/api/v1/gallery/../../../etc/passwd", 404, "not_found"),
        ("PATCH", "/api/v1/jobs", 405, "method_not_allowed"),
        ("GET", "/api/v1/jobs/nonesuch", 404, "not_found"),
        ("GET", "/api/v1/gallery/99", 404, "not_found"),
        ("GET", "/api/v1/gallery/-1", 404, "not_found"),
        ("GET", "/api/v1/jobs/%FF", 404, "not_found"),
        ("GET", "/api/v1/gallery?before=-1", 400, "invalid_request"),
        ("GET", "/api/v1/gallery?x=1", 400, "invalid_request"),
        ("GET", "/api/v1/panel", 409, "no_display"),
        ("GET", "/p/abcdefghijkm", 404, "not_found"),
    ] {
        let refused = server.send(method, path, &[], b"");
        assert_eq!((refused.status, refused.kind().as_str()), (status, kind), "{method} {path}");
    }
    assert_eq!(
        server.send("POST", "/api/v1/jobs", &[("Content-Type", "text/plain")], b"{}").kind(),
        "unsupported_media_type"
    );
    let huge = vec![b' '; (24 << 20) + 1];
    assert_eq!(post(&huge).kind(), "too_large");
    assert_eq!(server.draw(&wish("cat"))["state"], "done");
}

/// Pictures that are bombs, truncated or of other kinds.
#[test]
fn hostile_pictures_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), "[remote]\nper_minute = 1000");
    let whole = png::encode(&Picture::filled(64, 64, [9, 9, 9, 255]).unwrap(), None).unwrap();
    let mut bomb = whole.clone();
    // Width and height of the header say 60,000 × 60,000.
    bomb[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
    let gif = b"GIF89a\xff\xff\xff\xff\x00\x00\x00";
    for (bytes, status) in [
        (&bomb[..], 413),
        (&whole[..60], 400),
        (&gif[..], 400),
        (b"\xff\xd8\xff\xe0", 400),
        (b"RIFF\xff\xff\xff\xffWEBPVP8 ", 400),
    ] {
        let refused = server.post("/api/v1/jobs", &json!({ "prompt": "cat", "from": STANDARD.encode(bytes) }));
        assert_eq!(refused.status, status, "{}", String::from_utf8_lossy(&refused.body));
        assert_eq!(refused.json()["error"]["field"], "from");
    }
    let drawn = server.draw(&json!({ "prompt": "cat", "from": STANDARD.encode(&whole), "strength": 0.5, "seed": 1 }));
    assert_eq!(drawn["state"], "done", "{drawn}");
}

/// Pictures that wait to be drawn on take no more memory than their model can use.
#[test]
fn large_pictures_do_not_fill_the_memory() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), "[remote]\nper_minute = 1000\nwaiting = 64");
    let large = base64_of(&Picture::filled(4096, 4096, [200, 30, 30, 255]).unwrap());
    let before = private_bytes(server.id());
    let wish = json!({ "prompt": "cat", "from": large, "mask": large, "count": 4, "steps": 1, "keep": false });
    for _ in 0..6 {
        assert_eq!(server.draw(&wish)["state"], "done");
    }
    let after = private_bytes(server.id());
    assert!(after < before + (64 << 20), "{before} → {after}");
}

#[test]
fn pictures_and_sketches_are_drawn_on() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), "");
    let start = by_library(&Request::new("apple").style("flat").seed(3).steps(1));
    let same = server.draw(&json!({ "prompt": "apple", "style": "flat", "seed": 3, "from": base64_of(&start), "strength": 0.0 }));
    let (same, _) = decoded(&server.get(same["pictures"][0]["url"].as_str().unwrap()).body);
    assert_eq!(same, start, "strength 0 gives the picture back");
    let black = Picture::filled(start.width(), start.height(), [0, 0, 0, 255]).unwrap();
    let kept = server.draw(&json!({ "prompt": "pear", "style": "flat", "seed": 3, "from": format!("data:image/png;base64,{}", base64_of(&start)), "mask": base64_of(&black) }));
    let (kept, record) = decoded(&server.get(kept["pictures"][0]["url"].as_str().unwrap()).body);
    assert_eq!(kept, start, "what the mask keeps is kept");
    assert!(record.unwrap().is_composite());
    let empty = Picture::filled(64, 64, [255; 4]).unwrap();
    let refused = server.post(
        "/api/v1/jobs",
        &json!({ "prompt": "cat", "from": base64_of(&empty), "sketch": true }),
    );
    assert_eq!((refused.status, refused.kind().as_str()), (422, "no_sketch"));
}

/// Frames in a row show parts of one picture, each of which its frame draws alone.
#[test]
fn a_picture_goes_over_several_frames() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), "");
    let mut pipeline = Pipeline::open(pack()).unwrap();
    let request = Request::new("tree").style("flat").seed(4).steps(1);
    let first = pipeline.generate(&request).unwrap().picture;
    let margins = Margins {
        right: 256,
        ..Margins::default()
    };
    let source = Source::new(first.clone()).strength(1.0).extend(margins).generated(true);
    let whole = pipeline.generate(&request.source(source)).unwrap().picture;
    assert_eq!((whole.width(), whole.height()), (384, 128));
    for part in 1..=3 {
        let job = server.draw(&json!({ "prompt": "tree", "style": "flat", "seed": 4, "steps": 1, "part": part, "of": 3 }));
        let (drawn, record) = decoded(&server.get(job["pictures"][0]["url"].as_str().unwrap()).body);
        assert_eq!(drawn, whole.cut(128 * (part - 1), 0, 128, 128).unwrap(), "part {part}");
        assert!(inkstone::picture::verify(&drawn, &record.unwrap()));
    }
    assert_eq!(
        server.post("/api/v1/jobs", &json!({ "prompt": "tree", "part": 1, "of": 3 })).json()["error"]["field"],
        "seed"
    );
    // The wish for all frames goes to this one alone, where there is no other.
    let asked = server.post(
        "/api/v1/frames/jobs",
        &json!({ "wish": { "prompt": "tree", "steps": 1 }, "panorama": true }),
    );
    assert_eq!(asked.status, 202);
    let frames = asked.json()["frames"].clone();
    assert_eq!((frames.as_array().unwrap().len(), &frames[0]["frame"]["own"]), (1, &true.into()));
    assert_eq!(server.wait(frames[0]["job"]["id"].as_str().unwrap())["state"], "done");
    let own = frames[0]["frame"]["name"].clone();
    for names in [json!(["nowhere"]), json!([]), json!([own, own])] {
        let refused = server.post("/api/v1/frames/jobs", &json!({ "wish": { "prompt": "tree" }, "frames": names }));
        assert_eq!(refused.kind(), "invalid_request", "{names}");
    }
}

#[test]
fn addresses_and_the_queue_have_limits() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), "[remote]\nper_minute = 6\nwaiting = 8\nmax_size = 1024");
    let long = json!({ "prompt": "cat", "steps": 4, "count": 4, "size": 1024, "keep": false });
    let mut refusals = Vec::new();
    for _ in 0..8 {
        let answer = server.post("/api/v1/jobs", &long);
        if answer.status != 202 {
            assert_eq!((answer.status, answer.kind().as_str()), (429, "too_many_requests"));
            let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=60).contains(&wait));
            refusals.push(answer.json()["error"]["message"].as_str().unwrap().to_owned());
        }
    }
    assert!(refusals.iter().any(|message| message.contains("for one address")), "{refusals:?}");
    assert!(refusals.iter().any(|message| message.contains("a minute")), "{refusals:?}");
    // Decoding pictures is counted, too.
    assert_eq!(server.post("/sdapi/v1/png-info", &json!({ "image": "" })).status, 429);
    assert_eq!(
        server.post("/api/v1/frames/jobs", &json!({ "wish": { "prompt": "cat" } })).status,
        429
    );
    // The owner still may.
    assert_eq!(server.own("POST", "/api/v1/jobs", Some(&wish("cat"))).status, 202);
}

#[test]
fn foreign_names_pages_and_tokens_get_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), "[remote]\nhosts = [\"frame.example\"]");
    let own = server.address.to_string();
    let with = |headers: &[(&str, &str)]| server.send("GET", "/api/v1", headers, b"").status;
    assert_eq!(with(&[("Host", "evil.example")]), 421);
    assert_eq!(with(&[("Host", "frame.example")]), 200);
    assert_eq!(with(&[("Origin", "http://evil.example")]), 403);
    assert_eq!(with(&[("Origin", &format!("http://{own}"))]), 200);
    assert_eq!(server.get("/api/v1/owner").kind(), "owner_only");
    let wrong = |path: &str| server.send("GET", path, &[("Authorization", "Bearer wrong")], b"");
    for _ in 0..10 {
        assert_eq!(wrong("/api/v1/owner").status, 401);
    }
    assert_eq!(wrong("/api/v1/owner").status, 429);
    for (name, value) in [
        ("content-security-policy", "default-src 'none'"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
    ] {
        let page = server.get("/");
        assert!(page.header(name).unwrap().starts_with(value), "{page:?}");
    }
}

#[test]
fn the_owner_sees_and_changes_what_others_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let settings = "# mine\n[remote]\nper_minute = 100\n";
    let server = serve(folder.path(), settings);
    let stored = std::fs::read_to_string(folder.path().join("inkstone/remote/owner")).unwrap();
    assert!(!stored.contains(&server.token));
    let health = server.own("GET", "/api/v1/owner", None).json();
    assert!(
        health["private_bytes"].as_u64().unwrap() > 0 && health["free_bytes"].as_u64().unwrap() > 0,
        "{health}"
    );
    assert_eq!(server.own("GET", "/api/v1/owner/settings", None).json()["text"], settings);
    let change = |text: &str| server.own("PUT", "/api/v1/owner/settings", Some(&json!({ "text": text })));
    let refused = change("[remote]\nper_minut = 5");
    assert_eq!(refused.status, 400);
    assert!(
        refused.json()["error"]["message"].as_str().unwrap().contains("per_minute"),
        "it says which field is near"
    );
    assert_eq!(std::fs::read_to_string(folder.path().join("kiosk.toml")).unwrap(), settings);
    // What is wrong with a file that they name is not told to the network.
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "root:*:20228\n").unwrap();
    let refused = change(&format!("[filter]\nwords = \"{}\"\n", secret.display()));
    assert_eq!(refused.status, 400);
    assert!(!String::from_utf8(refused.body).unwrap().contains("20228"));
    let log = server.own("GET", "/api/v1/owner/log", None).body;
    assert!(!String::from_utf8(log).unwrap().contains("20228"));
    assert_eq!(change("[remote]\nper_minute = 5\n").status, 200);
    assert_eq!(
        std::fs::read_to_string(folder.path().join("kiosk.toml")).unwrap(),
        "[remote]\nper_minute = 5\n"
    );
    // The gallery.
    let number = server.draw(&wish("fox"))["pictures"][0]["number"].as_u64().unwrap();
    let path = format!("/api/v1/owner/gallery/{number}");
    for (method, path) in [
        ("PUT", path.clone()),
        ("DELETE", path.clone()),
        ("POST", format!("{path}/hide")),
        ("POST", format!("{path}/print")),
    ] {
        let refused = server.send(method, &path, &[("Content-Type", "application/json")], b"{\"favourite\":true}");
        assert_eq!(refused.status, 401, "{method} {path}");
    }
    assert_eq!(server.own("PUT", &path, Some(&json!({ "favourite": true }))).status, 204);
    assert_eq!(
        server.get("/api/v1/gallery?favourites=true").json()["pictures"][0]["number"],
        number
    );
    assert_eq!(server.own("POST", &format!("{path}/print"), None).kind(), "no_printer");
    assert_eq!(
        server.own("POST", "/api/v1/owner/power", Some(&json!({ "action": "off" }))).kind(),
        "forbidden"
    );
    assert_eq!(server.own("POST", &format!("{path}/hide"), None).status, 204);
    assert_eq!(server.get("/api/v1/gallery").json()["count"], 0);
    assert_eq!(support::files(&folder.path().join("inkstone/gallery/hidden")).len(), 1);
    assert_eq!(server.own("DELETE", &path, None).status, 404);
    assert!(server.own("GET", "/api/v1/jobs", None).json()["jobs"].as_array().unwrap().len() == 1);
}

fn lines_of(answer: &Answer) -> Vec<Value> {
    let text = String::from_utf8(answer.body.clone()).unwrap();
    text.lines()
        .filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok())
        .collect()
}

#[test]
fn clients_of_openai_draw() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), "[remote]\nper_minute = 100");
    let ask = json!({ "model": "gpt-image-1", "prompt": "red fox", "n": 1, "size": "200x300", "background": "transparent", "seed": 7, "steps": 1, "quality": "high", "user": "x" });
    let drawn = server.post("/v1/images/generations", &ask);
    assert_eq!(drawn.status, 200, "{}", String::from_utf8_lossy(&drawn.body));
    let (picture, record) = decoded(&STANDARD.decode(drawn.json()["data"][0]["b64_json"].as_str().unwrap()).unwrap());
    assert_eq!((picture.width(), picture.height(), picture.pixel(0, 0)), (200, 300, Some([0; 4])));
    let record = record.unwrap();
    assert!(inkstone::picture::verify(&picture, &record));
    assert_eq!(record.seed, 7);
    assert_eq!(drawn.json()["background"], "transparent");
    assert_eq!(server.get("/v1/models").json()["data"][0]["object"], "model");
    // By address.
    let by_url = server
        .post(
            "/v1/images/generations",
            &json!({ "prompt": "cat", "response_format": "url", "steps": 1, "output_format": "jpeg" }),
        )
        .json();
    let url = by_url["data"][0]["url"].as_str().unwrap();
    let path = url.split_once(&server.address.to_string()).unwrap().1;
    assert_eq!(server.get(path).header("content-type"), Some("image/png"));
    // As events.
    let stream = server.post(
        "/v1/images/generations",
        &json!({ "prompt": "cat", "stream": true, "partial_images": 2, "steps": 4 }),
    );
    let kinds: Vec<String> = lines_of(&stream)
        .iter()
        .map(|event| event["type"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(kinds.last().map(String::as_str), Some("image_generation.completed"), "{kinds:?}");
    assert!(kinds.len() <= 3);
    for (ask, param) in [
        (json!({ "prompt": "cat", "size": "huge" }), json!("size")),
        (json!({ "prompt": "cat", "n": 99 }), json!("n")),
        (json!({ "prompt": "cat", "size": "9999x64" }), json!("size")),
        (
            json!({ "prompt": "cat", "background": "transparent", "output_format": "jpeg" }),
            json!("background"),
        ),
        (json!({ "prompt": "zzgrblfx" }), json!("prompt")),
        (json!({}), Value::Null),
    ] {
        let refused = server.post("/v1/images/generations", &ask);
        assert!((400..500).contains(&refused.status), "{ask}");
        let error = refused.json()["error"].clone();
        assert_eq!(
            (&error["type"], &error["param"]),
            (&"invalid_request_error".into(), &param),
            "{error}"
        );
    }
}

/// A form with files, as clients of OpenAI's edits send it.
fn form(server: &Served, path: &str, fields: &[(&str, Option<&str>, &[u8])]) -> Answer {
    let mut body = Vec::new();
    for (name, file, contents) in fields {
        let file = file.map_or(String::new(), |file| format!("; filename=\"{file}\"\r\nContent-Type: image/png"));
        body.extend(format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n").into_bytes());
        body.extend_from_slice(contents);
        body.extend(b"\r\n");
    }
    body.extend(b"--edge--\r\n");
    server.send("POST", path, &[("Content-Type", "multipart/form-data; boundary=edge")], &body)
}

#[test]
fn clients_of_openai_edit() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), "");
    let start = by_library(&Request::new("apple").style("flat").seed(3).steps(1));
    let file = png::encode(&start, None).unwrap();
    let opaque = png::encode(&Picture::filled(128, 128, [0, 0, 0, 255]).unwrap(), None).unwrap();
    let fields: [(&str, Option<&str>, &[u8]); 5] = [
        ("image", Some("../../apple.png"), &file),
        ("mask", Some("mask.png"), &opaque),
        ("prompt", None, b"a green pear"),
        ("n", None, b"1"),
        ("seed", None, b"3"),
    ];
    let edited = form(&server, "/v1/images/edits", &fields);
    assert_eq!(edited.status, 200, "{}", String::from_utf8_lossy(&edited.body));
    let (picture, _) = decoded(&STANDARD.decode(edited.json()["data"][0]["b64_json"].as_str().unwrap()).unwrap());
    assert_eq!(picture, start, "an opaque mask keeps everything");
    for fields in [&fields[2..], &fields[..2], &[("image", Some("a.png"), &file[..40]), fields[2]]] {
        let refused = form(&server, "/v1/images/edits", fields);
        assert_eq!(refused.json()["error"]["type"], "invalid_request_error");
    }
    let refused = server.post("/v1/images/edits", &json!({ "prompt": "cat" }));
    assert_eq!(refused.status, 415);
}

#[test]
fn clients_of_automatic1111_draw() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), "[remote]\nper_minute = 100");
    let ask = json!({ "prompt": "red (fox:1.2),\nbest quality", "negative_prompt": "", "steps": 20, "cfg_scale": 7, "width": 128, "height": 128, "seed": 5, "batch_size": 2,
        "sampler_name": "Euler a", "alwayson_scripts": {}, "enable_hr": false });
    let drawn = server.post("/sdapi/v1/txt2img", &ask);
    assert_eq!(drawn.status, 200, "{}", String::from_utf8_lossy(&drawn.body));
    let drawn = drawn.json();
    let info: Value = serde_json::from_str(drawn["info"].as_str().unwrap()).unwrap();
    assert_eq!(info["all_seeds"], json!([5, 6]));
    assert_eq!(info["steps"], 4);
    assert!(info["notes"][0].as_str().unwrap().contains("none of 20"), "{info}");
    assert!(info["infotexts"][0].as_str().unwrap().contains("Seed: 5"), "{info}");
    let bytes = STANDARD.decode(drawn["images"][1].as_str().unwrap()).unwrap();
    let (picture, record) = decoded(&bytes);
    assert!(picture.width() == 128 && record.unwrap().seed == 6);
    let read = server.post("/sdapi/v1/png-info", &json!({ "image": drawn["images"][0] })).json();
    assert_eq!(read["info"], info["infotexts"][0]);
    let start = base64_of(&by_library(&Request::new("apple").style("flat").seed(3).steps(1)));
    // What is not done is told.
    let ask = json!({ "prompt": "fox", "steps": 1, "cfg_scale": 1, "styles": ["nosuch"], "enable_hr": true, "width": 128, "height": 128 });
    let drawn = server.post("/sdapi/v1/txt2img", &ask).json();
    let info: Value = serde_json::from_str(drawn["info"].as_str().unwrap()).unwrap();
    let notes = info["notes"].to_string();
    assert!(notes.contains("nosuch") && notes.contains("hires fix"), "{notes}");
    let changed = server.post(
        "/sdapi/v1/img2img",
        &json!({ "prompt": "pear", "init_images": [start], "denoising_strength": 0.5, "width": 128, "height": 128 }),
    );
    assert_eq!(changed.status, 200, "{}", String::from_utf8_lossy(&changed.body));
    assert_eq!(changed.json()["parameters"]["init_images"], Value::Null);
    let progress = server.get("/sdapi/v1/progress").json();
    assert_eq!((&progress["progress"], &progress["state"]["job_count"]), (&json!(0.0), &json!(0)));
    let title = server.get("/sdapi/v1/options").json()["sd_model_checkpoint"].clone();
    assert_eq!(server.get("/sdapi/v1/sd-models").json()[0]["title"], title);
    assert_eq!(
        server.post("/sdapi/v1/options", &json!({ "sd_model_checkpoint": title })).status,
        200
    );
    assert_eq!(
        server.post("/sdapi/v1/options", &json!({ "sd_model_checkpoint": "other" })).status,
        404
    );
    assert_eq!(server.post("/sdapi/v1/interrupt", &json!({})).status, 200);
    let refused = server.post("/sdapi/v1/txt2img", &json!({ "prompt": "cat", "width": 9999 }));
    assert_eq!((refused.status, refused.json()["error"].as_str()), (400, Some("invalid_request")));
}

/// Clients that go away before their pictures are drawn, at any moment, do not keep the line waiting.
#[test]
fn clients_that_leave_are_not_drawn_for() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(
        folder.path(),
        "threads = 1\n[remote]\nat_once = 16\nwaiting = 100\nper_minute = 1000",
    );
    let body = json!({ "prompt": "cat", "batch_size": 16, "steps": 4, "width": 1024, "height": 1024 }).to_string();
    let ask = || {
        let mut stream = server.connect();
        let head = format!(
            "POST /sdapi/v1/txt2img HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            server.address,
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream
    };
    let count = || server.get("/sdapi/v1/progress").json()["state"]["job_count"].as_u64().unwrap();
    let stream = ask();
    let started = Instant::now();
    while count() == 0 {
        assert!(started.elapsed() < PATIENCE, "it is not drawn");
    }
    drop(stream);
    for leaves_after in 0..20 {
        let stream = ask();
        std::thread::sleep(Duration::from_micros(150 * leaves_after));
        drop(stream);
    }
    let started = Instant::now();
    while count() != 0 {
        assert!(started.elapsed() < PATIENCE, "they are still drawn");
        std::thread::sleep(Duration::from_millis(20));
    }
    let jobs = server.own("GET", "/api/v1/jobs", None).json()["jobs"].clone();
    let states: Vec<_> = jobs.as_array().unwrap().iter().map(|job| job["state"].as_str().unwrap()).collect();
    assert!(!states.is_empty() && states.iter().all(|state| *state == "cancelled"), "{states:?}");
}

/// Whether machines of this network hear each other's multicast, or at least this one its own.
fn has_multicast() -> bool {
    let group = std::net::Ipv4Addr::new(239, 255, 77, 1);
    let receiver = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    receiver.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let port = receiver.local_addr().unwrap().port();
    let joined = receiver.join_multicast_v4(&group, &std::net::Ipv4Addr::UNSPECIFIED);
    let sent = receiver.send_to(b"here", (group, port));
    joined.is_ok() && sent.is_ok() && receiver.recv(&mut [0; 8]).is_ok()
}

/// Frames find each other, and notice when one leaves.
#[test]
fn frames_find_each_other() {
    if !has_multicast() {
        eprintln!("skipped: no network with multicast");
        return;
    }
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    // Other tests of this machine may run at the same time.
    let names = ["kitchen", "hall"].map(|name| format!("{name}-{}", std::process::id()));
    let start = |index: usize| {
        let settings = format!("[remote]\nname = '{}'\ndiscover = true", names[index]);
        Served::start_on("0.0.0.0:0", folders[index].path(), &settings)
    };
    let kitchen = start(0);
    let found = |name: &str| {
        let frames = kitchen.get("/api/v1/frames").json()["frames"].clone();
        frames.as_array().unwrap().iter().find(|frame| frame["name"] == name).cloned()
    };
    assert_eq!(found(&names[0]).unwrap()["own"], true);
    assert_eq!(found(&names[1]), None);
    let hall = start(1);
    let until = |there: bool| {
        let started = Instant::now();
        while found(&names[1]).is_some() != there {
            assert!(started.elapsed() < PATIENCE, "there: {there}");
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    until(true);
    let frame = found(&names[1]).unwrap();
    let url = frame["url"].as_str().unwrap();
    assert!(
        url.ends_with(&format!(":{}", hall.address.port())) && !url.contains("127.0.0.1"),
        "{url}"
    );
    assert!(hall.end().success());
    until(false);
}

/// Clients that send nothing, or a letter now and then, hold up nobody.
#[test]
fn slow_clients_hold_up_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), "");
    let mut slow: Vec<TcpStream> = (0..100).map(|_| server.connect()).collect();
    for (index, stream) in slow.iter_mut().enumerate() {
        let beginning = [
            "",
            "G",
            "POST /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
        ];
        stream.write_all(beginning[index % 3].as_bytes()).unwrap();
    }
    assert_eq!(server.draw(&wish("cat"))["state"], "done");
    let long = "x".repeat(100_000);
    let answer = server.send("GET", "/", &[("X-Long", &long)], b"");
    assert_eq!(answer.status, 431);
    // Most wait to be closed; none is answered with a page.
    drop(slow);
}

/// `serve` says what is wrong at the start, with exit codes.
#[test]
fn it_does_not_start_with_what_it_cannot_use() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let run = |arguments: &[&str]| {
        let mut command = support::inkstone();
        command
            .current_dir(folder.path())
            .env("XDG_DATA_HOME", folder.path())
            .arg("serve")
            .args(arguments);
        command.assert().failure()
    };
    run(&["--listen", &address]).code(1).stderr(predicates::str::contains("--listen"));
    run(&["--pack", "nowhere"]).code(2).stderr(predicates::str::contains("nowhere"));
    std::fs::write(folder.path().join("bad.toml"), "[remote]\nwaiting = 0").unwrap();
    run(&["--config", "bad.toml"])
        .code(2)
        .stderr(predicates::str::contains("remote.waiting"));
    std::fs::write(folder.path().join("steps.toml"), "[draw]\nsteps = 3").unwrap();
    run(&["--config", "steps.toml", "--listen", "127.0.0.1:0"])
        .code(2)
        .stderr(predicates::str::contains("draw.steps"));
    std::fs::create_dir_all(folder.path().join("inkstone/remote")).unwrap();
    std::fs::write(folder.path().join("inkstone/remote/owner"), "not a hash").unwrap();
    run(&["--listen", "127.0.0.1:0"])
        .code(1)
        .stderr(predicates::str::contains("delete it"));
}

/// A million requests of random bytes, paths and JSON: no panic, no growth. `REQUESTS` says how many.
#[test]
#[ignore = "takes minutes; run by hand with --ignored"]
fn a_million_random_requests() {
    let count: u64 = std::env::var("REQUESTS").map_or(1_000_000, |count| count.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut server = serve(folder.path(), "[remote]\nper_minute = 1\nwaiting = 1");
    let before = private_bytes(server.id());
    let mut random = Random(1);
    for round in 0..count {
        if round % 500 == 0 && server.process().try_wait().unwrap().is_some() {
            panic!("the server has ended after {round}");
        }
        let request = random.request(&server.address.to_string());
        let Ok(mut stream) = TcpStream::connect(server.address) else {
            panic!("nobody listens after {round}")
        };
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        if stream.write_all(&request).is_err() {
            continue;
        }
        stream.shutdown(std::net::Shutdown::Write).ok();
        let mut beginning = [0; 16];
        let _ = stream.read(&mut beginning);
    }
    assert_eq!(server.get("/api/v1").status, 200);
    let after = private_bytes(server.id());
    eprintln!(
        "{count} requests: private memory {} KiB before, {} KiB after",
        before >> 10,
        after >> 10
    );
    assert!(after < before + (24 << 20), "{before} → {after}");
}

/// Numbers that are the same every time (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below as u64) as usize
    }

    fn pick<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.next(all.len())]
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.next(most + 1)).map(|_| self.next(256) as u8).collect()
    }

    fn request(&mut self, host: &str) -> Vec<u8> {
        const PATHS: [&str; 24] = [
            "/",
            "/page.js",
            "/api/v1",
            "/api/v1/jobs",
            "/api/v1/jobs/x",
            "/api/v1/jobs/x/events",
            "/api/v1/jobs/x/pictures/0",
            "/api/v1/gallery",
            "/api/v1/gallery/1",
            "/api/v1/panel",
            "/api/v1/frames",
            "/api/v1/frames/jobs",
            "/api/v1/owner",
            "/api/v1/owner/settings",
            "/api/v1/owner/power",
            "/p/x",
            "/v1/models",
            "/v1/images/generations",
            "/v1/images/edits",
            "/sdapi/v1/txt2img",
            "/sdapi/v1/img2img",
            "/sdapi/v1/progress",
            "/sdapi/v1/options",
            "/sdapi/v1/png-info",
        ];
        const PARTS: [&str; 16] = [
            "{",
            "}",
            "[",
            "]",
            "\"prompt\":",
            "\"cat\"",
            "\"seed\":",
            "-1",
            "1e400",
            "null",
            ",",
            "\"from\":",
            "\"iVBORw0KGgo=\"",
            "\"\\ud800\"",
            "true",
            "\"count\":99999999999",
        ];
        if self.next(8) == 0 {
            return self.bytes(300);
        }
        let method = self.pick(&["GET", "POST", "PUT", "DELETE", "OPTIONS", "BREW"]);
        let mut path = self.pick(&PATHS).to_owned();
        for _ in 0..self.next(3) {
            path += self.pick(&["?", "&", "=", "%", "%00", "../", "/", "before=", "limit=0", "format=png", "\u{e9}"]);
        }
        let mut body = Vec::new();
        for _ in 0..self.next(12) {
            body.extend(self.pick(&PARTS).bytes());
        }
        if self.next(4) == 0 {
            body.extend(self.bytes(200));
        }
        let kind = self.pick(&["application/json", "multipart/form-data; boundary=x", "text/plain", ""]);
        let length = if self.next(10) == 0 { self.next(1 << 30) } else { body.len() };
        let host = if self.next(10) == 0 { "evil.example" } else { host };
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n"
        )
        .into_bytes();
        for _ in 0..self.next(4) {
            let value: Vec<u8> = self.bytes(20).into_iter().filter(|byte| *byte >= 32 && *byte != 127).collect();
            request.extend(self.pick(&["X-A: ", "Authorization: Bearer ", "Origin: ", "Accept: "]).bytes());
            request.extend(value);
            request.extend(b"\r\n");
        }
        request.extend(b"\r\n");
        request.extend(body);
        request
    }
}

/// Memory of a process that no file backs.
fn private_bytes(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

#[test]
fn one_connection_serves_many_requests() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), "");
    let mut stream = server.connect();
    for connection in ["keep-alive", "keep-alive", "close"] {
        let request = format!(
            "GET /icon.svg HTTP/1.1\r\nHost: {}\r\nConnection: {connection}\r\n\r\n",
            server.address
        );
        stream.write_all(request.as_bytes()).unwrap();
        if connection == "close" {
            break;
        }
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut length = 0;
        for line in reader.by_ref().lines() {
            let line = line.unwrap();
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse().unwrap();
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        assert!(body.starts_with(b"<svg"));
    }
    assert_eq!(answer(stream).status, 200);
}
