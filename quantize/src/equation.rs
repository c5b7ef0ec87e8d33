//! Equations of Einsum: reading them, and writing out what they leave to the ranks of their operands.

use tract_onnx::pb::NodeProto;

use crate::graph::Graph;
use crate::proto;

/// An equation with its output written out, such as `bct,bcs->bts`: the labels of each operand's axes, all different, and those of
/// the output.
pub(crate) struct Equation {
    pub operands: Vec<Vec<char>>,
    pub output: Vec<char>,
}

impl Equation {
    /// `None` for an equation with an ellipsis, a diagonal or an output that is not written out.
    pub(crate) fn of(node: &NodeProto) -> Option<Equation> {
        let text: String = proto::string(node, "equation")?.split_whitespace().collect();
        let (operands, output) = text.split_once("->")?;
        let labels = |text: &str| {
            let labels: Vec<char> = text.chars().collect();
            let different = labels.iter().enumerate().all(|(index, label)| !labels[..index].contains(label));
            (different && labels.iter().all(char::is_ascii_alphabetic)).then_some(labels)
        };
        Some(Equation {
            operands: operands.split(',').map(labels).collect::<Option<_>>()?,
            output: labels(output)?,
        })
    }
}

/// Writes out an Einsum's ellipsis and output, if the ranks of its operands are known. Other nodes stay as they are.
pub(crate) fn write_out(graph: &Graph, node: &mut NodeProto) {
    if !proto::is(node, "Einsum") {
        return;
    }
    let ranks: Vec<Option<usize>> = node.input.iter().map(|input| graph.shape(input).map(<[usize]>::len)).collect();
    let Some(text) = proto::string(node, "equation").and_then(|text| written_out(text, &ranks)) else {
        return;
    };
    let equation = node.attribute.iter_mut().find(|attribute| attribute.name == "equation");
    equation.into_iter().for_each(|attribute| attribute.s = text.clone().into_bytes());
}

const ELLIPSIS: &str = "...";

/// The equation with labels in place of each ellipsis and, as ONNX has it where there is no output, those axes and the labels that occur once.
/// `None` if nothing is to be written out, a rank is unknown, or the operands' ellipses stand for different numbers of axes.
fn written_out(text: &str, ranks: &[Option<usize>]) -> Option<String> {
    let text: String = text.split_whitespace().collect();
    let (operands, output) = text
        .split_once("->")
        .map_or((text.as_str(), None), |(left, right)| (left, Some(right)));
    if output.is_some() && !text.contains(ELLIPSIS) {
        return None;
    }
    let covered = |(operand, rank): (&str, &Option<usize>)| (*rank)?.checked_sub(operand.len() - ELLIPSIS.len());
    let each = operands.split(',').zip(ranks).filter(|(operand, _)| operand.contains(ELLIPSIS));
    let counts: Vec<usize> = each.map(covered).collect::<Option<_>>()?;
    let count = counts.first().copied().unwrap_or(0);
    let free: String = ('A'..='Z')
        .chain('a'..='z')
        .filter(|&label| !text.contains(label))
        .take(count)
        .collect();
    if free.len() < count || counts.iter().any(|&other| other != count) {
        return None;
    }
    let output = output.map_or_else(|| implied(operands), str::to_owned);
    Some(format!("{operands}->{output}").replace(ELLIPSIS, &free))
}

/// The output of an equation that has none: the ellipsis, then the labels that occur once, in alphabetical order.
fn implied(operands: &str) -> String {
    let mut once: Vec<char> = operands.chars().filter(char::is_ascii_alphabetic).collect();
    once.sort_unstable();
    let ellipsis = if operands.contains(ELLIPSIS) { ELLIPSIS } else { "" };
    let once = once.chunk_by(|one, other| one == other).filter(|same| same.len() == 1).flatten();
    ellipsis.chars().chain(once.copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ellipsis_becomes_labels() {
        let four = [Some(4), Some(4)];
        assert_eq!(written_out("...hw, ...wd -> ...hd", &four).as_deref(), Some("ABhw,ABwd->ABhd"));
        assert_eq!(written_out("...A,AB->...B", &[Some(3), Some(2)]).as_deref(), Some("CDA,AB->CDB"));
        assert_eq!(written_out("...ij->...ji", &[Some(2)]).as_deref(), Some("ij->ji"));
        assert_eq!(written_out("b...->...", &[Some(3)]).as_deref(), Some("bAB->AB"));
    }

    #[test]
    fn an_output_that_is_missing_has_what_occurs_once() {
        assert_eq!(written_out("bct,bcs", &[Some(3), Some(3)]).as_deref(), Some("bct,bcs->st"));
        assert_eq!(written_out("...ij,jk", &[Some(3), Some(2)]).as_deref(), Some("Aij,jk->Aik"));
        assert_eq!(written_out("ii", &[Some(2)]).as_deref(), Some("ii->"));
    }

    #[test]
    fn what_cannot_be_written_out_stays() {
        assert_eq!(written_out("ij,jk->ik", &[Some(2), Some(2)]), None);
        assert_eq!(written_out("...ij->...ji", &[None]), None);
        assert_eq!(written_out("...ij->...ji", &[Some(1)]), None);
        assert_eq!(written_out("...i,...i->...", &[Some(3), Some(2)]), None);
        assert_eq!(written_out("...->...", &[Some(60)]), None);
    }
}
