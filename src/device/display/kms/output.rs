//! One connected display: two buffers, of which one is shown while the other is drawn into.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use drm::buffer::{Buffer as _, DrmFourcc};
use drm::control::dumbbuffer::DumbBuffer;
use drm::control::{ClipRect, Device, Event, Mode, PageFlipFlags, connector, crtc, framebuffer};
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::Wish;
use super::card::{self, Card};
use crate::device::display::{DisplayError, Frame, PixelLayout, PixelWriter, Rotation, union};

/// How long a page flip may take: several frames of the slowest display.
const FLIP: Duration = Duration::from_millis(250);

/// Formats that buffers may have, with their bits of colour and of a pixel. Nearly all drivers take the first.
const FORMATS: [(DrmFourcc, PixelLayout, u32, u32); 2] = [
    (DrmFourcc::Xrgb8888, PixelLayout::XRGB8888, 24, 32),
    (DrmFourcc::Rgb565, PixelLayout::RGB565, 16, 16),
];

/// Memory that a card shows.
struct Buffer {
    memory: DumbBuffer,
    handle: framebuffer::Handle,
}

/// How the display is brought to show another buffer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Showing {
    /// The buffers change places.
    Flips,
    /// One buffer is shown for good and drawn into.
    InPlace,
}

/// A display that shows frames. The kernel gives buffers and the display back when this is dropped and the card closed.
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
    /// Whether a flip was begun that is not known to be complete.
    is_flipping: bool,
    /// What each buffer lacks, in pixels of the frame.
    stale: [Rectangle; 2],
    asleep: bool,
}

impl Output {
    /// Finds a display and shows black.
    ///
    /// # Errors
    /// As [`super::Kms::open`].
    pub fn open(wish: &Wish) -> Result<Output, DisplayError> {
        let found = card::find(wish)?;
        let (buffers, writer) = buffers(&found.card, &found.mode, wish.rotation)
            .map_err(|error| DisplayError::failed(format!("kms {}", found.name), format!("no buffer can be made: {error}")))?;
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

    /// Width and height as it is looked at.
    pub fn size(&self) -> Size {
        self.writer.size()
    }

    /// Whether the display is off.
    pub fn is_asleep(&self) -> bool {
        self.asleep
    }

    /// Draws darker from now on.
    pub fn dim(&mut self, brightness: f32) {
        self.writer.dim(brightness);
        self.stale = [self.whole(); 2];
    }

    /// Whether the display is still connected.
    ///
    /// # Errors
    /// If it is not, or the card itself is gone.
    pub fn check(&self) -> Result<(), DisplayError> {
        let about = self
            .card
            .get_connector(self.connector, false)
            .map_err(|error| self.failed("the card is gone", error))?;
        if about.state() == connector::State::Disconnected {
            return Err(DisplayError::failed(format!("kms {}", self.name), "the display was unplugged"));
        }
        Ok(())
    }

    /// Shows a frame.
    ///
    /// # Errors
    /// If the card refuses.
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

    /// Switches the display off.
    ///
    /// # Errors
    /// If the card refuses.
    pub fn sleep(&mut self) -> Result<(), DisplayError> {
        self.finish_flip()?;
        let off = self.card.set_crtc(self.crtc, None, (0, 0), &[], None);
        off.map_err(|error| self.failed("the display cannot be switched off", error))?;
        self.asleep = true;
        Ok(())
    }

    /// Shows the front buffer, with the mode set anew.
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
            _ => self.failed("the mode cannot be set", error),
        })?;
        self.asleep = false;
        Ok(())
    }

    /// Draws what the front buffer lacks and tells where in its memory.
    fn draw(&mut self, frame: &Frame) -> Result<Rectangle, DisplayError> {
        let mapped = self.card.map_dumb_buffer(&mut self.buffers[self.front].memory);
        let drawn = mapped.map(|mut memory| self.writer.write(frame, self.stale[self.front], &mut memory));
        let drawn = drawn.map_err(|error| self.failed("its memory cannot be mapped", error))?;
        self.stale[self.front] = Rectangle::zero();
        Ok(drawn)
    }

    fn whole(&self) -> Rectangle {
        Rectangle::new(Point::zero(), self.size())
    }

    /// Begins to show the front buffer. With drivers that know no flips it is shown for good and drawn into from then on.
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

    /// Waits until the buffer that is drawn into next is not shown any more.
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
                    let events = self.card.receive_events().map_err(|error| self.failed("the card is gone", error))?;
                    self.is_flipping &= !events.into_iter().any(|event| matches!(event, Event::PageFlip(_)));
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(self.failed("the card is gone", error.into())),
            }
        }
        Ok(())
    }

    /// Tells the driver what was drawn in place. Those whose display reads the memory itself need not be told and say so.
    fn announce(&self, area: Rectangle) -> Result<(), DisplayError> {
        let Some(last) = area.bottom_right() else { return Ok(()) };
        let clip = ClipRect::new(area.top_left.x as u16, area.top_left.y as u16, last.x as u16 + 1, last.y as u16 + 1);
        match self.card.dirty_framebuffer(self.buffers[self.front].handle, &[clip]) {
            Err(error) if ![Some(libc::ENOSYS), Some(libc::EOPNOTSUPP)].contains(&error.raw_os_error()) => {
                Err(self.failed("the picture cannot be sent", error))
            }
            _ => Ok(()),
        }
    }

    fn failed(&self, what: &str, error: io::Error) -> DisplayError {
        DisplayError::failed(format!("kms {}", self.name), format!("{what}: {error}"))
    }
}

/// Two black buffers in the first format that the card takes, and what writes into them.
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
