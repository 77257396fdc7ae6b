//! Each fuzz target with each input of its corpus, and with a million that are made of them. The same for the same seed,
//! and no more than arithmetic: nothing is started, nothing waits.
//!
//! `FUZZ_SEED=n` makes other inputs, `FUZZ_INPUTS=n` says how many a target gets. What guided the corpora is coverage:
//! `tests/fuzz/README.md`.

use chatd_fuzz::corpus;
use chatd_fuzz::mutate::Mutator;
use chatd_fuzz::{TARGETS, Target, target};

/// Inputs for each target.
const INPUTS: u64 = 1_000_000;
/// The same for the hub, of which each is up to a hundred events: an unoptimised one takes a quarter of a millisecond.
/// `FUZZ_INPUTS=1000000 cargo test --test fuzz hub`
const HUB_INPUTS: u64 = 250_000;
/// Threads that share the inputs of a target.
const PARTS: u64 = 4;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// An input that is no shorter than it has to be to be wrong.
fn shortened(target: &Target, input: &[u8]) -> Vec<u8> {
    let mut input = input.to_vec();
    let mut size = input.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < input.len() {
            let mut shorter = input.clone();
            shorter.drain(at..(at + size).min(input.len()));
            match target.try_run(&shorter) {
                Ok(()) => at += size,
                Err(_) => input = shorter,
            }
        }
        size /= 2;
    }
    input
}

/// An input that is wrong, of so many that are made of a corpus: each part has a seed of its own, and so the same inputs
/// however many processors there are.
fn found_by_parts(target: &Target, corpus: &[Vec<u8>], inputs: u64, seed: u64) -> Option<(Vec<u8>, String)> {
    std::thread::scope(|scope| {
        let part =
            |part: u64| scope.spawn(move || found(target, corpus, inputs / PARTS, seed ^ (part << 32)));
        let parts: Vec<_> = (0..PARTS).map(part).collect();
        let all = parts.into_iter().map(|part| part.join().expect("what a target panics with is caught"));
        all.fold(None, Option::or)
    })
}

/// The first input that is wrong, of so many that are made of a corpus.
fn found(target: &Target, corpus: &[Vec<u8>], inputs: u64, seed: u64) -> Option<(Vec<u8>, String)> {
    let mut mutator = Mutator::new(corpus, target.dictionary, target.bytes, seed);
    let mut input = Vec::new();
    for _ in 0..inputs {
        mutator.write_next(&mut input);
        if let Err(why) = target.try_run(&input) {
            return Some((input, why));
        }
    }
    None
}

fn mutated(name: &str, inputs: u64) {
    let (target, corpus) = (target(name), corpus::read(name));
    for input in &corpus {
        let outcome = target.try_run(input);
        assert_eq!(outcome, Ok(()), "{name}, of the corpus: {}", corpus::escape(input));
    }
    let (inputs, seed) = (number("FUZZ_INPUTS").unwrap_or(inputs), number("FUZZ_SEED").unwrap_or(17));
    eprintln!("{name}: {} of the corpus, {inputs} mutated, FUZZ_SEED={seed}", corpus.len());
    if let Some((input, why)) = found_by_parts(&target, &corpus, inputs, seed) {
        let short = corpus::escape(&shortened(&target, &input));
        panic!(
            "{name}, seed {seed}: {why}\na line for tests/fuzz/corpus/{name}.txt once it is mended:\n{short}"
        );
    }
}

macro_rules! mutated {
    ($($test:ident: $name:literal, $inputs:expr;)*) => {
        $(#[test]
        fn $test() {
            mutated($name, $inputs);
        })*

        #[test]
        fn each_target_is_run() {
            let mut run = [$($name),*];
            run.sort_unstable();
            assert_eq!(TARGETS.map(|target| target.name), run);
        }
    };
}

mutated! {
    hub: "hub", HUB_INPUTS;
    envelopes: "envelopes", INPUTS;
    frames: "frames", INPUTS;
    http: "http", INPUTS;
    jwt: "jwt", INPUTS;
    no_proxy_header_from_elsewhere_is_accepted_however_it_is_cut_and_damaged: "proxy", INPUTS;
    requests: "requests", INPUTS;
    resp: "resp", INPUTS;
    websocket: "websocket", INPUTS;
    words: "words", INPUTS;
}

/// A parser of numbers with a length before them, which believes that length: does anybody notice?
fn broken(bytes: &[u8]) {
    if let Some((&length, rest)) = bytes.split_first()
        && rest.first() == Some(&b'!')
    {
        assert!(rest[..usize::from(length)].len() < 256);
    }
}

#[test]
fn a_broken_parser_is_found_and_its_input_shortened() {
    let target = Target { name: "broken", run: broken, dictionary: &[b"!"], bytes: 64 };
    let corpus = [b"\x03abc".to_vec(), b"\x02xy".to_vec()];
    assert!(corpus.iter().all(|input| target.try_run(input).is_ok()));
    let (input, why) = found_by_parts(&target, &corpus, INPUTS, 17).expect("it is found");
    assert!(why.contains("out of range"), "{why}");
    assert_eq!(shortened(&target, &input).len(), 2, "a length and the mark");
}

#[test]
fn what_is_written_into_a_corpus_is_read_from_it() {
    let all: Vec<u8> = (0..=255).collect();
    for input in [&all[..], b"", b"#x", b"\\x41", b"a'\"\\b\t\r\n"] {
        assert_eq!(corpus::unescape(&corpus::escape(input)), input);
    }
    for target in TARGETS {
        let corpus = corpus::read(target.name);
        assert!(corpus.len() > 10, "{}: {} inputs", target.name, corpus.len());
        assert!(corpus.iter().all(|input| input.len() <= target.bytes), "{}", target.name);
    }
}
