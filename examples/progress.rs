//! Watches a picture being drawn: prints each phase, keeps a preview of each denoising step, and cancels after a step.
//!
//! ```sh
//! cargo run --release --example progress -- previews      # draws, with previews in the folder `previews`
//! cargo run --release --example progress -- previews 2    # cancels after the second step
//! ```

use std::ops::ControlFlow;
use std::path::PathBuf;

use inkstone::picture::png;
use inkstone::pipeline::{Phase, PipelineError};
use inkstone::{Pipeline, Progress, Request};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().unwrap_or_else(|| "previews".into()));
    let cancel_after: Option<usize> = arguments.next().map(|steps| steps.parse()).transpose()?;
    std::fs::create_dir_all(&folder)?;

    let mut pipeline = Pipeline::open("models/pictogram")?;
    let request = Request::new("a red apple").seed(7);
    // A closure is an observer. It is called in the thread that draws, after every phase.
    let mut observer = |progress: &Progress<'_>| {
        println!("{} of {}: {}", progress.done, progress.total, progress.phase);
        let Phase::Step(step) = progress.phase else {
            return ControlFlow::Continue(());
        };
        if let Some(preview) = progress.preview() {
            // A preview is computed only because it is asked for; one that cannot be written should not stop the picture.
            let file = folder.join(format!("step-{step}.png"));
            if let Err(error) = png::write(&preview, &file, None, true) {
                eprintln!("{error}");
            }
        }
        if cancel_after.is_some_and(|last| step >= last) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    match pipeline.generate_with(&request, &mut observer) {
        Ok(generated) => println!("drawn: SHA-256 {}", generated.provenance.picture_sha256),
        Err(PipelineError::Interrupted) => println!("cancelled"),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
