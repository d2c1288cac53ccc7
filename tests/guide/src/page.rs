//! A guide as its blocks of code. Knows fences and headings, and not what becomes of the code.

/// The end of a line that keeps its block from being compiled.
pub(crate) const CULPRIT: &str = "// does not compile";

/// The tag of blocks that older servers can't run.
pub(crate) const SINCE_7: &str = "since-7.0";

/// A block of code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Block {
    /// Of its first fence, counted from 1.
    pub(crate) line: usize,
    pub(crate) language: String,
    pub(crate) tags: Vec<String>,
    pub(crate) code: String,
    /// What it prints.
    pub(crate) prints: String,
}

impl Block {
    pub(crate) fn has(&self, tag: &str) -> bool {
        self.tags.iter().any(|own| own == tag)
    }

    fn is_run(&self) -> bool {
        !self.has("prelude") && !self.has("compile_fail")
    }
}

/// The blocks of a page that run or are to fail, in order.
///
/// # Errors
///
/// `LINE: WHY` when a block can't be understood.
pub(crate) fn read(text: &str) -> Result<Vec<Block>, String> {
    let mut blocks: Vec<Block> = Vec::new();
    // Those that the next `text` is about.
    let mut printing = 0;
    let mut open: Option<Block> = None;
    for (number, line) in text.lines().enumerate() {
        let number = number + 1;
        match (line.strip_prefix("```"), &mut open) {
            (Some(""), block @ Some(_)) => {
                let Some(block) = block.take() else { continue };
                if block.language == "text" {
                    let before = blocks[printing..].iter_mut();
                    let mut printers: Vec<_> = before.filter(|block| block.is_run()).collect();
                    if printers.is_empty() {
                        return Err(format!("{}: nothing before this prints it", block.line));
                    }
                    printers.iter_mut().for_each(|one| one.prints.clone_from(&block.code));
                    printing = blocks.len();
                } else {
                    check(&block)?;
                    blocks.push(block);
                }
            }
            (Some(info), None) => {
                let mut words = info.split([',', ' ']).map(str::to_owned);
                let language = words.next().unwrap_or_default();
                open =
                    Some(Block { line: number, language, tags: words.collect(), ..<_>::default() });
            }
            (_, Some(block)) => {
                block.code.push_str(line);
                block.code.push('\n');
            }
            (None, None) if line.starts_with('#') => printing = blocks.len(),
            (None, None) => {}
        }
    }
    match open {
        Some(block) => Err(format!("{}: the block is not closed", block.line)),
        None => Ok(blocks),
    }
}

fn check(block: &Block) -> Result<(), String> {
    let line = block.line;
    let known: &[&str] = match block.language.as_str() {
        "rust" => &["tokio", "smol", "prelude", "compile_fail", SINCE_7],
        "python" => &["prelude", SINCE_7],
        other => return Err(format!("{line}: `{other}` is neither rust, python nor text")),
    };
    if let Some(tag) = block.tags.iter().find(|tag| !known.contains(&tag.as_str())) {
        return Err(format!("{line}: no block is marked `{tag}`"));
    }
    if block.has("compile_fail") != block.code.contains(CULPRIT) {
        return Err(format!("{line}: `compile_fail` goes together with lines marked `{CULPRIT}`"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_what_the_blocks_before_it_print_up_to_another_or_a_heading() {
        let page = "# A\n```python\np\n```\n# B\n```python\nq\n```\n\nor\n```rust,tokio\nr\n```\n\
                    ```text\n1\n2\n```\n```rust\ns\n```\n";
        let blocks = read(page).unwrap();
        let seen: Vec<_> =
            blocks.iter().map(|block| (block.line, block.code.trim(), &*block.prints)).collect();
        assert_eq!(seen, [(2, "p", ""), (6, "q", "1\n2\n"), (11, "r", "1\n2\n"), (18, "s", "")]);
        assert!(blocks[2].has("tokio") && blocks[2].language == "rust");
    }

    #[test]
    fn blocks_that_would_not_be_checked_are_errors() {
        for (page, line) in [
            ("```rust,no_run\n```\n", "1: "),
            ("\n```\n```\n", "2: "),
            ("```rust\n", "1: "),
            ("```text\n```\n", "1: "),
            ("```python,prelude\n```\n```text\n```\n", "3: "),
            ("```rust,compile_fail\nx\n```\n", "1: "),
            ("```rust\nx // does not compile\n```\n", "1: "),
        ] {
            let error = read(page).unwrap_err();
            assert!(error.starts_with(line), "{page}: {error}");
        }
    }
}
