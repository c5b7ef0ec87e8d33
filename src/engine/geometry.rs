//! Geometry of convolutions, in int8 and in f32. Depends on nothing but the limits of [`crate::pack`].

use crate::pack::Limits;

/// Zeros around a picture; none by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Padding {
    /// Rows above.
    pub top: usize,
    /// Columns on the left.
    pub left: usize,
    /// Rows below.
    pub bottom: usize,
    /// Columns on the right.
    pub right: usize,
}

/// The window of a convolution, which moves over a padded picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Height and width of the window.
    pub size: [usize; 2],
    /// Rows and columns from one position to the next.
    pub strides: [usize; 2],
}

impl Padding {
    /// Height and width of a picture `[channels, height, width]` with the zeros around it; none if they are wider than the window, or
    /// the whole is too large.
    pub fn around(&self, [channels, height, width]: [usize; 3], window: &Window) -> Option<[usize; 2]> {
        let [rows, columns] = window.size;
        let fits = self.top.max(self.bottom) <= rows && self.left.max(self.right) <= columns;
        let sides = [
            height.checked_add(self.top)?.checked_add(self.bottom)?,
            width.checked_add(self.left)?.checked_add(self.right)?,
        ];
        let elements = channels.checked_mul(sides[0])?.checked_mul(sides[1])?;
        (fits && elements <= Limits::LARGEST.elements).then_some(sides)
    }
}

impl Window {
    /// Height and width of the output for a padded picture of a height and width; none if the window is larger than the picture.
    pub fn positions(&self, height: usize, width: usize) -> Option<[usize; 2]> {
        Some([
            height.checked_sub(self.size[0])? / self.strides[0] + 1,
            width.checked_sub(self.size[1])? / self.strides[1] + 1,
        ])
    }
}
