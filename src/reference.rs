//! The reference in docs/, rendered from the tables that the code itself uses. A test keeps the two equal.

mod answers;
mod dialect;
#[cfg(test)]
mod inspector;
mod service;

use std::fmt::Write;

use crate::bridge::ffi::Severity;
use crate::config::parameters::PARAMETERS;
use crate::hook_points::{Group, HOOK_POINTS, HookPoint, Server};
use crate::messages;
use crate::variables::{self, rows};

/// Every page: its file's name in docs/ and its text.
pub fn pages() -> Vec<(&'static str, String)> {
    vec![
        ("parameters.md", parameters()),
        ("service.md", service::page()),
        ("hook-points.md", hook_points()),
        ("variables.md", variables()),
        ("answers.md", answers::page()),
        ("messages.md", messages()),
    ]
}

const INTRO: [&str; 4] = [
    "# Parameters\n\nThey stand in the `parameters` map of the library's entry in `hooks-libraries`. An unknown key, a \
     wrong type or a value out of bounds refuses the configuration, with one line in Kea's log that names the parameter, \
     its value and the remedy. See [hook-points.md](hook-points.md) for where a program may be called.\n\n\
     | parameter | type, bounds | default | meaning |\n| --- | --- | --- | --- |\n",
    "# Hook points\n\nIn the order in which a packet meets them. `*` marks those at which the program is called unless \
     the parameter `hook-points` names others; with `dialect` `isc`, `°` marks them. *skip* and *drop* are what Kea does if an answer or `on-failure` says so; where one \
     is missing, Kea goes on as if nothing had happened. The variables are explained in [variables.md](variables.md), \
     the keys that an answer may have in [answers.md](answers.md).\n",
    "# Variables\n\nThe program finds them in its environment, which holds nothing else but what the parameter `env` \
     adds. Names and values of kea-hook-runscript 1.4.0 are kept; what is new is only added.\n\n\
     - A *flag* is `1` or `0`. *Bytes* are lower-case hex with colons. *Hex* is lower-case with `0x` in front, unless \
     the row says otherwise. A *hardware address* is bytes.\n\
     - Text that a client chose is hostile. Of what is not printable each byte is written `\\xHH`: controls, separators of \
     lines and paragraphs, what has no width or turns the direction of writing, private and unassigned characters, broken UTF-8. \
     `\\` is written `\\\\`, always, so that a client's own `\\x0a` is told from an escape. `printf %b \"$KEA_QUERY4_OPTION60\"` \
     undoes both in bash, but not in Debian's `sh`, which does not know `\\x`. The option's hex variable has the exact bytes that came.\n\
     - *JSON* is Kea's own: a `\\` in it is JSON's, and what is not printable has JSON's escapes, `\\uHHHH`.\n\
     - A value that the kernel would refuse (128 KiB for one, 1 MiB for all) is left out, and its name stands in \
     `KEA_TRUNCATED`, separated by spaces.\n",
    "# Messages\n\nThey go to Kea's logger `runscript`, which is `kea-dhcp4.runscript` or `kea-dhcp6.runscript` in the \
     `loggers` of Kea's configuration. A failure that repeats is logged once a minute, with its count, for each script, hook point and kind of failure; what programs write always is. \
     Of a text that a program has written, 1,000 bytes are logged, printable ones, each other one as `\\xHH`; of an answer, or a run, 100 lines and a count of the rest.\n\n\
     | message | severity | text | what it means, what to do |\n| --- | --- | --- | --- |\n",
];

fn parameters() -> String {
    let mut page = INTRO[0].to_string();
    for row in PARAMETERS.iter() {
        let names: Vec<_> = row.names().map(|name| format!("`{name}`")).collect();
        let _ = writeln!(page, "| {} | {} | {} | {} |", names.join(", alias "), row.kind, row.default, row.doc);
    }
    let _ =
        write!(page, "\n## Several programs, and hook points with settings of their own\n\n```json\n{EXAMPLE}```\n");
    page
}

/// Several programs, and hook points with settings of their own.
pub const EXAMPLE: &str = r#"{
    "scripts": [
        {
            "script": "/usr/share/kea/scripts/strangers.sh",
            "answers": true,
            "on-failure": "drop",
            "hook-points": [ "pkt4_receive", { "name": "leases4_committed", "timeout": 500 } ]
        },
        {
            "script": "/usr/share/kea/scripts/journal.py",
            "args": [ "/var/log/kea/journal" ],
            "wait": false,
            "hook-points": [ "leases4_committed", "lease4_expire" ]
        }
    ]
}
"#;

fn hook_points() -> String {
    let mut page = INTRO[1].to_string();
    for server in [Server::Dhcp4, Server::Dhcp6] {
        let _ = write!(
            page,
            "\n## {}\n\n| hook point | when; skip and drop | variables | keys of an answer |\n| --- | --- | --- | --- |\n",
            server.name()
        );
        for row in HOOK_POINTS.iter().filter(|row| row.is_of(server)) {
            let marks =
                [(row.default, "*"), (row.of_isc, "°")].map(|(is_so, mark)| if is_so { mark } else { "" }).concat();
            let space = if marks.is_empty() { "" } else { " " };
            let groups: Vec<_> = row.groups.iter().map(|&group| heading(group)).collect();
            let since = row.since.map_or(String::new(), |version| format!(" From Kea {version} on."));
            let since = since + &parks(row);
            let keys = answers::keys(row);
            let _ = writeln!(
                page,
                "| `{}`{space}{marks} | {}{since} | {} | {keys} |",
                row.name,
                row.doc,
                groups.join(", ")
            );
        }
    }
    page + UNHEARD
}

const UNHEARD: &str = "
## What no hook point hears

Kea changes some leases without a word to any hook library. `lease4_changed` and `lease6_changed` tell of them all the same. At Kea's own hook points, a program misses these:

- Leases that a command adds, changes or deletes: `lease4-add`, `lease4-update`, `lease4-del`, `lease4-wipe` and the like, for IPv6 too, of Kea's library `lease_cmds`. \
  Leases that the command `leases-reclaim` reclaims are heard at `lease4_expire` and `lease6_expire`, as any others.
- The leases of a partner in high availability. They come by such commands, so a standby's program hears of none of them before they expire: `lease4_expire` and `lease6_expire` come on both servers. \
  After a failover it hears of those that their clients renew.
- An IPv6 lease of a client for which an address or a prefix has been reserved since: at its next SOLICIT, Kea deletes the old lease.
- An IPv6 lease of an address or a prefix that is reserved for another client now: Kea deletes it at its client's next SOLICIT, RENEW or REBIND. `leases6_committed` does not list it.

What even `lease4_changed` misses: with `offer-lifetime`, a client is offered another address than the one that it has, and takes it. Kea deletes the old lease, and tells nobody. A [replay](operation.md#replay) shows what is the case.
";

/// Where the parameter `wait` may be `park`.
fn parks(row: &HookPoint) -> String {
    match row.parks.map(stable) {
        None => String::new(),
        since if since == row.since.map(String::from) => " Kea can park here.".into(),
        Some(oldest) if oldest == "2.2" => " Kea can park here.".into(),
        Some(since) => format!(" Kea can park here from version {since} on."),
    }
}

/// `2.6` for the development version `2.5.7`: the first one that distributions have.
fn stable(version: &str) -> String {
    match version.split('.').map(|number| number.parse::<u32>().unwrap_or_default()).collect::<Vec<_>>()[..] {
        [major, minor, ..] => format!("{major}.{}", minor + minor % 2),
        _ => version.into(),
    }
}

/// As the hook points' table and the variables' headings call a group.
fn heading(group: Group) -> String {
    match group {
        Group::OfferLifetime => "`KEA_OFFER_LIFETIME`".into(),
        Group::FakeAllocation => "`KEA_FAKE_ALLOCATION`".into(),
        Group::RemoveLease => "`KEA_REMOVE_LEASE`".into(),
        Group::Changed4 | Group::Changed6 => "`KEA_ACTION` and [others](operation.md#leases)".into(),
        _ => format!("`{}*`", variables::prefix(group)),
    }
}

fn variables() -> String {
    let mut page = INTRO[2].to_string();
    let others = [
        ("KEA_TRUNCATED".into(), "names", "What was left out for its size, if anything was."),
        ("KEA_RUNSCRIPT".into(), "path", "With `answers`: the program that makes [answers](answers.md) of words."),
    ];
    let common =
        [prefixed("KEA_", &[describe(rows::OCCASION), describe(rows::TRY)].concat()), others.to_vec()].concat();
    section(&mut page, "At every hook point", "", &common);
    let options = [
        (
            "OPTION_<code>",
            "hex",
            "Each option's data. Of a query these are the bytes that came, whatever Kea makes of them; if another hook library or an [answer](answers.md#options-of-the-query) has changed the option, what it holds now. A DHCPv4 option in several parts (RFC 3396) is one value, with those in the fields for the boot file and the server's name where option 52 says so (Kea does not read these). Of a DHCPv6 option that comes several times, all in order, separated by spaces.",
        ),
        ("OPTION_<code>_SUB_<code>", "hex", "Each sub-option's data; deeper ones add another `_SUB_<code>`."),
        (
            "OPTION_<code>_ENTERPRISE_<number>_SUB_<code>",
            "hex",
            "The same of vendor options (DHCPv4's 125, DHCPv6's 17), with the number of the enterprise. The shorter name is there only as long as all are of one enterprise: a client can add another, so look for this one.",
        ),
    ];
    let packet4 = [describe(rows::PACKET4), options.to_vec()].concat();
    section(
        &mut page,
        "DHCPv4 packets",
        "`KEA_QUERY4_` is what the client sent, `KEA_RESPONSE4_` the answer.",
        &prefixed("KEA_QUERY4_", &packet4),
    );
    let relay: Vec<_> = describe(rows::RELAY).into_iter().chain(options).collect();
    let packet6 = [describe(rows::PACKET6), options.to_vec()].concat();
    let packet6: Vec<_> =
        prefixed("KEA_QUERY6_", &packet6).into_iter().chain(prefixed("KEA_QUERY6_RELAY<n>_", &relay)).collect();
    section(
        &mut page,
        "DHCPv6 packets",
        "`KEA_QUERY6_` is what the client sent, `KEA_RESPONSE6_` the answer. Relay 0 is the outermost, the one nearest to the server.",
        &packet6,
    );
    section(&mut page, "Subnets", "The same for `KEA_SUBNET6`.", &prefixed("KEA_SUBNET4", &describe(rows::SUBNET)));
    section(&mut page, "Leases", LEASES, &prefixed("KEA_LEASE6_", &describe(rows::LEASE)));
    let rest = [
        prefixed("KEA_", &describe(rows::OFFER_LIFETIME)),
        prefixed("KEA_", &describe(rows::FAKE_ALLOCATION)),
        prefixed("KEA_", &describe(rows::REMOVE_LEASE)),
        prefixed("KEA_DDNS_", &describe(rows::DDNS)),
        prefixed("KEA_HOST_IDENTIFIER", &describe(rows::HOST_IDENTIFIER)),
        prefixed("KEA_", &describe(rows::CHANGED)),
        prefixed("KEA_", &describe(rows::CHANGED6)),
    ];
    section(
        &mut page,
        "The rest",
        "Each only at the hook points that say so in [hook-points.md](hook-points.md).",
        &rest.concat(),
    );
    page + &dialect::section()
}

const LEASES: &str = "A DHCPv4 lease is `KEA_LEASE4_`, a DHCPv6 lease `KEA_LEASE6_`. \
    The lease that `lease4_offer` or `addr6_register` replaces, if there is one, has these variables as `KEA_OLD_LEASE4_` or `KEA_OLD_LEASE6_`; \
    so has a lease as it was before, at `lease4_changed` and `lease6_changed`.\n\n\
    At `leases4_committed`, `lease4_offer` and `leases6_committed` they come in lists: `KEA_LEASES6_SIZE` and `KEA_DELETED_LEASES6_SIZE` say how \
    many, and each has these variables as `KEA_LEASES6_AT<n>_...` and `KEA_DELETED_LEASES6_AT<n>_...`, from 0; with 4 for 6 in DHCPv4. `lease4_offer` has no list of deleted leases. \
    `KEA_OTHER_LEASES6_*` at `lease6_changed` is such a list too, if there are any and `other-leases` is on.";

type Described = (&'static str, &'static str, &'static str);

fn describe<T>(rows: &[rows::Row<T>]) -> Vec<Described> {
    rows.iter().map(|row| (row.name, row.kind, row.doc)).collect()
}

fn prefixed(prefix: &str, rows: &[Described]) -> Vec<(String, &'static str, &'static str)> {
    rows.iter().map(|(name, kind, doc)| (format!("{prefix}{name}"), *kind, *doc)).collect()
}

fn section<N: AsRef<str>>(page: &mut String, title: &str, intro: &str, rows: &[(N, &str, &str)]) {
    let _ = write!(page, "\n## {title}\n\n");
    if !intro.is_empty() {
        let _ = write!(page, "{intro}\n\n");
    }
    page.push_str("| variable | type | meaning |\n| --- | --- | --- |\n");
    for (name, kind, doc) in rows {
        let _ = writeln!(page, "| `{}` | {kind} | {doc} |", name.as_ref());
    }
}

fn messages() -> String {
    let mut page = INTRO[3].to_string();
    for row in messages::ALL {
        let severity = match row.severity {
            Severity::Debug => "debug",
            Severity::Info => "info",
            Severity::Warn => "warn",
            _ => "error",
        };
        let _ = writeln!(page, "| `{}` | {severity} | {} | {} |", row.name(), row.text, row.remedy);
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::ffi::Step;

    /// With UPDATE_DOCS set, docs/ is written; else it must be the same.
    #[test]
    fn docs_say_what_the_code_does() {
        let docs = pages().into_iter().map(|(name, text)| (format!("docs/{name}"), text));
        let header = ("tests/programs/variables.h".into(), inspector::header());
        for (name, text) in docs.chain([header]) {
            let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(&name);
            if std::env::var_os("UPDATE_DOCS").is_some() {
                std::fs::write(&file, &text).unwrap();
            }
            let written = std::fs::read_to_string(&file).unwrap_or_default();
            assert!(written == text, "{name} has drifted from the code: run `make docs`");
        }
    }

    #[test]
    fn a_hook_points_text_speaks_of_skip_and_drop_where_they_work() {
        for row in HOOK_POINTS {
            let says = |word: &str| row.doc.contains(&format!("{word}: ")) || row.doc.contains("skip, drop: ");
            assert_eq!(says("skip"), row.skip != Step::Continue, "{}: skip", row.name);
            assert_eq!(says("drop"), row.drop != Step::Continue, "{}: drop", row.name);
        }
    }
}
