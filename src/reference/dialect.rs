//! The section of variables.md on dialect `isc`.

use super::{describe, prefixed, section as rows_section};
use crate::variables::isc;

const INTRO: &str = "
# Dialect isc

With the parameter `dialect` `isc` the program finds the variables of ISC's libdhcp_run_script, as that of Kea 3.0 has them, whatever Kea it is. \
At the hook points that ISC's library has (`°` in [hook-points.md](hook-points.md)) there are these and those of \"At every hook point\" above. \
At any other hook point there are these, as far as they fit, and all of the tables above. The program's first argument is the hook point's name, as with ISC's library.

Where a meaning is only the name of another variable, the value is the same. A table that names a DHCPv4 variable holds with 6 for 4 in DHCPv6, too.

What differs from ISC's library:

- Text that a client chose has what is not printable as `\\xHH`, and `\\` as `\\\\`, as everywhere here. ISC's library gives the bytes themselves.
- A value that the kernel would refuse is left out, and named in `KEA_TRUNCATED`. ISC's library then runs no program.
- Of DHCPv4 over DHCPv6 (RFC 7341) `QUERY4_LOCAL_ADDR`, `QUERY4_LOCAL_PORT` and `QUERY4_REMOTE_PORT` are of the DHCPv6 packet around the query.
- The events of a client or a lease are handled in order, one after the other. ISC's library starts a program for each at once, so that a later one can be quicker.
- ISC's library of Kea 2.2 and 2.6 has no `QUERY6_OPTION_18`, `QUERY6_OPTION_37` and `QUERY6_OPTION_38`, and Kea before 3.0 no `addr6_register`.
";

pub fn section() -> String {
    let mut page = INTRO.to_string();
    let of = |prefix: &str, rows: &[super::Described]| prefixed(prefix, rows);
    let packets = [of("QUERY4_", &describe(isc::PACKET4)), of("QUERY6_", &describe(isc::PACKET6))];
    rows_section(&mut page, "Queries", "", &packets.concat());
    rows_section(&mut page, "Subnets, dialect isc", SUBNETS, &of("SUBNET4", &describe(isc::SUBNET)));
    let leases = describe(isc::LEASE);
    let (of_both, of_six) = leases.split_at(leases.iter().take_while(|(name, ..)| *name != "DUID").count());
    rows_section(&mut page, "Leases, dialect isc", LEASES, &[of("LEASE4_", of_both), of("LEASE6_", of_six)].concat());
    let rest = [
        of("", &describe(isc::REMOVE_LEASE)),
        of(isc::LOOKED_UP_BY_PREFIX, &describe(isc::LOOKED_UP_BY)),
        of(isc::IA_PREFIX, &describe(isc::IA)),
        of("", &describe(isc::ADDRESS)),
    ];
    let intro = "`REMOVE_LEASE` at `lease4_expire` and `lease6_expire`, `PKT4_*` at `lease4_renew`, `PKT6_IA_*` at `lease6_renew` and \
        `lease6_rebind`, `ADDRESS6` at `addr6_register`.";
    rows_section(&mut page, "The rest of dialect isc", intro, &rest.concat());
    page
}

const SUBNETS: &str = "Of ISC's hook points only at `lease4_renew`.";

const LEASES: &str = "A DHCPv4 lease has the variables `LEASE4_`. A DHCPv6 lease has all of these as `LEASE6_`, but for `CLIENT_ID`, and besides those that stand here as `LEASE6_`. \
    At `addr6_register` the lease is `NEW_LEASE6_`, and the one that it replaces, if there is one, `OLD_LEASE6_`.\n\n\
    At `leases4_committed` and `leases6_committed` there are lists: `LEASES6_SIZE` and `DELETED_LEASES6_SIZE` say how many, and each lease has \
    these variables as `LEASES6_AT<n>_...` and `DELETED_LEASES6_AT<n>_...`, from 0; with 4 for 6 in DHCPv4.";
