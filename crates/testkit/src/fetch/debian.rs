//! Gets complete programs out of a Debian release's packages: with their libraries and the loader of
//! those, so that they run on any Linux of the same processor; or what else packages hold. Nothing is
//! installed; the package lists are private, the system's own are not touched.

use std::{fmt::Write as _, fs, io, path::Path, process::Command, time::Duration};

use super::command::run;

/// A release of Debian, and the packages of it that make complete programs: these and every library,
/// the C library included, so that they run whatever the machine has.
pub(crate) struct Release {
    pub(crate) number: u16,
    pub(crate) codename: &'static str,
    pub(crate) packages: &'static [&'static str],
    /// What to keep beside the libraries: a program's place in the packages, and its name in the slot.
    pub(crate) programs: &'static [(&'static str, &'static str)],
}

impl Release {
    /// For people.
    pub(crate) fn how(&self) -> String {
        format!("Debian {} packages", self.number)
    }
}

/// The folder of a slot that holds the libraries and their loader.
pub(crate) const LIBRARIES: &str = "libraries";

const DOWNLOAD_LIMIT: Duration = Duration::from_secs(10 * 60);
const UNPACK_LIMIT: Duration = Duration::from_secs(2 * 60);

/// Leaves the programs and their libraries alone in `stage`.
pub(crate) fn fetch(release: &Release, stage: &Path) -> Result<(), String> {
    let unpacked = stage.join("unpacked");
    unpack(release, stage, &unpacked)?;
    for (inside, name) in release.programs {
        fs::rename(unpacked.join(inside), stage.join(name))
            .map_err(|e| format!("`{inside}` is not in the packages: {e}"))?;
    }
    let keep = || {
        fs::create_dir(stage.join(LIBRARIES))?;
        keep_libraries(&unpacked.join("lib"), &stage.join(LIBRARIES))?;
        keep_libraries(&unpacked.join("usr/lib"), &stage.join(LIBRARIES))?;
        fs::remove_dir_all(&unpacked)
    };
    keep().map_err(|e| format!("`{}`: {e}", stage.display()))
}

/// Puts the files of the packages into `unpacked`, and leaves nothing else in `stage`.
pub(crate) fn unpack(release: &Release, stage: &Path, unpacked: &Path) -> Result<(), String> {
    let mirror = Mirror::of_this_machine()?;
    let apt = stage.join("apt");
    let failed = |e: io::Error| format!("`{}`: {e}", stage.display());

    let prepare = || {
        fs::create_dir_all(apt.join("lists/partial"))?;
        fs::create_dir_all(apt.join("cache/archives/partial"))?;
        fs::write(apt.join("status"), "")?;
        fs::write(apt.join("sources.list"), mirror.source(release.codename))?;
        fs::write(apt.join("apt.conf"), configuration(&apt))
    };
    prepare().map_err(failed)?;
    let apt_get = |words: &[&str]| {
        let mut command = Command::new("apt-get");
        command.arg("--config-file").arg(apt.join("apt.conf")).args(words).current_dir(&apt);
        run(command, DOWNLOAD_LIMIT)
    };
    apt_get(&["update"])?;
    let named: Vec<_> =
        release.packages.iter().map(|name| format!("{name}/{}", release.codename)).collect();
    let mut words = vec!["download"];
    words.extend(named.iter().map(String::as_str));
    apt_get(&words)?;

    for entry in fs::read_dir(&apt).map_err(failed)?.flatten() {
        if entry.path().extension().is_some_and(|extension| extension == "deb") {
            let mut dpkg = Command::new("dpkg");
            dpkg.arg("-x").arg(entry.path()).arg(unpacked);
            run(dpkg, UNPACK_LIMIT)?;
        }
    }
    fs::remove_dir_all(&apt).map_err(failed)
}

/// The words that come before a program that is to run with the libraries in the folder `slot`, which
/// is called `named` in a recipe.
pub(crate) fn loaded(slot: &Path, named: &str) -> Result<Vec<String>, String> {
    let libraries = format!("{named}/{LIBRARIES}");
    Ok(vec![format!("{libraries}/{}", loader(slot)?), "--library-path".to_owned(), libraries])
}

/// The file name of the dynamic loader among the libraries of the slot `folder`.
fn loader(folder: &Path) -> Result<String, String> {
    let folder = folder.join(LIBRARIES);
    fs::read_dir(&folder)
        .map_err(|e| format!("`{}`: {e}", folder.display()))?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .find(|name| name.starts_with("ld-linux"))
        .ok_or_else(|| format!("no loader in `{}`", folder.display()))
}

/// Moves the libraries of every folder for one architecture (`lib/*-linux-gnu`) into `into`.
fn keep_libraries(lib: &Path, into: &Path) -> io::Result<()> {
    let Ok(folders) = fs::read_dir(lib) else {
        return Ok(());
    };
    for folder in folders.flatten() {
        if !folder.file_name().to_string_lossy().ends_with("-linux-gnu") {
            continue;
        }
        for entry in fs::read_dir(folder.path())?.flatten() {
            let name = entry.file_name();
            if name.to_string_lossy().contains(".so") && !entry.path().is_dir() {
                fs::rename(entry.path(), into.join(name))?;
            }
        }
    }
    Ok(())
}

/// What apt is told on top of the machine's configuration (which may name a proxy): folders of
/// its own, no pins, nothing taken for installed, no hooks, and an error where it would warn.
fn configuration(apt: &Path) -> String {
    let folder = apt.display();
    let mut text = String::from(
        "#clear APT::Update::Pre-Invoke;\n#clear APT::Update::Post-Invoke;\n\
         #clear APT::Update::Post-Invoke-Success;\n",
    );
    for (option, value) in [
        ("Dir::Etc::SourceList", format!("{folder}/sources.list")),
        ("Dir::Etc::SourceParts", "/dev/null".to_owned()),
        ("Dir::Etc::Preferences", "/dev/null".to_owned()),
        ("Dir::Etc::PreferencesParts", "/dev/null".to_owned()),
        ("Dir::State::Lists", format!("{folder}/lists")),
        ("Dir::State::Status", format!("{folder}/status")),
        ("Dir::Cache", format!("{folder}/cache")),
        ("APT::Update::Error-Mode", "any".to_owned()),
        ("APT::Sandbox::User", "root".to_owned()),
        ("Acquire::Languages", "none".to_owned()),
        ("Acquire::IndexTargets::deb::DEP-11::DefaultEnabled", "false".to_owned()),
        ("Acquire::Retries", "3".to_owned()),
    ] {
        // Writing to a string can't fail.
        let _ = writeln!(text, "{option} \"{value}\";");
    }
    text
}

/// Where this machine gets Debian's packages from.
#[derive(Debug, PartialEq, Eq)]
struct Mirror {
    uri: String,
    /// The keyring that signs it, where the source names one.
    signed_by: Option<String>,
}

impl Mirror {
    fn of_this_machine() -> Result<Self, String> {
        let mut sources = vec![Path::new("/etc/apt/sources.list").to_owned()];
        let parts = fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten();
        sources.extend(parts.map(|entry| entry.path()));
        sources.sort();
        let os = fs::read_to_string("/etc/os-release").unwrap_or_default();
        let codename = os.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
        let texts = sources.iter().filter_map(|path| {
            let deb822 = path.extension().is_some_and(|extension| extension == "sources");
            Some((deb822, fs::read_to_string(path).ok()?))
        });
        Self::find(texts, codename.unwrap_or_default().trim_matches('"'))
            .ok_or_else(|| "needs a Debian package source, and this machine has none".into())
    }

    /// The first source that carries the main part of a Debian release. A vendor's source may
    /// carry a suite of the same name, so that one whose address says `debian` goes first.
    fn find(sources: impl Iterator<Item = (bool, String)>, codename: &str) -> Option<Self> {
        let mut mirrors = Vec::new();
        for (deb822, text) in sources {
            let entries = if deb822 { deb822_entries(&text) } else { line_entries(&text) };
            mirrors.extend(entries.into_iter().filter_map(|entry| entry.mirror(codename)));
        }
        mirrors.sort_by_key(|mirror| {
            let path = mirror.uri.trim_end_matches('/');
            !(path.ends_with("/debian") || path.ends_with("/debian.list"))
        });
        mirrors.into_iter().next()
    }

    /// The line that has apt read the main part of `suite` from here.
    fn source(&self, suite: &str) -> String {
        match &self.signed_by {
            Some(keys) => format!("deb [signed-by={keys}] {} {suite} main\n", self.uri),
            None => format!("deb {} {suite} main\n", self.uri),
        }
    }
}

#[derive(Default)]
struct Entry {
    binary: bool,
    uri: String,
    suites: Vec<String>,
    components: Vec<String>,
    signed_by: Option<String>,
}

impl Entry {
    fn mirror(self, codename: &str) -> Option<Mirror> {
        let release = |suite: &String| {
            suite == codename || ["stable", "testing", "sid", "unstable"].contains(&suite.as_str())
        };
        let main = self.components.iter().any(|component| component == "main");
        (self.binary && main && !self.uri.is_empty() && self.suites.iter().any(release))
            .then_some(Mirror { uri: self.uri, signed_by: self.signed_by })
    }
}

/// `deb [signed-by=/keys.gpg] URI SUITE COMPONENT..`, one a line.
fn line_entries(text: &str) -> Vec<Entry> {
    let lines = text.lines().filter_map(|line| {
        let line = line.split('#').next()?.trim();
        let mut rest = line.strip_prefix("deb ")?.trim_start();
        let mut signed_by = None;
        if let Some(options) = rest.strip_prefix('[') {
            let (options, behind) = options.split_once(']')?;
            signed_by = options.split_whitespace().find_map(|o| o.strip_prefix("signed-by="));
            rest = behind;
        }
        let mut words = rest.split_whitespace().map(str::to_owned);
        Some(Entry {
            binary: true,
            uri: words.next()?,
            suites: vec![words.next()?],
            components: words.collect(),
            signed_by: keyring(signed_by),
        })
    });
    lines.collect()
}

/// Paragraphs of `Field: value`, lines that start with a space continuing the one before.
fn deb822_entries(text: &str) -> Vec<Entry> {
    let mut entries = vec![Entry::default()];
    let mut field = String::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if line.trim().is_empty() {
            entries.push(Entry::default());
            continue;
        }
        let value = match line.split_once(':') {
            Some((name, value)) if !line.starts_with(char::is_whitespace) => {
                field = name.trim().to_lowercase();
                value
            }
            _ => line,
        };
        let Some(entry) = entries.last_mut() else {
            continue;
        };
        let mut words = value.split_whitespace().map(str::to_owned);
        match field.as_str() {
            "types" => entry.binary |= words.any(|word| word == "deb"),
            "uris" if entry.uri.is_empty() => entry.uri = words.next().unwrap_or_default(),
            "suites" => entry.suites.extend(words),
            "components" => entry.components.extend(words),
            "signed-by" if entry.signed_by.is_none() => {
                entry.signed_by = keyring(words.next().as_deref());
            }
            _ => {}
        }
    }
    entries
}

/// A keyring's path. Keys written out in the source itself are left to apt's trusted ones.
fn keyring(value: Option<&str>) -> Option<String> {
    value.filter(|value| value.starts_with('/')).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(deb822: bool, text: &str) -> Option<Mirror> {
        Mirror::find([(deb822, text.to_owned())].into_iter(), "bookworm")
    }

    #[test]
    fn paragraphs_give_the_release_and_not_its_updates() {
        let mirror = find(
            true,
            "Types: deb\n# a comment\nURIs: http://mirror.example/debian-security\n\
             Suites: bookworm-security\nComponents: main\n\n\
             Types: deb deb-src\nURIs: http://mirror.example/debian\n\
             Suites: bookworm bookworm-updates\nComponents: main\nSigned-By: /keys.gpg\n",
        );
        let mirror = mirror.unwrap();
        assert_eq!(
            mirror.source("trixie"),
            "deb [signed-by=/keys.gpg] http://mirror.example/debian trixie main\n"
        );
    }

    #[test]
    fn lines_give_the_release_and_a_vendor_goes_last() {
        let mirror = find(
            false,
            "# deb http://old.example/debian bookworm main\n\
             deb-src http://mirror.example/debian bookworm main\n\
             deb [arch=amd64] http://vendor.example/debian/12/prod bookworm main\n\
             deb http://mirror.example/debian/ bookworm main contrib # ours\n",
        );
        let uri = "http://mirror.example/debian/".to_owned();
        assert_eq!(mirror, Some(Mirror { uri, signed_by: None }));
    }

    #[test]
    fn other_systems_have_no_mirror() {
        assert_eq!(find(false, "deb http://mirror.example/other noble main universe\n"), None);
        assert_eq!(find(true, "Types: deb\nURIs: http://v.example\nSuites: nodistro\n"), None);
    }
}
