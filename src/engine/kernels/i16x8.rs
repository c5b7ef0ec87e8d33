//! Vectors of eight 16-bit integers, for the transforms of minimal filtering: the compiler would not keep arrays in registers.

use std::ops::{Add, Sub};

/// Numbers of a vector.
pub const COUNT: usize = 8;

#[cfg(target_arch = "aarch64")]
mod vector {
    use std::arch::aarch64::*;

    use super::COUNT;

    pub type Vector = int16x8_t;

    #[inline(always)]
    pub fn widened(bytes: &[u8; COUNT]) -> Vector {
        // SAFETY: NEON is part of every 64-bit ARM; eight bytes are read.
        unsafe { vmovl_s8(vreinterpret_s8_u8(vld1_u8(bytes.as_ptr()))) }
    }

    #[inline(always)]
    pub fn load(values: &[i16; COUNT]) -> Vector {
        // SAFETY: as above; eight values are read.
        unsafe { vld1q_s16(values.as_ptr()) }
    }

    #[inline(always)]
    pub fn store(vector: Vector, values: &mut [i16; COUNT]) {
        // SAFETY: as above; eight values are written.
        unsafe { vst1q_s16(values.as_mut_ptr(), vector) }
    }

    #[inline(always)]
    pub fn store_halves(vector: Vector, [low, high]: [&mut [i16; COUNT / 2]; 2]) {
        // SAFETY: as above; four values are written to each.
        unsafe {
            vst1_s16(low.as_mut_ptr(), vget_low_s16(vector));
            vst1_s16(high.as_mut_ptr(), vget_high_s16(vector));
        }
    }

    #[inline(always)]
    pub fn add(a: Vector, b: Vector) -> Vector {
        // SAFETY: NEON is part of every 64-bit ARM.
        unsafe { vaddq_s16(a, b) }
    }

    #[inline(always)]
    pub fn subtract(a: Vector, b: Vector) -> Vector {
        // SAFETY: as above.
        unsafe { vsubq_s16(a, b) }
    }
}

#[cfg(target_arch = "x86_64")]
mod vector {
    use std::arch::x86_64::*;

    use super::COUNT;

    pub type Vector = __m128i;

    #[inline(always)]
    pub fn widened(bytes: &[u8; COUNT]) -> Vector {
        // SAFETY: SSE2 is part of every x86-64; eight bytes are read.
        unsafe {
            let bytes = _mm_loadl_epi64(bytes.as_ptr().cast());
            _mm_srai_epi16::<8>(_mm_unpacklo_epi8(bytes, bytes))
        }
    }

    #[inline(always)]
    pub fn load(values: &[i16; COUNT]) -> Vector {
        // SAFETY: as above; eight values are read.
        unsafe { _mm_loadu_si128(values.as_ptr().cast()) }
    }

    #[inline(always)]
    pub fn store(vector: Vector, values: &mut [i16; COUNT]) {
        // SAFETY: as above; eight values are written.
        unsafe { _mm_storeu_si128(values.as_mut_ptr().cast(), vector) }
    }

    #[inline(always)]
    pub fn store_halves(vector: Vector, [low, high]: [&mut [i16; COUNT / 2]; 2]) {
        // SAFETY: as above; four values are written to each.
        unsafe {
            _mm_storel_epi64(low.as_mut_ptr().cast(), vector);
            _mm_storel_epi64(high.as_mut_ptr().cast(), _mm_unpackhi_epi64(vector, vector));
        }
    }

    #[inline(always)]
    pub fn add(a: Vector, b: Vector) -> Vector {
        // SAFETY: SSE2 is part of every x86-64.
        unsafe { _mm_add_epi16(a, b) }
    }

    #[inline(always)]
    pub fn subtract(a: Vector, b: Vector) -> Vector {
        // SAFETY: as above.
        unsafe { _mm_sub_epi16(a, b) }
    }
}

#[cfg(not(any(target_arch = "aarch64", target_arch = "x86_64")))]
mod vector {
    use super::COUNT;

    pub type Vector = [i16; COUNT];

    pub fn widened(bytes: &[u8; COUNT]) -> Vector {
        bytes.map(|byte| i16::from(byte as i8))
    }

    pub fn load(values: &[i16; COUNT]) -> Vector {
        *values
    }

    pub fn store(vector: Vector, values: &mut [i16; COUNT]) {
        *values = vector;
    }

    pub fn store_halves(vector: Vector, [low, high]: [&mut [i16; COUNT / 2]; 2]) {
        low.copy_from_slice(&vector[..COUNT / 2]);
        high.copy_from_slice(&vector[COUNT / 2..]);
    }

    pub fn add(a: Vector, b: Vector) -> Vector {
        std::array::from_fn(|lane| a[lane].wrapping_add(b[lane]))
    }

    pub fn subtract(a: Vector, b: Vector) -> Vector {
        std::array::from_fn(|lane| a[lane].wrapping_sub(b[lane]))
    }
}

/// Eight numbers of 16 bits. Sums and differences wrap.
#[derive(Clone, Copy)]
pub struct I16x8(vector::Vector);

impl I16x8 {
    /// Eight signed bytes.
    #[inline(always)]
    pub fn widened(bytes: &[u8; COUNT]) -> I16x8 {
        I16x8(vector::widened(bytes))
    }

    /// Eight numbers.
    #[inline(always)]
    pub fn load(values: &[i16; COUNT]) -> I16x8 {
        I16x8(vector::load(values))
    }

    /// Writes all of them.
    #[inline(always)]
    pub fn store(self, values: &mut [i16; COUNT]) {
        vector::store(self.0, values);
    }

    /// Writes the first four and the last four.
    #[inline(always)]
    pub fn store_halves(self, halves: [&mut [i16; COUNT / 2]; 2]) {
        vector::store_halves(self.0, halves);
    }
}

impl Add for I16x8 {
    type Output = I16x8;

    #[inline(always)]
    fn add(self, other: I16x8) -> I16x8 {
        I16x8(vector::add(self.0, other.0))
    }
}

impl Sub for I16x8 {
    type Output = I16x8;

    #[inline(always)]
    fn sub(self, other: I16x8) -> I16x8 {
        I16x8(vector::subtract(self.0, other.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive_and_arithmetic_wraps() {
        let numbers = [0, 1, -1, i16::MAX, i16::MIN, 300, -300, 17];
        let others = [1, i16::MAX, i16::MIN, i16::MAX, -1, 5, -7, 0];
        let mut found = [0; COUNT];
        (I16x8::load(&numbers) + I16x8::load(&others)).store(&mut found);
        assert_eq!(found, std::array::from_fn(|lane| numbers[lane].wrapping_add(others[lane])));
        (I16x8::load(&numbers) - I16x8::load(&others)).store(&mut found);
        assert_eq!(found, std::array::from_fn(|lane| numbers[lane].wrapping_sub(others[lane])));
    }

    #[test]
    fn bytes_are_signed_and_halves_in_order() {
        let bytes = [0, 1, 127, 128, 129, 255, 64, 200];
        let (mut low, mut high) = ([0; 4], [0; 4]);
        I16x8::widened(&bytes).store_halves([&mut low, &mut high]);
        assert_eq!([low, high].as_flattened(), bytes.map(|byte| i16::from(byte as i8)));
    }
}
