//! kea-omapi: the program.

fn main() -> std::process::ExitCode {
    kea_omapi::main()
}
