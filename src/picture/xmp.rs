//! The XMP packet of a picture: the program, the prompt, and the IPTC mark of a picture that a trained model made, which
//! newsrooms, search engines and social networks read.
//!
//! Owns writing the packet and finding the mark in any packet. Depends on [`Provenance`].

use super::Provenance;
use super::provenance::COMPOSITE;
use std::borrow::Cow;

/// The IPTC extension's namespace.
const IPTC: &str = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/";
/// The IPTC vocabulary of where a picture comes from.
const SOURCES: &str = "http://cv.iptc.org/newscodes/digitalsourcetype/";
/// The terms of that vocabulary for pictures that a trained model made entirely or in part.
const TRAINED: [&str; 2] = ["trainedAlgorithmicMedia", COMPOSITE];
/// Namespace of the record.
const RECORD: &str = "urn:inkstone:record:1";
/// Packets with more bytes or nodes are ignored.
const MAX_PACKET: usize = 1 << 20;

/// The packet for a record.
pub(super) fn write(record: &Provenance) -> String {
    packet(record, "")
}

/// The packet for a record, with the record's JSON in it, for file formats that have no other place for it.
pub(super) fn write_with_record(record: &Provenance, json: &str) -> String {
    let element = format!("\n   <ink:record xmlns:ink=\"{RECORD}\">{}</ink:record>", escape(json));
    packet(record, &element)
}

fn packet(record: &Provenance, more: &str) -> String {
    let created = record
        .created
        .as_deref()
        .map(|date| format!("\n   <xmp:CreateDate>{}</xmp:CreateDate>", escape(date)));
    format!(
        "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>
<x:xmpmeta xmlns:x=\"adobe:ns:meta/\">
 <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">
  <rdf:Description rdf:about=\"\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\" xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\" xmlns:Iptc4xmpExt=\"{IPTC}\">
   <Iptc4xmpExt:DigitalSourceType>{SOURCES}{}</Iptc4xmpExt:DigitalSourceType>
   <xmp:CreatorTool>{}</xmp:CreatorTool>{}
   <dc:description><rdf:Alt><rdf:li xml:lang=\"x-default\">{}</rdf:li></rdf:Alt></dc:description>{more}
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end=\"r\"?>",
        TRAINED[usize::from(record.is_composite())],
        escape(&record.creator()),
        created.unwrap_or_default(),
        escape(&record.prompt),
    )
}

/// Whether a packet carries the IPTC mark of a trained model, as an element or as an attribute.
pub(super) fn is_marked(packet: &str) -> bool {
    has_term(packet, &TRAINED)
}

/// Whether the mark of a packet says that a trained model made the picture in part.
pub(super) fn is_composite(packet: &str) -> bool {
    has_term(packet, &[COMPOSITE])
}

fn has_term(packet: &str, terms: &[&str]) -> bool {
    let Some(document) = parse(packet) else { return false };
    document.descendants().any(|node| {
        let attribute = node.attribute((IPTC, "DigitalSourceType"));
        let element = node.has_tag_name((IPTC, "DigitalSourceType"));
        let inside = element.then(|| node.text().into_iter().chain(node.attributes().map(|attribute| attribute.value())));
        attribute
            .into_iter()
            .chain(inside.into_iter().flatten())
            .any(|term| is_one_of(term, terms))
    })
}

/// The record's JSON of a packet that [`write_with_record`] wrote.
pub(super) fn record(packet: &str) -> Option<String> {
    let document = parse(packet)?;
    let mut records = document.descendants().filter(|node| node.has_tag_name((RECORD, "record")));
    records.next()?.text().map(str::to_owned)
}

fn parse(packet: &str) -> Option<roxmltree::Document<'_>> {
    let options = roxmltree::ParsingOptions {
        nodes_limit: MAX_PACKET as u32,
        ..Default::default()
    };
    if packet.len() > MAX_PACKET {
        return None;
    }
    roxmltree::Document::parse_with_options(packet.trim_start_matches('\u{feff}'), options).ok()
}

/// Whether a term of the vocabulary is one of these.
fn is_one_of(term: &str, terms: &[&str]) -> bool {
    let term = term.trim();
    let plain = SOURCES.trim_start_matches("http://");
    let bare = term.trim_start_matches("http://").trim_start_matches("https://");
    bare.strip_prefix(plain).is_some_and(|term| terms.contains(&term))
}

/// Text for XML elements and attributes: markup escaped, characters that are invalid in XML replaced.
pub fn escape(text: &str) -> String {
    let escaped = |letter: char| -> Cow<'static, str> {
        match letter {
            '&' => "&amp;".into(),
            '<' => "&lt;".into(),
            '>' => "&gt;".into(),
            '"' => "&quot;".into(),
            '\'' => "&apos;".into(),
            '\r' => "&#13;".into(),
            '\t' | '\n' => letter.to_string().into(),
            '\0'..' ' | '\u{fffe}' | '\u{ffff}' => "\u{fffd}".into(),
            _ => letter.to_string().into(),
        }
    };
    text.chars().map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words_of(packet: &str) -> String {
        let document = roxmltree::Document::parse(packet).unwrap();
        let words = document
            .descendants()
            .find(|node| node.has_tag_name("li"))
            .and_then(|node| node.text())
            .unwrap_or_default();
        words.to_owned()
    }

    #[test]
    fn a_packet_is_marked_and_holds_the_words() {
        let prompt = "a \"red\" <apple> & 'pear' ]]> <!-- 红苹果 🍎\r\n\tsecond &amp; line";
        let packet = write(&Provenance {
            prompt: prompt.into(),
            software: "ink<stone".into(),
            ..Provenance::default()
        });
        assert!(is_marked(&packet));
        assert_eq!(words_of(&packet), prompt);
        assert!(!packet.contains("CreateDate"));
        let dated = write(&Provenance {
            created: Some("2026-11-23T13:00:00Z".into()),
            ..Provenance::default()
        });
        assert!(dated.contains("<xmp:CreateDate>2026-11-23T13:00:00Z</xmp:CreateDate>"));
    }

    #[test]
    fn a_picture_that_is_a_person_s_in_part_is_marked_so() {
        let mut record = Provenance::default();
        assert!(!is_composite(&write(&record)) && is_marked(&write(&record)));
        record.extra.insert(super::super::provenance::SOURCE_TYPE.into(), COMPOSITE.into());
        assert!(is_composite(&write(&record)) && is_marked(&write(&record)));
    }

    #[test]
    fn every_letter_can_stand_in_a_packet() {
        for letters in ('\0'..=char::MAX).collect::<Vec<_>>().chunks(100_000) {
            let prompt: String = letters.iter().collect();
            let packet = write(&Provenance {
                prompt,
                ..Provenance::default()
            });
            let lost = |letter: char| (letter < ' ' && !"\t\n\r".contains(letter)) || ['\u{fffe}', '\u{ffff}'].contains(&letter);
            let expected: String = letters
                .iter()
                .map(|&letter| if lost(letter) { '\u{fffd}' } else { letter })
                .collect();
            assert!(words_of(&packet) == expected);
            assert!(is_marked(&packet));
        }
    }

    #[test]
    fn marks_of_other_programs_are_found() {
        let element = |inside: &str| format!("<a xmlns:i=\"{IPTC}\" xmlns:r=\"r\"><i:DigitalSourceType{inside}</a>");
        let source = "cv.iptc.org/newscodes/digitalsourcetype";
        for packet in [
            element(&format!("> https://{source}/trainedAlgorithmicMedia </i:DigitalSourceType>")),
            element(&format!(" r:resource=\"http://{source}/compositeWithTrainedAlgorithmicMedia\"/>")),
            format!("\u{feff}<a xmlns:i=\"{IPTC}\" i:DigitalSourceType=\"http://{source}/trainedAlgorithmicMedia\"/>"),
        ] {
            assert!(is_marked(&packet), "{packet}");
        }
    }

    #[test]
    fn words_about_the_mark_are_no_mark() {
        let mark = format!("Iptc4xmpExt:DigitalSourceType=\"{SOURCES}trainedAlgorithmicMedia\"");
        let telling = write(&Provenance {
            prompt: mark,
            ..Provenance::default()
        })
        .replacen("/trainedAlgorithmicMedia", "/digitalCapture", 1);
        assert!(words_of(&telling).contains("trainedAlgorithmicMedia"));
        assert!(!is_marked(&telling));
        for packet in ["", "<a>", "trainedAlgorithmicMedia"] {
            assert!(!is_marked(packet), "{packet:?}");
        }
    }

    #[test]
    fn hostile_packets_are_passed_over() {
        assert!(!is_marked(&"<a>".repeat(300_000)), "deep");
        assert!(
            !is_marked(&format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000))),
            "deep and closed"
        );
        let marked = write(&Provenance {
            prompt: "x".repeat(MAX_PACKET),
            ..Provenance::default()
        });
        assert!(!is_marked(&marked), "larger than what is looked into");
        let laughs = "<!DOCTYPE a [<!ENTITY b \"hahaha\"><!ENTITY c \"&b;&b;&b;&b;\"><!ENTITY d \"&c;&c;&c;&c;\">]><a>&d;&d;&d;</a>";
        assert!(!is_marked(laughs), "document types are not read");
    }
}
