//! Ctrl-C: the first asks the running picture to stop at its next step, the second ends the process at once.

use std::sync::atomic::{AtomicBool, Ordering};

static ASKED: AtomicBool = AtomicBool::new(false);

/// Exit code of a process that Ctrl-C ended, as shells have it.
const INTERRUPTED: i32 = 130;

/// Begins to listen. Where that is not possible Ctrl-C ends the process as it does without.
pub fn listen() {
    let listening = ctrlc::set_handler(|| {
        if ASKED.swap(true, Ordering::SeqCst) {
            std::process::exit(INTERRUPTED);
        }
    });
    if let Err(error) = listening {
        log::debug!("Ctrl-C is not caught: {error}");
    }
}

/// Whether someone asked to stop.
pub fn asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}
