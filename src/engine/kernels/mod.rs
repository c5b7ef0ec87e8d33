//! The int8 micro-kernels: products of one weight panel with a few columns of activations, all that differs
//! between processors. Owns nothing but registers; depends on nothing.
//!
//! A weight panel is eight output rows as they lie in the mapped file, `[groups][8][4]` int8: for each group of
//! four inputs the four weights of each of eight rows. An activation panel is [`Kernel::columns`] columns,
//! `[groups][columns][4]` bytes: for each group of four inputs the four activations of each column. Weights and
//! activations are in [-127, 127]; -128 never occurs, which the kernels without a widening product rely on.
//! Sums are exact in 32 bits up to 133,000 inputs, so every kernel gives the same bits.

#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
mod aarch64;
#[cfg(all(target_arch = "arm", neon_vfp4, target_endian = "little"))]
mod arm;
pub mod i16x8;
mod portable;
#[cfg(test)]
mod tests;
#[cfg_attr(
    not(any(target_arch = "x86_64", target_arch = "aarch64")),
    allow(dead_code, reason = "only kernels of 64-bit processors filter minimally")
)]
pub mod winograd;
#[cfg(target_arch = "x86_64")]
mod x86_64;

use super::EngineError;
use winograd::Winograd;

/// Rows of one weight panel.
pub const ROWS: usize = 8;
/// Inputs of one group.
pub const GROUP: usize = 4;

/// Where the sums of a weight panel's eight rows go: each row's `stride` after those of the row before.
#[derive(Debug)]
pub struct Sums<'a> {
    /// From the first row's first sum to the last row's last one or beyond.
    pub values: &'a mut [i32],
    /// Values from one row to the next.
    pub stride: usize,
}

/// A micro-kernel for one kind of processor.
pub trait Kernel: Send + Sync + std::fmt::Debug {
    /// Name for `--json`, `doctor` and the tests, such as `avx512-vnni`.
    fn name(&self) -> &'static str;

    /// Columns of one activation panel.
    fn columns(&self) -> usize;

    /// The mask that each activation byte is XORed with in a panel: 0x80 if the processor multiplies unsigned by
    /// signed bytes, else 0. The kernel takes the shift back out of its sums by `row_sums`.
    fn activation_mask(&self) -> u8 {
        0
    }

    /// Sums of products of one weight panel with up to [`Kernel::panels`] activation panels.
    ///
    /// `weights` is `groups·8·4` bytes, `activations` is `count` panels of `groups·columns·4` bytes one after
    /// another, `row_sums` the eight rows' sums of weights (read only where [`Kernel::activation_mask`] is not
    /// 0), and each row of `sums` receives `count·columns`.
    ///
    /// # Panics
    /// If a slice is shorter than its shape, or `count` is 0 or greater than [`Kernel::panels`].
    fn multiply(&self, weights: &[i8], row_sums: &[i32; ROWS], activations: &[u8], groups: usize, count: usize, sums: Sums);

    /// Largest number of activation panels of one call.
    fn panels(&self) -> usize {
        1
    }

    /// Products with windows read in place from an image, if that costs the processor no more than reading panels.
    fn in_place(&self) -> Option<&dyn InPlace> {
        None
    }

    /// Minimal filtering for windows of 3×3, the largest tiles first, if the processor does it faster than
    /// [`Kernel::multiply`] does the window. Activations are not masked.
    fn winograd(&self) -> &'static [&'static dyn Winograd] {
        &[]
    }
}

/// Windows over an image `[planes][pixels][4]`, a plane for each four channels: the columns of a product whose groups are the
/// window's pixels and, of each, the planes. Masked as panels are.
#[cfg_attr(
    not(target_arch = "x86_64"),
    allow(dead_code, reason = "only kernels of x86-64 read windows in place")
)]
#[derive(Clone, Copy, Debug)]
pub struct Windows<'a> {
    /// The bytes of all planes.
    pub image: &'a [u8],
    /// Planes, and bytes from one to the next.
    pub planes: [usize; 2],
    /// Bytes from a window's first pixel to each of its pixels, in the order of the weights.
    pub pixels: &'a [usize],
}

/// Kernels that can multiply windows without packing them into a panel, if the windows of a panel's columns begin at adjacent pixels.
#[cfg_attr(
    not(target_arch = "x86_64"),
    allow(dead_code, reason = "only kernels of x86-64 read windows in place")
)]
pub trait InPlace: Kernel {
    /// [`Kernel::multiply`] with panels that begin at the given bytes of the first plane, up to [`Kernel::panels`] of them.
    ///
    /// # Panics
    /// If a slice is shorter than its shape, a window leaves the image, or there is no panel or one too many.
    fn multiply_in_place(&self, weights: &[i8], row_sums: &[i32; ROWS], windows: Windows, panels: &[usize], sums: Sums);

    /// Panics if the operands are shorter than their shapes or windows leave the image; the unsafe code behind
    /// [`InPlace::multiply_in_place`] relies on that.
    fn assert_windows(&self, weights: &[i8], windows: Windows, panels: &[usize], sums: &Sums) {
        let count = panels.len();
        assert!(
            (1..=self.panels()).contains(&count),
            "{count} panels, where {} takes 1 to {}",
            self.name(),
            self.panels()
        );
        let [planes, plane] = windows.planes;
        let end = panels.iter().max().zip(windows.pixels.iter().max()).and_then(|(panel, pixel)| {
            let last_plane = planes.checked_sub(1)?.checked_mul(plane)?;
            panel
                .checked_add(*pixel)?
                .checked_add(last_plane)?
                .checked_add(self.columns() * GROUP)
        });
        assert!(
            end.is_some_and(|end| end <= windows.image.len()),
            "windows leave an image of {} bytes",
            windows.image.len()
        );
        let groups = planes.saturating_mul(windows.pixels.len());
        assert_weights_and_sums(weights, groups, count * self.columns(), sums);
    }
}

/// The kernels that this processor can run, fastest first; the last is the portable reference.
pub fn available() -> Vec<&'static dyn Kernel> {
    let mut kernels: Vec<&'static dyn Kernel> = Vec::new();
    #[cfg(target_arch = "x86_64")]
    kernels.extend(x86_64::available());
    #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
    kernels.extend(aarch64::available());
    #[cfg(all(target_arch = "arm", neon_vfp4, target_endian = "little"))]
    kernels.push(&arm::Neon);
    kernels.push(&portable::Portable);
    kernels
}

/// The kernel that `INKSTONE_KERNEL` names, by default the fastest of the [`available`] ones.
pub fn select() -> Result<&'static dyn Kernel, EngineError> {
    by_name(std::env::var_os("INKSTONE_KERNEL").map(|name| name.to_string_lossy().into_owned()))
}

/// The [`available`] kernel of that name, by default the fastest.
pub fn by_name(name: Option<String>) -> Result<&'static dyn Kernel, EngineError> {
    let kernels = available();
    let Some(name) = name else { return Ok(kernels[0]) };
    match kernels.iter().find(|kernel| kernel.name() == name) {
        Some(kernel) => Ok(*kernel),
        None => Err(EngineError::Kernel {
            name,
            known: kernels.iter().map(|kernel| kernel.name()).collect(),
        }),
    }
}

/// Panics if the operands of [`Kernel::multiply`] are shorter than their shapes; the unsafe code behind it relies on that. Divides rather than multiplies by `groups`, so that nothing can overflow.
fn assert_shapes(kernel: &dyn Kernel, weights: &[i8], activations: &[u8], groups: usize, count: usize, sums: &Sums) {
    assert!(
        (1..=kernel.panels()).contains(&count),
        "{count} panels, where {} takes 1 to {}",
        kernel.name(),
        kernel.panels()
    );
    let columns = count * kernel.columns();
    assert!(
        groups <= activations.len() / (columns * GROUP),
        "{} activations for {groups} groups",
        activations.len()
    );
    assert_weights_and_sums(weights, groups, columns, sums);
}

fn assert_weights_and_sums(weights: &[i8], groups: usize, columns: usize, sums: &Sums) {
    assert!(
        groups <= weights.len() / (ROWS * GROUP),
        "{} weights for {groups} groups",
        weights.len()
    );
    let (stride, room) = (sums.stride, sums.values.len());
    assert!(
        columns <= stride && columns <= room && stride <= (room - columns) / (ROWS - 1),
        "room for {room} sums, {stride} a row, for {columns} columns"
    );
}
