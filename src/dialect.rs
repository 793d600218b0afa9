//! Whose names and formats variables have, and with them what else a script written for that library expects.

use crate::hook_points::HookPoint;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// kea-hook-runscript's, which this library is.
    #[default]
    Runscript,
    /// Those of ISC's libdhcp_run_script.
    Isc,
}

impl Dialect {
    pub const ALL: [Dialect; 2] = [Dialect::Runscript, Dialect::Isc];

    /// As in the parameters.
    pub fn name(self) -> &'static str {
        match self {
            Dialect::Runscript => "runscript",
            Dialect::Isc => "isc",
        }
    }

    /// Whether a script is called there unless `hook-points` says otherwise.
    pub fn is_default_at(self, point: &HookPoint) -> bool {
        match self {
            Dialect::Runscript => point.default,
            Dialect::Isc => point.of_isc,
        }
    }

    /// Whether Kea waits for a script unless `wait` says otherwise.
    pub fn waits_by_default(self) -> bool {
        self == Dialect::Runscript
    }
}
