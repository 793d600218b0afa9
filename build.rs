//! Makes the C++ half of the bridge and, with the feature `shim`, compiles cpp-shim/ against Kea's headers.
//!
//! `KEA_INCLUDE` names the directory of Kea's headers; Debian's is the default.

use std::env;
use std::path::Path;

const SHIM: [&str; 13] = [
    "library.cc",
    "callouts4.cc",
    "callouts6.cc",
    "callout.cc",
    "facts.cc",
    "packets.cc",
    "options.cc",
    "verdict.cc",
    "changes.cc",
    "hold.cc",
    "parking.cc",
    "statistics.cc",
    "log.cc",
];

fn main() {
    println!("cargo::rerun-if-changed=src/bridge.rs");
    let mut build = cxx_build::bridge("src/bridge.rs");
    build.std("c++17").warnings(true).extra_warnings(true);
    // GCC 16 suspects it of the code that cxx has made.
    build.flag_if_supported("-Wno-maybe-uninitialized");
    if env::var_os("CARGO_FEATURE_SHIM").is_some() {
        add_shim(&mut build);
    }
    build.compile("runscript-shim");
}

fn add_shim(build: &mut cc::Build) {
    println!("cargo::rerun-if-changed=cpp-shim");
    println!("cargo::rerun-if-env-changed=KEA_INCLUDE");
    let kea = env::var("KEA_INCLUDE").unwrap_or_else(|_| "/usr/include/kea".into());
    if !Path::new(&kea).join("dhcpsrv/cfg_globals.h").exists() {
        build.include("cpp-shim/kea-2.2");
    }
    build.include("cpp-shim/without-tls");
    // As system headers: their warnings are not ours to mend.
    build.flag(format!("-isystem{kea}"));
    build.include("cpp-shim").flag("-fvisibility=hidden").flag("-fno-gnu-unique");
    build.files(SHIM.iter().map(|file| Path::new("cpp-shim").join(file)));
}
