//! The last lines of the log, for the owner's page. Owns them; whoever sets up logging adds each line.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Lines that are remembered.
const MOST: usize = 300;
/// Letters of a line that are remembered.
const LONGEST: usize = 500;

static LINES: Mutex<VecDeque<String>> = Mutex::new(VecDeque::new());

/// Remembers a line.
pub fn add(line: &str) {
    let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    if lines.len() == MOST {
        lines.pop_front();
    }
    lines.push_back(line.chars().take(LONGEST).collect());
}

/// The last lines, the oldest first.
pub fn last() -> Vec<String> {
    let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    lines.iter().cloned().collect()
}
