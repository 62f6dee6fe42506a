//! The one bit of a database's header that no checksum covers, and that decides which commit is read.
//!
//! redb keeps its last two commits, each in a slot with a checksum, and a bit that says which of them counts.
//! A two-phase commit writes the bit last, and redb trusts it: if it is damaged, the commit before the last is read
//! without an error. A newer commit that is whole is valid in any case: either the bit is damaged, or the host ended
//! between the two phases, before the commit was reported. So the flag of two-phase commits is cleared: then redb
//! compares the slots itself, and checks the newer one.

use std::io::{self, Read, Seek, SeekFrom, Write};

use xxhash_rust::xxh3::xxh3_128;

/// Where the flags are, and what they mean (redb's design document, "File format").
const FLAGS: usize = 9;
const SECOND_IS_PRIMARY: u8 = 1;
const TWO_PHASES: u8 = 4;

/// The two slots, and what is in each.
const SLOTS: [usize; 2] = [64, 192];
const SLOT: usize = 128;
const TRANSACTION: usize = 104;
const CHECKSUM: usize = SLOT - 16;
const HEADER: usize = SLOTS[1] + SLOT;

/// Makes redb read the newer commit, if both are whole and the bit names the older one.
pub(super) fn repair(file: &mut (impl Read + Write + Seek)) -> io::Result<()> {
    let mut header = Vec::with_capacity(HEADER);
    file.seek(SeekFrom::Start(0))?;
    Read::by_ref(file).take(HEADER as u64).read_to_end(&mut header)?;
    let Some(flags) = header.get(FLAGS).copied().filter(|_| header.len() == HEADER) else { return Ok(()) };
    let [first, second] = SLOTS.map(|at| transaction(&header[at..at + SLOT]));
    let (Some(first), Some(second)) = (first, second) else { return Ok(()) };
    let older_counts = if flags & SECOND_IS_PRIMARY == 0 { first < second } else { second < first };
    if older_counts && flags & TWO_PHASES != 0 {
        file.seek(SeekFrom::Start(FLAGS as u64))?;
        file.write_all(&[flags & !TWO_PHASES])?;
    }
    Ok(())
}

/// The number of the commit in a slot; none if its checksum does not match.
fn transaction(slot: &[u8]) -> Option<u64> {
    let checksum = u128::from_le_bytes(slot[CHECKSUM..].try_into().ok()?);
    let number = slot[TRANSACTION..TRANSACTION + 8].try_into().ok()?;
    (xxh3_128(&slot[..CHECKSUM]) == checksum).then(|| u64::from_le_bytes(number))
}
