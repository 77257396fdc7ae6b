//! The ring in letters: each place of the circle shows who has the ring there. After a change, only what
//! moves is lettered, with who gets it.

use super::Slice;
use super::colours::{colour, letter};

/// Lines of the picture; a line is twice as high as a letter is wide.
const ROWS: i32 = 23;
const COLUMNS: i32 = 2 * ROWS;
/// The ring lies between these parts of the radius.
const INNER: f64 = 0.62;

/// What the picture is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Of {
    /// Who has what.
    Shares,
    /// Who gets what moves.
    Moves,
}

/// The picture, line by line.
pub fn ring(slices: &[Slice], of: Of, colours: bool) -> String {
    let mut out = String::new();
    for row in 0..ROWS {
        let mut line = String::new();
        let mut blank = 0;
        for column in 0..COLUMNS {
            match place(row, column).map(|hash| shown(slices, hash, of)) {
                None => blank += 1,
                Some(shown) => {
                    line.push_str(&" ".repeat(std::mem::take(&mut blank)));
                    line.push_str(&painted(shown, colours));
                }
            }
        }
        out.push_str(&line);
        out.push('\n');
    }
    out
}

/// The hash that a place of the picture stands for; from the top, clockwise.
fn place(row: i32, column: i32) -> Option<u32> {
    let x = (f64::from(column) + 0.5) / f64::from(COLUMNS) * 2.0 - 1.0;
    let y = (f64::from(row) + 0.5) / f64::from(ROWS) * 2.0 - 1.0;
    let turn = (x.atan2(-y) / std::f64::consts::TAU).rem_euclid(1.0);
    // No two places have one angle, but for those on an axis: the letters are a fair sample.
    (INNER..=1.0).contains(&x.hypot(y)).then_some((turn * 4_294_967_296.0) as u32)
}

/// What stands at a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Shown {
    /// Nothing moves here.
    Still,
    /// Who has it.
    Server(Option<usize>),
}

fn shown(slices: &[Slice], hash: u32, of: Of) -> Shown {
    let slice = slices.get(slices.partition_point(|slice| slice.last < hash));
    match slice {
        Some(slice) if of == Of::Shares || slice.before != slice.after => Shown::Server(slice.after),
        _ => Shown::Still,
    }
}

fn painted(shown: Shown, colours: bool) -> String {
    let Shown::Server(server) = shown else { return "·".to_owned() };
    let letter = letter(server);
    if !colours {
        return letter.to_string();
    }
    let (red, green, blue) = colour(server);
    format!("\x1b[38;2;{red};{green};{blue}m{letter}\x1b[0m")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_the_ring_is_a_quarter_of_the_picture() {
        let quarter = |n: u32, before, after| Slice {
            first: n << 30,
            last: (n << 30) | ((1 << 30) - 1),
            before,
            after,
        };
        let slices: Vec<Slice> =
            (0..4).map(|n| quarter(n, Some(0), if n == 2 { Some(1) } else { Some(0) })).collect();
        let picture = ring(&slices, Of::Shares, false);
        let lines: Vec<&str> = picture.lines().collect();
        assert_eq!(lines.len() as i32, ROWS);
        // From the top, clockwise: the third quarter is at the bottom left.
        assert!(lines[2].contains('A') && !lines[2].contains('B'));
        let (left, right) = lines[ROWS as usize - 3].split_at(COLUMNS as usize / 2);
        assert!(left.contains('B') && !left.contains('A') && right.contains('A') && !right.contains('B'));
        let (is_b, all) = (picture.matches('B').count(), picture.matches(['A', 'B']).count());
        assert!((is_b * 4).abs_diff(all) < 24, "{is_b} of {all}");
        let moved = ring(&slices, Of::Moves, false);
        assert_eq!((moved.matches('B').count(), moved.matches('A').count()), (is_b, 0));
        assert_eq!(moved.matches('·').count(), all - is_b);
        assert!(ring(&slices, Of::Moves, true).contains("\x1b[38;2;230;159;0mB\x1b[0m"));
    }
}
