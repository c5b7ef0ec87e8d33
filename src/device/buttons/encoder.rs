//! Rotary encoders: two lines in quadrature become notches.
//!
//! Pure: owns the state machine and nothing else. Chatter of a contact goes back and forth between two states and
//! cancels out; a state that was skipped is ignored.

/// The lines of one encoder, as numbers of the GPIO chip. Swap them if it turns the wrong way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderPins {
    /// Changes first when turned clockwise.
    pub a: u32,
    /// Changes second.
    pub b: u32,
}

/// Quarter steps of a notch of common encoders (EC11 and its like rest with both contacts open).
const QUARTERS: i32 = 4;

/// The levels of an encoder's lines and how far it is turned within a notch.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quadrature {
    /// Whether each contact is closed.
    closed: (bool, bool),
    quarters: i32,
}

impl Quadrature {
    /// Takes the new state of the contacts; returns a completed notch, 1 clockwise or −1.
    pub fn update(&mut self, closed: (bool, bool)) -> Option<i32> {
        self.quarters += quarter(self.closed, closed);
        self.closed = closed;
        if closed != (false, false) {
            return None;
        }
        // At rest: three quarters or more are a notch, in case one state was missed.
        let notch = match self.quarters {
            turned if turned >= QUARTERS - 1 => Some(1),
            turned if turned <= 1 - QUARTERS => Some(-1),
            _ => None,
        };
        self.quarters = 0;
        notch
    }

    /// The contact of one line changed.
    pub fn line(&mut self, is_a: bool, closed: bool) -> Option<i32> {
        self.update(if is_a { (closed, self.closed.1) } else { (self.closed.0, closed) })
    }
}

/// Clockwise the contacts go open-open, closed-open, closed-closed, open-closed.
fn quarter(from: (bool, bool), to: (bool, bool)) -> i32 {
    let place = |(a, b): (bool, bool)| match (a, b) {
        (false, false) => 0,
        (true, false) => 1,
        (true, true) => 2,
        (false, true) => 3,
    };
    match (place(to) + 4 - place(from)) % 4 {
        1 => 1,
        3 => -1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOCKWISE: [(bool, bool); 4] = [(true, false), (true, true), (false, true), (false, false)];

    fn turn(encoder: &mut Quadrature, states: impl IntoIterator<Item = (bool, bool)>) -> i32 {
        states.into_iter().filter_map(|state| encoder.update(state)).sum()
    }

    #[test]
    fn notches_have_a_direction() {
        let mut encoder = Quadrature::default();
        assert_eq!(turn(&mut encoder, CLOCKWISE), 1);
        assert_eq!(turn(&mut encoder, CLOCKWISE.into_iter().cycle().take(20)), 5);
        let back = [CLOCKWISE[2], CLOCKWISE[1], CLOCKWISE[0], CLOCKWISE[3]];
        assert_eq!(turn(&mut encoder, back.into_iter().cycle().take(12)), -3);
    }

    #[test]
    fn chatter_and_half_turns_are_nothing() {
        let mut encoder = Quadrature::default();
        let mut seed = 5u32;
        for _ in 0..1000 {
            let mut total = 0;
            for index in 0..4 {
                let (before, after) = (CLOCKWISE[(index + 3) % 4], CLOCKWISE[index]);
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                for _ in 0..seed >> 29 {
                    total += turn(&mut encoder, [after, before]);
                }
                total += turn(&mut encoder, [after]);
            }
            assert_eq!(total, 1);
        }
        assert_eq!(
            turn(&mut encoder, [CLOCKWISE[0], CLOCKWISE[1], CLOCKWISE[0], CLOCKWISE[3]]),
            0,
            "there and back"
        );
    }

    #[test]
    fn a_missed_state_is_forgiven() {
        let mut encoder = Quadrature::default();
        assert_eq!(
            turn(&mut encoder, [CLOCKWISE[0], CLOCKWISE[1], CLOCKWISE[3]]),
            0,
            "a jump over two tells no direction"
        );
        assert_eq!(turn(&mut encoder, CLOCKWISE), 1);
        assert_eq!(
            [(true, true), (false, true), (false, true)].map(|state| quarter((true, false), state)),
            [1, 0, 0]
        );
    }
}
