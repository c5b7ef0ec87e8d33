//! Pictures in a row, drawn and kept as a kiosk does: private memory must not grow.
#![cfg(feature = "kiosk")]

use std::path::Path;

use inkstone::kiosk::gallery::{Caps, Gallery, Kept};
use inkstone::pipeline::Options;
use inkstone::process::Memory;
use inkstone::{Pipeline, Request};

/// Memory that an allocator may take or give back between two readings, in bytes. One picture has 64 KiB of pixels: a leak
/// of one in each picture would be thirty times as much over 2,000 of them.
const NOISE: u64 = 4 << 20;
/// Pictures in the gallery at most, so that most of what is kept makes something else go.
const MOST: usize = 50;

/// Draws and keeps `count` pictures with the shipped pack, and compares memory after the first tenth with the end.
fn draw(count: u64) {
    let pack = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/pictogram");
    let mut pipeline = Pipeline::open_with(pack, &Options::default().threads(2)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let caps = Caps {
        bytes: 1 << 30,
        pictures: MOST,
    };
    let mut gallery = Gallery::open(folder.path(), caps);
    let mut settled = None;
    for seed in 1..=count {
        let request = Request::new("a red apple").steps(1).seed(seed);
        let generated = pipeline.generate(&request).unwrap();
        assert_eq!(gallery.keep(&generated.picture, &generated.provenance), Kept::Kept(seed));
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
