//! Pictures in a row, drawn and kept as a kiosk does: private memory must not grow.
#![cfg(feature = "kiosk")]

use std::path::Path;
use std::sync::Arc;

use inkstone::diffusion::{Observer, Pipeline, Progress, PromptReader, Request};
use inkstone::engine::{Engine, Residency};
use inkstone::kiosk::gallery::{Caps, Gallery, Kept};
use inkstone::pack::Pack;
use inkstone::picture::Provenance;
use inkstone::process::Memory;

/// Memory that an allocator may take or give back between two readings, in bytes. One picture has 64 KiB of pixels: a leak
/// of one in each picture would be thirty times as much over 2,000 of them.
const NOISE: u64 = 4 << 20;
/// Pictures in the gallery at most, so that most of what is kept makes something else go.
const MOST: usize = 50;

struct Quiet;

impl Observer for Quiet {
    fn progress(&mut self, _: Progress) -> bool {
        true
    }
}

/// Draws and keeps so many pictures with the shipped pack, and compares memory after the first tenth with the end.
fn draw(count: u64) {
    let pack = Arc::new(Pack::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("models/pictogram")).unwrap());
    let reader = PromptReader::load(&pack).unwrap();
    let (prompt, nothing) = (reader.read("a red apple").unwrap(), reader.nothing().unwrap());
    drop(reader);
    let engine = Engine::new(2).unwrap();
    let pipeline = Pipeline::load(pack, Residency::All).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let caps = Caps {
        bytes: 1 << 30,
        pictures: MOST,
    };
    let mut gallery = Gallery::open(folder.path(), caps);
    let mut settled = None;
    for seed in 1..=count {
        let request = Request {
            prompt: &prompt,
            negative: &nothing,
            style: None,
            steps: 1,
            guidance: 1.0,
            seed,
        };
        let picture = pipeline.generate(&engine, &request, &mut Quiet).unwrap().picture;
        let record = Provenance {
            prompt: "a red apple".into(),
            seed,
            steps: 1,
            guidance: 1.0,
            picture_sha256: picture.sha256(),
            ..Provenance::default()
        };
        assert_eq!(gallery.keep(&picture, &record), Kept::Kept(seed));
        if seed == count / 10 {
            settled = Memory::now();
        }
    }
    let (settled, end) = (settled.unwrap().private_bytes, Memory::now().unwrap().private_bytes);
    eprintln!(
        "{count} pictures: {} KiB private after a tenth, {} KiB at the end",
        settled >> 10,
        end >> 10
    );
    assert!(end <= settled + NOISE, "{settled} bytes grew to {end}");
    assert_eq!(gallery.entries().len(), MOST);
    let last = gallery.load(count).unwrap();
    assert!(inkstone::picture::verify(&last.picture, &last.provenance.unwrap()));
}

#[test]
fn sixty_pictures_leave_no_memory_behind() {
    draw(60);
}

#[test]
#[ignore = "draws 2,000 pictures, which takes minutes"]
fn two_thousand_pictures_leave_no_memory_behind() {
    draw(2000);
}
