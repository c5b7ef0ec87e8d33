//! Keys of the lexicon's map: letters in fewer bytes than UTF-8 takes. Depends on nothing.
//!
//! A map stores a byte and an address for every step, so that a letter of three bytes costs three steps. Letters of small alphabets
//! are therefore written as one byte each, after a byte that names the alphabet (as SCSU does, Unicode Technical Standard 6), and
//! those bytes are the ones that `fst` writes without an input of their own. Han and Hangul take two bytes, all else four.

/// The bytes that stand for the letters of an alphabet, those first that `fst` stores in the fewest bits.
const CODES: &[u8; 94] = b"te/oasripcnw.hlm-du012g=:bf3y5&_4v9678k%?xCDASFIBEjPTzRNM+LOqHGWUV,YKJZXQ;)(~[]$!'*@\"#<>\\^`{|}";
/// The place of each byte in [`CODES`], one more than it; 0 for bytes that are none of them.
const PLACES: [u8; 256] = {
    let mut places = [0; 256];
    let mut place = 0;
    while place < CODES.len() {
        places[CODES[place] as usize] = place as u8 + 1;
        place += 1;
    }
    places
};
/// Alphabets: first and last letter, and the one that [`CODES`] begin with.
const ALPHABETS: [(u32, u32, u32); 4] = [
    (0x430, 0x45f, 0x430),
    (0x621, 0x66f, 0x621),
    (0x901, 0x95e, 0x915),
    (0x3041, 0x3097, 0x3042),
];
/// Byte that begins letters as they are in ASCII, which is how keys begin; the alphabets follow.
const ASCII: u8 = 1;
const HAN: (u32, u8) = (0x4e00, 0x80);
const HANGUL: (u32, u8) = (0xac00, 0xd2);
const ESCAPE: u8 = 0xfe;

/// Alphabets that letters are of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Alphabets(u8);

impl Alphabets {
    const HAN: u8 = 1 << 5;
    const HANGUL: u8 = 1 << 6;
    const OTHER: u8 = 1 << 7;

    /// Those of a word.
    pub fn of(letters: &[char]) -> Alphabets {
        Alphabets::default().with(letters)
    }

    /// These, and those of a word.
    pub fn with(self, letters: &[char]) -> Alphabets {
        let of_letter = |&letter: &char| match u32::from(letter) {
            0x20..=0x7e => 1,
            0x4e00..=0x9fff => Alphabets::HAN,
            0xac00..=0xd7a3 => Alphabets::HANGUL,
            code => match alphabet(code) {
                Some(index) => 2 << index,
                None => Alphabets::OTHER,
            },
        };
        Alphabets(letters.iter().map(of_letter).fold(self.0, |all, one| all | one))
    }

    /// Whether a byte with which a letter begins, or that names an alphabet, may lead to a letter of these alphabets.
    pub fn have(self, byte: u8) -> bool {
        let wanted = match byte {
            ESCAPE.. => Alphabets::OTHER,
            byte if byte >= HANGUL.1 => Alphabets::HANGUL,
            byte if byte >= HAN.1 => Alphabets::HAN,
            byte if byte <= ASCII + ALPHABETS.len() as u8 => 1 << (byte - ASCII.min(byte)),
            _ => return true,
        };
        self.0 & wanted != 0
    }
}

/// The alphabet of a letter that is written as one byte.
fn alphabet(code: u32) -> Option<usize> {
    // The mark of long vowels is written among hiragana.
    let code = if code == 0x30fc { 0x3097 } else { code };
    ALPHABETS.iter().position(|(first, last, _)| (*first..=*last).contains(&code))
}

/// Writes letters one after the other.
#[derive(Clone, Copy)]
pub(super) struct Encoder {
    alphabet: u8,
}

impl Default for Encoder {
    fn default() -> Encoder {
        Encoder { alphabet: ASCII }
    }
}

impl Encoder {
    /// The bytes of the next letter.
    pub fn push(&mut self, letter: char, bytes: &mut Vec<u8>) {
        let code = u32::from(letter);
        // The mark of long vowels, written among hiragana.
        let code = if code == 0x30fc { 0x3097 } else { code };
        match code {
            0x20..=0x7e => self.switched(ASCII, code as u8, bytes),
            0x4e00..=0x9fff => pair(HAN, code, bytes),
            0xac00..=0xd7a3 => pair(HANGUL, code, bytes),
            _ => match alphabet(code) {
                Some(index) => {
                    let (first, last, start) = ALPHABETS[index];
                    let place = (code + (last - first + 1) - start) % (last - first + 1);
                    self.switched(ASCII + 1 + index as u8, CODES[place as usize], bytes);
                }
                None => bytes.extend([ESCAPE, (code >> 16) as u8, (code >> 8) as u8, code as u8]),
            },
        }
    }

    fn switched(&mut self, alphabet: u8, byte: u8, bytes: &mut Vec<u8>) {
        if self.alphabet != alphabet {
            self.alphabet = alphabet;
            bytes.push(alphabet);
        }
        bytes.push(byte);
    }
}

fn pair((first, lead): (u32, u8), code: u32, bytes: &mut Vec<u8>) {
    let place = code - first;
    bytes.extend([lead + (place >> 8) as u8, place as u8]);
}

/// The key of a text.
pub(super) fn encoded(text: &str) -> Vec<u8> {
    let mut encoder = Encoder::default();
    let mut bytes = Vec::with_capacity(text.len());
    text.chars().for_each(|letter| encoder.push(letter, &mut bytes));
    bytes
}

/// Reads letters from bytes as they come.
#[derive(Clone, Copy)]
pub(super) struct Decoder {
    alphabet: u8,
    pending: [u8; 4],
    count: u8,
}

impl Default for Decoder {
    fn default() -> Decoder {
        Decoder {
            alphabet: ASCII,
            pending: [0; 4],
            count: 0,
        }
    }
}

/// What a byte completes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decoded {
    Letter(char),
    /// A letter is not complete, or the alphabet changed.
    Pending,
    /// No key has this byte here.
    Invalid,
}

impl Decoder {
    /// Whether a key may end here.
    pub fn is_complete(&self) -> bool {
        self.count == 0
    }

    /// What writes the letters that follow.
    pub fn encoder(&self) -> Encoder {
        Encoder { alphabet: self.alphabet }
    }

    /// Takes a byte.
    pub fn push(&mut self, byte: u8) -> Decoded {
        if self.count == 0 && (ASCII..=ASCII + ALPHABETS.len() as u8).contains(&byte) {
            self.alphabet = byte;
            return Decoded::Pending;
        }
        if self.count == 0 && byte < 0x80 {
            return self.letter(byte).map_or(Decoded::Invalid, Decoded::Letter);
        }
        self.pending[usize::from(self.count)] = byte;
        self.count += 1;
        let [first, second, third, fourth] = self.pending.map(u32::from);
        let code = match (self.count, self.pending[0]) {
            (1, 0xff) => return Decoded::Invalid,
            (1, _) | (2 | 3, ESCAPE) => return Decoded::Pending,
            (_, ESCAPE) => second << 16 | third << 8 | fourth,
            (_, lead) if lead >= HANGUL.1 => HANGUL.0 + ((first - u32::from(HANGUL.1)) << 8) + second,
            _ => HAN.0 + ((first - u32::from(HAN.1)) << 8) + second,
        };
        self.count = 0;
        char::from_u32(code).map_or(Decoded::Invalid, Decoded::Letter)
    }

    fn letter(&self, byte: u8) -> Option<char> {
        if self.alphabet == ASCII {
            return (byte >= 0x20).then_some(char::from(byte));
        }
        let (first, last, start) = *ALPHABETS.get(usize::from(self.alphabet - ASCII - 1))?;
        let place = u32::from(PLACES[usize::from(byte)].checked_sub(1)?);
        let code = first + (start - first + place) % (last - first + 1);
        char::from_u32(if code == 0x3097 { 0x30fc } else { code })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_can_be_read_back() {
        for text in [
            "icecream",
            "кошка",
            "قطة",
            "बिल्ली",
            "ねこケーキー",
            "猫cat猫",
            "고양이",
            "🐈\u{200d}⬛",
            "a\u{301}",
            "5⃣",
            "ё",
        ] {
            let mut decoder = Decoder::default();
            let read: String = encoded(text)
                .into_iter()
                .filter_map(|byte| match decoder.push(byte) {
                    Decoded::Letter(letter) => Some(letter),
                    Decoded::Pending => None,
                    Decoded::Invalid => panic!("{text}: {byte}"),
                })
                .collect();
            assert_eq!(read, text);
            assert!(decoder.is_complete());
        }
    }
}
