//go:build race

package cli

// sides are where a run is ended at its nth write. The race detector makes every
// run several times as long: under it each write is ended on one side only, and on
// both without it.
func sides(n int) []string { return []string{[]string{"before", "after"}[n%2]} }
