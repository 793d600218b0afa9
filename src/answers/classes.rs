//! Classes of which Kea has no definition.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// Kea acts on these, defined or not.
const KEAS_OWN: [&str; 2] = ["DROP", "SKIP_DDNS"];

/// A script can make up names without end.
const MOST: usize = 100;

/// Those that a script has put clients into.
#[derive(Default)]
pub struct UnknownClasses(Mutex<HashSet<String>>);

impl UnknownClasses {
    /// Whether this one has yet to be spoken of.
    pub fn is_news(&self, name: &str) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        !KEAS_OWN.contains(&name) && known.len() < MOST && known.insert(name.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_news_once_and_so_are_no_more_than_so_many() {
        let classes = UnknownClasses::default();
        assert!(!classes.is_news("DROP"));
        assert!(classes.is_news("a") && !classes.is_news("a") && classes.is_news("b"));
        assert_eq!((0..1000).filter(|n| classes.is_news(&n.to_string())).count(), MOST - 2);
        assert!(!classes.is_news("a"));
    }
}
