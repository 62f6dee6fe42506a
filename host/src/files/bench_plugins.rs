//! The plugins that `loghost bench` runs: one that counts and one that reads, each as often as it is needed,
//! under names that differ.

use std::fmt;

/// What a plugin does with its logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum BenchPlugin {
    /// It never sees them: the host counts.
    Counting,
    /// It reads every byte of every one.
    Reading,
}

impl fmt::Display for BenchPlugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Counting => "counting",
            Self::Reading => "reading",
        })
    }
}

/// What the components are called as they are built: a number of another value has the same place.
const NAME: &[u8] = b"bench-000000";

impl BenchPlugin {
    pub(crate) const ALL: [Self; 2] = [Self::Counting, Self::Reading];

    /// The name of the one with this number.
    pub(crate) fn name(number: u32) -> String {
        format!("bench-{number:06}")
    }

    /// The component of the one with this number, below a million.
    pub(crate) fn component(self, number: u32) -> Vec<u8> {
        let mut component = self.built().to_vec();
        let at = component.windows(NAME.len()).position(|window| window == NAME);
        if let Some(slot) = at.and_then(|at| component.get_mut(at..at + NAME.len())) {
            slot.copy_from_slice(Self::name(number % 1_000_000).as_bytes());
        }
        component
    }

    fn built(self) -> &'static [u8] {
        match self {
            Self::Counting => include_bytes!("../../benches/plugins/bench-counting.wasm"),
            Self::Reading => include_bytes!("../../benches/plugins/bench-reading.wasm"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_name_in_one_place() {
        for plugin in BenchPlugin::ALL {
            let count = |component: &[u8], name: &[u8]| {
                component.windows(name.len()).filter(|window| *window == name).count()
            };
            assert_eq!(count(plugin.built(), NAME), 1, "{plugin:?}");
            let component = plugin.component(4711);
            assert_eq!((count(&component, NAME), count(&component, b"bench-004711")), (0, 1), "{plugin:?}");
        }
    }
}
