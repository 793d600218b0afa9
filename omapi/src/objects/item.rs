//! What clients speak of, and what is known of it.

use std::fmt;
use std::net::Ipv4Addr;

use super::Kind;
use super::host;
use super::lease::Lease;
use crate::bridge::Bridge;
use crate::frame::Attributes;
use crate::handles::Handles;
use crate::hosts::Known;
use crate::log;
use crate::reservation::Reservation;

/// What a handle stands for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Object {
    /// By its place among the keys.
    Key(usize),
    Lease(Ipv4Addr),
    Host(Known),
    Group(String),
    Control,
    /// By its id.
    Subnet(u32),
    /// By its subnet, and its place there.
    Pool(u32, usize),
    /// A host or a group that has nothing yet: a client may open one, and say later what it is. By a number.
    NewHost(u32),
    NewGroup(u32),
}

/// An object, and what is known of it.
#[derive(Clone, Debug)]
pub enum Item {
    Lease(Lease),
    Host(Reservation),
    Group(String),
    /// All there is to know.
    Other(Object),
}

impl Object {
    /// Of which type it is.
    pub fn kind(&self) -> Kind {
        match self {
            Object::Key(_) => Kind::Key,
            Object::Lease(_) => Kind::Lease,
            Object::Host(..) | Object::NewHost(_) => Kind::Host,
            Object::Group(_) | Object::NewGroup(_) => Kind::Group,
            Object::Control => Kind::Control,
            Object::Subnet(_) | Object::Pool(..) => Kind::Shown,
        }
    }
}

/// For a log.
impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Object::Lease(address) => write!(f, "lease {address}"),
            Object::Host(known) => write!(f, "host {}", log::shown(known.name.as_bytes())),
            Object::Group(name) => write!(f, "group {}", log::shown(name.as_bytes())),
            Object::NewHost(_) => f.write_str("a new host"),
            Object::NewGroup(_) => f.write_str("a new group"),
            Object::Control => f.write_str("control"),
            Object::Key(_) => f.write_str("a key"),
            Object::Subnet(_) | Object::Pool(..) => f.write_str("a subnet or pool"),
        }
    }
}

impl Item {
    /// Which object it is.
    pub fn object(&self) -> Object {
        match self {
            Item::Lease(lease) => Object::Lease(lease.address),
            Item::Host(host) => Object::Host(Known::of(host)),
            Item::Group(name) => Object::Group(name.clone()),
            Item::Other(object) => object.clone(),
        }
    }

    /// Its attributes, in dhcpd's order.
    pub fn attributes(&self, bridge: &Bridge, handles: &mut Handles<Object>) -> Attributes {
        let mut out = Attributes::default();
        match self {
            Item::Lease(lease) => lease.show(handles, &mut out),
            Item::Host(host) => host::show(host, &mut out),
            Item::Group(name) => out.put("name", name.as_bytes()),
            Item::Other(Object::Control) => out.put_number("state", 0),
            Item::Other(Object::Key(place)) => {
                if let Some(key) = bridge.keys.get(*place) {
                    out.put("name", key.name.as_bytes());
                    out.put("algorithm", key.algorithm.wire_name());
                }
            }
            Item::Other(_) => {}
        }
        out
    }

    /// If it is one.
    pub fn lease(self) -> Option<Lease> {
        match self {
            Item::Lease(lease) => Some(lease),
            _ => None,
        }
    }

    /// If it is one.
    pub fn group(self) -> Option<String> {
        match self {
            Item::Group(name) => Some(name),
            _ => None,
        }
    }

    /// If it is one.
    pub fn host(self) -> Option<Reservation> {
        match self {
            Item::Host(host) => Some(host),
            _ => None,
        }
    }
}
