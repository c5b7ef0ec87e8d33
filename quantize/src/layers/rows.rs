//! Symmetric int8 by row, and the layout that kernels read in place.

/// Rows of a packed panel.
pub const PANEL_ROWS: usize = 8;
/// Consecutive values of a row in a packed panel.
pub const PANEL_DEPTH: usize = 4;
/// Largest magnitude of a quantized value.
pub const LIMIT: f32 = 127.0;

/// A weight is infinite or not a number.
#[derive(Debug, thiserror::Error)]
#[error("a weight in row {row} is not finite")]
pub struct NotFinite {
    /// The row.
    pub row: usize,
}

/// A row-major f32 matrix.
#[derive(Debug)]
pub struct Matrix<'a> {
    values: std::borrow::Cow<'a, [f32]>,
    columns: usize,
}

impl<'a> Matrix<'a> {
    /// Borrows or takes over values; there are as many rows as fit.
    pub fn new(values: impl Into<std::borrow::Cow<'a, [f32]>>, columns: usize) -> Matrix<'a> {
        Matrix {
            values: values.into(),
            columns: columns.max(1),
        }
    }

    /// All values, row after row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.values.len() / self.columns
    }

    /// The matrix with its columns divided by divisors, which repeat.
    pub fn divided(self, divisors: &[f32]) -> Matrix<'a> {
        let mut values = self.values.into_owned();
        for part in values.chunks_mut(divisors.len().max(1)) {
            part.iter_mut().zip(divisors).for_each(|(value, divisor)| *value /= divisor);
        }
        Matrix::new(values, self.columns)
    }

    /// Quantizes every row to [-127, 127] with a scale of its own; a half rounds to even.
    ///
    /// # Errors
    /// For a row that is not finite.
    pub fn quantize(&self) -> Result<Quantized, NotFinite> {
        let mut quantized = Quantized {
            values: Vec::with_capacity(self.values.len()),
            scales: Vec::new(),
            columns: self.columns,
        };
        for (row, values) in self.values.chunks_exact(self.columns).enumerate() {
            if values.iter().any(|value| !value.is_finite()) {
                return Err(NotFinite { row });
            }
            let largest = values.iter().fold(1e-12f32, |largest, value| largest.max(value.abs()));
            let scale = largest / LIMIT;
            quantized.scales.push(scale);
            // The clamp makes the conversion exact.
            quantized.values.extend(
                values
                    .iter()
                    .map(|value| (value / scale).round_ties_even().clamp(-LIMIT, LIMIT) as i8),
            );
        }
        Ok(quantized)
    }
}

/// A quantized matrix: `value ≈ values[row][column] · scales[row]`.
#[derive(Debug)]
pub struct Quantized {
    /// Row-major, in [-127, 127].
    pub values: Vec<i8>,
    /// One a row, positive.
    pub scales: Vec<f32>,
    columns: usize,
}

impl Quantized {
    fn panels(&self) -> usize {
        self.scales.len().div_ceil(PANEL_ROWS)
    }

    /// `[rows/8, columns/4, 8, 4]`, rows rounded up.
    pub fn packed_shape(&self) -> [usize; 4] {
        [self.panels(), self.columns / PANEL_DEPTH, PANEL_ROWS, PANEL_DEPTH]
    }

    /// The values in the order of [`Quantized::packed_shape`]; rows beyond the last are zero. Columns must be a multiple of 4.
    pub fn packed(&self) -> Vec<i8> {
        let depth = self.columns / PANEL_DEPTH;
        let mut packed = vec![0; self.panels() * PANEL_ROWS * self.columns];
        for (row, values) in self.values.chunks_exact(self.columns).enumerate() {
            let (panel, lane) = (row / PANEL_ROWS, row % PANEL_ROWS);
            for (step, group) in values.chunks_exact(PANEL_DEPTH).enumerate() {
                let start = ((panel * depth + step) * PANEL_ROWS + lane) * PANEL_DEPTH;
                packed[start..start + PANEL_DEPTH].copy_from_slice(group);
            }
        }
        packed
    }

    /// Power of the values over the power of what quantizing changed, in decibels; none if nothing changed.
    pub fn sqnr_db(&self, matrix: &Matrix<'_>) -> Option<f64> {
        let (mut signal, mut noise) = (0.0f64, 0.0f64);
        for (index, (&value, &quantized)) in matrix.values.iter().zip(&self.values).enumerate() {
            let restored = f64::from(quantized) * f64::from(self.scales[index / self.columns]);
            signal += f64::from(value).powi(2);
            noise += (f64::from(value) - restored).powi(2);
        }
        (noise > 0.0 && signal > 0.0).then(|| 10.0 * (signal / noise).log10())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(rows: usize, columns: usize) -> Vec<f32> {
        (0..rows * columns)
            .map(|index| ((index * 7919 % 1009) as f32 / 504.5 - 1.0) * (1 + index / columns) as f32)
            .collect()
    }

    #[test]
    fn the_error_is_half_a_step_at_most() {
        let values = sample(5, 32);
        let quantized = Matrix::new(&values, 32).quantize().unwrap();
        for (index, &value) in values.iter().enumerate() {
            let scale = quantized.scales[index / 32];
            assert!((value - f32::from(quantized.values[index]) * scale).abs() <= scale * 0.5001);
        }
        assert!(
            quantized
                .values
                .chunks(32)
                .all(|row| row.iter().any(|value| value.unsigned_abs() == 127))
        );
        assert!(quantized.sqnr_db(&Matrix::new(&values, 32)).unwrap() > 45.0);
    }

    #[test]
    fn packing_an_odd_number_of_rows_loses_nothing() {
        let values = sample(11, 12);
        let quantized = Matrix::new(&values, 12).quantize().unwrap();
        assert_eq!(quantized.packed_shape(), [2, 3, 8, 4]);
        let packed = quantized.packed();
        for row in 0..16 {
            for column in 0..12 {
                let place = (((row / 8) * 3 + column / 4) * 8 + row % 8) * 4 + column % 4;
                let wanted = if row < 11 { quantized.values[row * 12 + column] } else { 0 };
                assert_eq!(packed[place], wanted, "row {row}, column {column}");
            }
        }
    }

    #[test]
    fn rows_of_zeros_stay_zero() {
        let quantized = Matrix::new(&[0.0f32; 4][..], 4).quantize().unwrap();
        assert_eq!(quantized.values, [0; 4]);
        assert!(quantized.scales[0] > 0.0);
        assert_eq!(quantized.sqnr_db(&Matrix::new(&[0.0f32; 4][..], 4)), None);
    }

    #[test]
    fn halves_round_to_even() {
        let quantized = Matrix::new(&[127.0f32, 0.5, 1.5, -2.5][..], 4).quantize().unwrap();
        assert_eq!(quantized.values, [127, 0, 2, -2]);
    }
}
