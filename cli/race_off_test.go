//go:build !race

package cli

// sides are where a run is ended at its nth write.
func sides(int) []string { return []string{"before", "after"} }
