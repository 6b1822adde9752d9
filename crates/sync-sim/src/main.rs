//! Runs seeds of the simulation: `cargo xtask sim` builds and calls it.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program talks to the person who runs it"
)]

mod search;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use sync_sim::{Failure, rerun, run_seed, shrink};

use crate::search::{Progress, Search};

/// Seeds of a run that is told neither how many nor how long.
const SEEDS: u64 = 1_000;

/// How often the progress is told.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// How often it is looked whether the search is over.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How much of what an oracle has found is printed: it may hold all that all nodes know.
const FOUND_CHARS: usize = 2_000;

const USAGE: &str = "\
sync-sim [--seeds N] [--first S] [--hours H] [--threads T] [--keep-going]
    runs seeds until one fails; prints how to replay it and the shortest schedule that fails
sync-sim --seed S [--shrunk]
    replays one seed, or the shortest schedule of it that fails, and prints everything that happens
sync-sim --traces [--seeds N] [--first S]
    prints for each seed a hash of its course
sync-sim --help
    prints this";

/// The exit code of a command line that means nothing, as `clap` has it.
const MISUSED: u8 = 2;

#[derive(Debug)]
struct Args {
    search: Search,
    seed: Option<u64>,
    shrunk: bool,
    traces: bool,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == "--help" || word == "-h") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let args = match parse(words.into_iter()) {
        Ok(args) => args,
        Err(error) => {
            eprintln!("sync-sim: {error}\n\n{USAGE}");
            return ExitCode::from(MISUSED);
        }
    };
    let is_good = match args.seed {
        Some(seed) if args.shrunk => replay_shrunk(seed),
        Some(seed) => replay(seed),
        None if args.traces => trace(&args.search),
        None => search(&args.search),
    };
    if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Args, String> {
    let mut search = Search {
        first: 0,
        seeds: None,
        time: None,
        keep_going: false,
        threads: std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
    };
    let (mut seed, mut shrunk, mut traces) = (None, false, false);
    while let Some(word) = words.next() {
        let mut number = || match words.next().map(|text| text.parse::<u64>()) {
            Some(Ok(number)) => Ok(number),
            _ => Err(format!("{word} wants a whole number after it")),
        };
        let mut some = |what: &str| match number()? {
            0 => Err(format!(
                "{word} 0 would try nothing: give at least one {what}"
            )),
            number => Ok(number),
        };
        match word.as_str() {
            "--seeds" => search.seeds = Some(some("seed")?),
            "--first" => search.first = number()?,
            "--hours" => {
                search.time = Some(Duration::from_secs(some("hour")?.saturating_mul(3_600)));
            }
            "--threads" => search.threads = usize::try_from(number()?).unwrap_or(1),
            "--seed" => seed = Some(number()?),
            "--shrunk" => shrunk = true,
            "--keep-going" => search.keep_going = true,
            "--traces" => traces = true,
            _ => return Err(format!("{word} means nothing here")),
        }
    }
    if shrunk && seed.is_none() {
        return Err("--shrunk wants --seed S: which seed it is about".to_owned());
    }
    if search.time.is_none() {
        search.seeds = search.seeds.or(Some(SEEDS));
    }
    Ok(Args {
        search,
        seed,
        shrunk,
        traces,
    })
}

fn replay(seed: u64) -> bool {
    match run_seed(seed, true) {
        Ok(course) => {
            println!("seed {seed} is good: {} events", course.events);
            true
        }
        Err(failure) => {
            println!("seed {seed} fails: {}", some(&failure));
            false
        }
    }
}

fn replay_shrunk(seed: u64) -> bool {
    let Some(shrunk) = quietly(|| shrink(seed)) else {
        println!("seed {seed} is good");
        return true;
    };
    match rerun(seed, &shrunk.acts) {
        Some(failure) => println!("seed {seed} fails: {}", some(&failure)),
        None => println!("run once more it was good: something beside the seed decides"),
    }
    false
}

/// Without a word of what panics meanwhile: shrinking repeats it many times, and it is told of in the end.
fn quietly<T>(run: impl FnOnce() -> T) -> T {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let result = run();
    std::panic::set_hook(before);
    result
}

fn trace(search: &Search) -> bool {
    let last = search.first.saturating_add(search.seeds.unwrap_or(SEEDS));
    let results = (search.first..last).map(|seed| (seed, run_seed(seed, false)));
    let mut is_good = true;
    for (seed, result) in results {
        match result {
            Ok(course) => println!("{seed} {:016x}", course.trace),
            Err(failure) => {
                println!("{seed} fails: {}", some(&failure));
                is_good = false;
            }
        }
    }
    is_good
}

fn search(search: &Search) -> bool {
    // What panics is told of as any other failure, and shrinking repeats it many times.
    std::panic::set_hook(Box::new(|_| {}));
    let (progress, start) = (Progress::default(), Instant::now());
    std::thread::scope(|scope| {
        scope.spawn(|| tell(&progress, start));
        search.run(&progress, report);
    });
    println!("{}", line(&progress, start));
    progress.failures() == 0
}

fn report(seed: u64, failure: Failure) {
    println!("\nseed {seed} fails: {}", some(&failure));
    println!("replay all of it: cargo xtask sim --seed {seed}");
    let Some(shrunk) = shrink(seed) else {
        return println!("run once more it was good: something beside the seed decides");
    };
    let (count, before, runs) = (shrunk.acts.len(), shrunk.before, shrunk.runs);
    println!("with {count} of its {before} acts it still fails ({runs} runs):");
    for happened in &shrunk.acts {
        println!("  {happened}");
    }
    println!("  {}", some(&shrunk.failure));
    println!("replay only these: cargo xtask sim --seed {seed} --shrunk");
}

fn some(failure: &Failure) -> String {
    failure.to_string().chars().take(FOUND_CHARS).collect()
}

fn tell(progress: &Progress, start: Instant) {
    let mut told = Instant::now();
    while !progress.is_over() {
        std::thread::sleep(LOOK_EVERY);
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            eprintln!("{}", line(progress, start));
        }
    }
}

fn line(progress: &Progress, start: Instant) -> String {
    let (seeds, events, failures) = (progress.seeds(), progress.events(), progress.failures());
    let seconds = start.elapsed().as_secs().max(1);
    let pace = seeds / seconds;
    format!("{seeds} seeds, {events} events, {failures} failed; {seconds} s, {pace} seeds a second")
}
