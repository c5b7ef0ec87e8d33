//! Reading prompts with the shipped lexicon: lists of prompts as people type them, and what always holds.
//!
//! `tests/words/given` are the prompts that the lexicon's words were written beside; `tests/words/unseen` were written before the
//! reader, by a writer who had seen neither its code nor its words, and are only counted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use inkstone::words::{Language, Reader, Reading, Role};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn reader() -> Reader {
    Reader::open(&folder("models/pictogram/words.lexicon")).unwrap()
}

/// A prompt and what it means.
struct Row {
    language: Language,
    prompt: String,
    /// Identifiers of the things that are to be drawn, and of those that are not.
    wanted: Vec<String>,
    refused: Vec<String>,
    /// Colours, numbers, sizes, styles, places.
    modifiers: Vec<String>,
}

fn rows(list: &str) -> Vec<Row> {
    let of_language = |language: Language| {
        let text = std::fs::read_to_string(folder(list).join(format!("{language}.tsv"))).unwrap();
        let rows: Vec<Row> = text.lines().skip(1).map(|line| row(language, line)).collect();
        rows
    };
    Language::all().flat_map(of_language).collect()
}

fn row(language: Language, line: &str) -> Row {
    let fields: Vec<&str> = line.split('\t').collect();
    let ids = || fields[1].split('+').filter(|id| *id != "-");
    // These say how two things stand to each other.
    let relations = ["-", "and", "on", "with", "beside", "without", "under", "in"];
    Row {
        language,
        prompt: fields[0].to_owned(),
        wanted: ids().filter(|id| !id.starts_with('!')).map(str::to_owned).collect(),
        refused: ids().filter_map(|id| id.strip_prefix('!')).map(str::to_owned).collect(),
        modifiers: fields[2]
            .split(',')
            .filter(|value| !relations.contains(value))
            .map(str::to_owned)
            .collect(),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Right,
    /// A part is right, and the rest is told.
    PartTold,
    Told,
    Silent,
}

fn outcome(row: &Row, reading: &Reading) -> Outcome {
    let drawn: Vec<&str> = reading.objects.iter().map(|object| object.concept.as_str()).collect();
    let named = |id: &str| {
        reading
            .spans
            .iter()
            .any(|span| span.role == Role::Object && span.value.as_deref() == Some(id))
    };
    let is_known = |id: &String| drawn.contains(&id.as_str()) || id.starts_with("many:") && named(id);
    let is_told = !reading.remarks.is_empty() || !reading.is_known();
    let wrong = row.refused.iter().any(|id| drawn.contains(&id.as_str()));
    let known = row.wanted.iter().filter(|id| is_known(id)).count();
    let complete = known == row.wanted.len() && !row.wanted.is_empty() && drawn.len() <= row.wanted.len();
    match (
        complete && !wrong && row.modifiers.iter().all(|value| says(reading, value)),
        is_told,
    ) {
        (true, _) => Outcome::Right,
        (false, true) if known > 0 => Outcome::PartTold,
        (false, true) => Outcome::Told,
        (false, false) => Outcome::Silent,
    }
}

/// Whether a colour, a number and the like were read, or are part of what the thing is called.
fn says(reading: &Reading, value: &str) -> bool {
    let in_span = reading.spans.iter().any(|span| span.value.as_deref() == Some(value));
    let in_object =
        |object: &inkstone::words::Object| object.text.split(' ').any(|word| word == value) || object.count.to_string() == value;
    in_span || reading.objects.iter().any(in_object)
}

/// Reads a list and counts outcomes: of prompts of one thing, one with modifiers, several, and nothing.
fn count(list: &str) -> BTreeMap<(&'static str, Outcome), usize> {
    let reader = reader();
    let mut counts = BTreeMap::new();
    for row in rows(list) {
        let reading = reader.read(&row.prompt, None).unwrap();
        let kind = match (row.wanted.len() + row.refused.len(), row.modifiers.is_empty()) {
            (0, _) => "nothing",
            (1, true) => "one",
            (1, false) => "modified",
            _ => "several",
        };
        let outcome = outcome(&row, &reading);
        if outcome != Outcome::Right && kind != "nothing" || outcome == Outcome::Silent {
            println!(
                "{} {outcome:?}: {} -> {:?} {:?}",
                row.language, row.prompt, reading.text, reading.remarks
            );
        }
        *counts.entry((kind, outcome)).or_default() += 1;
    }
    println!("{list}: {counts:?}");
    counts
}

fn share(counts: &BTreeMap<(&'static str, Outcome), usize>, kind: &str, outcomes: &[Outcome]) -> f64 {
    let of = |wanted: &dyn Fn(Outcome) -> bool| {
        counts
            .iter()
            .filter(|((known, outcome), _)| *known == kind && wanted(*outcome))
            .map(|(_, count)| count)
            .sum::<usize>()
    };
    of(&|outcome| outcomes.contains(&outcome)) as f64 / of(&|_| true) as f64
}

#[test]
fn prompts_beside_which_words_were_written_are_read() {
    let counts = count("tests/words/given");
    assert!(share(&counts, "one", &[Outcome::Right]) >= 0.97);
    assert!(share(&counts, "modified", &[Outcome::Right]) >= 0.95);
    // "A snowman without a carrot" is listed with the carrot, which is not drawn.
    assert!(share(&counts, "several", &[Outcome::Silent]) <= 0.03);
    assert_eq!(share(&counts, "one", &[Outcome::Silent]), 0.0);
}

#[test]
fn prompts_that_nobody_tuned_to_are_read() {
    let counts = count("tests/words/unseen");
    // Silent there: the words take a guinea pig for a hamster in three languages, a puppy's and a camel's name for others of their kind.
    for (kind, right, silent) in [("one", 0.97, 0.01), ("modified", 0.95, 0.01), ("nothing", 0.0, 0.05)] {
        assert!(share(&counts, kind, &[Outcome::Right]) >= right, "{kind}");
        assert!(share(&counts, kind, &[Outcome::Silent]) <= silent, "{kind}");
    }
    assert_eq!(share(&counts, "several", &[Outcome::Right, Outcome::PartTold, Outcome::Told]), 1.0);
}

#[test]
fn a_thing_is_one_picture_in_all_languages() {
    let reader = reader();
    let (mut names, mut others) = (0, Vec::new());
    for language in Language::all() {
        for (concept, name) in reader.named(language) {
            let reading = reader.read(name, Some(language)).unwrap();
            names += 1;
            if reading.text != concept.text {
                others.push(format!("{language} {name}: {} instead of {}", reading.text, concept.text));
            }
        }
    }
    assert!(names > 14_000, "{names}");
    // Two workers have one name in Hindi, and a suit of cards has its explanation in brackets.
    assert!(others.len() <= 2, "{others:#?}");
}

#[test]
fn what_was_read_is_read_again() {
    let reader = reader();
    let prompts = rows("tests/words/given").into_iter().chain(rows("tests/words/unseen"));
    for row in prompts {
        let once = reader.read(&row.prompt, None).unwrap();
        if once.is_known() {
            let again = reader.read(&once.text, Some(Language::ENGLISH)).unwrap();
            // What is on something else stands before it in English, and behind it in some other languages.
            let sorted = |reading: &Reading| {
                let mut objects: Vec<(String, u32)> = reading.objects.iter().map(|object| (object.text.clone(), object.count)).collect();
                objects.sort();
                objects
            };
            assert_eq!((&again.text, sorted(&again)), (&once.text, sorted(&once)), "{}", row.prompt);
        }
    }
}

#[test]
fn writing_does_not_matter() {
    use unicode_normalization::UnicodeNormalization;
    let reader = reader();
    for row in rows("tests/words/given").into_iter().chain(rows("tests/words/unseen")) {
        let plain = reader.read(&row.prompt, None).unwrap();
        let decomposed: String = row.prompt.nfd().collect();
        let full_width: String = row
            .prompt
            .chars()
            .map(|letter| {
                if letter.is_ascii_lowercase() {
                    char::from_u32(letter as u32 + 0xfee0).unwrap()
                } else {
                    letter
                }
            })
            .collect();
        let capitals = row.prompt.to_uppercase();
        let spread = format!(" \u{200b}{}\u{ad} ", row.prompt.replace(' ', "  "));
        for other in [decomposed, full_width, capitals, spread] {
            let read = reader.read(&other, None).unwrap();
            let summary = |reading: &Reading| {
                (
                    reading.objects.clone(),
                    reading.negative.clone(),
                    reading.style.as_ref().map(|style| style.name.clone()),
                )
            };
            assert_eq!(summary(&read), summary(&plain), "{other}");
        }
    }
}

#[test]
fn the_lexicon_is_small() {
    let bytes = std::fs::metadata(folder("models/pictogram/words.lexicon")).unwrap().len();
    assert!(bytes <= 2 << 20, "{bytes}");
}

/// Reads prompts made of others, cut, joined and changed at random.
fn fuzz(reader: &Reader, seed: u64, count: u64) {
    let prompts: Vec<String> = rows("tests/words/given")
        .into_iter()
        .chain(rows("tests/words/unseen"))
        .map(|row| row.prompt)
        .collect();
    let mut random = Random(seed);
    for _ in 0..count {
        let mut letters: Vec<char> = Vec::new();
        for _ in 0..=random.below(3) {
            letters.extend(prompts[random.below(prompts.len())].chars());
        }
        for _ in 0..random.below(6) {
            let place = random.below(letters.len().max(1)).min(letters.len());
            match random.below(4) {
                0 => letters.truncate(place),
                1 => letters.insert(place, random.letter()),
                2 if place < letters.len() => letters[place] = random.letter(),
                _ => letters.reverse(),
            }
        }
        let prompt: String = letters.into_iter().take(200).collect();
        let reading = reader.read(&prompt, None).unwrap();
        for span in &reading.spans {
            assert_eq!(span.text, prompt[span.place.clone()], "{prompt}");
        }
        assert!(reading.objects.iter().map(|object| object.count).sum::<u32>() <= 9, "{prompt}");
        assert!(reading.objects.is_empty() == reading.text.is_empty(), "{prompt}");
        if let Some(ambiguity) = reader.ambiguity(&prompt, &reading, None).unwrap() {
            assert!(ambiguity.meanings.len() > 1, "{prompt}");
        }
    }
}

#[test]
fn random_prompts_are_read() {
    fuzz(&reader(), 42, 3_000);
}

/// Private memory of this process, in KiB.
#[cfg(target_os = "linux")]
fn private_memory() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "takes an hour: cargo test --release --test words -- --ignored"]
fn ten_million_random_prompts_are_read_in_the_same_memory() {
    const ROUNDS: u64 = 100;
    let (reader, threads) = (reader(), 2);
    let mut first = None;
    for round in 0..ROUNDS {
        std::thread::scope(|scope| {
            for thread in 0..threads {
                let reader = &reader;
                scope.spawn(move || fuzz(reader, 1 + round * threads + thread, 10_000_000 / ROUNDS / threads));
            }
        });
        let memory = private_memory();
        eprintln!("{} of {ROUNDS} rounds, {memory} KiB", round + 1);
        assert!(memory <= *first.get_or_insert(memory) + 1024, "{memory} KiB");
    }
}

/// Numbers by xorshift (Marsaglia 2003).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// Any character, those of the languages' scripts most of all.
    fn letter(&mut self) -> char {
        let blocks = [
            (0x20, 0x7e),
            (0xa0, 0x17f),
            (0x300, 0x36f),
            (0x400, 0x45f),
            (0x600, 0x6ff),
            (0x900, 0x97f),
            (0x1100, 0x11ff),
            (0x2000, 0x206f),
            (0x3040, 0x30ff),
            (0x4e00, 0x9fff),
            (0xac00, 0xd7a3),
            (0xff00, 0xffef),
            (0x1f300, 0x1faff),
            (0x1, 0x10ffff),
        ];
        let (first, last) = blocks[self.below(blocks.len())];
        char::from_u32(first + self.below((last - first) as usize) as u32).unwrap_or('\u{fffd}')
    }
}
