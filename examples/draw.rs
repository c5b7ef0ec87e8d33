//! Draws a picture from another program: the same pixels as `inkstone generate "a red apple" --style flat --seed 7`.
//!
//! ```sh
//! cargo run --release --example draw -- apple.png
//! ```

use inkstone::{Pipeline, Request};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).unwrap_or_else(|| "apple.png".into());
    let mut pipeline = Pipeline::open("models/pictogram")?;
    let request = Request::new("a red apple").style("flat").seed(7);
    let generated = pipeline.generate(&request)?;
    for note in &generated.notes {
        eprintln!("note: {note}");
    }
    generated.picture.save(&file, &generated.provenance)?;
    println!("{file}: SHA-256 {}", generated.provenance.picture_sha256);
    Ok(())
}
