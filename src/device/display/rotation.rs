//! The rotation of a panel, and where a frame's pixels lie on it. Arithmetic only.

use std::fmt;
use std::str::FromStr;

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

/// The rotation of a panel: the angle by which its picture is rotated clockwise to be upright. In settings a number of degrees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub enum Rotation {
    /// Upright.
    #[default]
    None,
    /// A quarter turn clockwise.
    Quarter,
    /// Upside down.
    Half,
    /// A quarter turn anticlockwise.
    ThreeQuarters,
}

/// An angle that is not a multiple of a quarter turn.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid rotation '{0}'; use 0, 90, 180 or 270 (degrees clockwise)")]
pub struct RotationError(String);

impl Rotation {
    /// Clockwise degrees: 0, 90, 180 or 270.
    pub fn degrees(self) -> u16 {
        match self {
            Rotation::None => 0,
            Rotation::Quarter => 90,
            Rotation::Half => 180,
            Rotation::ThreeQuarters => 270,
        }
    }

    /// The size of a rotated panel from the size of its memory, and vice versa.
    pub fn size(self, size: Size) -> Size {
        match self {
            Rotation::None | Rotation::Half => size,
            Rotation::Quarter | Rotation::ThreeQuarters => Size::new(size.height, size.width),
        }
    }

    /// Where an area of the frame lies in a panel's memory of this size. The area must lie within the frame.
    pub fn area(self, area: Rectangle, memory: Size) -> Rectangle {
        if area.is_zero_sized() {
            return Rectangle::zero();
        }
        let corners = [area.top_left, area.bottom_right().unwrap_or(area.top_left)].map(|corner| self.point(corner, memory));
        Rectangle::with_corners(corners[0], corners[1])
    }

    /// Where a point of the frame lies in a panel's memory of this size.
    pub fn point(self, Point { x, y }: Point, memory: Size) -> Point {
        let (right, bottom) = (memory.width as i32 - 1, memory.height as i32 - 1);
        match self {
            Rotation::None => Point::new(x, y),
            Rotation::Quarter => Point::new(right - y, x),
            Rotation::Half => Point::new(right - x, bottom - y),
            Rotation::ThreeQuarters => Point::new(y, bottom - x),
        }
    }

    /// Where a point of a panel's memory of this size lies in the frame: [`Rotation::point`] the other way round, for touch screens,
    /// which report points of the panel.
    pub fn frame_point(self, Point { x, y }: Point, memory: Size) -> Point {
        let (right, bottom) = (memory.width as i32 - 1, memory.height as i32 - 1);
        match self {
            Rotation::None => Point::new(x, y),
            Rotation::Quarter => Point::new(y, right - x),
            Rotation::Half => Point::new(right - x, bottom - y),
            Rotation::ThreeQuarters => Point::new(bottom - y, x),
        }
    }
}

impl From<Rotation> for u16 {
    fn from(rotation: Rotation) -> u16 {
        rotation.degrees()
    }
}

impl TryFrom<u16> for Rotation {
    type Error = RotationError;

    fn try_from(degrees: u16) -> Result<Rotation, RotationError> {
        match degrees {
            0 => Ok(Rotation::None),
            90 => Ok(Rotation::Quarter),
            180 => Ok(Rotation::Half),
            270 => Ok(Rotation::ThreeQuarters),
            other => Err(RotationError(other.to_string())),
        }
    }
}

impl FromStr for Rotation {
    type Err = RotationError;

    fn from_str(text: &str) -> Result<Rotation, RotationError> {
        let degrees = text.parse::<u16>().map_err(|_| RotationError(text.to_owned()))?;
        Rotation::try_from(degrees)
    }
}

impl fmt::Display for Rotation {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "{}", self.degrees())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Rotation; 4] = [Rotation::None, Rotation::Quarter, Rotation::Half, Rotation::ThreeQuarters];

    #[test]
    fn the_top_left_corner_goes_clockwise() {
        let memory = Size::new(4, 3);
        let corners = ALL.map(|rotation| rotation.point(Point::zero(), memory));
        assert_eq!(corners, [Point::new(0, 0), Point::new(3, 0), Point::new(3, 2), Point::new(0, 2)]);
    }

    #[test]
    fn areas_hold_the_same_points() {
        let memory = Size::new(7, 5);
        for rotation in ALL {
            let frame = Rectangle::new(Point::zero(), rotation.size(memory));
            let area = Rectangle::new(Point::new(1, 2), Size::new(3, 2));
            let turned = rotation.area(area, memory);
            for point in frame.points() {
                assert_eq!(rotation.frame_point(rotation.point(point, memory), memory), point);
                assert_eq!(
                    area.contains(point),
                    turned.contains(rotation.point(point, memory)),
                    "{rotation} {point}"
                );
            }
            assert_eq!(rotation.area(frame, memory), Rectangle::new(Point::zero(), memory));
            assert!(rotation.area(Rectangle::zero(), memory).is_zero_sized());
        }
    }

    #[test]
    fn settings_hold_degrees() {
        #[derive(serde::Deserialize, serde::Serialize)]
        struct Settings {
            rotation: Rotation,
        }
        for rotation in ALL {
            let text = toml::to_string(&Settings { rotation }).unwrap();
            assert_eq!(text, format!("rotation = {}\n", rotation.degrees()));
            assert_eq!(toml::from_str::<Settings>(&text).unwrap().rotation, rotation);
            assert_eq!(rotation.to_string().parse(), Ok(rotation));
        }
        let error = toml::from_str::<Settings>("rotation = 45").err().unwrap().to_string();
        assert!(error.contains("use 0, 90, 180 or 270"), "{error}");
        assert!("upright".parse::<Rotation>().is_err());
    }
}
