//! The parts of which all charts are made: a frame with lines and labels, paths, escaped text.

use std::fmt::Write;

/// The place of a chart within its picture.
#[derive(Clone, Copy)]
pub struct Frame {
    pub width: f64,
    pub height: f64,
    pub left: f64,
    pub right: f64,
    pub top: f64,
    pub bottom: f64,
}

impl Frame {
    pub fn inner_width(&self) -> f64 {
        self.width - self.left - self.right
    }

    /// Where the lowest line is.
    pub fn floor(&self) -> f64 {
        self.height - self.bottom
    }

    /// Where the rightmost line is.
    pub fn end(&self) -> f64 {
        self.width - self.right
    }

    pub fn open(&self, title: &str) -> String {
        let (width, height) = (self.width, self.height);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{0}\">",
            escape(title)
        )
    }

    /// Lines across, labelled at their left.
    pub fn rows(&self, svg: &mut String, rows: impl Iterator<Item = (f64, String)>) {
        for (y, label) in rows {
            let (left, end) = (self.left, self.end());
            let _ =
                write!(svg, "<line class=\"grid\" x1=\"{left}\" x2=\"{end}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>");
            let (x, y) = (left - 8.0, y + 3.5);
            let _ = write!(svg, "<text class=\"label end\" x=\"{x}\" y=\"{y:.1}\">{}</text>", escape(&label));
        }
    }

    /// Lines up, labelled below.
    pub fn columns(&self, svg: &mut String, columns: impl Iterator<Item = (f64, String)>) {
        for (x, label) in columns {
            let (top, floor) = (self.top, self.floor());
            let _ =
                write!(svg, "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{top}\" y2=\"{floor}\"/>");
            let y = floor + 17.0;
            let _ =
                write!(svg, "<text class=\"label middle\" x=\"{x:.1}\" y=\"{y}\">{}</text>", escape(&label));
        }
    }

    /// Names at the right end of lines, moved apart where they would touch.
    pub fn end_labels(&self, svg: &mut String, mut ends: Vec<(f64, String, usize)>) {
        const APART: f64 = 14.0;
        ends.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut free = f64::NEG_INFINITY;
        for (y, label, color) in ends {
            let y = (y + 4.0).max(free);
            free = y + APART;
            let x = self.end() + 8.0;
            let _ =
                write!(svg, "<text class=\"name c{color}\" x=\"{x}\" y=\"{y:.1}\">{}</text>", escape(&label));
        }
    }
}

/// What the longest of these labels takes beside a chart, and never less than `least`.
pub fn room_for<'a>(labels: impl Iterator<Item = &'a str>, least: f64) -> f64 {
    const A_CHARACTER: f64 = 6.7;
    let longest = labels.map(|label| label.chars().count()).max().unwrap_or(0);
    (longest as f64 * A_CHARACTER + 22.0).max(least)
}

/// Straight from place to place.
pub fn path(places: &[(f64, f64)]) -> String {
    let mut path = String::new();
    for (number, (x, y)) in places.iter().enumerate() {
        let _ = write!(path, "{}{x:.1} {y:.1}", if number == 0 { 'M' } else { 'L' });
    }
    path
}

/// Text as it may stand in a page.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
