//! Colours at the edges of what is visible. Who shows a picture scaled and with straight alpha, as game engines do with their textures, mixes
//! colours of transparent pixels into the edges: black ones become dark halos. And a network that draws colours and alpha hardly ever has both
//! change at the same place. Owns giving pixels the colours of their neighbours, outwards and at the edges themselves; depends on [`Picture`].

use super::Picture;

/// Offsets of the eight neighbours.
const NEIGHBOURS: [(i64, i64); 8] = [(-1, -1), (0, -1), (1, -1), (-1, 0), (1, 0), (-1, 1), (0, 1), (1, 1)];

/// The picture with the colours of its visible pixels spread over its transparent ones, which stay transparent: each takes the mean of the
/// neighbours that have a colour already, from the edges outwards. A picture without visible pixels stays as it is.
#[must_use]
pub fn bleed(picture: &Picture) -> Picture {
    let mut bled = picture.clone();
    let mut has_colour: Vec<bool> = picture.pixels.as_chunks::<4>().0.iter().map(|pixel| pixel[3] > 0).collect();
    let mut edge: Vec<usize> = (0..has_colour.len())
        .filter(|&at| !has_colour[at] && neighbours(picture, at).any(|next| has_colour[next]))
        .collect();
    while !edge.is_empty() {
        let colours: Vec<[u8; 3]> = edge.iter().map(|&at| mean_colour(&bled, at, &has_colour)).collect();
        for (&at, colour) in edge.iter().zip(colours) {
            bled.pixels_mut()[at * 4..at * 4 + 3].copy_from_slice(&colour);
            has_colour[at] = true;
        }
        edge = edge
            .iter()
            .flat_map(|&at| neighbours(picture, at))
            .filter(|&at| !has_colour[at])
            .collect();
        edge.sort_unstable();
        edge.dedup();
    }
    bled
}

/// The picture with clean edges: pixels that are no more than `depth` pixels from what is transparent (by rows, columns and diagonals; by more
/// than half) have the colours of what lies further inside. Alpha stays, and so does what is too thin to have an inside.
#[must_use]
pub fn clean_edges(picture: &Picture, depth: u8) -> Picture {
    let distance = distance_to_transparent(picture, depth);
    let (mut cleaned, mut has_colour) = (
        picture.clone(),
        distance.iter().map(|&distance| distance > depth).collect::<Vec<_>>(),
    );
    for layer in (0..=depth).rev() {
        let is_wanted = |&at: &usize| distance[at] == layer && picture.pixels[at * 4 + 3] > 0;
        let reached = |at: &usize| neighbours(picture, *at).any(|next| has_colour[next]);
        let edge: Vec<usize> = (0..distance.len()).filter(is_wanted).filter(reached).collect();
        let colours: Vec<[u8; 3]> = edge.iter().map(|&at| mean_colour(&cleaned, at, &has_colour)).collect();
        for (&at, colour) in edge.iter().zip(colours) {
            cleaned.pixels_mut()[at * 4..at * 4 + 3].copy_from_slice(&colour);
            has_colour[at] = true;
        }
    }
    cleaned
}

/// How far each pixel is from one that is more than half transparent: 0 for those, at most one more than `most`.
fn distance_to_transparent(picture: &Picture, most: u8) -> Vec<u8> {
    let beyond = most.saturating_add(1);
    let of_pixel = |pixel: &[u8; 4]| if pixel[3] < 128 { 0 } else { beyond };
    let mut distance: Vec<u8> = picture.pixels.as_chunks::<4>().0.iter().map(of_pixel).collect();
    for reached in 0..most {
        let places: Vec<usize> = (0..distance.len()).filter(|&at| distance[at] == reached).collect();
        for next in places.into_iter().flat_map(|at| neighbours(picture, at)) {
            distance[next] = distance[next].min(reached + 1);
        }
    }
    distance
}

/// The mean colour of the neighbours that have one.
fn mean_colour(picture: &Picture, at: usize, has_colour: &[bool]) -> [u8; 3] {
    let (mut sums, mut count) = ([0u32; 3], 0u32);
    for next in neighbours(picture, at).filter(|&next| has_colour[next]) {
        let pixel = &picture.pixels[next * 4..next * 4 + 3];
        sums.iter_mut().zip(pixel).for_each(|(sum, &value)| *sum += u32::from(value));
        count += 1;
    }
    let count = count.max(1);
    sums.map(|sum| ((sum + count / 2) / count) as u8)
}

/// Indices of a pixel's neighbours within the picture.
fn neighbours(picture: &Picture, at: usize) -> impl Iterator<Item = usize> + use<> {
    let (width, height) = (i64::from(picture.width), i64::from(picture.height));
    let (x, y) = (at as i64 % width, at as i64 / width);
    let inside = move |&(across, down): &(i64, i64)| (0..width).contains(&(x + across)) && (0..height).contains(&(y + down));
    NEIGHBOURS
        .into_iter()
        .filter(inside)
        .map(move |(across, down)| ((y + down) * width + x + across) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::scale::{Resampling, resize};

    /// A red disc with soft edges on transparent black.
    fn disc() -> Picture {
        let alpha = |x: u32, y: u32| {
            let (x, y) = (x as f32 - 15.5, y as f32 - 15.5);
            (((11.0 - (x * x + y * y).sqrt()).clamp(0.0, 1.0)) * 255.0) as u8
        };
        let pixel = |x, y| match alpha(x, y) {
            0 => [0; 4],
            alpha => [200, 30, 10, alpha],
        };
        let pixels = (0..32).flat_map(|y| (0..32).flat_map(move |x| pixel(x, y)));
        Picture::new(32, 32, pixels.collect()).unwrap()
    }

    /// By how much red is off, at most, where a texture unit's bilinear filter, which knows nothing of alpha, shows the disc twice as large over a
    /// background.
    fn halo(picture: &Picture, background: f32) -> f32 {
        let at = |x: i64, y: i64| picture.pixel(x.clamp(0, 31) as u32, y.clamp(0, 31) as u32).unwrap();
        let places = (0..64).flat_map(|y| (0..64).map(move |x| (x, y)));
        let off = places.map(|(x, y)| {
            let (x, y) = ((x - 1i64).div_euclid(2), (y - 1i64).div_euclid(2));
            let four = [at(x, y), at(x + 1, y), at(x, y + 1), at(x + 1, y + 1)];
            let mean = |channel: usize| four.iter().map(|pixel| f32::from(pixel[channel])).sum::<f32>() / 4.0;
            let over = |red: f32| red * mean(3) / 255.0 + background * (1.0 - mean(3) / 255.0);
            (over(mean(0)) - over(200.0)).abs()
        });
        off.fold(0.0, f32::max)
    }

    #[test]
    fn what_is_visible_stays_and_what_is_not_gets_a_colour() {
        let (plain, bled) = (disc(), bleed(&disc()));
        for (before, after) in plain.pixels().chunks(4).zip(bled.pixels().chunks(4)) {
            assert_eq!(before[3], after[3]);
            assert_eq!(after[..3], [200, 30, 10]);
        }
        let nothing = Picture::filled(5, 3, [0; 4]).unwrap();
        assert_eq!(bleed(&nothing), nothing);
    }

    #[test]
    fn textures_have_no_halo_on_any_background() {
        for background in [0.0, 128.0, 255.0] {
            assert!(halo(&bleed(&disc()), background) < 0.5);
            assert!(halo(&disc(), background) > 10.0, "the test sees halos");
        }
    }

    #[test]
    fn edges_have_the_colour_of_what_lies_inside() {
        // A disc with a dark rim, and a line that is too thin to have an inside.
        let mut picture = disc();
        for at in 0..1024 {
            let (x, y) = ((at % 32) as f32 - 15.5, (at / 32) as f32 - 15.5);
            if (x * x + y * y).sqrt() > 9.0 && picture.pixels[at * 4 + 3] > 0 {
                picture.pixels_mut()[at * 4..at * 4 + 3].copy_from_slice(&[90, 10, 5]);
            }
        }
        picture.pixels_mut()[32 * 4..64 * 4].copy_from_slice(&[0, 0, 255, 255].repeat(32));
        let cleaned = clean_edges(&picture, 3);
        for (at, (before, after)) in picture.pixels.chunks(4).zip(cleaned.pixels.chunks(4)).enumerate() {
            assert_eq!(before[3], after[3], "alpha stays");
            match at {
                32..64 => assert_eq!(after, before, "the line stays"),
                _ if after[3] > 0 => assert_eq!(after[..3], [200, 30, 10], "at {at}"),
                _ => assert_eq!(after, before),
            }
        }
        assert_eq!(
            clean_edges(&Picture::filled(4, 4, [9, 9, 9, 255]).unwrap(), 2).pixels(),
            [9, 9, 9, 255].repeat(16)
        );
    }

    #[test]
    fn smooth_scaling_has_no_halo_either() {
        for side in [16, 45, 100] {
            let scaled = resize(&disc(), side, side, Resampling::Smooth).unwrap();
            let visible = scaled.pixels().chunks(4).filter(|pixel| pixel[3] > 8);
            for pixel in visible {
                let is_near = |value: u8, wanted: u8| value.abs_diff(wanted) <= 16;
                assert!(
                    is_near(pixel[0], 200) && is_near(pixel[1], 30) && is_near(pixel[2], 10),
                    "{pixel:?}"
                );
            }
        }
    }
}
