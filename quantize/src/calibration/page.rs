//! The comparison as one HTML page that loads nothing: pictures side by side, and what each layer loses. Well-formed XML, light and
//! dark.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use inkstone::picture::{Picture, escape_xml as escape, png};

use super::quality::{Quality, Results};
use crate::report::Report;

const STYLE: &str = include_str!("page.css");
/// How much larger differences are shown than they are.
const GAIN: f32 = 8.0;
/// Decibels of the shortest bar: nobody sees what a layer loses there.
const LEAST_LOSS: f64 = 80.0;

/// The page of a report whose quality was measured.
pub(super) fn page(report: &Report, quality: &Quality, reference: &Results, measured: &Results) -> String {
    let mut out = String::new();
    let name = report.pack.file_name().unwrap_or_default().to_string_lossy();
    let title = escape(&format!("{name} beside the f32 model"));
    let _ = write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n<main>\n<h1>{title}</h1>\n"
    );
    lead(&mut out, report, quality);
    samples(&mut out, quality, reference, measured);
    sensitivity(&mut out, quality);
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn lead(out: &mut String, report: &Report, quality: &Quality) {
    let megabytes = |bytes: usize| format!("{:.1} MB", bytes as f64 / 1e6);
    let (count, share) = (quality.precise_layers.len(), 100.0 * quality.precise_share);
    let mut cards = vec![
        (format!("{:.1} dB", quality.median_psnr_db), "median PSNR".to_owned()),
        (format!("{:.1} dB", quality.lowest_psnr_db), "lowest PSNR".to_owned()),
        (
            count.to_string(),
            format!("precise layers (activations of 16 bits, attention in f32): {share:.1} % of the products"),
        ),
        (
            megabytes(report.totals.bytes_pack),
            format!("of weights instead of {} as f32", megabytes(report.totals.bytes_f32)),
        ),
    ];
    if quality.scaled_layers > 0 {
        cards.push((quality.scaled_layers.to_string(), "layers with scaled input channels".to_owned()));
    }
    if let Some(conditioning) = quality.conditioning {
        cards.push((format!("{conditioning:.2}"), "of what another prompt changes is left".to_owned()));
    }
    out.push_str("<div class=\"lead\">\n");
    for (figure, what) in cards {
        let _ = writeln!(out, "<div><b>{figure}</b><span>{}</span></div>", escape(&what));
    }
    out.push_str("</div>\n");
}

fn samples(out: &mut String, quality: &Quality, reference: &Results, measured: &Results) {
    let _ = writeln!(
        out,
        "<h2>Samples</h2>\n<p>The f32 model, the pack, and their difference times {GAIN:.0}.</p>"
    );
    for (index, sample) in quality.samples.iter().enumerate() {
        let caption = format!("{}: {:.1} dB", escape(&sample.sample), sample.psnr_db);
        let pictures = [
            ("f32", reference.picture(index, reference)),
            ("pack", measured.picture(index, reference)),
            ("difference", reference.difference(measured, index, GAIN)),
        ];
        let _ = writeln!(out, "<figure class=\"sample\">\n<figcaption>{caption}</figcaption>");
        for (what, picture) in pictures {
            if let Some(data) = picture.and_then(|picture| data_uri(&picture)) {
                let _ = writeln!(out, "<div><img alt=\"{what}\" src=\"{data}\"/><span>{what}</span></div>");
            }
        }
        out.push_str("</figure>\n");
    }
}

fn data_uri(picture: &Picture) -> Option<String> {
    let bytes = png::encode(picture, None).ok()?;
    Some(format!("data:image/png;base64,{}", STANDARD.encode(bytes)))
}

fn sensitivity(out: &mut String, quality: &Quality) {
    if quality.sensitivity.is_empty() {
        return;
    }
    out.push_str(
        "<h2>What each layer loses</h2>\n<p>PSNR of the results with int8 in this layer alone and all others precise, beside all of them precise. In the \
         order in which layers are made precise, which also counts what that costs.</p>\n<div class=\"scroll\">\n<table>\n\
         <thead><tr><th>layer</th><th>precise</th><th>dB</th><th class=\"bar\"></th></tr></thead>\n<tbody>\n",
    );
    for layer in &quality.sensitivity {
        let is_precise = quality.precise_layers.contains(&layer.layer);
        let (precise, class) = if is_precise { ("yes", "wide") } else { ("no", "narrow") };
        let width = (100.0 * (1.0 - layer.psnr_db / LEAST_LOSS)).clamp(1.0, 100.0);
        let _ = writeln!(
            out,
            "<tr><th>{}</th><td>{precise}</td><td>{:.1}</td><td class=\"bar\"><i class=\"{class}\" style=\"width: {width:.0}%\"></i></td></tr>",
            escape(&layer.layer),
            layer.psnr_db
        );
    }
    out.push_str("</tbody>\n</table>\n</div>\n");
}
