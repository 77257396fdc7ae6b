//! Screens to a picture: terminals side by side, readable on light and on dark pages.

use std::fmt::Write;
use vt100::{Color, Screen};

const CELL: (f32, f32) = (7.2, 17.0);
const FONT: f32 = 12.0;
const TITLE: f32 = 28.0;
const PADDING: f32 = 12.0;
const GAP: f32 = 16.0;

const STYLE: &str = "
  text { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace; font-size: 12px; fill: #1f2328; white-space: pre; }
  .window { fill: #ffffff; stroke: #d0d7de; }
  .bar { fill: #eaeef2; }
  .dot { fill: #c4cbd3; }
  .title { fill: #57606a; }
  .cursor { fill: #1f2328; opacity: .6; }
  .bold { font-weight: 600; }
  .dim { fill: #6e7781; }
  .c1 { fill: #cf222e; } .c2 { fill: #116329; } .c3 { fill: #7d4e00; }
  .c4 { fill: #0969da; } .c5 { fill: #8250df; } .c6 { fill: #1b7c83; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .window { fill: #0d1117; stroke: #30363d; }
    .bar { fill: #161b22; }
    .dot { fill: #484f58; }
    .title { fill: #8b949e; }
    .cursor { fill: #e6edf3; }
    .dim { fill: #8b949e; }
    .c1 { fill: #ff7b72; } .c2 { fill: #3fb950; } .c3 { fill: #d29922; }
    .c4 { fill: #58a6ff; } .c5 { fill: #bc8cff; } .c6 { fill: #39c5cf; }
  }
";

/// The picture of these screens, each under its title.
pub fn picture(screens: &[(&str, &Screen)]) -> String {
    let used = screens.iter().map(|(_, screen)| screen.cursor_position().0 + 1).max().unwrap_or(1);
    let height = TITLE + 2.0 * PADDING + f32::from(used) * CELL.1;
    let widths: Vec<f32> =
        screens.iter().map(|(_, screen)| 2.0 * PADDING + f32::from(screen.size().1.get()) * CELL.0).collect();
    let width = widths.iter().sum::<f32>() + GAP * (screens.len() - 1) as f32;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"-1 -1 {:.1} {:.1}\" width=\"{width:.0}\" role=\"img\">\n\
         <title>Two terminals: {} register, log in, and talk to each other and in a group.</title>\n\
         <style>{STYLE}</style>\n",
        width + 2.0,
        height + 2.0,
        screens.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" and ")
    );
    let mut left = 0.0;
    for ((name, screen), width) in screens.iter().zip(widths) {
        window(&mut out, name, left, width, height);
        for row in 0..used {
            line(&mut out, screen, row, left + PADDING);
        }
        let (row, column) = screen.cursor_position();
        let (x, y) = (left + PADDING + f32::from(column) * CELL.0, top(row) + 2.0);
        rectangle(&mut out, "cursor", (x, y), (CELL.0, CELL.1 - 3.0), 0.0);
        left += width + GAP;
    }
    out.push_str("</svg>\n");
    out
}

fn window(out: &mut String, name: &str, left: f32, width: f32, height: f32) {
    rectangle(out, "window", (left, 0.0), (width, height), 8.0);
    rectangle(out, "bar", (left + 0.5, 0.5), (width - 1.0, TITLE - 0.5), 7.5);
    rectangle(out, "bar", (left + 0.5, TITLE / 2.0), (width - 1.0, TITLE / 2.0), 0.0);
    for dot in 0..3u8 {
        let x = left + 16.0 + f32::from(dot) * 16.0;
        put(out, format_args!("<circle class=\"dot\" cx=\"{x:.1}\" cy=\"14\" r=\"5\"/>\n"));
    }
    let middle = left + width / 2.0;
    put(
        out,
        format_args!(
            "<text class=\"title\" x=\"{middle:.1}\" y=\"18\" text-anchor=\"middle\">{name}: chat</text>\n"
        ),
    );
}

fn top(row: u16) -> f32 {
    TITLE + PADDING + f32::from(row) * CELL.1
}

/// One row of a screen, in pieces that look alike. Each piece is put where its first cell is and
/// made as wide as its cells, whatever font there is.
fn line(out: &mut String, screen: &Screen, row: u16, left: f32) {
    let mut piece: Option<(u16, String, String, u16)> = None;
    for column in 0..screen.size().1.get() {
        let Some(cell) = screen.cell(row, column) else { continue };
        if cell.is_wide_continuation() {
            continue;
        }
        let (text, width) =
            (if cell.has_contents() { cell.contents() } else { " " }, 1 + u16::from(cell.is_wide()));
        let class = class(cell);
        match &mut piece {
            Some((_, same, written, cells)) if *same == class && width == 1 => {
                written.push_str(text);
                *cells += width;
            }
            _ => {
                flush(out, row, left, piece.take());
                piece = Some((column, class, text.to_owned(), width));
            }
        }
        if width == 2 {
            // A wide one stands alone: fonts disagree most about those.
            flush(out, row, left, piece.take());
        }
    }
    flush(out, row, left, piece);
}

fn flush(out: &mut String, row: u16, left: f32, piece: Option<(u16, String, String, u16)>) {
    let Some((column, class, written, _)) = piece else { return };
    let shown = written.trim_end();
    if shown.is_empty() {
        return;
    }
    let before = shown.chars().take_while(|&c| c == ' ').count() as u16;
    let shown = shown.trim_start();
    let wide = shown.chars().any(|c| u32::from(c) >= 0x1100);
    let cells = shown.chars().count() as f32 * if wide { 2.0 } else { 1.0 };
    let (x, y) = (left + f32::from(column + before) * CELL.0, top(row) + FONT);
    let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
    let length = if wide { String::new() } else { format!(" textLength=\"{:.1}\"", cells * CELL.0) };
    put(out, format_args!("<text{class} x=\"{x:.1}\" y=\"{y:.1}\"{length}>{}</text>\n", escaped(shown)));
}

fn class(cell: &vt100::Cell) -> String {
    let mut classes = Vec::new();
    if cell.bold() {
        classes.push("bold".to_owned());
    }
    if cell.dim() {
        classes.push("dim".to_owned());
    }
    if let Color::Idx(colour @ 1..=6) = cell.fgcolor() {
        classes.push(format!("c{colour}"));
    }
    classes.join(" ")
}

fn rectangle(out: &mut String, class: &str, (x, y): (f32, f32), (width, height): (f32, f32), radius: f32) {
    put(
        out,
        format_args!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"{radius:.1}\"/>\n"
        ),
    );
}

fn put(out: &mut String, what: std::fmt::Arguments<'_>) {
    out.write_fmt(what).expect("a String takes what is written");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
