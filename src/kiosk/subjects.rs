//! Subjects that visitors can choose without typing: words by category in twelve languages, from `subjects.tsv` or a file of
//! the owner. Depends on [`super::language`] only.

use std::path::{Path, PathBuf};

use super::language::Language;
use crate::bounded_file;

/// A subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Category, as named in `names.toml`.
    pub category: String,
    /// Names in the order of [`Language::ALL`]; the English one is the prompt and always present.
    names: Vec<String>,
    /// What it is called in English, if that is not the prompt.
    plain: Option<String>,
}

impl Subject {
    /// The prompt.
    pub fn prompt(&self) -> &str {
        &self.names[0]
    }

    /// The displayed name; in English if the language lacks one or cannot be rendered.
    pub fn name(&self, language: Language) -> &str {
        let column = Language::ALL.iter().position(|other| *other == language);
        let name = column.filter(|column| *column > 0).and_then(|column| self.names.get(column));
        let english = self.plain.as_deref().unwrap_or(self.prompt());
        name.filter(|name| !name.is_empty()).map_or(english, String::as_str)
    }
}

/// All subjects, by category.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subjects {
    all: Vec<Subject>,
}

/// An invalid file of subjects.
#[derive(Debug, thiserror::Error)]
pub enum SubjectsError {
    /// It cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A line is invalid.
    #[error(
        "{path}:{line}: {problem}; expected a category and an English name, then optional names in {languages}, separated by tabs",
        languages = "zh es fr de ja ko pt ru ar hi it"
    )]
    Line {
        /// The file.
        path: PathBuf,
        /// Line number from 1.
        line: usize,
        /// What is wrong.
        problem: &'static str,
    },
    /// The file has no subject.
    #[error("{0}: the file has no subjects")]
    Empty(PathBuf),
}

impl Subjects {
    /// The shipped subjects: names from Unicode CLDR that the shipped pack draws well.
    ///
    /// # Errors
    /// None: a test reads the table.
    pub fn shipped() -> Result<Subjects, SubjectsError> {
        Subjects::parse(include_str!("subjects.tsv"), Path::new("subjects.tsv"))
    }

    /// Subjects from a file in the format of `subjects.tsv`. Columns after the second are optional; the last is what a subject is called in
    /// English, if that is not the prompt.
    ///
    /// # Errors
    /// If it cannot be read, has a line without category or name, or has no subject.
    pub fn read(path: &Path) -> Result<Subjects, SubjectsError> {
        let text = bounded_file::read_text(path, bounded_file::TEXT).map_err(|source| SubjectsError::Read {
            path: path.to_owned(),
            source,
        })?;
        Subjects::parse(&text, path)
    }

    fn parse(text: &str, path: &Path) -> Result<Subjects, SubjectsError> {
        let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim_end()));
        let subjects = lines
            .filter(|(_, line)| !line.is_empty() && !line.starts_with('#') && !line.starts_with("category\t"))
            .map(|(line, text)| {
                subject(text).map_err(|problem| SubjectsError::Line {
                    path: path.to_owned(),
                    line,
                    problem,
                })
            });
        let all = subjects.collect::<Result<Vec<Subject>, SubjectsError>>()?;
        if all.is_empty() {
            return Err(SubjectsError::Empty(path.to_owned()));
        }
        Ok(Subjects { all })
    }

    /// Their number, at least one.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// The subject at an index, which wraps around.
    pub fn get(&self, index: usize) -> &Subject {
        &self.all[index % self.all.len()]
    }

    /// Indices of the subjects of a category, or of all.
    pub fn of(&self, category: Option<&str>) -> Vec<usize> {
        let is_of = |subject: &Subject| category.is_none_or(|category| subject.category == category);
        (0..self.all.len()).filter(|index| is_of(&self.all[*index])).collect()
    }

    /// The categories in their order.
    pub fn categories(&self) -> Vec<&str> {
        let mut categories: Vec<&str> = Vec::new();
        for subject in &self.all {
            if !categories.contains(&subject.category.as_str()) {
                categories.push(&subject.category);
            }
        }
        categories
    }

    /// The displayed title of a prompt: `red fox` is `Fuchs · rot` in German if `red` is one of the colours. Prompts that are not
    /// a subject, with or without a colour, are unchanged.
    pub fn title(&self, prompt: &str, language: Language, colours: &[String]) -> String {
        let named = |words: &str| self.all.iter().find(|subject| subject.prompt() == words);
        if let Some(subject) = named(prompt) {
            return subject.name(language).to_owned();
        }
        let coloured = colours.iter().find_map(|colour| {
            let subject = named(prompt.strip_prefix(colour.as_str())?.strip_prefix(' ')?)?;
            Some(format!("{} · {}", subject.name(language), language.name(colour)))
        });
        coloured.unwrap_or_else(|| prompt.to_owned())
    }
}

fn subject(line: &str) -> Result<Subject, &'static str> {
    let mut columns = line.split('\t').map(|column| column.trim().to_owned());
    let category = columns.next().filter(|text| !text.is_empty()).ok_or("the category is missing")?;
    let names: Vec<String> = columns.by_ref().take(Language::ALL.len()).collect();
    let plain = columns.next().filter(|text| !text.is_empty());
    if names.first().is_none_or(String::is_empty) {
        return Err("the English name is missing");
    }
    if columns.next().is_some() {
        return Err("there are more columns than languages");
    }
    Ok(Subject { category, names, plain })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_ones_have_names_in_all_languages() {
        let subjects = Subjects::shipped().unwrap();
        assert!(subjects.count() >= 150, "{}", subjects.count());
        assert_eq!(subjects.categories().len(), 8);
        for subject in &subjects.all {
            assert_eq!(subject.names.len(), Language::ALL.len(), "{}", subject.prompt());
            assert!(subject.names.iter().all(|name| !name.is_empty()), "{}", subject.prompt());
            assert_ne!(Language::De.name(&subject.category), "", "{}", subject.category);
        }
        let prompts: std::collections::BTreeSet<&str> = subjects.all.iter().map(Subject::prompt).collect();
        assert_eq!(prompts.len(), subjects.count());
    }

    #[test]
    fn the_shipped_pack_reads_them_as_they_are() {
        let lexicon = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/pictogram/words.lexicon");
        let reader = crate::words::Reader::open(&lexicon).unwrap();
        for subject in &Subjects::shipped().unwrap().all {
            let reading = reader.read(subject.prompt(), None).unwrap();
            assert_eq!((reading.text.as_str(), reading.remarks.as_slice()), (subject.prompt(), &[][..]));
            for (language, name) in Language::ALL.into_iter().zip(&subject.names) {
                let named = reader.read(name, crate::words::Language::of(language.tag())).unwrap();
                // A head is called by the name of its animal.
                let is_head = subject.prompt().ends_with(" face") && subject.plain.is_some();
                assert!(named.objects == reading.objects || is_head && !named.objects.is_empty(), "{name}");
            }
        }
    }

    #[test]
    fn titles_are_in_the_visitors_language() {
        let subjects = Subjects::shipped().unwrap();
        let colours = ["red".to_owned(), "blue".to_owned()];
        assert_eq!(subjects.title("fox", Language::Zh, &colours), "狐狸");
        assert_eq!(subjects.title("red rabbit face", Language::En, &colours), "rabbit · red");
        assert_eq!(subjects.title("rabbit face", Language::De, &colours), "Hase");
        assert_eq!(subjects.title("cat face", Language::Ru, &colours), "кошка");
        assert_eq!(subjects.title("red fox", Language::De, &colours), "Fuchs · rot");
        assert_eq!(subjects.title("red apple", Language::De, &colours), "Apfel");
        assert_eq!(subjects.title("fox", Language::Hi, &colours), "लोमड़ी");
        assert_eq!(subjects.title("fox", Language::Ar, &colours), "ثعلب");
        assert_eq!(subjects.title("a very red fox", Language::De, &colours), "a very red fox");
    }

    #[test]
    fn files_of_the_owners_are_checked_by_line() {
        let parse = |text: &str| Subjects::parse(text, Path::new("mine.tsv")).map_err(|error| error.to_string());
        let own = parse("# ours\nsea\twhale\t鲸\n\nsea\tsquid\n").unwrap();
        assert_eq!(
            (own.count(), own.get(1).prompt(), own.get(0).name(Language::Zh)),
            (2, "squid", "鲸")
        );
        assert_eq!(own.get(1).name(Language::Zh), "squid");
        assert!(
            parse("sea\twhale\nwhale\n")
                .unwrap_err()
                .starts_with("mine.tsv:2: the English name is missing")
        );
        assert!(parse("\twhale\n").unwrap_err().starts_with("mine.tsv:1: the category is missing"));
        assert_eq!(parse("# nothing\n").unwrap_err(), "mine.tsv: the file has no subjects");
        assert!(
            Subjects::read(Path::new("/nowhere/x.tsv"))
                .unwrap_err()
                .to_string()
                .starts_with("/nowhere/x.tsv: ")
        );
    }
}
