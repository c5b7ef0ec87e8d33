//! The state of a terminal while it shows pictures: line editing and echo off, the alternate screen on. It is restored at the
//! end, and before the message of a panic is printed.
//!
//! `crossterm` is not used here: it sets up only the process's own terminal, with Ctrl-C as a mere key, and its event source
//! does not return if the terminal is closed or a sequence is incomplete (crossterm issues 793 and 993).

use std::fs::File;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::thread::{self, ThreadId};

use rustix::termios::{InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

/// Alternate screen, no cursor, no wrapping, mouse buttons reported in SGR form, an empty screen.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[?1000h\x1b[?1006h\x1b[0m\x1b[2J";
/// The reverse. The first command deletes Kitty's pictures; other terminals ignore it.
const LEAVE: &[u8] = b"\x1b_Ga=d,d=A,q=2\x1b\\\x1b[0m\x1b[?1006l\x1b[?1000l\x1b[?7h\x1b[?25h\x1b[?1049l";
/// `_POSIX_VDISABLE` of Linux: no key has the function.
const DISABLED: u8 = 0;

static RUNNING: Mutex<Vec<Arc<Saved>>> = Mutex::new(Vec::new());
static HOOK: Once = Once::new();

/// A terminal and its original settings.
struct Saved {
    tty: File,
    settings: Termios,
    thread: ThreadId,
    restored: AtomicBool,
}

impl Saved {
    fn restore(&self) {
        if self.restored.swap(true, Ordering::SeqCst) {
            return;
        }
        // A terminal that was closed needs no restoring, and nobody would see an error.
        let _ = (&self.tty).write_all(LEAVE);
        let _ = tcsetattr(&self.tty, OptionalActions::Now, &self.settings);
    }
}

/// A terminal that shows pictures until this is dropped.
pub struct Session(Arc<Saved>);

impl Session {
    /// Sets up a terminal.
    ///
    /// # Errors
    /// If the file is not a terminal, or was closed.
    pub fn begin(tty: File) -> io::Result<Session> {
        let settings = tcgetattr(&tty)?;
        tcsetattr(&tty, OptionalActions::Now, &raw(settings.clone()))?;
        let saved = Arc::new(Saved {
            tty,
            settings,
            thread: thread::current().id(),
            restored: AtomicBool::new(false),
        });
        running().push(saved.clone());
        let session = Session(saved);
        HOOK.call_once(restore_before_panics);
        session.tty().write_all(ENTER)?;
        Ok(session)
    }

    /// The terminal's file.
    pub fn tty(&self) -> &File {
        &self.0.tty
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.0.restore();
        running().retain(|saved| !Arc::ptr_eq(saved, &self.0));
    }
}

fn running() -> std::sync::MutexGuard<'static, Vec<Arc<Saved>>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keys arrive at once and are not echoed. Ctrl-C still sends SIGINT, so that a long drawing can be interrupted; Ctrl-Z and
/// Ctrl-S have no function.
fn raw(mut settings: Termios) -> Termios {
    settings.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::IEXTEN;
    settings.input_modes -= InputModes::IXON | InputModes::ICRNL | InputModes::INLCR | InputModes::ISTRIP;
    settings.special_codes[SpecialCodeIndex::VSUSP] = DISABLED;
    settings.special_codes[SpecialCodeIndex::VMIN] = 1;
    settings.special_codes[SpecialCodeIndex::VTIME] = 0;
    settings
}

/// Restores the terminals of a thread that panics before the panic's message is printed, so that it can be read.
fn restore_before_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |information| {
        let here = thread::current().id();
        running()
            .iter()
            .filter(|saved| saved.thread == here)
            .for_each(|saved| saved.restore());
        before(information);
    }));
}
