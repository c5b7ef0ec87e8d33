//! Where `generate` writes its pictures: a file, numbered files, a folder, or a stream. Depends on [`crate::atomic_file`] and on
//! the formats of picture files.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::CliError;
use super::signing::Signing;
use crate::atomic_file;
use crate::picture::image_file::{self, Format};
use crate::picture::{Background, ImageFileError, Picture, Provenance, file_name, png};

/// What `--out` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A folder, in which pictures are named after the prompt and the seed.
    Folder(PathBuf),
    /// A file, or the name to which numbers are added.
    File(PathBuf),
    /// A pipe or a device, which gets one PNG.
    Stream(PathBuf),
    /// Standard output, which gets one PNG.
    Stdout,
}

impl Destination {
    /// The destination that `--out` names: `-` is standard output; a name that ends with `/` or has no extension is a folder.
    pub fn of(out: Option<&Path>) -> Destination {
        let Some(out) = out else {
            return Destination::Folder(PathBuf::new());
        };
        let is_stdout = ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"]
            .iter()
            .any(|name| out == Path::new(name));
        let kind = fs::metadata(out).ok();
        let is_stream = kind.as_ref().is_some_and(|kind| !kind.is_file() && !kind.is_dir());
        let is_file = kind.as_ref().is_some_and(fs::Metadata::is_file);
        let is_folder = kind.as_ref().is_some_and(fs::Metadata::is_dir) || out.as_os_str().as_encoded_bytes().ends_with(b"/");
        if is_stdout {
            Destination::Stdout
        } else if is_stream {
            Destination::Stream(out.to_owned())
        } else if is_folder || out.extension().is_none() && !is_file {
            Destination::Folder(out.to_owned())
        } else {
            Destination::File(out.to_owned())
        }
    }

    /// Whether the pictures go to standard output, which then has room for nothing else.
    pub fn is_stdout(&self) -> bool {
        *self == Destination::Stdout
    }

    /// Checks that pictures on this background can be written there, one or several of them, and makes the folder.
    ///
    /// # Errors
    /// If the format cannot hold them, a stream is to take several, or the folder cannot be made.
    pub fn prepare(&self, background: Background, is_several: bool) -> Result<(), CliError> {
        match self {
            Destination::Folder(folder) if folder.as_os_str().is_empty() => Ok(()),
            Destination::Folder(folder) => make_folder("--out", folder),
            Destination::File(file) => check_format(file, background),
            Destination::Stream(_) | Destination::Stdout if is_several => Err(CliError::Usage(
                "--out: a pipe or standard output takes one picture; name a folder for several".into(),
            )),
            Destination::Stream(_) | Destination::Stdout => Ok(()),
        }
    }

    /// The name of a picture: `number` counts from 1, and is nothing if there is one alone.
    pub fn name(&self, prompt: &str, seed: u64, number: Option<u64>) -> PathBuf {
        match self {
            Destination::Folder(folder) => folder.join(format!("{}-{seed}.png", file_name(prompt))),
            Destination::File(file) => number.map_or_else(|| file.clone(), |number| numbered(file, number)),
            Destination::Stream(path) => path.clone(),
            Destination::Stdout => PathBuf::from("-"),
        }
    }

    /// Checks that a picture can be written under this name, before it is drawn.
    ///
    /// # Errors
    /// If the file exists and may not be replaced, or its folder is missing.
    pub fn check(&self, name: &Path, force: bool) -> Result<(), CliError> {
        match self {
            Destination::Folder(_) | Destination::File(_) => Ok(atomic_file::check(name, force)?),
            Destination::Stream(_) | Destination::Stdout => Ok(()),
        }
    }

    /// Writes a picture, signed if that is wanted.
    ///
    /// # Errors
    /// If that fails, or the file exists and may not be replaced.
    pub fn write(&self, name: &Path, picture: &Picture, made: &Provenance, signing: &Signing, force: bool) -> Result<(), CliError> {
        let png = || signing.apply(png::encode(picture, Some(made))?, Format::Png, made);
        match self {
            Destination::Folder(_) | Destination::File(_) => {
                let bytes = image_file::encode(picture, name, Some(made))?;
                let bytes = signing.apply(bytes, Format::for_writing(name)?, made)?;
                Ok(atomic_file::write(name, &bytes, force)?)
            }
            Destination::Stream(path) => {
                let bytes = png()?;
                let mut stream = OpenOptions::new().write(true).open(path)?;
                Ok(stream.write_all(&bytes)?)
            }
            Destination::Stdout => {
                let bytes = png()?;
                let mut stdout = std::io::stdout().lock();
                stdout.write_all(&bytes)?;
                Ok(stdout.flush()?)
            }
        }
    }
}

/// Makes a folder that an option names.
///
/// # Errors
/// If it is a file or cannot be made.
pub fn make_folder(option: &str, folder: &Path) -> Result<(), CliError> {
    if folder.is_file() {
        let problem = format!("{option} {}: this is a file; a folder is needed", folder.display());
        return Err(CliError::Usage(problem));
    }
    fs::create_dir_all(folder).map_err(|error| CliError::Usage(format!("{option} {}: {error}", folder.display())))
}

fn check_format(file: &Path, background: Background) -> Result<(), CliError> {
    if !Format::for_writing(file)?.has_alpha() && background == Background::Transparent {
        return Err(ImageFileError::Transparent(file.to_owned()).into());
    }
    Ok(())
}

/// `trees.png` with the number 3: `trees-3.png`.
fn numbered(file: &Path, number: u64) -> PathBuf {
    let mut name = OsString::from(file.file_stem().unwrap_or_default());
    name.push(format!("-{number}"));
    if let Some(extension) = file.extension() {
        name.push(".");
        name.push(extension);
    }
    file.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_tells_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let inside = |name: &str| folder.path().join(name);
        fs::write(inside("plain"), b"").unwrap();
        assert_eq!(Destination::of(None), Destination::Folder(PathBuf::new()));
        assert_eq!(Destination::of(Some(Path::new("-"))), Destination::Stdout);
        assert_eq!(Destination::of(Some(folder.path())), Destination::Folder(folder.path().to_owned()));
        assert_eq!(Destination::of(Some(&inside("new/"))), Destination::Folder(inside("new/")));
        assert_eq!(Destination::of(Some(&inside("new"))), Destination::Folder(inside("new")));
        assert_eq!(Destination::of(Some(&inside("a.png"))), Destination::File(inside("a.png")));
        assert_eq!(Destination::of(Some(&inside("plain"))), Destination::File(inside("plain")));
        #[cfg(unix)]
        assert_eq!(
            Destination::of(Some(Path::new("/dev/null"))),
            Destination::Stream(PathBuf::from("/dev/null"))
        );
    }

    #[test]
    fn numbers_are_added_before_the_extension() {
        let several = Destination::File("trees.v2.png".into());
        assert_eq!(several.name("tree", 7, Some(3)), Path::new("trees.v2-3.png"));
        assert_eq!(several.name("tree", 7, None), Path::new("trees.v2.png"));
        assert_eq!(
            Destination::Folder("out".into()).name("a tree", 7, Some(1)),
            Path::new("out/a-tree-7.png")
        );
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_not_text_stay_as_they_are() {
        use std::os::unix::ffi::OsStrExt;
        let name = std::ffi::OsStr::from_bytes(b"caf\xe9.png");
        let numbered = Destination::File(name.into()).name("cat", 7, Some(2));
        assert_eq!(numbered.as_os_str().as_bytes(), b"caf\xe9-2.png");
    }

    #[test]
    fn streams_take_one_picture() {
        assert!(Destination::Stdout.prepare(Background::Transparent, false).is_ok());
        let error = Destination::Stdout.prepare(Background::Transparent, true).unwrap_err();
        assert!(error.to_string().contains("one picture"), "{error}");
    }
}
