//! kea-hook-runscript
#![deny(unsafe_code)]
pub mod event;
pub mod order;
pub mod verdict;
