//! The kernel's framebuffer, `/dev/fb0`: memory that the display shows. Any mappable file that is long enough for a [`Mode`]
//! works, so that a plain file stands in for the device.
//!
//! Numbers and structures are those of `linux/fb.h` and `linux/kd.h`.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use memmap2::{MmapMut, MmapOptions};
use rustix::ioctl::{Getter, IntegerSetter, Opcode, ioctl};

use super::backlight::{self, Backlight};
use super::{
    Auto, Channel, Colours, Detail, Device, DisplayError, DisplaySettings, Driver, Frame, Panel, PixelLayout, PixelWriter, Presence,
    Rotation, Screen, device_file,
};

/// The default framebuffer.
pub const DEVICE: &str = "/dev/fb0";

/// The row of the driver table.
pub(super) const DRIVER: Driver = Driver::new(
    "framebuffer",
    open,
    Presence::DeviceFiles {
        prefix: "/dev/fb",
        group: "video",
    },
)
.with_about("the kernel's framebuffer")
.with_detail(Detail::optional("FILE"))
.with_auto(Auto::If(|| true))
.with_devices(|settings| {
    vec![Device::File {
        path: device(settings),
        group: "video",
    }]
});

fn device(settings: &DisplaySettings) -> PathBuf {
    settings.kind.detail().unwrap_or(DEVICE).into()
}

fn open(settings: &DisplaySettings) -> Result<Box<dyn Screen>, DisplayError> {
    Ok(Box::new(Framebuffer::open(&device(settings), settings.rotation)?))
}

const ADVICE: &str = "enable a display driver (on a Raspberry Pi `dtoverlay=vc4-kms-v3d` in config.txt)";
const FBIOGET_VSCREENINFO: Opcode = 0x4600;
const FBIOGET_FSCREENINFO: Opcode = 0x4602;
const FBIOBLANK: Opcode = 0x4611;
const FB_BLANK_UNBLANK: usize = 0;
const FB_BLANK_POWERDOWN: usize = 4;
const FB_TYPE_PACKED_PIXELS: u32 = 0;
const FB_VISUAL_TRUECOLOR: u32 = 2;
const FB_VISUAL_DIRECTCOLOR: u32 = 4;
const KDSETMODE: Opcode = 0x4B3A;
const KD_TEXT: usize = 0;
const KD_GRAPHICS: usize = 1;

/// How the memory is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// Visible width and height.
    pub size: Size,
    /// Bytes from one row to the next.
    pub stride: usize,
    /// Bytes before the first visible pixel.
    pub start: usize,
    /// A pixel.
    pub layout: PixelLayout,
}

impl Mode {
    /// Bytes up to the end of the last visible row; `None` if the mode is invalid.
    fn length(&self) -> Option<usize> {
        let row = (self.size.width as usize).checked_mul(self.layout.bytes)?;
        let rows = self.stride.checked_mul(self.size.height as usize)?;
        let is_valid = self.layout.is_valid() && row > 0 && rows > 0 && row <= self.stride;
        rows.checked_add(self.start).filter(|_| is_valid)
    }
}

/// A framebuffer. The text console does not draw over it until this is dropped.
pub struct Framebuffer {
    file: File,
    map: MmapMut,
    start: usize,
    writer: PixelWriter,
    panel: Panel,
    backlight: Option<Backlight>,
    _console: Option<Console>,
    asleep: bool,
}

impl Framebuffer {
    /// Opens a device in its current mode.
    ///
    /// # Errors
    /// If it is absent, belongs to a group that this user is not in, or its mode does not have 16, 24 or 32 bits a pixel.
    pub fn open(path: &Path, rotation: Rotation) -> Result<Framebuffer, DisplayError> {
        let file = device_file::open(path, "video", ADVICE)?;
        let mode = query(&file, path)?;
        let mut framebuffer = Framebuffer::on(file, path, mode, rotation)?;
        framebuffer.backlight = Backlight::find(Path::new(backlight::FOLDER));
        framebuffer._console = Console::take(Path::new("/dev/tty0"));
        Ok(framebuffer)
    }

    /// A framebuffer in any file that can be mapped.
    ///
    /// # Errors
    /// If the mode is invalid or the file is too short for it.
    pub fn on(file: File, path: &Path, mode: Mode, rotation: Rotation) -> Result<Framebuffer, DisplayError> {
        let display = path.display().to_string();
        let length = mode
            .length()
            .ok_or_else(|| DisplayError::failed(&display, format!("the mode {mode:?} is invalid")))?;
        check_length(&file, length).map_err(|error| DisplayError::failed(&display, error))?;
        // SAFETY: the map is shared with a device or a file that no Rust reference points into; whatever else writes there
        // changes pixels, which are bytes of any value.
        let map = unsafe { MmapOptions::new().len(length).map_mut(&file) }.map_err(|error| DisplayError::failed(&display, error))?;
        let writer = PixelWriter::new(mode.layout, mode.size, mode.stride, rotation);
        let colours = if mode.layout.bytes == 2 {
            Colours::HighColour
        } else {
            Colours::Full
        };
        let panel = Panel::new(format!("framebuffer {display}"), writer.size())
            .with_rotation(rotation)
            .with_colours(colours);
        Ok(Framebuffer {
            file,
            map,
            start: mode.start,
            writer,
            panel,
            backlight: None,
            _console: None,
            asleep: false,
        })
    }

    /// Turns the panel and its backlight on or off. Plain files have neither.
    fn power(&self, on: bool) {
        let blank = if on { FB_BLANK_UNBLANK } else { FB_BLANK_POWERDOWN };
        if let Err(error) = set::<FBIOBLANK>(&self.file, blank) {
            log::debug!("cannot blank {}: {error}", self.panel.name);
        }
        if let Some(Err(error)) = self.backlight.as_ref().map(|light| light.power(on)) {
            log::warn!("{}: cannot switch the backlight: {error}", self.panel.name);
        }
    }
}

impl Screen for Framebuffer {
    fn panel(&self) -> &Panel {
        &self.panel
    }

    fn present(&mut self, frame: &Frame, damage: Rectangle) -> Result<(), DisplayError> {
        let damage = if self.asleep { frame.bounding_box() } else { damage };
        self.writer.write(frame, damage, &mut self.map[self.start..]);
        if std::mem::take(&mut self.asleep) {
            self.power(true);
        }
        Ok(())
    }

    fn sleep(&mut self) -> Result<(), DisplayError> {
        let black = Frame::new(self.panel.size);
        self.writer.write(&black, black.bounding_box(), &mut self.map[self.start..]);
        self.power(false);
        self.asleep = true;
        Ok(())
    }

    fn dim(&mut self, brightness: f32) -> Result<(), DisplayError> {
        match &self.backlight {
            Some(light) => light.set(brightness).map_err(|error| DisplayError::failed(&self.panel.name, error)),
            None => {
                self.writer.dim(brightness);
                Ok(())
            }
        }
    }
}

/// Rejects a plain file that ends before the last row: accessing the map beyond the end raises SIGBUS.
fn check_length(file: &File, length: usize) -> io::Result<()> {
    let about = file.metadata()?;
    if about.is_file() && about.len() < length as u64 {
        let problem = format!("the file has {} bytes, the mode needs {length}", about.len());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
    }
    Ok(())
}

/// `struct fb_bitfield`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Bitfield {
    offset: u32,
    length: u32,
    most_significant_right: u32,
}

/// `struct fb_var_screeninfo`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct VariableInfo {
    size: [u32; 2],
    virtual_size: [u32; 2],
    offset: [u32; 2],
    bits_per_pixel: u32,
    grey: u32,
    colours: [Bitfield; 3],
    transparency: Bitfield,
    rest: [u32; 20],
}

/// `struct fb_fix_screeninfo`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct FixedInfo {
    name: [u8; 16],
    memory_start: libc::c_ulong,
    memory_length: u32,
    kind: u32,
    kind_auxiliary: u32,
    visual: u32,
    steps: [u16; 3],
    line_length: u32,
    registers_start: libc::c_ulong,
    registers_length: u32,
    accelerator: u32,
    capabilities: u16,
    reserved: [u16; 2],
}

/// The current mode of a device.
fn query(file: &File, path: &Path) -> Result<Mode, DisplayError> {
    let no_framebuffer = |error: rustix::io::Errno| {
        let problem = format!("not a framebuffer ({error})");
        DisplayError::absent(path.display().to_string(), problem, format!("name a device such as {DEVICE}"))
    };
    // SAFETY: the operations fill a `fb_var_screeninfo` and a `fb_fix_screeninfo`, which the types are laid out as.
    let variable: VariableInfo = unsafe { ioctl(file, Getter::<FBIOGET_VSCREENINFO, _>::new()) }.map_err(no_framebuffer)?;
    // SAFETY: as above.
    let fixed: FixedInfo = unsafe { ioctl(file, Getter::<FBIOGET_FSCREENINFO, _>::new()) }.map_err(no_framebuffer)?;
    mode(&variable, &fixed).map_err(|problem| {
        let advice = "set 16 or 32 bits a pixel (`framebuffer_depth=32` in config.txt, or `fbset -depth 32`)";
        DisplayError::absent(path.display().to_string(), problem, advice)
    })
}

fn mode(variable: &VariableInfo, fixed: &FixedInfo) -> Result<Mode, String> {
    let bits = variable.bits_per_pixel;
    let packed = fixed.kind == FB_TYPE_PACKED_PIXELS && [FB_VISUAL_TRUECOLOR, FB_VISUAL_DIRECTCOLOR].contains(&fixed.visual);
    let mirrored = variable.colours.iter().any(|colour| colour.most_significant_right != 0);
    if !packed || mirrored || ![16, 24, 32].contains(&bits) {
        return Err(format!("its mode ({bits} bits a pixel, visual {}) is not supported", fixed.visual));
    }
    let channels = variable.colours.map(|Bitfield { offset, length, .. }| Channel { offset, length });
    let layout = PixelLayout {
        bytes: bits as usize / 8,
        channels,
        filler: filler(variable.transparency),
    };
    let (stride, bytes) = (fixed.line_length as usize, layout.bytes);
    let mode = Mode {
        size: Size::new(variable.size[0], variable.size[1]),
        stride,
        start: (variable.offset[1] as usize)
            .saturating_mul(stride)
            .saturating_add(variable.offset[0] as usize * bytes),
        layout,
    };
    match mode.length() {
        Some(length) if length <= fixed.memory_length as usize => Ok(mode),
        _ => Err(format!("its mode {mode:?} does not fit into its memory")),
    }
}

/// All bits of the alpha channel, which some controllers use.
fn filler(transparency: Bitfield) -> u32 {
    let bits = u64::from(u32::MAX) >> (32 - transparency.length.min(32));
    bits.checked_shl(transparency.offset).unwrap_or(0) as u32
}

fn set<const OPERATION: Opcode>(file: &File, value: usize) -> rustix::io::Result<()> {
    // SAFETY: FBIOBLANK and KDSETMODE, the only ones used here, take a number and no pointer.
    unsafe { ioctl(file, IntegerSetter::<OPERATION>::new_usize(value)) }
}

/// The text console, switched to graphics so that neither its cursor nor its messages are drawn.
struct Console {
    file: File,
    path: PathBuf,
}

impl Console {
    fn take(path: &Path) -> Option<Console> {
        let file = File::options().write(true).open(path).ok()?;
        let taken = set::<KDSETMODE>(&file, KD_GRAPHICS);
        if let Err(error) = taken {
            log::info!("{} may draw over pictures: {error}", path.display());
            return None;
        }
        Some(Console {
            file,
            path: path.to_owned(),
        })
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        if let Err(error) = set::<KDSETMODE>(&self.file, KD_TEXT) {
            log::warn!("cannot switch {} back to text: {error}", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests;
