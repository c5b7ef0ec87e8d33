//! Drivers, connection and screen against the model of the controllers.

mod controller;

use std::time::{Duration, Instant};

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use self::controller::{Controller, Fault, Shared, connect};
use super::models::Coding;
use super::*;
use crate::device::display::{Colours, DisplayError, DisplaySettings, Frame, Rotation, Screen};
use crate::picture::dither::{Ditherer, Dithering};

fn controller(model: Model) -> Controller {
    let specification = model.specification();
    let bits = if matches!(specification.coding, Coding::Bits { .. }) {
        1
    } else {
        4
    };
    Controller::new(specification.memory, bits, specification.duration.as_millis() as u64)
}

fn faulty(model: Model, fault: Fault) -> Controller {
    let mut controller = controller(model);
    controller.fault = fault;
    controller
}

/// Codes of the makers' tables for our inks, from their sources: black, white, then as the palette goes.
fn code(model: Model, ink: u8) -> u8 {
    match model {
        Model::Waveshare75V2 => ink,
        Model::Waveshare73E | Model::Inky73 | Model::Inky4 => [0, 1, 2, 3, 5, 6][ink as usize],
        _ => ink,
    }
}

/// A frame with everything that dithers differently.
fn frame(size: Size, seed: u32) -> Frame {
    let mut frame = Frame::new(size);
    let colour = |point: Point| {
        let (x, y) = (point.x as u32, point.y as u32);
        match (x / 64 + y / 64 + seed) % 4 {
            0 => Rgb888::new((x * 3) as u8, (y * 5) as u8, (x + y) as u8),
            1 => Rgb888::WHITE,
            2 => Rgb888::new(200, (x ^ y) as u8, seed as u8),
            _ => Rgb888::BLACK,
        }
    };
    let area = frame.bounding_box();
    frame.draw_iter(area.points().map(|point| Pixel(point, colour(point)))).unwrap();
    frame
}

fn settle(shared: &Shared) {
    let controller = shared.lock().unwrap();
    assert_eq!(controller.complaints, Vec::<String>::new());
    assert!(
        controller.asleep && !controller.powered && !controller.supplied,
        "left without power, in deep sleep"
    );
}

/// Where a point of an upright frame lies in memory, by the definition of a rotation: once more clockwise for each
/// quarter.
fn turned(point: Point, size: Size, rotation: Rotation) -> (Point, Size) {
    let quarter = |(point, size): (Point, Size)| {
        (
            Point::new(size.height as i32 - 1 - point.y, point.x),
            Size::new(size.height, size.width),
        )
    };
    let quarters = match rotation {
        Rotation::None => 0,
        Rotation::Quarter => 1,
        Rotation::Half => 2,
        Rotation::ThreeQuarters => 3,
    };
    (0..quarters).fold((point, size), |place, _| quarter(place))
}

#[test]
fn every_pixel_of_every_panel_is_the_dithered_frame_s() {
    for model in Model::ALL {
        for rotation in [Rotation::None, Rotation::Quarter, Rotation::Half, Rotation::ThreeQuarters] {
            if rotation != Rotation::None && model.size().width > 640 && model != Model::Waveshare75V2 {
                continue; // The same code on larger memories: three panels are enough.
            }
            let (link, shared) = connect(controller(model));
            let options = Options {
                rotation,
                ..Options::new(model)
            };
            let (panel, ditherer) = (options.panel(), Ditherer::new(options.palette.clone(), options.dithering));
            let frame = frame(panel.size, 3);
            let dithered = ditherer.rgb(panel.size.width, frame.bytes());

            let mut screen = EPaper::start(options, link).unwrap();
            screen.present(&frame, frame.bounding_box()).unwrap();
            screen.sleep().unwrap();

            settle(&shared);
            let controller = shared.lock().unwrap();
            let picture = controller.picture();
            for (at, &ink) in dithered.inks().iter().enumerate() {
                let width = panel.size.width as usize;
                let point = Point::new((at % width) as i32, (at / width) as i32);
                let (place, size) = turned(point, panel.size, rotation);
                let (place, size) = turned(place, size, model.specification().rotation);
                assert_eq!(size, controller.memory);
                let found = picture[place.y as usize * size.width as usize + place.x as usize];
                assert_eq!(found, code(model, ink), "{} {rotation:?} at {point}", model.name());
            }
        }
    }
}

#[test]
fn registers_hold_what_the_makers_drivers_send() {
    let registers = |model: Model| {
        let (link, shared) = connect(controller(model));
        let mut driver = Driver::new(model, link, PartialRefresh::default());
        driver.show(&[], false).unwrap();
        let controller = shared.lock().unwrap();
        (controller.registers.clone(), controller.resets)
    };
    let (inky, resets) = registers(Model::Inky73);
    assert_eq!(resets, 1);
    // The second setting of BTST2 and the last one of PSR win.
    assert_eq!(inky[&0x06], [0x6F, 0x1F, 0x17, 0x49]);
    assert_eq!(inky[&0x00], [0x4F, 0x6E]);
    assert_eq!(inky[&0x61], [0x03, 0x20, 0x01, 0xE0]);
    assert_eq!(registers(Model::Inky73Of2022).1, 2, "two pulses");
    for model in Model::ALL {
        let size = model.specification().memory;
        let sides = [
            (size.width >> 8) as u8,
            size.width as u8,
            (size.height >> 8) as u8,
            size.height as u8,
        ];
        assert_eq!(registers(model).0[&0x61], sides, "{}: TRES", model.name());
    }
}

#[test]
fn transfers_are_long_but_never_too_long() {
    let (link, shared) = connect(controller(Model::Waveshare73F));
    let mut driver = Driver::new(Model::Waveshare73F, link, PartialRefresh::default());
    driver.show(&[], false).unwrap();
    let transfers = shared.lock().unwrap().transfers;
    // 192000 bytes of pixels in 47 pieces, about twenty registers of two transfers.
    assert!(transfers < 110, "{transfers} transfers");
    settle(&shared);
}

#[test]
fn absent_and_stuck_panels_are_errors_in_time() {
    for (fault, seconds) in [(Fault::Absent, 1), (Fault::BusyForEver, 5), (Fault::Stuck, 60)] {
        let (link, shared) = connect(faulty(Model::Inky73, fault));
        let mut driver = Driver::new(Model::Inky73, link, PartialRefresh::default());
        let error = driver.show(&[], false).unwrap_err();
        assert!(
            matches!(&error, DisplayError::Timeout { display, seconds: given } if display == "e-paper inky-impression-7.3" && *given == seconds),
            "{fault:?}: {error}"
        );
        let waited = shared.lock().unwrap().now / 1000.0;
        assert!(waited < seconds as f64 + 1.0, "{fault:?}: {waited} s");
        assert!(!shared.lock().unwrap().supplied);

        // Plugged in again, it works.
        {
            let mut controller = shared.lock().unwrap();
            controller.fault = Fault::None;
            controller.busy_until = 0.0;
            controller.asleep = true;
            controller.complaints.clear();
        }
        assert_eq!(driver.show(&[], false).unwrap(), Refresh::Full, "{fault:?}");
        settle(&shared);
    }
}

#[test]
fn a_picture_that_is_shown_is_not_shown_again() {
    let (link, shared) = connect(controller(Model::Inky57));
    let mut driver = Driver::new(Model::Inky57, link, PartialRefresh::default());
    assert_eq!(driver.show(&[2, 3], false).unwrap(), Refresh::Full);
    assert_eq!(driver.show(&[2, 3], false).unwrap(), Refresh::None);
    assert_eq!(driver.show(&[2, 3], true).unwrap(), Refresh::Full, "where that is asked for");
    assert_eq!(driver.show(&[2, 4], false).unwrap(), Refresh::Full);
    assert_eq!(shared.lock().unwrap().refreshes.len(), 3);
}

/// Pixels of the black and white panel, white but for one rectangle.
fn with_block(block: Rectangle) -> Vec<u8> {
    let memory = Rectangle::new(Point::zero(), Model::Waveshare75V2.size());
    memory.points().map(|point| u8::from(!block.contains(point))).collect()
}

#[test]
fn black_and_white_panels_refresh_parts() {
    let (link, shared) = connect(controller(Model::Waveshare75V2));
    let mut driver = Driver::new(
        Model::Waveshare75V2,
        link,
        PartialRefresh {
            max_consecutive: 3,
            max_percent: 50,
        },
    );
    let block = |x: i32| with_block(Rectangle::new(Point::new(x, 100), Size::new(13, 7)));
    assert_eq!(driver.show(&block(20), false).unwrap(), Refresh::Full);
    for (step, x) in [21, 300, 777].into_iter().enumerate() {
        let refresh = driver.show(&block(x), false).unwrap();
        let Refresh::Partial(part) = refresh else { panic!("{refresh:?}") };
        assert_eq!((part.top_left.x % 8, part.size.width % 8, part.size.height), (0, 0, 7));
        let controller = shared.lock().unwrap();
        assert_eq!(controller.picture(), block(x), "step {step}");
        assert_eq!(controller.refreshes.last(), Some(&part));
    }
    assert_eq!(driver.show(&block(30), false).unwrap(), Refresh::Full, "the fourth in a row");
    assert!(
        matches!(driver.show(&block(40), false).unwrap(), Refresh::Partial(_)),
        "and then parts again"
    );
    let large = with_block(Rectangle::new(Point::zero(), Size::new(800, 300)));
    assert_eq!(driver.show(&large, false).unwrap(), Refresh::Full, "too large for a part");
    assert_eq!(shared.lock().unwrap().picture(), large);
    settle(&shared);
}

#[test]
fn parts_can_be_switched_off() {
    let (link, shared) = connect(controller(Model::Waveshare75V2));
    let mut driver = Driver::new(
        Model::Waveshare75V2,
        link,
        PartialRefresh {
            max_consecutive: 0,
            max_percent: 50,
        },
    );
    for x in [0, 8, 16] {
        let block = with_block(Rectangle::new(Point::new(x, 0), Size::new(8, 8)));
        assert_eq!(driver.show(&block, false).unwrap(), Refresh::Full);
    }
    settle(&shared);
}

#[test]
fn frames_that_come_too_soon_wait_and_the_last_one_is_shown() {
    let (link, shared) = connect(controller(Model::Inky57));
    let interval = Duration::from_millis(700);
    let options = Options {
        minimum_interval: interval,
        ..Options::new(Model::Inky57)
    };
    let ditherer = Ditherer::new(options.palette.clone(), Dithering::default());
    let size = options.panel().size;
    let mut screen = EPaper::start(options, link).unwrap();
    let present = |screen: &mut EPaper, seed| screen.present(&frame(size, seed), Rectangle::new(Point::zero(), size)).unwrap();
    present(&mut screen, 0);
    screen.sleep().unwrap();
    let shown = Instant::now();
    present(&mut screen, 1);
    present(&mut screen, 2);
    screen.sleep().unwrap();
    assert_eq!(shared.lock().unwrap().refreshes.len(), 1, "too soon");
    assert!(matches!(screen.held(), Some(Permission::In(_))));
    while shared.lock().unwrap().refreshes.len() < 2 {
        assert!(shown.elapsed() < Duration::from_secs(20), "never shown");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(shown.elapsed() >= interval - Duration::from_millis(200), "{:?}", shown.elapsed());
    screen.sleep().unwrap();
    assert_eq!(
        shared.lock().unwrap().picture(),
        ditherer.rgb(size.width, frame(size, 2).bytes()).inks()
    );
    assert_eq!(screen.held(), None);
    settle(&shared);
}

#[test]
fn hot_panels_are_left_alone() {
    let (link, shared) = connect(controller(Model::Inky57));
    let options = Options {
        thermometer: Some(Box::new(|| Some(41.5))),
        ..Options::new(Model::Inky57)
    };
    let size = options.panel().size;
    let mut screen = EPaper::start(options, link).unwrap();
    screen.present(&frame(size, 0), Rectangle::new(Point::zero(), size)).unwrap();
    screen.sleep().unwrap();
    assert!(matches!(screen.held(), Some(Permission::NotAt(celsius, _)) if celsius == 41.5));
    drop(screen);
    assert_eq!(shared.lock().unwrap().transfers, 0, "nothing was sent");
}

#[test]
fn failures_come_with_the_next_call() {
    let (link, shared) = connect(faulty(Model::Inky57, Fault::Absent));
    let options = Options {
        minimum_interval: Duration::ZERO,
        ..Options::new(Model::Inky57)
    };
    let size = options.panel().size;
    let mut screen = EPaper::start(options, link).unwrap();
    let all = Rectangle::new(Point::zero(), size);
    screen.present(&frame(size, 0), all).unwrap();
    assert!(matches!(screen.sleep(), Err(DisplayError::Timeout { .. })));
    assert!(screen.signals().unwrap().is_empty(), "told once");
    {
        let mut controller = shared.lock().unwrap();
        (controller.fault, controller.asleep) = (Fault::None, true);
    }
    screen.present(&frame(size, 0), all).unwrap();
    screen.sleep().unwrap();
    assert_eq!(shared.lock().unwrap().refreshes.len(), 1);
    assert!(
        screen.present(&Frame::new(Size::new(3, 3)), all).is_err(),
        "a frame of another size"
    );
}

#[test]
fn dropping_a_screen_finishes_its_refresh() {
    let (link, shared) = connect(controller(Model::Inky57));
    let options = Options::new(Model::Inky57);
    let size = options.panel().size;
    let mut screen = EPaper::start(options, link).unwrap();
    screen.present(&frame(size, 0), Rectangle::new(Point::zero(), size)).unwrap();
    while shared.lock().unwrap().transfers == 0 {
        std::thread::yield_now();
    }
    drop(screen);
    assert_eq!(shared.lock().unwrap().refreshes.len(), 1);
    settle(&shared);
}

#[test]
fn panels_have_these_properties() {
    let colour = Options {
        rotation: Rotation::Quarter,
        ..Options::new(Model::Inky4)
    }
    .panel();
    assert_eq!((colour.size, colour.has_slow_refresh()), (Size::new(400, 600), true));
    assert_eq!(colour.name, "e-paper inky-impression-4");
    assert_eq!(colour.minimum_interval, Duration::from_secs(180));
    let mono = Options::new(Model::Waveshare75V2).panel();
    assert_eq!((mono.colours, mono.size), (Colours::Mono, Size::new(800, 480)));
    for model in Model::ALL {
        let kind = format!("epaper:{}", model.name()).parse().unwrap();
        assert_eq!(DRIVER.check(&DisplaySettings::new(kind)), Ok(()), "the name in settings");
        assert_eq!(model.palette().inks()[0].name, "black");
        assert_eq!(model.palette().inks()[1].name, "white");
    }
}
