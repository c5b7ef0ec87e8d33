//! The report: what every layer became, as a table or as JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::calibration::Quality;
use crate::graph::Graph;
use crate::layers::{Kind, Layer, PRECISE};
use crate::proto::DOMAIN;
use crate::write::Written;

/// The report on a pack.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The pack's folder.
    pub pack: PathBuf,
    /// What the pack does otherwise than the model says of itself.
    pub notes: Vec<String>,
    /// One entry a stage.
    pub stages: Vec<StageReport>,
    /// Sums over all stages.
    pub totals: Totals,
    /// The pack's results beside those of the f32 model, if they were measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quality: Option<Quality>,
    /// Sizes of the pack's files by name, in bytes.
    pub files: BTreeMap<String, u64>,
    /// SHA-256 of the picture that the pack generates for "a red apple" with seed 7 in its fewest steps; `null` for packs
    /// without a family.
    pub picture_sha256: Option<String>,
}

/// The report on one graph.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StageReport {
    /// Name of the stage.
    pub stage: String,
    /// Number of nodes by operator; ours with their domain, such as `inkstone.QConv`.
    pub operators: BTreeMap<String, usize>,
    /// Layers with weights and int8 attention, in the graph's order.
    pub layers: Vec<Layer>,
    /// Sums over the layers.
    pub totals: Totals,
}

/// Sums over layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Totals {
    /// Layers that became int8.
    pub int8_layers: usize,
    /// Layers that stay f32.
    pub f32_layers: usize,
    /// Bytes of all layers' weights as f32.
    pub bytes_f32: usize,
    /// Bytes of all layers' weights and scales in the pack.
    pub bytes_pack: usize,
    /// Lowest signal to quantization noise of an int8 layer, in decibels.
    pub lowest_sqnr_db: Option<f64>,
}

impl Totals {
    fn of<'a>(layers: impl Iterator<Item = &'a Layer>) -> Totals {
        let mut totals = Totals::default();
        for layer in layers {
            let count = if layer.kind == Kind::F32 {
                &mut totals.f32_layers
            } else {
                &mut totals.int8_layers
            };
            *count += 1;
            totals.bytes_f32 += layer.bytes_f32;
            totals.bytes_pack += layer.bytes_pack;
            totals.lowest_sqnr_db = match (totals.lowest_sqnr_db, layer.sqnr_db) {
                (Some(lowest), Some(other)) => Some(lowest.min(other)),
                (lowest, other) => lowest.or(other),
            };
        }
        totals
    }
}

impl Report {
    /// A report without stages.
    pub fn new(pack: &Path) -> Report {
        Report {
            pack: pack.to_owned(),
            notes: Vec::new(),
            stages: Vec::new(),
            totals: Totals::default(),
            quality: None,
            files: BTreeMap::new(),
            picture_sha256: None,
        }
    }

    /// Adds a stage.
    pub fn add(&mut self, stage: &str, graph: &Graph, layers: Vec<Layer>) {
        let mut operators = BTreeMap::new();
        for node in &graph.nodes {
            let name = if node.domain == DOMAIN {
                format!("{DOMAIN}.{}", node.op_type)
            } else {
                node.op_type.clone()
            };
            *operators.entry(name).or_default() += 1;
        }
        let totals = Totals::of(layers.iter());
        self.stages.push(StageReport {
            stage: stage.to_owned(),
            operators,
            layers,
            totals,
        });
        self.totals = Totals::of(self.stages.iter().flat_map(|stage| &stage.layers));
    }

    /// Adds what was measured, and which layers became more precise by it.
    pub fn set_quality(&mut self, quality: Quality) {
        for stage in &mut self.stages {
            let name = &stage.stage;
            let is_precise = |layer: &&mut Layer| quality.precise_layers.contains(&format!("{name}/{}", layer.name));
            for layer in stage.layers.iter_mut().filter(is_precise) {
                let Some((plain, precise)) = PRECISE.iter().find(|(plain, _)| plain.name == layer.operator) else {
                    continue;
                };
                layer.operator = precise.name.to_owned();
                *stage.operators.entry(format!("{DOMAIN}.{}", plain.name)).or_default() -= 1;
                *stage.operators.entry(format!("{DOMAIN}.{}", precise.name)).or_default() += 1;
            }
            stage.operators.retain(|_, count| *count > 0);
        }
        self.quality = Some(quality);
    }

    /// Adds what was written.
    pub fn finish(&mut self, written: Written) {
        self.files = written.files.into_iter().map(|(name, record)| (name, record.bytes)).collect();
        self.picture_sha256 = written.picture_sha256;
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self
            .stages
            .iter()
            .flat_map(|stage| &stage.layers)
            .map(|layer| layer.name.chars().count());
        let width = names.max().unwrap_or(0).max("layer".len());
        for stage in &self.stages {
            writeln!(f, "{}", stage.stage)?;
            writeln!(
                f,
                "  {:width$}  {:16}  {:>18}  {:>12}  {:>12}  {:>8}",
                "layer", "kind", "shape", "f32 bytes", "pack bytes", "SQNR dB"
            )?;
            for layer in &stage.layers {
                write_layer(f, layer, width)?;
            }
            write_totals(f, "sum", &stage.totals, width)?;
            let operators: Vec<String> = stage.operators.iter().map(|(name, count)| format!("{count} × {name}")).collect();
            writeln!(f, "  nodes: {}\n", operators.join(", "))?;
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "note: {note}"))?;
        writeln!(f, "all stages")?;
        write_totals(f, "sum", &self.totals, width)?;
        if let Some(quality) = &self.quality {
            write_quality(f, quality)?;
        }
        let bytes: u64 = self.files.values().sum();
        write!(f, "  {}: {} files, {bytes} bytes", self.pack.display(), self.files.len())
    }
}

fn write_layer(f: &mut fmt::Formatter<'_>, layer: &Layer, width: usize) -> fmt::Result {
    let kind = match layer.kind {
        Kind::F32 => format!("{} (f32)", layer.operator),
        Kind::QAttention | Kind::QConv | Kind::QLinear | Kind::QEmbedding => layer.operator.clone(),
    };
    let shape = layer.shape.iter().map(usize::to_string).collect::<Vec<_>>().join("×");
    let sqnr = decibels(layer.sqnr_db);
    writeln!(
        f,
        "  {:width$}  {kind:16}  {shape:>18}  {:>12}  {:>12}  {sqnr:>8}",
        layer.name, layer.bytes_f32, layer.bytes_pack
    )
}

fn write_totals(f: &mut fmt::Formatter<'_>, name: &str, totals: &Totals, width: usize) -> fmt::Result {
    let layers = format!("{} int8, {} f32", totals.int8_layers, totals.f32_layers);
    let lowest = decibels(totals.lowest_sqnr_db);
    writeln!(
        f,
        "  {name:width$}  {layers:16}  {:>18}  {:>12}  {:>12}  {lowest:>8}",
        "", totals.bytes_f32, totals.bytes_pack
    )
}

fn write_quality(f: &mut fmt::Formatter<'_>, quality: &Quality) -> fmt::Result {
    let (median, lowest) = (quality.median_psnr_db, quality.lowest_psnr_db);
    write!(
        f,
        "  beside the f32 model: PSNR {median:.1} dB (median), {lowest:.1} dB (lowest of {})",
        quality.samples.len()
    )?;
    if let Some(conditioning) = quality.conditioning {
        write!(f, ", conditioning {conditioning:.2}")?;
    }
    let (count, share) = (quality.precise_layers.len(), 100.0 * quality.precise_share);
    writeln!(
        f,
        "\n  activations of 16 bits, or attention in f32: {count} layers, {share:.1} % of the products"
    )?;
    match quality.scaled_layers {
        0 => Ok(()),
        count => writeln!(f, "  input channels scaled: {count} layers"),
    }
}

fn decibels(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(kind: Kind, sqnr_db: Option<f64>) -> Layer {
        Layer {
            name: "up".into(),
            kind,
            operator: "QLinear".into(),
            shape: vec![5, 8],
            products: 40,
            bytes_f32: 160,
            bytes_pack: 84,
            scaled: false,
            sqnr_db,
        }
    }

    #[test]
    fn totals_add_up() {
        let layers = [
            layer(Kind::QLinear, Some(41.0)),
            layer(Kind::QConv, Some(39.5)),
            layer(Kind::F32, None),
        ];
        let totals = Totals::of(layers.iter());
        assert_eq!((totals.int8_layers, totals.f32_layers, totals.bytes_f32), (2, 1, 480));
        assert_eq!(totals.lowest_sqnr_db, Some(39.5));
    }

    #[test]
    fn the_table_has_a_line_a_layer() {
        let mut report = Report::new(Path::new("p"));
        let layers = vec![layer(Kind::QLinear, Some(41.26)), layer(Kind::F32, None)];
        let totals = Totals::of(layers.iter());
        report.stages.push(StageReport {
            stage: "denoiser".into(),
            operators: BTreeMap::new(),
            layers,
            totals,
        });
        let text = report.to_string();
        assert!(
            text.contains("5×8") && text.contains("41.3") && text.contains("QLinear (f32)"),
            "{text}"
        );
    }
}
