//! Colours of transparent pixels. Who shows a picture scaled and with straight alpha, as game engines do with their textures, mixes colours of
//! transparent pixels into the edges: black ones become dark halos. Owns giving them the colours of their neighbours; depends on [`Picture`].

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
            bled.pixels[at * 4..at * 4 + 3].copy_from_slice(&colour);
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

    /// A picture twice as large by a texture unit's bilinear filter, which knows nothing of alpha, over a background.
    fn as_texture(picture: &Picture, background: u8) -> Vec<[u8; 3]> {
        let at = |x: i64, y: i64| {
            let inside = |place: i64, side: u32| place.clamp(0, i64::from(side) - 1) as u32;
            picture.pixel(inside(x, picture.width()), inside(y, picture.height())).unwrap()
        };
        let sides = (i64::from(picture.width()) * 2, i64::from(picture.height()) * 2);
        let places = (0..sides.1).flat_map(|y| (0..sides.0).map(move |x| (x, y)));
        let mixed = places.map(|(x, y)| {
            let (x, y) = ((x - 1).div_euclid(2), (y - 1).div_euclid(2));
            let four = [at(x, y), at(x + 1, y), at(x, y + 1), at(x + 1, y + 1)];
            let mean = |channel: usize| four.iter().map(|pixel| f32::from(pixel[channel])).sum::<f32>() / 4.0;
            let alpha = mean(3) / 255.0;
            std::array::from_fn(|channel| (mean(channel) * alpha + f32::from(background) * (1.0 - alpha)).round() as u8)
        });
        mixed.collect()
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
        // The disc's red is 200: on white nothing may be darker than that, on black nothing brighter.
        let reds = |picture: &Picture, background| as_texture(picture, background).into_iter().map(|pixel| pixel[0]);
        assert!(reds(&bleed(&disc()), 255).min() >= Some(200));
        assert!(reds(&disc(), 255).min() < Some(190), "the test sees halos");
        assert!(reds(&bleed(&disc()), 0).max() <= Some(200));
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
