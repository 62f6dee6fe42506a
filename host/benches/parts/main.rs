//! What the parts of the host cost, each on its own: `cargo bench --bench parts`.
//!
//! Times are of a whole batch; the column of items a second is logs.

mod batching;
mod ledger;
mod logs;
mod routing;
mod wasm;
mod wire;

use mimalloc::MiMalloc;

/// The one that the host has.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() {
    divan::main();
}
