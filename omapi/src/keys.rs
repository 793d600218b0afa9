//! Keys: who may speak, in dhcpd's own syntax, and the algorithms by which messages are signed.

mod file;

use hmac::{Hmac, KeyInit, Mac};

pub use file::{parse, read};

/// What clients put behind an algorithm's name, in upper or lower case, and dhcpd wants.
const SUFFIX: &str = ".SIG-ALG.REG.INT.";

/// A way to sign.
#[derive(Debug)]
pub struct Algorithm {
    pub name: &'static str,
    pub signature_bytes: usize,
    sign: fn(&[u8], &[u8]) -> Vec<u8>,
    verify: fn(&[u8], &[u8], &[u8]) -> bool,
}

/// All that dhcpd knows.
pub static ALGORITHMS: [Algorithm; 6] = [
    algorithm::<Hmac<md5::Md5>>("hmac-md5", 16),
    algorithm::<Hmac<sha1::Sha1>>("hmac-sha1", 20),
    algorithm::<Hmac<sha2::Sha224>>("hmac-sha224", 28),
    algorithm::<Hmac<sha2::Sha256>>("hmac-sha256", 32),
    algorithm::<Hmac<sha2::Sha384>>("hmac-sha384", 48),
    algorithm::<Hmac<sha2::Sha512>>("hmac-sha512", 64),
];

const fn algorithm<M: Mac + KeyInit>(name: &'static str, signature_bytes: usize) -> Algorithm {
    Algorithm { name, signature_bytes, sign: sign::<M>, verify: verify::<M> }
}

impl Algorithm {
    /// By its name in a key file, with the suffix or without.
    pub fn named(name: &str) -> Option<&'static Algorithm> {
        let name = name.to_ascii_lowercase();
        let suffix = SUFFIX.to_ascii_lowercase();
        let short = name.strip_suffix(&suffix).or_else(|| name.strip_suffix(suffix.trim_end_matches('.')));
        ALGORITHMS.iter().find(|algorithm| algorithm.name == short.unwrap_or(&name))
    }

    /// As it is called on the wire.
    pub fn wire_name(&self) -> String {
        format!("{}{SUFFIX}", self.name)
    }
}

/// One key. It has no `Debug`: nothing can print its secret.
pub struct Key {
    pub name: String,
    pub algorithm: &'static Algorithm,
    secret: Vec<u8>,
}

impl Key {
    pub fn new(name: String, algorithm: &'static Algorithm, secret: Vec<u8>) -> Key {
        Key { name, algorithm, secret }
    }

    /// Whether a client means this one.
    pub fn is(&self, name: &[u8], algorithm: &[u8]) -> bool {
        name == self.name.as_bytes() && algorithm.eq_ignore_ascii_case(self.algorithm.wire_name().as_bytes())
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        (self.algorithm.sign)(&self.secret, message)
    }

    /// In constant time. A signature of another length is wrong, an empty one too.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        (self.algorithm.verify)(&self.secret, message, signature)
    }
}

/// HMAC takes a secret of any length.
fn mac<M: Mac + KeyInit>(secret: &[u8], message: &[u8]) -> Option<M> {
    let mut mac = <M as KeyInit>::new_from_slice(secret).ok()?;
    mac.update(message);
    Some(mac)
}

fn sign<M: Mac + KeyInit>(secret: &[u8], message: &[u8]) -> Vec<u8> {
    mac::<M>(secret, message).map(|mac| mac.finalize().into_bytes().to_vec()).unwrap_or_default()
}

fn verify<M: Mac + KeyInit>(secret: &[u8], message: &[u8], signature: &[u8]) -> bool {
    mac::<M>(secret, message).is_some_and(|mac| mac.verify_slice(signature).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// RFC 2202 and RFC 4231, their second cases.
    #[test]
    fn the_rfcs_signatures() {
        let beginnings = [
            "750c783e6ab0b503",
            "effcdf6ae5eb2fa2",
            "a30e01098bc6dbbf",
            "5bdcc146bf60754e",
            "af45d2e376484031",
            "164b7a7bfcf819e2",
        ];
        for (algorithm, wanted) in ALGORITHMS.iter().zip(beginnings) {
            let key = Key::new("k".into(), algorithm, b"Jefe".to_vec());
            let signature = key.sign(b"what do ya want for nothing?");
            assert_eq!(signature.len(), algorithm.signature_bytes);
            assert!(hex(&signature).starts_with(wanted), "{}: {}", algorithm.name, hex(&signature));
        }
    }

    #[test]
    fn a_wrong_a_short_and_an_empty_signature_are_wrong() {
        for algorithm in &ALGORITHMS {
            let key = Key::new("k".into(), algorithm, b"secret".to_vec());
            let mut signature = key.sign(b"message");
            assert!(key.verify(b"message", &signature) && !key.verify(b"messagf", &signature));
            for short in 0..signature.len() {
                assert!(!key.verify(b"message", &signature[..short]));
            }
            signature[0] ^= 1;
            assert!(!key.verify(b"message", &signature));
        }
    }

    #[test]
    fn names_of_algorithms() {
        for name in ["hmac-sha256", "HMAC-SHA256", "hmac-sha256.SIG-ALG.REG.INT", "hmac-sha256.sig-alg.reg.int."] {
            assert_eq!(Algorithm::named(name).map(|algorithm| algorithm.name), Some("hmac-sha256"), "{name}");
        }
        assert!(Algorithm::named("hmac-sha3").is_none() && Algorithm::named("").is_none());
        let key = Key::new("k".into(), &ALGORITHMS[0], vec![1]);
        assert!(key.is(b"k", b"HMAC-MD5.sig-alg.reg.int.") && !key.is(b"k", b"hmac-md5"));
        assert!(!key.is(b"K", b"hmac-md5.SIG-ALG.REG.INT."));
    }
}
