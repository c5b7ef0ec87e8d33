//! Presenting a whole frame of 800 × 480 pixels: into a framebuffer on a plain file, into the format that KMS buffers
//! have. And how long it takes from a button to the first changed byte, with the whole kiosk on that file.

#[path = "../tests/support/pressed.rs"]
mod pressed;

use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use inkstone::device::display::framebuffer::{Framebuffer, Mode};
use inkstone::device::display::{Frame, PixelLayout, PixelWriter, Rotation, Screen};

const SIZE: Size = Size::new(800, 480);
/// How often a button is pressed.
const PRESSES: usize = 200;

/// Every pixel another colour than in the frame of another number.
fn frame(size: Size, number: u8) -> Frame {
    let mut frame = Frame::new(size);
    let points = frame.bounding_box().points();
    let shade = |point: Point| Rgb888::new((point.x as u8).wrapping_add(number), point.y as u8, number);
    let Ok(()) = frame.draw_iter(points.map(|point| Pixel(point, shade(point))));
    frame
}

fn framebuffer(criterion: &mut Criterion) {
    for (name, layout) in [("32 bits", PixelLayout::XRGB8888), ("16 bits", PixelLayout::RGB565)] {
        let stride = SIZE.width as usize * layout.bytes;
        let file = tempfile::tempfile().expect("a temporary file can be made");
        file.set_len((stride * SIZE.height as usize) as u64)
            .expect("the file can be extended");
        let mode = Mode {
            size: SIZE,
            stride,
            start: 0,
            layout,
        };
        let mut screen = Framebuffer::on(file, Path::new("plain file"), mode, Rotation::None).expect("the mode is possible");
        let frames = [frame(SIZE, 1), frame(SIZE, 2)];
        let mut number = 0;
        criterion.bench_function(&format!("framebuffer, {name}"), |bencher| {
            bencher.iter(|| {
                number = 1 - number;
                screen
                    .present(&frames[number], frames[number].bounding_box())
                    .expect("a file takes frames");
            });
        });
    }
}

fn conversion(criterion: &mut Criterion) {
    for rotation in [Rotation::None, Rotation::Quarter, Rotation::Half] {
        let writer = PixelWriter::new(PixelLayout::XRGB8888, SIZE, SIZE.width as usize * 4, rotation);
        let (frame, mut memory) = (frame(writer.size(), 1), vec![0; writer.length()]);
        criterion.bench_function(&format!("KMS buffer, turned by {rotation}"), |bencher| {
            bencher.iter(|| writer.write(&frame, frame.bounding_box(), &mut memory));
        });
    }
}

/// Not by criterion, which tells no worst case and would press thousands of times.
fn presses(_: &mut Criterion) {
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let kiosk = pressed::Pressed::start();
    let mut times: Vec<_> = (0..PRESSES)
        .map(|number| kiosk.press(if number % 2 == 0 { "right" } else { "left" }))
        .collect();
    times.sort();
    println!(
        "a button let go to the first changed byte: median {:.1?}, worst {:.1?} of {PRESSES}",
        times[PRESSES / 2],
        times[PRESSES - 1]
    );
}

criterion_group!(benches, framebuffer, conversion, presses);
criterion_main!(benches);
