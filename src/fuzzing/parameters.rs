//! The parameters: see [`crate::config`].

use std::path::Path;

use crate::config::{Config, Kea, Mode, Wait, Ways, parse};
use crate::hook_points::HOOK_POINTS;

/// What must not be said of `env`.
pub const SECRET: &str = "s3cr3t";

/// Parameters are taken within their bounds, or refused with a reason that holds no secret.
pub fn parameters(text: &str, kea: Kea) {
    match parse(text, kea) {
        Err(reason) => {
            assert!(reason.starts_with("parameter") && reason.contains(": "), "{reason:?}");
            assert!(!reason.contains(SECRET), "{reason:?}");
        }
        Ok(configs) => {
            assert!(!configs.is_empty());
            configs.iter().for_each(|config| taken(config, kea));
        }
    }
}

fn taken(config: &Config, kea: Kea) {
    assert!(config.script.is_absolute());
    let mut texts = config.args.iter().chain(config.env.iter().flat_map(|(name, value)| [name, value]));
    assert!(texts.all(|text| !text.contains('\0')));
    assert!(config.env.iter().all(|(name, _)| !name.is_empty() && !name.contains('=')));
    assert!((1..=256).contains(&config.concurrency) && (1..=1_000_000).contains(&config.queue_limit));
    match config.mode {
        Mode::Socket => {
            assert!(config.script.as_os_str().len() <= 107);
            assert!(config.args.is_empty() && config.env.is_empty() && config.runner.is_none());
        }
        Mode::Exec | Mode::Daemon => {
            let programs = [Some(&config.script), config.runner.as_ref()];
            programs.into_iter().flatten().for_each(|program| allowed(program, kea));
        }
    }
    points(config, kea);
}

fn allowed(program: &Path, kea: Kea) {
    assert!(program.is_absolute() && !program.as_os_str().as_encoded_bytes().contains(&0));
    assert!(!kea.scripts_only_there || program.parent() == Some(kea.scripts_directory));
}

fn points(config: &Config, kea: Kea) {
    assert_eq!(config.points.len(), HOOK_POINTS.len());
    assert_ne!(config.points.iter().flatten().count(), 0);
    for (row, point) in HOOK_POINTS.iter().zip(&config.points) {
        let Some(point) = point else { continue };
        assert!(row.is_of(kea.server));
        assert!(kea.hook_points.iter().any(|name| name == row.name));
        assert!((1..=3_600_000).contains(&point.timeout.as_millis()));
        assert!(point.wait != Wait::Park || kea.parks(row));
    }
    assert_eq!(config.ways, Ways::of(&config.points));
    assert!(!config.answers || config.ways.wait());
}
