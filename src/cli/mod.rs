//! The command line: it parses arguments, starts a session and prints its events. Results go to stdout, progress to stderr;
//! bad usage exits with code 2, failure with 1.

mod commands;
mod expected;
mod input;
mod output;
mod run;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use commands::Command;
use output::exit::Failure;
use output::print;

const START_HERE: &str = "\
Start here:
  nolabel toy                                   train, probe and compare, all in one
  nolabel methods                               list the methods
  nolabel train rotation --data fashion-mnist   train an encoder
  nolabel eval runs/rotation-fashion-mnist-1    measure what it learned
  nolabel compare runs                          compare all runs

`nolabel help COMMAND` explains a command and gives examples.";

/// Trains image encoders without labels, on a GPU or on the CPU.
///
/// The network is given a task that needs no labels, for example to predict by which angle an image was rotated. Its features
/// are then measured with labels that it was never shown, beside controls that learned nothing.
#[derive(Debug, Parser)]
#[command(name = "nolabel", version, arg_required_else_help = true, max_term_width = 100)]
#[command(after_help = START_HERE)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// Runs the command line and returns its exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return answer(error),
    };
    match cli.command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report(&failure),
    }
}

/// Prints a failure and returns its exit code.
fn report(failure: &Failure) -> ExitCode {
    if let Some(sentence) = failure.sentence() {
        print::err(&format!("error: {sentence}"));
    }
    ExitCode::from(failure.code())
}

/// Prints what clap answers to the arguments. Help for a command line that names no command is a result, not a failure, and can
/// be piped into a pager, as with `cargo`.
fn answer(error: clap::Error) -> ExitCode {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let help = error.render().to_string();
        return print::out(help.trim_end()).map_or_else(|failure| report(&failure), |()| ExitCode::SUCCESS);
    }
    error.exit()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn every_command_and_option_explains_itself() {
        let mut cli = Cli::command();
        cli.clone().debug_assert();
        for command in cli.get_subcommands_mut() {
            let name = command.get_name().to_string();
            assert!(command.get_about().is_some(), "`{name}` says nothing of itself");
            assert!(command.get_after_help().is_some() || command.has_subcommands(), "`{name}` gives no example");
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "`{name}`: `{}` says nothing of itself", argument.get_id());
            }
        }
    }
}
