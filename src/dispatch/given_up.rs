//! Events that were put aside, and that an administrator wants to have handled again.

use super::Script;
use super::shared::Shared;
use crate::ids::Seq;
use crate::spool::{Spool, Taken, Unspooled};

impl Script {
    /// Puts back what was put aside, with its old ids, behind all that is there; `None` if there is no spool.
    pub fn retry_given_up(&self) -> Option<Taken> {
        let shared = &*self.shared;
        let spool = shared.spool.get()?;
        let taken = spool.take_given_up(|id, text| shared.append_again(spool, id, text));
        shared.calls.wake();
        Some(taken)
    }
}

impl Shared {
    /// The worker finds it in the spool, and what is appended before it looks.
    fn append_again(&self, spool: &Spool, id: Seq, text: &str) -> Result<(), Unspooled> {
        let mut writer = spool.writer()?;
        self.lock().unread.get_or_insert(writer.tail());
        writer.append(id, text).map(drop)
    }
}
