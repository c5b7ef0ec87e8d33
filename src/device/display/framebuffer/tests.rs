//! A plain file in place of the device, and what the kernel answers on a Raspberry Pi.

use super::*;
use crate::device::display::test_pattern;
use std::fs;

fn plain(length: usize) -> (tempfile::TempDir, PathBuf, File) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fb0");
    fs::write(&path, vec![0; length]).unwrap();
    let file = File::options().read(true).write(true).open(&path).unwrap();
    (folder, path, file)
}

fn mode_of(layout: PixelLayout) -> Mode {
    Mode {
        size: Size::new(60, 40),
        stride: 60 * layout.bytes + 12,
        start: 24,
        layout,
    }
}

#[test]
fn a_plain_file_holds_the_frame_in_every_mode() {
    let layouts = [
        (PixelLayout::XRGB8888, [16, 8, 0], [8, 8, 8]),
        (PixelLayout::new(4, [(0, 8), (8, 8), (16, 8)]), [0, 8, 16], [8, 8, 8]),
        (PixelLayout::new(3, [(16, 8), (8, 8), (0, 8)]), [16, 8, 0], [8, 8, 8]),
        (PixelLayout::RGB565, [11, 5, 0], [5, 6, 5]),
        (PixelLayout::new(2, [(10, 5), (5, 5), (0, 5)]), [10, 5, 0], [5, 5, 5]),
    ];
    for (layout, offsets, lengths) in layouts {
        let mode = mode_of(layout);
        let (_folder, path, file) = plain(24 + mode.stride * 40);
        let mut framebuffer = Framebuffer::on(file, &path, mode, Rotation::None).unwrap();
        let frame = test_pattern(framebuffer.panel().size);
        framebuffer.present(&frame, frame.bounding_box()).unwrap();
        let bytes = fs::read(&path).unwrap();
        for point in frame.bounding_box().points() {
            let at = 24 + point.y as usize * mode.stride + point.x as usize * layout.bytes;
            let mut word = [0; 8];
            word[..layout.bytes].copy_from_slice(&bytes[at..at + layout.bytes]);
            let word = u64::from_le_bytes(word);
            let colour = frame.colour(point).unwrap();
            for (channel, value) in [colour.r(), colour.g(), colour.b()].into_iter().enumerate() {
                let most = (1u64 << lengths[channel]) - 1;
                let shown = (word >> offsets[channel] & most) as f64 / most as f64 * 255.0;
                let step = 255.0 / most as f64;
                assert!(
                    (shown - f64::from(value)).abs() <= step / 2.0 + 1e-9,
                    "{layout:?} {point} {shown} {value}"
                );
            }
        }
        assert!(bytes[..24].iter().all(|&byte| byte == 0));
    }
}

#[test]
fn sleeping_is_black_and_the_next_frame_is_shown_whole() {
    let mode = mode_of(PixelLayout::XRGB8888);
    let (_folder, path, file) = plain(24 + mode.stride * 40);
    let mut framebuffer = Framebuffer::on(file, &path, mode, Rotation::Quarter).unwrap();
    assert_eq!(framebuffer.panel().size, Size::new(40, 60));
    let frame = test_pattern(Size::new(40, 60));
    framebuffer.present(&frame, frame.bounding_box()).unwrap();
    let shown = fs::read(&path).unwrap();
    framebuffer.sleep().unwrap();
    assert!(fs::read(&path).unwrap().iter().all(|&byte| byte == 0));
    framebuffer
        .present(&frame, Rectangle::new(Point::new(3, 3), Size::new(2, 2)))
        .unwrap();
    assert_eq!(fs::read(&path).unwrap(), shown);
}

#[test]
fn invalid_modes_and_short_files_are_rejected() {
    let mode = mode_of(PixelLayout::XRGB8888);
    let (_folder, path, file) = plain(24 + mode.stride * 40 - 1);
    let error = Framebuffer::on(file.try_clone().unwrap(), &path, mode, Rotation::None)
        .err()
        .unwrap();
    assert!(
        error.to_string().contains("the file has 10103 bytes, the mode needs 10104"),
        "{error}"
    );
    for invalid in [
        Mode { stride: 239, ..mode },
        Mode {
            size: Size::new(0, 40),
            ..mode
        },
        Mode {
            stride: usize::MAX / 2,
            ..mode
        },
        Mode {
            layout: PixelLayout::new(1, [(5, 3), (2, 3), (0, 2)]),
            ..mode
        },
    ] {
        assert!(Framebuffer::on(file.try_clone().unwrap(), &path, invalid, Rotation::None).is_err());
    }
    let error = Framebuffer::open(&path, Rotation::None).err().unwrap().to_string();
    assert!(error.contains("not a framebuffer") && error.contains("/dev/fb0"), "{error}");
    assert!(Framebuffer::open(Path::new("/dev/fb99"), Rotation::None).is_err());
}

/// What a Raspberry Pi with a 16-bit console answers.
fn answers() -> (VariableInfo, FixedInfo) {
    let field = |offset, length| Bitfield {
        offset,
        length,
        most_significant_right: 0,
    };
    let variable = VariableInfo {
        size: [800, 480],
        virtual_size: [800, 960],
        offset: [0, 480],
        bits_per_pixel: 16,
        colours: [field(11, 5), field(5, 6), field(0, 5)],
        ..VariableInfo::default()
    };
    let fixed = FixedInfo {
        memory_length: 800 * 960 * 2,
        visual: FB_VISUAL_TRUECOLOR,
        line_length: 1600,
        ..FixedInfo::default()
    };
    (variable, fixed)
}

#[test]
fn the_kernel_s_answers_become_a_mode() {
    assert_eq!(
        (size_of::<VariableInfo>(), size_of::<FixedInfo>()),
        (160, if cfg!(target_pointer_width = "64") { 80 } else { 68 })
    );
    let (variable, fixed) = answers();
    let expected = Mode {
        size: Size::new(800, 480),
        stride: 1600,
        start: 1600 * 480,
        layout: PixelLayout::RGB565,
    };
    assert_eq!(mode(&variable, &fixed), Ok(expected));
    let mut alpha = variable;
    alpha.transparency = Bitfield {
        offset: 24,
        length: 8,
        most_significant_right: 0,
    };
    assert_eq!(mode(&alpha, &fixed).map(|mode| mode.layout.filler), Ok(0xFF00_0000));
    let refused = |variable: VariableInfo, fixed: FixedInfo| mode(&variable, &fixed).unwrap_err();
    assert!(
        refused(
            VariableInfo {
                bits_per_pixel: 8,
                ..variable
            },
            fixed
        )
        .contains("8 bits a pixel")
    );
    assert!(refused(variable, FixedInfo { visual: 3, ..fixed }).contains("visual 3"));
    assert!(
        refused(
            variable,
            FixedInfo {
                memory_length: 1000,
                ..fixed
            }
        )
        .contains("does not fit")
    );
    assert!(refused(variable, FixedInfo { line_length: 0, ..fixed }).contains("does not fit"));
}
