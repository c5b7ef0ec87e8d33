//! From settings to an open panel: the row of the driver table.

use super::eeprom::identify;
use super::models::Model;
use super::screen::{EPaper, Options};
use super::wiring::Wiring;
use crate::device::display::{Detail, Device, DisplayError, DisplaySettings, Driver as Row, Presence, Screen};
use crate::device::i2c;

/// The detail that stands for the Inky that is plugged in, which its EEPROM tells.
const INKY: &str = "inky";

/// The row of the driver table.
pub(in crate::device::display) const DRIVER: Row = Row::new(
    "epaper",
    open,
    Presence::DeviceFiles {
        prefix: "/dev/spidev",
        group: "spi",
    },
)
.with_about("e-paper of Waveshare and Pimoroni")
.with_detail(Detail::Text {
    placeholder: "MODEL",
    required: true,
    example: INKY,
    check: |_| Ok(()),
})
.with_check(check)
.with_devices(devices)
.with_pins(pins);

fn name(settings: &DisplaySettings) -> &str {
    settings.kind.detail().unwrap_or_default()
}

fn named(name: &str) -> Option<Model> {
    Model::ALL.into_iter().find(|model| model.name() == name)
}

fn check(settings: &DisplaySettings) -> Result<(), DisplayError> {
    if name(settings) == INKY || named(name(settings)).is_some() {
        return Ok(());
    }
    let advice = format!(
        "there are {}, and inky, which asks the panel",
        Model::ALL.map(Model::name).join(", ")
    );
    Err(DisplayError::absent(settings.kind.to_string(), "there is no such model", advice))
}

fn open(settings: &DisplaySettings) -> Result<Box<dyn Screen>, DisplayError> {
    let model = match named(name(settings)) {
        Some(model) => model,
        None => identified(settings)?,
    };
    let mut options = Options::new(model);
    options.rotation = settings.rotation;
    if let Some(saturation) = settings.saturation {
        options.dithering.saturation = saturation;
    }
    Ok(Box::new(EPaper::start(options, wiring(settings, model).open()?)?))
}

/// The Inky that answers on the I²C bus.
fn identified(settings: &DisplaySettings) -> Result<Model, DisplayError> {
    let bus = settings.i2c_bus();
    identify(&mut i2c::open(&bus)?).ok_or_else(|| {
        let problem = format!("no supported Inky answers on {}", bus.display());
        DisplayError::absent(settings.kind.to_string(), problem, "name its model")
    })
}

fn wiring(settings: &DisplaySettings, model: Model) -> Wiring {
    let default = Wiring::new(model);
    Wiring {
        spi: settings.spi_bus(),
        chip: settings.chip.clone(),
        data_command: settings.data_command.unwrap_or(default.data_command),
        reset: settings.reset.unwrap_or(default.reset),
        busy: settings.busy.unwrap_or(default.busy),
        chip_select: settings.chip_select.or(default.chip_select),
        speed: settings.speed.unwrap_or(default.speed),
        ..default
    }
}

fn devices(settings: &DisplaySettings) -> Vec<Device> {
    let eeprom = (name(settings) == INKY).then(|| Device::I2c(settings.i2c_bus()));
    std::iter::once(Device::Spi(settings.spi_bus())).chain(eeprom).collect()
}

/// All models of Inky are wired alike, so that it does not matter which is plugged in.
fn pins(settings: &DisplaySettings) -> Vec<(u32, &'static str)> {
    let any_inky = || Model::ALL.into_iter().find(|model| name(settings) == INKY && model.is_inky());
    let model = named(name(settings)).or_else(any_inky);
    model.map(|model| wiring(settings, model).pins()).unwrap_or_default()
}
