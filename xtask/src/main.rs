//! The workspace's own verbs, run as `cargo xtask VERB`.

mod codegen;

fn main() {
    // Stands in for the dispatch that is written beside this.
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|verb| verb == "codegen")
        && let Err(error) = codegen::run(&args[1..])
    {
        eprintln!("{error}");
        std::process::exit(1);
    }
}
