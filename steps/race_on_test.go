//go:build race

package steps

// sides are where a run is ended at its nth write: before the write or after it was
// carried out. The race detector makes every run several times as long: under it
// each write is ended on one side only, and on both without it.
func sides(n int) []bool { return []bool{n%2 == 0} }

// stride is from which write to the next a long row of ends goes.
const stride = 4
