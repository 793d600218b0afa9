//! kea-runscript: the tools, for people and for scripts.

fn main() -> std::process::ExitCode {
    kea_hook_runscript::commands::main()
}
