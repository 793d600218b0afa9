//! The parameter `env`. Where Kea allows programs of one directory only, who may change Kea's configuration shall not run
//! others by it.

use std::path::Path;

use super::Kea;
use super::read::{Refusal, Section};
use crate::trust;

/// Variables that name what a loader, a shell or an interpreter shall run or read besides. A `*` stands for any end.
/// No list of them is ever complete.
#[rustfmt::skip]
pub const STEERING: [&str; 35] = [
    // Of the C library, for every program.
    "LD_*", "GLIBC_TUNABLES", "GCONV_PATH",
    // Of shells.
    "BASH_ENV", "ENV", "BASH_FUNC_*", "SHELLOPTS", "BASHOPTS", "PS4", "IFS",
    // Of interpreters.
    "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONWARNINGS", "PYTHONINSPECT", "PYTHONUSERBASE", "PYTHONBREAKPOINT",
    "PERL5LIB", "PERL5OPT", "PERL5DB", "PERLLIB", "RUBYOPT", "RUBYLIB", "NODE_OPTIONS", "NODE_PATH",
    "LUA_INIT*", "LUA_PATH*", "LUA_CPATH*", "PHPRC", "PHP_INI_SCAN_DIR", "TCLLIBPATH",
    "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS",
    // Python's module webbrowser runs it.
    "BROWSER",
];

pub fn env(section: &Section, kea: Kea) -> Result<Vec<(String, String)>, Refusal> {
    let env = section.string_map("env")?;
    if kea.scripts_only_there {
        env.iter().try_for_each(|(name, value)| check(section, name, value))?;
    }
    Ok(env)
}

fn check(section: &Section, name: &str, value: &str) -> Result<(), Refusal> {
    let refused = |remedy: &str| Err(section.refuse_entry("env", name, remedy));
    if STEERING.iter().any(|pattern| matches(pattern, name)) {
        return refused(
            "can make a program run or read what others have written, and this Kea lets hook libraries run programs of one \
             directory only: leave it out, and set it inside the program",
        );
    }
    let directories = value.split(':').map(Path::new).filter(|_| name == "PATH");
    for directory in directories {
        if !directory.is_absolute() {
            return refused("has an entry that is empty or does not begin with /: give absolute paths");
        }
        if let Err(reason) = trust::directory(directory, true) {
            return refused(&format!("{}: {reason}", directory.display()));
        }
    }
    Ok(())
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::parse_strictly;

    fn refusal(name: &str, value: &str) -> Option<String> {
        parse_strictly(&serde_json::json!({"script": "a.sh", "env": {name: value}}).to_string()).err()
    }

    #[test]
    fn what_steers_loaders_and_interpreters_is_refused() {
        let names = "LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT LD_ BASH_ENV ENV BASH_FUNC_ls%% PYTHONPATH PYTHONHOME PYTHONSTARTUP \
                     PYTHONWARNINGS PERL5LIB PERL5OPT RUBYOPT RUBYLIB NODE_OPTIONS GLIBC_TUNABLES BROWSER LUA_INIT_5_4";
        for name in names.split_whitespace() {
            let refusal = refusal(name, "/tmp/secret").expect(name);
            assert!(refusal.starts_with(&format!("parameter \"env.{name}\": can make a program run")), "{refusal}");
            assert!(!refusal.contains("secret"), "{refusal}");
        }
    }

    #[test]
    fn the_docs_name_them() {
        let names: Vec<_> = super::STEERING.iter().map(|name| format!("`{name}`")).collect();
        assert!(include_str!("../../docs/operation.md").contains(&format!(" are refused: {}.\n", names.join(", "))));
    }

    #[test]
    fn what_does_not_is_taken() {
        let names = "PYTHONUNBUFFERED LC_ALL LANG TZ HOME DATABASE_URL XLD_PRELOAD ld_preload ENVIRONMENT BASH BROWSERS PERL5LIBS";
        for name in names.split_whitespace() {
            assert_eq!(refusal(name, "x"), None);
        }
    }

    #[test]
    fn a_path_is_of_directories_that_are_trusted() {
        for path in ["", ":/usr/bin", "/usr/bin:", "/usr/bin::/bin", "bin", "/usr/bin:.", "/usr/bin:bin"] {
            let refusal = refusal("PATH", path).expect(path);
            assert!(refusal.starts_with("parameter \"env.PATH\": has an entry that is empty or does not begin with /"));
        }
        assert_eq!(refusal("PATH", "/usr/sbin:/usr/bin:/no/such/directory"), None);
    }
}
