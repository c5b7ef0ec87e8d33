//! Real file systems: a small one that is full, and one that is read-only. They are mounted, which needs root.

use super::*;
use std::fs::File;

/// A file system in memory, unmounted on drop.
struct Disk(tempfile::TempDir);

impl Disk {
    /// Nothing, with a message, where this process may not mount one.
    fn new(bytes: u64) -> Option<Disk> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = mount(&["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"], folder.path());
        if !mounted {
            eprintln!("skipped: mounting a file system needs root");
        }
        mounted.then_some(Disk(folder))
    }

    fn gallery(&self, caps: Caps) -> Gallery {
        Gallery::open(&self.0.path().join("gallery"), caps)
    }
}

fn mount(arguments: &[&str], at: &Path) -> bool {
    Command::new("mount")
        .args(arguments)
        .arg(at)
        .output()
        .is_ok_and(|output| output.status.success())
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

/// Fills what is left of a disk with a file of somebody else.
fn fill(path: &Path) {
    let mut file = File::create(path).unwrap();
    while io::Write::write_all(&mut file, &[0; 4096]).is_ok() {}
}

#[test]
fn on_a_full_disk_the_oldest_go_and_favourites_stay() {
    let Some(disk) = Disk::new(256 << 10) else { return };
    let mut gallery = disk.gallery(AMPLE);
    for number in 1..=100 {
        assert_eq!(keep(&mut gallery, number), Kept::Kept(number), "{number}");
        if matches!(number, 3 | 5) {
            gallery.set_favourite(number, true).unwrap();
        }
    }
    let kept = numbers(&gallery);
    assert!(kept.len() > 20 && kept.len() < 100, "{kept:?}");
    assert_eq!(kept[..2], [3, 5]);
    assert_eq!(kept.last(), Some(&100));
    assert_eq!(listing(gallery.folder()).len(), kept.len(), "nothing unfinished is left");
    assert_whole(&mut gallery);
}

#[test]
fn with_favourites_alone_it_keeps_nothing_until_there_is_room_again() {
    let Some(disk) = Disk::new(128 << 10) else { return };
    let mut gallery = disk.gallery(AMPLE);
    for number in 1..=5 {
        assert_eq!(keep(&mut gallery, number), Kept::Kept(number));
        gallery.set_favourite(number, true).unwrap();
    }
    let other = disk.0.path().join("somebody's");
    fill(&other);
    for _ in 0..3 {
        let Kept::NotKept(reason) = keep(&mut gallery, 6) else { panic!() };
        assert!(reason.contains("the disk is full"), "{reason}");
        assert_eq!(listing(gallery.folder()).len(), 5, "nothing is left of what was not kept");
    }
    // Marks need no room.
    gallery.set_favourite(1, false).unwrap();
    gallery.set_favourite(1, true).unwrap();
    fs::remove_file(&other).unwrap();
    assert_eq!(keep(&mut gallery, 6), Kept::Kept(6));
    assert_whole(&mut gallery);
}

/// A program that takes all room as soon as there is any must not empty the gallery.
#[test]
fn no_more_goes_than_a_picture_needs() {
    let Some(disk) = Disk::new(1 << 20) else { return };
    let mut gallery = disk.gallery(AMPLE);
    for number in 1..=60 {
        assert_eq!(keep(&mut gallery, number), Kept::Kept(number));
    }
    fill(&disk.0.path().join("somebody's"));
    let before = gallery.bytes();
    assert_eq!(keep(&mut gallery, 61), Kept::Kept(61));
    let size = gallery.entries()[0].bytes();
    assert!(before - gallery.bytes() <= 3 * size + SLACK, "{before} {}", gallery.bytes());
    assert!(gallery.entries().len() > 20, "{}", gallery.entries().len());
}

#[test]
fn a_read_only_disk_shows_its_pictures_and_keeps_none() {
    let Some(disk) = Disk::new(1 << 20) else { return };
    let mut gallery = disk.gallery(AMPLE);
    for number in 1..=3 {
        assert_eq!(keep(&mut gallery, number), Kept::Kept(number));
    }
    fs::write(gallery.folder().join("000002-picture-2.png"), b"broken").unwrap();
    fs::write(gallery.folder().join(".inkstone-x.tmp"), b"").unwrap();
    drop(gallery);
    assert!(mount(&["-o", "remount,ro"], disk.0.path()));
    let mut gallery = disk.gallery(Caps { pictures: 1, ..AMPLE });
    assert_eq!(numbers(&gallery), [1, 3]);
    let message = gallery.check().unwrap_err().to_string();
    assert!(message.contains("Read-only"), "{message}");
    let Kept::NotKept(reason) = keep(&mut gallery, 4) else { panic!() };
    assert!(reason.contains("read-only"), "{reason}");
    assert!(matches!(gallery.set_favourite(1, true), Err(GalleryError::File { .. })));
    assert!(matches!(gallery.remove(1), Err(GalleryError::File { .. })));
    assert_eq!(numbers(&gallery), [1, 3]);
    assert_whole(&mut gallery);
    assert!(mount(&["-o", "remount,rw"], disk.0.path()));
    assert_eq!(keep(&mut gallery, 4), Kept::Kept(4));
    assert_eq!(numbers(&gallery), [4]);
}
