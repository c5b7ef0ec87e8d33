//! A picture in a terminal.
//!
//! Owns the choice of a protocol by the environment and the bytes of the four protocols: Kitty's and iTerm2's, which
//! carry a PNG, Sixel, and half blocks, which every terminal with colours can show. Depends on [`Picture`], `scale`
//! and `png`. Nothing here touches a terminal: the caller passes the environment in and writes the bytes out. The
//! terminal itself is not asked what it can do, because its answer would have to be read in raw mode.

use super::scale::{self, Resampling};
use super::{Picture, PictureError, PngError, png, sixel};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write;
use thiserror::Error;

/// Pixels that a character cell is assumed to be wide where a protocol counts pixels.
const CELL_WIDTH: u32 = 8;
/// The most payload bytes in one Kitty command.
const KITTY_CHUNK: usize = 4096;
/// How many times a picture is enlarged at most.
const MOST_ENLARGED: u32 = 8;
/// Alpha from which a pixel is shown in half blocks.
const VISIBLE: u8 = 128;

/// How a terminal shows pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Kitty's graphics protocol (Kitty, Ghostty, WezTerm).
    Kitty,
    /// iTerm2's inline images.
    Iterm,
    /// Sixel graphics.
    Sixel,
    /// Two pixels in each character, one above the other.
    HalfBlocks(Colours),
}

/// The colours a terminal has for half blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colours {
    /// 24 bits.
    True,
    /// The 216 colours and 24 greys of xterm's palette.
    Palette256,
}

/// Protocols that can be asked for by name.
pub const PROTOCOLS: [(&str, Protocol); 4] = [
    ("kitty", Protocol::Kitty),
    ("iterm", Protocol::Iterm),
    ("sixel", Protocol::Sixel),
    ("blocks", Protocol::HalfBlocks(Colours::True)),
];

/// Why a picture cannot be shown.
#[derive(Debug, Error)]
pub enum PreviewError {
    /// It could not be made smaller.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// It could not be put into PNG form.
    #[error(transparent)]
    Png(#[from] PngError),
}

/// The best protocol that the environment tells of; `None` where the output is no terminal or one without colours.
///
/// `variable` looks up an environment variable. Inside `tmux` and `screen`, which do not pass pictures on, it is half
/// blocks whatever the outer terminal can do.
pub fn detect(variable: impl Fn(&str) -> Option<String>, is_terminal: bool) -> Option<Protocol> {
    let value = |name: &str| variable(name).unwrap_or_default();
    let (term, program) = (value("TERM"), value("TERM_PROGRAM"));
    if !is_terminal || term == "dumb" {
        return None;
    }
    let multiplexed = !value("TMUX").is_empty() || !value("STY").is_empty() || ["screen", "tmux"].iter().any(|name| term.starts_with(name));
    let graphics = if multiplexed {
        None
    } else {
        graphics(&term, &program, &value("LC_TERMINAL"), &value("KITTY_WINDOW_ID"))
    };
    graphics.or_else(|| Some(Protocol::HalfBlocks(colours(&value("COLORTERM"), &term))))
}

/// The graphics protocol of a terminal that nothing stands in front of.
fn graphics(term: &str, program: &str, passed_on: &str, kitty_window: &str) -> Option<Protocol> {
    let has = |names: &[&str], text: &str| names.iter().any(|name| text.contains(name));
    if term == "xterm-kitty" || term == "xterm-ghostty" || !kitty_window.is_empty() || ["ghostty", "WezTerm"].contains(&program) {
        Some(Protocol::Kitty)
    } else if program == "iTerm.app" || passed_on == "iTerm2" {
        Some(Protocol::Iterm)
    } else if has(&["sixel", "mlterm", "foot", "yaft", "contour"], term) || program == "mintty" {
        Some(Protocol::Sixel)
    } else {
        None
    }
}

fn colours(colorterm: &str, term: &str) -> Colours {
    let many = ["truecolor", "24bit"].contains(&colorterm) || term.ends_with("-direct");
    if many { Colours::True } else { Colours::Palette256 }
}

/// The bytes that show a picture, `columns` characters wide at most (0 counts as 1), and then begin a new line.
///
/// Kitty, iTerm2 and Sixel enlarge small pictures to `columns`; half blocks only ever shrink. The terminal's own background shows through transparent parts; where a protocol knows no halves, a pixel is shown from 50 % alpha.
///
/// # Errors
/// When the picture cannot be put into the protocol's form, as one with extreme sides.
pub fn render(picture: &Picture, protocol: Protocol, columns: u32) -> Result<Vec<u8>, PreviewError> {
    let columns = columns.max(1);
    match protocol {
        Protocol::Kitty => Ok(kitty(&png::encode(picture, None)?, columns)),
        Protocol::Iterm => Ok(iterm(&png::encode(picture, None)?, columns)),
        Protocol::Sixel => Ok(sixel_line(&fitted(picture, columns.saturating_mul(CELL_WIDTH))?)),
        Protocol::HalfBlocks(colours) => Ok(half_blocks(&narrowed(picture, columns)?, colours)),
    }
}

/// The picture `width` pixels wide, enlarged eight times at most.
fn fitted(picture: &Picture, width: u32) -> Result<Picture, PictureError> {
    let width = width.min(picture.width.saturating_mul(MOST_ENLARGED));
    let height = scale::proportional(picture.height, width, picture.width);
    scale::resize(picture, width, height, Resampling::Smooth)
}

/// The picture at most `width` pixels wide.
fn narrowed(picture: &Picture, width: u32) -> Result<Picture, PictureError> {
    if picture.width <= width {
        return Ok(picture.clone());
    }
    let height = scale::proportional(picture.height, width, picture.width);
    scale::resize(picture, width, height, Resampling::Smooth)
}

/// Kitty: transmit and show (`a=T`) a PNG (`f=100`), `c` columns wide, without an answer (`q=2`), in pieces of which
/// all but the last say that more follow (`m=1`).
fn kitty(png: &[u8], columns: u32) -> Vec<u8> {
    let payload = STANDARD.encode(png);
    let last = payload.len().div_ceil(KITTY_CHUNK).saturating_sub(1);
    let mut out = Vec::with_capacity(payload.len() + (last + 2) * 16);
    for (at, chunk) in payload.as_bytes().chunks(KITTY_CHUNK).enumerate() {
        let keys = if at == 0 {
            format!("a=T,f=100,q=2,c={columns},")
        } else {
            String::new()
        };
        out.extend_from_slice(format!("\x1b_G{keys}m={};", u8::from(at < last)).as_bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\x1b\\");
    }
    out.push(b'\n');
    out
}

/// iTerm2: one command with the whole PNG.
fn iterm(png: &[u8], columns: u32) -> Vec<u8> {
    let (size, payload) = (png.len(), STANDARD.encode(png));
    format!("\x1b]1337;File=inline=1;size={size};width={columns};preserveAspectRatio=1:{payload}\x07\n").into_bytes()
}

/// The picture, and a new line below it.
fn sixel_line(picture: &Picture) -> Vec<u8> {
    let mut out = sixel::encode_picture(picture);
    out.push(b'\n');
    out
}

/// A colour in a character cell; `None` is the terminal's own background.
type Ink = Option<[u8; 3]>;

/// Two rows of pixels in each line of text.
fn half_blocks(picture: &Picture, colours: Colours) -> Vec<u8> {
    let mut out = String::new();
    for y in (0..picture.height).step_by(2) {
        let mut pen = Pen {
            colours,
            foreground: None,
            background: None,
        };
        for x in 0..picture.width {
            match (ink(picture, x, y), ink(picture, x, y + 1)) {
                (None, None) => pen.draw(&mut out, pen.foreground, None, ' '),
                (None, bottom) => pen.draw(&mut out, bottom, None, '▄'),
                (top, bottom) => pen.draw(&mut out, top, bottom, '▀'),
            }
        }
        out.push_str("\x1b[0m\n");
    }
    out.into_bytes()
}

/// The colour of a pixel; `None` where it is transparent or outside.
fn ink(picture: &Picture, x: u32, y: u32) -> Ink {
    let [red, green, blue, alpha] = picture.pixel(x, y)?;
    (alpha >= VISIBLE).then_some([red, green, blue])
}

/// The colours that the terminal has been told last.
struct Pen {
    colours: Colours,
    foreground: Ink,
    background: Ink,
}

impl Pen {
    /// Writes a character, and before it the colours that differ from the last ones.
    fn draw(&mut self, out: &mut String, foreground: Ink, background: Ink, character: char) {
        if foreground != self.foreground {
            self.colour(out, 38, foreground);
            self.foreground = foreground;
        }
        if background != self.background {
            self.colour(out, 48, background);
            self.background = background;
        }
        out.push(character);
    }

    /// Selects a foreground (38) or background (48) colour, or the terminal's own (39, 49). Writing to a `String`
    /// cannot fail.
    fn colour(&self, out: &mut String, ground: u8, ink: Ink) {
        let _ = match (ink, self.colours) {
            (None, _) => write!(out, "\x1b[{}m", ground + 1),
            (Some([red, green, blue]), Colours::True) => write!(out, "\x1b[{ground};2;{red};{green};{blue}m"),
            (Some(colour), Colours::Palette256) => write!(out, "\x1b[{ground};5;{}m", nearest(colour)),
        };
    }
}

/// The nearest of xterm's colours 16 to 255: a cube of 6×6×6 and 24 greys.
pub(crate) fn nearest(colour: [u8; 3]) -> u8 {
    const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let step = |value: u8| (0..6u8).min_by_key(|&level| value.abs_diff(LEVELS[level as usize])).unwrap_or(0);
    let cube = colour.map(step);
    let average = colour.iter().map(|&value| u32::from(value)).sum::<u32>() / 3;
    let grey = (average.saturating_sub(3) / 10).min(23) as u8;
    let away = |other: [u8; 3]| {
        colour
            .iter()
            .zip(other)
            .map(|(&one, two)| u32::from(one.abs_diff(two)).pow(2))
            .sum::<u32>()
    };
    if away([8 + 10 * grey; 3]) < away(cube.map(|level| LEVELS[level as usize])) {
        232 + grey
    } else {
        16 + 36 * cube[0] + 6 * cube[1] + cube[2]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::sixel::tests::decode;

    fn detected(variables: &[(&str, &str)]) -> Option<Protocol> {
        detect(
            |name| {
                variables
                    .iter()
                    .find(|(known, _)| *known == name)
                    .map(|(_, value)| (*value).to_owned())
            },
            true,
        )
    }

    #[test]
    fn the_environment_tells_the_protocol() {
        let blocks = |colours| Some(Protocol::HalfBlocks(colours));
        for (variables, protocol) in [
            (&[("TERM", "xterm-kitty")][..], Some(Protocol::Kitty)),
            (&[("TERM", "xterm-256color"), ("KITTY_WINDOW_ID", "1")], Some(Protocol::Kitty)),
            (&[("TERM_PROGRAM", "ghostty")], Some(Protocol::Kitty)),
            (&[("TERM_PROGRAM", "WezTerm"), ("COLORTERM", "truecolor")], Some(Protocol::Kitty)),
            (&[("TERM_PROGRAM", "iTerm.app")], Some(Protocol::Iterm)),
            (&[("TERM", "foot")], Some(Protocol::Sixel)),
            (&[("TERM", "mlterm-256color")], Some(Protocol::Sixel)),
            (&[("TERM_PROGRAM", "mintty"), ("TERM", "xterm")], Some(Protocol::Sixel)),
            (&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")], blocks(Colours::True)),
            (&[("TERM", "xterm-256color"), ("COLORTERM", "24bit")], blocks(Colours::True)),
            (&[("TERM", "xterm-256color")], blocks(Colours::Palette256)),
            (&[("TERM", "linux"), ("COLORTERM", "yes")], blocks(Colours::Palette256)),
            (&[("TERM", "tmux-256color"), ("KITTY_WINDOW_ID", "1")], blocks(Colours::Palette256)),
            (&[("TERM", "xterm-kitty"), ("TMUX", "/tmp/tmux")], blocks(Colours::Palette256)),
            (&[], blocks(Colours::Palette256)),
            (&[("TERM", "dumb"), ("KITTY_WINDOW_ID", "1")], None),
        ] {
            assert_eq!(detected(variables), protocol, "{variables:?}");
        }
        assert_eq!(detect(|_| Some("xterm-kitty".to_owned()), false), None);
    }

    /// Red over green, transparent over half-transparent blue.
    fn four() -> Picture {
        Picture::new(
            2,
            2,
            [[255, 0, 0, 255], [9, 9, 9, 127], [0, 255, 0, 255], [0, 0, 255, 128]].concat(),
        )
        .unwrap()
    }

    fn shown(picture: &Picture, protocol: Protocol, columns: u32) -> String {
        String::from_utf8(render(picture, protocol, columns).unwrap()).unwrap()
    }

    #[test]
    fn half_blocks_are_these_bytes() {
        assert_eq!(
            shown(&four(), Protocol::HalfBlocks(Colours::True), 80),
            "\x1b[38;2;255;0;0m\x1b[48;2;0;255;0m▀\x1b[38;2;0;0;255m\x1b[49m▄\x1b[0m\n"
        );
        assert_eq!(
            shown(&four(), Protocol::HalfBlocks(Colours::Palette256), 80),
            "\x1b[38;5;196m\x1b[48;5;46m▀\x1b[38;5;21m\x1b[49m▄\x1b[0m\n"
        );
    }

    #[test]
    fn an_odd_row_and_transparent_pixels_leave_the_terminal_s_background() {
        let picture = Picture::new(3, 1, [[1, 2, 3, 255], [0; 4], [1, 2, 3, 255]].concat()).unwrap();
        assert_eq!(
            shown(&picture, Protocol::HalfBlocks(Colours::True), 80),
            "\x1b[38;2;1;2;3m▀ ▀\x1b[0m\n"
        );
    }

    #[test]
    fn wide_pictures_are_narrowed() {
        let wide = Picture::filled(100, 60, [1, 2, 3, 255]).unwrap();
        for (columns, lines, width) in [(50, 15, 50), (100, 30, 100), (500, 30, 100), (1, 1, 1), (0, 1, 1)] {
            let text = shown(&wide, Protocol::HalfBlocks(Colours::True), columns);
            assert_eq!(text.lines().count(), lines);
            assert!(text.lines().all(|line| line.matches('▀').count() == width), "{columns} columns");
        }
    }

    #[test]
    fn the_palette_is_xterm_s() {
        let colours = [
            [0, 0, 0],
            [255, 255, 255],
            [255, 0, 0],
            [128, 128, 128],
            [95, 135, 175],
            [238, 238, 238],
            [9, 9, 9],
        ];
        assert_eq!(colours.map(nearest), [16, 231, 196, 244, 67, 255, 232]);
    }

    /// Takes the commands of Kitty's protocol apart: keys and payload of each.
    fn commands(text: &str) -> Vec<(&str, &str)> {
        let text = text.strip_suffix("\x1b\\\n").unwrap();
        text.split("\x1b\\")
            .map(|command| command.strip_prefix("\x1b_G").unwrap().split_once(';').unwrap())
            .collect()
    }

    #[test]
    fn kitty_gets_the_png_in_pieces() {
        let noise = (0..4 * 64 * 64u32)
            .map(|at| (at.wrapping_mul(at ^ 2_654_435_761).wrapping_mul(2_246_822_519) >> 19) as u8)
            .collect();
        for picture in [four(), Picture::new(64, 64, noise).unwrap()] {
            let text = shown(&picture, Protocol::Kitty, 40);
            let commands = commands(&text);
            let (last, all) = (commands.len() - 1, commands.iter().map(|(_, payload)| *payload).collect::<String>());
            assert!(commands.iter().all(|(_, payload)| payload.len() <= 4096));
            assert_eq!(commands[0].0, format!("a=T,f=100,q=2,c=40,m={}", u8::from(last > 0)));
            assert!(
                commands
                    .iter()
                    .enumerate()
                    .skip(1)
                    .all(|(at, (keys, _))| *keys == format!("m={}", u8::from(at < last)))
            );
            assert_eq!(png::decode(&STANDARD.decode(all).unwrap()).unwrap().picture, picture);
            assert_eq!(last > 0, picture.width > 2, "the large one takes several pieces");
        }
    }

    #[test]
    fn iterm_gets_the_png_in_one() {
        let text = shown(&four(), Protocol::Iterm, 33);
        let inside = text.strip_prefix("\x1b]1337;File=").unwrap().strip_suffix("\x07\n").unwrap();
        let (keys, payload) = inside.split_once(':').unwrap();
        let bytes = STANDARD.decode(payload).unwrap();
        assert_eq!(keys, format!("inline=1;size={};width=33;preserveAspectRatio=1", bytes.len()));
        assert_eq!(png::decode(&bytes).unwrap().picture, four());
    }

    #[test]
    fn sixel_shows_colours_and_leaves_transparent_pixels_out() {
        let bytes = sixel_line(&four());
        assert!(bytes.starts_with(b"\x1bP") && bytes.ends_with(b"\x1b\\\n"));
        let ([width, _], pixels) = decode(&bytes);
        assert_eq!(width, 2);
        assert_eq!(pixels[..4], [255, 0, 0, 255]);
        assert_eq!(pixels[7], 0, "transparent");
        assert_eq!(pixels[8..16], [0, 255, 0, 255, 0, 0, 255, 255]);
        assert!(
            pixels[16..].chunks(4).all(|pixel| pixel[3] == 0),
            "the rest of the band of six rows is transparent"
        );
        let narrow = render(&Picture::filled(100, 50, [7, 7, 7, 255]).unwrap(), Protocol::Sixel, 5).unwrap();
        assert_eq!(decode(&narrow).0[0], 40);
        let wide = render(&Picture::filled(20, 10, [7, 7, 7, 255]).unwrap(), Protocol::Sixel, 10).unwrap();
        assert_eq!(decode(&wide).0[0], 80, "it is enlarged");
        let small = render(&Picture::filled(2, 1, [7, 7, 7, 255]).unwrap(), Protocol::Sixel, 10).unwrap();
        assert_eq!(decode(&small).0[0], 16, "eight times at most");
    }

    #[test]
    fn invisible_pictures_show_nothing() {
        let nothing = Picture::filled(3, 2, [0; 4]).unwrap();
        assert_eq!(shown(&nothing, Protocol::HalfBlocks(Colours::True), 9), "   \x1b[0m\n");
        assert!(render(&nothing, Protocol::Sixel, 9).unwrap().ends_with(b"\x1b\\\n"));
    }
}
