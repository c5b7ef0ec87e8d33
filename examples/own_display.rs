//! Adds a display that does not ship with Inkstone: a flip-dot panel of 28×14 dots on a serial line.
//!
//! ```sh
//! cargo run --example own_display                         # writes to a temporary file and prints the dots
//! cargo run --example own_display -- flipdot:/dev/ttyUSB0 # a real panel
//! cargo run --example own_display -- terminal             # any other display shows the same frame
//! ```
//!
//! A display is a [`Screen`], which shows frames, and a [`Driver`], its row in the table of drivers. With the row, settings,
//! `Drivers::list` and `inkstone::doctor` know the display like those that ship.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use embedded_graphics::mono_font::{MonoTextStyle, ascii::FONT_5X8};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::{PrimitiveStyle, Rectangle};
use embedded_graphics::text::Text;
use inkstone::device::display::{Colours, Detail, Device, DisplayError, DisplaySettings, Driver, Drivers, Frame, Panel, Presence, Screen};

/// Dots of the panel: two boards of seven rows each.
const SIZE: Size = Size::new(28, 14);
const ROWS_OF_A_BOARD: i32 = 7;

/// The row of the driver table: `flipdot`, or `flipdot:/dev/ttyUSB1`.
static FLIPDOT: Driver = Driver::new(
    "flipdot",
    open,
    Presence::DeviceFiles {
        prefix: "/dev/ttyUSB",
        group: "dialout",
    },
)
.with_about("a flip-dot panel of 28x14 on a serial line")
.with_detail(Detail::optional("FILE"))
.with_devices(|settings| {
    vec![Device::File {
        path: line(settings),
        group: "dialout",
    }]
});

fn line(settings: &DisplaySettings) -> PathBuf {
    settings.kind.detail().unwrap_or("/dev/ttyUSB0").into()
}

fn open(settings: &DisplaySettings) -> Result<Box<dyn Screen>, DisplayError> {
    let line = line(settings);
    let file = OpenOptions::new().write(true).open(&line);
    let file = file.map_err(|error| DisplayError::absent(line.display().to_string(), error, "plug the panel in"))?;
    Ok(Box::new(FlipDot {
        line: file,
        panel: Panel::new("flip-dot", SIZE)
            .with_colours(Colours::Mono)
            .with_refresh(Duration::from_millis(100), Duration::ZERO),
    }))
}

/// The panel, with the protocol of Alfa-Zeta's boards: a header, the board's address, a byte for each column, an end byte.
struct FlipDot {
    line: File,
    panel: Panel,
}

impl Screen for FlipDot {
    fn panel(&self) -> &Panel {
        &self.panel
    }

    fn present(&mut self, frame: &Frame, _damage: Rectangle) -> Result<(), DisplayError> {
        for board in 0..SIZE.height as i32 / ROWS_OF_A_BOARD {
            let mut message = vec![0x80, 0x83, board as u8];
            message.extend((0..SIZE.width as i32).map(|x| column(frame, x, board * ROWS_OF_A_BOARD)));
            message.push(0x8F);
            let sent = self.line.write_all(&message);
            sent.map_err(|error| DisplayError::failed(&self.panel.name, error))?;
        }
        Ok(())
    }

    /// All dots black.
    fn sleep(&mut self) -> Result<(), DisplayError> {
        let black = Frame::new(SIZE);
        self.present(&black, black.bounding_box())
    }
}

/// Seven dots from `top` downwards, the first in the lowest bit.
fn column(frame: &Frame, x: i32, top: i32) -> u8 {
    let dot = |row: i32| u8::from(is_bright(frame, Point::new(x, top + row))) << row;
    (0..ROWS_OF_A_BOARD).map(dot).sum()
}

fn is_bright(frame: &Frame, at: Point) -> bool {
    frame.colour(at).is_some_and(|colour| colour.g() >= 128)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let drivers = Drivers::shipped().with(&FLIPDOT);
    let temporary = std::env::temp_dir().join("inkstone-flipdot");
    let kind = std::env::args()
        .nth(1)
        .unwrap_or_else(|| format!("flipdot:{}", temporary.display()));
    if std::env::args().len() == 1 {
        File::create(&temporary)?;
    }
    println!("displays: {}", drivers.syntax());

    let settings = DisplaySettings::new(drivers.parse(&kind)?);
    let mut screen = drivers.open(&settings)?;

    // Everything that draws to an `embedded_graphics::DrawTarget` draws to a frame.
    let mut frame = Frame::new(screen.panel().size);
    let style = MonoTextStyle::new(&FONT_5X8, Rgb888::WHITE);
    Text::new("Ink", Point::new(2, 9), style).draw(&mut frame)?;
    let border = PrimitiveStyle::with_stroke(Rgb888::WHITE, 1);
    frame.bounding_box().into_styled(border).draw(&mut frame)?;
    screen.present(&frame, frame.bounding_box())?;

    if frame.size() == SIZE {
        for y in 0..SIZE.height as i32 {
            let dots = (0..SIZE.width as i32).map(|x| if is_bright(&frame, Point::new(x, y)) { '●' } else { '·' });
            println!("{}", dots.collect::<String>());
        }
    }
    Ok(())
}
