//! dhcpd's options: names, codes, and formats. A letter is a value: `I` an IPv4 address, `L l` 32 bits, `S` 16, `B` 8, `f` a
//! flag, `t` text, `d` a domain name, `X` bytes in hex or text, `R` the same or numbers; `D` a list of domain names; `A` at the end repeats all, `a` the
//! last value. Sources: RFC 2132 and its successors, dhcp-options(5).

/// What can be set for a host. Those that a server decides for itself (lease time, message type, ...) are not among them.
#[rustfmt::skip]
const OPTIONS: [(&str, u8, &str); 102] = [
    ("subnet-mask", 1, "I"), ("time-offset", 2, "l"), ("routers", 3, "IA"), ("time-servers", 4, "IA"),
    ("ien116-name-servers", 5, "IA"), ("domain-name-servers", 6, "IA"), ("log-servers", 7, "IA"),
    ("cookie-servers", 8, "IA"), ("lpr-servers", 9, "IA"), ("impress-servers", 10, "IA"),
    ("resource-location-servers", 11, "IA"), ("host-name", 12, "t"), ("boot-size", 13, "S"), ("merit-dump", 14, "t"),
    ("domain-name", 15, "t"), ("swap-server", 16, "I"), ("root-path", 17, "t"), ("extensions-path", 18, "t"),
    ("ip-forwarding", 19, "f"), ("non-local-source-routing", 20, "f"), ("policy-filter", 21, "IIA"),
    ("max-dgram-reassembly", 22, "S"), ("default-ip-ttl", 23, "B"), ("path-mtu-aging-timeout", 24, "L"),
    ("path-mtu-plateau-table", 25, "SA"), ("interface-mtu", 26, "S"), ("all-subnets-local", 27, "f"),
    ("broadcast-address", 28, "I"), ("perform-mask-discovery", 29, "f"), ("mask-supplier", 30, "f"),
    ("router-discovery", 31, "f"), ("router-solicitation-address", 32, "I"), ("static-routes", 33, "IIA"),
    ("trailer-encapsulation", 34, "f"), ("arp-cache-timeout", 35, "L"), ("ieee802-3-encapsulation", 36, "f"),
    ("default-tcp-ttl", 37, "B"), ("tcp-keepalive-interval", 38, "L"), ("tcp-keepalive-garbage", 39, "f"),
    ("nis-domain", 40, "t"), ("nis-servers", 41, "IA"), ("ntp-servers", 42, "IA"),
    ("vendor-encapsulated-options", 43, "X"), ("netbios-name-servers", 44, "IA"), ("netbios-dd-server", 45, "IA"),
    ("netbios-node-type", 46, "B"), ("netbios-scope", 47, "t"), ("font-servers", 48, "IA"),
    ("x-display-manager", 49, "IA"), ("vendor-class-identifier", 60, "X"), ("nwip-domain", 62, "t"),
    ("nisplus-domain", 64, "t"), ("nisplus-servers", 65, "IA"), ("tftp-server-name", 66, "t"),
    ("bootfile-name", 67, "t"), ("mobile-ip-home-agent", 68, "IA"), ("smtp-server", 69, "IA"), ("pop-server", 70, "IA"),
    ("nntp-server", 71, "IA"), ("www-server", 72, "IA"), ("finger-server", 73, "IA"), ("irc-server", 74, "IA"),
    ("streettalk-server", 75, "IA"), ("streettalk-directory-assistance-server", 76, "IA"), ("user-class", 77, "t"),
    ("slp-directory-agent", 78, "fIa"), ("nds-servers", 85, "IA"), ("nds-tree-name", 86, "t"), ("nds-context", 87, "t"),
    ("bcms-controller-names", 88, "D"), ("bcms-controller-address", 89, "Ia"), ("pxe-system-type", 93, "Sa"),
    ("pxe-interface-id", 94, "BBB"), ("pxe-client-id", 97, "BX"), ("uap-servers", 98, "t"), ("geoconf-civic", 99, "X"),
    ("pcode", 100, "t"), ("tcode", 101, "t"), ("v6-only-preferred", 108, "L"), ("netinfo-server-address", 112, "Ia"),
    ("netinfo-server-tag", 113, "t"), ("default-url", 114, "t"), ("auto-config", 116, "B"),
    ("name-service-search", 117, "Sa"), ("domain-search", 119, "D"),
    // dhcpd.conf has to define these, under one of these names; clients such as pypureomapi's use them.
    ("classless-static-routes", 121, "R"), ("rfc3442-classless-static-routes", 121, "R"),
    ("ms-classless-static-routes", 249, "R"),
    ("vivco", 124, "X"), ("vivso", 125, "X"), ("pana-agent", 136, "Ia"), ("v4-lost", 137, "d"),
    ("capwap-ac-v4", 138, "Ia"), ("sip-ua-cs-domains", 141, "D"), ("ipv4-address-andsf", 142, "IA"),
    ("tftp-server-address", 150, "Ia"), ("v4-portparams", 159, "BBS"), ("v4-captive-portal", 160, "t"),
    ("loader-configfile", 209, "t"), ("loader-pathprefix", 210, "t"), ("loader-reboottime", 211, "L"),
    ("v4-access-domain", 213, "d"),
];

/// Codes that a server decides: addresses, times, identifiers, relays, names of clients.
const OF_THE_SERVER: [u8; 16] = [0, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 61, 81, 82, 118, 255];

/// Code and format of an option, by dhcpd's name, with `dhcp.` before it or not, or as `unknown-224`.
pub fn named(name: &str) -> Option<(u8, &'static str)> {
    let name = name.to_ascii_lowercase();
    let name = name.strip_prefix("dhcp.").unwrap_or(&name);
    let of_table = OPTIONS.iter().find(|(known, ..)| *known == name).map(|&(_, code, format)| (code, format));
    of_table.or_else(|| {
        let digits = name.strip_prefix("unknown-")?;
        let code = digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
        (!OF_THE_SERVER.contains(&code)).then_some((code, "X"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_comes_twice_and_no_option_is_the_servers() {
        for (i, (name, code, format)) in OPTIONS.iter().enumerate() {
            assert!(OPTIONS[..i].iter().all(|(other, ..)| other != name), "{name}");
            assert!(!OF_THE_SERVER.contains(code), "{name}");
            assert!(format.chars().all(|c| "IlLSBftdXRDAa".contains(c)), "{name}");
        }
    }

    #[test]
    fn names() {
        assert_eq!(named("dhcp.Routers"), Some((3, "IA")));
        assert_eq!(named("unknown-224"), Some((224, "X")));
        for name in ["unknown-51", "unknown-256", "unknown-", "unknown-+224", "dhcp-lease-time", "fqdn.hostname", ""] {
            assert_eq!(named(name), None, "{name}");
        }
    }
}
