//go:build !race

package component_test

// underRace says that the race detector is on.
const underRace = false
