//! The commands: each is one file or folder and one line of the list below.

use clap::Subcommand;

use super::output::exit::Outcome;

macro_rules! commands {
    ($($file:ident::$command:ident),+ $(,)?) => {
        $(mod $file;)+

        // not a doc comment: clap would print it in place of the program's own description
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
    watch::Watch,
    eval::Eval,
    sweep::Sweep,
    compare::Compare,
    report::Report,
    show::Show,
    embed::Embed,
    export::Export,
    serve::Serve,
}
