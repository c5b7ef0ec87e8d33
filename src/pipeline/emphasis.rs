//! Emphasis in prompts, as the AUTOMATIC1111 web interface writes it: `(cat)` is drawn 1.1 times as strongly, `[cat]` 1.1 times less, `(cat:1.3)`
//! 1.3 times; brackets may be nested, and multiply. A backslash before a bracket makes it part of the text, and so does a bracket that has no
//! partner: ":)" stays.
//!
//! Owns that syntax, not what is made of it. Depends on its neighbours' errors alone.

use std::collections::BTreeMap;
use std::ops::Range;

use super::PipelineError;

/// How much a pair of brackets without a number stands out.
const STEP: f32 = 1.1;
/// The largest number in brackets.
const LARGEST: f32 = 10.0;
/// Most stretches of a prompt that are emphasised: each may be one more text to encode.
const MOST: usize = 32;
/// What a backslash makes part of the text, in this syntax and in that of templates.
const SPECIAL: &[char] = &['\\', '(', ')', '[', ']', '{', '}', '|', ':', '_'];

/// A prompt without the marks of emphasis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Emphasised {
    /// The text.
    pub text: String,
    /// Stretches of it, in order, that are to be stronger or weaker.
    pub spans: Vec<Span>,
}

/// A stretch of a text, and how strong it is to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// Its bytes in the text.
    pub place: Range<usize>,
    /// 1 is as it would be without marks.
    pub weight: f32,
}

impl Emphasised {
    /// A text without marks.
    pub fn plain(text: &str) -> Emphasised {
        Emphasised {
            text: text.to_owned(),
            spans: Vec::new(),
        }
    }

    /// The text without one of the stretches.
    pub fn without(&self, span: &Span) -> String {
        [&self.text[..span.place.start], &self.text[span.place.end..]].concat()
    }

    fn push(&mut self, letters: &str, weight: f32) {
        let start = self.text.len();
        self.text.push_str(letters);
        let place = start..self.text.len();
        match self.spans.last_mut() {
            _ if weight == 1.0 => {}
            Some(last) if last.place.end == start && last.weight == weight => last.place.end = place.end,
            _ => self.spans.push(Span { place, weight }),
        }
    }
}

/// Whether the letter at a place is a backslash that makes the next letter part of the text.
pub fn is_escape(text: &str, place: usize) -> bool {
    text[place..].strip_prefix('\\').is_some_and(|rest| rest.starts_with(SPECIAL))
}

/// The places and letters of a text that are not made part of it by a backslash.
pub fn unescaped(text: &str) -> impl Iterator<Item = (usize, char)> {
    let mut after_escape = false;
    text.char_indices().filter(move |(place, _)| {
        let is_literal = std::mem::take(&mut after_escape);
        after_escape = !is_literal && is_escape(text, *place);
        !is_literal && !after_escape
    })
}

#[cfg(test)]
/// A text that is read as it is written here: with a backslash before each letter that would mean something.
pub fn escape(text: &str, letters: &[char]) -> String {
    let escaped = |letter| letters.contains(&letter).then_some('\\').into_iter().chain([letter]);
    text.chars().flat_map(escaped).collect()
}

/// Whether a text means something else than its letters.
pub fn has_syntax(text: &str) -> bool {
    text.contains(['\\', '(', '[', '{', '}']) || text.contains("__")
}

/// Reads the marks of a prompt.
///
/// # Errors
/// If a number in brackets is not between 0 and 10, or more than 32 stretches are emphasised.
pub fn parse(prompt: &str) -> Result<Emphasised, PipelineError> {
    let pairs = pairs(prompt);
    let around = |open: &[(usize, usize, f32)]| open.last().map_or(1.0, |(.., weight)| *weight);
    let mut read = Emphasised::default();
    // Of the brackets around a place: where what is in them ends, where they end, and the weight of what is in them.
    let mut open: Vec<(usize, usize, f32)> = Vec::new();
    let mut next = 0;
    for (place, letter) in prompt.char_indices() {
        if place < next {
            continue;
        }
        if let Some((_, end, _)) = open.pop_if(|(inside, ..)| *inside == place) {
            next = end + 1;
            continue;
        }
        if let Some(&close) = pairs.get(&place) {
            let (inside, weight) = weight(prompt, place, close)?;
            open.push((inside, close, (around(&open) * weight).min(LARGEST)));
            continue;
        }
        let escaped = is_escape(prompt, place).then(|| prompt[place + 1..].chars().next()).flatten();
        let letter = escaped.unwrap_or(letter);
        next = place + letter.len_utf8() + usize::from(escaped.is_some());
        read.push(letter.encode_utf8(&mut [0; 4]), around(&open));
    }
    read.spans.retain(|span| !read.text[span.place.clone()].trim().is_empty());
    match read.spans.get(MOST) {
        Some(_) => Err(PipelineError::Syntax {
            prompt: prompt.to_owned(),
            at: None,
            problem: format!("it emphasises {} stretches; {MOST} are the most", read.spans.len()),
        }),
        None => Ok(read),
    }
}

/// Where the numbers of a prompt's marks stand, with the colons before them.
pub fn numbers(prompt: &str) -> Vec<Range<usize>> {
    let number = |(open, close): (usize, usize)| weight(prompt, open, close).ok().map(|(inside, _)| inside..close);
    pairs(prompt)
        .into_iter()
        .filter_map(number)
        .filter(|place| !place.is_empty())
        .collect()
}

/// Brackets that belong together and have something in them: the places of each opening and closing one.
fn pairs(prompt: &str) -> BTreeMap<usize, usize> {
    let (mut pairs, mut open) = (BTreeMap::new(), Vec::new());
    // So that one without a partner does not look through all that are open.
    let mut waiting = [0_usize; 2];
    for (place, letter) in unescaped(prompt) {
        let partner = match letter {
            '(' | '[' => {
                waiting[usize::from(letter == '[')] += 1;
                open.push((place, letter));
                continue;
            }
            ')' => '(',
            ']' => '[',
            _ => continue,
        };
        if waiting[usize::from(partner == '[')] == 0 {
            continue;
        }
        while let Some((start, letter)) = open.pop() {
            waiting[usize::from(letter == '[')] -= 1;
            if letter != partner {
                continue;
            }
            if !prompt[start + 1..place].trim().is_empty() {
                pairs.insert(start, place);
            }
            break;
        }
    }
    pairs
}

/// Where the text in a pair of brackets ends, and its weight.
fn weight(prompt: &str, open: usize, close: usize) -> Result<(usize, f32), PipelineError> {
    if prompt[open..].starts_with('[') {
        return Ok((close, 1.0 / STEP));
    }
    let inside = &prompt[open + 1..close];
    let is_part = |letter: char| letter.is_ascii_digit() || "+-. ".contains(letter);
    let colon = inside
        .rfind(|letter| !is_part(letter))
        .filter(|place| inside[*place..].starts_with(':'));
    let is_literal = |colon: &usize| inside[..*colon].bytes().rev().take_while(|letter| *letter == b'\\').count() % 2 == 1;
    let number = colon
        .filter(|colon| !is_literal(colon))
        .map(|colon| (colon, inside[colon + 1..].trim()));
    let number = number.filter(|(_, text)| !text.is_empty());
    let Some((colon, text)) = number else { return Ok((close, STEP)) };
    match text.parse::<f32>() {
        Ok(weight) if (0.0..=LARGEST).contains(&weight) => Ok((open + 1 + colon, weight)),
        _ => Err(PipelineError::Syntax {
            prompt: prompt.to_owned(),
            at: Some(open),
            problem: format!("'{text}' is no emphasis: it must be a number from 0 to {LARGEST}"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_marks() {
        let numbers = |prompt| -> Vec<&str> { numbers(prompt).into_iter().map(|place| &prompt[place]).collect() };
        assert_eq!(numbers("a (red (cat:1.5):0.9) at 9:30"), [":0.9", ":1.5"]);
        assert!(numbers("(cat) [2:3] \\(a:2\\) (a:b)").is_empty());
    }

    fn read(prompt: &str) -> (String, Vec<(String, f32)>) {
        let read = parse(prompt).unwrap();
        let spans = read
            .spans
            .iter()
            .map(|span| (read.text[span.place.clone()].to_owned(), span.weight));
        (read.text.clone(), spans.collect())
    }

    fn span(text: &str, weight: f32) -> (String, f32) {
        (text.to_owned(), weight)
    }

    #[test]
    fn brackets_are_emphasis() {
        for (prompt, text, spans) in [
            ("a (red:1.3) cat", "a red cat", vec![span("red", 1.3)]),
            ("(cat)", "cat", vec![span("cat", 1.1)]),
            ("[cat] and dog", "cat and dog", vec![span("cat", 1.0 / 1.1)]),
            ("a ((red) cat)", "a red cat", vec![span("red", 1.1 * 1.1), span(" cat", 1.1)]),
            ("a (red: 0.5 ) [cat]", "a red cat", vec![span("red", 0.5), span("cat", 1.0 / 1.1)]),
            ("(猫:2)と犬", "猫と犬", vec![span("猫", 2.0)]),
            ("(a:b)", "a:b", vec![span("a:b", 1.1)]),
            ("(a (b:2) c:0.5)", "a b c", vec![span("a ", 0.5), span("b", 1.0), span(" c", 0.5)]),
        ] {
            let spans: Vec<_> = spans.into_iter().filter(|(_, weight)| *weight != 1.0).collect();
            assert_eq!(read(prompt), (text.to_owned(), spans), "{prompt}");
        }
    }

    #[test]
    fn text_stays_text() {
        for prompt in [
            "a cat",
            "a cat :)",
            ":( cat",
            "cat ;-) dog",
            "cat)",
            "(cat",
            "c:\\pictures",
            "()",
            "a [ b",
            "1:2",
            "{red|blue}",
            "]cat[",
        ] {
            assert_eq!(read(prompt), (prompt.to_owned(), Vec::new()), "{prompt}");
        }
        assert_eq!(
            read("a \\(red\\) \\[cat\\] \\\\ \\{x\\}"),
            ("a (red) [cat] \\ {x}".into(), Vec::new())
        );
        assert_eq!(read("(a \\(b\\):2)"), ("a (b)".into(), vec![span("a (b)", 2.0)]));
        let odd = "a (b) [c] {d|e} \\ __f__ :g";
        assert_eq!(read(&escape(odd, SPECIAL)), (odd.to_owned(), Vec::new()));
    }

    #[test]
    fn what_is_left_out_is_the_stretch() {
        let read = parse("a (red:1.3) cat").unwrap();
        assert_eq!(read.without(&read.spans[0]), "a  cat");
    }

    #[test]
    fn odd_numbers_and_many_brackets_are_errors() {
        for prompt in ["(cat:11)", "(cat:-1)", "(cat:1.2.3)", "(at 12:30)"] {
            let error = parse(prompt).unwrap_err().to_string();
            assert!(error.contains("no emphasis") && error.contains("character 1"), "{error}");
        }
        assert!(parse(&"(a) b ".repeat(33)).unwrap_err().to_string().contains("33"));
        for open in ["(", "[", "[(", "(["] {
            let deep = format!("{}cat{}{}", open.repeat(100_000), ")".repeat(100_000), "]".repeat(100_000));
            assert!(parse(&deep).unwrap().text.contains("cat"));
        }
    }
}
