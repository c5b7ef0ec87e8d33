//! SVG drawing: scales, axes and marks. Colours are classes, which the page's style sheet defines for light and dark mode.

use std::fmt::Write;

/// Escapes text for XML elements and attributes.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // Control characters are invalid in XML, even escaped.
            control if control.is_control() => out.push(' '),
            other => out.push(other),
        }
    }
    out
}

/// A linear map from values to positions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    from: f64,
    to: f64,
    start: f64,
    end: f64,
}

impl Scale {
    /// Maps values `from`..`to` to positions `start`..`end`.
    pub fn new(from: f64, to: f64, start: f64, end: f64) -> Scale {
        let to = if to > from { to } else { from + 1.0 };
        Scale { from, to, start, end }
    }

    /// The same, with the range extended to ticks of about `count` intervals.
    pub fn nice(from: f64, to: f64, start: f64, end: f64, count: usize) -> Scale {
        let scale = Scale::new(from, to, start, end);
        let step = scale.step(count);
        Scale {
            from: (scale.from / step + 1e-9).floor() * step,
            to: (scale.to / step - 1e-9).ceil() * step,
            ..scale
        }
    }

    /// The position of a value.
    pub fn at(&self, value: f64) -> f64 {
        self.start + (value - self.from) / (self.to - self.from) * (self.end - self.start)
    }

    /// 1, 2 or 5 times a power of ten.
    fn step(&self, count: usize) -> f64 {
        let rough = (self.to - self.from) / count.max(1) as f64;
        let power = 10f64.powf(rough.log10().floor());
        let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= rough * 0.999);
        factor.unwrap_or(10.0) * power
    }

    /// Round values within the scale.
    pub fn ticks(&self, count: usize) -> Vec<f64> {
        let step = self.step(count);
        let first = (self.from / step - 1e-9).ceil();
        let ticks = (0..=4 * count).map(|index| (first + index as f64) * step);
        ticks.take_while(|tick| *tick <= self.to + step * 1e-6).collect()
    }
}

/// A number with up to four digits and without trailing zeros.
pub fn short(value: f64) -> String {
    let text = match value.abs() {
        0.0 => "0".into(),
        1000.0.. => format!("{value:.0}"),
        100.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    };
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// Alignment of text relative to its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// It starts there.
    Start,
    /// It is centred there.
    Middle,
    /// It ends there.
    End,
}

/// An SVG drawing under construction.
pub struct Drawing {
    width: f64,
    height: f64,
    body: String,
}

impl Drawing {
    /// An empty drawing of this size, in pixels at full width.
    pub fn new(width: f64, height: f64) -> Drawing {
        Drawing {
            width,
            height,
            body: String::new(),
        }
    }

    /// Adds a straight line.
    pub fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let _ = writeln!(
            self.body,
            r#"<line class="{class}" x1="{:.1}" y1="{:.1}" x2="{:.1}" y2="{:.1}"/>"#,
            from.0, from.1, to.0, to.1
        );
    }

    /// Adds a line through points.
    pub fn path(&mut self, class: &str, points: impl Iterator<Item = (f64, f64)>) {
        let mut list = String::new();
        for (x, y) in points {
            let _ = write!(list, "{x:.1},{y:.1} ");
        }
        let _ = writeln!(self.body, r#"<polyline class="{class}" points="{}"/>"#, list.trim_end());
    }

    /// Adds a rectangle with a tooltip.
    pub fn rectangle(&mut self, class: &str, corner: (f64, f64), size: (f64, f64), title: &str) {
        let _ = writeln!(
            self.body,
            r#"<rect class="{class}" x="{:.1}" y="{:.1}" width="{:.1}" height="{:.1}"><title>{}</title></rect>"#,
            corner.0,
            corner.1,
            size.0.max(0.0),
            size.1.max(0.0),
            escape(title)
        );
    }

    /// Adds a dot.
    pub fn dot(&mut self, class: &str, centre: (f64, f64), radius: f64) {
        let _ = writeln!(
            self.body,
            r#"<circle class="{class}" cx="{:.1}" cy="{:.1}" r="{radius:.1}"/>"#,
            centre.0, centre.1
        );
    }

    /// Adds a text.
    pub fn text(&mut self, class: &str, at: (f64, f64), anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let _ = writeln!(
            self.body,
            r#"<text class="{class}" x="{:.1}" y="{:.1}" text-anchor="{anchor}">{}</text>"#,
            at.0,
            at.1,
            escape(text)
        );
    }

    /// Adds a horizontal axis with grid lines up to `top` and a name.
    pub fn bottom_axis(&mut self, scale: &Scale, top: f64, bottom: f64, name: &str) {
        for tick in scale.ticks(7) {
            let x = scale.at(tick);
            self.line("grid", (x, top), (x, bottom));
            self.text("tick", (x, bottom + 15.0), Anchor::Middle, &short(tick));
        }
        self.text("name", (scale.end, bottom + 31.0), Anchor::End, name);
    }

    /// Adds a vertical axis with grid lines to `right` and a name.
    pub fn left_axis(&mut self, scale: &Scale, left: f64, right: f64, count: usize, name: &str) {
        for tick in scale.ticks(count) {
            let y = scale.at(tick);
            self.line("grid", (left, y), (right, y));
            self.text("tick", (left - 6.0, y + 4.0), Anchor::End, &short(tick));
        }
        self.text("name", (left, scale.end - 8.0), Anchor::Start, name);
    }

    /// The complete drawing; `label` describes it for screen readers.
    pub fn finish(self, label: &str) -> String {
        format!(
            "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\n{}</svg>\n",
            self.width,
            self.height,
            escape(label),
            self.body
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let scale = Scale::nice(0.0, 9.3, 0.0, 100.0, 5);
        assert_eq!(scale.ticks(5), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!((scale.at(0.0), scale.at(10.0)), (0.0, 100.0));
        // An empty range does not divide by zero.
        assert!(Scale::nice(5.0, 5.0, 0.0, 1.0, 4).ticks(4).len() >= 2);
        assert_eq!(Scale::new(47.0, 52.0, 0.0, 1.0).ticks(5), [47.0, 48.0, 49.0, 50.0, 51.0, 52.0]);
    }

    #[test]
    fn numbers_are_rounded() {
        let said = [0.0, 1234.5, 123.45, 12.5, 2.0, 0.05].map(short);
        assert_eq!(said, ["0", "1234", "123.5", "12.5", "2", "0.05"]);
    }

    #[test]
    fn text_is_escaped() {
        assert_eq!(escape("a<b>&\"\u{1}"), "a&lt;b&gt;&amp;&quot; ");
    }
}
