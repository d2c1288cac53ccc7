//! `bench build`: what it costs to have a client. Builds a small program with each, from nothing and
//! without a network, and counts CPU seconds, crates and bytes.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use bench::meter;

use super::{LIMIT, target};
use crate::{
    Result,
    process::{self, cargo},
    workspace,
};

/// A program and what it may cost.
struct Program {
    name: &'static str,
    is_peer: bool,
    /// Lines of a manifest; `CRATES` is the folder of this workspace's crates.
    dependencies: &'static str,
    main: &'static str,
    most: Option<Cost>,
}

/// What a program costs.
#[derive(Clone, Copy)]
struct Cost {
    /// In its tree of dependencies, itself not counted.
    crates: usize,
    /// Of CPU, user and system, of cargo and all that it starts.
    seconds: f64,
    /// Of the stripped program; a thousand bytes each.
    kilobytes: f64,
}

/// The same features as in the workspace's lock file, whose crates are at hand without a network.
const PROGRAMS: [Program; 6] = [
    Program {
        name: "nothing",
        is_peer: false,
        dependencies: "",
        main: "fn main() {\n    println!(\"hello\");\n}\n",
        most: None,
    },
    Program {
        name: "redis-sync",
        is_peer: false,
        dependencies: "redis-sync = { path = \"CRATES/redis-sync\" }",
        main: r#"use redis_sync::{Client, Commands, Result};

fn main() -> Result<()> {
    let client = Client::open("redis://localhost:6379/")?;
    client.set("greeting", "hello")?;
    let greeting: Option<String> = client.get("greeting")?;
    println!("{greeting:?}");
    Ok(())
}
"#,
        most: Some(Cost { crates: 15, seconds: 15.0, kilobytes: 650.0 }),
    },
    Program {
        name: "redis-tokio",
        is_peer: false,
        dependencies: "redis-tokio = { path = \"CRATES/redis-tokio\" }\n\
                       tokio = { version = \"1\", features = [\"macros\", \"rt-multi-thread\"] }",
        main: r#"use redis_tokio::{Client, Commands, Result};

#[tokio::main]
async fn main() -> Result<()> {
    let client = Client::open("redis://localhost:6379/")?;
    client.set("greeting", "hello").await?;
    let greeting: Option<String> = client.get("greeting").await?;
    println!("{greeting:?}");
    Ok(())
}
"#,
        most: Some(Cost { crates: 25, seconds: 28.0, kilobytes: 850.0 }),
    },
    Program {
        name: "redis-smol",
        is_peer: false,
        dependencies: "redis-smol = { path = \"CRATES/redis-smol\" }\nsmol = \"2\"",
        main: r#"use redis_smol::{Client, Commands, Result};

fn main() -> Result<()> {
    smol::block_on(async {
        let client = Client::open("redis://localhost:6379/")?;
        client.set("greeting", "hello").await?;
        let greeting: Option<String> = client.get("greeting").await?;
        println!("{greeting:?}");
        Ok(())
    })
}
"#,
        most: None,
    },
    Program {
        name: "redis 1.8.1 sync",
        is_peer: true,
        dependencies: "redis = { version = \"=1.8.1\", default-features = false }",
        main: r#"use redis::{Client, Commands, RedisResult};

fn main() -> RedisResult<()> {
    let mut client = Client::open("redis://localhost:6379/")?.get_connection()?;
    let _: () = client.set("greeting", "hello")?;
    let greeting: Option<String> = client.get("greeting")?;
    println!("{greeting:?}");
    Ok(())
}
"#,
        most: None,
    },
    Program {
        name: "redis 1.8.1 tokio",
        is_peer: true,
        dependencies: "redis = { version = \"=1.8.1\", default-features = false, features = [\"tokio-comp\"] }\n\
                       tokio = { version = \"1\", features = [\"macros\", \"rt-multi-thread\"] }",
        main: r#"use redis::{AsyncCommands, Client, RedisResult};

#[tokio::main]
async fn main() -> RedisResult<()> {
    let client = Client::open("redis://localhost:6379/")?;
    let mut client = client.get_multiplexed_async_connection().await?;
    let _: () = client.set("greeting", "hello").await?;
    let greeting: Option<String> = client.get("greeting").await?;
    println!("{greeting:?}");
    Ok(())
}
"#,
        most: None,
    },
];

/// What the targets were set beside.
const BEST_PEER: &str = "best peer when the targets were set, sync / tokio: 48 / 63 crates, \
                         36 / 48 s, 933 / 1,133 KB";

/// Builds all of them, one after the other, and shows what they cost.
pub(super) fn run(peers: bool) -> Result<()> {
    let folder = target()?.join("bench-build");
    let mut lines = Vec::new();
    for program in PROGRAMS.iter().filter(|program| peers || !program.is_peer) {
        lines.push(line(program, &measure(program, &folder)?));
    }
    println!("\n{:18} {:>14} {:>18} {:>20}", "program", "crates", "CPU s", "stripped KB");
    lines.iter().for_each(|line| println!("{line}"));
    println!("{BEST_PEER}");
    Ok(())
}

/// What one of them costs; its folder is new before and gone afterwards.
fn measure(program: &Program, folder: &Path) -> Result<Cost> {
    let clear = || match folder.exists() {
        true => fs::remove_dir_all(folder),
        false => Ok(()),
    };
    clear()?;
    write(program, folder)?;
    let tree = Command::output(
        in_folder(folder, "tree")
            .args(["--edges", "normal,build", "--prefix", "none", "--format", "{p}"])
            .stderr(Stdio::inherit()),
    )?;
    if !tree.status.success() {
        return Err(format!("{}: `cargo tree` failed", program.name).into());
    }
    let output = folder.join("target");
    let mut build = in_folder(folder, "build");
    build.args(["--release", "--quiet", "--target-dir"]).arg(&output);
    let before = meter::children()?;
    process::run(&format!("build {}", program.name), &mut build, LIMIT)?;
    let took = meter::children()?.saturating_sub(before);
    let bytes = fs::metadata(output.join("release/hello"))?.len();
    clear()?;
    Ok(cost(&String::from_utf8(tree.stdout)?, took, bytes))
}

#[allow(clippy::cast_precision_loss, reason = "programs stay far below 2^53 bytes")]
fn cost(tree: &str, took: Duration, bytes: u64) -> Cost {
    let names: BTreeSet<_> =
        tree.lines().filter_map(|line| line.strip_suffix(" (*)").or(Some(line))).collect();
    let crates = names.iter().filter(|name| !name.is_empty() && !name.starts_with("hello "));
    Cost { crates: crates.count(), seconds: took.as_secs_f64(), kilobytes: bytes as f64 / 1000.0 }
}

/// A package of its own, with the workspace's versions and profile.
fn write(program: &Program, folder: &Path) -> Result<()> {
    let crates = workspace().join("crates");
    let crates = crates.to_str().ok_or("the workspace's path is no text")?;
    let manifest = format!(
        "[package]\nname = \"hello\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [dependencies]\n{}\n\n[profile.release]\nlto = \"thin\"\ncodegen-units = 1\nstrip = true\n",
        program.dependencies.replace("CRATES", crates),
    );
    fs::create_dir_all(folder.join("src"))?;
    fs::write(folder.join("Cargo.toml"), manifest)?;
    fs::write(folder.join("src/main.rs"), program.main)?;
    fs::copy(workspace().join("Cargo.lock"), folder.join("Cargo.lock"))?;
    Ok(())
}

fn in_folder(folder: &Path, verb: &str) -> Command {
    let mut command = cargo();
    command.args([verb, "--offline"]).current_dir(folder);
    command
}

fn line(program: &Program, cost: &Cost) -> String {
    let verdict = |text: String, most: Option<String>, met: bool| match most {
        Some(most) => format!("{text} {} {most}", if met { "<=" } else { "NOT <=" }),
        None => text,
    };
    let most = program.most;
    let crates = verdict(
        cost.crates.to_string(),
        most.map(|most| most.crates.to_string()),
        most.is_none_or(|most| cost.crates <= most.crates),
    );
    let seconds = verdict(
        format!("{:.1}", cost.seconds),
        most.map(|most| format!("{:.0}", most.seconds)),
        most.is_none_or(|most| cost.seconds <= most.seconds),
    );
    let kilobytes = verdict(
        format!("{:.0}", cost.kilobytes),
        most.map(|most| format!("{:.0}", most.kilobytes)),
        most.is_none_or(|most| cost.kilobytes <= most.kilobytes),
    );
    format!("{:18} {crates:>14} {seconds:>18} {kilobytes:>20}", program.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_are_counted_once_and_without_the_program() {
        let tree = "hello v0.0.0 (x)\na v1.0.0\nb v2.0.0 (proc-macro)\na v1.0.0 (*)\na v2.0.0\n\n";
        let cost = cost(tree, Duration::from_millis(1500), 2500);
        assert_eq!((cost.crates, cost.seconds, cost.kilobytes), (3, 1.5, 2.5));
    }

    #[test]
    fn what_is_beyond_its_target_says_so() {
        let found = Cost { crates: 9, seconds: 15.5, kilobytes: 650.0 };
        let line = line(&PROGRAMS[1], &found);
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!(words.join(" "), "redis-sync 9 <= 15 15.5 NOT <= 15 650 <= 650");
    }
}
