use super::*;

fn filter(settings: FilterSettings) -> Filter {
    Filter::new(&settings).unwrap()
}

fn usual() -> Filter {
    filter(FilterSettings::default())
}

#[track_caller]
fn passes(filter: &Filter, prompts: &[&str]) {
    for prompt in prompts {
        assert_eq!(filter.find(prompt), None, "{prompt}");
    }
}

#[track_caller]
fn refuses(filter: &Filter, prompts: &[&str]) {
    for prompt in prompts {
        assert!(filter.find(prompt).is_some(), "{prompt} passes");
    }
}

#[test]
fn words_inside_other_words_pass() {
    let prompts = [
        "Essex",
        "Sussex",
        "Middlesex",
        "Scunthorpe",
        "Penistone",
        "cocktail",
        "peacock",
        "shuttlecock",
        "grape",
        "grapefruit",
        "scrape",
        "drape",
        "therapist",
        "classic bass",
        "assassin bug",
        "analysis",
        "canal",
        "skill",
        "killer whale",
        "document",
        "cumin",
        "cucumber",
        "circumference",
        "shiitake",
        "title",
        "button",
        "titmouse",
        "swordfish",
        "shooting star",
        "basement",
        "begonia",
        "gorilla",
        "gorge",
        "Nazareth",
        "nudge",
        "snake",
        "sexton",
        "unisex toilet",
        "hello! kitty",
        "t-shirt",
        "Dickens",
        "hancock",
        "mishit",
        "fickle friend",
        "passion fruit",
        "rapeseed",
        "heilbronn",
    ];
    passes(&usual(), &prompts);
}

#[test]
fn harmless_words_of_twelve_languages_pass() {
    let prompts = [
        "un coche negro",
        "zorra y zorro",
        "cono de helado",
        "pollo",
        "año nuevo",
        "en retard",
        "une chatte et son chaton",
        "cul-de-sac",
        "violon",
        "violet",
        "tortue",
        "dicker Hund",
        "Schwanz",
        "nota musical",
        "penne",
        "anno",
        "троя",
        "секстант",
        "трахея",
        "жидкость",
        "голубь",
        "хвост",
        "cavallo di Troia",
        "杀虫剂",
        "我要做爱心早餐",
        "叫做爱丽丝的兔子",
        "杀人鲸",
        "裸足",
        "ピエロ",
        "ヌードル",
        "パチンコ",
        "グレイプフルーツ",
        "メロン",
        "裸足",
        "보지 마",
        "나침반",
        "시발점",
        "고문",
        "جنسية",
        "لندن",
        "लंदन",
        "नंगे पाँव",
        "Blut",
        "drop of blood",
        "skull",
        "knife",
        "bomb",
        "pile of poo",
        "middle finger",
        "water pistol",
        "zombie",
        "coffin",
        "kiss",
        "bikini",
        "gay pride flag",
        "two men holding hands",
    ];
    passes(&usual(), &prompts);
    // Names and keywords of the model's captions (Unicode CLDR) that lists like this one often hit.
    let names = [
        "Pute",
        "nudo",
        "pique-nique",
        "bocca che morde il labbro",
        "parco nazionale",
        "piedi nudi",
        "puttanesca",
        "カチンコ",
        "fica quieta",
        "kkk",
        "assassino",
    ];
    passes(&usual(), &names);
}

#[test]
fn animals_plants_and_tools_pass() {
    let prompts = [
        "a murder of crows",
        "strangler fig",
        "corpse flower",
        "sea lion with a namesake",
        "bass viol",
        "Gore-Tex jacket",
        "white power outlet",
        "long-tailed tits",
        "a field of rape",
        "To Kill a Mockingbird",
        "kill switch",
        "Petri Heil",
        "Mörderwal",
        "Mördermuschel",
        "ballena asesina",
        "molesto",
        "cara molesta",
        "salopette bleue",
        "viadotto",
        "matar paneer",
        "Hooker's orchid",
        "누드김밥",
        "杀人蜂",
        "голый землекоп",
        "кит-убийца",
        "الحوت القاتل",
        "mão-pelada",
        "nackter Fuß",
        "pieds nus",
        "mains nues",
        "p'tits chats",
        "かちんこ",
    ];
    passes(&usual(), &prompts);
}

/// Names of things that the model has learned; the few that are listed mean something else as well.
#[test]
fn the_model_s_own_names_pass() {
    use crate::words;
    let lexicon = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/pictogram/words.lexicon");
    let reader = words::Reader::open(&lexicon).unwrap();
    let filter = usual();
    let names = words::Language::all().flat_map(|language| reader.named(language).map(|(_, name)| name).collect::<Vec<_>>());
    let refused: Vec<&str> = names.filter(|name| filter.find(name).is_some()).collect();
    assert_eq!(refused, [""; 0]);
}

#[test]
fn listed_words_are_refused_in_twelve_languages() {
    let prompts = [
        "a naked woman",
        "Porn",
        "a murderer with a knife",
        "mass shooting",
        "child  abuse",
        "NAZI flag",
        "裸体女人",
        "画一个强奸犯",
        "自杀",
        "una mujer desnuda",
        "coño",
        "un assassinat",
        "pédophile",
        "Arschloch",
        "nackte Frau",
        "SCHEISSE",
        "scheiße",
        "強姦",
        "セックスする",
        "섹스를",
        "자살",
        "um estupro",
        "suicídio",
        "голая женщина",
        "Убийство",
        "ебаный",
        "الاغتصاب",
        "قَتْل",
        "बलात्कार",
        "आत्महत्या",
        "une femme nue",
        "nue",
        "des hommes nus",
        "titties",
        "una donna nuda",
        "stupro",
        "cazzo",
    ];
    refuses(&usual(), &prompts);
}

#[test]
fn disguises_are_seen_through() {
    refuses(
        &usual(),
        &[
            "nazi1",
            "1nazi",
            "nazi²",
            "na\u{e0061}zi",
            "dead\u{3164} body",
            "mass shootings",
            "\u{2066}nazi\u{2069}",
        ],
    );
    passes(&usual(), &["3 cats", "r2d2", "catwoman 2", "mass", "shootings stars"]);
    let prompts = [
        "p0rn",
        "PORN",
        "ｐｏｒｎ",
        "pörn",
        "p.o.r.n",
        "p o r n",
        "p-o-r-n",
        "s e x",
        "$ex",
        "s3x",
        "sex!",
        "\"sex\"",
        "f*ck fuck",
        "fuuuuck",
        "sех",
        "pоrn",
        "po\u{200b}rn",
        "po\u{ad}rn",
        "k1ll",
        "b1tch",
        "n1gg3r",
        "h1tler",
        "sh!t",
        "5hit",
        "@nal",
        "性 交",
        "色-情",
        "ｾｯｸｽ",
        "ᴘᴏʀɴ",
        "🅂🄴🅇",
        "🅿🅾🆁🅽",
        "🇵🇴🇷🇳",
        "p\u{20de}o\u{20de}r\u{20de}n\u{20de}",
        "ко\u{301}кс и секс",
        "قـتـل",
    ];
    refuses(&usual(), &prompts);
    passes(
        &usual(),
        &[
            "a b c d", "1 2 3", "3d style", "C-3PO", "R2-D2", "100%", "!!!", "", "   ", "5ex7ant", "i l l", "p r n",
        ],
    );
}

#[test]
fn accents_that_make_another_word_count() {
    let usual = usual();
    refuses(&usual, &["coño", "nudité", "ein Mörder"]);
    passes(&usual, &["cono", "un cono gelato"]);
}

#[test]
fn a_hit_tells_the_entry_and_what_was_found() {
    let hit = usual().check("A P0rnographic, cat!").unwrap();
    assert_eq!((hit.entry.as_str(), hit.found.as_str()), ("porn*", "p0rnographic"));
    let hit = usual().check("the Dead  Bodies").unwrap();
    assert_eq!((hit.entry.as_str(), hit.found.as_str()), ("dead bodies", "dead bodies"));
    let hit = usual().check("一张裸体的画").unwrap();
    assert_eq!(hit.entry, "裸体");
}

#[test]
fn owners_add_and_allow_words() {
    let folder = tempfile::tempdir().unwrap();
    let words = folder.path().join("words.txt");
    std::fs::write(&words, "\u{feff}# ours\n\nclown*\nRed Balloon\n小丑\n!clown fish\n").unwrap();
    let settings = FilterSettings {
        words: Some(words),
        allowed: ["Naked", "dead body", "裸体", "sex education"].map(str::to_owned).to_vec(),
        ..FilterSettings::default()
    };
    let filter = filter(settings);
    refuses(
        &filter,
        &[
            "clowns",
            "a red balloon",
            "一个小丑",
            "dead bodies",
            "sex",
            "sex and education",
            "nackt",
            "porn",
        ],
    );
    passes(
        &filter,
        &[
            "a naked king",
            "a dead body",
            "裸体",
            "sex education",
            "clown fish",
            "red air balloon",
            "balloon red",
        ],
    );
    refuses(&usual(), &["a naked king", "a dead body", "裸体"]);
}

#[test]
fn switched_off_everything_passes() {
    let settings = FilterSettings {
        enabled: false,
        words: Some("/nowhere".into()),
        ..FilterSettings::default()
    };
    passes(&filter(settings), &["porn", "裸体"]);
}

#[test]
fn a_bad_file_of_words_names_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("words.txt");
    let message = |text: &[u8]| {
        std::fs::write(&file, text).unwrap();
        let settings = FilterSettings {
            words: Some(file.clone()),
            ..FilterSettings::default()
        };
        Filter::new(&settings).unwrap_err().to_string()
    };
    assert!(message(b"clown\nre*d\n").ends_with("words.txt:2: 're*d': a * is allowed only at the end of an entry"));
    assert!(message(b"a*").contains("a * must follow a single word of at least two letters"));
    assert!(message(b"red balloon*").contains("a * must follow a single word"));
    assert!(message(b"\n...\n").contains("words.txt:2: '...': it has no letters"));
    assert!(message(b"\xff\xfe").contains("cannot read"));
    assert!(message(&vec![b'a'; MAX_FILE as usize + 1]).contains("larger than 1048576 bytes"));
    std::fs::remove_file(&file).unwrap();
    let missing = FilterSettings {
        words: Some(file.clone()),
        ..FilterSettings::default()
    };
    assert!(
        Filter::new(&missing)
            .unwrap_err()
            .to_string()
            .contains("words.txt: cannot read the words of [filter]")
    );
}

#[test]
fn every_entry_of_the_list_is_matched_by_itself() {
    let usual = usual();
    let mut entries = 0;
    for line in WORDS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.strip_prefix('!') {
            Some(harmless) => passes(&usual, &[harmless, &format!("a {harmless} here")]),
            None => {
                let word = line.trim_end_matches('*');
                refuses(&usual, &[word, &word.to_uppercase(), &format!("({word}), please")]);
            }
        }
        entries += 1;
    }
    assert!(entries > 600, "{entries}");
}

/// The worst letters have no more readings than others.
#[test]
fn long_prompts_have_few_readings() {
    let filter = usual();
    for prompt in [
        "1a".repeat(500),
        "1".repeat(1000),
        "a ".repeat(500),
        "!|1".repeat(333),
        "红".repeat(1000),
        "\u{301}".repeat(1000),
    ] {
        let _ = filter.find(&prompt);
        let words = normal::words(&normal::fold(&prompt));
        assert!(words.iter().all(|word| normal::readings(word).len() <= 500), "{prompt}");
    }
}

#[test]
fn refusals_never_say_a_word_of_the_list() {
    for language in Language::ALL {
        assert!(!refusal(language).is_empty());
        assert_eq!(usual().find(refusal(language)), None);
    }
}
