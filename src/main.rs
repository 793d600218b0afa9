fn main() -> std::process::ExitCode {
    kea_hook_runscript::commands::main()
}
