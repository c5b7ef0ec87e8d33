//! The commands of the controllers: resets, registers and waveforms of the vendors' own drivers, each table with its source.
//! **This project never ran any of them on a panel.**

/// A step of a sequence of commands.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// A command and its data.
    Send(u8, &'static [u8]),
    /// Wait for this many milliseconds.
    Pause(u64),
    /// Wait until the controller is not busy.
    Ready,
}

/// How a controller is reset.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reset {
    /// How many times the line goes low.
    pub pulses: u8,
    /// Milliseconds low.
    pub low: u64,
    /// Milliseconds high before and after.
    pub high: u64,
}

/// Waveshare's pulse: 20 ms, 2 ms, 20 ms (`reset` in `epd7in3f.py`, `epd7in3e.py`, `epd7in5_V2.py`).
pub(super) const WAVESHARE_RESET: Reset = Reset {
    pulses: 1,
    low: 2,
    high: 20,
};

/// Power off with a byte of data, then wait: `epd7in3f.py`, `epd7in3e.py`, `inky_ac073tc1a.py`, `inky_e640.py`.
pub(super) const POWER_OFF: &[Step] = &[Step::Send(0x02, &[0x00]), Step::Ready];

/// Power off of the UC8159. Its busy line stays low afterwards (`ReadBusyLow` in `epd5in65f.py`), so that there is
/// nothing to wait for but time.
pub(super) const UC8159_POWER_OFF: &[Step] = &[Step::Send(0x02, &[]), Step::Pause(500)];

/// The booster phases of the Spectra 6 controller before a refresh (`_update` in `inky_e673.py`).
pub(super) const BOOST_73: &[Step] = &[Step::Send(0x06, &[0x6F, 0x1F, 0x17, 0x49])];

/// The same on the 4 inch panel (`inky_e640.py`).
pub(super) const BOOST_4: &[Step] = &[Step::Send(0x06, &[0x6F, 0x1F, 0x17, 0x47])];

/// `epd7in3f.py` of waveshareteam/e-Paper, the same as `epd7in3f` of the crate epd-waveshare 0.6.0.
pub(super) const WAVESHARE_73_F: &[Step] = &[
    Step::Pause(30),
    Step::Send(0xAA, &[0x49, 0x55, 0x20, 0x08, 0x09, 0x18]),
    Step::Send(0x01, &[0x3F, 0x00, 0x32, 0x2A, 0x0E, 0x2A]),
    Step::Send(0x00, &[0x5F, 0x69]),
    Step::Send(0x03, &[0x00, 0x54, 0x00, 0x44]),
    Step::Send(0x05, &[0x40, 0x1F, 0x1F, 0x2C]),
    Step::Send(0x06, &[0x6F, 0x1F, 0x1F, 0x22]),
    Step::Send(0x08, &[0x6F, 0x1F, 0x1F, 0x22]),
    Step::Send(0x13, &[0x00, 0x04]),
    Step::Send(0x30, &[0x3C]),
    Step::Send(0x41, &[0x00]),
    Step::Send(0x50, &[0x3F]),
    Step::Send(0x60, &[0x02, 0x00]),
    Step::Send(0x61, &[0x03, 0x20, 0x01, 0xE0]),
    Step::Send(0x82, &[0x1E]),
    Step::Send(0x84, &[0x00]),
    Step::Send(0x86, &[0x00]),
    Step::Send(0xE3, &[0x2F]),
    Step::Send(0xE0, &[0x00]),
    Step::Send(0xE6, &[0x00]),
];

/// `epd7in3e.py` of waveshareteam/e-Paper, without its first power on: a refresh powers on in any case.
pub(super) const WAVESHARE_73_E: &[Step] = &[
    Step::Pause(30),
    Step::Send(0xAA, &[0x49, 0x55, 0x20, 0x08, 0x09, 0x18]),
    Step::Send(0x01, &[0x3F]),
    Step::Send(0x00, &[0x5F, 0x69]),
    Step::Send(0x03, &[0x00, 0x54, 0x00, 0x44]),
    Step::Send(0x05, &[0x40, 0x1F, 0x1F, 0x2C]),
    Step::Send(0x06, &[0x6F, 0x1F, 0x17, 0x49]),
    Step::Send(0x08, &[0x6F, 0x1F, 0x1F, 0x22]),
    Step::Send(0x30, &[0x03]),
    Step::Send(0x50, &[0x3F]),
    Step::Send(0x60, &[0x02, 0x00]),
    Step::Send(0x61, &[0x03, 0x20, 0x01, 0xE0]),
    Step::Send(0x84, &[0x01]),
    Step::Send(0xE3, &[0x2F]),
];

/// `epd5in65f.py` of waveshareteam/e-Paper. Bits 7 to 5 of register 0x50 are the border's colour: white.
pub(super) const WAVESHARE_565_F: &[Step] = &[
    Step::Send(0x00, &[0xEF, 0x08]),
    Step::Send(0x01, &[0x37, 0x00, 0x23, 0x23]),
    Step::Send(0x03, &[0x00]),
    Step::Send(0x06, &[0xC7, 0xC7, 0x1D]),
    Step::Send(0x30, &[0x3C]),
    Step::Send(0x40, &[0x00]),
    Step::Send(0x50, &[0x37]),
    Step::Send(0x60, &[0x22]),
    Step::Send(0x61, &[0x02, 0x58, 0x01, 0xC0]),
    Step::Send(0xE3, &[0xAA]),
    Step::Pause(100),
    Step::Send(0x50, &[0x37]),
];

/// `epd7in5_v2` of the crate epd-waveshare 0.6.0, but for register 0x50: 0x29 keeps the shown pixels as the old ones
/// after each refresh and makes 1 white (`GxEPD2_750_T7.cpp` of ZinggJM/GxEPD2). The waveforms are the chip's own.
pub(super) const WAVESHARE_75_V2: &[Step] = &[
    Step::Send(0x06, &[0x17, 0x17, 0x27, 0x17]),
    Step::Send(0x01, &[0x07, 0x17, 0x3F, 0x3F]),
    Step::Send(0x00, &[0x1F]),
    Step::Send(0x30, &[0x06]),
    Step::Send(0x61, &[0x03, 0x20, 0x01, 0xE0]),
    Step::Send(0x15, &[0x00]),
    Step::Send(0x60, &[0x22]),
    Step::Send(0x50, &[0x29, 0x07]),
];

/// The waveform of one transition: a phase of 20 frames and one of two, repeated once; `first` selects the voltages.
const fn waveform(first: u8) -> [u8; 42] {
    let mut table = [0; 42];
    table[0] = first;
    table[1] = 0x14;
    table[2] = 0x02;
    table[5] = 0x01;
    table
}

/// The table `Lut_partial` of Waveshare's `epd7in5_V2.py` (version with `init_part`): waveforms that leave unchanged
/// pixels alone, their voltages, and the border left as it is.
pub(super) const WAVESHARE_75_V2_PARTIAL: &[Step] = &[
    Step::Send(0x00, &[0x3F]),
    Step::Send(0x52, &[0x02]),
    Step::Send(0x30, &[0x06]),
    Step::Send(0x01, &[0x17, 0x07, 0x3F, 0x3F, 0x0D]),
    Step::Send(0x2A, &[0x00, 0x00]),
    Step::Send(0x82, &[0x1C]),
    Step::Send(0x20, &waveform(0x00)),
    Step::Send(0x21, &waveform(0x20)),
    Step::Send(0x22, &waveform(0x80)),
    Step::Send(0x23, &waveform(0x40)),
    Step::Send(0x24, &waveform(0x00)),
    Step::Send(0x50, &[0xA9, 0x07]),
];

/// `inky_ac073tc1a.py` of pimoroni/inky 2.6.0, border white.
pub(super) const INKY_73_OF_2022: &[Step] = &[
    Step::Send(0xAA, &[0x49, 0x55, 0x20, 0x08, 0x09, 0x18]),
    Step::Send(0x01, &[0x3F, 0x00, 0x32, 0x2A, 0x0E, 0x2A]),
    Step::Send(0x00, &[0x5F, 0x69]),
    Step::Send(0x03, &[0x00, 0x54, 0x00, 0x44]),
    Step::Send(0x05, &[0x40, 0x1F, 0x1F, 0x2C]),
    Step::Send(0x06, &[0x6F, 0x1F, 0x16, 0x25]),
    Step::Send(0x08, &[0x6F, 0x1F, 0x1F, 0x22]),
    Step::Send(0x13, &[0x00, 0x04]),
    Step::Send(0x30, &[0x02]),
    Step::Send(0x41, &[0x00]),
    Step::Send(0x50, &[0x37]),
    Step::Send(0x60, &[0x02, 0x00]),
    Step::Send(0x61, &[0x03, 0x20, 0x01, 0xE0]),
    Step::Send(0x82, &[0x1E]),
    Step::Send(0x84, &[0x00]),
    Step::Send(0x86, &[0x00]),
    Step::Send(0xE3, &[0x2F]),
    Step::Send(0xE0, &[0x00]),
    Step::Send(0xE6, &[0x00]),
];

/// `inky_e673.py` of pimoroni/inky 2.6.0, at its normal frame rate.
pub(super) const INKY_73: &[Step] = &[
    Step::Send(0xAA, &[0x49, 0x55, 0x20, 0x08, 0x09, 0x18]),
    Step::Send(0x01, &[0x3F]),
    Step::Send(0x00, &[0x5F, 0x69]),
    Step::Send(0x05, &[0x40, 0x1F, 0x1F, 0x2C]),
    Step::Send(0x08, &[0x6F, 0x1F, 0x1F, 0x22]),
    Step::Send(0x06, &[0x6F, 0x1F, 0x17, 0x17]),
    Step::Send(0x03, &[0x00, 0x54, 0x00, 0x44]),
    Step::Send(0x60, &[0x02, 0x00]),
    Step::Send(0x30, &[0x08]),
    Step::Send(0x50, &[0x3F]),
    Step::Send(0x61, &[0x03, 0x20, 0x01, 0xE0]),
    Step::Send(0xE3, &[0x2F]),
    Step::Send(0x82, &[0x01]),
];

/// Its power off (`_update` in `inky_e673.py`).
pub(super) const INKY_73_FINISH: &[Step] = &[Step::Send(0x02, &[0x00]), Step::Ready, Step::Send(0x00, &[0x4F, 0x6E]), Step::Ready];

/// `inky_e640.py` of pimoroni/inky 2.6.0, at its normal frame rate. The memory is 400 wide and 600 high.
pub(super) const INKY_4: &[Step] = &[
    Step::Send(0xAA, &[0x49, 0x55, 0x20, 0x08, 0x09, 0x18]),
    Step::Send(0x01, &[0x3F]),
    Step::Send(0x00, &[0x5F, 0x69]),
    Step::Send(0x05, &[0x40, 0x1F, 0x1F, 0x2C]),
    Step::Send(0x08, &[0x6F, 0x1F, 0x1F, 0x22]),
    Step::Send(0x06, &[0x6F, 0x1F, 0x17, 0x17]),
    Step::Send(0x03, &[0x00, 0x54, 0x00, 0x44]),
    Step::Send(0x60, &[0x02, 0x00]),
    Step::Send(0x30, &[0x08]),
    Step::Send(0x50, &[0x3F]),
    Step::Send(0x61, &[0x01, 0x90, 0x02, 0x58]),
    Step::Send(0xE3, &[0x2F]),
    Step::Send(0x82, &[0x01]),
];

/// The registers of `inky_uc8159.py` of pimoroni/inky 2.6.0 after its size; bits 7 and 6 of register 0x00 are the size
/// too.
macro_rules! uc8159 {
    ($size:expr, $panel:expr) => {
        &[
            Step::Send(0x61, &$size),
            Step::Send(0x00, &[$panel, 0x08]),
            Step::Send(0x01, &[0x37, 0x00, 0x23, 0x23]),
            Step::Send(0x30, &[0x3C]),
            Step::Send(0x41, &[0x00]),
            Step::Send(0x50, &[0x37]),
            Step::Send(0x60, &[0x22]),
            Step::Send(0x65, &[0x00]),
            Step::Send(0xE3, &[0xAA]),
            Step::Send(0x03, &[0x00]),
        ]
    };
}
pub(super) const INKY_57: &[Step] = uc8159!([0x02, 0x58, 0x01, 0xC0], 0xEF);
pub(super) const INKY_4_OF_2021: &[Step] = uc8159!([0x02, 0x80, 0x01, 0x90], 0xAF);
