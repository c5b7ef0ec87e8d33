//! Interruption by Ctrl-C (also `SIGTERM` and `SIGHUP`): the first signal asks the current drawing to stop at its next step, the
//! second ends the process at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

static REQUESTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// Starts to catch signals. If that fails, and on systems other than Unix, Ctrl-C ends the process as usual.
pub fn listen() {
    #[cfg(unix)]
    if let Err(error) = catch() {
        log::debug!("signals are not caught: {error}");
    }
}

#[cfg(unix)]
fn catch() -> std::io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::flag;

    /// Exit code of an interrupted process, by the convention of shells.
    const INTERRUPTED: i32 = 130;

    for signal in [SIGINT, SIGTERM, SIGHUP] {
        // Registered first, so that it sees the flag as earlier signals left it.
        flag::register_conditional_shutdown(signal, INTERRUPTED, REQUESTED.clone())?;
        flag::register(signal, REQUESTED.clone())?;
    }
    Ok(())
}

/// Makes writing beyond the limit of file sizes (`ulimit -f`) an error like a full disk; by default the system ends the process and
/// leaves half-written files.
pub fn report_file_size_limit() {
    #[cfg(unix)]
    if let Err(error) = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default()) {
        log::debug!("SIGXFSZ is not caught: {error}");
    }
}

/// Whether a signal has asked to stop.
pub fn requested() -> bool {
    REQUESTED.load(Ordering::SeqCst)
}
