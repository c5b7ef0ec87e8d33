//! Drawing a job with the pipeline that the kiosk lends. A visitor at the buttons takes it back within a step; the picture begins again after
//! theirs.

use std::ops::ControlFlow;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use super::Studio;
use super::job::{Finished, Job, State};
use crate::kiosk::drawing_worker::{Loan, WorkerSettings};
use crate::kiosk::gallery::Kept;
use crate::kiosk::heat::Pace;
use crate::kiosk::state::FinishedPicture;
use crate::picture::{Margins, Picture, png};
use crate::pipeline::{Generated, Phase, Pipeline, PipelineError, Progress, Request, Source, without_emphasis};
use crate::remote::offer::Offer;
use crate::remote::refusal::Refusal;

/// The shortest time between two previews.
const BETWEEN: Duration = Duration::from_millis(100);
/// How often a job that waits for the board to cool looks again.
const COOLING: Duration = Duration::from_secs(2);

/// Draws all pictures of a job. `pause` waits, and tells whether the queue goes on.
pub fn draw(studio: &Studio, job: &Arc<Job>, pause: &dyn Fn(Duration) -> bool) -> Result<(), Refusal> {
    // A picture to start from is let go with the request.
    let Some((request, first)) = job.take_request() else {
        return Err(Refusal::cancelled());
    };
    for index in 0..job.order.count {
        let request = request.clone().seed(first.wrapping_add(index as u64));
        let generated = draw_one(studio, job, index, &request, pause)?;
        let finished = Arc::new(finish(studio, job, generated)?);
        job.update(|status| {
            status.pictures.push(finished.clone());
            status.preview = None;
        });
        if index == 0 && job.order.show {
            show(studio, job, &finished);
        }
    }
    Ok(())
}

fn draw_one(
    studio: &Studio,
    job: &Arc<Job>,
    index: usize,
    request: &Request,
    pause: &dyn Fn(Duration) -> bool,
) -> Result<Generated, Refusal> {
    loop {
        while studio.lender.pace() == Pace::Paused && !job.is_cancelled() {
            job.update(|status| (status.state, status.reason) = (State::Waiting, Some("the board is too hot")));
            if !pause(COOLING) {
                return Err(Refusal::cancelled());
            }
        }
        if job.is_cancelled() {
            return Err(Refusal::cancelled());
        }
        match borrow(studio, job, index, request)? {
            Turn::Drawn(generated) => return Ok(*generated),
            Turn::GivenBack => job.update(|status| {
                (status.state, status.reason) = (State::Waiting, Some("a visitor is drawing at the kiosk"));
            }),
        }
    }
}

enum Turn {
    Drawn(Box<Generated>),
    /// A visitor came first.
    GivenBack,
}

/// One turn with the pipeline.
fn borrow(studio: &Studio, job: &Arc<Job>, index: usize, request: &Request) -> Result<Turn, Refusal> {
    let (answer, answered) = mpsc::channel();
    let (job, request) = (job.clone(), request.clone());
    let (filter, offer, pace) = (studio.filter.clone(), studio.offer.clone(), studio.lender.pace());
    studio.lender.lend(Box::new(move |loan| {
        let turn = match loan {
            None => Err(Refusal::unavailable("the pack cannot be read; see the log")),
            Some(loan) => {
                let now = Offer::of(loan.pipeline, loan.settings);
                let request = completed(request, loan.settings, pace, &now.steps);
                *offer.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(now);
                check_styles(&request, loan.settings)
                    .and_then(|()| check_words(&filter, loan.pipeline, &request))
                    .and_then(|()| with(loan, &job, index, &request))
            }
        };
        // Whoever waited may have been told to end.
        answer.send(turn).ok();
    }));
    // The worker has ended, or something in it panicked.
    answered
        .recv()
        .unwrap_or_else(|_| Err(Refusal::internal("the picture was not drawn; see the log")))
}

/// What the owner's settings say where the request says nothing.
fn completed(mut request: Request, settings: &WorkerSettings, pace: Pace, known: &[usize]) -> Request {
    request.guidance = request.guidance.or(settings.guidance);
    request.language = request.language.or(settings.language);
    request.steps = request.steps.or(settings.steps);
    if request.style.is_none() && !settings.styles.is_empty() {
        request.style = settings.style.clone().or_else(|| settings.styles.first().cloned());
    }
    if pace != Pace::Normal {
        request.steps = request.steps.or(known.last().copied()).map(|steps| pace.steps(steps, known));
    }
    request
}

/// The owner may offer some of the pack's styles alone.
fn check_styles(request: &Request, settings: &WorkerSettings) -> Result<(), Refusal> {
    match &request.style {
        Some(style) if !settings.styles.is_empty() && !settings.styles.contains(style) => {
            let problem = format!("there is no style '{style}' here; there are {}", settings.styles.join(", "));
            Err(Refusal::invalid("style", problem))
        }
        _ => Ok(()),
    }
}

/// A prompt is not drawn if what is left of it after its choices has a word that the owner does not want.
fn check_words(filter: &crate::kiosk::filter::Filter, pipeline: &mut Pipeline, request: &Request) -> Result<(), Refusal> {
    if request.literal {
        return Ok(());
    }
    let resolved = pipeline.resolve(request)?;
    let plain = without_emphasis(&resolved.prompt())?;
    filter.check(&plain).map_or(Ok(()), |hit| Err(Refusal::blocked(&hit)))
}

fn with(mut loan: Loan<'_>, job: &Job, index: usize, request: &Request) -> Result<Turn, Refusal> {
    job.update(|status| {
        (status.state, status.reason, status.position) = (State::Drawing, None, 0);
        (status.at, status.done, status.of, status.preview) = (index, 0, 0, None);
    });
    let generated = generate(&mut loan, job, request);
    match generated {
        Err(PipelineError::Interrupted) if !job.is_cancelled() => Ok(Turn::GivenBack),
        generated => Ok(Turn::Drawn(Box::new(generated?))),
    }
}

/// A picture, or the part of one that goes over several frames: the first frame has the picture, the others what lies beyond its right side.
fn generate(loan: &mut Loan<'_>, job: &Job, request: &Request) -> Result<Generated, PipelineError> {
    let Some((part, of)) = job.order.part.filter(|(_, of)| *of > 1) else {
        return observed(loan, job, request);
    };
    // Every frame decides the same without asking the others.
    let seed = request.seed.unwrap_or_default();
    let mut generated = observed(loan, job, &request.clone().seed(seed))?;
    let width = generated.picture.width();
    if part > 0 {
        let margins = Margins {
            right: width * (of - 1),
            ..Margins::default()
        };
        let source = Source::new(generated.picture).strength(1.0).extend(margins).generated(true);
        generated = observed(loan, job, &request.clone().seed(seed).source(source))?;
    }
    generated.picture = generated.picture.cut(width * part, 0, width, generated.picture.height())?;
    generated.provenance.picture_sha256 = generated.picture.sha256();
    generated.provenance.size = [generated.picture.width(), generated.picture.height()];
    generated.provenance.extra.insert("part".into(), format!("{} of {of}", part + 1));
    Ok(generated)
}

fn observed(loan: &mut Loan<'_>, job: &Job, request: &Request) -> Result<Generated, PipelineError> {
    let Loan { pipeline, watch, .. } = loan;
    let mut previewed: Option<Instant> = None;
    let mut observer = |progress: &Progress<'_>| {
        let preview = match progress.phase {
            Phase::Step(_) if job.watchers() > 0 && previewed.is_none_or(|last| last.elapsed() >= BETWEEN) => {
                previewed = Some(Instant::now());
                progress.preview().and_then(|picture| encoded(&picture))
            }
            _ => None,
        };
        job.update(|status| {
            status.of = progress.steps;
            if let Phase::Step(done) = progress.phase {
                status.done = done;
            }
            status.preview = preview.map(Arc::new).or(status.preview.take());
        });
        if job.is_cancelled() || watch.is_wanted_back() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    pipeline.generate_with(request, &mut observer)
}

fn encoded(picture: &Picture) -> Option<Vec<u8>> {
    png::encode(picture, None).inspect_err(|error| log::debug!("{error}")).ok()
}

/// The file of a picture, kept where that is asked for.
fn finish(studio: &Studio, job: &Job, generated: Generated) -> Result<Finished, Refusal> {
    let Generated {
        picture,
        provenance,
        notes,
        ..
    } = generated;
    let file = png::encode(&picture, Some(&provenance)).map_err(Refusal::internal)?;
    let mut number = None;
    if job.order.keep {
        match studio.gallery.keep(&picture, &provenance) {
            Kept::Kept(kept) => number = Some(kept),
            Kept::NotKept(reason) => {
                log::error!("a picture was not kept: {reason}");
                job.update(|status| status.notes.push(format!("not kept in the gallery: {reason}")));
            }
        }
        if let Some(kiosk) = &studio.kiosk {
            // A kiosk that has ended shows no gallery.
            kiosk.gallery_changed().ok();
        }
    }
    Ok(Finished {
        picture: Arc::new(picture),
        provenance: Arc::new(provenance),
        file,
        notes: notes.iter().map(|note| note.to_json()).collect(),
        number,
    })
}

/// Shows a picture on the panel.
pub fn show(studio: &Studio, job: &Job, finished: &Finished) {
    match &studio.kiosk {
        Some(kiosk) => {
            kiosk.show(shown(finished), finished.number).ok();
        }
        None => job.update(|status| status.notes.push("not shown: this server has no display".into())),
    }
}

/// A picture as the kiosk shows it.
pub fn shown(finished: &Finished) -> FinishedPicture {
    FinishedPicture::of_record(finished.picture.clone(), finished.provenance.clone())
}
