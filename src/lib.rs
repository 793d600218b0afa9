//! kea-hook-runscript: hands Kea's hook points to a program of the administrator's.
//!
//! Kea loads the C++ shim (cpp-shim/), which calls this library through [`bridge`]. Read top-down from `hook`:
//! load, event, unload.
//!
//! The program `kea-runscript` has the tools ([`commands`]). It and the runner's program are in src/bin/.
//!
//! Words, one meaning each:
//! - *facts*: typed values that the shim has taken from Kea's objects at a hook point.
//! - *event*: a hook point that Kea has called, with the variables made of its facts, for one script.
//! - *lease event*: an event at a hook point of ours, which tells what has become of one lease ([`leases`]).
//! - *origin*: from where a client's query came, which its lease keeps for later lease events ([`leases::origin`]).
//! - *replay*: lease events of all leases, or some, to which nothing has happened ([`replay`]).
//! - *key*: stands for a client or a lease that an event is about. Events that share one are handled in order.
//! - *queue*: the unfinished events of a script that have a turn; those that it has no room for stay in the spool.
//! - *turn*: an event's place in the queue, which it keeps until it is over.
//! - *worker*: the one thread of a script inside Kea, which looks after all that no thread of Kea's waits for.
//! - *handler*: who answers the events' lines, outside Kea: the runner, a daemon, or a server on a socket.
//! - *lane*: one connection to a handler, on which one event is worked on at a time.
//! - *runner*: our process outside Kea, `kea-runscript-runner` ([`runner`]): runs scripts, starts daemons, marks events.
//! - *service*: the runner that systemd has started, behind a socket to which Kea connects ([`runner::serve`]).
//! - *spool*: the events that Kea does not wait for, on disk until they are over ([`spool`]).
//! - *segment*: one file of the spool, appended to and never changed but for states, deleted when all in it is over.
//! - *record*: one event in a segment, of which all but the state is checked by its CRC.
//! - *state*: the one byte of a record that changes: pending, sent (how often), done, given up. To write it is to *mark*.
//! - *answer*: the line in which a handler says what it has to say of one event.
//! - *verdict*: what Kea shall do after an event: continue, skip or drop, and changes.
//! - *change*: one thing in Kea's objects that a verdict alters.
//! - *refusal*: why a configuration, a part of an answer, or a lane is not taken, in words for the administrator.
//! - *again*: the answer that asks for another try later. Such an event is *deferred*: it keeps its turn, and no lane.
//! - *given up*: an event over which three handlers have died is put aside in the spool, and not tried by itself again.
//!
//! Unsafe code stands in the glue of [`bridge`], in `log` and `parking` (calls of the shim's functions), in
//! `dispatch::programs` (the path of this library), in `commands::local_time` (the time zone), in `descriptor` and in
//! `runner::sys` (making a process), nowhere else.
#![deny(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used)]

pub mod answers;
#[allow(unsafe_code)]
pub mod bridge;
pub mod commands;
mod commands_of_kea;
pub mod config;
pub mod control;
pub mod control_socket;
mod crowd;
#[allow(unsafe_code)]
mod descriptor;
mod dialect;
mod dispatch;
pub mod event;
mod facts;
#[cfg(any(test, fuzzing))]
#[allow(clippy::expect_used)]
pub mod fuzzing;
mod guard;
mod hook;
pub mod hook_points;
mod ids;
mod instance;
mod interest;
mod keys;
mod lane;
mod leases;
mod log;
mod memory;
mod merged;
pub mod messages;
pub mod order;
mod parking;
pub mod reference;
mod replay;
mod retry;
pub mod runner;
pub mod spool;
mod status;
mod syscall;
pub mod text;
mod trust;
mod variables;
pub mod verdict;
mod wait;
pub mod wire;
