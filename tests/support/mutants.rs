//! Changes at random, always the same for the same seed, of everything that strangers hand to the programs: what a person would type
//! wrong, and what somebody would write who wants to break them. Shared by `tests/mutants.rs` and `tests/fuzz`.

use std::path::Path;

use inkstone::pack::sha256_of_bytes;
use prost::Message as _;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::{AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto};

/// Numbers that are seldom thought of.
const NUMBERS: [i64; 22] = [
    0,
    1,
    -1,
    2,
    3,
    7,
    8,
    255,
    256,
    1251,
    16_384,
    20_000,
    65_535,
    65_536,
    1 << 26,
    1 << 28,
    i32::MAX as i64,
    i32::MIN as i64,
    u32::MAX as i64,
    1 << 40,
    i64::MAX,
    i64::MIN,
];

/// Operators that take the place of others.
const OPERATORS: [&str; 28] = [
    "Abs",
    "Add",
    "ArgMax",
    "AveragePool",
    "Concat",
    "ConstantOfShape",
    "CumSum",
    "DepthToSpace",
    "Expand",
    "Flatten",
    "Gather",
    "GatherND",
    "LayerNormalization",
    "Loop",
    "MatMul",
    "Pad",
    "Range",
    "ReduceMean",
    "Reshape",
    "Resize",
    "Shape",
    "Slice",
    "Softmax",
    "Split",
    "Squeeze",
    "Tile",
    "TopK",
    "Transpose",
];

/// Floats that are seldom thought of.
pub const FLOATS: [f32; 8] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e38, -1e38, 1e-45, 0.0, 1e12];

/// Random numbers (splitmix64; Steele et al., OOPSLA 2014).
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `count`, which is not 0.
    pub fn below(&mut self, count: usize) -> usize {
        (self.next() % count as u64) as usize
    }

    /// One of some.
    pub fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// One of some words.
    pub fn word(&mut self, all: &[&'static str]) -> &'static str {
        all[self.below(all.len())]
    }

    fn number(&mut self) -> i64 {
        *self.of(&NUMBERS)
    }
}

/// Flips, cuts, doubles and inserts bytes.
pub fn change_bytes(random: &mut Random, bytes: &mut Vec<u8>) {
    for _ in 0..1 + random.below(4) {
        if bytes.is_empty() {
            return;
        }
        let place = random.below(bytes.len());
        let end = (place + 1 + random.below(64)).min(bytes.len());
        match random.below(6) {
            0 | 1 => bytes[place] ^= 1 << random.below(8),
            2 => bytes[place] = *random.of(&[0, 1, 0x7f, 0x80, 0xff]),
            3 => drop(bytes.drain(place..end)),
            4 => {
                let part = bytes[place..end].to_vec();
                let other = random.below(bytes.len());
                bytes.splice(other..other, part);
            }
            _ => bytes.truncate(place),
        }
    }
}

/// Changes words, numbers and lines of a text.
pub fn change_text(random: &mut Random, text: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for _ in 0..1 + random.below(4) {
        if lines.is_empty() {
            break;
        }
        let (place, other) = (random.below(lines.len()), random.below(lines.len()));
        match random.below(8) {
            0 => lines[place] = digits_replaced(&lines[place], &random.number().to_string()),
            1 => {
                lines[place] = digits_replaced(
                    &lines[place],
                    random.word(&["nan", "1e400", "0x7fffffff", "\"\"", "[]", "\u{202e}"]),
                )
            }
            2 => lines.swap(place, other),
            3 => lines[place] = format!("{}{}", lines[place], "é".repeat(1 << random.below(17))),
            4 => drop(lines.remove(place)),
            5 => lines.insert(place, lines[other].clone()),
            // Uncommented, in files whose examples are comments.
            6 => lines[place] = lines[place].trim_start_matches(['#', ' ']).to_owned(),
            _ => {
                let mut bytes = std::mem::take(&mut lines[place]).into_bytes();
                change_bytes(random, &mut bytes);
                lines[place] = String::from_utf8_lossy(&bytes).into_owned();
            }
        }
    }
    lines.join("\n")
}

fn digits_replaced(line: &str, by: &str) -> String {
    let Some(start) = line.find(|letter: char| letter.is_ascii_digit()) else {
        return format!("{line} {by}");
    };
    let rest = line[start..].trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
    format!("{}{by}{rest}", &line[..start])
}

/// Changes a value of a manifest.
pub fn change_manifest(random: &mut Random, table: &mut toml::Table) {
    // The files' sizes and checksums are what everything else is checked by first.
    let names: Vec<String> = table.keys().filter(|name| *name != "files").cloned().collect();
    let name = random.of(&names).clone();
    change_value(random, &mut table[&name]);
}

fn change_value(random: &mut Random, value: &mut toml::Value) {
    match value {
        toml::Value::Table(table) if !table.is_empty() => {
            let names: Vec<String> = table.keys().cloned().collect();
            let name = random.of(&names).clone();
            change_value(random, &mut table[&name]);
        }
        toml::Value::Array(values) if !values.is_empty() => match random.below(8) {
            0 => values.push(values[0].clone()),
            1 => drop(values.pop()),
            _ => {
                let place = random.below(values.len());
                change_value(random, &mut values[place]);
            }
        },
        toml::Value::Integer(integer) => *integer = random.number(),
        toml::Value::Float(float) => *float = f64::from(*random.of(&FLOATS)),
        other => {
            *other = match random.below(3) {
                0 => toml::Value::String(
                    random
                        .word(&["", "picture", "time", "ids", "latent", "weights.bin", "\0"])
                        .to_owned(),
                ),
                1 => toml::Value::Integer(random.number()),
                _ => toml::Value::Boolean(true),
            }
        }
    }
}

/// Changes nodes, attributes, wires and constants of a graph.
pub fn change_graph(random: &mut Random, model: &mut ModelProto) {
    let Some(graph) = &mut model.graph else { return };
    for _ in 0..1 + random.below(3) {
        if graph.node.is_empty() || graph.initializer.is_empty() {
            return;
        }
        match random.below(12) {
            0 => change_attribute(random, graph),
            1 => rewire(random, graph),
            2 => change_constant(random, graph),
            3 => change_shape(random, graph),
            4 => swap_tensors(random, graph),
            5 => insert(random, graph),
            6 => {
                let place = random.below(graph.node.len());
                graph.node[place].op_type = random.word(&OPERATORS).to_owned();
                graph.node[place].domain.clear();
            }
            7 => drop(graph.node.remove(random.below(graph.node.len()))),
            8 => chain(random, graph),
            9 => {
                let place = random.below(graph.node.len());
                let attribute = integer(random.word(&["axis", "tensor", "group", "keepdims", "blocksize"]), random.number());
                graph.node[place].attribute.push(attribute);
            }
            10 => {
                let place = random.below(graph.node.len());
                graph.node[place].attribute.clear();
            }
            _ => {
                let place = random.below(graph.node.len());
                graph.node[place].input.push(String::new());
            }
        }
    }
}

fn integer(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        r#type: AttributeType::Int as i32,
        i: value,
        ..AttributeProto::default()
    }
}

fn change_attribute(random: &mut Random, graph: &mut GraphProto) {
    let mut attributes: Vec<&mut AttributeProto> = graph.node.iter_mut().flat_map(|node| &mut node.attribute).collect();
    if attributes.is_empty() {
        return;
    }
    let place = random.below(attributes.len());
    let attribute = &mut attributes[place];
    match attribute.ints.len() {
        0 if attribute.r#type == AttributeType::Float as i32 => attribute.f = *random.of(&FLOATS),
        0 => attribute.i = random.number(),
        count => {
            let place = random.below(count);
            attribute.ints[place] = random.number();
        }
    }
}

fn rewire(random: &mut Random, graph: &mut GraphProto) {
    let mut values: Vec<String> = graph.node.iter().flat_map(|node| node.output.clone()).collect();
    values.extend(graph.initializer.iter().map(|tensor| tensor.name.clone()));
    values.extend(graph.input.iter().map(|input| input.name.clone()));
    let node = random.below(graph.node.len());
    let inputs = graph.node[node].input.len();
    if inputs > 0 {
        graph.node[node].input[random.below(inputs)] = random.of(&values).clone();
    }
}

fn change_constant(random: &mut Random, graph: &mut GraphProto) {
    let stored = |tensor: &&mut TensorProto| tensor.external_data.is_empty();
    let mut tensors: Vec<&mut TensorProto> = graph.initializer.iter_mut().filter(stored).collect();
    if tensors.is_empty() {
        return;
    }
    let place = random.below(tensors.len());
    let tensor = &mut tensors[place];
    if tensor.raw_data.len() >= 8 {
        let place = random.below(tensor.raw_data.len() / 8) * 8;
        tensor.raw_data[place..place + 8].copy_from_slice(&random.number().to_le_bytes());
    } else if !tensor.int64_data.is_empty() {
        let place = random.below(tensor.int64_data.len());
        tensor.int64_data[place] = random.number();
    } else {
        change_bytes(random, &mut tensor.raw_data);
    }
}

fn change_shape(random: &mut Random, graph: &mut GraphProto) {
    let place = random.below(graph.initializer.len());
    let dims = &mut graph.initializer[place].dims;
    match random.below(4) {
        0 => dims.push(1),
        1 => dims.reverse(),
        2 => drop(dims.pop()),
        _ if dims.is_empty() => dims.push(random.number()),
        _ => {
            let place = random.below(dims.len());
            dims[place] = random.number();
        }
    }
}

/// Gives two tensors each other's names: their ranks and sizes no longer fit.
fn swap_tensors(random: &mut Random, graph: &mut GraphProto) {
    let (one, other) = (random.below(graph.initializer.len()), random.below(graph.initializer.len()));
    let name = graph.initializer[one].name.clone();
    graph.initializer[one].name = std::mem::replace(&mut graph.initializer[other].name, name);
}

/// Puts a node that makes something large before one of the others, or at the end.
fn insert(random: &mut Random, graph: &mut GraphProto) {
    let place = random.below(graph.node.len());
    let Some(read) = graph.node[place].input.first().cloned() else {
        return;
    };
    let count = 1 + random.below(5);
    let sizes = TensorProto {
        name: format!("sizes#{}", graph.initializer.len()),
        dims: vec![count as i64],
        data_type: 7,
        int64_data: (0..count).map(|_| random.number()).collect(),
        ..TensorProto::default()
    };
    let made = format!("made#{}", graph.node.len());
    let operator = random.word(&[
        "Tile",
        "Expand",
        "Reshape",
        "ConstantOfShape",
        "Pad",
        "Unsqueeze",
        "ReduceSum",
        "Gather",
    ]);
    let inputs = if operator == "ConstantOfShape" {
        vec![sizes.name.clone()]
    } else {
        vec![read, sizes.name.clone()]
    };
    let node = NodeProto {
        op_type: operator.to_owned(),
        input: inputs,
        output: vec![made.clone()],
        ..NodeProto::default()
    };
    graph.initializer.push(sizes);
    graph.node[place].input[0] = made;
    graph.node.insert(place, node);
}

/// Many nodes one after another.
fn chain(random: &mut Random, graph: &mut GraphProto) {
    let Some(mut last) = graph.node[0].input.first().cloned() else {
        return;
    };
    let length = 1 << random.below(14);
    let links = (0..length).map(|index| {
        let next = format!("link#{index}#{length}");
        NodeProto {
            op_type: "Neg".to_owned(),
            input: vec![std::mem::replace(&mut last, next.clone())],
            output: vec![next],
            ..NodeProto::default()
        }
    });
    let links: Vec<NodeProto> = links.collect();
    graph.node[0].input[0] = last;
    graph.node.splice(0..0, links);
}

/// Writes a seldom thought of float over one of a file of weights, within its first `places` floats.
pub fn change_weights(random: &mut Random, bytes: &mut [u8], places: usize) {
    let place = 4 * random.below(places.min(bytes.len() / 4));
    let float = *random.of(&FLOATS);
    bytes[place..place + 4].copy_from_slice(&float.to_le_bytes());
}

/// Writes a file of a pack, and its size and checksum.
pub fn put(folder: &Path, name: &str, bytes: &[u8]) {
    std::fs::remove_file(folder.join(name)).unwrap();
    std::fs::write(folder.join(name), bytes).unwrap();
    let file = folder.join("pack.toml");
    let mut table: toml::Table = std::fs::read_to_string(&file).unwrap().parse().unwrap();
    let record = table["files"][name].as_table_mut().unwrap();
    record.insert("bytes".into(), toml::Value::Integer(bytes.len() as i64));
    record.insert("sha256".into(), toml::Value::String(sha256_of_bytes(bytes)));
    std::fs::write(&file, table.to_string()).unwrap();
}

/// A copy of a pack's files; those that are large are linked.
fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        if entry.metadata().unwrap().len() > 1 << 20 {
            std::os::unix::fs::symlink(&path, &copy).unwrap();
        } else if path.is_file() {
            std::fs::copy(&path, &copy).unwrap();
        }
    }
}

/// A graph's file, changed.
pub fn changed_graph(random: &mut Random, bytes: &[u8]) -> Vec<u8> {
    let mut model = ModelProto::decode(bytes).unwrap();
    change_graph(random, &mut model);
    model.encode_to_vec()
}

/// Copies a pack like the shipped one into an empty folder, with one of its files changed and a checksum that fits.
pub fn change_pack(random: &mut Random, from: &Path, folder: &Path) {
    copy(from, folder);
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    match random.below(8) {
        0 | 1 => {
            let mut table: toml::Table = std::fs::read_to_string(folder.join("pack.toml")).unwrap().parse().unwrap();
            change_manifest(random, &mut table);
            std::fs::write(folder.join("pack.toml"), table.to_string()).unwrap();
        }
        2 => {
            let mut weights = read("weights.bin");
            change_weights(random, &mut weights, 1 << 14);
            put(folder, "weights.bin", &weights);
        }
        3 => {
            let text = String::from_utf8(read("tokenizer.json")).unwrap();
            put(folder, "tokenizer.json", change_text(random, &text).as_bytes());
        }
        4 if folder.join("words.lexicon").is_file() => {
            let mut lexicon = read("words.lexicon");
            change_bytes(random, &mut lexicon);
            put(folder, "words.lexicon", &lexicon);
        }
        _ => {
            let name = random.word(&["denoiser.onnx", "text_encoder.onnx", "decoder.onnx"]);
            let graph = changed_graph(random, &read(name));
            put(folder, name, &graph);
        }
    }
}
