use super::*;
use evdev::EventType;

fn told(translator: &mut Translator, events: &[(EventType, u16, i32)]) -> Vec<Signal> {
    events
        .iter()
        .flat_map(|&(kind, code, value)| translator.event(InputEvent::new(kind.0, code, value)))
        .collect()
}

const END: (EventType, u16, i32) = (EventType::SYNCHRONIZATION, 0, 0);

fn key(name: &str, pressed: bool) -> Signal {
    Signal::Key {
        name: name.into(),
        pressed,
    }
}

#[test]
fn keyboards_press_and_type() {
    let mut keyboard = Translator::new((Size::new(800, 480), Rotation::None), None, false, false);
    let mut press = |code: KeyCode, value| told(&mut keyboard, &[(EventType::KEY, code.0, value), END]);
    assert_eq!(press(KeyCode::KEY_ESC, 1), [key("escape", true)]);
    assert_eq!(press(KeyCode::KEY_ESC, 0), [key("escape", false)]);
    assert_eq!(press(KeyCode::KEY_F1, 1), [key("f1", true)]);
    assert_eq!(press(KeyCode::KEY_R, 1), [key("r", true), Signal::Character('r')]);
    assert_eq!(
        press(KeyCode::KEY_R, 2),
        [Signal::Character('r')],
        "a repeat types, it does not press"
    );
    assert_eq!(press(KeyCode::KEY_R, 0), [key("r", false)]);
    assert_eq!(press(KeyCode::KEY_SPACE, 1), [key("space", true), Signal::Character(' ')]);
    assert_eq!(press(KeyCode::KEY_BACKSPACE, 1)[1], Signal::Character('\u{8}'));
    assert_eq!(press(KeyCode::KEY_PAGEDOWN, 1), [key("page-down", true)]);
}

#[test]
fn touch_screens_are_scaled_to_the_frame() {
    let touch = |x, y, pressed| Signal::Touch {
        at: Point::new(x, y),
        pressed,
    };
    let abs = |axis: AbsoluteAxisCode, value| (EventType::ABSOLUTE, axis.0, value);
    let finger = |down| (EventType::KEY, KeyCode::BTN_TOUCH.0, down);
    let mut single = Translator::new((Size::new(800, 480), Rotation::None), Some([0..=4095, 0..=4095]), true, false);
    let events = [abs(AbsoluteAxisCode::ABS_X, 4095), abs(AbsoluteAxisCode::ABS_Y, 0), finger(1), END];
    assert_eq!(told(&mut single, &events), [touch(799, 0, true)]);
    assert_eq!(
        told(&mut single, &[abs(AbsoluteAxisCode::ABS_Y, 2048), END]),
        [touch(799, 239, true)]
    );
    assert_eq!(told(&mut single, &[finger(0), END]), [touch(799, 239, false)]);
    assert_eq!(told(&mut single, &[abs(AbsoluteAxisCode::ABS_Y, 9), END]), [], "hovering");

    let mut multi = Translator::new((Size::new(480, 800), Rotation::None), Some([100..=580, 0..=799]), false, false);
    let begin = [
        abs(AbsoluteAxisCode::ABS_MT_TRACKING_ID, 7),
        abs(AbsoluteAxisCode::ABS_MT_POSITION_X, 340),
        abs(AbsoluteAxisCode::ABS_MT_POSITION_Y, 500),
        END,
    ];
    assert_eq!(told(&mut multi, &begin), [touch(239, 500, true)]);
    assert_eq!(
        told(&mut multi, &[abs(AbsoluteAxisCode::ABS_MT_TRACKING_ID, -1), END]),
        [touch(239, 500, false)]
    );
    assert_eq!(
        (scaled(-9, &(0..=10), 100), scaled(99, &(0..=10), 100), scaled(5, &(3..=3), 0)),
        (0, 99, 0)
    );
}

/// A finger on what a rotated panel shows is told where that is in the frame.
#[test]
fn touches_are_turned_with_the_panel() {
    let memory = Size::new(800, 480);
    for rotation in [Rotation::None, Rotation::Quarter, Rotation::Half, Rotation::ThreeQuarters] {
        let frame = rotation.size(memory);
        let mut screen = Translator::new((frame, rotation), Some([0..=799, 0..=479]), true, false);
        for place in [Point::zero(), Point::new(7, 450), Point::new(frame.width as i32 - 1, 3)] {
            let raw = rotation.point(place, memory);
            let events = [
                (EventType::ABSOLUTE, AbsoluteAxisCode::ABS_X.0, raw.x),
                (EventType::ABSOLUTE, AbsoluteAxisCode::ABS_Y.0, raw.y),
                (EventType::KEY, KeyCode::BTN_TOUCH.0, 1),
                END,
                (EventType::KEY, KeyCode::BTN_TOUCH.0, 0),
                END,
            ];
            let touch = |pressed| Signal::Touch { at: place, pressed };
            assert_eq!(told(&mut screen, &events), [touch(true), touch(false)], "{rotation}");
        }
    }
}

#[test]
fn wheels_turn() {
    let rel = |axis: RelativeAxisCode, value| (EventType::RELATIVE, axis.0, value);
    let mut encoder = Translator::new((Size::zero(), Rotation::None), None, false, true);
    assert_eq!(told(&mut encoder, &[rel(RelativeAxisCode::REL_X, 2), END]), [Signal::Turn(2)]);
    let mut mouse = Translator::new((Size::zero(), Rotation::None), None, false, false);
    assert_eq!(told(&mut mouse, &[rel(RelativeAxisCode::REL_X, 2), END]), []);
    assert_eq!(told(&mut mouse, &[rel(RelativeAxisCode::REL_WHEEL, 1), END]), [Signal::Turn(-1)]);
}

#[test]
fn folders_and_files_that_are_no_devices() {
    let folder = tempfile::tempdir().unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    let options = |folder: PathBuf| InputOptions {
        folder,
        devices: Vec::new(),
        grab: true,
        frame: Size::new(800, 480),
        rotation: Rotation::None,
    };
    let error = InputDevices::open(options(folder.path().join("none")), sender.clone().into())
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("none") && error.contains("use pins, a window or a script"),
        "{error}"
    );
    std::fs::write(folder.path().join("event0"), "no device").unwrap();
    let devices = InputDevices::open(options(folder.path().into()), sender.into()).unwrap();
    drop(devices);
    assert!(receiver.recv().is_err(), "the thread has ended and its sender is gone");
    let error = InputError::Permission {
        device: "/dev/input/event3".into(),
    }
    .to_string();
    let held = InputError::Grab {
        device: "/dev/input/event3".into(),
        source: std::io::Error::from_raw_os_error(16),
    }
    .to_string();
    assert!(held.contains("fuser -v /dev/input/event3") && held.contains("busy"), "{held}");
    assert!(
        error.contains("group 'input'") && error.contains("GROUP=\"input\", MODE=\"0660\""),
        "{error}"
    );
}
