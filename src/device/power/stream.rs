//! Meters that write lines: a serial meter, or a file to which a meter's program appends.
//!
//! A line has numbers separated by commas, semicolons or white space. [`Columns`] name them, or a header line such as
//! `time,volts,amps` does. Other lines are skipped. If lines have times (in seconds), the first line's time is taken as the moment
//! of its arrival and all others are relative to it, so bursts of lines do not distort the curve.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

use rustix::termios::{self, OptionalActions};

use super::{Accuracy, PowerError, PowerMeter, Reading};

/// Maximum time to wait for a line.
const PATIENCE: Duration = Duration::from_secs(5);
/// Polling interval of a file that does not grow.
const LOOK: Duration = Duration::from_millis(5);
/// Maximum length of a line in bytes.
const LONGEST: usize = 4096;

/// The quantity of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Time,
    Watts,
    Milliwatts,
    Volts,
    Amperes,
    Milliamperes,
    Other,
}

impl Column {
    /// Parses the names used by meters and their programs.
    fn named(name: &str) -> Column {
        let name = name.trim().trim_matches('"').to_ascii_lowercase();
        let unit = name
            .split_once(['(', '['])
            .map_or("", |(_, unit)| unit.trim_end_matches([')', ']']));
        match (name.as_str(), unit) {
            ("time" | "t" | "seconds" | "s" | "time_s" | "timestamp", _) | (_, "s") => Column::Time,
            ("watts" | "w" | "power" | "power_w", _) | (_, "w") => Column::Watts,
            ("milliwatts" | "mw" | "power_mw", _) | (_, "mw") => Column::Milliwatts,
            ("volts" | "v" | "voltage" | "voltage_v", _) | (_, "v") => Column::Volts,
            ("amps" | "amperes" | "a" | "current" | "current_a", _) | (_, "a") => Column::Amperes,
            ("milliamps" | "ma" | "current_ma", _) | (_, "ma") => Column::Milliamperes,
            _ => Column::Other,
        }
    }
}

/// The columns of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns(Vec<Column>);

impl Columns {
    /// Time in seconds, watts.
    pub fn time_and_watts() -> Columns {
        Columns(vec![Column::Time, Column::Watts])
    }

    fn of(names: &[&str]) -> Option<Columns> {
        let columns: Vec<Column> = names.iter().map(|name| Column::named(name)).collect();
        let has = |wanted: &[Column]| columns.iter().any(|column| wanted.contains(column));
        let power = has(&[Column::Watts, Column::Milliwatts]);
        let product = has(&[Column::Volts]) && has(&[Column::Amperes, Column::Milliamperes]);
        (power || product).then_some(Columns(columns))
    }

    /// Time, if the line has one, and watts.
    fn values(&self, numbers: &[f64]) -> Option<(Option<f64>, f64)> {
        let value = |wanted: Column| {
            let at = self.0.iter().position(|&column| column == wanted)?;
            numbers.get(at).copied().filter(|number| number.is_finite())
        };
        let amperes = || value(Column::Amperes).or_else(|| Some(value(Column::Milliamperes)? / 1e3));
        let watts = value(Column::Watts)
            .or_else(|| Some(value(Column::Milliwatts)? / 1e3))
            .or_else(|| Some(value(Column::Volts)? * amperes()?))?;
        Some((value(Column::Time), watts))
    }
}

impl FromStr for Columns {
    type Err = String;

    /// Parses names separated by slashes, such as `time/volts/amps`.
    fn from_str(text: &str) -> Result<Columns, String> {
        Columns::of(&text.split('/').collect::<Vec<_>>()).ok_or_else(|| {
            format!("columns={text}: use time, watts, milliwatts, volts, amps and milliamps, separated by slashes; watts, or volts and amps, are required")
        })
    }
}

/// Separators of columns.
fn is_separator(letter: char) -> bool {
    matches!(letter, ',' | ';' | '\t' | ' ')
}

/// Parses bytes into readings.
#[derive(Debug)]
struct Lines {
    columns: Columns,
    rest: Vec<u8>,
    /// Arrival of the first line that had a time, and that time.
    first: Option<(Instant, f64)>,
}

impl Lines {
    fn new(columns: Columns) -> Lines {
        Lines {
            columns,
            rest: Vec::new(),
            first: None,
        }
    }

    fn take(&mut self, bytes: &[u8], now: Instant) -> Vec<Reading> {
        self.rest.extend_from_slice(bytes);
        let Some(end) = self.rest.iter().rposition(|&byte| byte == b'\n') else {
            if self.rest.len() > LONGEST {
                self.rest.clear();
            }
            return Vec::new();
        };
        let whole: Vec<u8> = self.rest.drain(..=end).collect();
        let text = String::from_utf8_lossy(&whole).into_owned();
        text.lines().filter_map(|line| self.line(line.trim(), now)).collect()
    }

    fn line(&mut self, line: &str, now: Instant) -> Option<Reading> {
        let fields: Vec<&str> = line.split(is_separator).filter(|field| !field.is_empty()).collect();
        let numbers: Option<Vec<f64>> = fields.iter().map(|field| field.parse().ok()).collect();
        let Some(numbers) = numbers else {
            if let Some(columns) = Columns::of(&fields) {
                self.columns = columns;
            }
            return None;
        };
        let (time, watts) = self.columns.values(&numbers)?;
        let at = time.map_or(now, |time| {
            let (arrival, first) = *self.first.get_or_insert((now, time));
            let later = Duration::try_from_secs_f64(time - first).unwrap_or_default();
            arrival + later
        });
        Some(Reading { at, watts })
    }
}

/// A meter that writes lines.
#[derive(Debug)]
pub struct Stream {
    kind: &'static str,
    path: PathBuf,
    file: File,
    lines: Lines,
    waiting: VecDeque<Reading>,
}

impl Stream {
    /// Follows a file from its end; reads the header line that names the columns, if there is one.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn file(path: &Path, columns: Columns) -> Result<Stream, PowerError> {
        let mut file = File::open(path).map_err(|error| open_error(path, error))?;
        let mut lines = Lines::new(columns);
        let is_regular = file.metadata().is_ok_and(|data| data.is_file());
        if is_regular {
            let mut start = vec![0; LONGEST];
            let count = file.read(&mut start).map_err(|error| PowerError::file(path, error.to_string()))?;
            let header = String::from_utf8_lossy(&start[..count])
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned();
            lines.line(header.trim(), Instant::now());
            lines.first = None;
            file.seek(SeekFrom::End(0))
                .map_err(|error| PowerError::file(path, error.to_string()))?;
        }
        Ok(Stream::over("csv", path, file, lines))
    }

    /// Opens a serial device: 8 bits, no parity, raw.
    ///
    /// # Errors
    /// If the device does not exist, cannot be opened, or does not support the speed.
    pub fn serial(path: &Path, baud: u32, columns: Columns) -> Result<Stream, PowerError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK)
            .open(path)
            .map_err(|error| open_error(path, error))?;
        let failed = |error: rustix::io::Errno| PowerError::file(path, format!("not a serial device that supports {baud} baud: {error}"));
        let mut settings = termios::tcgetattr(&file).map_err(failed)?;
        settings.make_raw();
        settings.set_speed(baud).map_err(failed)?;
        termios::tcsetattr(&file, OptionalActions::Now, &settings).map_err(failed)?;
        // Discards what was sent before.
        termios::tcflush(&file, termios::QueueSelector::IFlush).map_err(failed)?;
        Ok(Stream::over("serial", path, file, Lines::new(columns)))
    }

    fn over(kind: &'static str, path: &Path, file: File, lines: Lines) -> Stream {
        Stream {
            kind,
            path: path.to_owned(),
            file,
            lines,
            waiting: VecDeque::new(),
        }
    }
}

fn open_error(path: &Path, error: std::io::Error) -> PowerError {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => PowerError::Permission {
            path: path.to_owned(),
            fix: "for serial devices: sudo usermod -aG dialout $USER, then log in again".into(),
        },
        _ => PowerError::file(path, error.to_string()),
    }
}

impl PowerMeter for Stream {
    fn name(&self) -> String {
        format!("{}:{}", self.kind, self.path.display())
    }

    fn measures(&self) -> String {
        format!("the circuit of the meter at {}", self.path.display())
    }

    /// Determined by the meter.
    fn rate(&self) -> f64 {
        1000.0
    }

    fn accuracy(&self) -> Accuracy {
        Accuracy {
            stated_by: "no source: the lines do not contain the meter's error".into(),
            ..Accuracy::default()
        }
    }

    fn read(&mut self) -> Result<Reading, PowerError> {
        let started = Instant::now();
        let mut bytes = [0; 4096];
        loop {
            if let Some(reading) = self.waiting.pop_front() {
                return Ok(reading);
            }
            match self.file.read(&mut bytes) {
                Ok(0) => std::thread::sleep(LOOK),
                Ok(count) => self.waiting.extend(self.lines.take(&bytes[..count], Instant::now())),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => std::thread::sleep(LOOK),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(PowerError::file(&self.path, error.to_string())),
            }
            if self.waiting.is_empty() && started.elapsed() > PATIENCE {
                let problem = format!("no line with a power for {} s", PATIENCE.as_secs());
                return Err(PowerError::file(&self.path, problem));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn watts(columns: &str, text: &str) -> Vec<f64> {
        let mut lines = Lines::new(columns.parse().unwrap());
        let readings = lines.take(text.as_bytes(), Instant::now());
        readings.iter().map(|reading| (reading.watts * 1e6).round() / 1e6).collect()
    }

    #[test]
    fn lines_are_read_by_their_columns() {
        assert_eq!(watts("time/watts", "0.0,2.5\r\n0.1, 2.75\nnoise\n\n0.2;3\n0.3,"), [2.5, 2.75, 3.0]);
        assert_eq!(watts("volts/amps", "5.1 0.5\n5.0\t-0.1\n5.0\n"), [2.55, -0.5]);
        assert_eq!(watts("watts", "1\ninf\nnan\n2\n"), [1.0, 2.0]);
        assert_eq!(watts("watts", "Time(s),Voltage(V),Current(mA)\n1,5,500\n"), [2.5]);
        for wrong in ["", "time", "volts", "time/amps", "watt hours"] {
            assert!(wrong.parse::<Columns>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_of_lines_order_a_burst() {
        let mut lines = Lines::new(Columns::time_and_watts());
        let now = Instant::now();
        let readings = lines.take(b"10.0,1\n10.5,2\n12.0,3\n", now);
        let times: Vec<f64> = readings.iter().map(|reading| (reading.at - now).as_secs_f64()).collect();
        assert_eq!(times, [0.0, 0.5, 2.0]);
    }

    #[test]
    fn a_line_without_an_end_does_not_fill_memory() {
        let mut lines = Lines::new(Columns::time_and_watts());
        for _ in 0..100 {
            assert!(lines.take(&[b'1'; 1000], Instant::now()).is_empty());
        }
        assert!(lines.rest.len() <= LONGEST + 1000);
    }

    #[test]
    fn a_file_is_followed_from_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("meter.csv");
        std::fs::write(&path, "time,volts,amps\n0,5,9\n").unwrap();
        let mut meter = Stream::file(&path, Columns::time_and_watts()).unwrap();
        let mut appended = OpenOptions::new().append(true).open(&path).unwrap();
        appended.write_all(b"1,5,0.5\n2,5,0.7\n").unwrap();
        assert!((meter.read().unwrap().watts - 2.5).abs() < 1e-9);
        assert!((meter.read().unwrap().watts - 3.5).abs() < 1e-9);
        assert!(Stream::file(&folder.path().join("absent"), Columns::time_and_watts()).is_err());
    }

    #[test]
    fn a_serial_meter_is_read_over_a_pseudo_terminal() {
        let controller = rustix::pty::openpt(rustix::pty::OpenptFlags::RDWR | rustix::pty::OpenptFlags::NOCTTY).unwrap();
        rustix::pty::grantpt(&controller).unwrap();
        rustix::pty::unlockpt(&controller).unwrap();
        let name = rustix::pty::ptsname(&controller, Vec::new()).unwrap().into_string().unwrap();
        let mut controller = File::from(controller);
        let mut meter = Stream::serial(name.as_ref(), 115_200, "volts/amps".parse().unwrap()).unwrap();
        let sender = std::thread::spawn(move || {
            // A line in two parts, and carriage returns that must not be translated.
            for part in ["5.00,0.", "40\r\n", "5.00,0.60\r\n"] {
                controller.write_all(part.as_bytes()).unwrap();
                std::thread::sleep(Duration::from_millis(20));
            }
            controller
        });
        assert!((meter.read().unwrap().watts - 2.0).abs() < 1e-9);
        assert!((meter.read().unwrap().watts - 3.0).abs() < 1e-9);
        drop(sender.join().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("plain");
        std::fs::write(&file, "").unwrap();
        let error = Stream::serial(&file, 9600, Columns::time_and_watts()).unwrap_err().to_string();
        assert!(error.contains("not a serial device"), "{error}");
    }
}
