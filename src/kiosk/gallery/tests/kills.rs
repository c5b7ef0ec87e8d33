//! A process that keeps and marks pictures is killed at 200 random moments. What it had said was kept has to be there.

use super::*;
use crate::kiosk::gallery_worker::{GalleryEvent, GalleryWorker, Task, TaskResult};
use crate::kiosk::state::{FinishedPicture, GalleryEntry, Item, KeepOutcome};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

/// Folder for the process that is killed.
const CHILD: &str = "INKSTONE_TEST_GALLERY";
const KILLS: u64 = 200;
const CAPS: Caps = Caps { pictures: 24, ..AMPLE };

/// What the process says before it does something, and afterwards.
const KEEP: &str = "keep";
const MARK: &str = "mark";
const STATE: &str = "state";

#[test]
fn nothing_kept_is_lost_or_torn_by_a_kill() {
    if let Some(folder) = std::env::var_os(CHILD) {
        work(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let mut state = 1u64;
    let (mut doing_keep, mut doing_mark, mut unfinished) = (0, 0, 0);
    for round in 0..KILLS {
        let said = run_and_kill(folder.path(), &mut state);
        let said: Vec<&str> = said
            .lines()
            .filter(|line| [KEEP, MARK, STATE].iter().any(|word| line.starts_with(word)))
            .collect();
        unfinished += u32::from(
            listing(folder.path())
                .iter()
                .any(|name| crate::atomic_file::is_temporary(name.as_ref())),
        );
        let mut gallery = Gallery::open(folder.path(), CAPS);
        assert!(!folder.path().join(DAMAGED).exists(), "round {round}: a torn picture");
        assert!(
            listing(folder.path())
                .iter()
                .all(|name| !crate::atomic_file::is_temporary(name.as_ref()))
        );
        assert_whole(&mut gallery);
        let known = said
            .iter()
            .rev()
            .find_map(|line| line.strip_prefix(STATE))
            .map(read_state)
            .unwrap_or_default();
        let doing = said.last().copied().filter(|line| !line.starts_with(STATE)).unwrap_or_default();
        doing_keep += u32::from(doing.starts_with(KEEP));
        doing_mark += u32::from(doing.starts_with(MARK));
        check(&gallery, &known, doing, round);
    }
    eprintln!("{KILLS} kills: {doing_keep} while keeping, {doing_mark} while marking, {unfinished} left an unfinished file");
    assert!(doing_keep > KILLS as u32 / 10 && doing_mark > 0, "the kills have to hit something");
}

/// Compares the folder with what the process said last.
fn check(gallery: &Gallery, known: &BTreeMap<u64, bool>, doing: &str, round: u64) {
    let found: BTreeMap<u64, bool> = gallery
        .entries()
        .iter()
        .map(|entry| (entry.number(), entry.is_favourite()))
        .collect();
    // The oldest without a mark may go for the one that was being kept, and one more where the kill before this one came
    // between keeping and making room.
    let too_many = (known.len() + 1).saturating_sub(CAPS.pictures);
    let unmarked = known.iter().filter(|(_, mark)| !**mark).map(|(number, _)| *number);
    let may_go: Vec<u64> = unmarked.take(too_many).collect();
    let marking = doing.strip_prefix(MARK).map(|number| number.trim().parse::<u64>().unwrap());
    for (number, mark) in known {
        match found.get(number) {
            None => assert!(
                doing.starts_with(KEEP) && may_go.contains(number),
                "round {round}: {number} is lost ({doing})"
            ),
            Some(found) => assert!(
                found == mark || marking == Some(*number),
                "round {round}: mark of {number} ({doing})"
            ),
        }
    }
    let newer: Vec<&u64> = found.keys().filter(|number| !known.contains_key(number)).collect();
    let allowed = if known.is_empty() {
        usize::MAX
    } else {
        usize::from(doing.starts_with(KEEP))
    };
    assert!(newer.len() <= allowed, "round {round}: {newer:?} came from nowhere");
}

fn read_state(line: &str) -> BTreeMap<u64, bool> {
    let entry = |word: &str| (word.trim_end_matches('*').parse().unwrap(), word.ends_with('*'));
    line.split_whitespace().map(entry).collect()
}

/// Starts the process, waits until it has begun to work and a random time more, and kills it. What it said by then.
fn run_and_kill(folder: &Path, state: &mut u64) -> String {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kiosk::gallery::tests::kills::nothing_kept_is_lost_or_torn_by_a_kill"])
        .env(CHILD, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut output = child.stdout.take().unwrap();
    let mut said = String::new();
    let mut bytes = [0; 4096];
    while !said.contains(STATE) {
        let length = output.read(&mut bytes).unwrap();
        assert!(length > 0, "the process ended by itself: {said}");
        said.push_str(std::str::from_utf8(&bytes[..length]).unwrap());
    }
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    std::thread::sleep(Duration::from_micros((*state >> 33) % 30_000));
    child.kill().unwrap();
    child.wait().unwrap();
    output.read_to_string(&mut said).unwrap();
    // A last line that was cut is one that was not said.
    said.truncate(said.rfind('\n').map_or(0, |end| end + 1));
    said
}

/// Keeps pictures and sets and takes marks, as the kiosk does, until it is killed.
fn work(folder: &Path) -> ! {
    let (events, heard) = mpsc::channel();
    let worker = GalleryWorker::start(folder.to_owned(), CAPS, move |event| drop(events.send(event))).unwrap();
    let mut kept = answered(&heard).0;
    say(&listed(&kept));
    for round in u64::from(std::process::id()).. {
        say(KEEP);
        assert!(worker.ask(keep_task(round)).is_none());
        let (all, result) = answered(&heard);
        kept = all;
        say(&listed(&kept));
        let TaskResult::Kept(_, _, KeepOutcome::Kept(number)) = result else {
            panic!("{result:?}")
        };
        if round.is_multiple_of(3) {
            let favourites: Vec<u64> = kept
                .iter()
                .rev()
                .filter(|entry| entry.favourite)
                .map(|entry| entry.number)
                .collect();
            // So that some stay marked for long and the gallery never consists of them alone.
            let (marked, on) = if favourites.len() > 8 {
                (favourites[0], false)
            } else {
                (number, true)
            };
            say(&format!("{MARK} {marked}"));
            assert!(worker.ask(Task::Favourite(marked, on)).is_none());
            kept = answered(&heard).0;
            say(&listed(&kept));
        }
    }
    unreachable!("{kept:?}")
}

fn keep_task(round: u64) -> Task {
    let picture = noise(round, 16 + (round % 5) as u32 * 24);
    let provenance = record(&picture, "a picture").into();
    let item = Item {
        prompt: "a picture".into(),
        style: None,
        steps: 4,
        seed: round,
        variations: Vec::new(),
        sketch: None,
    };
    Task::Keep {
        job: round,
        item: 0,
        finished: FinishedPicture {
            item,
            picture: picture.into(),
            provenance,
        },
        favourite: false,
    }
}

/// The contents of the gallery, newest first, and the result of the task.
fn answered(heard: &mpsc::Receiver<GalleryEvent>) -> (Vec<GalleryEntry>, TaskResult) {
    let mut kept = Vec::new();
    loop {
        match heard.recv().unwrap() {
            GalleryEvent::Gallery(entries) => kept = entries,
            GalleryEvent::Done(result) => return (kept, result),
        }
    }
}

fn listed(kept: &[GalleryEntry]) -> String {
    let entry = |entry: &GalleryEntry| format!(" {}{}", entry.number, if entry.favourite { "*" } else { "" });
    format!("{STATE}{}", kept.iter().rev().map(entry).collect::<String>())
}

/// Writes one line at once.
fn say(line: &str) {
    let mut output = io::stdout();
    output.write_all(format!("{line}\n").as_bytes()).unwrap();
    output.flush().unwrap();
}
