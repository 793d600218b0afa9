//! Makes the C++ half of the bridge and, with the feature `shim`, compiles cpp-shim/ against Kea's headers.
//!
//! `KEA_INCLUDE` names the directory of Kea's headers; Debian's is the default.

use std::env;
use std::path::Path;

const SHIM: &[&str] = &[
    "library.cc",
    "main_loop.cc",
    "loop_timer.cc",
    "callouts4.cc",
    "callouts6.cc",
    "callout.cc",
    "facts.cc",
    "lease_facts.cc",
    "lease_events.cc",
    "lease_watch.cc",
    "lease_store.cc",
    "lease_origin.cc",
    "lease_messages.cc",
    "lease_commands.cc",
    "lease_pages.cc",
    "packets.cc",
    "options.cc",
    "verdict.cc",
    "changes.cc",
    "hosts/store.cc",
    "hosts/client.cc",
    "hosts/leased.cc",
    "hosts/reserve.cc",
    "hosts/backend.cc",
    "option_data.cc",
    "query_options.cc",
    "hold.cc",
    "parking.cc",
    "statistics.cc",
    "hook_points.cc",
    "log.cc",
];

/// Of the second library, which is C++ alone.
const RESERVATIONS: &[&str] =
    &["library.cc", "commands.cc", "arguments.cc", "reservation.cc", "places.cc", "memory.cc", "log.cc"];

/// What Debian builds with (dpkg-buildflags, hardening=+all), where the compiler has it: a part of each flag, and the flag.
const HARDENING: [(&str, &[&str]); 5] = [
    ("stack-protector", &["-fstack-protector-strong"]),
    ("stack-clash-protection", &["-fstack-clash-protection"]),
    ("cf-protection", &["-fcf-protection"]),
    ("format-security", &["-Wformat", "-Werror=format-security"]),
    // Debian says 2, but Ubuntu's compilers have 3 by themselves.
    (FORTIFY, &["-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=3"]),
];
const FORTIFY: &str = "_FORTIFY_SOURCE";

fn main() {
    println!("cargo::rerun-if-changed=src/bridge.rs");
    let mut build = cxx_build::bridge("src/bridge.rs");
    set_flags(&mut build);
    if env::var_os("CARGO_FEATURE_SHIM").is_some() {
        use_kea(&mut build);
        build.files(SHIM.iter().map(|file| Path::new("cpp-shim").join(file)));
        build_reservations();
    }
    build.compile("runscript-shim");
}

/// `libkea_hook_reservations.a`, beside the first library's: the Makefile links both.
fn build_reservations() {
    let mut build = cc::Build::new();
    build.cpp(true).cargo_metadata(false);
    set_flags(&mut build);
    use_kea(&mut build);
    build.define("RESERVATIONS_VERSION", format!("\"{}\"", env!("CARGO_PKG_VERSION")).as_str());
    build.files(RESERVATIONS.iter().map(|file| Path::new("cpp-shim/reservations").join(file)));
    build.compile("kea_hook_reservations");
    let made = Path::new(&env::var("OUT_DIR").expect("cargo sets OUT_DIR")).join("libkea_hook_reservations.a");
    // OUT_DIR is PROFILE/build/PACKAGE/out.
    let profile = made.ancestors().nth(4).expect("cargo's layout");
    std::fs::copy(&made, profile.join("libkea_hook_reservations.a")).expect("a directory that can be written");
}

fn set_flags(build: &mut cc::Build) {
    build.std("c++17").warnings(true).extra_warnings(true);
    // A step or a key that is added has to be met everywhere.
    build.flag("-Werror=switch");
    // GCC 16 suspects it of the code that cxx has made.
    build.flag_if_supported("-Wno-maybe-uninitialized");
    harden(build);
}

/// What CXXFLAGS says already is left to it: Debian's own build has its flags there.
fn harden(build: &mut cc::Build) {
    let given = env::var("CXXFLAGS").unwrap_or_default();
    let is_optimised = env::var("OPT_LEVEL").is_ok_and(|level| level != "0");
    for (part, flags) in HARDENING {
        // glibc warns of it where nothing is optimised.
        if !given.contains(part) && (part != FORTIFY || is_optimised) {
            for flag in flags {
                build.flag_if_supported(flag);
            }
        }
    }
}

fn use_kea(build: &mut cc::Build) {
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
}
