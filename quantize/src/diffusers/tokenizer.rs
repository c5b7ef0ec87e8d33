//! The tokenizer of a model folder: `tokenizer.json` as it is, or one made of CLIP's `vocab.json` and `merges.txt` as `transformers`
//! converts them.

use std::path::{Path, PathBuf};

use inkstone::bounded_file;
use serde_json::{Map, Value, json};

use super::TOKENS;
use super::layout;
use crate::error::{Error, Result};
use crate::files;

/// Largest tokenizer that is read, in bytes.
const LARGEST: u64 = 64 << 20;
/// Most tokens that a manifest takes.
const MOST_TOKENS: u64 = 4096;
/// Pieces of text that CLIP's merges never cross.
const PIECES: &str = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";
const CONFIG: &str = "tokenizer_config.json";
const SPECIAL: &str = "special_tokens_map.json";
const START: &str = "<|startoftext|>";
const END: &str = "<|endoftext|>";

/// How prompts become the ids that text encoders take.
#[derive(Debug)]
pub struct Tokenizer {
    /// `tokenizer.json`.
    pub json: Vec<u8>,
    /// Tokens that a text encoder takes.
    pub max_tokens: usize,
    /// The token that shorter prompts are padded with.
    pub padding: u32,
    /// The same for the second text encoder, where it is another.
    pub padding_2: Option<u32>,
}

/// The tokenizer of a model, from its folders. Those of a second text encoder may only pad with another token.
///
/// # Errors
/// For files that are missing or are not what they have to be.
pub fn read(folders: &[PathBuf]) -> Result<Tokenizer> {
    let mut all = folders.iter().map(|folder| read_one(folder)).collect::<Result<Vec<_>>>()?;
    let padding_2 = all.get(1).map(|(_, _, padding)| *padding);
    for ((value, tokens, _), folder) in all.iter().zip(folders).skip(1) {
        if value["model"]["vocab"] != all[0].0["model"]["vocab"] || *tokens != all[0].1 {
            let problem = "does not split prompts as that of the first text encoder does, which is not supported";
            return Err(Error::input(folder, problem));
        }
    }
    let (value, max_tokens, padding) = all.swap_remove(0);
    let json = serde_json::to_vec(&value).map_err(|error| Error::input(&folders[0], error.to_string()))?;
    Ok(Tokenizer {
        json,
        max_tokens,
        padding,
        padding_2: padding_2.filter(|other| *other != padding),
    })
}

/// `tokenizer.json`, how many tokens the text encoder takes, and the one that shorter prompts are padded with.
fn read_one(folder: &Path) -> Result<(Value, usize, u32)> {
    let whole = folder.join("tokenizer.json");
    let is_whole = files::is_there(&whole);
    let tokenizer = if is_whole { large_json(&whole)? } else { made(folder)? };
    let config = optional(&folder.join(CONFIG))?;
    let special = optional(&folder.join(SPECIAL))?;
    let max_tokens = max_tokens(&folder.join(CONFIG), &config)?;
    let files = [(CONFIG, &config), (SPECIAL, &special)];
    let mut padding = None;
    for (field, (name, values)) in ["pad_token", "eos_token"]
        .into_iter()
        .flat_map(|field| files.map(|file| (field, file)))
    {
        let token = token(&folder.join(name), values, field)?;
        padding = padding.or(token);
    }
    let padding = padding.unwrap_or_else(|| END.to_owned());
    let padding = id(&tokenizer, &padding).ok_or_else(|| {
        let problem = format!("has no token `{padding}`, which prompts are padded with: correct `pad_token` in tokenizer_config.json");
        let file = if is_whole { whole.clone() } else { folder.join("vocab.json") };
        Error::input(&file, problem)
    })?;
    Ok((tokenizer, max_tokens, padding))
}

fn optional(file: &Path) -> Result<Value> {
    if !files::is_there(file) {
        return Ok(Value::Null);
    }
    let values = layout::json(file)?;
    if values.is_object() {
        Ok(values)
    } else {
        Err(Error::input(file, "is not a table of settings"))
    }
}

/// The tokens that the text encoder takes. Where nobody set a limit, `transformers` writes a number of thirty digits.
fn max_tokens(file: &Path, config: &Value) -> Result<usize> {
    let field = "model_max_length";
    match &config[field] {
        Value::Null => Ok(TOKENS),
        value => match (value.as_u64(), value.as_f64()) {
            (Some(count @ 1..=MOST_TOKENS), _) => Ok(count as usize),
            (_, Some(count)) if count > MOST_TOKENS as f64 => Ok(TOKENS),
            _ => Err(Error::field(file, field, format!("{value} is not a whole number from 1"))),
        },
    }
}

/// A token's text, given as such or in a table.
fn token(file: &Path, values: &Value, field: &str) -> Result<Option<String>> {
    let value = &values[field];
    match value.as_str().or_else(|| value["content"].as_str()) {
        Some(token) => Ok(Some(token.to_owned())),
        None if value.is_null() => Ok(None),
        None => Err(Error::field(file, field, format!("{value} is not a token"))),
    }
}

fn large_json(file: &Path) -> Result<Value> {
    let bytes = bounded_file::read(file, LARGEST).map_err(Error::reading(file, "there is no such file"))?;
    serde_json::from_slice(&bytes).map_err(|error| Error::input(file, format!("is not JSON: {error}")))
}

fn id(tokenizer: &Value, token: &str) -> Option<u32> {
    let added = tokenizer["added_tokens"].as_array().into_iter().flatten();
    let added = added
        .filter(|entry| entry["content"] == token)
        .find_map(|entry| entry["id"].as_u64());
    let id = added.or_else(|| tokenizer["model"]["vocab"][token].as_u64());
    id.and_then(|id| u32::try_from(id).ok())
}

/// A `tokenizer.json` of CLIP's vocabulary and merges.
fn made(folder: &Path) -> Result<Value> {
    let (vocabulary, merges) = (folder.join("vocab.json"), folder.join("merges.txt"));
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let missing = &*format!("there is no such file, and no tokenizer.json: copy the folder `{name}` of the original model here");
    if !vocabulary.is_file() {
        return Err(Error::input(&vocabulary, missing));
    }
    let vocab = match large_json(&vocabulary)? {
        Value::Object(vocab) => vocab,
        _ => return Err(Error::input(&vocabulary, "is not a table of tokens and numbers")),
    };
    let text = files::text(&merges, LARGEST, missing)?;
    let pairs = text.lines().filter(|line| !line.starts_with("#version") && !line.trim().is_empty());
    let merges = pairs.map(|line| pair(&merges, line)).collect::<Result<Vec<_>>>()?;
    let special = [START, END].map(|token| (token, number(&vocab, token)));
    let [(_, Some(start)), (_, Some(end))] = special else {
        return Err(Error::input(
            &vocabulary,
            format!("has no {START} and {END}: only CLIP's tokenizers are made from it"),
        ));
    };
    let added = |id: u64, content: &str| json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true});
    Ok(json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [added(start, START), added(end, END)],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "NFC"},
            {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "},
            {"type": "Lowercase"},
        ]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": PIECES}, "behavior": "Removed", "invert": true},
            {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        ]},
        "post_processor": {"type": "RobertaProcessing", "sep": [END, end], "cls": [START, start], "trim_offsets": false, "add_prefix_space": false},
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {
            "type": "BPE", "dropout": null, "unk_token": END, "continuing_subword_prefix": "", "end_of_word_suffix": "</w>",
            "fuse_unk": false, "byte_fallback": false, "ignore_merges": false, "vocab": vocab, "merges": merges,
        },
    }))
}

fn number(vocab: &Map<String, Value>, token: &str) -> Option<u64> {
    vocab.get(token).and_then(Value::as_u64)
}

fn pair(file: &Path, line: &str) -> Result<[String; 2]> {
    match line.split(' ').collect::<Vec<_>>()[..] {
        [first, second] => Ok([first.to_owned(), second.to_owned()]),
        _ => Err(Error::input(file, format!("line `{line}` is not two pieces with a space between"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    const VOCAB: &str = r#"{"c": 0, "a": 1, "t</w>": 2, "ca": 3, "cat</w>": 4, "<|startoftext|>": 5, "<|endoftext|>": 6, "!": 7}"#;
    const MERGES: &str = "#version: 0.2\nc a\nca t</w>\n";

    #[test]
    fn a_vocabulary_and_merges_become_one_file() {
        let made = folder(&[
            ("vocab.json", VOCAB),
            ("merges.txt", MERGES),
            ("special_tokens_map.json", r#"{"pad_token": {"content": "!"}}"#),
        ]);
        let read = read(&[made.path().to_owned()]).unwrap();
        let tokenizer: Value = serde_json::from_slice(&read.json).unwrap();
        assert_eq!((read.max_tokens, read.padding, read.padding_2), (77, 7, None));
        assert_eq!(tokenizer["model"]["merges"], json!([["c", "a"], ["ca", "t</w>"]]));
        assert_eq!(tokenizer["post_processor"]["cls"], json!(["<|startoftext|>", 5]));
    }

    #[test]
    fn the_configuration_says_how_many_tokens_and_which_pads() {
        let config = r#"{"model_max_length": 20, "pad_token": "!", "eos_token": "<|endoftext|>"}"#;
        let read_with = |config: &str| {
            let made = folder(&[("vocab.json", VOCAB), ("merges.txt", MERGES), ("tokenizer_config.json", config)]);
            let read = read(&[made.path().to_owned()]).unwrap();
            (read.max_tokens, read.padding)
        };
        assert_eq!(read_with(config), (20, 7));
        assert_eq!(read_with(r#"{"model_max_length": 1000000000000000019884624838656}"#), (77, 6));
    }

    #[test]
    fn a_second_tokenizer_may_pad_with_another_token() {
        let first = folder(&[("vocab.json", VOCAB), ("merges.txt", MERGES)]);
        let padded = [
            ("vocab.json", VOCAB),
            ("merges.txt", MERGES),
            ("special_tokens_map.json", r#"{"pad_token": "!"}"#),
        ];
        let second = folder(&padded);
        let folders = [first.path().to_owned(), second.path().to_owned()];
        let read_both = read(&folders).unwrap();
        assert_eq!((read_both.padding, read_both.padding_2), (6, Some(7)));
        let other = folder(&[
            ("vocab.json", &VOCAB.replace("\"c\": 0", "\"d\": 0")),
            ("merges.txt", "#version: 0.2\n"),
        ]);
        let error = read(&[first.path().to_owned(), other.path().to_owned()]).unwrap_err().to_string();
        assert!(error.contains("does not split prompts"), "{error}");
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        for (files, words) in [
            (vec![], "vocab.json"),
            (vec![("vocab.json", VOCAB)], "merges.txt"),
            (vec![("vocab.json", "[]"), ("merges.txt", MERGES)], "not a table"),
            (vec![("vocab.json", r#"{"a": 1}"#), ("merges.txt", MERGES)], "<|startoftext|>"),
            (vec![("vocab.json", VOCAB), ("merges.txt", "a b c\n")], "two pieces"),
            (vec![("tokenizer.json", "{")], "is not JSON"),
            (vec![("tokenizer.json", "{}")], "has no token"),
            (
                vec![("tokenizer.json", "{}"), ("tokenizer_config.json", "[]")],
                "is not a table of settings",
            ),
            (
                vec![("tokenizer.json", "{}"), ("tokenizer_config.json", r#"{"model_max_length": "77"}"#)],
                "model_max_length: \"77\" is not a whole number",
            ),
            (
                vec![("tokenizer.json", "{}"), ("tokenizer_config.json", r#"{"model_max_length": 0}"#)],
                "model_max_length: 0 is not",
            ),
            (
                vec![("tokenizer.json", "{}"), ("tokenizer_config.json", r#"{"pad_token": 5}"#)],
                "pad_token: 5 is not a token",
            ),
        ] {
            let error = read(&[folder(&files).path().to_owned()]).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
