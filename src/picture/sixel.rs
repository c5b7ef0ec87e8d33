//! Sixel graphics (DEC's VT3xx graphics programming manual, chapter 14): the bytes of pixels that are drawn in up to 256
//! colours, and the choice of these colours for a picture.
//!
//! Depends on [`Picture`] alone. `device::display` draws its frames through [`encode`] with colours of its own.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;

use super::Picture;

/// Colour registers of a terminal.
pub(crate) const REGISTERS: usize = 256;
/// Rows of pixels in a line of sixels.
const BAND: usize = 6;
/// The least alpha of a pixel that is drawn.
const VISIBLE: u8 = 128;

/// Red, green and blue.
pub(crate) type Colour = [u8; 3];

/// Appends a picture. `row` gives the colour register of every pixel in a row, and `None` for pixels that are not drawn;
/// `colours` are the registers' colours, of which only those that are used are sent.
pub(crate) fn encode([width, height]: [u32; 2], colours: &[Colour], mut row: impl FnMut(u32) -> Vec<Option<u8>>, out: &mut Vec<u8>) {
    // Writing to a vector cannot fail, here and below. P2 = 1: pixels that are not drawn stay as they are.
    let _ = write!(out, "\x1bP0;1q\"1;1;{width};{height}");
    let mut defined = [false; REGISTERS];
    for top in (0..height).step_by(BAND) {
        let rows = (top..height.min(top + BAND as u32)).map(&mut row);
        for (register, bits) in band(rows, width as usize) {
            if !std::mem::replace(&mut defined[usize::from(register)], true) {
                let [red, green, blue] = colours.get(usize::from(register)).copied().unwrap_or_default().map(percent);
                let _ = write!(out, "#{register};2;{red};{green};{blue}");
            }
            let _ = write!(out, "#{register}");
            sixels(&bits, out);
            out.push(b'$');
        }
        out.push(b'-');
    }
    out.extend_from_slice(b"\x1b\\");
}

/// The registers of up to six rows, and where each is: a byte for every column with a bit for every row.
fn band(rows: impl Iterator<Item = Vec<Option<u8>>>, width: usize) -> BTreeMap<u8, Vec<u8>> {
    let mut band: BTreeMap<u8, Vec<u8>> = BTreeMap::new();
    for (bit, row) in rows.enumerate() {
        let mut x = 0;
        for run in row.chunk_by(|one, other| one == other) {
            if let Some(register) = run[0] {
                let bits = band.entry(register).or_insert_with(|| vec![0; width]);
                bits[x..x + run.len()].iter_mut().for_each(|column| *column |= 1 << bit);
            }
            x += run.len();
        }
    }
    band
}

/// One register's part of a band: a character for six pixels, one below the other, and counts of equal characters.
fn sixels(bits: &[u8], out: &mut Vec<u8>) {
    let end = bits.iter().rposition(|column| *column != 0).map_or(0, |last| last + 1);
    for run in bits[..end].chunk_by(|one, other| one == other) {
        let character = b'?' + run[0];
        if run.len() > 3 {
            let _ = write!(out, "!{}{}", run.len(), char::from(character));
        } else {
            out.extend(std::iter::repeat_n(character, run.len()));
        }
    }
}

fn percent(value: u8) -> u32 {
    (u32::from(value) * 100 + 127) / 255
}

/// A picture in the colours that suit it best: its own if it has at most 256, else 256 that are chosen by variance and mixed
/// by error diffusion. Pixels of less than half alpha are not drawn.
pub(super) fn encode_picture(picture: &Picture) -> Vec<u8> {
    let pixels = picture.pixels().as_chunks::<4>().0;
    let visible = |&[red, green, blue, alpha]: &[u8; 4]| (alpha >= VISIBLE).then_some([red, green, blue]);
    let mut counts: HashMap<Colour, u32> = HashMap::new();
    for colour in pixels.iter().filter_map(visible) {
        *counts.entry(colour).or_default() += 1;
    }
    let palette = palette(counts);
    let mut diffusion = Diffusion::new(&palette, picture.width() as usize);
    let width = picture.width().max(1) as usize;
    let row = |y: u32| {
        let row = &pixels[y as usize * width..][..width];
        diffusion.row(row.iter().map(visible))
    };
    let mut out = Vec::new();
    encode([picture.width(), picture.height()], &palette, row, &mut out);
    out
}

/// Colours with the number of their pixels.
type Counted = Vec<(Colour, u32)>;

/// At most 256 colours for pixels, found by splitting the set with the largest squared error at its mean until there are
/// enough (a variance-based median cut).
fn palette(counts: HashMap<Colour, u32>) -> Vec<Colour> {
    let mut all: Counted = counts.into_iter().collect();
    all.sort_unstable();
    if all.len() <= REGISTERS {
        return all.into_iter().map(|(colour, _)| colour).collect();
    }
    let mut cells = vec![Cell::new(all)];
    while cells.len() < REGISTERS {
        let Some(worst) = (0..cells.len()).max_by(|&one, &other| cells[one].error().total_cmp(&cells[other].error())) else {
            break;
        };
        let Some([low, high]) = cells[worst].split() else { break };
        cells[worst] = low;
        cells.push(high);
    }
    cells.iter().map(Cell::mean).collect()
}

/// A set of colours that one register stands for.
struct Cell {
    colours: Counted,
    count: f64,
    /// Mean and sum of squared differences from it, by channel.
    mean: [f64; 3],
    squares: [f64; 3],
}

impl Cell {
    fn new(colours: Counted) -> Cell {
        let count: f64 = colours.iter().map(|&(_, count)| f64::from(count)).sum();
        let sum = |value: &dyn Fn(&Colour) -> f64| -> f64 { colours.iter().map(|(colour, count)| value(colour) * f64::from(*count)).sum() };
        let mean = std::array::from_fn(|channel| sum(&|colour| f64::from(colour[channel])) / count.max(1.0));
        let squares = std::array::from_fn(|channel: usize| sum(&|colour| (f64::from(colour[channel]) - mean[channel]).powi(2)));
        Cell {
            colours,
            count,
            mean,
            squares,
        }
    }

    fn error(&self) -> f64 {
        self.squares.iter().sum()
    }

    fn mean(&self) -> Colour {
        debug_assert!(self.count > 0.0);
        self.mean.map(|value| value.round() as u8)
    }

    /// The colours below and above the mean of the channel that varies most; `None` for a single colour.
    fn split(&self) -> Option<[Cell; 2]> {
        let channel = (0..3).max_by(|&one, &other| self.squares[one].total_cmp(&self.squares[other]))?;
        let (low, high): (Counted, Counted) = self
            .colours
            .iter()
            .partition(|(colour, _)| f64::from(colour[channel]) <= self.mean[channel]);
        (!low.is_empty() && !high.is_empty()).then(|| [Cell::new(low), Cell::new(high)])
    }
}

/// Error diffusion (R. W. Floyd, L. Steinberg, 1976) to the colours of a palette.
struct Diffusion<'a> {
    palette: &'a [Colour],
    /// The registers of the palette's own colours.
    own: HashMap<Colour, u8>,
    /// The nearest register for a colour of five bits of red, six of green and five of blue, as far as it was looked for.
    nearest: Vec<Option<u8>>,
    /// Errors for the next row in sixteenths, with a column before the first and after the last.
    errors: Vec<[i32; 3]>,
}

impl<'a> Diffusion<'a> {
    fn new(palette: &'a [Colour], width: usize) -> Diffusion<'a> {
        Diffusion {
            palette,
            own: palette.iter().copied().zip(0..=u8::MAX).collect(),
            nearest: vec![None; 1 << 16],
            errors: vec![[0; 3]; width + 2],
        }
    }

    fn row(&mut self, pixels: impl Iterator<Item = Option<Colour>>) -> Vec<Option<u8>> {
        let mut next = vec![[0; 3]; self.errors.len()];
        let mut right = [0; 3];
        let mut registers = Vec::with_capacity(self.errors.len());
        for (x, pixel) in pixels.enumerate() {
            let Some(colour) = pixel else {
                registers.push(None);
                right = [0; 3];
                continue;
            };
            let from: [i32; 3] = std::array::from_fn(|channel| (right[channel] + self.errors[x + 1][channel]) / 16);
            let wanted: Colour = std::array::from_fn(|channel| (i32::from(colour[channel]) + from[channel]).clamp(0, 255) as u8);
            let register = self.register(wanted);
            let shown = self.palette[usize::from(register)];
            for channel in 0..3 {
                let error = i32::from(wanted[channel]) - i32::from(shown[channel]);
                right[channel] = 7 * error;
                next[x][channel] += 3 * error;
                next[x + 1][channel] += 5 * error;
                next[x + 2][channel] += error;
            }
            registers.push(Some(register));
        }
        self.errors = next;
        registers
    }

    /// The register whose colour is nearest.
    fn register(&mut self, wanted: Colour) -> u8 {
        if let Some(&register) = self.own.get(&wanted) {
            return register;
        }
        let [red, green, blue] = wanted.map(usize::from);
        let key = red >> 3 << 11 | green >> 2 << 5 | blue >> 3;
        if let Some(register) = self.nearest[key] {
            return register;
        }
        let away = |colour: &Colour| -> u32 {
            colour
                .iter()
                .zip(wanted)
                .map(|(one, other)| u32::from(one.abs_diff(other)).pow(2))
                .sum()
        };
        let nearest = self.palette.iter().enumerate().min_by_key(|(_, colour)| away(colour));
        let register = nearest.map_or(0, |(register, _)| register as u8);
        self.nearest[key] = Some(register);
        register
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Decodes Sixel graphics with a decoder that is not ours, that of the terminal multiplexer Zellij: straight RGBA, in which
    /// pixels that are not drawn are transparent, and the size.
    pub(crate) fn decode(bytes: &[u8]) -> ([u32; 2], Vec<u8>) {
        let image = sixel_image::SixelImage::new(bytes).unwrap();
        let (height, width) = image.pixel_size();
        let byte = |percent: u8| ((u32::from(percent) * 255 + 50) / 100) as u8;
        let colour = |register: u16| match &image.color_registers[&register] {
            sixel_image::SixelColor::Rgb(red, green, blue) => [byte(*red), byte(*green), byte(*blue), 255],
            sixel_image::SixelColor::Hsl(..) => panic!("colours are sent as red, green and blue"),
        };
        let pixels = image.pixels.iter().flatten();
        let rgba = pixels.flat_map(|pixel| if pixel.on { colour(pixel.color) } else { [0; 4] });
        ([width as u32, height as u32], rgba.collect())
    }

    #[test]
    fn few_colours_are_exact_and_transparent_pixels_are_not_drawn() {
        // Percentages that bytes express exactly, and 16×16 of them.
        let colour = |at: u32| [(at % 16 * 17) as u8, (at / 16 * 17) as u8, 51, if at == 77 { 127 } else { 255 }];
        let picture = Picture::new(16, 16, (0..256).flat_map(colour).collect()).unwrap();
        let (size, pixels) = decode(&encode_picture(&picture));
        assert_eq!(size[0], 16);
        for (at, (shown, wanted)) in pixels.chunks(4).zip(picture.pixels().chunks(4)).enumerate() {
            if at == 77 {
                assert_eq!(shown[3], 0);
            } else {
                let off = shown.iter().zip(wanted).map(|(one, other)| one.abs_diff(*other)).max();
                assert!(off <= Some(1), "{at}: {shown:?} for {wanted:?}");
            }
        }
    }

    #[test]
    fn many_colours_are_mixed() {
        let (width, height) = (96, 64);
        let colour = |at: u32| {
            let (x, y) = (at % width, at / width);
            [
                (x * 255 / (width - 1)) as u8,
                (y * 255 / (height - 1)) as u8,
                ((x + y) * 255 / (width + height)) as u8,
                255,
            ]
        };
        let picture = Picture::new(width, height, (0..width * height).flat_map(colour).collect()).unwrap();
        let (size, pixels) = decode(&encode_picture(&picture));
        assert!(size[0] == width && size[1] >= height);
        // The mean of every square of 8×8 pixels is that of the picture.
        let mean = |pixels: &[u8], left: u32, top: u32| -> [u32; 3] {
            std::array::from_fn(|channel| {
                let values = (0..64).map(|at| (top + at / 8) * width + left + at % 8);
                values.map(|pixel| u32::from(pixels[pixel as usize * 4 + channel])).sum::<u32>() / 64
            })
        };
        for (left, top) in (0..height / 8).flat_map(|y| (0..width / 8).map(move |x| (x * 8, y * 8))) {
            let (shown, wanted) = (mean(&pixels, left, top), mean(picture.pixels(), left, top));
            assert!(
                shown.iter().zip(wanted).all(|(one, other)| one.abs_diff(other) <= 4),
                "{left},{top}: {shown:?} for {wanted:?}"
            );
        }
    }
}
