//go:build !race

package steps

// sides are where a run is ended at its nth write: before the write or after it was
// carried out.
func sides(int) []bool { return []bool{false, true} }

// stride is from which write to the next a long row of ends goes.
const stride = 1
