//! What follows which version.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, bail, ensure};
use semver::{BuildMetadata, Prerelease, Version};

/// What somebody asks to be released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Major,
    Minor,
    Patch,
    Exactly(Version),
}

impl FromStr for Target {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        Ok(match text {
            "major" => Self::Major,
            "minor" => Self::Minor,
            "patch" => Self::Patch,
            _ => Self::Exactly(exactly(text)?),
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Major => f.write_str("major"),
            Self::Minor => f.write_str("minor"),
            Self::Patch => f.write_str("patch"),
            Self::Exactly(version) => version.fmt(f),
        }
    }
}

fn exactly(text: &str) -> anyhow::Result<Version> {
    let advice = "say major, minor, patch or a version such as 0.2.0 or 1.0.0-rc.1";
    let version = Version::parse(text).with_context(|| format!("`{text}`: {advice}"))?;
    ensure!(
        version.build.is_empty(),
        "`{text}`: registries do not tell versions apart by what follows a `+`; leave it away"
    );
    Ok(version)
}

/// The version to release, where `current` is that of the manifest. It may stand there already if it
/// was never released.
pub(crate) fn next(
    current: &Version,
    is_released: bool,
    target: Option<&Target>,
) -> anyhow::Result<Version> {
    let next = match target {
        None if is_released => bail!(
            "{current}, the version of Cargo.toml, is released already: say what follows it, major, \
             minor, patch or a version"
        ),
        None => return Ok(current.clone()),
        Some(Target::Exactly(version)) => version.clone(),
        Some(part) => raised(current, part),
    };
    ensure!(
        next >= *current,
        "a release goes forward: {next} is before {current}, the version of Cargo.toml"
    );
    Ok(next)
}

/// What comes after `current`; what was prepared by a pre-release is completed, not skipped.
fn raised(current: &Version, part: &Target) -> Version {
    let is_prepared = !current.pre.is_empty();
    let mut next = current.clone();
    next.pre = Prerelease::EMPTY;
    next.build = BuildMetadata::EMPTY;
    match part {
        Target::Major if is_prepared && next.minor == 0 && next.patch == 0 => {}
        Target::Minor if is_prepared && next.patch == 0 => {}
        Target::Patch if is_prepared => {}
        Target::Major => next = Version::new(next.major + 1, 0, 0),
        Target::Minor => next = Version::new(next.major, next.minor + 1, 0),
        Target::Patch => next.patch += 1,
        Target::Exactly(version) => next = version.clone(),
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_rises_as_it_should_and_nothing_goes_back() {
        for (current, is_released, asked, expected) in [
            ("0.1.0", false, "", "0.1.0"),
            ("0.1.0", false, "0.1.0", "0.1.0"),
            ("0.1.0", true, "", "released already"),
            ("0.1.0", true, "patch", "0.1.1"),
            ("0.1.7", true, "minor", "0.2.0"),
            ("0.1.7", true, "major", "1.0.0"),
            ("0.1.7", true, "0.3.0", "0.3.0"),
            ("0.1.7", true, "0.1.6", "goes forward"),
            ("1.0.0", true, "1.0.0-rc.1", "goes forward"),
            ("1.0.0-rc.1", true, "major", "1.0.0"),
            ("1.0.0-rc.1", true, "minor", "1.0.0"),
            ("1.0.0-rc.1", true, "patch", "1.0.0"),
            ("1.0.1-rc.1", true, "minor", "1.1.0"),
            ("1.0.1-rc.1", true, "major", "2.0.0"),
            ("1.0.0-rc.1", true, "1.0.0-rc.2", "1.0.0-rc.2"),
        ] {
            let current = Version::parse(current).unwrap();
            let target = (!asked.is_empty()).then(|| asked.parse().unwrap());
            let said = match next(&current, is_released, target.as_ref()) {
                Ok(next) => next.to_string(),
                Err(error) => error.to_string(),
            };
            assert!(said.contains(expected), "{current} and {asked}: {said}");
        }
    }

    #[test]
    fn what_is_no_version_is_refused_with_what_to_say() {
        for (text, why) in [
            ("", "say major"),
            ("1", "say major"),
            ("v1.0.0", "say major"),
            ("1.0.0.0", "say major"),
            ("01.0.0", "say major"),
            ("Patch", "say major"),
            ("1.0.0+build", "leave it away"),
        ] {
            let error = text.parse::<Target>().unwrap_err();
            assert!(format!("{error:#}").contains(why), "{text}: {error:#}");
        }
    }
}
