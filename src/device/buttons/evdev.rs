//! evdev
