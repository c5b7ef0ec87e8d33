//! A terminal as a panel, over SSH as well: pictures in half blocks, by Kitty's protocol or as Sixel graphics, keys and the
//! mouse as signals.
//!
//! | file | what it owns |
//! |---|---|
//! | `ask` | what the terminal says that it can do |
//! | `half_blocks` | two pixels in a character, and which characters have to be sent |
//! | `kitty`, `sixel` | rectangles of pixels for terminals that show pictures |
//! | `keys` | what the terminal sends when keys are pressed |
//! | `session` | the terminal's own settings, put back at the end |

mod ask;
mod half_blocks;
mod keys;
mod kitty;
mod session;
mod sixel;

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
use self::sixel::Sixel;
use super::{Colours, DisplayError, Frame, Panel, Screen, TerminalPictures, device_file};
use crate::device::buttons::Signal;
use crate::picture::preview::{self, Protocol};

/// Characters in a line and lines where the terminal does not say.
const GRID: Size = Size::new(80, 24);

/// How long a terminal may take to say what it can do; one at the other side of the world takes half of it.
const PATIENCE: Duration = Duration::from_millis(600);

/// How frames become characters.
enum Drawing {
    HalfBlocks(HalfBlocks),
    Kitty(Kitty),
    Sixel(Sixel),
}

impl Drawing {
    /// Pixels of a character cell.
    fn cell(&self) -> Size {
        match self {
            Drawing::HalfBlocks(_) => half_blocks::CELL,
            Drawing::Kitty(kitty) => kitty.cell(),
            Drawing::Sixel(sixel) => sixel.cell(),
        }
    }

    /// Characters in a line, and lines that are drawn on.
    fn grid(&self, window: Winsize) -> Size {
        match self {
            Drawing::HalfBlocks(_) | Drawing::Kitty(_) => grid(window),
            Drawing::Sixel(sixel) => sixel.grid(),
        }
    }

    /// `cell` is what the terminal has answered about the pixels of a character.
    fn resize(&mut self, window: Winsize, cell: Option<Size>) {
        match self {
            Drawing::HalfBlocks(blocks) => blocks.resize(grid(window)),
            Drawing::Kitty(kitty) => kitty.resize(grid(window), pixels(window)),
            Drawing::Sixel(sixel) => sixel.resize(grid(window), cell_of(window, cell).unwrap_or_default()),
        }
    }

    fn draw(&mut self, frame: &Frame, damage: Rectangle, out: &mut Vec<u8>) -> Result<(), String> {
        match self {
            Drawing::HalfBlocks(blocks) => blocks.draw(frame, damage, out),
            Drawing::Kitty(kitty) => return kitty.draw(frame, damage, out).map_err(|error| error.to_string()),
            Drawing::Sixel(sixel) => sixel.draw(frame, damage, out),
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

/// Pixels of a character: what the terminal has answered, or what the system tells of the whole window.
fn cell_of(window: Winsize, answered: Option<Size>) -> Option<Size> {
    let told = pixels(window).component_div(grid(window));
    answered.or((told.width > 0 && told.height > 0).then_some(told))
}

/// A terminal in its alternate screen. Put back as it was when this is dropped, and when its thread panics.
pub struct Terminal {
    session: Session,
    drawing: Drawing,
    window: Winsize,
    /// Pixels of a character, where the terminal was asked and has answered.
    cell: Option<Size>,
    keys: Keys,
    /// What was pressed before anybody looked.
    early: Vec<Input>,
    panel: Panel,
    gone: bool,
}

impl Terminal {
    /// The terminal that the program was started in.
    ///
    /// # Errors
    /// If there is none, or one without colours.
    pub fn open(pictures: TerminalPictures) -> Result<Terminal, DisplayError> {
        let absent = |problem| DisplayError::absent("terminal", problem, "start the program in one, not as a service");
        let protocol = preview::detect(|name| std::env::var(name).ok(), true);
        let protocol = protocol.ok_or_else(|| absent("this terminal has no colours"))?;
        let tty = device_file::open(Path::new("/dev/tty"), "tty", "").map_err(|_| absent("the program runs in none"))?;
        Terminal::on(tty, protocol, pictures)
    }

    /// Any terminal, as one end of a pseudo-terminal. `detected` is what the environment tells; unless that is Kitty's
    /// protocol, `auto` also asks the terminal whether it has Sixel graphics. iTerm2's protocol is replaced by half blocks:
    /// its pictures cannot be drawn over in place.
    ///
    /// # Errors
    /// If the file is no terminal.
    pub fn on(tty: File, detected: Protocol, pictures: TerminalPictures) -> Result<Terminal, DisplayError> {
        let failed = |error: io::Error| DisplayError::failed("terminal", error);
        let window = tcgetwinsize(&tty).map_err(|error| failed(error.into()))?;
        let session = Session::begin(tty).map_err(failed)?;
        let asks = match pictures {
            TerminalPictures::Auto => detected != Protocol::Kitty,
            TerminalPictures::Sixel => true,
            TerminalPictures::Kitty | TerminalPictures::Blocks => false,
        };
        let answer = if asks {
            ask::ask(session.tty(), PATIENCE).map_err(failed)?
        } else {
            ask::Answer::default()
        };
        let panel = Panel {
            name: "terminal".to_owned(),
            size: Size::zero(),
            colours: Colours::Full,
            refresh: Duration::ZERO,
            minimum_interval: Duration::ZERO,
        };
        let mut terminal = Terminal {
            session,
            drawing: drawing(detected, pictures, window, &answer),
            window,
            cell: answer.cell,
            keys: Keys::default(),
            early: Vec::new(),
            panel,
            gone: false,
        };
        terminal.early = terminal.keys.feed(&answer.rest, Instant::now());
        terminal.fit(window);
        Ok(terminal)
    }

    /// Takes on the window's size.
    fn fit(&mut self, window: Winsize) {
        self.window = window;
        self.drawing.resize(window, self.cell);
        let (grid, cell) = (self.drawing.grid(window), self.drawing.cell());
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
        let mut inputs = std::mem::take(&mut self.early);
        let mut bytes = [0; 256];
        while is_readable_within(self.session.tty(), Duration::ZERO)? {
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

/// How to draw on a terminal that has answered so.
fn drawing(detected: Protocol, pictures: TerminalPictures, window: Winsize, answer: &ask::Answer) -> Drawing {
    let has_pixels = pixels(window) != Size::zero();
    let has_cell = cell_of(window, answer.cell).is_some();
    match (pictures, detected) {
        (TerminalPictures::Kitty, _) | (TerminalPictures::Auto, Protocol::Kitty) if has_pixels => Drawing::Kitty(Kitty::new()),
        (TerminalPictures::Sixel, _) if has_cell => Drawing::Sixel(Sixel::new()),
        (TerminalPictures::Auto, _) if has_cell && (answer.has_sixel || detected == Protocol::Sixel) => Drawing::Sixel(Sixel::new()),
        (_, Protocol::HalfBlocks(colours)) => Drawing::HalfBlocks(HalfBlocks::new(colours)),
        _ => Drawing::HalfBlocks(HalfBlocks::new(preview::Colours::True)),
    }
}

/// Whether something can be read, or can within a time.
fn is_readable_within(tty: &File, time: Duration) -> io::Result<bool> {
    let mut files = [PollFd::new(tty, PollFlags::IN)];
    let time = Timespec {
        tv_sec: time.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: time.subsec_nanos().into(),
    };
    match poll(&mut files, Some(&time)) {
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
