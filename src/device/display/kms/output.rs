//! One connected display: two buffers, of which one is shown while the other is drawn to.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use drm::buffer::{Buffer as _, DrmFourcc};
use drm::control::dumbbuffer::DumbBuffer;
use drm::control::{ClipRect, Device, Event, Mode, PageFlipFlags, connector, crtc, framebuffer};
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::OutputRequest;
use super::card::{self, Card};
use crate::device::display::{DisplayError, Frame, PixelLayout, PixelWriter, Rotation, union};

/// The longest time that a page flip may take: several frames of the slowest display.
const FLIP: Duration = Duration::from_millis(250);

/// Formats of buffers with their colour depth and bits a pixel. Nearly all drivers support the first.
const FORMATS: [(DrmFourcc, PixelLayout, u32, u32); 2] = [
    (DrmFourcc::Xrgb8888, PixelLayout::XRGB8888, 24, 32),
    (DrmFourcc::Rgb565, PixelLayout::RGB565, 16, 16),
];

/// Memory that a card scans out.
struct Buffer {
    memory: DumbBuffer,
    handle: framebuffer::Handle,
}

/// How a new frame is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Showing {
    /// By showing the other buffer.
    Flips,
    /// By drawing to the buffer that is shown.
    InPlace,
}

/// A display that shows frames. The kernel frees the buffers and the display when the card is closed.
pub struct Output {
    card: Card,
    path: PathBuf,
    connector: connector::Handle,
    name: String,
    crtc: crtc::Handle,
    mode: Mode,
    writer: PixelWriter,
    buffers: [Buffer; 2],
    /// The buffer that is shown.
    front: usize,
    showing: Showing,
    /// Whether a flip was begun that has not completed.
    is_flipping: bool,
    /// The outdated area of each buffer, in pixels of the frame.
    stale: [Rectangle; 2],
    asleep: bool,
}

impl Output {
    /// Opens a display and shows black.
    ///
    /// # Errors
    /// As [`super::Kms::open`].
    pub fn open(request: &OutputRequest) -> Result<Output, DisplayError> {
        let found = card::find(request)?;
        let (buffers, writer) = buffers(&found.card, &found.mode, request.rotation)
            .map_err(|error| DisplayError::failed(format!("kms {}", found.name), format!("cannot create a buffer: {error}")))?;
        let mut output = Output {
            stale: [Rectangle::new(Point::zero(), writer.size()); 2],
            card: found.card,
            path: found.path,
            connector: found.connector,
            name: found.name,
            crtc: found.crtc,
            mode: found.mode,
            writer,
            buffers,
            front: 0,
            showing: Showing::Flips,
            is_flipping: false,
            asleep: true,
        };
        output.wake()?;
        Ok(output)
    }

    /// The connector's name and the mode.
    pub fn name(&self) -> String {
        format!("{} {}@{}", self.name, self.mode.name().to_string_lossy(), self.mode.vrefresh())
    }

    /// How the display is mounted.
    pub fn rotation(&self) -> Rotation {
        self.writer.rotation()
    }

    /// Width and height after rotation.
    pub fn size(&self) -> Size {
        self.writer.size()
    }

    /// Whether the display is off.
    pub fn is_asleep(&self) -> bool {
        self.asleep
    }

    /// Darkens what is drawn from now on.
    pub fn dim(&mut self, brightness: f32) {
        self.writer.dim(brightness);
        self.stale = [self.whole(); 2];
    }

    /// Whether the display is still connected.
    ///
    /// # Errors
    /// If it is not, or the card itself was removed.
    pub fn check(&self) -> Result<(), DisplayError> {
        let about = self
            .card
            .get_connector(self.connector, false)
            .map_err(|error| self.failed("the card was removed", error))?;
        if about.state() == connector::State::Disconnected {
            return Err(DisplayError::failed(format!("kms {}", self.name), "the display was unplugged"));
        }
        Ok(())
    }

    /// Shows a frame.
    ///
    /// # Errors
    /// If an operation of the card fails.
    pub fn present(&mut self, frame: &Frame, damage: Rectangle) -> Result<(), DisplayError> {
        self.finish_flip()?;
        let damage = if self.asleep {
            self.whole()
        } else {
            damage.intersection(&self.whole())
        };
        self.stale = self.stale.map(|stale| union(stale, damage));
        if self.showing == Showing::Flips {
            self.front = 1 - self.front;
        }
        let shown = self.draw(frame)?;
        match (self.asleep, self.showing) {
            (true, _) => self.wake(),
            (false, Showing::Flips) => self.flip(),
            (false, Showing::InPlace) => self.announce(shown),
        }
    }

    /// Turns the display off.
    ///
    /// # Errors
    /// If an operation of the card fails.
    pub fn sleep(&mut self) -> Result<(), DisplayError> {
        self.finish_flip()?;
        let off = self.card.set_crtc(self.crtc, None, (0, 0), &[], None);
        off.map_err(|error| self.failed("cannot turn the display off", error))?;
        self.asleep = true;
        Ok(())
    }

    /// Sets the mode and shows the front buffer.
    fn wake(&mut self) -> Result<(), DisplayError> {
        let buffer = self.buffers[self.front].handle;
        let set = self
            .card
            .set_crtc(self.crtc, Some(buffer), (0, 0), &[self.connector], Some(self.mode));
        set.map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => DisplayError::absent(
                format!("kms {}", self.name),
                format!("another program draws on {}", self.path.display()),
                "stop the desktop (`sudo systemctl isolate multi-user.target`), or use its window (`--display window`)",
            ),
            _ => self.failed("cannot set the mode", error),
        })?;
        self.asleep = false;
        Ok(())
    }

    /// Draws the stale area of the front buffer and returns where that is in its memory.
    fn draw(&mut self, frame: &Frame) -> Result<Rectangle, DisplayError> {
        let mapped = self.card.map_dumb_buffer(&mut self.buffers[self.front].memory);
        let drawn = mapped.map(|mut memory| self.writer.write(frame, self.stale[self.front], &mut memory));
        let drawn = drawn.map_err(|error| self.failed("cannot map its memory", error))?;
        self.stale[self.front] = Rectangle::zero();
        Ok(drawn)
    }

    fn whole(&self) -> Rectangle {
        Rectangle::new(Point::zero(), self.size())
    }

    /// Begins to show the front buffer. Without page flips it stays the one that is shown, and is drawn to in place.
    fn flip(&mut self) -> Result<(), DisplayError> {
        let flip = self
            .card
            .page_flip(self.crtc, self.buffers[self.front].handle, PageFlipFlags::EVENT, None);
        if let Err(error) = flip {
            log::info!("kms {}: no page flips ({error}); drawing in place", self.name);
            self.showing = Showing::InPlace;
            return self.wake();
        }
        self.is_flipping = true;
        Ok(())
    }

    /// Waits until the buffer that is drawn to next is no longer shown.
    fn finish_flip(&mut self) -> Result<(), DisplayError> {
        let begin = Instant::now();
        while self.is_flipping {
            let left = FLIP.saturating_sub(begin.elapsed());
            let mut files = [PollFd::new(&self.card, PollFlags::IN)];
            let timeout = Timespec::try_from(left).ok();
            match poll(&mut files, timeout.as_ref()) {
                Ok(0) => {
                    log::warn!("kms {}: a page flip did not complete; drawing in place", self.name);
                    self.showing = Showing::InPlace;
                    self.is_flipping = false;
                }
                Ok(_) => {
                    let events = self
                        .card
                        .receive_events()
                        .map_err(|error| self.failed("the card was removed", error))?;
                    self.is_flipping &= !events.into_iter().any(|event| matches!(event, Event::PageFlip(_)));
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(self.failed("the card was removed", error.into())),
            }
        }
        Ok(())
    }

    /// Tells the driver what was drawn in place. Drivers whose display reads the memory itself report that they do not need to
    /// be told.
    fn announce(&self, area: Rectangle) -> Result<(), DisplayError> {
        let Some(last) = area.bottom_right() else { return Ok(()) };
        let clip = ClipRect::new(area.top_left.x as u16, area.top_left.y as u16, last.x as u16 + 1, last.y as u16 + 1);
        match self.card.dirty_framebuffer(self.buffers[self.front].handle, &[clip]) {
            Err(error) if ![Some(libc::ENOSYS), Some(libc::EOPNOTSUPP)].contains(&error.raw_os_error()) => {
                Err(self.failed("cannot send the picture", error))
            }
            _ => Ok(()),
        }
    }

    fn failed(&self, what: &str, error: io::Error) -> DisplayError {
        DisplayError::failed(format!("kms {}", self.name), format!("{what}: {error}"))
    }
}

/// Two black buffers in the first format that the card supports, and the writer for them.
fn buffers(card: &Card, mode: &Mode, rotation: Rotation) -> io::Result<([Buffer; 2], PixelWriter)> {
    let (width, height) = mode.size();
    let size = Size::new(u32::from(width), u32::from(height));
    let mut refused = io::Error::from(io::ErrorKind::Unsupported);
    for (format, layout, depth, bits) in FORMATS {
        let buffer = || -> io::Result<Buffer> {
            let memory = card.create_dumb_buffer((size.width, size.height), format, bits)?;
            let handle = card.add_framebuffer(&memory, depth, bits)?;
            Ok(Buffer { memory, handle })
        };
        match buffer().and_then(|first| Ok([first, buffer()?])) {
            Ok(buffers) => {
                let stride = buffers[0].memory.pitch() as usize;
                return Ok((buffers, PixelWriter::new(layout, size, stride, rotation)));
            }
            Err(error) => refused = error,
        }
    }
    Err(refused)
}
