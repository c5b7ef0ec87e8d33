//! A terminal as a panel, over SSH as well: pictures in half blocks or by Kitty's protocol, keys and the mouse as signals.
//!
//! | file | what it owns |
//! |---|---|
//! | `half_blocks` | two pixels in a character, and which characters have to be sent |
//! | `kitty` | rectangles of pixels for terminals that show pictures |
//! | `keys` | what the terminal sends when keys are pressed |
//! | `session` | the terminal's own settings, put back at the end |

mod half_blocks;
mod keys;
mod kitty;
mod session;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{Winsize, tcgetwinsize};

use self::half_blocks::HalfBlocks;
use self::keys::{Input, Keys};
use self::kitty::Kitty;
use self::session::Session;
use super::{Colours, DisplayError, Frame, Panel, Screen, device_file};
use crate::device::buttons::Signal;
use crate::picture::preview::{self, Protocol};

/// Characters in a line and lines where the terminal does not say.
const GRID: Size = Size::new(80, 24);

/// How frames become characters.
enum Drawing {
    HalfBlocks(HalfBlocks),
    Kitty(Kitty),
}

impl Drawing {
    /// Pixels of a character cell.
    fn cell(&self) -> Size {
        match self {
            Drawing::HalfBlocks(_) => half_blocks::CELL,
            Drawing::Kitty(kitty) => kitty.cell(),
        }
    }

    fn resize(&mut self, window: Winsize) {
        match self {
            Drawing::HalfBlocks(blocks) => blocks.resize(grid(window)),
            Drawing::Kitty(kitty) => kitty.resize(grid(window), pixels(window)),
        }
    }

    fn draw(&mut self, frame: &Frame, damage: Rectangle, out: &mut Vec<u8>) -> Result<(), String> {
        match self {
            Drawing::HalfBlocks(blocks) => blocks.draw(frame, damage, out),
            Drawing::Kitty(kitty) => return kitty.draw(frame, damage, out).map_err(|error| error.to_string()),
        }
        Ok(())
    }
}

/// Characters in a line, and lines.
fn grid(window: Winsize) -> Size {
    let or = |given: u16, otherwise: u32| if given == 0 { otherwise } else { u32::from(given) };
    Size::new(or(window.ws_col, GRID.width), or(window.ws_row, GRID.height))
}

/// Pixels of the whole window, where the terminal says.
fn pixels(window: Winsize) -> Size {
    Size::new(u32::from(window.ws_xpixel), u32::from(window.ws_ypixel))
}

/// A terminal in its alternate screen. Put back as it was when this is dropped, and when its thread panics.
pub struct Terminal {
    session: Session,
    drawing: Drawing,
    window: Winsize,
    keys: Keys,
    panel: Panel,
    gone: bool,
}

impl Terminal {
    /// The terminal that the program was started in, with the pictures that the environment says it can show.
    ///
    /// # Errors
    /// If there is none, or one without colours.
    pub fn open() -> Result<Terminal, DisplayError> {
        let absent = |problem| DisplayError::absent("terminal", problem, "start the program in one, not as a service");
        let protocol = preview::detect(|name| std::env::var(name).ok(), true);
        let protocol = protocol.ok_or_else(|| absent("this terminal has no colours"))?;
        let tty = device_file::open(Path::new("/dev/tty"), "tty", "").map_err(|_| absent("the program runs in none"))?;
        Terminal::on(tty, protocol)
    }

    /// Any terminal, as one end of a pseudo-terminal. Protocols other than Kitty's are replaced by half blocks: iTerm2's
    /// cannot be drawn over in place, and Sixel's palettes take longer to find than a frame may last.
    ///
    /// # Errors
    /// If the file is no terminal.
    pub fn on(tty: File, protocol: Protocol) -> Result<Terminal, DisplayError> {
        let failed = |error: io::Error| DisplayError::failed("terminal", error);
        let window = tcgetwinsize(&tty).map_err(|error| failed(error.into()))?;
        let drawing = match protocol {
            Protocol::Kitty if pixels(window) != Size::zero() => Drawing::Kitty(Kitty::new()),
            Protocol::HalfBlocks(colours) => Drawing::HalfBlocks(HalfBlocks::new(colours)),
            _ => Drawing::HalfBlocks(HalfBlocks::new(preview::Colours::True)),
        };
        let panel = Panel {
            name: "terminal".to_owned(),
            size: Size::zero(),
            colours: Colours::Full,
            refresh: Duration::ZERO,
            minimum_interval: Duration::ZERO,
        };
        let mut terminal = Terminal {
            session: Session::begin(tty).map_err(failed)?,
            drawing,
            window,
            keys: Keys::default(),
            panel,
            gone: false,
        };
        terminal.fit(window);
        Ok(terminal)
    }

    /// Takes on the window's size.
    fn fit(&mut self, window: Winsize) {
        self.window = window;
        self.drawing.resize(window);
        let (grid, cell) = (grid(window), self.drawing.cell());
        self.panel.size = Size::new(grid.width * cell.width, grid.height * cell.height);
    }

    fn follow_size(&mut self) -> io::Result<()> {
        let window = tcgetwinsize(self.session.tty())?;
        if (grid(window), pixels(window)) != (grid(self.window), pixels(self.window)) {
            self.fit(window);
        }
        Ok(())
    }

    /// Everything that has arrived.
    fn read(&mut self) -> io::Result<Vec<Input>> {
        let mut inputs = Vec::new();
        let mut bytes = [0; 256];
        while is_readable(self.session.tty())? {
            let count = self.session.tty().read(&mut bytes)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            inputs.extend(self.keys.feed(&bytes[..count], Instant::now()));
        }
        inputs.extend(self.keys.wait(Instant::now()));
        Ok(inputs)
    }

    fn signal(&self, input: Input) -> Signal {
        match input {
            Input::Key(name) => Signal::Tap(name),
            Input::Character(character) => Signal::Character(character),
            Input::Mouse { column, line, pressed } => {
                let (cell, middle) = (self.drawing.cell(), |cells: u32, size: u32| (cells * size + size / 2) as i32);
                Signal::Touch {
                    at: Point::new(middle(column, cell.width), middle(line, cell.height)),
                    pressed,
                }
            }
        }
    }
}

/// Whether something can be read without waiting.
fn is_readable(tty: &File) -> io::Result<bool> {
    let mut files = [PollFd::new(tty, PollFlags::IN)];
    match poll(&mut files, Some(&Timespec::default())) {
        Ok(count) => Ok(count > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

impl Screen for Terminal {
    fn panel(&self) -> &Panel {
        &self.panel
    }

    fn present(&mut self, frame: &Frame, damage: Rectangle) -> Result<(), DisplayError> {
        let mut out = Vec::new();
        let drawn = self.drawing.draw(frame, damage, &mut out);
        drawn.map_err(|error| DisplayError::failed("terminal", error))?;
        let mut tty = self.session.tty();
        tty.write_all(&out).map_err(|error| DisplayError::failed("terminal", error))
    }

    /// Shows black.
    fn sleep(&mut self) -> Result<(), DisplayError> {
        let black = Frame::new(self.panel.size);
        self.present(&black, black.bounding_box())
    }

    fn signals(&mut self) -> Result<Vec<Signal>, DisplayError> {
        if self.gone {
            return Ok(Vec::new());
        }
        let inputs = self.follow_size().and_then(|()| self.read());
        match inputs {
            Ok(inputs) => Ok(inputs.into_iter().map(|input| self.signal(input)).collect()),
            Err(error) => {
                log::info!("the terminal is gone: {error}");
                self.gone = true;
                Ok(vec![Signal::Closed])
            }
        }
    }
}

#[cfg(test)]
mod tests;
