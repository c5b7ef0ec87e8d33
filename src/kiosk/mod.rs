//! The kiosk: a state machine that a visitor steers with four buttons, a touch screen or a keyboard, and what it shows.
//! Depends on everything but the command line; knows devices by their traits alone.

pub mod artist;
pub mod curator;
pub mod filter;
pub mod gallery;
pub mod heat;
pub mod language;
pub mod output;
pub mod rules;
pub mod runner;
pub mod schedule;
pub mod screens;
pub mod settings;
pub mod state;
pub mod subjects;
pub mod supervisor;
pub mod text;
