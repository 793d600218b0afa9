fn main() -> std::process::ExitCode {
    kea_hook_runscript::runner::main()
}
