//! Figures live in a terminal: on the alternate screen, until q or Ctrl-C.

use super::figures::Figures;
use super::keys::{Done, Keys};
use super::look::{Look, LookError};
use super::table::{self, Size};
use crate::options::Top;
use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::style::{Attribute, SetAttribute};
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode, size,
};
use crossterm::{execute, queue};
use std::error::Error;
use std::io::{self, Write, stdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a signal may go unseen.
const GLANCE: Duration = Duration::from_millis(200);

/// The terminal as it is for us; as it was before when dropped.
struct Screen;

impl Screen {
    fn new() -> io::Result<Self> {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            before(panic);
        }));
        enable_raw_mode()?;
        let screen = Self;
        execute!(stdout(), EnterAlternateScreen, Hide)?;
        Ok(screen)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

fn restore() {
    // There is nobody to tell that it did not work.
    let _ = execute!(stdout(), LeaveAlternateScreen, Show);
    let _ = disable_raw_mode();
}

/// What is shown.
enum Shown {
    Figures(Box<Figures>),
    Trouble(LookError),
    Waiting,
}

/// Shows what the server does, until somebody has seen enough.
pub(super) fn run(wanted: Top) -> Result<(), Box<dyn Error>> {
    // The first look is before the screen: who has mistyped the address reads it where it stays.
    let mut before = Some(Look::at(wanted.admin)?);
    let over = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, over.clone())?;
    }
    let keys = Keys::new()?;
    let _screen = Screen::new()?;
    let mut shown = Shown::Waiting;
    let mut next = Instant::now() + wanted.interval;
    while !over.load(Ordering::Relaxed) {
        draw(&shown)?;
        if wait(&keys, next, &over)? {
            return Ok(());
        }
        if Instant::now() < next {
            continue;
        }
        next = Instant::now() + wanted.interval;
        shown = match (Look::at(wanted.admin), before.take()) {
            (Ok(look), earlier) => {
                let figures = earlier.map(|earlier| Figures::between(&earlier, &look));
                before = Some(look);
                figures.map_or(Shown::Waiting, |figures| Shown::Figures(Box::new(figures)))
            }
            (Err(error), _) => Shown::Trouble(error),
        };
    }
    Ok(())
}

/// Waits until then, or until something is to be drawn again. Whether somebody has seen enough.
fn wait(keys: &Keys, until: Instant, over: &AtomicBool) -> io::Result<bool> {
    while !over.load(Ordering::Relaxed) {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        match keys.wait(left.min(GLANCE))? {
            Done::Nothing => {}
            Done::Resized => return Ok(false),
            Done::SeenEnough => return Ok(true),
        }
    }
    Ok(true)
}

fn draw(shown: &Shown) -> io::Result<()> {
    let (columns, rows) = size()?;
    let room = Size { columns: columns.into(), rows: rows.into() };
    let lines = match shown {
        Shown::Figures(figures) => table::lines(figures, room),
        Shown::Trouble(error) => vec![error.to_string(), "trying again; q ends".to_owned()],
        Shown::Waiting => vec!["looking; q ends".to_owned()],
    };
    let mut frame = Vec::new();
    for (row, line) in (0u16..).zip(&lines) {
        let attribute = if table::is_head(line) { Attribute::Reverse } else { Attribute::Reset };
        queue!(frame, MoveTo(0, row), SetAttribute(attribute))?;
        frame.write_all(line.as_bytes())?;
        queue!(frame, SetAttribute(Attribute::Reset), Clear(ClearType::UntilNewLine))?;
    }
    if lines.len() < room.rows {
        queue!(frame, MoveTo(0, lines.len() as u16), Clear(ClearType::FromCursorDown))?;
    }
    stdout().write_all(&frame)?;
    stdout().flush()
}
