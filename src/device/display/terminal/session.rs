//! The state of a terminal while it shows pictures: line editing and echo off, the alternate screen on. It is restored at the
//! end, before the message of a panic is printed, and while the program is stopped by Ctrl-Z.
//!
//! `crossterm` is not used here: it sets up only the process's own terminal, with Ctrl-C as a mere key, and its event source
//! does not return if the terminal is closed or a sequence is incomplete (crossterm issues 793 and 993).

use std::fs::{self, File};
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::thread::{self, ThreadId};

use rustix::termios::{InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGCONT, SIGSTOP, SIGTSTP};
use signal_hook::{SigId, flag, low_level};

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
pub struct Session {
    saved: Arc<Saved>,
    job_control: JobControl,
}

impl Session {
    /// Sets up a terminal.
    ///
    /// # Errors
    /// If the file is not a terminal, or was closed.
    pub fn begin(tty: File) -> io::Result<Session> {
        let settings = tcgetattr(&tty)?;
        let saved = Arc::new(Saved {
            tty,
            settings,
            thread: thread::current().id(),
            restored: AtomicBool::new(false),
        });
        let session = Session {
            saved,
            job_control: JobControl::begin()?,
        };
        running().push(session.saved.clone());
        HOOK.call_once(restore_before_panics);
        session.enter()?;
        Ok(session)
    }

    fn enter(&self) -> io::Result<()> {
        let settings = raw(self.saved.settings.clone(), self.job_control.is_job);
        tcsetattr(self.tty(), OptionalActions::Now, &settings)?;
        self.saved.restored.store(false, Ordering::SeqCst);
        self.tty().write_all(ENTER)
    }

    /// The terminal's file.
    pub fn tty(&self) -> &File {
        &self.saved.tty
    }

    /// Stops the program if Ctrl-Z or SIGTSTP asked for it, with the terminal as it was before. Returns whether the program was
    /// stopped, by this or by SIGSTOP, and has been continued since the last call; then the terminal is empty.
    ///
    /// # Errors
    /// If the terminal was closed.
    pub fn follow_job_control(&self) -> io::Result<bool> {
        if self.job_control.stop.swap(false, Ordering::SeqCst) && self.job_control.is_job {
            self.saved.restore();
            low_level::raise(SIGSTOP)?;
        }
        let is_continued = self.job_control.continued.swap(false, Ordering::SeqCst);
        if is_continued {
            self.enter()?;
        }
        Ok(is_continued)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.saved.restore();
        running().retain(|saved| !Arc::ptr_eq(saved, &self.saved));
    }
}

/// The signals by which a shell stops and continues its jobs.
struct JobControl {
    /// Whether a shell could continue the program. One that leads its session, such as a service on a console, would stay stopped.
    is_job: bool,
    stop: Arc<AtomicBool>,
    continued: Arc<AtomicBool>,
    actions: [SigId; 2],
}

impl JobControl {
    fn begin() -> io::Result<JobControl> {
        let (stop, continued) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let actions = [flag::register(SIGTSTP, stop.clone())?, flag::register(SIGCONT, continued.clone())?];
        Ok(JobControl {
            is_job: fs::read_to_string("/proc/self/stat").is_ok_and(|stat| is_job(&stat)),
            stop,
            continued,
            actions,
        })
    }
}

impl Drop for JobControl {
    fn drop(&mut self) {
        for action in self.actions {
            low_level::unregister(action);
        }
    }
}

/// Whether a process is a job of a shell, by its line of `proc_pid_stat(5)`: whether its process group and its session differ.
/// In a container both may be 0, as their leaders are outside; `rustix` has no value for such a group.
fn is_job(stat: &str) -> bool {
    // The name of the program comes first, in parentheses, and may contain any character.
    let behind_name = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let mut numbers = behind_name.split_ascii_whitespace().skip(2);
    let (group, session) = (numbers.next(), numbers.next());
    group.is_some() && session.is_some() && group != session
}

fn running() -> std::sync::MutexGuard<'static, Vec<Arc<Saved>>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keys arrive at once and are not echoed. Ctrl-C still sends SIGINT, so that a long drawing can be interrupted, and Ctrl-Z stops
/// a job of a shell; Ctrl-S has no function.
fn raw(mut settings: Termios, is_job: bool) -> Termios {
    settings.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::IEXTEN;
    settings.input_modes -= InputModes::IXON | InputModes::ICRNL | InputModes::INLCR | InputModes::ISTRIP;
    if !is_job {
        settings.special_codes[SpecialCodeIndex::VSUSP] = DISABLED;
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_have_a_group_of_their_own() {
        assert!(is_job("2353 (cat) R 2352 2345 1594 34816 2345 4194304"));
        assert!(is_job("2353 (a) 7 (b) S 2352 2345 1594 34816 2345 4194304"));
        // A service, a process of a container whose leader is outside, and no line at all.
        assert!(!is_job("812 (inkstone) S 1 812 812 0 -1 4194304"));
        assert!(!is_job("1 (inkstone) S 0 0 0 0 -1 4194304"));
        assert!(!is_job(""));
    }
}
