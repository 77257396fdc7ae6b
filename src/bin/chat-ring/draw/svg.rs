//! The ring as SVG: a page that stands for itself, with a legend, in any browser or change request.

use super::Slice;
use super::colours::hex;
use std::fmt::Write;

/// A picture.
pub struct Page<'a> {
    /// What it is of.
    pub title: String,
    /// The figure that says most, and what it is of: goes into the middle.
    pub figure: (String, String),
    /// The ring, in order and without a gap.
    pub slices: &'a [Slice],
    /// The servers; what does not fit is counted only, so the ones to be seen come first.
    pub servers: Vec<Entry>,
    /// What there is to say under them, the first one a heading: a text, and a figure that may be
    /// empty.
    pub remarks: Vec<(String, String)>,
}

/// A line of the legend.
pub struct Entry {
    /// Its number in the slices.
    pub server: usize,
    /// What the server is called.
    pub name: String,
    /// What else there is to say of it.
    pub figures: String,
    /// Which part of the ring it has, of 1: before, and after.
    pub parts: (f64, f64),
}

const WIDTH: f64 = 960.0;
const CENTRE: (f64, f64) = (250.0, 312.0);
const OUTER: f64 = 200.0;
const MIDDLE: f64 = 160.0;
const INNER: f64 = 120.0;
const TEXT_LEFT: f64 = 520.0;
const LINE: f64 = 26.0;
const ENTRY: f64 = 44.0;
/// Lines of servers at most.
pub const SERVERS: usize = 10;
/// Lines of remarks at most.
const REMARKS: usize = 9;
/// Parts of a ring of one colour at most: more are finer than a screen.
const PARTS: usize = 8_000;
/// What does not move, and what is only said aside.
const PALE: &str = "#e3e7ec";
const GREY: &str = "#5d6875";
const INK: &str = "#1d2430";
const BEFORE: &str = "#aab2bd";
const MARGIN: f64 = 36.0;

/// The picture as a file.
pub fn page(page: &Page<'_>) -> String {
    let is_change = page.slices.iter().any(|slice| slice.before != slice.after);
    let mut out = String::new();
    let legend = legend(page, is_change);
    let height = legend.1.max(CENTRE.1 + OUTER + 50.0);
    put(
        &mut out,
        format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"-apple-system, 'Segoe UI', 'DejaVu Sans', Helvetica, Arial, sans-serif\" role=\"img\">\n\
         <title>{}</title>\n\
         <rect x=\"1\" y=\"1\" width=\"{}\" height=\"{}\" rx=\"12\" fill=\"#ffffff\" stroke=\"#d5dae0\"/>\n\
         <text x=\"36\" y=\"52\" font-size=\"21\" font-weight=\"600\" fill=\"#1d2430\">{}</text>\n",
            escaped(&page.title),
            WIDTH - 2.0,
            height - 2.0,
            escaped(&page.title),
        ),
    );
    if is_change {
        band(&mut out, page.slices, (MIDDLE + 3.0, OUTER), |slice| match slice.before == slice.after {
            true => PALE.to_owned(),
            false => hex(slice.after),
        });
        band(&mut out, page.slices, (INNER, MIDDLE - 3.0), |slice| hex(slice.before));
        caption(&mut out);
    } else {
        band(&mut out, page.slices, (INNER, OUTER), |slice| hex(slice.after));
    }
    middle(&mut out, &page.figure);
    out.push_str(&legend.0);
    out.push_str("</svg>\n");
    out
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a String takes what is written");
}

/// A ring of coloured parts between two radii; neighbours of one colour become one.
fn band(out: &mut String, slices: &[Slice], (from, to): (f64, f64), colour: impl Fn(&Slice) -> String) {
    let mut parts: Vec<(u64, u64, String)> = Vec::new();
    for slice in slices {
        let (first, end, colour) = (u64::from(slice.first), u64::from(slice.last) + 1, colour(slice));
        match parts.last_mut() {
            Some(last) if last.2 == colour => last.1 = end,
            _ => parts.push((first, end, colour)),
        }
    }
    if parts.len() > PARTS {
        // Finer than can be seen: who has it in the middle of each step stands for the step.
        let step = (1u64 << 32) / PARTS as u64;
        let at = |middle: u64| parts.partition_point(|part| part.1 <= middle).min(parts.len() - 1);
        parts = (0..PARTS as u64)
            .map(|n| (n * step, (n + 1) * step, parts[at(n * step + step / 2)].2.clone()))
            .collect();
    }
    if let [(.., colour)] = &parts[..] {
        // An arc from a point to itself is none.
        let (radius, width) = ((from + to) / 2.0, to - from);
        put(
            out,
            format_args!(
                "<circle cx=\"{}\" cy=\"{}\" r=\"{radius}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\"/>\n",
                CENTRE.0, CENTRE.1,
            ),
        );
        return;
    }
    for (first, end, colour) in &parts {
        put(out, format_args!("<path fill=\"{colour}\" d=\"{}\"/>\n", sector(*first, *end, from, to)));
    }
}

fn sector(first: u64, end: u64, from: f64, to: f64) -> String {
    let point = |hash: u64, radius: f64| {
        let angle = hash as f64 / 4_294_967_296.0 * std::f64::consts::TAU;
        format!("{:.2} {:.2}", CENTRE.0 + radius * angle.sin(), CENTRE.1 - radius * angle.cos())
    };
    let large = u8::from(end - first > 1 << 31);
    format!(
        "M{}A{to} {to} 0 {large} 1 {}L{}A{from} {from} 0 {large} 0 {}Z",
        point(first, to),
        point(end, to),
        point(end, from),
        point(first, from),
    )
}

fn middle(out: &mut String, (figure, what): &(String, String)) {
    put(
        out,
        format_args!(
            "<text x=\"{x}\" y=\"{}\" font-size=\"44\" font-weight=\"600\" text-anchor=\"middle\" fill=\"#1d2430\">{}</text>\n\
         <text x=\"{x}\" y=\"{}\" font-size=\"16\" text-anchor=\"middle\" fill=\"{GREY}\">{}</text>\n",
            CENTRE.1 + 8.0,
            escaped(figure),
            CENTRE.1 + 36.0,
            escaped(what),
            x = CENTRE.0,
        ),
    );
}

fn caption(out: &mut String) {
    put(
        out,
        format_args!(
            "<text x=\"36\" y=\"80\" font-size=\"14\" fill=\"{GREY}\">inner ring: who has it before · outer ring: \
         who gets what moves; pale stays</text>\n",
        ),
    );
}

/// The text at the right, and how far down it goes.
fn legend(page: &Page<'_>, is_change: bool) -> (String, f64) {
    let mut out = String::new();
    let mut y = 124.0;
    let most =
        page.servers.iter().map(|entry| entry.parts.0.max(entry.parts.1)).fold(f64::MIN_POSITIVE, f64::max);
    for entry in page.servers.iter().take(SERVERS) {
        line(&mut out, y, (TEXT_LEFT + 25.0, INK, 400), &short(&entry.name, 28), &entry.figures);
        let colour = hex(Some(entry.server));
        bar(&mut out, (TEXT_LEFT, y - 12.5), (15.0, 15.0), &colour);
        let full = WIDTH - MARGIN - TEXT_LEFT - 25.0;
        let (before, after) = (entry.parts.0 / most * full, entry.parts.1 / most * full);
        if is_change {
            bar(&mut out, (TEXT_LEFT + 25.0, y + 8.0), (before, 3.0), BEFORE);
            bar(&mut out, (TEXT_LEFT + 25.0, y + 12.0), (after, 6.0), &colour);
        } else {
            bar(&mut out, (TEXT_LEFT + 25.0, y + 9.0), (after, 7.0), &colour);
        }
        y += ENTRY;
    }
    if page.servers.len() > SERVERS {
        let more = format!("and {} more", page.servers.len() - SERVERS);
        line(&mut out, y, (TEXT_LEFT, GREY, 400), &more, "");
        y += LINE;
    }
    y += LINE * 0.6;
    for (at, (remark, figure)) in page.remarks.iter().enumerate().take(REMARKS) {
        let (weight, colour) = if at == 0 { (600, INK) } else { (400, GREY) };
        line(&mut out, y, (TEXT_LEFT, colour, weight), &short(remark, 56), figure);
        y += LINE;
    }
    if page.remarks.len() > REMARKS {
        let more = format!("and {} more", page.remarks.len() - REMARKS);
        line(&mut out, y, (TEXT_LEFT, GREY, 400), &more, "");
        y += LINE;
    }
    (out, y + 10.0)
}

/// A text, and a figure at the right.
fn line(out: &mut String, y: f64, (x, colour, weight): (f64, &str, u32), text: &str, figure: &str) {
    put(
        out,
        format_args!(
            "<text x=\"{x}\" y=\"{y}\" font-size=\"15\" font-weight=\"{weight}\" fill=\"{colour}\">{}</text>\n",
            escaped(text),
        ),
    );
    if !figure.is_empty() {
        put(
            out,
            format_args!(
                "<text x=\"{}\" y=\"{y}\" font-size=\"15\" text-anchor=\"end\" fill=\"{GREY}\">{}</text>\n",
                WIDTH - MARGIN,
                escaped(figure),
            ),
        );
    }
}

fn bar(out: &mut String, (x, y): (f64, f64), (width, height): (f64, f64), colour: &str) {
    put(
        out,
        format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width:.1}\" height=\"{height}\" rx=\"2\" fill=\"{colour}\"/>\n"
        ),
    );
}

fn short(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // XML knows no control characters, not even escaped.
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(slices: &[Slice]) -> String {
        page(&Page {
            title: "a <b> & \"c\"\x07".to_owned(),
            figure: ("1 %".to_owned(), "moves".to_owned()),
            slices,
            servers: ["x:1", "y:1"].map(entry).into(),
            remarks: vec![("how".to_owned(), String::new())],
        })
    }

    fn entry(name: &str) -> Entry {
        Entry { server: 0, name: name.to_owned(), figures: "50 %".to_owned(), parts: (0.5, 0.5) }
    }

    fn slice(first: u32, last: u32, before: usize, after: usize) -> Slice {
        Slice { first, last, before: Some(before), after: Some(after) }
    }

    #[test]
    fn neighbours_of_one_colour_are_one_part_and_a_whole_ring_is_a_circle() {
        let whole = drawn(&[slice(0, 99, 0, 0), slice(100, u32::MAX, 0, 0)]);
        assert_eq!((whole.matches("<circle").count(), whole.matches("<path").count()), (1, 0));
        let halves =
            drawn(&[slice(0, 99, 0, 0), slice(100, 1 << 31, 1, 1), slice((1 << 31) + 1, u32::MAX, 0, 0)]);
        assert_eq!((halves.matches("<circle").count(), halves.matches("<path").count()), (0, 3));
    }

    #[test]
    fn what_stays_is_pale_and_the_ring_before_is_within() {
        let moved = drawn(&[slice(0, 1 << 30, 0, 1), slice((1 << 30) + 1, u32::MAX, 0, 0)]);
        assert_eq!(moved.matches(PALE).count(), 1);
        assert_eq!((moved.matches("<circle").count(), moved.matches("<path").count()), (1, 2));
        assert!(moved.contains("a &lt;b&gt; &amp; &quot;c&quot;\u{fffd}"));
    }

    #[test]
    fn a_ring_finer_than_a_screen_is_drawn_in_steps() {
        let step = u32::MAX / 100_000;
        let slices: Vec<Slice> = (0..100_000)
            .map(|n| {
                slice(
                    n * step,
                    if n == 99_999 { u32::MAX } else { (n + 1) * step - 1 },
                    n as usize % 3,
                    n as usize % 3,
                )
            })
            .collect();
        assert_eq!(drawn(&slices).matches("<path").count(), PARTS);
    }
}
