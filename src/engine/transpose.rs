//! Transposition of float matrices, in squares of sixteen values. Depends on nothing.

/// Values of a square's row.
pub const SIDE: usize = 4;

/// Four values of each of four rows.
pub type Square = [[f32; SIDE]; SIDE];

/// Transposes `rows` × `columns` values: value `column` of row `row` of the source, whose rows are `from` values apart, becomes value
/// `row` of row `column` of the target, whose rows are `to` values apart.
///
/// # Panics
/// If a slice ends before the last of `rows` rows of `columns` values.
#[inline]
pub fn transpose(source: &[f32], from: usize, target: &mut [f32], to: usize, [rows, columns]: [usize; 2]) {
    let whole = rows - rows % SIDE;
    for first in (0..whole).step_by(SIDE) {
        let lines: [&[f32]; SIDE] = std::array::from_fn(|index| &source[(first + index) * from..][..columns]);
        let squares = lines.map(|line| line.as_chunks::<SIDE>().0);
        for index in 0..columns / SIDE {
            let transposed = transpose_square(squares.map(|squares| squares[index]));
            for (column, values) in transposed.iter().enumerate() {
                target[(index * SIDE + column) * to + first..][..SIDE].copy_from_slice(values);
            }
        }
        for column in columns - columns % SIDE..columns {
            target[column * to + first..][..SIDE].copy_from_slice(&lines.map(|line| line[column]));
        }
    }
    for row in whole..rows {
        for (column, &value) in source[row * from..][..columns].iter().enumerate() {
            target[column * to + row] = value;
        }
    }
}

/// The transpose of a square.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub fn transpose_square(rows: Square) -> Square {
    use std::arch::x86_64::*;
    let mut columns = Square::default();
    // SAFETY: SSE is part of every x86-64; each load and store is of a row of four.
    unsafe {
        let [a, b, c, d] = rows.each_ref().map(|row| _mm_loadu_ps(row.as_ptr()));
        let (upper_of_ab, upper_of_cd) = (_mm_unpacklo_ps(a, b), _mm_unpacklo_ps(c, d));
        let (lower_of_ab, lower_of_cd) = (_mm_unpackhi_ps(a, b), _mm_unpackhi_ps(c, d));
        let transposed = [
            _mm_movelh_ps(upper_of_ab, upper_of_cd),
            _mm_movehl_ps(upper_of_cd, upper_of_ab),
            _mm_movelh_ps(lower_of_ab, lower_of_cd),
            _mm_movehl_ps(lower_of_cd, lower_of_ab),
        ];
        for (column, values) in columns.iter_mut().zip(transposed) {
            _mm_storeu_ps(column.as_mut_ptr(), values);
        }
    }
    columns
}

/// The transpose of a square.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
pub fn transpose_square(rows: Square) -> Square {
    use std::arch::aarch64::*;
    let mut columns = Square::default();
    // SAFETY: NEON is part of every 64-bit ARM; each load and store is of a row of four.
    unsafe {
        let [a, b, c, d] = rows.each_ref().map(|row| vld1q_f32(row.as_ptr()));
        let (upper_of_ac, upper_of_bd) = (vzip1q_f32(a, c), vzip1q_f32(b, d));
        let (lower_of_ac, lower_of_bd) = (vzip2q_f32(a, c), vzip2q_f32(b, d));
        let transposed = [
            vzip1q_f32(upper_of_ac, upper_of_bd),
            vzip2q_f32(upper_of_ac, upper_of_bd),
            vzip1q_f32(lower_of_ac, lower_of_bd),
            vzip2q_f32(lower_of_ac, lower_of_bd),
        ];
        for (column, values) in columns.iter_mut().zip(transposed) {
            vst1q_f32(column.as_mut_ptr(), values);
        }
    }
    columns
}

/// The transpose of a square.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
#[inline(always)]
pub fn transpose_square(rows: Square) -> Square {
    std::array::from_fn(|column| rows.map(|row| row[column]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_columns_and_nothing_else_changes() {
        for (rows, columns) in [(0, 3), (1, 1), (3, 9), (4, 4), (5, 7), (8, 16), (9, 6), (16, 13)] {
            let (from, to) = (columns + 2, rows + 3);
            let source: Vec<f32> = (0..rows * from).map(|index| index as f32).collect();
            let mut target = vec![-1f32; columns * to];
            transpose(&source, from, &mut target, to, [rows, columns]);
            for (index, &value) in target.iter().enumerate() {
                let (column, row) = (index / to, index % to);
                let expected = if row < rows { (row * from + column) as f32 } else { -1.0 };
                assert_eq!(value, expected, "{rows}×{columns}: row {row}, column {column}");
            }
        }
    }

    #[test]
    #[should_panic]
    fn short_sources_panic() {
        transpose(&[0.0; 18], 5, &mut [0.0; 16], 4, [4, 4]);
    }
}
