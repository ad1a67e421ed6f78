//go:build invariants || race

package invariants

// Enabled is true in builds that check invariants: those with the tag invariants or race.
const Enabled = true
