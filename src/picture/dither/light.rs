//! Conversion from sRGB bytes to linear light, in integers.
//!
//! Depends on nothing. The eye adds up the light of neighbouring dots, so colours must be mixed in values proportional to light (IEC 61966-2-1, inverse of its transfer function). The table is stored, not
//! computed, because `powf` differs in its last bits between processors.

/// Full light.
pub(super) const FULL: i32 = 1 << 14;

/// Linear light of an sRGB colour: red, green, blue, each from 0 to [`FULL`].
pub(super) fn of(colour: [u8; 3]) -> [i32; 3] {
    colour.map(|value| i32::from(LIGHT[value as usize]))
}

/// Luminance (Rec. 709 weights, in 1/65536), in the same unit.
pub(super) fn luminance([red, green, blue]: [i32; 3]) -> i32 {
    let sum = 13_933 * i64::from(red) + 46_871 * i64::from(green) + 4_732 * i64::from(blue);
    ((sum + (1 << 15)) >> 16) as i32
}

/// The sRGB byte whose light is nearest.
pub(super) fn byte(light: i32) -> u8 {
    let above = LIGHT.partition_point(|&value| i32::from(value) < light).min(255);
    let below = above.saturating_sub(1);
    let far = |index: usize| (light - i32::from(LIGHT[index])).abs();
    if far(below) < far(above) { below as u8 } else { above as u8 }
}

#[rustfmt::skip]
const LIGHT: [u16; 256] = [
    0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 66, 72, 78,
    85, 92, 99, 107, 115, 123, 131, 140, 150, 159, 169, 180, 190, 201, 213, 224,
    237, 249, 262, 275, 289, 303, 318, 332, 348, 363, 379, 396, 413, 430, 448, 466,
    484, 503, 523, 542, 563, 583, 604, 626, 648, 670, 693, 717, 740, 765, 789, 814,
    840, 866, 893, 920, 947, 975, 1003, 1032, 1062, 1092, 1122, 1153, 1184, 1216, 1248, 1281,
    1314, 1348, 1382, 1417, 1453, 1488, 1525, 1562, 1599, 1637, 1675, 1714, 1753, 1793, 1834, 1875,
    1916, 1959, 2001, 2044, 2088, 2132, 2177, 2222, 2268, 2314, 2361, 2409, 2457, 2506, 2555, 2604,
    2655, 2706, 2757, 2809, 2861, 2915, 2968, 3022, 3077, 3133, 3189, 3245, 3302, 3360, 3418, 3477,
    3537, 3597, 3657, 3719, 3780, 3843, 3906, 3970, 4034, 4099, 4164, 4230, 4297, 4364, 4432, 4500,
    4569, 4639, 4709, 4780, 4852, 4924, 4997, 5070, 5144, 5219, 5294, 5370, 5447, 5524, 5602, 5680,
    5760, 5839, 5920, 6001, 6082, 6165, 6248, 6331, 6416, 6500, 6586, 6672, 6759, 6847, 6935, 7024,
    7113, 7203, 7294, 7386, 7478, 7571, 7664, 7758, 7853, 7949, 8045, 8142, 8239, 8338, 8436, 8536,
    8636, 8737, 8839, 8941, 9044, 9148, 9252, 9357, 9463, 9570, 9677, 9785, 9893, 10002, 10112, 10223,
    10334, 10446, 10559, 10673, 10787, 10902, 11017, 11134, 11251, 11368, 11487, 11606, 11726, 11847, 11968, 12090,
    12213, 12336, 12460, 12585, 12711, 12837, 12965, 13092, 13221, 13350, 13481, 13611, 13743, 13875, 14008, 14142,
    14276, 14412, 14548, 14684, 14822, 14960, 15099, 15239, 15379, 15521, 15663, 15805, 15949, 16093, 16238, 16384,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_the_transfer_function() {
        for (value, &light) in LIGHT.iter().enumerate() {
            let srgb = value as f64 / 255.0;
            let linear = if srgb <= 0.04045 {
                srgb / 12.92
            } else {
                ((srgb + 0.055) / 1.055).powf(2.4)
            };
            assert!((linear * f64::from(FULL) - f64::from(light)).abs() <= 0.501, "{value}");
        }
    }

    #[test]
    fn bytes_survive_the_way_there_and_back() {
        for value in 0..=255u8 {
            assert_eq!(byte(of([value; 3])[0]), value);
        }
        assert_eq!((byte(-5), byte(FULL + 900)), (0, 255));
    }

    #[test]
    fn white_has_full_luminance() {
        assert_eq!(luminance([FULL; 3]), FULL);
        assert_eq!(luminance([0; 3]), 0);
    }
}
