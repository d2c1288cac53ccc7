//! `fuzz`: what must hold for any bytes, under libFuzzer, or under our own mutator where that cannot
//! be had.
//!
//! The compiler's own coverage passes are all that libFuzzer needs, on any toolchain: `resp-proto`
//! has no unsafe code, so there is nothing for the sanitizers that ask for a nightly one.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use ::fuzz::{TARGETS, Target};

use crate::{
    Result, Verb,
    args::Args,
    process::{self, cargo},
    workspace,
};

pub(crate) const VERB: Verb = Verb {
    name: "fuzz",
    options: "[--seconds N] [--target NAME] [--minimize] [--mutator]",
    purpose: "search for bytes that trip resp-proto, N seconds a target",
    run,
};

/// What makes libFuzzer see which code an input reaches, and what its comparisons were with.
const COVERAGE: &str = "--cfg fuzzing -Cpasses=sancov-module \
                        -Cllvm-args=-sanitizer-coverage-level=4 \
                        -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
                        -Cllvm-args=-sanitizer-coverage-pc-table \
                        -Cllvm-args=-sanitizer-coverage-trace-compares";

/// The longest input, deep enough for every default limit on nesting.
const MAX_LEN: &str = "-max_len=2048";

/// What one target's committed corpus may have, once minimized; `cargo test -p fuzz` bounds them all.
const FILES: usize = 70;
const BYTES: u64 = 70_000;

fn run(mut args: Args) -> Result<()> {
    let seconds = match args.value("--seconds")? {
        None => 30,
        Some(value) => value.parse::<u64>().map_err(|_| "`--seconds` takes a number")?,
    };
    let name = args.value("--target")?;
    let (minimize, mutator) = (args.flag("--minimize"), args.flag("--mutator"));
    args.finish()?;
    let chosen = |target: &&Target| name.as_ref().is_none_or(|name| name == target.name);
    let targets: Vec<_> = TARGETS.iter().filter(chosen).collect();
    if targets.is_empty() {
        return Err(format!("`--target` is one of {}", TARGETS.map(|t| t.name).join(", ")).into());
    }
    if mutator && minimize {
        return Err("`--minimize` needs libFuzzer, `--mutator` goes without".into());
    }

    let fuzzer = match mutator {
        true => Err("`--mutator` asks for it".to_owned()),
        false => build_libfuzzer(),
    };
    if let Err(reason) = &fuzzer {
        if minimize {
            return Err(format!("`--minimize` needs libFuzzer: {reason}").into());
        }
        println!("note: without libFuzzer: {reason}");
        println!("note: the mutator instead, which no coverage guides");
    }
    let mut tripped = Vec::new();
    for target in targets {
        let result = match &fuzzer {
            Ok(fuzzer) => guided(fuzzer, target, seconds),
            Err(_) => unguided(target, seconds),
        };
        if let Err(error) = result {
            println!("{error}");
            for file in files(&artifacts(target))? {
                println!("  {}", file.display());
            }
            tripped.push(target.name);
        } else if minimize && let Ok(fuzzer) = &fuzzer {
            self::minimize(fuzzer, target)?;
        }
    }
    match &tripped[..] {
        [] => Ok(()),
        names => Err(format!(
            "{} failed: copy the file into tests/fuzz/corpus/TARGET, and `cargo test -p fuzz` shows it",
            names.join(", ")
        )
        .into()),
    }
}

/// Where everything goes that is not committed.
fn folder() -> PathBuf {
    workspace().join("target").join("fuzz")
}

/// The inputs that libFuzzer found worth keeping.
fn found(target: &Target) -> PathBuf {
    folder().join("corpus").join(target.name)
}

/// The inputs that trip.
fn artifacts(target: &Target) -> PathBuf {
    folder().join("artifacts").join(target.name)
}

/// Builds the targets with libFuzzer; gives their program, or says what is missing.
fn build_libfuzzer() -> Result<PathBuf, String> {
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
    let version = Command::new(&compiler).arg("--version").output();
    if !version.is_ok_and(|output| output.status.success()) {
        return Err(format!("no C++ compiler `{compiler}`; install g++ or clang, or set CXX"));
    }
    let host = host().ok_or("`rustc -vV` names no host")?;
    println!("== build with libFuzzer");
    // A target of its own, even if it is the host, keeps the flags away from build scripts.
    let status = cargo()
        .args(["build", "--quiet", "--release", "--target", &host])
        .arg("--manifest-path")
        .arg(workspace().join("tests/fuzz/libfuzzer/Cargo.toml"))
        .arg("--target-dir")
        .arg(folder())
        .env("RUSTFLAGS", COVERAGE)
        .status()
        .map_err(|error| format!("cargo could not be started: {error}"))?;
    if !status.success() {
        return Err("tests/fuzz/libfuzzer does not build here, cargo has said why".to_owned());
    }
    Ok(folder().join(host).join("release").join("libfuzzer"))
}

fn host() -> Option<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("-vV").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.lines().find_map(|line| line.strip_prefix("host: "))?.to_owned())
}

fn libfuzzer(fuzzer: &Path, target: &Target) -> Command {
    let mut command = Command::new(fuzzer);
    command.env("FUZZ_TARGET", target.name).current_dir(workspace()).arg(MAX_LEN);
    command
}

fn guided(fuzzer: &Path, target: &Target, seconds: u64) -> Result<()> {
    for folder in [found(target), artifacts(target)] {
        fs::create_dir_all(folder)?;
    }
    let log = folder().join(format!("{}.log", target.name));
    let mut command = libfuzzer(fuzzer, target);
    command
        .args([found(target), target.corpus()])
        .arg(format!("-max_total_time={}", seconds.max(1)))
        .args(["-timeout=10", "-rss_limit_mb=512", "-print_final_stats=1"])
        .arg(format!("-artifact_prefix={}/", artifacts(target).display()))
        .arg(format!("-dict={}", workspace().join("tests/fuzz/resp.dict").display()))
        .stderr(fs::File::create(&log)?)
        .stdout(Stdio::null());
    let ran = process::run(target.name, &mut command, Duration::from_secs(seconds + 120));
    let said = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    if let Err(error) = ran {
        print!("{}", what_happened(&said));
        return Err(error);
    }
    let number = |name: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(name));
        line.map_or("?", str::trim).to_owned()
    };
    // `#123 DONE cov: 1 ft: 2 corp: 3/4b ..`
    let done = said.lines().rev().find(|line| line.contains("DONE")).unwrap_or_default();
    let coverage = done.split_once("cov: ").and_then(|(_, rest)| rest.split(' ').next());
    println!(
        "{}: {} runs, {} a second, {} edges covered, {} new inputs, {} MiB at most",
        target.name,
        number("stat::number_of_executed_units:"),
        number("stat::average_exec_per_sec:"),
        coverage.unwrap_or("?"),
        number("stat::new_units_added:"),
        number("stat::peak_rss_mb:"),
    );
    Ok(())
}

/// The panic in a log of libFuzzer, or its end if there is none.
fn what_happened(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    let part = match lines.iter().position(|line| line.contains("panicked at")) {
        Some(at) => &lines[at..lines.len().min(at + 6)],
        None => &lines[lines.len().saturating_sub(30)..],
    };
    part.iter().map(|line| format!("{line}\n")).collect()
}

fn unguided(target: &Target, seconds: u64) -> Result<()> {
    // Another seed every day, and one that can be told.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let seed = now.as_secs() / (24 * 60 * 60);
    let mut command = cargo();
    command
        .args(["run", "--quiet", "--release", "--package", "fuzz", "--", target.name])
        .args([seconds.to_string(), seed.to_string()])
        .arg(artifacts(target))
        .current_dir(workspace());
    process::run(target.name, &mut command, Duration::from_secs(seconds + 20 * 60))
}

/// Makes the committed corpus the fewest inputs that reach what the known ones do.
/// Files that someone named stay, whatever they reach.
fn minimize(fuzzer: &Path, target: &Target) -> Result<()> {
    let fewest = folder().join("minimized").join(target.name);
    if fewest.exists() {
        fs::remove_dir_all(&fewest)?;
    }
    fs::create_dir_all(&fewest)?;
    let mut command = libfuzzer(fuzzer, target);
    command
        .args(["-set_cover_merge=1", "-use_counters=0"])
        .args([fewest.clone(), target.corpus(), found(target)])
        .stderr(Stdio::null())
        .stdout(Stdio::null());
    let heading = format!("{}, minimized", target.name);
    process::run(&heading, &mut command, Duration::from_secs(15 * 60))?;

    let mut sized = Vec::new();
    for file in files(&fewest)? {
        sized.push((fs::metadata(&file)?.len(), file));
    }
    sized.sort();
    for file in files(&target.corpus())? {
        if is_hash(&file) {
            fs::remove_file(file)?;
        }
    }
    // Where there are too many, some of every size: long inputs reach what no short one does.
    let most = sized.len().min(FILES);
    let (mut count, mut bytes) = (0, 0);
    for at in 0..most {
        let (len, file) = &sized[at * sized.len() / most];
        if bytes + len > BYTES {
            break;
        }
        let name = file.file_name().ok_or("a file has a name")?;
        fs::copy(file, target.corpus().join(name))?;
        count += 1;
        bytes += len;
    }
    println!("{}: {count} of {} inputs kept, {bytes} bytes", target.name, sized.len());
    Ok(())
}

/// Whether libFuzzer named the file.
fn is_hash(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.len() == 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The files of a folder in order; none where there is no folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    if folder.exists() {
        for entry in fs::read_dir(folder)? {
            files.push(entry?.path());
        }
    }
    files.sort();
    Ok(files)
}
