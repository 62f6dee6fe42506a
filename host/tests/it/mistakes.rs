//! Mistakes that a newcomer makes: each message says what was probably meant.

use libtest_mimic::Trial;

use crate::support::cli::{Loghost, loghost};
use crate::support::{repository, test};

pub(crate) fn trials() -> Vec<Trial> {
    vec![test("mistakes::slips_of_the_pen_are_understood", slips_of_the_pen_are_understood)]
}

fn in_the_repository<const N: usize>(arguments: [&str; N]) -> Loghost {
    loghost(arguments).folder(repository())
}

fn slips_of_the_pen_are_understood() {
    loghost(["rnu"]).end().exits(2).says("similar subcommand exists: 'run'");
    loghost(["veirfy", "a.txt"]).end().exits(2).says("'verify'");
    loghost(["rumpelstiltskin"]).end().exits(2).does_not_say("similar");
    in_the_repository(["run", "plugin"]).end().exits(65).says("(is plugins meant?)");
    in_the_repository(["run", "plugins/eror.wasm"]).end().exits(65).says("(is plugins/error.wasm meant?)");
    in_the_repository(["run", "nothing-like-it"]).end().exits(65).does_not_say("meant");
}
