//! The kiosk on a framebuffer in a plain file: buttons change its pixels.

#![cfg(all(target_os = "linux", feature = "framebuffer"))]

#[path = "support/pressed.rs"]
mod pressed;

use pressed::Pressed;

/// How long it takes is measured by `cargo bench --bench display`.
#[test]
fn a_press_changes_pixels() {
    let kiosk = Pressed::start();
    for key in ["right", "right", "left", "f2", "f4", "escape"] {
        println!("{key}: {:?}", kiosk.press(key));
    }
}
