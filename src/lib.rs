//! kea-hook-runscript: hands Kea's hook points to a program of the administrator's.
//!
//! Kea loads the C++ shim (cpp-shim/), which calls this library through [`bridge`]. Read top-down from `hook`:
//! load, event, unload. [`commands`] is the other program, `kea-runscript`,
//! whose [`runner`] runs the scripts, outside Kea.
//!
//! Unsafe code stands in the glue of [`bridge`], in `log` and `parking` (calls of the shim's functions), in
//! `handler::programs` (the path of this library), in `descriptor` and in `runner::sys` (making a process), nowhere else.
#![deny(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used)]

pub mod answers;
#[allow(unsafe_code)]
pub mod bridge;
pub mod commands;
pub mod config;
pub mod control;
mod crowd;
#[allow(unsafe_code)]
mod descriptor;
pub mod event;
mod facts;
#[cfg(any(test, fuzzing))]
#[allow(clippy::expect_used)]
pub mod fuzzing;
mod guard;
mod handler;
mod hook;
pub mod hook_points;
mod ids;
mod interest;
mod keys;
mod lane;
mod log;
mod merged;
pub mod messages;
pub mod order;
mod parking;
pub mod reference;
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
