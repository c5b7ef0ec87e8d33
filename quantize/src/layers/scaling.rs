//! Factors for the channels of what layers read: large channels become smaller and their weights as much larger, so that one scale fits all
//! of them better (SmoothQuant; Xiao et al., arXiv 2211.10438). Decided by the magnitudes that the channels have while the model runs.

use std::collections::{BTreeMap, HashMap};

use tract_onnx::pb::NodeProto;

use super::rows::Matrix;
use crate::graph::Graph;
use crate::proto;
use crate::tensor::Constant;

/// Largest magnitudes of the channels that layers read, by the value that the layer makes.
pub type Magnitudes = BTreeMap<String, Vec<f32>>;

/// How much of a channel's magnitude moves into the weights.
const MOVED: f32 = 0.75;
/// Share of the largest magnitude that is the least of a channel: others may become large in other runs.
const LEAST: f32 = 0.1;
/// The largest factor, and one over the smallest.
const LARGEST: f32 = 3.0;
/// Largest over smallest factor, below which there are none.
const SPREAD: f32 = 1.5;

/// The axis that the channels of a value are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Axis {
    /// The second, as in pictures.
    Second,
    /// The last, as in rows.
    Last,
}

/// What a layer reads, with the largest magnitude of each channel's weights.
pub(super) struct Read {
    pub value: String,
    pub axis: Axis,
    pub weights: Vec<f32>,
}

/// A value whose channels are multiplied, under another name.
#[derive(Debug)]
struct Scaled {
    name: String,
    factors: Vec<f32>,
}

/// Values of a graph whose channels are multiplied.
#[derive(Debug, Default)]
pub(super) struct Factors(HashMap<(String, Axis), Scaled>);

impl Factors {
    /// Those for layers of some magnitudes: what each node reads, by the value that it makes. Layers that read the same value have the same
    /// factors.
    pub fn of<'a>(graph: &Graph, layers: impl Iterator<Item = (&'a str, Read)>, magnitudes: &Magnitudes) -> Factors {
        let mut together: BTreeMap<(String, Axis), [Vec<f32>; 2]> = BTreeMap::new();
        for (made, Read { value, axis, weights }) in layers {
            let Some(magnitudes) = magnitudes.get(made).filter(|magnitudes| magnitudes.len() == weights.len()) else {
                continue;
            };
            let zeros = || [vec![0.0; weights.len()], vec![0.0; weights.len()]];
            let [of_value, of_weights] = together.entry((value, axis)).or_insert_with(zeros);
            raise(of_value, magnitudes);
            raise(of_weights, &weights);
        }
        let scaled = together.into_iter().filter_map(|((value, axis), [magnitudes, weights])| {
            let factors = factors(&magnitudes, &weights)?;
            let name = graph.free_value(&format!("{value}.scaled"));
            Some(((value, axis), Scaled { name, factors }))
        });
        Factors(scaled.collect())
    }

    /// What a layer reads instead of a value, and its weights for that.
    pub fn apply<'a>(&self, value: &str, axis: Axis, matrix: Matrix<'a>) -> (String, Matrix<'a>) {
        match self.0.get(&(value.to_owned(), axis)) {
            Some(Scaled { name, factors }) => (name.clone(), matrix.divided(factors)),
            None => (value.to_owned(), matrix),
        }
    }

    /// Whether a layer reads one of the multiplied values.
    pub fn is_read(&self, value: &str) -> bool {
        self.0.values().any(|scaled| scaled.name == value)
    }

    /// Adds the nodes that multiply, before those that read what they make.
    pub fn insert(self, graph: &mut Graph) {
        let mut scaled: Vec<((String, Axis), Scaled)> = self.0.into_iter().collect();
        scaled.sort_by(|(one, _), (other, _)| one.cmp(other));
        for ((value, axis), Scaled { name, factors }) in scaled {
            let reads = |node: &NodeProto| node.input.contains(&name);
            let Some(first) = graph.nodes.iter().position(reads) else {
                continue;
            };
            let shape = match axis {
                Axis::Second => vec![factors.len(), 1, 1],
                Axis::Last => vec![factors.len()],
            };
            let constant = graph.add_constant(&format!("{name}.factors"), Constant::f32(&shape, factors));
            graph.nodes.insert(first, proto::node("Mul", &name, &[&value, &constant], &[&name]));
            if let Some(shape) = graph.shape(&value).map(<[usize]>::to_vec) {
                graph.shapes.insert(name, shape);
            }
        }
    }
}

fn raise(largest: &mut [f32], others: &[f32]) {
    largest
        .iter_mut()
        .zip(others)
        .for_each(|(largest, other)| *largest = largest.max(*other));
}

/// The factors for channels of these magnitudes and of weights of these; none if they would all be nearly the same.
fn factors(magnitudes: &[f32], weights: &[f32]) -> Option<Vec<f32>> {
    let logarithms = |values: &[f32]| {
        let largest = values.iter().copied().fold(0.0, f32::max);
        let usable = largest > 0.0 && largest.is_finite();
        usable.then(|| values.iter().map(|value| value.max(LEAST * largest).ln()).collect::<Vec<f32>>())
    };
    let (magnitudes, weights) = (logarithms(magnitudes)?, logarithms(weights)?);
    let balance: Vec<f32> = magnitudes
        .iter()
        .zip(&weights)
        .map(|(magnitude, weight)| weight * (1.0 - MOVED) - magnitude * MOVED)
        .collect();
    let mean = balance.iter().sum::<f32>() / balance.len() as f32;
    let limited = balance.iter().map(|value| (value - mean).exp().clamp(1.0 / LARGEST, LARGEST));
    let factors: Vec<f32> = limited.map(rounded).collect();
    let (least, most) = factors.iter().fold((f32::INFINITY, 0f32), |(least, most), &factor| {
        (least.min(factor), most.max(factor))
    });
    (most >= SPREAD * least).then_some(factors)
}

/// The nearest number of eight significant bits: logarithms differ in their last bits from machine to machine.
fn rounded(value: f32) -> f32 {
    f32::from_bits((value.to_bits() + 0x8000) & 0xffff_0000)
}

/// The largest magnitude of each of `channels` columns of a matrix whose columns repeat them.
pub(super) fn by_channel(values: &[f32], channels: usize) -> Vec<f32> {
    let mut largest = vec![0f32; channels];
    for row in values.chunks_exact(channels) {
        largest
            .iter_mut()
            .zip(row)
            .for_each(|(largest, value)| *largest = largest.max(value.abs()));
    }
    largest
}

/// The largest magnitude of each part of a length.
pub(super) fn largest_of_each(values: &[f32], length: usize) -> Vec<f32> {
    let largest = |part: &[f32]| part.iter().fold(0f32, |largest, value| largest.max(value.abs()));
    values.chunks_exact(length.max(1)).map(largest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{Scheme, quantize};
    use crate::storage::Int8s;
    use crate::tensor::Values;
    use crate::testing::{Builder, names};

    #[test]
    fn large_channels_get_small_factors() {
        let found = factors(&[8.0, 1.0, 1.0, 1.0], &[1.0; 4]).unwrap();
        assert!(found[0] < 0.5 && found[1] > 1.0 && found[1] == found[3], "{found:?}");
        let product: f32 = found.iter().product();
        assert!((product - 1.0).abs() < 0.1, "{product}");
        assert_eq!(factors(&[1.0, 1.2, 1.0, 1.1], &[1.0; 4]), None);
        assert_eq!(factors(&[0.0; 4], &[1.0; 4]), None);
        assert_eq!(factors(&[f32::INFINITY, 1.0, 1.0, 1.0], &[1.0; 4]), None);
        // Channels that were never large may become so.
        let found = factors(&[1.0, 0.0, 1.0, 1.0], &[1.0; 4]).unwrap();
        assert!(
            found.iter().all(|factor| (1.0 / LARGEST - 0.01..=LARGEST).contains(factor)),
            "{found:?}"
        );
    }

    /// Weights are divided by what the input is multiplied by, and layers of one input share it.
    #[test]
    fn the_product_stays_the_same() {
        let builder = Builder::new(17)
            .input("x", &[3, 8])
            .output("y", &[3, 5])
            .output("z", &[3, 6])
            .filled("a.weight", &[8, 5])
            .filled("b.weight", &[8, 6]);
        let mut graph = builder
            .node("MatMul", &["x", "a.weight"], "y")
            .node("MatMul", &["x", "b.weight"], "z")
            .graph();
        let weights = graph.constants["a.weight"].floats().unwrap().to_vec();
        let seen = vec![9.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5];
        let magnitudes = Magnitudes::from([("y".to_owned(), seen.clone()), ("z".to_owned(), seen)]);
        let layers = quantize(&mut graph, Scheme::W8a8, &[], &magnitudes, &mut |values| Ok(values.into())).unwrap();
        assert_eq!(names(&graph), ["Mul", "QLinear", "QLinear"]);
        assert!(layers.iter().all(|layer| layer.scaled));
        assert_eq!(graph.nodes[1].input[0], graph.nodes[0].output[0]);
        assert_eq!(graph.nodes[2].input[0], graph.nodes[0].output[0]);
        let factors = graph.constant_input(&graph.nodes[0], 1).unwrap().floats().unwrap();
        let scales = graph.constant_input(&graph.nodes[1], 2).unwrap().floats().unwrap();
        let packed = graph.constant_input(&graph.nodes[1], 1).unwrap();
        let Values::I8(Int8s::Memory(packed)) = &packed.values else {
            panic!("{packed:?}")
        };
        for (input, factor) in factors.iter().enumerate() {
            for (output, scale) in scales.iter().enumerate() {
                // Panels of eight rows, groups of four inputs.
                let quantized = f32::from(packed[(input / 4 * 8 + output) * 4 + input % 4]);
                let wanted = weights[input * 5 + output];
                assert!(
                    (quantized * scale * factor - wanted).abs() <= 0.51 * scale * factor,
                    "input {input}, output {output}"
                );
            }
        }
    }
}
