//! The outputs of a matrix product cut for the threads that share its tokens, or its rows. Depends on `shares` alone.

use std::ops::Range;

use super::tokens::Order;
use crate::engine::shares::{by_columns, by_length};

/// Outputs of some tokens and some rows by lines: a token's outputs, or in a picture those of a row.
pub enum Pieces<'a> {
    /// Whole lines of a length, one after another.
    Whole(&'a mut [f32], usize),
    /// Parts of lines.
    Parts(Vec<&'a mut [f32]>),
}

impl<'a> Pieces<'a> {
    /// All outputs cut by parts of the tokens and, each of these, by parts of the rows.
    pub fn cut(output: &'a mut [f32], order: Order, tokens: &[Range<usize>], rows: &[Range<usize>]) -> Vec<Vec<Pieces<'a>>> {
        match order {
            Order::Rows => by_lines(output, tokens, rows),
            Order::Picture => exchanged(by_lines(output, rows, tokens), tokens.len()),
        }
    }

    /// Cut further, so many tokens each; the last may be of fewer.
    pub fn by_tokens(self, order: Order, tokens: usize) -> Vec<Pieces<'a>> {
        match (order, self) {
            (Order::Rows, Pieces::Whole(values, line)) => values.chunks_mut(tokens * line).map(|part| Pieces::Whole(part, line)).collect(),
            (Order::Rows, Pieces::Parts(mut lines)) => {
                let mut parts = Vec::new();
                while !lines.is_empty() {
                    parts.push(Pieces::Parts(lines.drain(..tokens.min(lines.len())).collect()));
                }
                parts
            }
            (Order::Picture, Pieces::Whole(values, line)) => {
                Pieces::Parts(values.chunks_exact_mut(line).collect()).by_tokens(order, tokens)
            }
            (Order::Picture, Pieces::Parts(lines)) => by_length(lines, tokens).into_iter().map(Pieces::Parts).collect(),
        }
    }

    /// A line.
    #[inline]
    pub fn line(&mut self, index: usize) -> &mut [f32] {
        match self {
            Pieces::Whole(values, line) => &mut values[index * *line..][..*line],
            Pieces::Parts(lines) => lines[index],
        }
    }
}

/// Lines, as long as the last of the parts ends, by parts of the lines and then by parts of each.
fn by_lines<'a>(mut values: &'a mut [f32], lines: &[Range<usize>], parts: &[Range<usize>]) -> Vec<Vec<Pieces<'a>>> {
    let length = parts.last().map_or(0, |part| part.end);
    let mut cut = |lines: &Range<usize>| {
        let own = values.split_off_mut(..lines.len() * length).unwrap_or_default();
        match parts {
            [_] => vec![Pieces::Whole(own, length)],
            _ => by_columns(own, length, parts.iter().cloned())
                .into_iter()
                .map(Pieces::Parts)
                .collect(),
        }
    };
    lines.iter().map(&mut cut).collect()
}

/// The same with so many inner parts outside.
fn exchanged(by_outer: Vec<Vec<Pieces>>, inner: usize) -> Vec<Vec<Pieces>> {
    let mut by_inner: Vec<Vec<Pieces>> = (0..inner).map(|_| Vec::new()).collect();
    for parts in by_outer {
        for (pieces, part) in by_inner.iter_mut().zip(parts) {
            pieces.push(part);
        }
    }
    by_inner
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every output is in one piece, at the place that its token and row have there.
    #[test]
    fn pieces_are_of_their_tokens_and_rows() {
        let (all_tokens, all_rows) = (0..7, 0..13);
        let (tokens, rows) = ([0..4, 4..7], [0..8, 8..13]);
        let (tokens, rows) = (
            [&tokens[..], std::slice::from_ref(&all_tokens)],
            [&rows[..], std::slice::from_ref(&all_rows)],
        );
        let orders = [Order::Rows, Order::Picture].into_iter();
        for (order, tokens, rows) in
            orders.flat_map(|order| tokens.into_iter().flat_map(move |tokens| rows.map(|rows| (order, tokens, rows))))
        {
            let place = |token: usize, row: usize| match order {
                Order::Rows => token * 13 + row,
                Order::Picture => row * 7 + token,
            };
            let mut output: Vec<f32> = (0..7 * 13).map(|index| index as f32).collect();
            let grid = Pieces::cut(&mut output, order, tokens, rows);
            let mut seen = 0;
            for (of_tokens, part) in grid.into_iter().zip(tokens) {
                for (pieces, rows) in of_tokens.into_iter().zip(rows) {
                    for (index, mut pieces) in pieces.by_tokens(order, 3).into_iter().enumerate() {
                        let first = part.start + index * 3;
                        for token in first..part.end.min(first + 3) {
                            for row in rows.clone() {
                                let found = match order {
                                    Order::Rows => pieces.line(token - first)[row - rows.start],
                                    Order::Picture => pieces.line(row - rows.start)[token - first],
                                };
                                assert_eq!(found, place(token, row) as f32, "{order:?}, token {token}, row {row}");
                                seen += 1;
                            }
                        }
                    }
                }
            }
            assert_eq!(seen, 7 * 13);
        }
    }
}
