//! What is changed about a terminal while pictures are shown in it: line editing and echo are off, the alternate screen is
//! on. All of it is put back at the end, and before the message of a panic is printed.

use std::fs::File;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::thread::{self, ThreadId};

use rustix::termios::{InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

/// Alternate screen, no cursor, no wrapping, the mouse's buttons reported (SGR form), an empty screen.
const BEGIN: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[?1000h\x1b[?1006h\x1b[0m\x1b[2J";
/// The way back. The first command deletes Kitty's pictures; other terminals ignore it.
const END: &[u8] = b"\x1b_Ga=d,d=A,q=2\x1b\\\x1b[0m\x1b[?1006l\x1b[?1000l\x1b[?7h\x1b[?25h\x1b[?1049l";
/// `_POSIX_VDISABLE` of Linux: no key has this meaning.
const NO_KEY: u8 = 0;

static RUNNING: Mutex<Vec<Arc<Saved>>> = Mutex::new(Vec::new());
static HOOK: Once = Once::new();

/// A terminal and how it was.
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
        // A terminal that is gone needs nothing put back, and there is nobody to tell.
        let _ = (&self.tty).write_all(END);
        let _ = tcsetattr(&self.tty, OptionalActions::Now, &self.settings);
    }
}

/// A terminal that shows pictures until this is dropped.
pub struct Session(Arc<Saved>);

impl Session {
    /// Begins.
    ///
    /// # Errors
    /// If the file is no terminal or is gone.
    pub fn begin(tty: File) -> io::Result<Session> {
        let settings = tcgetattr(&tty)?;
        tcsetattr(&tty, OptionalActions::Now, &for_pictures(settings.clone()))?;
        let saved = Arc::new(Saved {
            tty,
            settings,
            thread: thread::current().id(),
            restored: AtomicBool::new(false),
        });
        running().push(saved.clone());
        let session = Session(saved);
        HOOK.call_once(restore_before_panics);
        session.tty().write_all(BEGIN)?;
        Ok(session)
    }

    /// The terminal.
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

/// Keys at once and unseen. Ctrl-C still interrupts, since a picture may take a while; Ctrl-Z and Ctrl-S mean nothing.
fn for_pictures(mut settings: Termios) -> Termios {
    settings.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::IEXTEN;
    settings.input_modes -= InputModes::IXON | InputModes::ICRNL | InputModes::INLCR | InputModes::ISTRIP;
    settings.special_codes[SpecialCodeIndex::VSUSP] = NO_KEY;
    settings.special_codes[SpecialCodeIndex::VMIN] = 1;
    settings.special_codes[SpecialCodeIndex::VTIME] = 0;
    settings
}

/// Lets a panic's message be read: the terminals of the thread that panics are restored first.
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
