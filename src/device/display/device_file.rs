//! Opening device files, with errors that say what to do: which group to join, which driver to enable.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::DisplayError;

/// Opens a device file for reading and writing.
///
/// # Errors
/// [`DisplayError::Permission`] with the group that owns the file, or with `group` if that is unknown;
/// [`DisplayError::Absent`] with `advice` if there is no such file.
pub fn open(path: &Path, group: &str, advice: &str) -> Result<File, DisplayError> {
    let opened = OpenOptions::new().read(true).write(true).open(path);
    opened.map_err(|error| explain(&error, path, group, advice))
}

/// Turns an error of opening or using a device file into one that says what to do.
pub fn explain(error: &io::Error, path: &Path, group: &str, advice: &str) -> DisplayError {
    let display = path.display().to_string();
    match error.kind() {
        ErrorKind::PermissionDenied => DisplayError::Permission {
            path: path.to_owned(),
            group: owning_group(path).unwrap_or_else(|| group.to_owned()),
        },
        ErrorKind::NotFound => DisplayError::absent(display, "there is no such device", advice),
        _ => DisplayError::failed(display, error),
    }
}

/// The name of the group that owns a file, unless it is root's.
fn owning_group(path: &Path) -> Option<String> {
    let id = fs::metadata(path).ok()?.gid();
    group_name(&fs::read_to_string("/etc/group").ok()?, id).filter(|_| id != 0)
}

/// The name of a group in the form of `group(5)`: `name:password:number:members`.
fn group_name(groups: &str, id: u32) -> Option<String> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(id)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_found_by_number() {
        let groups = "root:x:0:\nvideo:x:44:pi,kiosk\nbroken\n\nspi:x:989:\n";
        assert_eq!(group_name(groups, 44).as_deref(), Some("video"));
        assert_eq!(group_name(groups, 989).as_deref(), Some("spi"));
        assert_eq!(group_name(groups, 7), None);
    }

    #[test]
    fn errors_say_what_to_do() {
        let missing = open(Path::new("/dev/no-such-display"), "video", "load its driver").unwrap_err();
        assert_eq!(
            missing.to_string(),
            "/dev/no-such-display: there is no such device; load its driver"
        );
        let denied = explain(&ErrorKind::PermissionDenied.into(), Path::new("/dev/no-such-display"), "video", "");
        assert!(denied.to_string().contains("sudo usermod -aG video"), "{denied}");
    }
}
