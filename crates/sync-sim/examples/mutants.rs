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
use sync_sim::{Failure, parallel, run_seed};

/// Seeds that a bug is given to be found in: what is rarer than one in so many is not found in time.
const SEEDS: u64 = 1_000;

/// How much of what an oracle has found is told.
const FOUND_CHARS: usize = 200;

const USAGE: &str = "\
mutants [--only NAME] [--seeds N] [--verbose]
    runs N seeds as they are, which must be good, and then with each planted bug until one fails;
    --verbose tells what was found";

#[derive(Debug)]
struct Args {
    bugs: Vec<Planted>,
    seeds: u64,
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
    let args = match parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(error) => {
            eprintln!("mutants: {error}\n\n{USAGE}");
            return ExitCode::FAILURE;
        }
    };
    // A bug may well end in a panic, which is told of as any other failure.
    std::panic::set_hook(Box::new(|_| {}));
    if is_clean(args.seeds) && all_are_caught(&args) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Args, String> {
    let mut args = Args {
        bugs: Planted::ALL.to_vec(),
        seeds: SEEDS,
        verbose: false,
    };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seeds" => {
                let number = words.next().and_then(|text| text.parse().ok());
                args.seeds = number.ok_or("--seeds wants a whole number after it")?;
            }
            "--only" => args.bugs = vec![named(&words.next().unwrap_or_default())?],
            "--verbose" => args.verbose = true,
            _ => return Err(format!("{word} means nothing here")),
        }
    }
    Ok(args)
}

fn named(name: &str) -> Result<Planted, String> {
    let mut all = Planted::ALL.iter();
    let bug = all.find(|bug| bug.name().eq_ignore_ascii_case(name));
    bug.copied().ok_or_else(|| {
        let names: Vec<&str> = Planted::ALL.iter().map(|bug| bug.name()).collect();
        format!("{name:?} is no planted bug; there are {}", names.join(", "))
    })
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
    if let Some((_, failure)) = tried.found.as_ref().filter(|_| args.verbose) {
        println!("    {}", some(&failure.what));
    }
}

fn some(found: &str) -> String {
    found.chars().take(FOUND_CHARS).collect()
}
