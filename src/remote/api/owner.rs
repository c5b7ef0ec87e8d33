//! The owner's endpoints, `/api/v1/owner`: settings, gallery, log, health, power. Each asks for the token first.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{From, address, apart};
use crate::atomic_file;
use crate::device::buttons::{Button, Gesture};
use crate::kiosk::gallery_worker::finished;
use crate::kiosk::heat::Thermometer;
use crate::kiosk::settings::Settings;
use crate::picture::{PictureFile, png};
use crate::process::Memory;
use crate::remote::api::own::{job_json, no_display, show_on_panel};
use crate::remote::body::{LONGEST_TEXT, Whole};
use crate::remote::log_lines;
use crate::remote::offer::Offer;
use crate::remote::parameters::Path;
use crate::remote::refusal::{Refusal, json_response};
use crate::remote::site::Site;

/// How long a command of the system may take.
const PATIENCE: Duration = Duration::from_secs(10);

fn check(site: &Site, from: &From, headers: &HeaderMap) -> Result<(), Refusal> {
    site.access.check_owner(address(from), headers)
}

/// How the machine is.
pub async fn health(State(site): State<Arc<Site>>, from: From, headers: HeaderMap) -> Result<Response, Refusal> {
    check(&site, &from, &headers)?;
    let measuring = site.clone();
    let (reading, pictures, free) = apart(move || {
        let folder = measuring.settings.gallery_folder();
        // Before the first picture there is no gallery.
        let free = folder.ancestors().find_map(|folder| rustix::fs::statvfs(folder).ok());
        let free = free.map(|disk| disk.f_bavail * disk.f_frsize);
        (Thermometer::new("/".as_ref()).read(), measuring.gallery.count(), free)
    })
    .await?;
    let memory = Memory::now();
    let remote = &site.settings.remote;
    Ok(json_response(&json!({
        "name": site.name,
        "version": env!("CARGO_PKG_VERSION"),
        "seconds_running": site.started.elapsed().as_secs(),
        "celsius": reading.celsius,
        "throttled": reading.throttled,
        "private_bytes": memory.map(|memory| memory.private_bytes),
        "mapped_bytes": memory.map(|memory| memory.mapped_bytes),
        "free_bytes": free,
        "pictures": pictures,
        "waiting": site.queue.waiting(),
        "drawing": site.queue.running().is_some(),
        "seconds_until_idle": site.backlog().map(|wait| wait.as_secs_f64()),
        "has_display": site.kiosk.is_some(),
        "settings_file": site.file.is_some(),
        "printer": remote.printer,
        "power_off": remote.power_off,
    })))
}

pub async fn jobs(State(site): State<Arc<Site>>, from: From, headers: HeaderMap) -> Result<Response, Refusal> {
    check(&site, &from, &headers)?;
    let jobs: Vec<Value> = site.queue.jobs().iter().map(|job| job_json(&site, job, &job.status())).collect();
    Ok(json_response(&json!({ "jobs": jobs })))
}

/// The settings file as it is.
pub async fn settings(State(site): State<Arc<Site>>, from: From, headers: HeaderMap) -> Result<Response, Refusal> {
    check(&site, &from, &headers)?;
    let file = settings_file(&site)?;
    let text = apart(move || crate::bounded_file::read_text(&file, crate::bounded_file::TEXT)).await?;
    let text = text.map_err(Refusal::internal)?;
    Ok(json_response(&json!({ "text": text })))
}

fn settings_file(site: &Site) -> Result<std::path::PathBuf, Refusal> {
    let problem = "there is no settings file: start with --config FILE";
    site.file
        .clone()
        .ok_or_else(|| Refusal::new(StatusCode::CONFLICT, "no_settings_file", problem))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettingsText {
    text: String,
}

/// Replaces the settings file if the new one is valid, and reads it again.
pub async fn set_settings(State(site): State<Arc<Site>>, from: From, headers: HeaderMap, whole: Whole) -> Result<Response, Refusal> {
    check(&site, &from, &headers)?;
    let file = settings_file(&site)?;
    let text = whole.json::<SettingsText>()?.text;
    if text.len() > LONGEST_TEXT {
        return Err(Refusal::invalid("text", format!("is longer than {LONGEST_TEXT} bytes")));
    }
    let (has_kiosk, offer) = (site.kiosk.is_some(), site.offer());
    apart(move || {
        check_settings(&text, &file, has_kiosk, offer.as_ref())?;
        atomic_file::write(&file, text.as_bytes(), true).map_err(|error| {
            log::error!("{error}");
            Refusal::new(StatusCode::INSUFFICIENT_STORAGE, "storage", error.to_string())
        })
    })
    .await??;
    let reloads = site.kiosk.as_ref().is_some_and(|kiosk| kiosk.reload().is_ok());
    let restart = "changes to [remote], [filter], displays, buttons and the gallery's folder need a restart";
    Ok(json_response(&json!({ "reloaded": reloads, "note": restart })))
}

/// Whether a kiosk would start with these settings, and go on with the remote. What is wrong with a file that they name is told on the machine alone:
/// it may be anyone's.
fn check_settings(text: &str, file: &std::path::Path, has_kiosk: bool, offer: Option<&Offer>) -> Result<(), Refusal> {
    let invalid = |problem: &dyn std::fmt::Display| Refusal::invalid("text", problem);
    Settings::parse(text, file).map_err(|error| invalid(&error))?;
    // Paths are relative to the folder of the file.
    let folder = file.parent().unwrap_or(std::path::Path::new("."));
    let draft = tempfile::Builder::new()
        .suffix(".toml")
        .tempfile_in(folder)
        .map_err(Refusal::internal)?;
    std::fs::write(draft.path(), text).map_err(Refusal::internal)?;
    let settings = Settings::load(draft.path()).map_err(|error| invalid(&error))?;
    if has_kiosk && !settings.remote.enabled {
        return Err(invalid(
            &"remote.enabled is not true: the kiosk could not be reached any more. Switch it off on the machine",
        ));
    }
    crate::kiosk::rules::rules(&settings, 0, false)
        .map_err(|_| invalid(&"a file that it names, draw.subjects or filter.words, is missing or invalid"))?;
    if let Some(folder) = &settings.pack {
        let pack = crate::pack::Pack::open(folder).map_err(|_| invalid(&"pack names no pack that can be used"))?;
        settings.check_pack(pack.manifest(), None).map_err(|error| invalid(&error))?;
    } else if let (Some(steps), Some(offer)) = (settings.draw.steps, offer)
        && !offer.steps.contains(&steps)
    {
        return Err(invalid(&format!("draw.steps: the pack has no schedule of {steps} steps")));
    }
    Ok(())
}

pub async fn log(State(site): State<Arc<Site>>, from: From, headers: HeaderMap) -> Result<Response, Refusal> {
    check(&site, &from, &headers)?;
    Ok(json_response(&json!({ "lines": log_lines::last() })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Press {
    button: String,
    #[serde(default)]
    long: bool,
}

/// Presses a button of the kiosk.
pub async fn press(State(site): State<Arc<Site>>, from: From, headers: HeaderMap, whole: Whole) -> Result<StatusCode, Refusal> {
    check(&site, &from, &headers)?;
    let kiosk = site.kiosk.as_ref().ok_or_else(no_display)?;
    let Press { button, long } = whole.json()?;
    let button: Button = button.parse().map_err(|error| Refusal::invalid("button", error))?;
    let gesture = if long { Gesture::Long } else { Gesture::Short };
    kiosk
        .press(button, gesture)
        .map_err(|error| Refusal::unavailable(error.to_string()))?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PowerAction {
    Off,
    Restart,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Power {
    action: PowerAction,
}

/// Switches the machine off, or starts it again.
pub async fn power(State(site): State<Arc<Site>>, from: From, headers: HeaderMap, whole: Whole) -> Result<StatusCode, Refusal> {
    check(&site, &from, &headers)?;
    let Power { action } = whole.json()?;
    if !site.settings.remote.power_off {
        return Err(Refusal::forbidden("set power_off = true in [remote] of the settings first"));
    }
    let verb = match action {
        PowerAction::Off => "poweroff",
        PowerAction::Restart => "reboot",
    };
    let mut command = Command::new("systemctl");
    command.arg(verb);
    apart(move || run(command)).await??;
    Ok(StatusCode::ACCEPTED)
}

/// Runs a command of the system, with what it says as the reason if it fails.
fn run(mut command: Command) -> Result<(), Refusal> {
    let failed = |problem: String| Refusal::new(StatusCode::BAD_GATEWAY, "command_failed", problem);
    let name = command.get_program().to_string_lossy().into_owned();
    let started = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut child = started.map_err(|error| failed(format!("{name} cannot be run: {error}")))?;
    let began = std::time::Instant::now();
    let status = loop {
        match child.try_wait().map_err(Refusal::internal)? {
            Some(status) => break status,
            None if began.elapsed() > PATIENCE => {
                child.kill().ok();
                child.wait().ok();
                return Err(failed(format!("{name} does not end")));
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    if status.success() {
        return Ok(());
    }
    let mut said = String::new();
    if let Some(stderr) = child.stderr.take() {
        use std::io::Read;
        stderr.take(500).read_to_string(&mut said).ok();
    }
    Err(failed(format!("{name} failed: {}", said.trim())))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    favourite: bool,
}

pub async fn mark(
    State(site): State<Arc<Site>>,
    from: From,
    headers: HeaderMap,
    Path(number): Path<u64>,
    whole: Whole,
) -> Result<StatusCode, Refusal> {
    check(&site, &from, &headers)?;
    let Mark { favourite } = whole.json()?;
    changed(&site, move |site| site.gallery.set_favourite(number, favourite)).await
}

pub async fn hide(State(site): State<Arc<Site>>, from: From, headers: HeaderMap, Path(number): Path<u64>) -> Result<StatusCode, Refusal> {
    check(&site, &from, &headers)?;
    changed(&site, move |site| site.gallery.hide(number)).await
}

pub async fn remove(State(site): State<Arc<Site>>, from: From, headers: HeaderMap, Path(number): Path<u64>) -> Result<StatusCode, Refusal> {
    check(&site, &from, &headers)?;
    changed(&site, move |site| site.gallery.remove(number)).await
}

/// Changes the gallery and lets the kiosk read it again.
async fn changed(site: &Arc<Site>, change: impl FnOnce(&Site) -> Result<(), Refusal> + Send + 'static) -> Result<StatusCode, Refusal> {
    let changing = site.clone();
    apart(move || change(&changing)).await??;
    if let Some(kiosk) = &site.kiosk {
        kiosk.gallery_changed().ok();
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Shows a kept picture on the panel.
pub async fn show(State(site): State<Arc<Site>>, from: From, headers: HeaderMap, Path(number): Path<u64>) -> Result<StatusCode, Refusal> {
    check(&site, &from, &headers)?;
    let contents = kept(&site, number).await?;
    show_on_panel(&site, finished(contents), Some(number))
}

async fn kept(site: &Arc<Site>, number: u64) -> Result<PictureFile, Refusal> {
    let reading = site.clone();
    apart(move || png::decode(&reading.gallery.file(number)?).map_err(Refusal::internal)).await?
}

/// Prints a kept picture on white.
pub async fn print(State(site): State<Arc<Site>>, from: From, headers: HeaderMap, Path(number): Path<u64>) -> Result<StatusCode, Refusal> {
    check(&site, &from, &headers)?;
    let problem = "set printer in [remote] of the settings first (`lpstat -e` lists them)";
    let printer = site.settings.remote.printer.clone();
    let printer = printer.ok_or_else(|| Refusal::new(StatusCode::CONFLICT, "no_printer", problem))?;
    let contents = kept(&site, number).await?;
    apart(move || {
        let white = crate::picture::Background::Colour([255; 3]).apply(&contents.picture);
        let bytes = png::encode(&white, None).map_err(Refusal::internal)?;
        let file = tempfile::Builder::new().suffix(".png").tempfile().map_err(Refusal::internal)?;
        std::fs::write(file.path(), bytes).map_err(Refusal::internal)?;
        let mut command = Command::new("lp");
        // `lp` copies the file before it ends.
        command.args(["-d", &printer, "-o", "fit-to-page", "--"]).arg(file.path());
        run(command)
    })
    .await??;
    Ok(StatusCode::ACCEPTED)
}
