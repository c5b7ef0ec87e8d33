use super::*;

struct Hand {
    start: Instant,
    gestures: Gestures,
}

impl Hand {
    fn new(doubles: &[Button]) -> Hand {
        Hand {
            start: Instant::now(),
            gestures: Gestures::new(Bindings::default(), Timing::default(), doubles.iter().copied()),
        }
    }

    fn at(&self, milliseconds: u64) -> Instant {
        self.start + Duration::from_millis(milliseconds)
    }

    fn key(&mut self, milliseconds: u64, name: &str, pressed: bool) -> Vec<Event> {
        let at = self.at(milliseconds);
        self.gestures.signal(
            0,
            &Signal::Key {
                name: name.into(),
                pressed,
            },
            at,
        )
    }

    fn tick(&mut self, milliseconds: u64) -> Vec<Event> {
        let at = self.at(milliseconds);
        self.gestures.tick(at)
    }

    fn touch(&mut self, milliseconds: u64, x: i32, pressed: bool) -> Vec<Event> {
        self.touch_on(0, milliseconds, x, pressed)
    }

    fn touch_on(&mut self, output: usize, milliseconds: u64, x: i32, pressed: bool) -> Vec<Event> {
        let at = self.at(milliseconds);
        self.gestures.signal(
            output,
            &Signal::Touch {
                at: Point::new(x, 50),
                pressed,
            },
            at,
        )
    }
}

const SHORT: Event = Event::Press(Button::A, Gesture::Short);
const LONG: Event = Event::Press(Button::A, Gesture::Long);
const HOLD: Event = Event::Press(Button::A, Gesture::Hold);
const DOUBLE: Event = Event::Press(Button::A, Gesture::Double);

#[test]
fn short_presses_are_reported_when_let_go() {
    let mut hand = Hand::new(&[]);
    assert_eq!(hand.key(0, "gpio5", true), []);
    assert_eq!(hand.key(80, "gpio5", false), [SHORT]);
    assert_eq!(hand.gestures.deadline(), None);
    assert_eq!(hand.key(100, "x", true), [], "a key that is no button");
}

#[test]
fn held_buttons_repeat() {
    let mut hand = Hand::new(&[]);
    hand.key(0, "f1", true);
    assert_eq!(hand.gestures.deadline(), Some(hand.at(600)));
    assert_eq!(hand.tick(599), []);
    assert_eq!(hand.tick(600), [LONG]);
    assert_eq!(hand.tick(899), [HOLD]);
    assert_eq!(hand.key(1051, "f1", false), [HOLD, HOLD]);
    assert_eq!(hand.tick(9000), []);
}

#[test]
fn double_presses_are_waited_for_where_asked() {
    let mut hand = Hand::new(&[Button::A]);
    hand.key(0, "1", true);
    assert_eq!(hand.key(80, "1", false), []);
    hand.key(200, "1", true);
    assert_eq!(hand.key(260, "1", false), [DOUBLE]);
    hand.key(1000, "1", true);
    hand.key(1080, "1", false);
    assert_eq!(hand.tick(1379), []);
    assert_eq!(hand.tick(1380), [SHORT]);
    hand.key(2000, "1", true);
    hand.key(2080, "1", false);
    hand.key(2200, "1", true);
    assert_eq!(hand.tick(2800), [SHORT, LONG], "the second is held");
    hand.key(5000, "2", true);
    assert_eq!(
        hand.key(5080, "2", false).last(),
        Some(&Event::Press(Button::B, Gesture::Short)),
        "no wait elsewhere"
    );
}

#[test]
fn bouncing_is_one_press_however_it_bounces() {
    let mut seed = 77u32;
    let mut random = |limit: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        u64::from(seed) % limit
    };
    for _ in 0..500 {
        let mut hand = Hand::new(&[]);
        let (mut time, mut events) = (0, Vec::new());
        let presses = 1 + random(4);
        for _ in 0..presses {
            for pressed in [true, false] {
                let begin = time;
                events.extend(hand.key(time, "gpio5", pressed));
                // Chatter within ten milliseconds, and in the end the true level.
                while time < begin + 10 {
                    time += 1 + random(3);
                    let level = random(2) == 0;
                    events.extend(hand.key(time, "gpio5", level));
                }
                events.extend(hand.key(time, "gpio5", pressed));
                time += 40 + random(400);
                events.extend(hand.tick(time));
            }
        }
        assert_eq!(events, vec![SHORT; presses as usize]);
    }
}

#[test]
fn a_missed_release_within_the_debounce_time_is_found_out() {
    let mut hand = Hand::new(&[]);
    hand.key(0, "gpio5", true);
    assert_eq!(hand.key(4, "gpio5", false), []);
    assert_eq!(hand.tick(14), []);
    assert_eq!(hand.tick(15), [SHORT]);
}

#[test]
fn two_keys_of_one_button_are_one_press() {
    let mut hand = Hand::new(&[]);
    hand.key(0, "gpio5", true);
    hand.key(50, "f1", true);
    assert_eq!(hand.key(100, "gpio5", false), []);
    assert_eq!(hand.key(150, "f1", false), [SHORT]);
}

#[test]
fn fingers_touch_where_they_began() {
    let mut hand = Hand::new(&[]);
    let touched_on = |output, gesture| {
        let at = Point::new(100, 50);
        [Event::Touch { output, at, gesture }]
    };
    let touched = |gesture| touched_on(0, gesture);
    hand.touch(0, 100, true);
    hand.touch(30, 110, true);
    assert_eq!(hand.touch(60, 112, false), touched(Gesture::Short));
    hand.touch(1000, 100, true);
    assert_eq!(hand.touch(1100, 160, false), [], "moved away");
    hand.touch(2000, 100, true);
    assert_eq!(hand.tick(2600), touched(Gesture::Long));
    assert_eq!(hand.touch(2700, 100, false), []);
    assert_eq!(hand.touch(3000, 100, false), [], "let go without a beginning");
    hand.touch_on(0, 4000, 100, true);
    hand.touch_on(1, 4010, 100, true);
    assert_eq!(hand.touch_on(1, 4050, 100, false), touched_on(1, Gesture::Short));
    assert_eq!(hand.touch_on(0, 4060, 100, false), touched_on(0, Gesture::Short));
}

#[test]
fn a_backspace_that_is_a_button_does_not_type() {
    let table = BTreeMap::from([("back".to_owned(), vec!["backspace".to_owned()])]);
    let mut gestures = Gestures::new(Bindings::try_from(table).unwrap(), Timing::default(), []);
    let now = Instant::now();
    let mut tell = |signal| gestures.signal(0, &signal, now);
    let told = [tell(Signal::Tap("backspace".into())), tell(Signal::Character('\u{8}'))].concat();
    assert_eq!(told, [Event::Press(Button::Back, Gesture::Short)]);
}

#[test]
fn letters_are_typed_and_digits_are_buttons() {
    let mut hand = Hand::new(&[]);
    let now = hand.at(0);
    assert_eq!(hand.gestures.signal(0, &Signal::Character('狐'), now), [Event::Character('狐')]);
    assert_eq!(
        hand.gestures.signal(0, &Signal::Character('1'), now),
        [SHORT],
        "a script tells the letter alone"
    );
    hand.key(100, "1", true);
    let now = hand.at(100);
    assert_eq!(
        hand.gestures.signal(0, &Signal::Character('1'), now),
        [],
        "a window tells the key as well"
    );
    assert_eq!(hand.key(180, "1", false), [SHORT]);
    let now = hand.at(200);
    assert_eq!(
        hand.gestures.signal(0, &Signal::Tap("escape".into()), now),
        [Event::Press(Button::Back, Gesture::Short)]
    );
    let mut tell = |signal| hand.gestures.signal(0, &signal, now);
    assert_eq!(
        [tell(Signal::Tap("1".into())), tell(Signal::Character('1'))].concat(),
        [SHORT],
        "a terminal tells both"
    );
    let backspace = [tell(Signal::Tap("backspace".into())), tell(Signal::Character('\u{8}'))].concat();
    assert_eq!(backspace, [Event::Character('\u{8}')]);
    assert_eq!(hand.gestures.signal(0, &Signal::Turn(-2), now), [Event::Turn(-2)]);
    assert_eq!(hand.gestures.signal(0, &Signal::Motion, now), [Event::Motion]);
    assert_eq!(hand.gestures.signal(0, &Signal::Closed, now), [Event::Closed]);
}
