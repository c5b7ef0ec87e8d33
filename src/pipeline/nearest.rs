//! The training pictures that a picture is most similar to, by the pack's index of them. Owns reading the index, whose layout
//! `models/train/pictogram/similar.py` describes; depends on the pack and on a picture's descriptor.
//!
//! Similar means: alike in colours and shape at 16×16 pixels. It does not tell which pictures the model learned a picture from.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::pack::{Pack, PackError};
use crate::picture::Picture;
use crate::picture::descriptor::{self, descriptor};

/// Training pictures that are told.
const TOLD: usize = 8;
/// What an index begins with.
const MAGIC: &[u8] = b"INKNEAR1";
/// Most dimensions and pictures of an index.
const MOST_DIMENSIONS: usize = 256;
const MOST_PICTURES: usize = 1 << 20;

/// The training pictures that a picture is most similar to.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Nearest {
    /// Training pictures in the index.
    pub among: usize,
    /// The nearest ones, the nearest first.
    pub pictures: Vec<Neighbour>,
    /// The share of training pictures, from 0 to 1, that have another training picture at least as similar to them as the nearest one is to
    /// this picture. Near 1: this picture is no nearer to one of them than they are to each other. Near 0: it is nearly a copy.
    pub ordinary: f64,
}

/// A training picture.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Neighbour {
    /// Style and key, such as `noto/1f431`.
    pub id: String,
    /// What it shows, in English.
    pub name: String,
    /// Where it is from.
    pub source: String,
    /// Its licence, an SPDX expression.
    pub licence: String,
    /// The cosine of the angle between the two descriptors, less the mean of all: 1 for the same picture, 0 for any two.
    pub similarity: f64,
}

#[derive(Deserialize)]
struct Header {
    side: usize,
    dimensions: usize,
    count: usize,
    sources: Vec<Source>,
    nearest: Vec<f64>,
}

#[derive(Deserialize)]
struct Source {
    style: String,
    source: String,
    licence: String,
}

/// An index as it lies in its file.
struct Index<'a> {
    header: Header,
    mean: &'a [u8],
    steps: Vec<f32>,
    scales: Vec<f32>,
    components: &'a [u8],
    codes: &'a [u8],
    lines: Vec<&'a str>,
}

/// The training pictures that a picture is most similar to; nothing if the pack has no index.
///
/// # Errors
/// If the index is damaged.
pub(super) fn nearest(pack: &Pack, picture: &Picture) -> Result<Option<Nearest>, PackError> {
    let Some((file, bytes)) = pack.training_index()? else {
        return Ok(None);
    };
    let index = Index::read(&bytes).map_err(|problem| damaged(&file, problem))?;
    index.nearest(picture).map(Some).map_err(|problem| damaged(&file, problem))
}

fn damaged(file: &Path, problem: &str) -> PackError {
    let reason = format!("this is no index of training pictures: {problem}; make it again with `python -m pictogram.similar`");
    PackError::graph(file, reason)
}

impl<'a> Index<'a> {
    fn read(bytes: &'a [u8]) -> Result<Index<'a>, &'static str> {
        let rest = bytes.strip_prefix(MAGIC).ok_or("it begins with other bytes")?;
        let (length, rest) = rest.split_first_chunk::<4>().ok_or("it ends in its header")?;
        let (header, mut rest) = split(rest, u32::from_le_bytes(*length) as usize)?;
        let header: Header = serde_json::from_slice(header).map_err(|_| "its header is not read")?;
        let fits = header.side == descriptor::SIDE
            && (1..=MOST_DIMENSIONS).contains(&header.dimensions)
            && (1..=MOST_PICTURES).contains(&header.count)
            && header.nearest.len() == 101;
        if !fits {
            return Err("its header has sizes that this version does not read");
        }
        let mut take = |count: usize| -> Result<&'a [u8], &'static str> {
            let (part, behind) = split(rest, count)?;
            rest = behind;
            Ok(part)
        };
        let (mean, steps) = (take(descriptor::NUMBERS)?, floats(take(header.dimensions * 4)?)?);
        let scales = floats(take(header.dimensions * 4)?)?;
        let components = take(header.dimensions * descriptor::NUMBERS)?;
        let codes = take(header.count * header.dimensions)?;
        let lines: Vec<&str> = std::str::from_utf8(rest).map_err(|_| "its names are not UTF-8")?.lines().collect();
        if lines.len() != header.count {
            return Err("it has another number of names than of pictures");
        }
        Ok(Index {
            header,
            mean,
            steps,
            scales,
            components,
            codes,
            lines,
        })
    }

    /// The picture's numbers, as those of the training pictures are.
    fn coordinates(&self, picture: &Picture) -> Vec<f64> {
        let described = descriptor(picture);
        let centred: Vec<f64> = described
            .iter()
            .zip(self.mean)
            .map(|(value, mean)| f64::from(*value) - f64::from(*mean))
            .collect();
        let components = self.components.chunks_exact(descriptor::NUMBERS).zip(&self.scales);
        let products = components.map(|(component, scale)| {
            let sum: f64 = component.iter().zip(&centred).map(|(weight, value)| signed(*weight) * value).sum();
            sum * f64::from(*scale)
        });
        products.collect()
    }

    fn nearest(&self, picture: &Picture) -> Result<Nearest, &'static str> {
        let own = self.coordinates(picture);
        let mut similar: Vec<(f64, usize)> = self
            .codes
            .chunks_exact(self.header.dimensions)
            .map(|code| self.similarity(&own, code))
            .zip(0..)
            .collect();
        similar.sort_by(|(one, at), (other, behind)| other.total_cmp(one).then(at.cmp(behind)));
        let most = similar.first().map_or(0.0, |(similarity, _)| *similarity);
        let below = self.header.nearest.iter().filter(|percentile| **percentile < most).count();
        let pictures = similar
            .iter()
            .take(TOLD)
            .map(|&(similarity, index)| self.neighbour(index, similarity));
        Ok(Nearest {
            among: self.header.count,
            pictures: pictures.collect::<Result<_, _>>()?,
            ordinary: 1.0 - below as f64 / self.header.nearest.len() as f64,
        })
    }

    fn similarity(&self, own: &[f64], code: &[u8]) -> f64 {
        let (mut product, mut one, mut other) = (0.0, 0.0, 0.0);
        for ((own, code), step) in own.iter().zip(code).zip(&self.steps) {
            let code = signed(*code) * f64::from(*step);
            product += own * code;
            one += own * own;
            other += code * code;
        }
        product / (one * other).sqrt().max(f64::MIN_POSITIVE)
    }

    fn neighbour(&self, index: usize, similarity: f64) -> Result<Neighbour, &'static str> {
        let wrong = "a line of it is not style, key and name";
        let [style, key, name] = self.lines[index]
            .splitn(3, '\t')
            .collect::<Vec<_>>()
            .try_into()
            .map_err(|_| wrong)?;
        let source = self.header.sources.iter().find(|source| source.style == style);
        let source = source.ok_or("it names a style without a source")?;
        Ok(Neighbour {
            id: format!("{style}/{key}"),
            name: name.to_owned(),
            source: source.source.clone(),
            licence: source.licence.clone(),
            similarity,
        })
    }
}

fn signed(byte: u8) -> f64 {
    f64::from(byte.cast_signed())
}

fn split(bytes: &[u8], count: usize) -> Result<(&[u8], &[u8]), &'static str> {
    bytes.split_at_checked(count).ok_or("it is too short")
}

fn floats(bytes: &[u8]) -> Result<Vec<f32>, &'static str> {
    let floats: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    match floats.iter().all(|value| value.is_finite()) {
        true => Ok(floats),
        false => Err("it has numbers that are none"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An index of two pictures in one dimension: how much alpha there is.
    fn index(lines: &str) -> Vec<u8> {
        let header = serde_json::json!({
            "side": 16, "dimensions": 1, "count": 2, "nearest": vec![0.5; 101],
            "sources": [{"style": "flat", "source": "a set", "licence": "MIT"}],
        });
        let header = header.to_string().into_bytes();
        let mut bytes = [MAGIC, &(header.len() as u32).to_le_bytes(), &header].concat();
        bytes.extend([100; descriptor::NUMBERS]);
        bytes.extend([1f32.to_le_bytes(), 0.5f32.to_le_bytes()].concat());
        bytes.extend([0, 0, 0, 1].repeat(descriptor::NUMBERS / 4));
        bytes.extend([127, -127i8 as u8]);
        bytes.extend(lines.as_bytes());
        bytes
    }

    #[test]
    fn the_nearest_comes_first() {
        let bytes = index("flat\t1\tfull\nflat\t2\tempty\n");
        let index = Index::read(&bytes).unwrap();
        for (alpha, name) in [(255, "full"), (0, "empty")] {
            let found = index.nearest(&Picture::filled(16, 16, [9, 9, 9, alpha]).unwrap()).unwrap();
            assert_eq!((found.pictures[0].name.as_str(), found.among), (name, 2));
            assert!((found.pictures[0].similarity - 1.0).abs() < 1e-9);
            assert!((found.pictures[1].similarity + 1.0).abs() < 1e-9);
            assert_eq!((found.pictures[0].licence.as_str(), found.ordinary), ("MIT", 0.0));
        }
    }

    #[test]
    fn damaged_indices_are_refused() {
        let whole = index("flat\t1\tfull\nflat\t2\tempty\n");
        for (bytes, problem) in [
            (&whole[1..], "begins with other bytes"),
            (&whole[..10], "ends in its header"),
            (&whole[..300], "too short"),
            (&index("flat\t1\tfull\n"), "another number of names"),
        ] {
            let found = Index::read(bytes).err().unwrap();
            assert!(found.contains(problem), "{found}");
        }
        for lines in ["flat\t1\nflat\t2", "ink\t1\tfull\nink\t2\tempty"] {
            let bytes = index(lines);
            let picture = Picture::filled(16, 16, [0; 4]).unwrap();
            assert!(Index::read(&bytes).unwrap().nearest(&picture).is_err());
        }
    }
}
