//! Pictures in the terminal: whether they are shown, by which protocol, and how large. Depends on [`crate::picture`].

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use super::CliError;
use crate::picture::{Background, Picture, Protocol, Resampling, contact_sheet, preview, scale};

/// Characters of a terminal that does not tell its size.
const USUAL_SIZE: (u32, u32) = (80, 24);
/// Lines that stay free for the names of files and the prompt of the shell.
const FREE_LINES: u32 = 2;
/// Most pictures that are shown together, and their longest side in pixels.
const MOST: usize = 16;
const LONGEST_SIDE: u32 = 512;

/// What `--preview` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Preview {
    /// Pictures in the terminal if it can show them.
    Auto,
    /// No pictures.
    None,
    /// Pictures by this protocol, whatever the environment says.
    By(Protocol),
    /// As `auto`, and a picture of every step in a folder.
    Folder(PathBuf),
}

impl std::str::FromStr for Preview {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Preview, Self::Err> {
        let by = |text: &str| {
            preview::PROTOCOLS
                .iter()
                .find(|(name, _)| *name == text)
                .map(|(_, protocol)| *protocol)
        };
        Ok(match (text, by(text)) {
            ("auto", _) => Preview::Auto,
            ("none", _) => Preview::None,
            (_, Some(protocol)) => Preview::By(protocol),
            (folder, None) => Preview::Folder(folder.into()),
        })
    }
}

/// The pictures that will be shown. Only as many are kept, and as large, as can be seen.
pub struct Album {
    protocol: Option<Protocol>,
    pictures: Vec<Picture>,
}

impl Album {
    /// An album for standard output; one that keeps nothing if that shows no pictures.
    pub fn new(preview: &Preview) -> Album {
        let variable = |name: &str| std::env::var(name).ok();
        let protocol = match preview {
            Preview::None => None,
            Preview::By(protocol) => Some(*protocol),
            Preview::Auto | Preview::Folder(_) => preview::detect(variable, std::io::stdout().is_terminal()),
        };
        Album {
            protocol,
            pictures: Vec::new(),
        }
    }

    /// Keeps a picture if there is room for it.
    ///
    /// # Errors
    /// If it cannot be made smaller.
    pub fn add(&mut self, picture: &Picture) -> Result<(), CliError> {
        if self.protocol.is_none() || self.pictures.len() == MOST {
            return Ok(());
        }
        let is_large = picture.width().max(picture.height()) > LONGEST_SIDE;
        let kept = if is_large {
            scale::scale(picture, LONGEST_SIDE, Resampling::Smooth).map_err(crate::pipeline::PipelineError::from)?
        } else {
            picture.clone()
        };
        self.pictures.push(kept);
        Ok(())
    }

    /// Shows the pictures side by side.
    ///
    /// # Errors
    /// If they cannot be put together or standard output is closed.
    pub fn show(&self) -> Result<(), CliError> {
        let Some(protocol) = self.protocol.filter(|_| !self.pictures.is_empty()) else {
            return Ok(());
        };
        let columns = u32::try_from(self.pictures.len()).unwrap_or(u32::MAX).min(4);
        let sheet = contact_sheet(&self.pictures, columns, 2, &Background::Transparent)?;
        let stdout = std::io::stdout();
        let width = columns_of(&sheet, terminal_size(&stdout).unwrap_or(USUAL_SIZE));
        let bytes = preview::render(&sheet, protocol, width)?;
        Ok(stdout.lock().write_all(&bytes)?)
    }
}

/// How many characters wide a picture is so that all of it can be seen; a character is twice as high as it is wide.
fn columns_of(picture: &Picture, (columns, lines): (u32, u32)) -> u32 {
    let lines = u64::from(lines.saturating_sub(FREE_LINES).max(1));
    let by_height = 2 * lines * u64::from(picture.width()) / u64::from(picture.height().max(1));
    columns.min(u32::try_from(by_height).unwrap_or(u32::MAX)).max(1)
}

/// Columns and lines of the terminal, if it tells them.
#[cfg(unix)]
fn terminal_size(terminal: &impl std::os::fd::AsFd) -> Option<(u32, u32)> {
    let size = rustix::termios::tcgetwinsize(terminal).ok()?;
    Some((size.ws_col.into(), size.ws_row.into())).filter(|(columns, lines)| *columns > 0 && *lines > 0)
}

#[cfg(not(unix))]
fn terminal_size(_: &std::io::Stdout) -> Option<(u32, u32)> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_protocols_are_no_folders() {
        let parsed = |text: &str| text.parse::<Preview>().unwrap();
        assert_eq!(parsed("sixel"), Preview::By(Protocol::Sixel));
        assert_eq!(parsed("kitty"), Preview::By(Protocol::Kitty));
        assert_eq!(parsed("./sixel"), Preview::Folder("./sixel".into()));
        assert_eq!((parsed("auto"), parsed("none")), (Preview::Auto, Preview::None));
    }

    #[test]
    fn all_of_a_picture_can_be_seen() {
        let picture = |width, height| Picture::filled(width, height, [0; 4]).unwrap();
        assert_eq!(columns_of(&picture(128, 128), (80, 24)), 44, "22 lines");
        assert_eq!(columns_of(&picture(128, 128), (200, 60)), 116, "58 lines");
        assert_eq!(columns_of(&picture(512, 128), (80, 24)), 80, "10 lines");
        assert_eq!(columns_of(&picture(1, 4096), (80, 24)), 1);
        assert_eq!(columns_of(&picture(128, 128), (1, 1)), 1);
    }

    #[test]
    fn only_what_can_be_seen_is_kept() {
        let mut album = Album::new(&Preview::By(Protocol::Sixel));
        let large = Picture::filled(2048, 1024, [0; 4]).unwrap();
        (0..60).for_each(|_| album.add(&large).unwrap());
        assert_eq!(album.pictures.len(), MOST);
        assert_eq!((album.pictures[0].width(), album.pictures[0].height()), (512, 256));
        let mut none = Album::new(&Preview::None);
        none.add(&large).unwrap();
        assert!(none.pictures.is_empty());
    }
}
