//! Screens of displays that write text themselves, as terminals without graphics do: a picture of half blocks, and the words beside it
//! as text. Depends on the views, the canvas and on [`TextRun`].

use std::cmp::Ordering;

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::canvas::Canvas;
use super::layout::inset;
use super::theme::Theme;
use super::{BUTTONS, LETTERS, picture};
use crate::device::buttons::Button;
use crate::device::display::TextRun;
use crate::kiosk::state::{Choice, Code, Scene, Shown, Target, View, Wheel};

/// Smallest grid that has room for a picture beside words, in characters.
const WITH_PICTURE: Size = Size::new(60, 20);
/// Lines at the lower end: a free one, the notice, the buttons.
const FOOT: u32 = 3;
/// Characters between the picture and the words, and at the edge.
const GAP: u32 = 2;
/// Opacity of pictures that are not selected, of 255.
const ASIDE: u8 = 80;

/// Draws the pictures of a view into a frame of one pixel a column and two a line, and returns its words.
pub fn draw(canvas: &mut Canvas, grid: Size, view: &View) -> Vec<TextRun> {
    let theme = canvas.theme.clone();
    canvas.fill(&Rectangle::new(Point::zero(), canvas.frame.size()), theme.ground);
    let has_room = grid.width >= WITH_PICTURE.width && grid.height >= WITH_PICTURE.height;
    let card = has_room.then(|| card(grid)).filter(|_| has_pictures(&view.scene));
    if let Some(card) = &card {
        pictures(canvas, card, &view.scene);
    }
    let left = card.map_or(GAP, |card| card.size.width + card.top_left.x as u32 + GAP);
    let mut page = Page {
        grid,
        left,
        line: 1,
        runs: Vec::new(),
        theme: &theme,
    };
    page.scene(&view.scene);
    page.notice(view.notice.as_deref());
    page.legends(&view.legends);
    page.runs
}

/// What is at a point of a page, in pixels. Keys of the keyboard are typed there, not clicked.
pub fn touched(view: &View, grid: Size, at: Point) -> Option<Target> {
    let (column, line) = (at.x.max(0) as u32, at.y.max(0) as u32 / 2);
    if line + 2 >= grid.height {
        return BUTTONS
            .get((column / (grid.width / 4).max(1)) as usize)
            .map(|button| Target::Button(*button));
    }
    let card = card(grid);
    let button = match &view.scene {
        Scene::Attract { .. } | Scene::Code(_) | Scene::Message { .. } | Scene::Dark => Button::Confirm,
        Scene::Choose { .. } => {
            if card.contains(at) {
                Button::Confirm
            } else {
                Button::Next
            }
        }
        Scene::Menu { at: here, .. } => match line.cmp(&(*here as u32 + 1)) {
            Ordering::Less => Button::Previous,
            Ordering::Equal => Button::Confirm,
            Ordering::Greater => Button::Next,
        },
        Scene::Four { picked: false, .. } if card.contains(at) => {
            let corner = at - card.top_left;
            let half = card.size.width as i32 / 2;
            BUTTONS[(usize::from(corner.x >= half)) + 2 * usize::from(corner.y >= half)]
        }
        Scene::Picture { place: Some(_), .. } => {
            if at.x < grid.width as i32 / 2 {
                Button::Previous
            } else {
                Button::Next
            }
        }
        _ => return None,
    };
    Some(Target::Button(button))
}

/// Where the picture is, in pixels: a square at the left, at most half as wide as the grid.
fn card(grid: Size) -> Rectangle {
    let side = (2 * (grid.height - FOOT)).min(grid.width / 2 + 2);
    let top = grid.height.saturating_sub(FOOT) * 2 - side;
    Rectangle::new(Point::new(GAP as i32, (top / 4 * 2) as i32), Size::new_equal(side))
}

fn has_pictures(scene: &Scene) -> bool {
    !matches!(
        scene,
        Scene::Menu { .. } | Scene::Keyboard { .. } | Scene::Message { .. } | Scene::Dark
    )
}

fn pictures(canvas: &mut Canvas, card: &Rectangle, scene: &Scene) {
    match scene {
        Scene::Attract { shown, coming, .. } => {
            let shown = coming.as_ref().map(|(shown, _)| shown).or(shown.as_ref());
            canvas.card(card, shown, 255);
        }
        Scene::Choose { sketch, .. } => {
            let (shown, strength) = sketch.as_ref().map_or((None, 255), |(shown, is_current)| {
                (Some(shown), if *is_current { 255 } else { ASIDE })
            });
            canvas.card(card, shown, strength);
        }
        Scene::Paper { paper, shown, .. } => canvas.card(card, shown.as_ref().or(paper.as_ref()), 255),
        Scene::Drawing { pictures, .. } => tiles(canvas, card, pictures.iter().map(Option::as_ref), None, false),
        Scene::Four { pictures, at, picked, .. } => tiles(canvas, card, pictures.iter().map(Some), *at, *picked),
        Scene::Picture { shown, code, .. } => match code {
            Some(code) if picture::code_fits(card, code.text()) => picture::take_home(canvas, card, code.text()),
            _ => canvas.card(card, Some(shown), 255),
        },
        Scene::Code(code) if picture::code_fits(card, code.text()) => picture::take_home(canvas, card, code.text()),
        Scene::Code(_) | Scene::Menu { .. } | Scene::Keyboard { .. } | Scene::Message { .. } | Scene::Dark => {}
    }
}

/// One picture, or four in two rows, of which one may be selected.
fn tiles<'a>(
    canvas: &mut Canvas,
    card: &Rectangle,
    pictures: impl ExactSizeIterator<Item = Option<&'a Shown>>,
    at: Option<usize>,
    picked: bool,
) {
    if pictures.len() < 2 {
        return pictures.for_each(|shown| canvas.card(card, shown, 255));
    }
    let side = card.size.width / 2;
    for (index, shown) in pictures.enumerate() {
        let corner = Point::new((index as u32 % 2 * side) as i32, (index as u32 / 2 * side) as i32);
        let tile = Rectangle::new(card.top_left + corner, Size::new_equal(side));
        let is_here = at == Some(index);
        if is_here {
            let accent = canvas.theme.accent;
            canvas.fill(&tile, accent);
        }
        canvas.card(&inset(&tile, 1), shown, if picked && !is_here { ASIDE } else { 255 });
    }
}

/// Words beside the picture, from the top.
struct Page<'a> {
    grid: Size,
    left: u32,
    line: u32,
    runs: Vec<TextRun>,
    theme: &'a Theme,
}

impl Page<'_> {
    fn scene(&mut self, scene: &Scene) {
        let (ink, faint, accent) = (self.theme.ink, self.theme.faint, self.theme.accent);
        match scene {
            Scene::Dark => {}
            Scene::Attract { shown, coming, call } => {
                let shown = coming.as_ref().map(|(shown, _)| shown).or(shown.as_ref());
                shown.iter().for_each(|shown| self.label(shown, false));
                self.skip();
                self.wrapped(call, accent);
            }
            Scene::Choose {
                wheel,
                typed,
                kind,
                choice,
                ..
            } => self.choose(wheel, *typed, kind, choice),
            Scene::Menu { lines, at } => {
                let name = lines.iter().map(|(name, _)| name.width()).max().unwrap_or_default();
                for (index, (label, value)) in lines.iter().enumerate() {
                    let (sign, colour) = if index == *at { ('›', ink) } else { (' ', faint) };
                    let pad = " ".repeat(name - label.width());
                    self.text(&format!("{sign} {label}{pad}  {value}"), colour);
                }
            }
            Scene::Keyboard { text, hint, rows, at } => {
                self.wrapped(if text.is_empty() { hint } else { text }, ink);
                self.skip();
                self.keys(rows, *at);
            }
            Scene::Paper { title, style, hint, .. } => {
                self.wrapped(title, ink);
                self.text(style, faint);
                self.skip();
                self.wrapped(hint, accent);
            }
            Scene::Drawing {
                title,
                style,
                left,
                doing,
                done,
                ..
            } => {
                self.wrapped(title, ink);
                self.text(style, faint);
                self.skip();
                let width = self.width().min(24) as usize;
                let full = width * (*done as usize).min(1000) / 1000;
                self.text(&format!("{}{}", "━".repeat(full), "─".repeat(width - full)), accent);
                self.text(if left.is_empty() { doing } else { left }, faint);
            }
            Scene::Four {
                title,
                pictures,
                at,
                picked,
                question,
            } => {
                self.wrapped(title, ink);
                for (index, shown) in pictures.iter().enumerate() {
                    let colour = if *at == Some(index) { ink } else { faint };
                    self.text(&format!("{}  {}", LETTERS.get(index).unwrap_or(&""), shown.style), colour);
                }
                self.skip();
                if !*picked {
                    self.wrapped(question, accent);
                }
            }
            Scene::Picture {
                shown,
                favourite,
                code,
                place,
                ..
            } => {
                self.label(shown, *favourite);
                if let Some((place, of)) = place {
                    self.text(&format!("{place} / {of}"), faint);
                }
                if let Some(code) = code {
                    self.skip();
                    self.code(code);
                }
            }
            Scene::Code(code) => self.code(code),
            Scene::Message { text } => {
                self.line = self.grid.height.saturating_sub(FOOT) / 2;
                self.wrapped(text, ink);
            }
        }
    }

    fn code(&mut self, code: &Code) {
        let (ink, accent) = (self.theme.ink, self.theme.accent);
        self.wrapped(&code.invitation, accent);
        self.wrapped(&code.command, ink);
    }

    fn choose(&mut self, wheel: &Wheel, typed: bool, kind: &str, choice: &Choice) {
        let (ink, faint, accent) = (self.theme.ink, self.theme.faint, self.theme.accent);
        self.text(kind, accent);
        self.skip();
        if typed {
            self.wrapped(&format!("{}▏", wheel.word), ink);
        } else {
            wheel.before.iter().for_each(|word| self.text(&format!("  {word}"), faint));
            self.text(&format!("› {}", wheel.word), ink);
            wheel.after.iter().for_each(|word| self.text(&format!("  {word}"), faint));
        }
        self.skip();
        let plates = [Some(&choice.style), choice.colour.as_ref(), choice.several.as_ref()];
        let plates: Vec<&str> = plates
            .into_iter()
            .flatten()
            .filter(|plate| !plate.is_empty())
            .map(String::as_str)
            .collect();
        self.text(&plates.join(" · "), faint);
    }

    fn label(&mut self, shown: &Shown, is_favourite: bool) {
        let mark = if is_favourite { "♥ " } else { "" };
        self.wrapped(&format!("{mark}{}", shown.title), self.theme.ink);
        self.text(&shown.style, self.theme.faint);
    }

    /// Rows of keys, of which one is selected.
    fn keys(&mut self, rows: &[Vec<char>], at: usize) {
        let mut index = 0;
        for row in rows {
            let mut column = self.left;
            for key in row {
                let sign = match key {
                    '\u{8}' => '⌫',
                    key => *key,
                };
                let (colour, ground) = if index == at {
                    (self.theme.on_accent, self.theme.accent)
                } else {
                    (self.theme.ink, self.theme.ground)
                };
                self.run(column, self.line, format!(" {sign} "), colour, ground);
                column += 2 + sign.width().unwrap_or(1).max(1) as u32;
                index += 1;
            }
            self.line += 1;
        }
    }

    /// Columns that a line has.
    fn width(&self) -> u32 {
        self.grid.width.saturating_sub(self.left + 1)
    }

    fn skip(&mut self) {
        self.line += 1;
    }

    /// A line, cut where the grid ends.
    fn text(&mut self, text: &str, colour: Rgb888) {
        if !text.is_empty() {
            self.run(self.left, self.line, cut(text, self.width()), colour, self.theme.ground);
            self.line += 1;
        }
    }

    /// As many lines as a text needs.
    fn wrapped(&mut self, text: &str, colour: Rgb888) {
        for line in wrap(text, self.width()) {
            self.text(&line, colour);
        }
    }

    fn notice(&mut self, notice: Option<&str>) {
        let Some(notice) = notice else { return };
        let text = cut(&format!(" {notice} "), self.grid.width);
        let column = (self.grid.width - text.width() as u32) / 2;
        let line = self.grid.height.saturating_sub(2);
        self.put(column, line, text, self.theme.on_accent, self.theme.accent);
    }

    /// The buttons in the last line, each with its letter.
    fn legends(&mut self, legends: &[String; 4]) {
        let (room, line) = (self.grid.width / 4, self.grid.height.saturating_sub(1));
        for (index, legend) in legends.iter().enumerate().filter(|(_, legend)| !legend.is_empty()) {
            let column = index as u32 * room + 1;
            self.put(
                column,
                line,
                format!(" {} ", LETTERS[index]),
                self.theme.on_accent,
                self.theme.accent,
            );
            let word = cut(legend, room.saturating_sub(6));
            self.put(column + 4, line, word, self.theme.ink, self.theme.ground);
        }
    }

    /// Words above the last two lines.
    fn run(&mut self, column: u32, line: u32, text: String, colour: Rgb888, ground: Rgb888) {
        if line + 2 < self.grid.height {
            self.put(column, line, text, colour, ground);
        }
    }

    fn put(&mut self, column: u32, line: u32, text: String, colour: Rgb888, ground: Rgb888) {
        if column < self.grid.width && !text.is_empty() {
            self.runs.push(TextRun {
                at: Point::new(column as i32, line as i32),
                text,
                colour,
                ground,
            });
        }
    }
}

/// As much of a text as fits into a number of columns.
fn cut(text: &str, width: u32) -> String {
    if text.width() <= width as usize {
        return text.to_owned();
    }
    let mut used = 1;
    let fits = |letter: &char| {
        used += letter.width().unwrap_or(0) as u32;
        used <= width
    };
    let mut short: String = text.chars().take_while(fits).collect();
    short.push('…');
    short
}

/// A text in lines of a number of columns, broken at spaces where there are any.
fn wrap(text: &str, width: u32) -> Vec<String> {
    let width = width.max(2) as usize;
    let mut lines = vec![String::new()];
    for word in text.split_inclusive(' ') {
        let mut rest = word;
        while !rest.is_empty() {
            let used = lines.last().map_or(0, |line| line.width());
            let length = rest.trim_end().width();
            if used + length <= width {
                lines.last_mut().into_iter().for_each(|line| line.push_str(rest));
                break;
            }
            if used > 0 {
                lines.push(String::new());
                continue;
            }
            let mut columns = 0;
            let fits = |(_, letter): &(usize, char)| {
                columns += letter.width().unwrap_or(0);
                columns <= width
            };
            let end = rest
                .char_indices()
                .take_while(fits)
                .last()
                .map_or(rest.len(), |(place, letter)| place + letter.len_utf8());
            lines.last_mut().into_iter().for_each(|line| line.push_str(&rest[..end]));
            rest = &rest[end..];
        }
    }
    lines
        .into_iter()
        .map(|line| line.trim_end().to_owned())
        .filter(|line| !line.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_and_wrapped_by_columns() {
        assert_eq!(cut("a red apple", 20), "a red apple");
        assert_eq!(cut("a red apple", 6), "a red…");
        assert_eq!(cut("红苹果", 5), "红苹…");
        assert_eq!(wrap("a red apple on a plate", 8), ["a red", "apple on", "a plate"]);
        assert_eq!(wrap("红苹果和猫", 4), ["红苹", "果和", "猫"]);
        assert_eq!(wrap("incomprehensible", 6), ["incomp", "rehens", "ible"]);
        assert!(wrap("", 10).is_empty());
    }

    #[test]
    fn the_last_lines_are_buttons() {
        let view = View {
            scene: Scene::Message { text: String::new() },
            legends: Default::default(),
            notice: None,
            is_right_to_left: false,
        };
        let at = |column, line: i32| touched(&view, Size::new(80, 24), Point::new(column, 2 * line));
        let buttons = [1, 21, 41, 61].map(|column| at(column, 23));
        assert_eq!(buttons, BUTTONS.map(|button| Some(Target::Button(button))));
        assert_eq!(at(5, 5), Some(Target::Button(Button::Confirm)));
    }

    #[test]
    fn the_picture_leaves_room_for_words() {
        for (columns, lines) in [(60, 20), (80, 24), (100, 30), (120, 40), (200, 60)] {
            let card = card(Size::new(columns, lines));
            assert!(
                card.size.width >= 32 && card.size.width <= columns / 2 + 2,
                "{columns}×{lines}: {card:?}"
            );
            assert!(
                card.top_left.y as u32 + card.size.height <= 2 * (lines - FOOT),
                "{columns}×{lines}: {card:?}"
            );
        }
    }
}
