//! The commands: one file, or one folder, and one line of the list each.

use clap::Subcommand;

use super::output::exit::Outcome;

macro_rules! commands {
    ($($file:ident::$command:ident),+ $(,)?) => {
        $(mod $file;)+

        // a comment for documentation would take the place of the program's own in the help
        #[derive(Debug, Subcommand)]
        pub(super) enum Command {
            $($command($file::$command)),+
        }

        impl Command {
            pub(super) fn run(self) -> Outcome {
                match self {
                    $(Command::$command(command) => command.run()),+
                }
            }
        }
    };
}

// in the order of the help
commands! {
    toy::Toy,
    methods::Methods,
    data::Data,
    devices::Devices,
    train::Train,
    eval::Eval,
    sweep::Sweep,
    compare::Compare,
    report::Report,
    show::Show,
    embed::Embed,
    export::Export,
    serve::Serve,
}
