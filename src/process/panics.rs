//! Panics of the libraries that read a pack, as errors: a pack that was made to break one of them must end neither the program nor the
//! thread that draws.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Does the work; what a panic said becomes the error. What the work borrows must be thrown away after an error, or be right after every
/// step of the work: a panic may leave it half changed.
///
/// # Errors
/// If the work panics.
pub fn caught<R>(work: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| message(&*panic))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    // The message may quote a file of any size.
    let told: String = text.unwrap_or("a panic without a message").chars().take(300).collect();
    format!("internal error: {}", told.replace(char::is_control, " "))
}

/// Panics are logged in place of being printed: those that become errors are told as such.
#[cfg(feature = "cli")]
pub fn log_them() {
    std::panic::set_hook(Box::new(|panic| log::debug!("{panic}")));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_panic_says_is_the_error() {
        assert_eq!(caught(|| 7), Ok(7));
        let numbers: [u8; 0] = [];
        let problem = caught(|| numbers[std::hint::black_box(3)]).unwrap_err();
        assert!(problem.starts_with("internal error: index out of bounds"), "{problem}");
        assert_eq!(caught(|| panic!("a\nb")), Err::<(), _>("internal error: a b".to_owned()));
    }
}
