//! Ports by role: what a family supplies to a stage, checked against the manifest before anything runs, and given to the
//! graph's inputs in their order.

use std::collections::BTreeMap;
use std::path::Path;

use crate::engine::{AttentionWatch, Engine, EngineError, Stages, Value};
use crate::pack::{Element, Manifest, PackError, Port, Role, Stage};

/// Values by role.
pub type Values = BTreeMap<Role, Value>;

/// What is supplied for a role.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Supply {
    /// Element type.
    pub element: Element,
    /// Number of elements.
    pub elements: usize,
    /// Smallest and largest value, if they are known beforehand.
    pub range: Option<[f64; 2]>,
}

impl Supply {
    /// Floats without known limits.
    pub fn floats(elements: usize) -> Supply {
        Supply {
            element: Element::F32,
            elements,
            range: None,
        }
    }

    /// Integers without known limits.
    pub fn integers(elements: usize) -> Supply {
        Supply {
            element: Element::I64,
            ..Supply::floats(elements)
        }
    }

    /// The same with limits, inclusive.
    #[must_use]
    pub fn within(self, low: f64, high: f64) -> Supply {
        Supply {
            range: Some([low, high]),
            ..self
        }
    }

    /// What a port gives.
    pub fn of(port: &Port) -> Supply {
        Supply {
            element: port.element,
            elements: port.elements(),
            range: port.range,
        }
    }

    /// Why this cannot be given to a port.
    fn problem(&self, port: &Port) -> Option<String> {
        if self.element != port.element {
            return Some(format!("has element type {}, but {} is supplied", port.element, self.element));
        }
        if self.elements != port.elements() {
            return Some(format!(
                "has shape {:?} ({} elements), but {} elements are supplied",
                port.shape,
                port.elements(),
                self.elements
            ));
        }
        let ([low, high], [least, most]) = (port.range?, self.range?);
        (least < low || most > high).then(|| format!("takes values from {low} to {high}, but {least} to {most} are supplied"))
    }
}

/// Checks a stage's inputs against what is supplied by role; returns what its outputs supply in turn.
///
/// # Errors
/// If the manifest has no such stage, a port has no role, two inputs or two outputs have the same one, or an input's role is not
/// supplied, or with another element type, size or range.
pub fn check_stage(
    manifest: &Manifest,
    file: &Path,
    stage: &str,
    supplied: &BTreeMap<Role, Supply>,
) -> Result<BTreeMap<Role, Supply>, PackError> {
    let missing = || PackError::field(file, "stages", format!("'{stage}' is required for this family"));
    let record = manifest.stages.get(stage).ok_or_else(missing)?;
    let inputs = by_role(file, stage, "inputs", &record.inputs)?;
    for (role, port) in inputs.into_iter().filter(|(role, _)| *role != Role::Condition) {
        let problem = match supplied.get(&role) {
            Some(supply) => supply.problem(port),
            None => {
                let roles: Vec<String> = supplied.keys().map(Role::to_string).collect();
                Some(format!(
                    "has role '{role}', which is not supplied to this stage; supplied are {}",
                    roles.join(", ")
                ))
            }
        };
        if let Some(problem) = problem {
            return Err(PackError::field(
                file,
                &format!("stages.{stage}.inputs"),
                format!("'{}' {problem}", port.name),
            ));
        }
    }
    let outputs = by_role(file, stage, "outputs", &record.outputs)?;
    Ok(outputs.into_iter().map(|(role, port)| (role, Supply::of(port))).collect())
}

/// Ports by role; each must have one of its own, conditions aside.
fn by_role<'a>(file: &Path, stage: &str, kind: &str, ports: &'a [Port]) -> Result<BTreeMap<Role, &'a Port>, PackError> {
    let mut found = BTreeMap::new();
    for port in ports {
        let fail = |problem: &str| {
            Err(PackError::field(
                file,
                &format!("stages.{stage}.{kind}"),
                format!("'{}' {problem}", port.name),
            ))
        };
        let Some(role) = port.role else { return fail("has no role") };
        if found.insert(role, port).is_some() && role != Role::Condition {
            return fail(&format!("has role '{role}', which another port has as well"));
        }
    }
    Ok(found)
}

/// Checks the numbers of the manifest's styles and its padding against the tables that the loaded stages index by them.
///
/// # Errors
/// For the first number that a table does not have.
pub fn check_indices(stages: &Stages) -> Result<(), PackError> {
    let pack = stages.pack();
    let (manifest, file) = (pack.manifest(), pack.manifest_path());
    let styles = manifest
        .styles
        .iter()
        .map(|style| (style.id, format!("the style '{}'", style.name)));
    let padding = manifest
        .prompt
        .iter()
        .map(|prompt| (i64::from(prompt.padding), "the padding".to_owned()));
    let indices = [
        (Role::Style, "styles", styles.collect::<Vec<_>>()),
        (Role::Ids, "prompt.padding", padding.collect()),
    ];
    for stage in stages.loaded() {
        let name = stage.name();
        for (number, port) in manifest.stages[name].inputs.iter().enumerate() {
            let (Some(role), Some(rows)) = (port.role, stage.indexed_rows(number)) else {
                continue;
            };
            let of_role = indices.iter().filter(|(of, ..)| *of == role);
            let mut all = of_role.flat_map(|(_, field, indices)| indices.iter().map(move |index| (field, index)));
            if let Some((field, (id, what))) = all.find(|(_, (id, _))| usize::try_from(*id).map_or(true, |row| row >= rows)) {
                let problem = format!("{what} has the id {id}, but stage '{name}' has a table of {rows} rows for it");
                return Err(PackError::field(&file, field, problem));
            }
        }
    }
    Ok(())
}

/// Runs a stage on values by role, with the defaults of its conditions; returns its outputs by role.
///
/// # Errors
/// If the stage cannot be loaded or fails, or a value is missing.
pub fn run_stage(stages: &Stages, engine: &Engine, name: &str, values: &Values) -> Result<Values, EngineError> {
    run_stage_with(stages, engine, name, values, &BTreeMap::new())
}

/// As [`run_stage`], with numbers for the conditions that are named, as [`Resolved::conditions`](crate::pipeline::Resolved::conditions) has
/// them.
///
/// # Errors
/// As [`run_stage`].
pub fn run_stage_with(
    stages: &Stages,
    engine: &Engine,
    name: &str,
    values: &Values,
    conditions: &BTreeMap<String, f64>,
) -> Result<Values, EngineError> {
    run_stage_watched(stages, engine, name, values, conditions, None)
}

/// As [`run_stage_with`], and tells a watch, if there is one, what the stage's attention weighs.
///
/// # Errors
/// As [`run_stage`].
pub fn run_stage_watched(
    stages: &Stages,
    engine: &Engine,
    name: &str,
    values: &Values,
    conditions: &BTreeMap<String, f64>,
    watch: Option<&mut dyn AttentionWatch>,
) -> Result<Values, EngineError> {
    let fail = |problem: String| EngineError::Run {
        stage: name.to_owned(),
        problem,
    };
    let record: &Stage = stages
        .pack()
        .manifest()
        .stages
        .get(name)
        .ok_or_else(|| fail("the pack has no such stage".into()))?;
    let given: BTreeMap<&str, Value> = record
        .inputs
        .iter()
        .filter(|port| port.role == Some(Role::Condition))
        .map(|port| (port.name.as_str(), condition(port, conditions)))
        .collect();
    let value = |port: &Port| {
        let by_role = || port.role.and_then(|role| values.get(&role));
        let value = given.get(port.name.as_str()).or_else(by_role).map(Value::as_input);
        value.ok_or_else(|| fail(format!("nothing is supplied for input '{}'", port.name)))
    };
    let inputs = record.inputs.iter().map(value).collect::<Result<Vec<_>, _>>()?;
    let stage = stages.get(engine, name)?;
    let outputs = match watch {
        Some(watch) => stage.run_watched(engine, &inputs, watch)?,
        None => stage.run(engine, &inputs)?,
    };
    let roles = record.outputs.iter().filter_map(|port| port.role);
    Ok(roles.zip(outputs).collect())
}

/// What is given for a condition: the same number in every element.
fn condition(port: &Port, conditions: &BTreeMap<String, f64>) -> Value {
    let asked = conditions.get(&port.name).copied();
    let number = asked.or(port.default).unwrap_or_default();
    match port.element {
        Element::F32 => Value::F32(vec![number as f32; port.elements()]),
        Element::I64 => Value::I64(vec![number as i64; port.elements()]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_supplied_must_fit() {
        let port = Port {
            role: Some(Role::Time),
            range: Some([0.0, 1.0]),
            ..Port::new("t", Element::F32, vec![1, 2])
        };
        assert_eq!(Supply::floats(2).problem(&port), None);
        assert_eq!(Supply::floats(2).within(0.0, 1.0).problem(&port), None);
        for (supply, words) in [
            (Supply::integers(2), "element type f32, but i64"),
            (Supply::floats(1), "2 elements), but 1"),
            (Supply::floats(2).within(0.0, 1000.0), "from 0 to 1, but 0 to 1000"),
        ] {
            let problem = supply.problem(&port).unwrap();
            assert!(problem.contains(words), "{problem}");
        }
    }
}
