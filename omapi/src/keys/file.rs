//! The file of keys:
//!
//! ```text
//! key NAME { algorithm hmac-sha256; secret BASE64; };
//! ```

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use kea_hook_runscript::text::excerpt;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::geteuid;

use super::{ALGORITHMS, Algorithm, Key};
use crate::words::{Parts, words};

/// As lenient as dhcpd: it does not look at what a group of characters has too much.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
const ROOT: u32 = 0;
const FOR_OTHERS: u32 = 0o077;
const MOST_BYTES: u64 = 1 << 20;

/// Reads a file that nobody else can read or write.
///
/// # Errors
/// If it is no plain file of ours or root's with mode 0600 or less, or is not understood, with the remedy.
pub fn read(path: &Path) -> Result<Vec<Key>, String> {
    let failed = |what: &str| format!("--keys {}: {what}", path.display());
    let flags = (OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let file = file.map_err(|error| match error.raw_os_error() {
        Some(code) if code == Errno::ELOOP as i32 => failed("is a link: name the file itself"),
        _ => failed(&error.to_string()),
    })?;
    let status = file.metadata().map_err(|error| failed(&error.to_string()))?;
    if !status.is_file() {
        return Err(failed("is no plain file: name the file itself"));
    }
    if ![ROOT, geteuid().as_raw()].contains(&status.uid()) {
        return Err(failed("belongs to another user: give it to the user of kea-omapi, or to root"));
    }
    if status.mode() & FOR_OTHERS != 0 {
        return Err(failed("others may use it: chmod 0600"));
    }
    let mut text = String::new();
    file.take(MOST_BYTES).read_to_string(&mut text).map_err(|error| failed(&error.to_string()))?;
    parse(&text).map_err(|what| failed(&what))
}

/// Reads its text. Complaints name keys, and never what is in them.
///
/// # Errors
/// If there is no key in it, two of one name, or something that is none.
pub fn parse(text: &str) -> Result<Vec<Key>, String> {
    let words =
        words(text).map_err(|_| "is not dhcpd's syntax: key NAME { algorithm hmac-sha256; secret BASE64; };")?;
    let mut parts = Parts::of(&words);
    let mut keys: Vec<Key> = Vec::new();
    while parts.peek().is_some() {
        let key = key(&mut parts)?;
        if keys.iter().any(|other| other.name == key.name) {
            return Err(format!("key {}: is there twice", key.name));
        }
        keys.push(key);
    }
    if keys.is_empty() { Err("has no key".into()) } else { Ok(keys) }
}

fn key(parts: &mut Parts) -> Result<Key, String> {
    if parts.plain("key")? != "key" {
        return Err("only keys may stand there: key NAME { ... };".into());
    }
    let name = String::from_utf8(parts.value("the key's name")?).map_err(|_| "a key's name is no UTF-8")?;
    let of_key = |what: &str| format!("key {name}: {what}");
    let (mut algorithm, mut secret) = (None, None);
    if !parts.takes('{') {
        return Err(of_key("'{' expected"));
    }
    while !parts.takes('}') {
        let property = parts.plain("'}'").map_err(|_| of_key("'}' expected"))?;
        let value = parts.value(property).map_err(|_| of_key("a value expected"))?;
        let value = String::from_utf8_lossy(&value).into_owned();
        // What base64 is filled up with, outside quotes.
        while parts.takes('=') {}
        match property {
            "algorithm" => {
                let known = || ALGORITHMS.each_ref().map(|algorithm| algorithm.name).join(", ");
                let unknown = || of_key(&format!("algorithm {}: is none of {}", excerpt(&value, 40), known()));
                algorithm = Some(Algorithm::named(&value).ok_or_else(unknown)?);
            }
            "secret" => secret = Some(decoded(&value).ok_or_else(|| of_key("the secret is not base64"))?),
            _ => return Err(of_key("has something else than algorithm and secret")),
        }
        if !parts.takes(';') {
            return Err(of_key("';' expected"));
        }
    }
    parts.takes(';');
    match (algorithm, secret) {
        (Some(algorithm), Some(secret)) => Ok(Key::new(name, algorithm, secret)),
        _ => Err(of_key("needs an algorithm and a secret")),
    }
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text.trim_end_matches('=')).ok().filter(|secret| !secret.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, set_permissions, write};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn keys_as_dhcpd_writes_them() {
        let text = "# comment\nkey defomapi { algorithm hmac-md5; secret +bFQtBCta6j2vWkjPkNFtgA==; };\n\
                    key \"second one\" {\n secret \"a2s=\"; algorithm HMAC-SHA512.SIG-ALG.REG.INT; }\n";
        let keys = parse(text).ok().unwrap();
        let all: Vec<_> = keys.iter().map(|key| (&*key.name, key.algorithm.name, key.secret.len())).collect();
        assert_eq!(all, [("defomapi", "hmac-md5", 17), ("second one", "hmac-sha512", 2)]);
    }

    #[test]
    fn complaints_say_where_and_no_secret() {
        let good = "algorithm hmac-md5; secret c2VjcmV0;";
        for (text, what) in [
            (String::new(), "has no key"),
            ("omapi-port 7911;".into(), "only keys"),
            (format!("key k {{ {good} "), "key k: '}' expected"),
            (format!("key k {{ {good} }} key k {{ {good} }}"), "key k: is there twice"),
            ("key k { algorithm hmac-md5; }".into(), "key k: needs"),
            (
                "key k { algorithm hmac-md6; secret c2VjcmV0; }".into(),
                "key k: algorithm hmac-md6: is none of hmac-md5, ",
            ),
            ("key k { algorithm hmac-md5; secret c2Vj-mV0; }".into(), "key k: the secret is not base64"),
            ("key k { algorithm hmac-md5; secret c2VjcmV0 }".into(), "key k: ';' expected"),
            ("key k { secret \"c2VjcmV0; }".into(), "dhcpd's syntax"),
        ] {
            let error = parse(&text).err().unwrap();
            assert!(error.contains(what) && !error.contains("c2V"), "{text}: {error}");
        }
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let path = std::env::temp_dir().join(format!("kea-omapi-keys-{}", std::process::id()));
        write(&path, "key k { algorithm hmac-md5; secret c2VjcmV0; };").unwrap();
        for (mode, good) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
            set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(read(&path).is_ok(), good, "{mode:o}");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(read(&path).err().unwrap().contains("--keys"));
        assert!(read(Path::new("/dev/null")).err().unwrap().contains("no plain file"));
    }
}
