//! kea-omapi: OMAPI, the control protocol of ISC dhcpd, in front of Kea. What was written for dhcpd (pypureomapi, omshell)
//! finds leases, and finds, makes, changes and deletes hosts and groups.
//!
//! Read top-down: `cli` (the program), `server` (connections), `conversation` (one of them), `session` (one message),
//! `objects` (what it is about), `bridge` (what all connections share), `kea` (Kea's commands).
//!
//! Words, one meaning each:
//! - *frame*: a message of OMAPI as it stands on the wire ([`frame`]).
//! - *attribute*: a name and a value in a frame.
//! - *key*: a name, an algorithm and a secret, by which a client signs ([`keys`]). On the wire an *authenticator*.
//! - *object*: what a client speaks of: a lease, a host, a group, the server's control, a key ([`objects`]).
//! - *handle*: a number that stands for an object on one connection ([`handles`]).
//! - *item*: an object and what is known of it at the moment.
//! - *host*: dhcpd's word for what Kea calls a *reservation* ([`reservation`]).
//! - *statements*: dhcpd's language, of which a reservation takes a part ([`statements`]).
//! - *template*: a group's statements, which are written into each of its hosts.
//! - *failure*: why a request is not served, as a status tells it ([`result`]).
#![deny(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used)]

pub mod bridge;
mod cli;
mod conversation;
pub mod frame;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod handles;
mod hosts;
pub mod kea;
pub mod keys;
mod log;
mod network;
mod objects;
mod places;
mod request;
pub mod reservation;
pub mod result;
mod served;
mod server;
mod session;
mod state;
pub mod statements;
pub mod words;

pub use cli::main;
