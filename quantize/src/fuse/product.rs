//! A value as a product, however it is associated.

use crate::graph::{Graph, Links};

/// Depth to which nested products are followed.
const DEEPEST: usize = 4;

/// A product: what varies, with powers written out, and the product of the constants.
pub(super) struct Product<'a> {
    pub values: Vec<&'a str>,
    pub factor: f32,
}

impl<'a> Product<'a> {
    /// A value as a product; of itself, if of nothing else.
    pub fn of(graph: &'a Graph, links: &Links, value: &'a str) -> Product<'a> {
        let mut product = Product {
            values: Vec::new(),
            factor: 1.0,
        };
        product.take(graph, links, value, DEEPEST);
        product
    }

    fn take(&mut self, graph: &'a Graph, links: &Links, value: &'a str, depth: usize) {
        if let Some(constant) = graph.scalar(value) {
            self.factor *= constant;
            return;
        }
        let made = |operator| {
            links
                .made_by(graph, value, operator)
                .filter(|node| depth > 0 && node.input.len() == 2)
        };
        if let Some(node) = made("Mul") {
            node.input.iter().for_each(|input| self.take(graph, links, input, depth - 1));
            return;
        }
        let by_constant = |operator| made(operator).and_then(|node| Some((&node.input[0], graph.scalar(&node.input[1])?)));
        if let Some((input, divisor)) = by_constant("Div") {
            self.factor /= divisor;
            return self.take(graph, links, input, depth - 1);
        }
        match by_constant("Pow") {
            Some((input, 3.0)) => self.values.extend([input.as_str(); 3]),
            Some((input, 2.0)) => self.values.extend([input.as_str(); 2]),
            _ => self.values.push(value),
        }
    }
}

/// A value without its constant factors, and their product.
pub(super) fn without_factors<'a>(graph: &'a Graph, links: &Links, value: &'a str) -> (&'a str, f32) {
    let Product { values, factor } = Product::of(graph, links, value);
    match values.as_slice() {
        &[rest] => (rest, factor),
        _ => (value, 1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Builder;

    #[test]
    fn numbers_come_out_of_products_and_quotients() {
        let builder = Builder::new(17)
            .input("x", &[2])
            .output("y", &[2])
            .constant("two", &[], &[2.0])
            .constant("eight", &[1], &[8.0]);
        let graph = builder
            .node("Mul", &["two", "x"], "a")
            .node("Div", &["a", "eight"], "b")
            .node("Mul", &["b", "x"], "y")
            .graph();
        let links = Links::of(&graph);
        assert_eq!(without_factors(&graph, &links, "b"), ("x", 0.25));
        assert_eq!(without_factors(&graph, &links, "x"), ("x", 1.0));
        // Two values: no single one is left.
        assert_eq!(without_factors(&graph, &links, "y"), ("y", 1.0));
        assert_eq!(Product::of(&graph, &links, "y").values, ["x", "x"]);
    }
}
