use super::*;
use std::collections::BTreeSet;
use std::process::Command;

mod disks;
mod kills;

/// Caps that no test reaches by accident.
const AMPLE: Caps = Caps {
    bytes: 1 << 40,
    pictures: 1 << 20,
};

/// A picture that hardly packs, of `side`² × 4 bytes, different for each number.
fn noise(number: u64, side: u32) -> Picture {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let pixels = (0..side * side * 4).map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    });
    Picture::new(side, side, pixels.collect()).unwrap()
}

fn record(picture: &Picture, prompt: &str) -> Provenance {
    Provenance {
        prompt: prompt.into(),
        steps: 4,
        guidance: 1.0,
        size: [picture.width(), picture.height()],
        picture_sha256: picture.sha256(),
        software: env!("CARGO_PKG_NAME").into(),
        ..Provenance::default()
    }
}

fn keep(gallery: &mut Gallery, number: u64) -> Kept {
    let picture = noise(number, 24);
    gallery.keep(&picture, &record(&picture, &format!("picture {number}")))
}

fn numbers(gallery: &Gallery) -> Vec<u64> {
    gallery.entries().iter().map(Entry::number).collect()
}

/// Names of everything in a folder.
fn listing(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect()
}

/// Everything that is visible under its final name is whole and what its record says.
fn assert_whole(gallery: &mut Gallery) {
    for number in numbers(gallery) {
        let contents = gallery.load(number).unwrap();
        assert!(crate::picture::verify(&contents.picture, &contents.provenance.unwrap()), "{number}");
    }
}

#[test]
fn pictures_are_kept_in_order_under_names_for_people() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deeper/gallery");
    let mut gallery = Gallery::open(&path, AMPLE);
    gallery.check().unwrap();
    let picture = noise(1, 8);
    for (prompt, number) in [("a red fox", 1), ("红苹果", 2), ("../..//etc/passwd", 3), ("🍎!", 4)] {
        assert_eq!(gallery.keep(&picture, &record(&picture, prompt)), Kept::Kept(number));
    }
    gallery.set_favourite(2, true).unwrap();
    let names = [
        "000001-a-red-fox.png",
        "000002-红苹果.favourite.png",
        "000003-etc-passwd.png",
        "000004-picture.png",
    ];
    assert_eq!(listing(&path), BTreeSet::from(names.map(str::to_owned)));
    drop(gallery);
    let mut gallery = Gallery::open(&path, AMPLE);
    let marks: Vec<_> = gallery
        .entries()
        .iter()
        .map(|entry| (entry.number(), entry.is_favourite()))
        .collect();
    assert_eq!(marks, [(1, false), (2, true), (3, false), (4, false)]);
    assert_eq!(gallery.load(2).unwrap().provenance.unwrap().prompt, "红苹果");
    gallery.set_favourite(2, false).unwrap();
    gallery.set_favourite(2, false).unwrap();
    assert!(path.join("000002-红苹果.png").is_file());
    assert_eq!(keep(&mut gallery, 5), Kept::Kept(5));
    assert_whole(&mut gallery);
}

/// Somebody else's picture.
fn put(path: &Path, number: u64) {
    png::write(&noise(number, 24), path, None, true).unwrap();
}

#[test]
fn pictures_of_others_are_shown_and_never_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let inside = |name: &str| folder.path().join(name);
    let elsewhere = tempfile::tempdir().unwrap();
    put(&elsewhere.path().join("beach.png"), 50);
    put(&inside("holiday.png"), 51);
    std::os::unix::fs::symlink(elsewhere.path().join("beach.png"), inside("000009-link.png")).unwrap();
    fs::write(inside("broken.png"), b"no picture").unwrap();
    fs::write(inside("notes.txt"), b"text").unwrap();
    for number in 1..=20 {
        put(&inside(&format!("{number:06}-copied.png")), number);
    }
    let before = listing(folder.path());
    let mut gallery = Gallery::open(folder.path(), Caps { pictures: 4, ..AMPLE });
    let names: Vec<String> = gallery.entries().iter().map(Entry::file_name).collect();
    assert_eq!(
        (names.len(), names[0].as_str(), names[1].as_str()),
        (22, "000009-link.png", "holiday.png")
    );
    for number in 21..=27 {
        assert_eq!(keep(&mut gallery, number), Kept::Kept(number));
    }
    let after = listing(folder.path());
    assert!(before.is_subset(&after));
    let own: Vec<u64> = gallery.kept().map(Entry::number).collect();
    assert_eq!((own, after.len() - before.len()), (vec![24, 25, 26, 27], 4));

    let (link, holiday) = (gallery.entries()[0].number(), gallery.entries()[1].number());
    assert_eq!(gallery.load(holiday).unwrap().picture, noise(51, 24));
    assert_eq!(gallery.load(link).unwrap().picture, noise(50, 24));
    gallery.set_favourite(holiday, true).unwrap();
    assert!(inside("holiday.favourite.png").is_file());
    fs::write(inside("holiday.favourite.png"), b"damaged since").unwrap();
    assert!(gallery.load(holiday).is_err());
    assert!(inside("holiday.favourite.png").is_file(), "it is not ours to move");
}

#[test]
fn two_kiosks_on_one_folder_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let kept: Vec<(String, u64)> = std::thread::scope(|scope| {
        let path = folder.path();
        let kiosk = |name: &'static str| {
            scope.spawn(move || {
                let mut gallery = Gallery::open(path, AMPLE);
                let keep = |index: u64| {
                    let picture = noise(index, 16);
                    let Kept::Kept(number) = gallery.keep(&picture, &record(&picture, name)) else {
                        panic!()
                    };
                    (name.to_owned(), number)
                };
                (0..30).map(keep).collect::<Vec<_>>()
            })
        };
        let all = [kiosk("one"), kiosk("two"), kiosk("three")];
        all.into_iter().flat_map(|kiosk| kiosk.join().unwrap()).collect()
    });
    let numbers: BTreeSet<u64> = kept.iter().map(|(_, number)| *number).collect();
    assert_eq!((kept.len(), numbers.len()), (90, 90));
    for (name, number) in kept {
        assert!(folder.path().join(format!("{number:06}-{name}.png")).is_file());
    }
    assert_eq!(listing(folder.path()).len(), 90, "no claim is left");
}

#[test]
fn a_number_that_is_claimed_is_not_tidied_away() {
    let folder = tempfile::tempdir().unwrap();
    let claim = claim(folder.path(), 1).unwrap();
    let mut gallery = Gallery::open(folder.path(), AMPLE);
    let picture = noise(1, 16);
    let Kept::Kept(number) = gallery.keep(&picture, &record(&picture, "one")) else {
        panic!()
    };
    assert_eq!(number, 2);
    drop(claim);
    assert_eq!(listing(folder.path()).len(), 1, "no claim is left");
}

#[test]
fn of_two_pictures_with_one_number_both_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["000001-one.png", "000001-two.favourite.png", "000002-three.png"] {
        put(&folder.path().join(name), 1);
    }
    let gallery = Gallery::open(folder.path(), AMPLE);
    let names: Vec<String> = gallery.entries().iter().map(Entry::file_name).collect();
    assert_eq!(names, ["000001-one.png", "000002-three.png", "000003-two.favourite.png"]);
}

#[test]
fn the_oldest_that_nobody_marked_go_first() {
    let folder = tempfile::tempdir().unwrap();
    let caps = Caps { pictures: 4, ..AMPLE };
    let mut gallery = Gallery::open(folder.path(), caps);
    for number in 1..=4 {
        assert_eq!(keep(&mut gallery, number), Kept::Kept(number));
    }
    gallery.set_favourite(1, true).unwrap();
    gallery.set_favourite(3, true).unwrap();
    assert_eq!(keep(&mut gallery, 5), Kept::Kept(5));
    assert_eq!(numbers(&gallery), [1, 3, 4, 5]);
    assert_eq!(keep(&mut gallery, 6), Kept::Kept(6));
    assert_eq!(numbers(&gallery), [1, 3, 5, 6]);
    for number in [5, 6] {
        gallery.set_favourite(number, true).unwrap();
    }
    let Kept::NotKept(reason) = keep(&mut gallery, 7) else { panic!() };
    assert!(reason.contains("favourites fill the gallery"), "{reason}");
    assert_eq!(listing(folder.path()).len(), 4);
    gallery.set_favourite(1, false).unwrap();
    assert_eq!(keep(&mut gallery, 8), Kept::Kept(7));
    assert_eq!(numbers(&gallery), [3, 5, 6, 7]);
    assert_whole(&mut gallery);
}

#[test]
fn bytes_are_capped_too_and_counted_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let mut gallery = Gallery::open(folder.path(), AMPLE);
    for number in 1..=6 {
        assert_eq!(keep(&mut gallery, number), Kept::Kept(number));
    }
    let on_disk = || -> u64 {
        let files = fs::read_dir(folder.path()).unwrap();
        files.map(|file| file.unwrap().metadata().unwrap().len()).sum()
    };
    assert_eq!(gallery.bytes(), on_disk());
    let one = gallery.entries()[0].bytes();
    gallery.set_caps(Caps { bytes: one * 4, ..AMPLE });
    assert_eq!(keep(&mut gallery, 7), Kept::Kept(7));
    assert!(
        gallery.bytes() <= one * 4 && gallery.entries().len() >= 3,
        "{}",
        gallery.entries().len()
    );
    assert_eq!(gallery.bytes(), on_disk());
    gallery.set_caps(Caps { bytes: one / 2, ..AMPLE });
    let kept = keep(&mut gallery, 8);
    assert!(matches!(&kept, Kept::NotKept(_)), "a picture larger than the cap: {kept:?}");
    assert_eq!(Gallery::open(folder.path(), AMPLE).bytes(), gallery.bytes());
}

#[test]
fn a_folder_is_free_at_once_although_another_program_has_it_open() {
    let folder = tempfile::tempdir().unwrap();
    let lock = scan::lock(folder.path()).unwrap();
    assert!(scan::lock(folder.path()).is_none());
    let as_in_a_child = lock.file().try_clone().unwrap();
    drop(lock);
    assert!(scan::lock(folder.path()).is_some());
    drop(as_in_a_child);
}

#[test]
fn damaged_pictures_are_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let mut gallery = Gallery::open(folder.path(), AMPLE);
    for number in 1..=4 {
        assert_eq!(keep(&mut gallery, number), Kept::Kept(number));
    }
    drop(gallery);
    let path = |number: u64| folder.path().join(format!("{number:06}-picture-{number}.png"));
    let whole = fs::read(path(1)).unwrap();
    fs::write(path(1), &whole[..whole.len() / 2]).unwrap();
    fs::write(path(2), b"").unwrap();
    let mut flipped = fs::read(path(3)).unwrap();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x40;
    fs::write(path(3), &flipped).unwrap();
    fs::create_dir(folder.path().join(DAMAGED)).unwrap();
    fs::write(folder.path().join(DAMAGED).join("000002-picture-2.png"), b"an earlier one").unwrap();
    let mut gallery = Gallery::open(folder.path(), AMPLE);
    assert_eq!(numbers(&gallery), [3, 4], "damage in the middle is seen only when the picture is");
    assert!(matches!(gallery.load(3), Err(GalleryError::Picture(PngError::Bad { .. }))));
    assert!(matches!(gallery.load(3), Err(GalleryError::Gone(3))));
    assert_eq!(numbers(&gallery), [4]);
    let damaged = [
        "000001-picture-1.png",
        "000002-picture-2.png",
        "000003-picture-3.png",
        "1-000002-picture-2.png",
    ];
    assert_eq!(listing(&folder.path().join(DAMAGED)), BTreeSet::from(damaged.map(str::to_owned)));
    assert_eq!(keep(&mut gallery, 5), Kept::Kept(5));
    assert_whole(&mut gallery);
}

#[test]
fn other_files_are_never_touched() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in [
        "holiday.png",
        "12-x.png",
        "notes.txt",
        ".inkstone-abc",
        "abc.tmp",
        "000009-x.png.bak",
    ] {
        fs::write(at(name), name).unwrap();
    }
    fs::write(folder.path().join(std::ffi::OsStr::from_bytes(b"000010-\xff.png")), "bytes").unwrap();
    fs::create_dir(at("000005-folder.png")).unwrap();
    fs::create_dir(at(".inkstone-folder.tmp")).unwrap();
    std::os::unix::fs::symlink("/nowhere", at("000006-link.png")).unwrap();
    let before = listing(folder.path());
    let caps = Caps { pictures: 2, ..AMPLE };
    let mut gallery = Gallery::open(folder.path(), caps);
    assert_eq!(numbers(&gallery), [0; 0]);
    for number in 1..=5 {
        let Kept::Kept(_) = keep(&mut gallery, number) else { panic!() };
    }
    assert_eq!(gallery.entries().len(), 2);
    let kept: BTreeSet<String> = gallery.entries().iter().map(Entry::file_name).collect();
    assert_eq!(listing(folder.path()), before.union(&kept).cloned().collect());
    assert_eq!(fs::read(at("holiday.png")).unwrap(), b"holiday.png");
}

#[test]
fn unfinished_files_go_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(".inkstone-AbC123.tmp"), b"half a picture").unwrap();
    let gallery = Gallery::open(folder.path(), AMPLE);
    assert_eq!(listing(folder.path()).len(), 0);
    // Not while another kiosk may be writing them.
    fs::write(folder.path().join(".inkstone-AbC123.tmp"), b"half a picture").unwrap();
    let mut second = Gallery::open(folder.path(), AMPLE);
    assert_eq!(listing(folder.path()).len(), 1);
    drop(gallery);
    assert_eq!(keep(&mut second, 1), Kept::Kept(1));
}

#[test]
fn two_kiosks_never_take_each_others_names() {
    let folder = tempfile::tempdir().unwrap();
    let mut one = Gallery::open(folder.path(), AMPLE);
    let mut other = Gallery::open(folder.path(), AMPLE);
    for number in 1..=40 {
        assert!(matches!(keep(&mut one, number), Kept::Kept(_)));
    }
    for number in 41..=60 {
        assert!(matches!(keep(&mut other, number), Kept::Kept(_)));
    }
    assert_eq!(listing(folder.path()).len(), 60);
}

#[test]
fn what_others_remove_or_rename_is_gone_and_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let mut gallery = Gallery::open(folder.path(), AMPLE);
    for number in 1..=4 {
        assert_eq!(keep(&mut gallery, number), Kept::Kept(number));
    }
    for number in [1, 2, 3] {
        fs::remove_file(folder.path().join(format!("{number:06}-picture-{number}.png"))).unwrap();
    }
    assert!(matches!(gallery.load(1), Err(GalleryError::Gone(1))));
    assert!(matches!(gallery.set_favourite(2, true), Err(GalleryError::Gone(2))));
    gallery.remove(3).unwrap();
    assert_eq!(numbers(&gallery), [4]);
    fs::write(folder.path().join("000004-picture-4.favourite.png"), b"somebody's").unwrap();
    let refused = gallery.set_favourite(4, true).unwrap_err().to_string();
    assert!(refused.contains("a file of this name exists"), "{refused}");
    assert_eq!(
        fs::read(folder.path().join("000004-picture-4.favourite.png")).unwrap(),
        b"somebody's"
    );
    // The whole folder is taken away, and comes back.
    fs::remove_dir_all(folder.path()).unwrap();
    assert!(gallery.check().is_err());
    assert!(matches!(keep(&mut gallery, 5), Kept::Kept(_)));
    assert_eq!(gallery.entries().len(), 1);
    gallery.check().unwrap();
}

#[test]
fn a_place_that_is_no_folder_keeps_nothing_until_it_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gallery");
    fs::write(&path, b"a file").unwrap();
    let mut gallery = Gallery::open(&path, AMPLE);
    let message = gallery.check().unwrap_err().to_string();
    assert!(message.contains("gallery: cannot keep pictures here: "), "{message}");
    assert!(matches!(keep(&mut gallery, 1), Kept::NotKept(_)));
    fs::remove_file(&path).unwrap();
    assert_eq!(keep(&mut gallery, 1), Kept::Kept(1));
}

#[test]
fn two_thousand_pictures_are_read_in_a_moment() {
    let folder = tempfile::tempdir().unwrap();
    let picture = noise(1, 64);
    let bytes = png::encode(&picture, Some(&record(&picture, "many"))).unwrap();
    for number in 1..=2000 {
        let mark = if number % 10 == 0 { ".favourite" } else { "" };
        fs::write(folder.path().join(format!("{number:06}-many{mark}.png")), &bytes).unwrap();
    }
    let started = std::time::Instant::now();
    let mut gallery = Gallery::open(folder.path(), AMPLE);
    let took = started.elapsed();
    eprintln!("2000 pictures of {} bytes read in {took:?}", bytes.len());
    assert_eq!(gallery.entries().len(), 2000);
    assert_eq!(gallery.entries().iter().filter(|entry| entry.is_favourite()).count(), 200);
    assert_eq!(gallery.bytes(), 2000 * bytes.len() as u64);
    assert!(took < std::time::Duration::from_secs(2), "{took:?}");
    gallery.set_caps(Caps { pictures: 1000, ..AMPLE });
    assert_eq!(keep(&mut gallery, 2001), Kept::Kept(2001));
    assert_eq!(gallery.entries().len(), 1000);
    assert_eq!(gallery.entries().iter().filter(|entry| entry.is_favourite()).count(), 200);
}
