//! Makes a test of each snippet of the guides, and a documentation test of each that must not compile.

#[path = "src/page.rs"]
mod page;
#[path = "src/tests_of.rs"]
mod tests_of;

use std::{env, error::Error, fs, path::Path};

/// The folder of the guides.
const GUIDES: &str = "../../docs/guide";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={GUIDES}");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src");
    let (mut tests, mut failing) = (String::new(), String::new());
    let mut pages: Vec<_> = fs::read_dir(GUIDES)?.collect::<Result<_, _>>()?;
    pages.sort_by_key(fs::DirEntry::path);
    for entry in pages {
        let path = entry.path();
        let name =
            path.file_stem().and_then(|stem| stem.to_str()).ok_or("a guide without a name")?;
        let page = page::read(&fs::read_to_string(&path)?)
            .map_err(|error| format!("docs/guide/{name}.md:{error}"))?;
        tests.push_str(&tests_of::running(name, &page));
        failing.push_str(&tests_of::failing(name, &page));
    }
    let out = env::var("OUT_DIR")?;
    fs::write(Path::new(&out).join("snippets.rs"), tests)?;
    fs::write(Path::new(&out).join("failing.rs"), failing)?;
    Ok(())
}
