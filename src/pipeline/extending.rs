//! Drawing beyond a picture's sides: the picture lies on a larger canvas, and the model draws windows of its own shape, each of which covers a
//! part of what is there already, as a mask keeps it, and a part of what is missing. Later windows see what earlier ones drew.
//!
//! Owns which windows there are; what of a canvas changes belongs to [`crate::picture::extended`].

use super::families::{Family, Run};
use super::observer::Phase;
use super::request::Source;
use super::{PipelineError, Resolved};
use crate::engine::Engine;
use crate::picture::extended::{Canvas, Window};
use crate::picture::{Margins, Picture, scale};

/// A window shows at least one part in so many of what is there already, so that it is drawn on beyond it.
const CONTEXT: u32 = 8;
/// What is new fades in over one part in so many of a window.
const SEAM: u32 = 32;

/// The windows by which a picture is extended.
pub struct Extension {
    windows: Vec<Window>,
}

impl Extension {
    /// The windows for a picture and a model that draws pictures of these sides.
    pub fn of(source: &Source, drawn: (u32, u32)) -> Extension {
        let own = (source.picture.width(), source.picture.height());
        Extension {
            windows: windows(own, source.extend, window_sides(own, drawn)),
        }
    }

    /// The phases of all windows, one window after another. The request is without the picture to start from.
    pub fn phases(&self, family: &dyn Family, request: &Resolved, source: &Source) -> Result<Vec<Phase>, PipelineError> {
        let pixel = Source::new(Picture::filled(1, 1, [0; 4])?).strength(source.strength);
        let parts = self.windows.iter().zip(0..);
        Ok(parts
            .flat_map(|(&window, number)| family.phases(&part(request, number, window, pixel.clone())))
            .collect())
    }

    /// Draws all windows onto a canvas. The request is without the picture to start from.
    ///
    /// # Errors
    /// The family's.
    pub fn draw(
        &self,
        family: &mut dyn Family,
        engine: &Engine,
        request: &Resolved,
        source: &Source,
        run: &mut Run<'_>,
    ) -> Result<Picture, PipelineError> {
        let mut canvas = Canvas::new(&source.picture, source.extend)?;
        for (&window, number) in self.windows.iter().zip(0..) {
            let (shown, mask) = canvas.show(window)?;
            let shown = Source::new(shown).strength(source.strength).mask(mask);
            let mut drawn = family.generate(engine, &part(request, number, window, shown), run)?;
            if let Some(drawn) = drawn.pop() {
                let drawn = scale::resize(&drawn, window.width, window.height, request.resampling())?;
                canvas.fill(window, &drawn, window.width.min(window.height) / SEAM)?;
            }
        }
        Ok(canvas.into_picture())
    }
}

/// The request for a window. Each has noise of its own: the same would draw the same thing again.
fn part(request: &Resolved, number: u64, window: Window, shown: Source) -> Resolved {
    Resolved {
        source: Some(shown),
        seed: request.seed.wrapping_add(number),
        size: Some(window.width.max(window.height)),
        ..request.clone()
    }
}

/// The sides of windows: the model's own, or as large as a larger picture has room for.
fn window_sides((width, height): (u32, u32), drawn: (u32, u32)) -> (u32, u32) {
    let [wide, tall, across, down] = [width, height, drawn.0, drawn.1].map(u64::from);
    let side = |side: u64| u32::try_from(side).unwrap_or(u32::MAX);
    if wide <= across || tall <= down {
        drawn
    } else if wide * down <= tall * across {
        (width, side(wide * down / across).max(1))
    } else {
        (side(tall * across / down).max(1), height)
    }
}

/// All windows: beside the picture first, then above and below all of that.
fn windows((width, height): (u32, u32), margins: Margins, window: (u32, u32)) -> Vec<Window> {
    let whole = margins.left + width + margins.right;
    let mut windows = Vec::new();
    let mut add = |left: i64, top: i64| {
        windows.push(Window {
            left,
            top,
            width: window.0,
            height: window.1,
        });
    };
    for left in beyond(margins.left, width, margins.right, window.0) {
        for top in along(margins.top, height, window.1) {
            add(left, top);
        }
    }
    for top in beyond(margins.top, height, margins.bottom, window.1) {
        for left in along(0, whole, window.0) {
            add(left, top);
        }
    }
    windows
}

/// Where windows begin that cover the margins on both sides of a picture, from the picture outwards.
fn beyond(before: u32, own: u32, after: u32, side: u32) -> Vec<i64> {
    let [start, end, wide] = [before, before + own, side].map(i64::from);
    let left = outward(before, side).into_iter().map(|inner| start - inner - wide);
    let right = outward(after, side).into_iter().map(|inner| end + inner);
    left.chain(right).collect()
}

/// How far from the picture the inner edges of windows lie that cover a margin; negative within the picture. The last one ends with the margin.
fn outward(margin: u32, side: u32) -> Vec<i64> {
    if margin == 0 {
        return Vec::new();
    }
    let (context, last) = (side / CONTEXT, i64::from(margin) - i64::from(side));
    let step = i64::from((side - context).max(1));
    let before = (0..)
        .map(|number| number * step - i64::from(context))
        .take_while(|&inner| inner < last);
    before.chain([last]).collect()
}

/// Where windows begin that cover a length: one in its middle, or several of which each shows a part of the last.
fn along(start: u32, length: u32, side: u32) -> Vec<i64> {
    let [start, rest] = [i64::from(start), i64::from(length) - i64::from(side)];
    if rest <= 0 {
        return vec![start + rest / 2];
    }
    let step = i64::from((side - side / CONTEXT).max(1));
    let before = (0..).map(|number| number * step).take_while(|&place| place < rest);
    before.chain([rest]).map(|place| start + place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_cover_every_new_pixel_and_show_what_is_there() {
        for (own, margins) in [
            ((128, 128), [64, 0, 0, 0]),
            ((128, 128), [0, 300, 10, 0]),
            ((100, 40), [7, 9, 130, 500]),
            ((800, 600), [0, 200, 100, 100]),
            ((1, 1), [1, 1, 1, 1]),
            ((300, 90), [0, 0, 400, 0]),
        ] {
            let [left, right, top, bottom] = margins;
            let margins = Margins { left, right, top, bottom };
            let side = window_sides(own, (128, 128));
            let (width, height) = margins.around(own).unwrap();
            let mut is_filled = vec![false; (width * height) as usize];
            let index = |x: i64, y: i64| (y * i64::from(width) + x) as usize;
            for y in top..top + own.1 {
                for x in left..left + own.0 {
                    is_filled[index(x.into(), y.into())] = true;
                }
            }
            for window in windows(own, margins, side) {
                let columns = window.left.max(0)..(window.left + i64::from(window.width)).min(width.into());
                let rows = window.top.max(0)..(window.top + i64::from(window.height)).min(height.into());
                let places: Vec<usize> = rows.flat_map(|y| columns.clone().map(move |x| index(x, y))).collect();
                let shown = places.iter().filter(|&&place| is_filled[place]).count();
                assert!(shown > 0, "{own:?} {margins:?}: {window:?} shows nothing that is there");
                places.into_iter().for_each(|place| is_filled[place] = true);
            }
            assert!(is_filled.iter().all(|&is_filled| is_filled), "{own:?} {margins:?}");
        }
    }

    #[test]
    fn windows_are_as_large_as_the_model_draws_or_the_picture_has_room_for() {
        assert_eq!(window_sides((100, 500), (128, 128)), (128, 128));
        assert_eq!(window_sides((800, 600), (128, 128)), (600, 600));
        assert_eq!(window_sides((800, 600), (64, 32)), (800, 400));
    }

    #[test]
    fn a_margin_of_seven_eighths_is_one_window() {
        assert_eq!(outward(112, 128), [-16]);
        assert_eq!(outward(64, 128), [-64]);
        assert_eq!(outward(113, 128), [-16, -15]);
        assert_eq!(along(10, 128, 128), [10]);
        assert_eq!(along(0, 192, 128), [0, 64]);
        assert_eq!(along(8, 100, 128), [-6]);
    }
}
