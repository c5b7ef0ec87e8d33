//! A terminal as a panel, also over SSH: pictures in half blocks, in Kitty's protocol or as Sixel graphics; keys and mouse
//! become signals.
//!
//! | file | what it owns |
//! |---|---|
//! | `query` | the terminal's capabilities |
//! | `half_blocks` | two pixels in a character, and which characters have to be sent |
//! | `kitty`, `sixel` | rectangles of pixels for terminals with graphics |
//! | `keys` | decoding of keys and mouse |
//! | `session` | the terminal's settings, restored at the end and while the program is stopped |

mod half_blocks;
mod keys;
mod kitty;
mod query;
mod session;
mod sixel;

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
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
use super::{Auto, Detail, DisplayError, DisplaySettings, Driver, Found, Frame, Panel, Presence, Screen, TextRun, device_file};
use crate::device::buttons::Signal;
use crate::picture::preview::{self, Protocol};

/// Columns and lines of a terminal that does not report them.
const DEFAULT_GRID: Size = Size::new(80, 24);

/// The longest time that a terminal may take to report its capabilities; one on the other side of the world takes half of it.
const QUERY_TIMEOUT: Duration = Duration::from_millis(600);

/// The row of the driver table.
pub(super) const DRIVER: Driver = Driver::new("terminal", open, Presence::Terminal(found))
    .with_about("the terminal that the program is started in")
    .with_detail(Detail::OneOf {
        words: &["sixel", "kitty", "blocks"],
        required: false,
    })
    .with_auto(Auto::If(is_in_terminal));

fn open(settings: &DisplaySettings) -> Result<Box<dyn Screen>, DisplayError> {
    let graphics = match settings.kind.detail() {
        Some("sixel") => Graphics::Sixel,
        Some("kitty") => Graphics::Kitty,
        Some("blocks") => Graphics::HalfBlocks,
        _ => Graphics::Auto,
    };
    Ok(Box::new(Terminal::open(graphics)?))
}

fn is_in_terminal() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

fn found() -> Vec<Found> {
    let term = std::env::var("TERM").unwrap_or_default();
    let found = || Found::usable("terminal", format!("a terminal ({term})"));
    is_in_terminal().then(found).into_iter().collect()
}

/// How a terminal shows pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Graphics {
    /// The best way that the environment or the terminal itself reports.
    #[default]
    Auto,
    /// Sixel graphics.
    Sixel,
    /// Kitty's protocol.
    Kitty,
    /// Half blocks: two pixels in each character.
    HalfBlocks,
}

/// How frames are converted to characters.
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

    /// Columns, and lines that are drawn on.
    fn grid(&self, window: Winsize) -> Size {
        match self {
            Drawing::HalfBlocks(_) | Drawing::Kitty(_) => grid(window),
            Drawing::Sixel(sixel) => sixel.grid(),
        }
    }

    /// `cell` is the pixels of a character as the terminal reported them.
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

/// Columns and lines.
fn grid(window: Winsize) -> Size {
    let or = |given: u16, default: u32| if given == 0 { default } else { u32::from(given) };
    Size::new(or(window.ws_col, DEFAULT_GRID.width), or(window.ws_row, DEFAULT_GRID.height))
}

/// Pixels of the whole window; zero if the terminal does not report them.
fn pixels(window: Winsize) -> Size {
    Size::new(u32::from(window.ws_xpixel), u32::from(window.ws_ypixel))
}

/// The characters that contain an area of pixels, of which a character has `cell`.
fn cells(area: Rectangle, cell: Size) -> Rectangle {
    let Some(last) = area.bottom_right() else {
        return Rectangle::zero();
    };
    let character = |point: Point| point.max(Point::zero()).component_div(Point::zero() + cell);
    Rectangle::with_corners(character(area.top_left), character(last))
}

/// Pixels of a character: as the terminal reported them, or calculated from those of the window.
fn cell_of(window: Winsize, reported: Option<Size>) -> Option<Size> {
    let calculated = pixels(window).component_div(grid(window));
    reported.or((calculated.width > 0 && calculated.height > 0).then_some(calculated))
}

/// A terminal in its alternate screen. It is restored when this is dropped, and when its thread panics.
pub struct Terminal {
    session: Session,
    drawing: Drawing,
    window: Winsize,
    /// Pixels of a character, if the terminal reported them.
    cell: Option<Size>,
    keys: Keys,
    /// Keys that were pressed during the query.
    early: Vec<Input>,
    panel: Panel,
    is_closed: bool,
    /// Whether the program was stopped and continued since it was asked.
    was_stopped: bool,
}

impl Terminal {
    /// Opens the terminal that the program was started in.
    ///
    /// # Errors
    /// If there is none, or it has no colours.
    pub fn open(graphics: Graphics) -> Result<Terminal, DisplayError> {
        let absent = |problem| DisplayError::absent("terminal", problem, "start the program in a terminal, not as a service");
        let protocol = preview::detect(|name| std::env::var(name).ok(), true);
        let protocol = protocol.ok_or_else(|| absent("this terminal has no colours"))?;
        let tty = device_file::open(Path::new("/dev/tty"), "tty", "").map_err(|_| absent("the program does not run in a terminal"))?;
        Terminal::on(tty, protocol, graphics)
    }

    /// Opens any terminal, such as one end of a pseudo-terminal. `detected` is what the environment reports; unless that is
    /// Kitty's protocol, [`Graphics::Auto`] also asks the terminal whether it has Sixel graphics. Half blocks replace iTerm2's
    /// protocol, whose pictures cannot be updated in place.
    ///
    /// # Errors
    /// If the file is not a terminal.
    pub fn on(tty: File, detected: Protocol, graphics: Graphics) -> Result<Terminal, DisplayError> {
        let failed = |error: io::Error| DisplayError::failed("terminal", error);
        let window = tcgetwinsize(&tty).map_err(|error| failed(error.into()))?;
        let session = Session::begin(tty).map_err(failed)?;
        let needs_query = match graphics {
            Graphics::Auto => detected != Protocol::Kitty,
            Graphics::Sixel => true,
            Graphics::Kitty | Graphics::HalfBlocks => false,
        };
        let reply = if needs_query {
            query::query(session.tty(), QUERY_TIMEOUT).map_err(failed)?
        } else {
            query::Reply::default()
        };
        let mut terminal = Terminal {
            session,
            drawing: drawing(detected, graphics, window, &reply),
            window,
            cell: reply.cell,
            keys: Keys::default(),
            early: Vec::new(),
            panel: Panel::new("terminal", Size::zero()),
            is_closed: false,
            was_stopped: false,
        };
        terminal.early = terminal.keys.feed(&reply.typed, Instant::now());
        terminal.fit(window);
        Ok(terminal)
    }

    /// Follows the window's size.
    fn fit(&mut self, window: Winsize) {
        self.window = window;
        self.drawing.resize(window, self.cell);
        let (grid, cell) = (self.drawing.grid(window), self.drawing.cell());
        self.panel.size = Size::new(grid.width * cell.width, grid.height * cell.height);
    }

    /// Stops the program if it is asked to, and sets up the terminal again behind that.
    fn follow_job_control(&mut self) -> io::Result<()> {
        if self.session.follow_job_control()? {
            self.was_stopped = true;
            self.fit(tcgetwinsize(self.session.tty())?);
        }
        Ok(())
    }

    fn follow_size(&mut self) -> io::Result<()> {
        let window = tcgetwinsize(self.session.tty())?;
        if (grid(window), pixels(window)) != (grid(self.window), pixels(self.window)) {
            self.fit(window);
        }
        Ok(())
    }

    /// Everything that was typed.
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

/// How to draw on a terminal.
fn drawing(detected: Protocol, graphics: Graphics, window: Winsize, reply: &query::Reply) -> Drawing {
    let has_pixels = pixels(window) != Size::zero();
    let has_cell = cell_of(window, reply.cell).is_some();
    match (graphics, detected) {
        (Graphics::Kitty, _) | (Graphics::Auto, Protocol::Kitty) if has_pixels => Drawing::Kitty(Kitty::new()),
        (Graphics::Sixel, _) if has_cell => Drawing::Sixel(Sixel::new()),
        (Graphics::Auto, _) if has_cell && (reply.has_sixel || detected == Protocol::Sixel) => Drawing::Sixel(Sixel::new()),
        (_, Protocol::HalfBlocks(colours)) => Drawing::HalfBlocks(HalfBlocks::new(colours)),
        _ => Drawing::HalfBlocks(HalfBlocks::new(preview::Colours::True)),
    }
}

/// Whether something can be read within a time.
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

    fn text_grid(&self) -> Option<Size> {
        matches!(self.drawing, Drawing::HalfBlocks(_)).then(|| self.drawing.grid(self.window))
    }

    fn present_text(&mut self, frame: &Frame, text: &[TextRun]) -> Result<(), DisplayError> {
        if let Drawing::HalfBlocks(blocks) = &mut self.drawing {
            blocks.write(text);
        }
        self.present(frame, frame.bounding_box())
    }

    fn has_lost_contents(&mut self) -> bool {
        std::mem::take(&mut self.was_stopped)
    }

    /// Shows black.
    fn sleep(&mut self) -> Result<(), DisplayError> {
        let black = Frame::new(self.panel.size);
        self.present_text(&black, &[])
    }

    fn has_input(&self) -> bool {
        true
    }

    fn signals(&mut self) -> Result<Vec<Signal>, DisplayError> {
        if self.is_closed {
            return Ok(Vec::new());
        }
        let inputs = self
            .follow_job_control()
            .and_then(|()| self.follow_size())
            .and_then(|()| self.read());
        match inputs {
            Ok(inputs) => Ok(inputs.into_iter().map(|input| self.signal(input)).collect()),
            Err(error) => {
                log::info!("the terminal was closed: {error}");
                self.is_closed = true;
                Ok(vec![Signal::Closed])
            }
        }
    }
}

#[cfg(test)]
mod tests;
