//! Whether pictures can be kept, and whether they survive a restart.

use std::path::Path;

use super::Finding;
use super::machine::{Access, Machine};
use super::memory::mebibytes;
use super::storage::Mount;
use crate::kiosk::settings::Settings;

pub(super) fn examine(machine: &Machine, settings: &Settings) -> Finding {
    let folder = settings.gallery_folder();
    // The kiosk creates the folder itself.
    let Some(there) = folder.ancestors().find(|folder| machine.path(folder).is_dir()) else {
        return Finding::warning("gallery", format!("{}: no folder above it exists", folder.display())).fix("set gallery.folder");
    };
    let free = free(&machine.path(there));
    let mount = Mount::of(machine, there);
    judged(
        machine,
        &folder,
        there,
        free,
        mount.as_ref(),
        u64::from(settings.gallery.max_megabytes),
    )
    .figure("folder", folder.display().to_string())
    .figure("free_mib", free.map(mebibytes))
    .figure("file_system", mount.map(|mount| mount.file_system))
}

fn judged(machine: &Machine, folder: &Path, there: &Path, free: Option<u64>, mount: Option<&Mount>, most: u64) -> Finding {
    let (name, free) = (folder.display(), free.unwrap_or(u64::MAX));
    if machine.access(there, true) != Access::Granted {
        let fix = format!("sudo install -d -o {} {name}, or set gallery.folder", machine.user().name);
        return Finding::warning(
            "gallery",
            format!(
                "{name}: {} has no write permission; pictures would not be kept",
                machine.user().name
            ),
        )
        .fix(fix);
    }
    if let Some(mount) = mount.filter(|mount| mount.forgets()) {
        let says = format!("{name} is on {}: pictures are lost at a restart", mount.file_system);
        return Finding::warning("gallery", says)
            .fix("put the gallery on its own partition (firmware-config/boards/README.md, read-only root)");
    }
    if free < most * 1_000_000 {
        let says = format!("{name}: {} MiB are free, less than the limit of {most} MB", mebibytes(free));
        return Finding::warning("gallery", says).fix("free some space, or lower gallery.max_megabytes");
    }
    Finding::ok("gallery", format!("{name}: enough space for the limit of {most} MB"))
}

#[cfg(unix)]
fn free(folder: &Path) -> Option<u64> {
    let about = rustix::fs::statvfs(folder).ok()?;
    Some(about.f_bavail * about.f_frsize)
}

#[cfg(not(unix))]
fn free(_: &Path) -> Option<u64> {
    None
}
