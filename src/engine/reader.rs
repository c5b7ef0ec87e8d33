//! From a pack's graph to tract's model: nodes that the operator table knows become our operators, built with their mapped weights and
//! the engine's kernel; all others are read by tract. Depends on `operators` and `adapter`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tract_onnx::Onnx;
use tract_onnx::pb::{GraphProto, NodeProto};
use tract_onnx::prelude::Framework;
use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_hir::infer::InferenceModelExt;

use super::adapter::inference;
use super::kernels::Kernel;
use super::operators::{Resources, Row, Schema};
use super::sizes::Sizes;
use crate::pack::{DOMAIN, ExternalTensor, Graph, Limits};

/// A graph as tract has it.
pub struct Read {
    pub model: TypedModel,
    /// What it needs of the pack's limits.
    pub needs: Limits,
    /// By input of the graph: rows of the smallest table that it indexes.
    pub rows: Vec<Option<usize>>,
}

/// Reads a graph by a table of operators.
///
/// # Errors
/// For the first node that neither the table nor tract knows, or that does not fit its operator.
pub fn read<'a>(mut graph: Graph, table: impl Iterator<Item = &'a Row> + Clone, kernel: &'static dyn Kernel) -> TractResult<Read> {
    let standard = tract_onnx::onnx();
    let mut sizes = Sizes::of(&graph.proto, graph.limits)?;
    let proto = graph.proto.graph.get_or_insert_default();
    make_names_unique(proto);
    let mut operators = HashMap::new();
    for node in &mut proto.node {
        let (name, operator) = (node.name.clone(), node.op_type.clone());
        let place = || format!("node '{name}' ({operator})");
        let tensor = take_tensor(node, &graph.tensors).with_context(place)?;
        let row = table.clone().find(|row| is_of(node, row));
        let resources = Resources { tensor, kernel };
        let operator = match row {
            Some(row) => {
                check_form(node, row.schema).with_context(place)?;
                (row.build)(node, &resources).with_context(place)?
            }
            None => None,
        };
        match operator {
            Some(operator) => {
                sizes.own(node, &*operator, tensor.is_some()).with_context(place)?;
                // tract leaves a place for an operator that it does not know.
                node.op_type = format!("{DOMAIN}.{}", node.op_type);
                operators.insert(node.name.clone(), operator);
            }
            None => {
                check_is_standard(node, &standard)?;
                sizes.standard(node).with_context(place)?;
            }
        }
    }
    let mut model = standard.model_for_proto_model(&graph.proto)?;
    for node in model.nodes_mut() {
        if let Some(operator) = operators.remove(&node.name) {
            node.op = inference(operator);
        }
    }
    let (needs, rows) = sizes.finish();
    Ok(Read {
        model: model.into_typed()?,
        needs,
        rows,
    })
}

/// Whether a node is of the operator of a row.
fn is_of(node: &NodeProto, row: &Row) -> bool {
    let own = node.domain == DOMAIN;
    node.op_type == row.schema.name && own == row.schema.definition.is_some() && (own || is_standard(node))
}

fn is_standard(node: &NodeProto) -> bool {
    matches!(&*node.domain, "" | "ai.onnx")
}

/// A node that the table leaves to tract must be one that tract knows.
fn check_is_standard(node: &NodeProto, standard: &Onnx) -> TractResult<()> {
    let domain = if node.domain.is_empty() { "ai.onnx" } else { &node.domain };
    ensure!(
        is_standard(node) && standard.op_register.0.contains_key(&node.op_type),
        "node '{}': operator {domain}.{} is not known to this version",
        node.name,
        node.op_type
    );
    Ok(())
}

/// A node of ours has the attributes of its definition and no others.
fn check_form(node: &NodeProto, schema: &Schema) -> TractResult<()> {
    let Some(definition) = schema.definition else { return Ok(()) };
    let signature = definition.split('(').next().unwrap_or_default();
    let named = |name: &str| {
        signature
            .split(|letter: char| !letter.is_alphanumeric() && letter != '_')
            .any(|word| word == name)
    };
    let stray = node.attribute.iter().find(|attribute| !named(&attribute.name));
    ensure!(
        stray.is_none(),
        "it has no attribute '{}'",
        stray.map(|attribute| &*attribute.name).unwrap_or_default()
    );
    Ok(())
}

/// Takes the mapped tensor, the second input of a node of ours, out of its inputs, so that tract never sees it.
fn take_tensor<'a>(node: &mut NodeProto, tensors: &'a BTreeMap<String, ExternalTensor>) -> TractResult<Option<&'a ExternalTensor>> {
    let mut places = node.input.iter().enumerate().filter(|(_, input)| tensors.contains_key(*input));
    let Some((place, _)) = places.next() else { return Ok(None) };
    ensure!(
        node.domain == DOMAIN && place == 1 && places.next().is_none(),
        "int8 weights are the second input of a quantized layer, and no other input of any"
    );
    Ok(tensors.get(&node.input.remove(place)))
}

/// ONNX lets a node have the name of an input or of another node; tract does not.
fn make_names_unique(graph: &mut GraphProto) {
    let inputs = graph.input.iter().map(|input| &input.name);
    let values = inputs.chain(graph.initializer.iter().map(|tensor| &tensor.name));
    let mut taken: BTreeSet<String> = values.cloned().collect();
    for (index, node) in graph.node.iter_mut().enumerate() {
        if node.name.is_empty() || !taken.insert(node.name.clone()) {
            node.name = format!("{}#{index}", node.name);
            taken.insert(node.name.clone());
        }
    }
}
