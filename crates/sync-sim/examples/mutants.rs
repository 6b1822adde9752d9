//! Runs seeds with each planted bug until an oracle objects: `cargo xtask mutants` builds and calls it.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program talks to the person who runs it"
)]

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sync_core::planted::{self, Planted};
use sync_sim::{Failure, parallel, rerun, run_seed, shrink};

/// Seeds that a bug is given to be found in: what is rarer than one in so many is not found in time.
const SEEDS: u64 = 1_000;

/// How much of what an oracle has found is told.
const FOUND_CHARS: usize = 200;

/// The same where a single seed is replayed.
const REPLAYED_CHARS: usize = 4_000;

const USAGE: &str = "\
mutants [--only NAME] [--seeds N] [--verbose]
    runs N seeds as they are, which must be good, and then with each planted bug until one fails;
    --verbose tells what was found
mutants --only NAME --seed S [--shrunk]
    replays one seed with that bug, or the shortest schedule of it that fails, and prints everything that
    happens and what the oracle said
mutants --list
    prints the name of each planted bug, what it breaks, and nothing else
mutants --help
    prints this";

/// The exit code of a command line that means nothing, as `clap` has it.
const MISUSED: u8 = 2;

#[derive(Debug)]
struct Args {
    bugs: Vec<Planted>,
    seeds: u64,
    seed: Option<u64>,
    shrunk: bool,
    verbose: bool,
}

/// What came of a bug.
#[derive(Debug)]
struct Tried {
    /// How many seeds it took, and what the last of them failed with.
    found: Option<(u64, Failure)>,
    took: Duration,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == "--help" || word == "-h") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    if words == ["--list"] {
        list();
        return ExitCode::SUCCESS;
    }
    let args = match parse(words.into_iter()) {
        Ok(args) => args,
        Err(error) => {
            eprintln!("mutants: {error}\n\n{USAGE}");
            return ExitCode::from(MISUSED);
        }
    };
    // A bug may well end in a panic, which is told of as any other failure.
    std::panic::set_hook(Box::new(|_| {}));
    let is_good = match (args.seed, args.bugs.as_slice()) {
        (Some(seed), [bug]) => is_survived(*bug, seed, args.shrunk),
        _ => is_clean(args.seeds) && all_are_caught(&args),
    };
    if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Args, String> {
    let mut args = Args {
        bugs: Planted::ALL.to_vec(),
        seeds: SEEDS,
        seed: None,
        shrunk: false,
        verbose: false,
    };
    let mut is_one = false;
    while let Some(word) = words.next() {
        let mut number = || {
            let number = words.next().and_then(|text| text.parse::<u64>().ok());
            number.ok_or_else(|| format!("{word} wants a whole number after it"))
        };
        match word.as_str() {
            "--seeds" => args.seeds = number()?,
            "--seed" => args.seed = Some(number()?),
            "--shrunk" => args.shrunk = true,
            "--only" => {
                args.bugs = vec![named(&words.next().unwrap_or_default())?];
                is_one = true;
            }
            "--verbose" => args.verbose = true,
            _ => return Err(format!("{word} means nothing here")),
        }
    }
    match args {
        Args { seeds: 0, .. } => Err("--seeds 0 would try nothing: give at least one seed"),
        Args { seed: Some(_), .. } if !is_one => {
            Err("--seed wants --only NAME: which bug to plant")
        }
        Args {
            seed: None,
            shrunk: true,
            ..
        } => Err("--shrunk wants --seed S: which seed it is about"),
        args => Ok(args),
    }
    .map_err(str::to_owned)
}

fn list() {
    for bug in Planted::ALL {
        println!("{:<24} {}", bug.name(), bug.breaks());
    }
}

fn named(name: &str) -> Result<Planted, String> {
    let mut all = Planted::ALL.iter();
    let bug = all.find(|bug| bug.name().eq_ignore_ascii_case(name));
    bug.copied().ok_or_else(|| {
        format!("{name:?} is no planted bug: `cargo xtask mutants --list` lists those there are")
    })
}

/// Replays a seed with a bug, and tells what happens; whether nobody has found it.
fn is_survived(bug: Planted, seed: u64, shrunk: bool) -> bool {
    let name = bug.name();
    let failure = planted::with(Some(bug), || {
        if shrunk {
            shrink(seed).map(|less| rerun(seed, &less.acts).unwrap_or(less.failure))
        } else {
            run_seed(seed, true).err()
        }
    });
    match &failure {
        Some(failure) => {
            let found: String = failure.to_string().chars().take(REPLAYED_CHARS).collect();
            println!("seed {seed} with {name} fails: {found}");
        }
        None => println!("seed {seed} with {name} is good: no oracle has found it"),
    }
    failure.is_none()
}

/// Whether nothing is found where nothing is planted.
fn is_clean(seeds: u64) -> bool {
    let start = Instant::now();
    let results = parallel(0..seeds, |seed| run_seed(seed, false).err());
    let mut failures = results
        .into_iter()
        .filter_map(|(seed, failure)| Some((seed, failure?)));
    if let Some((seed, failure)) = failures.next() {
        println!(
            "seed {seed} fails with nothing planted: {}",
            some(&failure.to_string())
        );
        println!("replay it: cargo xtask sim --seed {seed}");
        return false;
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("nothing planted: {seeds} seeds, none failed; {seconds:.1} s\n");
    true
}

fn all_are_caught(args: &Args) -> bool {
    println!(
        "{:<24} {:<9} {:<28} {:>6} {:>8}",
        "bug", "breaks", "caught by", "seeds", "seconds"
    );
    let tried = try_all(args);
    let caught = tried.iter().filter(|tried| tried.found.is_some()).count();
    println!("{caught} of {} caught", tried.len());
    caught == tried.len()
}

/// Every bug, on every core there is; each is told of as soon as it is known.
fn try_all(args: &Args) -> Vec<Tried> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(bug) = args.bugs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let tried = try_one(*bug, args.seeds);
                    let mut results = results.lock().expect("no thread panics with it");
                    tell(*bug, &tried, args);
                    results.push(tried);
                }
            });
        }
    });
    results.into_inner().expect("no thread panics with it")
}

fn try_one(bug: Planted, seeds: u64) -> Tried {
    let start = Instant::now();
    let mut results = (0..seeds).map(|seed| {
        let result = planted::with(Some(bug), || run_seed(seed, false));
        Some((seed + 1, result.err()?))
    });
    let found = results.find_map(|result| result);
    let took = start.elapsed();
    Tried { found, took }
}

fn tell(bug: Planted, tried: &Tried, args: &Args) {
    let (oracle, seeds) = match &tried.found {
        Some((seeds, failure)) => (failure.oracle.as_str(), *seeds),
        None => ("NOBODY", args.seeds),
    };
    let (name, breaks) = (bug.name(), bug.breaks());
    let seconds = tried.took.as_secs_f64();
    println!("{name:<24} {breaks:<9} {oracle:<28} {seeds:>6} {seconds:>8.2}");
    if let Some((seeds, failure)) = tried.found.as_ref().filter(|_| args.verbose) {
        println!("    {}", some(&failure.what));
        let seed = seeds - 1;
        println!("    replay it: cargo xtask mutants --only {name} --seed {seed} --shrunk");
    }
}

fn some(found: &str) -> String {
    found.chars().take(FOUND_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Args, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn one_bug_is_replayed_with_one_seed() {
        let args = read("--only receiptdropped --seed 7 --shrunk").unwrap();
        assert_eq!(args.bugs, [Planted::ReceiptDropped]);
        assert_eq!((args.seed, args.shrunk), (Some(7), true));
        assert!(!is_survived(Planted::ReceiptDropped, 0, false));
    }

    #[test]
    fn what_would_try_nothing_or_names_nothing_is_refused() {
        for (line, says) in [
            ("--seeds 0", "would try nothing"),
            ("--only Nobody", "mutants --list"),
            ("--seed 1", "--only NAME"),
            ("--only ReceiptDropped --shrunk", "--seed S"),
        ] {
            let error = read(line).unwrap_err();
            assert!(error.contains(says), "{line}: {error}");
        }
    }
}
