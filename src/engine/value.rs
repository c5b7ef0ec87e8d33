//! What goes into and comes out of stages. Depends on nothing.

/// Elements of a stage's output, in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// 32-bit floats.
    F32(Vec<f32>),
    /// 64-bit integers.
    I64(Vec<i64>),
}

impl Value {
    /// The floats; none for a value of integers.
    pub fn into_floats(self) -> Option<Vec<f32>> {
        match self {
            Value::F32(values) => Some(values),
            Value::I64(_) => None,
        }
    }

    /// The value as an input, without copying it.
    pub fn as_input(&self) -> Input<'_> {
        match self {
            Value::F32(values) => Input::F32(values),
            Value::I64(values) => Input::I64(values),
        }
    }
}

/// Elements of a stage's input, in row-major order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Input<'a> {
    /// 32-bit floats.
    F32(&'a [f32]),
    /// 64-bit integers.
    I64(&'a [i64]),
}

impl Input<'_> {
    /// A copy.
    pub fn to_value(self) -> Value {
        match self {
            Input::F32(values) => Value::F32(values.to_vec()),
            Input::I64(values) => Value::I64(values.to_vec()),
        }
    }
}

impl<'a> From<&'a Value> for Input<'a> {
    fn from(value: &'a Value) -> Input<'a> {
        value.as_input()
    }
}

impl<'a> From<&'a [f32]> for Input<'a> {
    fn from(values: &'a [f32]) -> Input<'a> {
        Input::F32(values)
    }
}

impl<'a> From<&'a [i64]> for Input<'a> {
    fn from(values: &'a [i64]) -> Input<'a> {
        Input::I64(values)
    }
}
