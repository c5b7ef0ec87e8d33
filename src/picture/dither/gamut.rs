//! The gamut of a panel's inks, and gamut mapping.
//!
//! Dots of inks mix to the colours within the convex hull of the inks, and no others. A colour outside leaves an error that
//! error diffusion can never compensate: it carries it on until it shows as dots of a wrong ink (light blue turns green). So each
//! colour is first mapped into the hull, in a straight line towards a grey, which keeps its hue. That grey lies two thirds of
//! the way from the colour's own luminance to the one at which its hue is most colourful on this panel
//! (the cusp; J. Morovič, *Color Gamut Mapping*, 2008, CUSP): a pure green becomes a darker green, not a pale one.
//!
//! Depends on [`light`](super::light). Only single additions, multiplications and divisions: the same on every
//! processor.

use super::light;

/// A bounding plane of the hull: points inside have `normal · point <= distance`.
#[derive(Clone, Copy, Debug)]
struct Facet {
    normal: [f64; 3],
    distance: f64,
}

/// Number of luminances searched for the cusp.
const HEIGHTS: i32 = 16;

/// How far towards the cusp colours outside are mapped; chosen by the looks of previews of flat drawings.
const TOWARDS_CUSP: f64 = 0.65;

/// The gamut of a panel.
#[derive(Clone, Debug)]
pub(super) struct Gamut {
    facets: Vec<Facet>,
}

impl Gamut {
    /// The convex hull of inks, of which black is at 0 and white at full light.
    pub(super) fn new(inks: &[[i32; 3]]) -> Gamut {
        let points: Vec<[f64; 3]> = inks.iter().map(|ink| ink.map(f64::from)).collect();
        let mut facets = Vec::new();
        for (a, &first) in points.iter().enumerate() {
            for (b, &second) in points.iter().enumerate().skip(a + 1) {
                for &third in points.iter().skip(b + 1) {
                    facets.extend(facet([first, second, third], &points));
                }
            }
        }
        Gamut { facets }
    }

    /// The colour itself if it is inside the gamut, otherwise the one that it is mapped to. Without a hull (black and white only),
    /// the grey of its luminance.
    pub(super) fn nearest(&self, colour: [i32; 3]) -> [i32; 3] {
        let own = light::luminance(colour);
        if self.facets.is_empty() {
            return [own; 3];
        }
        let point = colour.map(f64::from);
        if self.facets.iter().all(|facet| dot(facet.normal, point) <= facet.distance) {
            return colour;
        }
        let own = f64::from(own).clamp(0.0, f64::from(light::FULL));
        let direction = point.map(|value| value - own);
        let grey = own + TOWARDS_CUSP * (self.cusp(direction, own) - own);
        let share = self.share(point, grey);
        point.map(|value| (value + share * (grey - value) + 0.5).floor() as i32)
    }

    /// How far to go from a point outside towards a grey to reach the hull, from 0 to 1.
    fn share(&self, point: [f64; 3], grey: f64) -> f64 {
        let excess = |facet: &Facet| {
            let (here, there) = (dot(facet.normal, point), dot(facet.normal, [grey; 3]));
            if here > facet.distance && here > there {
                (here - facet.distance) / (here - there)
            } else {
                0.0
            }
        };
        self.facets.iter().map(excess).fold(0.0, f64::max).min(1.0)
    }

    /// The luminance at which the hull reaches farthest in a direction of constant luminance.
    fn cusp(&self, direction: [f64; 3], otherwise: f64) -> f64 {
        let mut best = (0.0, otherwise);
        for step in 1..HEIGHTS {
            let grey = f64::from(light::FULL / HEIGHTS * step);
            let reach = self.reach(grey, direction);
            if reach > best.0 {
                best = (reach, grey);
            }
        }
        best.1
    }

    /// How far the hull reaches from a grey in a direction, in multiples of its length.
    fn reach(&self, grey: f64, direction: [f64; 3]) -> f64 {
        let limit = |facet: &Facet| {
            let slope = dot(facet.normal, direction);
            let room = facet.distance - dot(facet.normal, [grey; 3]);
            if slope > 0.0 { room.max(0.0) / slope } else { f64::INFINITY }
        };
        self.facets.iter().map(limit).fold(f64::INFINITY, f64::min)
    }
}

/// The plane through three points, if all others lie on one side of it.
fn facet([a, b, c]: [[f64; 3]; 3], points: &[[f64; 3]]) -> Option<Facet> {
    let normal = cross(minus(b, a), minus(c, a));
    let length = dot(normal, normal).sqrt();
    if length < 1.0 {
        return None;
    }
    let normal = normal.map(|value| value / length);
    let heights = || points.iter().map(|&point| dot(normal, minus(point, a)));
    // Light is rounded to integers, so inks on a plane may be half a unit off.
    let (above, below) = (heights().fold(0.0, f64::max), heights().fold(0.0, f64::min));
    let outward = match (above <= 0.5, below >= -0.5) {
        (true, false) => normal,
        (false, true) => normal.map(|value| -value),
        _ => return None,
    };
    Some(Facet {
        normal: outward,
        distance: dot(outward, a) + 0.5,
    })
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn minus(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    std::array::from_fn(|axis| a[axis] - b[axis])
}

fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}
