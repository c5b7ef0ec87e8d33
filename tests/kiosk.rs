//! `inkstone kiosk` as its visitors and its supervisor meet it: the shipped pack, a folder of pictures as display.

#![cfg(feature = "kiosk")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use assert_cmd::cargo::CommandCargoExt;
use inkstone::Request;
use inkstone::device::buttons::Gesture;
use inkstone::kiosk::settings::Settings;
use inkstone::kiosk::sources::Source;
use inkstone::kiosk::state::{Scene, View};
use inkstone::kiosk::{Handle, Kiosk, Options};

/// Longest that anything here may take; the machines that test are slow.
const PATIENCE: Duration = Duration::from_secs(120);

/// The kiosk with a display and a gallery in a folder.
fn kiosk(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("inkstone").unwrap();
    command
        .current_dir(folder)
        .env("INKSTONE_PACK", pack())
        .args([
            "kiosk",
            "--display",
            "png:frames",
            "--size",
            "480x320",
            "--gallery",
            "gallery",
            "--seed",
            "5",
        ])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// The exit code, and what was said on standard error.
fn end(mut child: Child) -> (Option<i32>, String) {
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("the kiosk does not end");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

fn run(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    end(kiosk(folder, arguments).spawn().unwrap())
}

/// The PNG files of a folder in their order.
fn pictures(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .map(|files| files.map(|file| file.unwrap().path()).collect())
        .unwrap_or_default();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "png"));
    files.sort();
    files
}

fn script(folder: &Path, text: &str) -> String {
    let path = folder.join("visit.txt");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_visit_is_the_same_every_time_and_keeps_what_was_drawn() {
    let visit = "12 press a\n13 press next\n14 press c\n20 press c\n22 press back\n";
    let evenings = [1, 2].map(|_| {
        let folder = tempfile::tempdir().unwrap();
        let (code, said) = run(folder.path(), &["--script", &script(folder.path(), visit)]);
        assert_eq!(code, Some(0), "{said}");
        folder
    });
    let [first, second] = evenings.each_ref().map(|folder| pictures(&folder.path().join("frames")));
    assert!(first.len() > 8, "{} frames", first.len());
    assert_eq!(first.len(), second.len());
    for (first, second) in first.iter().zip(&second) {
        assert_eq!(std::fs::read(first).unwrap(), std::fs::read(second).unwrap(), "{}", first.display());
    }
    let kept = pictures(&evenings[0].path().join("gallery"));
    assert_eq!(kept.len(), 1, "{kept:?}");
    let verified = Command::cargo_bin("inkstone")
        .unwrap()
        .arg("verify")
        .arg(&kept[0])
        .output()
        .unwrap();
    assert!(verified.status.success());
}

/// A visit that ends in the menu, at the line of this number, which is opened.
fn menu_line(number: usize, at: u32) -> String {
    let presses = (0..number).map(|press| format!("{} press a\n", f64::from(at) + 0.4 * press as f64));
    format!("{}{} press b\n", presses.collect::<String>(), at + 4)
}

#[test]
fn what_a_finger_draws_becomes_a_picture_that_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    // Touched to life, the menu touched, its line for drawing by hand opened; two strokes, and the picture of them taken.
    let visit = format!(
        "12 touch 240 150\n13 touch 420 305\n{}19 stroke 130 60 190 90 200 150 170 210 100 210 60 150 70 90 130 60\n24 stroke 130 60 140 40\n32 press c\n35 press back\n",
        menu_line(5, 14)
    );
    let (code, said) = run(folder.path(), &["--script", &script(folder.path(), &visit)]);
    assert_eq!(code, Some(0), "{said}");
    let kept = pictures(&folder.path().join("gallery"));
    assert_eq!(kept.len(), 1, "{kept:?}");
    let made = inkstone::picture::image_file::read(&kept[0]).unwrap().provenance.unwrap();
    assert_eq!(
        (made.extra["strength"].as_str(), made.steps),
        ("0.75", 4),
        "in all its steps, since the finger rested"
    );
    assert!(made.extra["from"].len() == 64 && made.is_composite(), "a person drew a part of it");
}

#[test]
fn kept_pictures_become_one_another() {
    let folder = tempfile::tempdir().unwrap();
    let draw = "12 press a\n13 press c\n20 press d\n20.5 press d\n21 press a\n22 press c\n30 press d\n30.5 press d\n";
    let visit = format!("{draw}32 press d\n{}52 press back\n", menu_line(6, 33));
    let (code, said) = run(folder.path(), &["--script", &script(folder.path(), &visit)]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(pictures(&folder.path().join("gallery")).len(), 2);
    let shown = pictures(&folder.path().join("frames")).len();
    // The same without the film.
    let without = tempfile::tempdir().unwrap();
    let (code, said) = run(
        without.path(),
        &["--script", &script(without.path(), &format!("{draw}52 press back\n"))],
    );
    assert_eq!(code, Some(0), "{said}");
    let plain = pictures(&without.path().join("frames")).len();
    assert!(shown > plain + 25, "{shown} frames, {plain} without it");
}

#[test]
fn slides_become_one_another_where_the_settings_say_so() {
    let frames = |morphs: bool| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join("kiosk.toml"),
            format!("[attract]\nfade = 0.0\nmorphs = {morphs}\n"),
        )
        .unwrap();
        let script = script(folder.path(), "75 motion\n");
        let (code, said) = run(folder.path(), &["--config", "kiosk.toml", "--script", &script]);
        assert_eq!(code, Some(0), "{said}");
        pictures(&folder.path().join("frames")).len()
    };
    let (plain, morphed) = (frames(false), frames(true));
    assert!(plain < 10 && morphed >= plain + 14, "{morphed} frames, {plain} without morphs");
}

#[test]
fn once_draws_keeps_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let (code, said) = run(folder.path(), &["--once"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(pictures(&folder.path().join("gallery")).len(), 1);
    assert!(pictures(&folder.path().join("frames")).len() > 1);
}

#[test]
fn once_without_a_picture_fails() {
    let folder = tempfile::tempdir().unwrap();
    let (code, said) = run(folder.path(), &["--once", "--pack", "nowhere"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("no pack here") && said.contains("no picture was drawn and kept"),
        "{said}"
    );
}

#[test]
fn a_broken_pack_is_told_and_does_not_end_the_kiosk() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--pack", "nowhere", "--script", &script(folder.path(), "5 press c\n")];
    let (code, said) = run(folder.path(), &arguments);
    assert_eq!(code, Some(0), "{said}");
    assert!(!pictures(&folder.path().join("frames")).is_empty());
}

#[test]
#[cfg(unix)]
fn the_supervisor_ends_it_at_once() {
    ends_at_once(&[]);
    let folder = tempfile::tempdir().unwrap();
    let presses: String = (0..5000).map(|number| format!("{} press a\n", 20 + 10 * number)).collect();
    ends_at_once(&["--script", &script(folder.path(), &presses)]);
}

#[cfg(unix)]
fn ends_at_once(arguments: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let child = kiosk(folder.path(), arguments).spawn().unwrap();
    let started = Instant::now();
    while pictures(&folder.path().join("frames")).is_empty() && started.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(50));
    }
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let (code, said) = end(child);
    assert_eq!(code, Some(0), "{said}");
}

/// Outside its hours nothing flashes up, and within them it starts awake although nobody was there yet.
#[test]
#[cfg(unix)]
fn the_first_frame_keeps_to_the_hours() {
    for (schedule, is_black) in [("every_day = \"never\"", true), ("sleep_after = 1", false)] {
        let folder = tempfile::tempdir().unwrap();
        let settings = folder.path().join("kiosk.toml");
        std::fs::write(&settings, format!("[schedule]\n{schedule}\n")).unwrap();
        let child = kiosk(folder.path(), &["--pack", "nowhere", "--config", settings.to_str().unwrap()])
            .spawn()
            .unwrap();
        let frames = folder.path().join("frames");
        wait("a frame", || !pictures(&frames).is_empty());
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        end(child);
        let first = inkstone::picture::png::read(&pictures(&frames)[0]).unwrap().picture;
        let dark = first.pixels().chunks_exact(4).all(|pixel| pixel[..3] == [0; 3]);
        assert_eq!(dark, is_black, "{schedule}");
    }
}

/// Lines of standard error as they come.
fn listen(child: &mut Child) -> std::sync::mpsc::Receiver<String> {
    let (sender, receiver) = std::sync::mpsc::channel();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| drop(sender.send(line))));
    receiver
}

/// Waits for something that comes to be.
#[track_caller]
fn wait(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "it never came: {what}");
        std::thread::sleep(Duration::from_millis(30));
    }
}

/// The colour at the left edge of the latest frame.
fn ground(folder: &Path) -> Option<[u8; 4]> {
    let frames = pictures(&folder.join("frames"));
    let frame = inkstone::picture::png::read(frames.last()?).ok()?;
    frame.picture.pixel(1, 160)
}

#[test]
#[cfg(unix)]
fn settings_are_read_again_and_broken_ones_are_told() {
    // The slide show is one large card.
    const INK: [u8; 4] = [245, 240, 230, 255];
    const PAPER: [u8; 4] = [253, 250, 243, 255];
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("kiosk.toml");
    let write = |text: &str| std::fs::write(&settings, text).unwrap();
    write("[look]\ntheme = \"ink\"\n");
    let mut child = kiosk(folder.path(), &["--pack", "nowhere", "--config", settings.to_str().unwrap()])
        .spawn()
        .unwrap();
    let said = listen(&mut child);
    let pid = child.id().to_string();
    let signal = |name: &str| assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    let said_of = |words: &str| {
        let deadline = Instant::now() + PATIENCE;
        let mut all = String::new();
        while let Ok(line) = said.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            all += &line;
            if line.contains(words) {
                return all;
            }
        }
        panic!("{words} was never said, but {all}");
    };
    wait("a dark frame", || ground(folder.path()) == Some(INK));

    write("[look]\ntheme = \"paper\"\n");
    signal("-HUP");
    wait("a light frame", || ground(folder.path()) == Some(PAPER));
    let shown = pictures(&folder.path().join("frames")).len();

    for (broken, place) in [
        ("[look]\ntheme = \"inc\"\n", "kiosk.toml:2:9"),
        (
            "[draw]\nsubjects = \"no-such-file.txt\"\n[look]\ntheme = \"ink\"\n",
            "no-such-file.txt",
        ),
    ] {
        write(broken);
        signal("-HUP");
        let said = said_of(place);
        assert!(said.contains("stay as they were"), "{said}");
    }
    assert_eq!(pictures(&folder.path().join("frames")).len(), shown, "nothing else was shown");
    assert_eq!(ground(folder.path()), Some(PAPER));

    write("[look]\ntheme = \"ink\"\n[schedule]\nday_brightness = 0.5\n");
    signal("-HUP");
    wait("a dark frame again", || ground(folder.path()) == Some(INK));
    signal("-TERM");
    assert!(child.wait().unwrap().success());
}

#[test]
fn wrong_settings_and_scripts_name_the_place() {
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("kiosk.toml");
    std::fs::write(&settings, "[display]\nrotaton = 90\n").unwrap();
    let (code, said) = run(folder.path(), &["--config", settings.to_str().unwrap()]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("kiosk.toml:2:1") && said.contains("rotation"), "{said}");
    let (code, said) = run(folder.path(), &["--script", &script(folder.path(), "1 press a\n2 prss b\n")]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("visit.txt: line 2"), "{said}");
    let word = format!("1 press {}\n", "x".repeat(3 << 20));
    let (code, said) = run(folder.path(), &["--script", &script(folder.path(), &word)]);
    assert!(
        code == Some(2) && said.contains("visit.txt: line 1") && said.len() < 5000,
        "{} bytes",
        said.len()
    );
    let (code, said) = run(folder.path(), &["--display", "hologram"]);
    assert_eq!(code, Some(2), "{said}");
}

fn pack() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/pictogram")
}

/// With pictures of what it shows and a gallery in a folder.
fn settings(folder: &Path) -> Settings {
    let mut settings = Settings::default();
    settings.display.kind = format!("png:{}", folder.join("frames").display()).parse().unwrap();
    settings.gallery.folder = Some(folder.join("gallery"));
    settings.attract.idle = 3600;
    settings
}

/// Runs a kiosk that another thread steers and then stops; what that thread returns.
fn steered<Seen: Send + 'static>(folder: &Path, steer: impl FnOnce(&Handle) -> Seen + Send + 'static) -> Seen {
    let (sender, receiver) = std::sync::mpsc::channel();
    let source = Source::new("second hand", move |context| {
        let handle = context.kiosk.clone();
        let thread = std::thread::spawn(move || {
            let seen = steer(&handle);
            handle.stop().unwrap();
            sender.send(seen).unwrap();
        });
        Ok(Some(Box::new(thread)))
    });
    let options = Options::new(pack()).sources(vec![source]);
    Kiosk::new(settings(folder), options).unwrap().run().unwrap();
    receiver.recv_timeout(PATIENCE).unwrap()
}

/// A word that names two things: the wheel asks which one, and the other one is drawn.
#[test]
fn a_visitor_is_asked_which_of_two_things_a_word_means() {
    let folder = tempfile::tempdir().unwrap();
    let ((wheel, notice), shown) = steered(folder.path(), |handle| {
        let mut views = handle.subscribe();
        let press = |button: &str| handle.press(button.parse().unwrap(), Gesture::Short).unwrap();
        handle.text("two blue cricket").unwrap();
        press("confirm");
        let asked = loop {
            let view = views.next_within(PATIENCE).unwrap();
            if let Scene::Choose { wheel, kind, typed, .. } = &view.scene
                && !typed
                && kind == "cricket · Which one?"
            {
                break (wheel.clone(), view.notice.clone());
            }
        };
        press("next");
        press("confirm");
        loop {
            if let Scene::Picture { shown, .. } = &views.next_within(PATIENCE).unwrap().scene {
                break (asked, shown.clone());
            }
        }
    });
    assert_eq!(
        (wheel.word.as_str(), wheel.after.as_slice()),
        ("cricket", &["cricket bat".to_owned()][..])
    );
    assert_eq!(notice.as_deref(), Some("Which one?"));
    assert!(shown.title.starts_with("two blue cricket bat"), "{}", shown.title);
}

/// The scene that a phone or a broker would tell about a view.
fn scene(view: &View) -> &'static str {
    match &view.scene {
        Scene::Choose { typed: true, .. } => "typed",
        Scene::Drawing { .. } => "drawing",
        Scene::Picture { .. } => "picture",
        _ => "other",
    }
}

/// A second hand: a source that sends a whole text and a whole request, and a subscriber that sees what becomes of them.
#[test]
fn a_program_steers_the_kiosk_and_sees_what_it_shows() {
    let folder = tempfile::tempdir().unwrap();
    let (shown, mut slow) = steered(folder.path(), |handle| {
        // Nobody takes its views before the end: that holds up nothing.
        let slow = handle.subscribe();
        let mut seen = Vec::new();
        let mut views = handle.subscribe();
        let mut sees = |wanted: &str| loop {
            let view = views.next_within(PATIENCE).unwrap();
            seen.push(scene(&view));
            if scene(&view) == wanted {
                return view;
            }
        };
        handle.text("blue whale").unwrap();
        sees("typed");
        handle.press("back".parse().unwrap(), Gesture::Short).unwrap();
        handle.request(&Request::new("red fox").style("flat").steps(2).seed(7)).unwrap();
        sees("drawing");
        let Scene::Picture { shown, .. } = sees("picture").scene.clone() else {
            panic!("{seen:?}")
        };
        (shown, slow)
    });
    assert_eq!((shown.title.as_str(), shown.style.as_str()), ("fox · red", "flat colour"));
    assert!(slow.next().is_some(), "the latest view is there for whoever comes late");
    assert!(slow.next().is_none(), "and nothing after the end");

    let file = folder.path().join("fox.png");
    let drawn = Command::cargo_bin("inkstone")
        .unwrap()
        .env("INKSTONE_PACK", pack())
        .args(["generate", "red fox", "--style", "flat", "--steps", "2", "--seed", "7", "--out"])
        .arg(&file)
        .output()
        .unwrap();
    assert!(drawn.status.success());
    let drawn = inkstone::picture::png::read(&file).unwrap().picture;
    assert_eq!(shown.picture.sha256(), drawn.sha256());
    let kept = pictures(&folder.path().join("gallery"));
    assert_eq!(kept.len(), 1);
}

/// A job of a shell in a pseudo-terminal: what was written on it so far, and its keys.
#[cfg(target_os = "linux")]
struct ShellJob {
    script: Child,
    written: std::sync::Arc<std::sync::Mutex<String>>,
}

#[cfg(target_os = "linux")]
impl ShellJob {
    /// Runs the kiosk as a job of a shell with job control, continued in the foreground as often as it is stopped.
    fn start(folder: &Path) -> ShellJob {
        let kiosk = format!(
            "sh -c 'echo pid-$$-; exec {} kiosk --display terminal:blocks --gallery gallery'",
            assert_cmd::cargo::cargo_bin("inkstone").display()
        );
        let shell = folder.join("shell");
        let text = format!(
            "set -m\n{kiosk}\ncode=$?\nwhile [ $code -ge 147 ] && [ $code -le 150 ]; do echo stopped-$code-; fg; code=$?; done\necho ended-$code-\n"
        );
        std::fs::write(&shell, text).unwrap();
        let mut script = Command::new("script")
            .args(["-qec", "bash shell", "/dev/null"])
            .current_dir(folder)
            .env("INKSTONE_PACK", pack())
            .env("TERM", "xterm-256color")
            .env("COLORTERM", "truecolor")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("`script` of util-linux makes the pseudo-terminal");
        let mut output = script.stdout.take().unwrap();
        let written = std::sync::Arc::<std::sync::Mutex<String>>::default();
        let seen = written.clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 65536];
            while let Ok(count @ 1..) = std::io::Read::read(&mut output, &mut bytes) {
                seen.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        });
        ShellJob { script, written }
    }

    fn written(&self) -> String {
        self.written.lock().unwrap().clone()
    }

    fn press(&mut self, key: &[u8]) {
        let keys = self.script.stdin.as_mut().unwrap();
        std::io::Write::write_all(keys, key).unwrap();
        std::io::Write::flush(keys).unwrap();
    }

    fn signal(&self, signal: &str) {
        let text = self.written();
        let pid = text.split("pid-").nth(1).and_then(|rest| rest.split('-').next()).unwrap();
        assert!(Command::new("kill").args([signal, pid]).status().unwrap().success());
    }

    /// Waits until the terminal was set up `number` times, and the whole screen was drawn after the last one.
    fn wait_for_screen(&self, number: usize) {
        const ENTER: &str = "\u{1b}[?1049h";
        wait("a whole screen", || {
            let text = self.written();
            let Some(last) = text.split(ENTER).nth(number) else { return false };
            (1..=24).all(|line| last.contains(&format!("\u{1b}[{line};1H")))
        });
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_stopped_kiosk_gives_the_terminal_back_and_draws_again_when_it_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut job = ShellJob::start(folder.path());
    job.wait_for_screen(1);

    job.press(b"\x1a");
    wait("the shell", || job.written().contains("stopped-147-"));
    let text = job.written();
    let left = text.find("\u{1b}[?1049l").expect("the terminal was put back");
    assert!(left < text.find("stopped-").unwrap(), "{text:?}");
    job.wait_for_screen(2);

    // This cannot be caught: the terminal is as it was left, and is drawn again all the same.
    job.signal("-STOP");
    job.wait_for_screen(3);

    job.signal("-TERM");
    wait("the end", || job.written().contains("ended-0-"));
    assert!(job.script.wait().unwrap().success());
}
