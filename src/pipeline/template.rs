//! Prompts with a choice, for installations: `a {red|blue|2::green} {animal}` is drawn as one of its alternatives, which the seed chooses. Each
//! may begin with its weight and `::`, and may hold further choices; `{animal}` and `__animal__` take a line of the word list `animal.txt`. A
//! backslash makes a brace part of the text.
//!
//! Owns that syntax and the word lists. Depends on the seed's random words (`noise`), and on [`crate::bounded_file`].

use std::collections::BTreeMap;
use std::path::Path;

use super::PipelineError;
use super::emphasis::unescaped;
use super::noise::random_words;
use crate::bounded_file;

/// Most braces within braces, and word lists within word lists.
const DEEPEST: usize = 16;
/// Most choices that one prompt takes.
const MOST_CHOICES: u32 = 4096;
/// Longest prompt that comes of a template, in bytes.
const LONGEST: usize = 64 << 10;
/// Most bytes of all word lists that a prompt needs.
const MOST_WORDS: u64 = bounded_file::TEXT;
/// Longest name of a word list, in bytes.
const LONGEST_NAME: usize = 64;

/// A part of a template.
#[derive(Clone, Debug, PartialEq)]
enum Node {
    /// Text, with its backslashes.
    Text(String),
    /// One of several, with their weights.
    Choice(Vec<Alternative>),
    /// A line of a word list.
    List(String),
}

/// One of the things that a choice is between.
#[derive(Clone, Debug, PartialEq)]
struct Alternative {
    weight: f64,
    nodes: Vec<Node>,
}

/// Resolves templates by a seed: the same template, lists and seed give the same prompt everywhere.
pub struct Resolver<'a> {
    folder: Option<&'a Path>,
    lists: BTreeMap<String, Vec<Alternative>>,
    /// Bytes of the lists that were read.
    read: u64,
    seed: u64,
}

impl<'a> Resolver<'a> {
    /// A resolver for a seed. Word lists are in `folder`.
    pub fn new(seed: u64, folder: Option<&'a Path>) -> Resolver<'a> {
        Resolver {
            folder,
            lists: BTreeMap::new(),
            read: 0,
            seed,
        }
    }

    /// The prompt that a template stands for. `part` numbers the templates of one picture, whose choices do not depend on one another.
    ///
    /// # Errors
    /// If the template is not well formed, a word list is missing, is not well formed or leads back to itself, or the prompt would be too long.
    pub fn resolve(&mut self, template: &str, part: u32) -> Result<String, PipelineError> {
        let nodes = parse(template)?;
        self.load(&nodes, &mut Vec::new())?;
        let mut choices = Choices {
            lists: &self.lists,
            seed: self.seed,
            part,
            taken: 0,
            prompt: String::new(),
        };
        match choices.write(&nodes) {
            Ok(()) => Ok(choices.prompt),
            Err(problem) => Err(syntax(template, None, problem)),
        }
    }

    /// Reads the word lists that are named, and those that they name: what is wrong with one does not depend on the seed. `path` are the
    /// lists that lead here.
    fn load(&mut self, nodes: &[Node], path: &mut Vec<String>) -> Result<(), PipelineError> {
        for node in nodes {
            match node {
                Node::Text(_) => {}
                Node::Choice(alternatives) => alternatives.iter().try_for_each(|one| self.load(&one.nodes, path))?,
                Node::List(name) => self.load_list(name, path)?,
            }
        }
        Ok(())
    }

    fn load_list(&mut self, name: &str, path: &mut Vec<String>) -> Result<(), PipelineError> {
        let folder = self.folder.ok_or_else(|| PipelineError::NoWordLists { name: name.to_owned() })?;
        let file = folder.join(format!("{name}.txt"));
        let wrong = |problem: String| PipelineError::WordList {
            file: file.clone(),
            problem,
        };
        if let Some(first) = path.iter().position(|other| other == name) {
            let circle = path[first..].iter().map(String::as_str).chain([name]).collect::<Vec<_>>();
            return Err(wrong(format!("the list leads back to itself: {}", circle.join(" → "))));
        }
        if self.lists.contains_key(name) {
            return Ok(());
        }
        if path.len() >= DEEPEST {
            return Err(wrong(format!("word lists name one another more than {DEEPEST} deep")));
        }
        let text = bounded_file::read_text(&file, MOST_WORDS - self.read).map_err(|error| wrong(error.to_string()))?;
        self.read += text.len() as u64;
        let list = lines(&text).map_err(|(line, problem)| wrong(format!("line {line}: {problem}")))?;
        path.push(name.to_owned());
        let mut loaded = list.iter();
        let loaded = loaded.try_for_each(|alternative| self.load(&alternative.nodes, path));
        path.pop();
        loaded?;
        self.lists.insert(name.to_owned(), list);
        Ok(())
    }
}

/// The alternatives of a word list: a line each, without empty ones and comments.
fn lines(text: &str) -> Result<Vec<Alternative>, (usize, String)> {
    let text = text.trim_start_matches('\u{feff}');
    let lines = text.lines().map(str::trim).zip(1..);
    let lines = lines.filter(|(line, _)| !line.is_empty() && !line.starts_with('#'));
    let parsed = lines.map(|(line, number)| {
        let mut parser = Parser::new(line);
        let alternative = parser.alternative(0).map_err(|(_, problem)| (number, problem))?;
        // A bar outside of braces is text, here as in a prompt.
        match parser.next() {
            Some((_, letter)) => Err((number, unopened(letter))),
            None => Ok(alternative),
        }
    });
    let list = parsed.collect::<Result<Vec<_>, _>>()?;
    match weights(&list) {
        Ok(_) => Ok(list),
        Err(problem) => Err((1, problem)),
    }
}

fn syntax(template: &str, at: Option<usize>, problem: String) -> PipelineError {
    PipelineError::Syntax {
        prompt: template.to_owned(),
        at,
        problem,
    }
}

fn parse(template: &str) -> Result<Vec<Node>, PipelineError> {
    let mut parser = Parser::new(template);
    let nodes = parser
        .nodes(0, template.len())
        .map_err(|(at, problem)| syntax(template, Some(at), problem))?;
    match parser.next() {
        Some((at, letter)) => Err(syntax(template, Some(at), unopened(letter))),
        None => Ok(nodes),
    }
}

fn unopened(letter: char) -> String {
    format!("'{letter}' closes nothing")
}

/// A place in bytes, and what is wrong there.
type Fault = (usize, String);

/// Reads a template from left to right.
struct Parser<'a> {
    text: &'a str,
    /// Braces and bars that are not made part of the text, the next one last.
    marks: Vec<(usize, char)>,
    at: usize,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Parser<'a> {
        let mut marks: Vec<_> = unescaped(text).filter(|(_, letter)| "{|}".contains(*letter)).collect();
        marks.reverse();
        Parser { text, marks, at: 0 }
    }

    fn next(&self) -> Option<(usize, char)> {
        self.marks.last().copied()
    }

    /// Text and choices up to a mark that is not part of them; bars are text outside of braces. `end` is where the text ends.
    fn nodes(&mut self, depth: usize, end: usize) -> Result<Vec<Node>, Fault> {
        let mut nodes = Vec::new();
        loop {
            let mark = self.next();
            if let Some((_, '|')) = mark
                && depth == 0
            {
                self.marks.pop();
                continue;
            }
            let stop = mark.map_or(end, |(place, _)| place);
            texts(&self.text[self.at..stop], &mut nodes);
            self.at = stop;
            match mark {
                Some((_, '{')) => nodes.push(self.choice(depth + 1)?),
                _ => return Ok(nodes),
            }
        }
    }

    /// From a brace to its partner.
    fn choice(&mut self, depth: usize) -> Result<Node, Fault> {
        let start = self.at;
        if depth > DEEPEST {
            return Err((start, format!("braces are more than {DEEPEST} deep")));
        }
        let mut alternatives = Vec::new();
        loop {
            self.marks.pop();
            self.at += 1;
            alternatives.push(self.alternative(depth)?);
            match self.next() {
                Some((_, '|')) => {}
                Some(_) => break,
                None => return Err((start, "'{' is not closed".into())),
            }
        }
        self.marks.pop();
        self.at += 1;
        if let [Alternative { nodes, .. }] = alternatives.as_slice() {
            return match nodes.as_slice() {
                [Node::Text(name)] if is_name(name) => Ok(Node::List(name.clone())),
                _ => Err((
                    start,
                    "braces hold several alternatives, as in {red|blue}, or the name of a word list".into(),
                )),
            };
        }
        weights(&alternatives).map_err(|problem| (start, problem))?;
        Ok(Node::Choice(alternatives))
    }

    /// One of several alternatives; space around it is left out.
    fn alternative(&mut self, depth: usize) -> Result<Alternative, Fault> {
        let rest = &self.text[self.at..];
        let digits = rest
            .find(|letter: char| !letter.is_ascii_digit() && letter != '.' && letter != ' ')
            .unwrap_or(rest.len());
        let number = Some(&rest[..digits]).filter(|number| rest[digits..].starts_with("::") && !number.trim().is_empty());
        let weight = match number {
            None => 1.0,
            Some(number) => {
                let weight = number.trim().parse::<f64>().ok().filter(|weight| *weight <= 1e6);
                let weight = weight.ok_or_else(|| {
                    (
                        self.at,
                        format!("'{}' is no weight: it must be a number from 0 to a million", number.trim()),
                    )
                })?;
                self.at += number.len() + 2;
                weight
            }
        };
        let mut nodes = self.nodes(depth, self.text.len())?;
        if let Some(Node::Text(first)) = nodes.first_mut() {
            *first = first.trim_start().to_owned();
        }
        if let Some(Node::Text(last)) = nodes.last_mut() {
            *last = last.trim_end().to_owned();
        }
        nodes.retain(|node| *node != Node::Text(String::new()));
        Ok(Alternative { weight, nodes })
    }
}

/// Whether braces around it name a word list: letters, digits, hyphens and single underscores.
fn is_name(name: &str) -> bool {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '-' || letter == '_';
    !name.is_empty() && name.len() <= LONGEST_NAME && !name.contains("__") && name.chars().all(is_part)
}

/// Adds a text, in which word lists may be named as `__animal__`.
fn texts(text: &str, nodes: &mut Vec<Node>) {
    let mut start = 0;
    for (place, _) in unescaped(text).filter(|(place, _)| text[*place..].starts_with("__")) {
        let name = text[place + 2..]
            .split_once("__")
            .map(|(name, _)| name)
            .filter(|name| is_name(name));
        if let Some(name) = name.filter(|_| place >= start) {
            add_text(&text[start..place], nodes);
            nodes.push(Node::List(name.to_owned()));
            start = place + name.len() + 4;
        }
    }
    add_text(&text[start..], nodes);
}

fn add_text(text: &str, nodes: &mut Vec<Node>) {
    match nodes.last_mut() {
        _ if text.is_empty() => {}
        Some(Node::Text(last)) => last.push_str(text),
        _ => nodes.push(Node::Text(text.to_owned())),
    }
}

/// The sum of the weights of a choice.
fn weights(alternatives: &[Alternative]) -> Result<f64, String> {
    let sum = alternatives.iter().map(|one| one.weight).sum();
    match sum {
        0.0 if alternatives.is_empty() => Err("the word list is empty".into()),
        0.0 => Err("all alternatives have the weight 0".into()),
        sum => Ok(sum),
    }
}

/// Takes choices, one after another.
struct Choices<'a> {
    lists: &'a BTreeMap<String, Vec<Alternative>>,
    seed: u64,
    part: u32,
    taken: u32,
    prompt: String,
}

impl Choices<'_> {
    fn write(&mut self, nodes: &[Node]) -> Result<(), String> {
        for node in nodes {
            match node {
                // A prompt without choices is as long as it is, which the pack's own limit says.
                Node::Text(text) if nodes.len() == 1 && self.taken == 0 => {
                    self.prompt.push_str(text);
                    return Ok(());
                }
                Node::Text(text) => self.prompt.push_str(text),
                Node::Choice(alternatives) => self.choose(alternatives)?,
                Node::List(name) => self.choose(self.lists.get(name).map_or(&[], Vec::as_slice))?,
            }
            if self.prompt.len() > LONGEST {
                return Err(format!("the prompt that it stands for is longer than {LONGEST} bytes"));
            }
        }
        Ok(())
    }

    fn choose(&mut self, alternatives: &[Alternative]) -> Result<(), String> {
        if self.taken == MOST_CHOICES {
            return Err(format!("it takes more than {MOST_CHOICES} choices"));
        }
        let [low, high, ..] = random_words(self.seed, self.part, self.taken);
        self.taken += 1;
        // 53 bits, as many as a double has.
        let share = ((u64::from(high) << 21) | (u64::from(low) >> 11)) as f64 / (1_u64 << 53) as f64;
        let mut left = share * weights(alternatives)?;
        let chosen = alternatives.iter().find(|one| {
            left -= one.weight;
            left < 0.0
        });
        // Sums are rounded: what is left may be a trace.
        let last = || alternatives.iter().rfind(|one| one.weight > 0.0);
        chosen.or_else(last).map_or(Ok(()), |alternative| self.write(&alternative.nodes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs;

    fn resolve(template: &str, seed: u64) -> String {
        Resolver::new(seed, None).resolve(template, 0).unwrap()
    }

    fn all(template: &str) -> BTreeSet<String> {
        (0..200).map(|seed| resolve(template, seed)).collect()
    }

    fn set(texts: &[&str]) -> BTreeSet<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn problem(template: &str, folder: Option<&Path>) -> String {
        Resolver::new(7, folder).resolve(template, 0).unwrap_err().to_string()
    }

    #[test]
    fn every_alternative_comes_up() {
        for (template, prompts) in [
            ("a {red|blue} cat", &["a red cat", "a blue cat"][..]),
            ("{a|b}{c|d}", &["ac", "ad", "bc", "bd"]),
            ("{a {b|c}|d}", &["a b", "a c", "d"]),
            ("cat{| , smiling}", &["cat", "cat, smiling"]),
            ("{0::a|b}", &["b"]),
            ("{ 2.5::x |0::y}", &["x"]),
            ("(a:1.2) | [b] :) \\{{c\\}|c\\}}", &["(a:1.2) | [b] :) \\{c\\}"]),
            ("a __b c__ d", &["a __b c__ d"]),
            ("plain", &["plain"]),
        ] {
            assert_eq!(all(template), set(prompts), "{template}");
        }
    }

    #[test]
    fn weights_are_kept_and_choices_differ() {
        let red = (0..4000).filter(|seed| resolve("{3::red|blue}", *seed) == "red").count();
        assert!((2880..3120).contains(&red), "{red} of 4000 are red");
        assert_ne!(resolve(&"{0|1}".repeat(64), 7), resolve(&"{0|1}".repeat(64), 8));
        let part = |part| Resolver::new(7, None).resolve(&"{0|1}".repeat(64), part).unwrap();
        assert_ne!(part(0), part(1));
        // What a seed chooses is the same for ever.
        assert_eq!(resolve("{a|b|c|d|e|f|g|h} {1|2|3|4|5|6|7|8|9} {x|y|z}", 7), "d 6 x");
    }

    #[test]
    fn ten_thousand_alternatives_are_no_problem() {
        let many: Vec<String> = (0..10_000).map(|number| format!("thing {number}")).collect();
        let template = format!("{{{}}}", many.join("|"));
        assert!(all(&template).len() > 150);
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("things.txt"), many.join("\n")).unwrap();
        let from_list = Resolver::new(7, Some(folder.path())).resolve("{things}", 0).unwrap();
        assert_eq!(from_list, resolve(&template, 7));
    }

    #[test]
    fn word_lists_are_lines() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(
            folder.path().join("animal.txt"),
            "\u{feff}# all of them\n\n cat \r\n3::{big|small} dog\n__bird__\n",
        )
        .unwrap();
        fs::write(folder.path().join("bird.txt"), "owl | eagle").unwrap();
        let drawn = |template: &str| -> BTreeSet<String> {
            let folder = Some(folder.path());
            (0..200)
                .map(|seed| Resolver::new(seed, folder).resolve(template, 0).unwrap())
                .collect()
        };
        let prompts = ["a cat", "a big dog", "a small dog", "a owl | eagle"];
        assert_eq!(drawn("a {animal}"), set(&prompts));
        assert_eq!(drawn("a __animal__"), set(&prompts));
        assert_eq!(drawn("a \\__animal__"), set(&["a \\__animal__"]));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (template, words) in [
            ("a {red|blue cat", "character 3"),
            ("a cat}", "character 6: '}' closes nothing"),
            ("a {red cat}", "several alternatives"),
            ("a {}", "several alternatives"),
            ("{0::a|0::b}", "weight 0"),
            ("{99999999::a|b}", "no weight"),
            ("{1.2.3::a|b}", "no weight"),
            ("{animal}", "'animal' names a word list"),
        ] {
            let problem = problem(template, None);
            assert!(problem.contains(words), "{template}: {problem}");
        }
        assert!(problem(&"{a|".repeat(20), None).contains("16 deep"));
        assert!(problem(&format!("{}{{a|b}}", "x".repeat(70_000)), None).contains("65536 bytes"));
    }

    #[test]
    fn lists_that_lead_back_are_told_whatever_the_seed() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("animal.txt", "cat\n0::{pet}");
        write("pet.txt", "dog\n__animal__");
        write("empty.txt", "# nothing");
        write("open.txt", "cat\ndog {red");
        let inside = Some(folder.path());
        let problem = |template: &str| problem(template, inside);
        assert!(problem("{animal}").contains("animal → pet → animal"), "{}", problem("{animal}"));
        assert!(problem("{missing}").contains("missing.txt"), "{}", problem("{missing}"));
        assert!(problem("{empty}").contains("empty"), "{}", problem("{empty}"));
        assert!(problem("{open}").contains("line 2"), "{}", problem("{open}"));
        assert!(problem("{../secret}").contains("several alternatives"));
        for depth in 0..20 {
            write(&format!("l{depth}.txt"), &format!("__l{}__", depth + 1));
        }
        assert!(problem("{l0}").contains("16 deep"), "{}", problem("{l0}"));
        // Ten lists that each take ten lines of the next one.
        for depth in 0..10 {
            write(&format!("m{depth}.txt"), &format!("{{m{}}}", depth + 1).repeat(10));
        }
        write("m10.txt", "x");
        assert!(problem("{m0}").contains("4096 choices"), "{}", problem("{m0}"));
    }
}
