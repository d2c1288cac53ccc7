//! Tests as Rust code, of a page's blocks. Knows what goes around a snippet, and not how it is judged.

use std::fmt::Write as _;

use crate::page::{Block, CULPRIT, SINCE_7};

/// The address that pages give; a snippet gets its own server's instead.
const URL: &str = "\"redis://localhost:6379\"";

/// The same of a cluster.
const CLUSTER: &str = "\"redis+cluster://localhost:7000\"";

/// By which a snippet in Python has the cluster.
const PORT: &str = "port=7000";

/// What a snippet is the body of returns.
const RESULT: &str = "std::result::Result<(), Box<dyn std::error::Error>>";

/// A module of a test for each block that runs.
pub(crate) fn running(page: &str, blocks: &[Block]) -> String {
    let mut text = format!("mod {page} {{\n");
    let mut preludes = Preludes::default();
    for block in blocks {
        let Some(before) = preludes.before(block) else { continue };
        if block.has("compile_fail") {
            continue;
        }
        let Block { line, prints, .. } = block;
        let runtime = runtime(block);
        let since = if block.has(SINCE_7) { 7 } else { 0 };
        let is_cluster =
            [&before, &block.code].iter().any(|code| code.contains(CLUSTER) || code.contains(PORT));
        let wanted = if is_cluster { "Cluster" } else { "Server" };
        let _ = write!(
            text,
            "mod line_{line}_{runtime} {{
    #![allow(unused_imports, unused_variables, unused_mut, dead_code)]
    static SNIPPET: crate::snippet::Snippet =
        crate::snippet::Snippet::new({prints:?}, {since}, crate::place::Wanted::{wanted});
    #[allow(unused_macros)]
    macro_rules! println {{ ($($all:tt)*) => {{ SNIPPET.says(format_args!($($all)*)) }} }}
"
        );
        text.push_str(&match runtime {
            "python" => {
                let program = format!("{before}{}", block.code);
                format!("#[test]\nfn runs() {{ SNIPPET.run_python({program:?}); }}\n")
            }
            _ => rust(runtime, &before, &block.code),
        });
        text.push_str("}\n");
    }
    text.push_str("}\n");
    text
}

/// Two documentation tests for each block that must not compile: one that it does not, and one that
/// nothing but its culprits keeps it from compiling.
pub(crate) fn failing(page: &str, blocks: &[Block]) -> String {
    let mut text = String::new();
    let mut preludes = Preludes::default();
    for block in blocks {
        let Some(before) = preludes.before(block) else { continue };
        if !block.has("compile_fail") {
            continue;
        }
        let keyword = if runtime(block) == "sync" { "" } else { "async " };
        let blameless = block.code.lines().filter(|line| !line.trim_end().ends_with(CULPRIT));
        let blameless = blameless.collect::<Vec<_>>().join("\n");
        for (tag, code) in [("compile_fail", &block.code), ("no_run", &blameless)] {
            let code = format!(
                "```{tag}\n{keyword}fn snippet() -> {RESULT} {{\n{before}{code}\nOk(())\n}}\n\
                 let _ = snippet;\n```\n"
            );
            let _ = writeln!(text, "#[doc = {code:?}]\nmod {page}_line_{}_{tag} {{}}", block.line);
        }
    }
    text
}

/// What went by of a page.
#[derive(Default)]
struct Preludes {
    rust: String,
    python: String,
}

impl Preludes {
    /// What comes before the block's code; none when it is a prelude itself.
    fn before(&mut self, block: &Block) -> Option<String> {
        let of_language =
            if block.language == "python" { &mut self.python } else { &mut self.rust };
        if block.has("prelude") {
            of_language.push_str(&block.code);
            return None;
        }
        if is_program(&block.code) {
            return Some(String::new());
        }
        Some(match runtime(block) {
            "tokio" => of_language.replace("redis_sync", "redis_tokio"),
            "smol" => of_language.replace("redis_sync", "redis_smol"),
            _ => of_language.clone(),
        })
    }
}

fn runtime(block: &Block) -> &'static str {
    match block {
        _ if block.language == "python" => "python",
        _ if block.has("tokio") => "tokio",
        _ if block.has("smol") => "smol",
        _ => "sync",
    }
}

fn is_program(code: &str) -> bool {
    code.contains("fn main()")
}

fn rust(runtime: &str, before: &str, code: &str) -> String {
    let on_its_own =
        |code: &str| code.replace(URL, "SNIPPET.url()").replace(CLUSTER, "SNIPPET.url()");
    let (before, code) = (on_its_own(before), on_its_own(code));
    if is_program(&code) {
        return format!("{code}\n#[test]\nfn runs() {{ SNIPPET.run(|| Ok(main()?)); }}\n");
    }
    let (keyword, call) = match runtime {
        "tokio" => ("async ", "|| crate::snippet::on_tokio(snippet())"),
        "smol" => ("async ", "|| smol::block_on(snippet())"),
        _ => ("", "snippet"),
    };
    format!(
        "{keyword}fn snippet() -> {RESULT} {{\n{before}{code}\nOk(())\n}}\n\
         #[test]\nfn runs() {{ SNIPPET.run({call}); }}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::read;

    #[test]
    fn prelude_goes_before_snippets_with_the_name_of_their_crate() {
        let page = "```rust,prelude\nuse redis_sync::X;\nopen(\"redis://localhost:6379\");\n```\n\
                    ```rust\na();\n```\n```rust,tokio\nb();\n```\n```rust\nfn main() {}\n```\n";
        let text = running("p", &read(page).unwrap());
        assert!(text.contains("use redis_sync::X;\nopen(SNIPPET.url());\na();\n"), "{text}");
        assert!(text.contains("use redis_tokio::X;\nopen(SNIPPET.url());\nb();\n"), "{text}");
        assert_eq!(text.matches("SNIPPET.url()").count(), 2, "not in the program: {text}");
    }

    #[test]
    fn a_snippet_with_the_address_of_a_cluster_gets_one() {
        let page = "```rust\nopen(\"redis+cluster://localhost:7000\");\n```\n```python\nr = R(port=7000)\n```\n\
                    ```rust\nopen(\"redis://localhost:6379\");\n```\n";
        let text = running("p", &read(page).unwrap());
        assert_eq!(text.matches("Wanted::Cluster").count(), 2, "{text}");
        assert_eq!(text.matches("Wanted::Server").count(), 1, "{text}");
        assert_eq!(text.matches("open(SNIPPET.url())").count(), 2, "{text}");
    }

    #[test]
    fn what_must_not_compile_is_compiled_without_its_culprits_too() {
        let blocks =
            read("```rust,compile_fail\nfine();\nbad(); // does not compile\n```\n").unwrap();
        assert!(!running("p", &blocks).contains("fine();"));
        let text = failing("p", &blocks);
        let (fails, compiles) = text.split_once("no_run").unwrap();
        assert!(fails.contains("compile_fail") && fails.contains("bad();"), "{text}");
        assert!(compiles.contains("fine();") && !compiles.contains("bad();"), "{text}");
    }
}
