//! A window on a desktop, through X11 (on Wayland through Xwayland). Its keys, mouse, wheel and touch become signals. Events
//! are handled within [`Screen::signals`] and [`Screen::present`] without blocking.
//!
//! `keys` owns the names of keys.

mod keys;

use std::num::NonZeroU32;
use std::rc::Rc;
use std::time::Duration;

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use softbuffer::{Context, Rect, Surface};
use winit::application::ApplicationHandler;
use winit::dpi::{PhysicalPosition, PhysicalSize};
use winit::event::{ElementState, KeyEvent, MouseButton, MouseScrollDelta, Touch, TouchPhase, WindowEvent};
use winit::event_loop::{ActiveEventLoop, EventLoop};
use winit::platform::pump_events::EventLoopExtPumpEvents;
use winit::platform::x11::EventLoopBuilderExtX11;
use winit::window::{Fullscreen, WindowId};

use super::{
    Auto, Detail, DisplayError, DisplaySettings, Driver, Found, Frame, ModeRequest, ModeRequestError, Panel, PixelLayout, PixelWriter,
    Presence, Rotation, Screen,
};
use crate::device::buttons::Signal;

/// The default size of a window.
pub const SIZE: Size = Size::new(800, 480);

/// The row of the driver table.
pub(super) const DRIVER: Driver = Driver::new(
    "window",
    open,
    Presence::Session {
        find: found,
        absent: "there is no desktop (DISPLAY is not set)",
        advice: "log in to the desktop, or choose kms",
    },
)
.with_about("a window on a desktop (X11)")
.with_detail(Detail::Text {
    placeholder: "WxH",
    required: false,
    example: "800x480",
    check: |text| size(text).map(drop).map_err(|error| error.to_string()),
})
.with_auto(Auto::If(|| desktop().is_some()));

fn open(settings: &DisplaySettings) -> Result<Box<dyn Screen>, DisplayError> {
    let requested = settings.kind.detail().and_then(|text| size(text).ok());
    let size = requested.unwrap_or_else(|| settings.size_or(SIZE));
    Ok(Box::new(Window::open(size, settings.fullscreen)?))
}

fn size(text: &str) -> Result<Size, ModeRequestError> {
    text.parse().map(|request: ModeRequest| request.size)
}

/// The desktop's address.
fn desktop() -> Option<String> {
    std::env::var("DISPLAY").ok().filter(|display| !display.is_empty())
}

fn found() -> Vec<Found> {
    let found = |display| Found::usable("window", format!("a desktop at {display}"));
    desktop().map(found).into_iter().collect()
}

/// Pixels of a touchpad's scrolling that count as one notch of a wheel.
const NOTCH: f64 = 40.0;

/// The one control character that types.
const BACKSPACE: char = '\u{8}';

type Shared = Rc<winit::window::Window>;

/// A window. A process can open only one in its lifetime: winit creates no second event loop.
pub struct Window {
    events: EventLoop<()>,
    state: State,
}

impl Window {
    /// Opens a window of this size, or one that covers the whole screen. F11 toggles between the two.
    ///
    /// # Errors
    /// If there is no desktop, or the process opened a window before.
    pub fn open(size: Size, is_fullscreen: bool) -> Result<Window, DisplayError> {
        let events = EventLoop::builder().with_any_thread(true).build().map_err(|error| {
            let advice = "run it on a desktop, or choose another display (`--display kms`, `--display terminal`)";
            DisplayError::absent("window", error, advice)
        })?;
        let mut window = Window {
            events,
            state: State::new(size, is_fullscreen),
        };
        window.pump()?;
        match window.state.surface {
            Some(_) => Ok(window),
            None => Err(DisplayError::failed("window", "the desktop did not open it")),
        }
    }

    /// Handles the events that have arrived.
    fn pump(&mut self) -> Result<(), DisplayError> {
        self.events.pump_app_events(Some(Duration::ZERO), &mut self.state);
        self.state.problem.take().map_or(Ok(()), Err)
    }
}

impl Screen for Window {
    fn panel(&self) -> &Panel {
        &self.state.panel
    }

    fn present(&mut self, frame: &Frame, damage: Rectangle) -> Result<(), DisplayError> {
        self.pump()?;
        let area = self.state.writer.write(frame, damage, &mut self.state.pixels);
        self.state.show(area)
    }

    /// Shows black.
    fn sleep(&mut self) -> Result<(), DisplayError> {
        self.state.pixels.fill(0);
        self.state.show_all()
    }

    fn dim(&mut self, brightness: f32) -> Result<(), DisplayError> {
        self.state.brightness = brightness;
        self.state.writer.dim(brightness);
        Ok(())
    }

    fn has_input(&self) -> bool {
        true
    }

    fn signals(&mut self) -> Result<Vec<Signal>, DisplayError> {
        self.pump()?;
        Ok(std::mem::take(&mut self.state.signals))
    }
}

/// What the window's events act on.
struct State {
    requested: Size,
    is_fullscreen: bool,
    surface: Option<Surface<Shared, Shared>>,
    panel: Panel,
    writer: PixelWriter,
    brightness: f32,
    /// What the window shows, for when it is uncovered.
    pixels: Vec<u8>,
    signals: Vec<Signal>,
    pointer: Point,
    is_pressed: bool,
    problem: Option<DisplayError>,
}

impl State {
    fn new(requested: Size, is_fullscreen: bool) -> State {
        State {
            requested,
            is_fullscreen,
            surface: None,
            panel: Panel::new("window", Size::zero()),
            writer: PixelWriter::new(PixelLayout::XRGB8888, Size::zero(), 0, Rotation::None),
            brightness: 1.0,
            pixels: Vec::new(),
            signals: Vec::new(),
            pointer: Point::zero(),
            is_pressed: false,
            problem: None,
        }
    }

    fn create(&mut self, events: &ActiveEventLoop) -> Result<(), DisplayError> {
        let failed = |error: &dyn std::fmt::Display| DisplayError::failed("window", error);
        let attributes = winit::window::Window::default_attributes()
            .with_title("Inkstone")
            .with_inner_size(PhysicalSize::new(self.requested.width, self.requested.height))
            .with_fullscreen(self.is_fullscreen.then_some(Fullscreen::Borderless(None)));
        let window = Rc::new(events.create_window(attributes).map_err(|error| failed(&error))?);
        let context = Context::new(window.clone()).map_err(|error| failed(&error))?;
        self.surface = Some(Surface::new(&context, window.clone()).map_err(|error| failed(&error))?);
        self.resize(window.inner_size());
        Ok(())
    }

    /// Follows the window's size; black until the next frame.
    fn resize(&mut self, size: PhysicalSize<u32>) {
        let size = Size::new(size.width, size.height);
        if size == self.panel.size {
            return;
        }
        self.panel.size = size;
        self.writer = PixelWriter::new(PixelLayout::XRGB8888, size, size.width as usize * 4, Rotation::None);
        self.writer.dim(self.brightness);
        self.pixels = vec![0; self.writer.length()];
    }

    fn show_all(&mut self) -> Result<(), DisplayError> {
        self.show(Rectangle::new(Point::zero(), self.panel.size))
    }

    /// Copies the pixels, of which only an area has changed, to the window.
    fn show(&mut self, area: Rectangle) -> Result<(), DisplayError> {
        let Size { width, height } = self.panel.size;
        let (Some(surface), Some(width), Some(height)) = (&mut self.surface, NonZeroU32::new(width), NonZeroU32::new(height)) else {
            return Ok(());
        };
        let (Some(changed_width), Some(changed_height)) = (NonZeroU32::new(area.size.width), NonZeroU32::new(area.size.height)) else {
            return Ok(());
        };
        let failed = |error| DisplayError::failed("window", error);
        surface.resize(width, height).map_err(failed)?;
        let mut buffer = surface.buffer_mut().map_err(failed)?;
        for (pixel, bytes) in buffer.iter_mut().zip(self.pixels.as_chunks::<4>().0) {
            *pixel = u32::from_ne_bytes(*bytes);
        }
        let changed = Rect {
            x: area.top_left.x as u32,
            y: area.top_left.y as u32,
            width: changed_width,
            height: changed_height,
        };
        buffer.present_with_damage(&[changed]).map_err(failed)
    }

    fn key(&mut self, event: &KeyEvent) {
        let pressed = event.state == ElementState::Pressed;
        if let Some(name) = keys::name(event).filter(|_| !event.repeat) {
            if name == "f11" && pressed {
                self.toggle_fullscreen();
            }
            self.signals.push(Signal::Key { name, pressed });
        }
        let text = event.text.iter().filter(|_| pressed).flat_map(|text| text.chars());
        self.signals.extend(
            text.filter(|letter| !letter.is_control() || *letter == BACKSPACE)
                .map(Signal::Character),
        );
    }

    fn toggle_fullscreen(&mut self) {
        self.is_fullscreen = !self.is_fullscreen;
        if let Some(surface) = &self.surface {
            let fullscreen = self.is_fullscreen.then_some(Fullscreen::Borderless(None));
            surface.window().set_fullscreen(fullscreen);
        }
    }

    fn point(&mut self, at: PhysicalPosition<f64>, pressed: bool) {
        self.pointer = Point::new(at.x.floor() as i32, at.y.floor() as i32);
        if pressed || self.is_pressed {
            self.signals.push(Signal::Touch { at: self.pointer, pressed });
        }
        self.is_pressed = pressed;
    }

    fn touch(&mut self, Touch { phase, location, .. }: Touch) {
        self.point(location, matches!(phase, TouchPhase::Started | TouchPhase::Moved));
    }

    fn press(&mut self, pressed: bool) {
        let at = PhysicalPosition::new(f64::from(self.pointer.x), f64::from(self.pointer.y));
        self.point(at, pressed);
    }

    /// Downwards is clockwise.
    fn turn(&mut self, delta: MouseScrollDelta) {
        let notches = match delta {
            MouseScrollDelta::LineDelta(_, lines) => -f64::from(lines),
            MouseScrollDelta::PixelDelta(points) => -points.y / NOTCH,
        };
        let notches = if notches < 0.0 { notches.floor() } else { notches.ceil() };
        if notches != 0.0 {
            self.signals.push(Signal::Turn(notches as i32));
        }
    }
}

impl ApplicationHandler for State {
    fn resumed(&mut self, events: &ActiveEventLoop) {
        if self.surface.is_none() {
            self.problem = self.create(events).err();
        }
    }

    fn window_event(&mut self, _: &ActiveEventLoop, _: WindowId, event: WindowEvent) {
        match event {
            WindowEvent::CloseRequested | WindowEvent::Destroyed => self.signals.push(Signal::Closed),
            WindowEvent::Resized(size) => self.resize(size),
            WindowEvent::RedrawRequested => self.problem = self.show_all().err(),
            // A key that was held when the window got the focus was not pressed in it.
            WindowEvent::KeyboardInput { event, is_synthetic, .. } if !is_synthetic || event.state == ElementState::Released => {
                self.key(&event);
            }
            WindowEvent::CursorMoved { position, .. } => self.point(position, self.is_pressed),
            WindowEvent::MouseInput {
                state,
                button: MouseButton::Left,
                ..
            } => self.press(state == ElementState::Pressed),
            WindowEvent::MouseWheel { delta, .. } => self.turn(delta),
            WindowEvent::Touch(touch) => self.touch(touch),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        State::new(SIZE, false)
    }

    #[test]
    fn the_pointer_is_heard_of_while_it_is_down() {
        let mut state = state();
        let at = |x, y| PhysicalPosition::new(x, y);
        state.point(at(3.0, 4.0), false);
        state.press(true);
        state.point(at(5.9, 4.2), true);
        state.press(false);
        state.point(at(9.0, 9.0), false);
        let touch = |x, y, pressed| Signal::Touch {
            at: Point::new(x, y),
            pressed,
        };
        assert_eq!(state.signals, [touch(3, 4, true), touch(5, 4, true), touch(5, 4, false)]);
    }

    #[test]
    fn the_wheel_turns_by_notches() {
        let mut state = state();
        state.turn(MouseScrollDelta::LineDelta(0.0, -1.0));
        state.turn(MouseScrollDelta::LineDelta(0.0, 2.0));
        state.turn(MouseScrollDelta::PixelDelta(PhysicalPosition::new(0.0, 3.0)));
        state.turn(MouseScrollDelta::LineDelta(1.0, 0.0));
        assert_eq!(state.signals, [Signal::Turn(1), Signal::Turn(-2), Signal::Turn(-1)]);
    }

    #[test]
    fn a_new_size_is_black_and_as_bright_as_before() {
        let mut state = state();
        state.brightness = 0.5;
        state.resize(PhysicalSize::new(2, 1));
        assert_eq!((state.panel.size, state.pixels.as_slice()), (Size::new(2, 1), &[0; 8][..]));
        let mut frame = Frame::new(Size::new(2, 1));
        frame.blend(&[200, 100, 50, 255], 1, Point::zero());
        state.writer.write(&frame, frame.bounding_box(), &mut state.pixels);
        assert_eq!(state.pixels[..4], 0x0064_3219u32.to_ne_bytes());
        state.resize(PhysicalSize::new(0, 0));
        assert!(state.pixels.is_empty() && state.show_all().is_ok());
    }
}
