// Package capsule knows what a capsule is: its manifest, what that asks for, where
// it lies on disk, in which order capsules load and what state each is in.
//
// The model:
//
//   - a [Manifest] is a Capsule.toml without faults; a faulty one gives a
//     [ManifestError] with every problem at its line and column;
//   - [Manifest.Grants] is what it asks for in the words of the gate,
//     [Manifest.Unsupported] what it asks for in vain: nothing is ignored in
//     silence;
//   - [Discover] finds capsules in directories, [Order] sorts them by what they
//     import; a bad one fails alone and keeps its reason;
//   - a [Store] holds wasm files by their hash, written once and verified on
//     each read; the [Registry] holds the state of each capsule and its
//     generation; the [Catalogue] holds the tools of those that serve.
//
// Ownership: manifests and catalogues are immutable and shared freely. A Store is
// closed by who opened it. The package starts no goroutine and runs no guest.
//
// Order and locks: Registry.mu serialises its writers and is innermost; readers
// take no lock. Discover and Order depend on names, not on time or maps.
//
// Manifests are hostile: their size, nesting, number of tables, patterns and
// schemas are bounded before anything is done with them, files are read inside
// the capsule's directory only, and schemas may refer to nothing outside
// themselves and not to themselves in a circle, so that validating arguments
// costs at most the product of both sizes.
//
// Not promised: more than one component a capsule, installing from a source, and
// that a manifest with a fatal notice can be loaded.
//
// To test code that needs a manifest, parse one from a literal with
// [ParseManifest]; the rest needs a temporary directory and no fake.
package capsule
