//! What somebody who misspelt a name probably meant. Depends on nothing else in this crate.

/// The name with the smallest Damerau–Levenshtein distance to `wrong`, unless more than a third of its letters differ.
/// Upper and lower case, and `-` and `_`, count as equal.
pub(crate) fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let fold = |name: &str| name.to_lowercase().replace('-', "_");
    let wrong = fold(wrong);
    let length = wrong.chars().count();
    let letters = |name: &str| name.chars().count().max(length).max(3);
    // A distance takes time by the product of the lengths, and is at least their difference.
    let may_be_near = |name: &&str| name.chars().count().abs_diff(length) * 3 <= letters(name);
    let distance = |name: &str| strsim::damerau_levenshtein(&wrong, &fold(name));
    let candidates = known.into_iter().filter(may_be_near);
    let (distance, name) = candidates.map(|name| (distance(name), name)).min()?;
    (distance * 3 <= letters(name)).then_some(name)
}

/// The end of an error message: `; did you mean 'x'?`, or the names that exist if none is near. Empty if there are none.
pub(crate) fn did_you_mean(wrong: &str, known: &[&str]) -> String {
    match nearest(wrong, known.iter().copied()) {
        Some(name) => format!("; did you mean '{name}'?"),
        None if known.is_empty() => String::new(),
        None => format!("; expected one of {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_mistakes_are_corrected_and_large_ones_are_not() {
        let known = ["framebuffer", "kms", "page-up", "spi"];
        for (wrong, expected) in [
            ("framebufer", Some("framebuffer")),
            ("KMS", Some("kms")),
            ("ksm", Some("kms")),
            ("page_up", Some("page-up")),
            ("hologram", None),
            ("", None),
        ] {
            assert_eq!(nearest(wrong, known), expected, "{wrong}");
        }
        assert_eq!(nearest(&"x".repeat(4 << 20), known), None);
        assert_eq!(did_you_mean("kmss", &known), "; did you mean 'kms'?");
        assert_eq!(did_you_mean("hologram", &["kms", "spi"]), "; expected one of kms, spi");
        assert_eq!(did_you_mean("hologram", &[]), "");
    }
}
