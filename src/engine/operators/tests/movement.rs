//! Operators that only add or move floats, against their definition.

use super::*;

#[test]
fn sums_of_pictures_and_of_channels() {
    let mut numbers = Numbers(23);
    for (a, b) in [
        (vec![1, 3, 4, 5], vec![1, 3, 4, 5]),
        (vec![1, 3, 4, 5], vec![1, 3, 1, 1]),
        (vec![1, 40, 100, 7], vec![1, 40, 1, 1]),
        (vec![2, 3], vec![1, 1]),
        (vec![1, 0, 3], vec![1, 0, 1]),
    ] {
        let [x, y] = [&a, &b].map(|shape| numbers.floats(shape.iter().product()));
        if !Addition::fits(&a, &b) {
            assert!(Addition.output_shape(&[&a, &b]).is_err());
            continue;
        }
        let (shape, found) = run(&Addition, &[value(&a, &x), value(&b, &y)]);
        let times = x.len().checked_div(y.len()).unwrap_or(1);
        let expected: Vec<f64> = x.iter().enumerate().map(|(index, x)| f64::from(x + y[index / times])).collect();
        assert_eq!(shape, a);
        assert_close(&found, &expected, 0.0);
    }
    assert!(!Addition::fits(&[1, 3, 4], &[1, 1, 4]) && !Addition::fits(&[3, 4], &[4]));
}

#[test]
fn inputs_one_after_another_along_any_dimension() {
    let mut numbers = Numbers(29);
    for axis in 0..3 {
        let shapes = [2, 5, 1].map(|size| {
            let mut shape = [3, 4, 6];
            shape[axis] = size;
            shape
        });
        let values = shapes.map(|shape| numbers.floats(shape.iter().product()));
        let inputs: Vec<TValue> = shapes.iter().zip(&values).map(|(shape, values)| value(shape, values)).collect();
        let (shape, found) = run(&Concatenation { axis }, &inputs);
        assert_eq!(shape[axis], 8);
        for (index, &found) in found.iter().enumerate() {
            let mut place = [index / (shape[1] * shape[2]), index / shape[2] % shape[1], index % shape[2]];
            let input = [2, 7, 8].iter().position(|&end| place[axis] < end).unwrap();
            place[axis] -= [0, 2, 7][input];
            let [_, tall, wide] = shapes[input];
            assert_eq!(found, values[input][(place[0] * tall + place[1]) * wide + place[2]]);
        }
    }
    assert!(Concatenation { axis: 1 }.output_shape(&[&[1, 2, 3], &[1, 2, 4]]).is_err());
    assert!(Concatenation { axis: 3 }.output_shape(&[&[1, 2, 3]]).is_err());
}

#[test]
fn a_dimension_moves_to_every_place() {
    let mut numbers = Numbers(31);
    for shape in [[2, 3, 4, 5], [3, 17, 33, 1], [1, 64, 1, 300]].into_iter().take(AT_MOST) {
        let values = numbers.floats(shape.iter().product());
        for (from, to) in (0..4).flat_map(|from| (0..4).map(move |to| (from, to))) {
            let (moved, found) = run(&MoveAxis { from, to }, &[value(&shape, &values)]);
            let mut order: Vec<usize> = (0..4).collect();
            let dimension = order.remove(from);
            order.insert(to, dimension);
            let mut place = [0; 4];
            for (index, &found) in found.iter().enumerate() {
                let mut rest = index;
                for dimension in (0..4).rev() {
                    place[order[dimension]] = rest % moved[dimension];
                    rest /= moved[dimension];
                }
                let source = place.iter().zip(shape).fold(0, |source, (place, size)| source * size + place);
                assert_eq!(found, values[source], "{from} to {to} of {shape:?}");
            }
        }
    }
    assert!(MoveAxis { from: 0, to: 2 }.output_shape(&[&[1, 2]]).is_err());
}
