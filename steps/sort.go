package steps

import "slices"

// sortStably sorts a list of things in place. It sorts their places: the sorting
// itself is compiled anew for every kind of thing it moves, which adds up.
func sortStably[T any](list []T, compare func(a, b T) int) {
	order := make([]int, len(list))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return compare(list[i], list[j]) })
	items := slices.Clone(list)
	for i, at := range order {
		list[i] = items[at]
	}
}
