//! How a fact becomes the text of a variable. Each function says whether the variable exists.

use std::fmt::Write;
use std::net::IpAddr;
use std::time::Duration;

use itoa::Integer;

use super::Server;
use crate::bridge::ffi::{HwAddr, Span, Subnet};
use crate::facts::Facts;
use crate::ids::{self, Seq};
use crate::text;

/// Where a row finds its fact.
#[derive(Clone, Copy)]
pub struct Of<'a> {
    pub facts: &'a Facts,
    pub server: &'a Server,
    pub debug: bool,
}

/// The value so far.
pub type Out<'a> = &'a mut String;

pub fn number(out: Out, value: impl Integer) -> bool {
    text::number(value, out);
    true
}

/// `1` or `0`.
pub fn flag(out: Out, value: bool) -> bool {
    out.push(if value { '1' } else { '0' });
    true
}

/// An IPv4 address in host order.
pub fn address4(out: Out, address: u32) -> bool {
    text::ipv4(address.to_be_bytes(), out);
    true
}

pub fn address6(out: Out, address: [u8; 16]) -> bool {
    text::ipv6(address, out);
    true
}

pub fn ip(out: Out, address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => text::ipv4(address.octets(), out),
        IpAddr::V6(address) => text::ipv6(address.octets(), out),
    }
    true
}

/// One of our own words.
pub fn word(out: Out, word: &str) -> bool {
    out.push_str(word);
    true
}

/// An event's id.
pub fn id(out: Out, unique: u64, seq: Seq) -> bool {
    ids::write_id(unique, seq, out);
    true
}

/// Seconds since the epoch, to the microsecond.
pub fn time(out: Out, since_epoch: Duration) -> bool {
    text::seconds(since_epoch, out);
    true
}

impl Of<'_> {
    /// Bytes through `write`; an absent fact has no variable.
    pub fn optional(self, out: Out, span: Span, write: fn(&[u8], &mut String)) -> bool {
        match self.facts.bytes(span) {
            Some(bytes) => {
                write(bytes, out);
                true
            }
            None => false,
        }
    }

    /// Bytes through `write`; an absent fact has an empty variable.
    pub fn or_empty(self, out: Out, span: Span, write: fn(&[u8], &mut String)) -> bool {
        write(self.facts.bytes(span).unwrap_or_default(), out);
        true
    }

    /// The type of a hardware address; empty where there is no address.
    pub fn htype(self, out: Out, address: &HwAddr) -> bool {
        self.facts.bytes(address.bytes).is_none() || number(out, address.htype)
    }

    /// A client's bytes as text.
    pub fn text(self, out: Out, span: Span) -> bool {
        self.or_empty(out, span, text::printable)
    }

    /// An IP address as its bytes; empty where there is none.
    pub fn address(self, out: Out, span: Span) -> bool {
        let bytes = self.facts.bytes(span).unwrap_or_default();
        if let Ok(bytes) = bytes.try_into() {
            text::ipv4(bytes, out);
        } else if let Ok(bytes) = bytes.try_into() {
            text::ipv6(bytes, out);
        }
        true
    }

    /// The addresses of a subnet's name servers.
    pub fn addresses(self, out: Out, subnet: &Subnet) -> bool {
        let Some(bytes) = self.facts.bytes(subnet.dns_servers) else { return false };
        let size = self.facts.bytes(subnet.prefix).map_or(4, <[u8]>::len).max(1);
        for (i, address) in bytes.chunks_exact(size).enumerate() {
            out.push_str(if i > 0 { " " } else { "" });
            if let Ok(address) = address.try_into() {
                text::ipv4(address, out);
            } else if let Ok(address) = address.try_into() {
                text::ipv6(address, out);
            }
        }
        true
    }

    /// A subnet's domain names: text in DHCPv4 (RFC 2132, 3.17), labels in DHCPv6 (RFC 3646, 4).
    pub fn domain_names(self, out: Out, subnet: &Subnet) -> bool {
        let Some(bytes) = self.facts.bytes(subnet.domain_name) else { return false };
        if self.facts.bytes(subnet.prefix).is_none_or(|prefix| prefix.len() == 4) {
            text::printable(bytes, out);
            return true;
        }
        let mut rest = bytes;
        let mut between = "";
        while let [len, labels @ ..] = rest {
            let Some((label, behind)) = labels.split_at_checked(usize::from(*len)) else { break };
            // An empty label ends a name.
            if !label.is_empty() {
                out.push_str(between);
                text::printable(label, out);
            }
            between = if label.is_empty() { " " } else { "." };
            rest = behind;
        }
        true
    }

    /// A subnet's prefix; empty where Kea has found none.
    pub fn prefix(self, out: Out, subnet: &Subnet) -> bool {
        let is_none = self.facts.bytes(subnet.prefix).is_none();
        is_none || self.address(out, subnet.prefix) && word(out, "/") && number(out, subnet.prefix_len)
    }

    /// Kea's short name of a packet, as in its log: the one that says nothing, with what this packet has put in.
    pub fn label(self, out: Out, duid: Option<&[u8]>, transaction_id: u32) -> bool {
        let (before, after) = self.server.label.split_once("no info").unwrap_or_default();
        out.push_str(before);
        match duid {
            Some(duid) => text::colons(duid, out),
            None => out.push_str("no info"),
        }
        out.push_str(after.strip_suffix('0').unwrap_or(after));
        let _ = write!(out, "{transaction_id:x}");
        true
    }

    /// Kea's own text, if `debug` asks for it.
    pub fn debug(self, out: Out, span: Span) -> bool {
        self.debug && self.optional(out, span, text::printable_lines)
    }

    /// Names, one a line.
    pub fn names(self, out: Out, span: Span) -> bool {
        for (i, name) in self.facts.names(span).enumerate() {
            if i > 0 {
                out.push('\n');
            }
            text::printable(name, out);
        }
        true
    }
}
