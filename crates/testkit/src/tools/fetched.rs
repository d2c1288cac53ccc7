//! How the wanted tools are made out of what was fetched.

use std::{collections::BTreeMap, ffi::OsString, path::Path};

use super::{
    Tool,
    wanted::{KNOWN, Kit, Known, PACKAGES, Source},
};
use crate::fetch::{
    debian,
    store::{Fetcher, Recipe, SLOT, Wanted},
    wheel,
};

impl Kit {
    pub(super) fn holds(&self, known: &Known) -> bool {
        self.tools.contains(&known.name)
    }

    fn how(&self) -> String {
        match &self.source {
            Source::Debian(release) => release.how(),
            Source::Wheels(wheels) => {
                let names: Vec<_> = wheels.iter().map(|wheel| wheel.requirement).collect();
                format!("wheels {}", names.join(", "))
            }
        }
    }
}

impl Wanted for Kit {
    type Found = Vec<Tool>;

    fn slot(&self) -> String {
        self.slot.to_owned()
    }

    fn source(&self) -> String {
        format!("{}: {}", self.tools.join(", "), self.how())
    }

    fn make(&self, stage: &Path, fetcher: &Fetcher<'_, Self>) -> Result<Recipe, String> {
        let command = match &self.source {
            Source::Debian(release) => {
                debian::fetch(release, stage)?;
                debian::loaded(stage, SLOT)?
            }
            Source::Wheels(wheels) => {
                for wheel in *wheels {
                    wheel::fetch(wheel, stage, &stage.join(PACKAGES))?;
                }
                vec!["env".to_owned(), format!("PYTHONPATH={SLOT}/{PACKAGES}")]
            }
        };
        let recipe = Recipe { how: self.how(), command, facts: BTreeMap::new() };
        let words = fetcher.command(&recipe, stage);
        self.tools(&recipe.how, &words, stage)?;
        Ok(recipe)
    }

    fn look_at(
        &self,
        recipe: Recipe,
        command: Vec<OsString>,
        slot: &Path,
    ) -> Result<Vec<Tool>, String> {
        self.tools(&recipe.how, &command, slot)
    }
}

impl Kit {
    /// The tools in the folder `slot`; `words` come before each one's program.
    fn tools(&self, how: &str, words: &[OsString], slot: &Path) -> Result<Vec<Tool>, String> {
        let ours = KNOWN.iter().filter(|known| self.holds(known));
        ours.map(|known| {
            let program = match self.source {
                Source::Debian(_) => slot.join(known.name).into_os_string(),
                Source::Wheels(_) => known.program.into(),
            };
            let words = words.iter().cloned().chain([program]).collect();
            Tool::at(known, words, how).map_err(|why| format!("{}: {why}", known.name))
        })
        .collect()
    }
}
