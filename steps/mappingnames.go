package steps

import "slices"

// grade compares two names word by word. known tells how many names have a word: a
// word that several have is no slip of the pen.
func (f nameForm) grade(g nameForm, known map[string]int) grade {
	of := f.gradeAs(g, known)
	if f.spelt != nil {
		of = max(of, f.spelt.gradeAs(g, known))
	}
	if g.spelt != nil {
		of = max(of, f.gradeAs(*g.spelt, known))
	}
	return of
}

func (f nameForm) gradeAs(g nameForm, known map[string]int) grade {
	if f.key == "" || g.key == "" {
		return gradeNone
	}
	legal := f.sameLegalForm(g)
	if f.key == g.key || f.run == g.run {
		switch {
		case !legal:
			return gradeNear
		case f.whole == g.whole:
			return gradeExact
		}
		return gradeSame
	}
	a, b := without(f.words, g.words), without(g.words, f.words)
	a, b = withoutMerged(a, b)
	b, a = withoutMerged(b, a)
	if len(a) == 0 && len(b) == 0 {
		if !legal {
			return gradeNear
		}
		return gradeSame
	}
	of := gradeSlip
	for i := 0; i < len(a); {
		j, best := -1, noSlip
		for k := range b {
			if s := slipOf(a[i], b[k], known); s > best {
				j, best = k, s
			}
		}
		if j < 0 {
			i++
			continue
		}
		if best == typo {
			of = gradeTypo
		}
		a, b = slices.Delete(a, i, i+1), slices.Delete(b, j, j+1)
	}
	switch {
	case len(a) == 0 && len(b) == 0 && legal:
		return of
	case slices.ContainsFunc(a, tells) && slices.ContainsFunc(b, tells):
		return gradeNone
	}
	return gradeNear
}

// without is a list less one of each word of another.
func without(words, others []string) []string {
	others = slices.Clone(others)
	var out []string
	for _, w := range words {
		if i := slices.Index(others, w); i >= 0 {
			others = slices.Delete(others, i, i+1)
		} else {
			out = append(out, w)
		}
	}
	return out
}

// withoutMerged takes out neighbours of a that are one word of b.
func withoutMerged(a, b []string) (restA, restB []string) {
	for i := 0; i+1 < len(a); i++ {
		if k := slices.Index(b, a[i]+a[i+1]); k >= 0 {
			a, b = slices.Delete(a, i, i+2), slices.Delete(b, k, k+1)
			i--
		}
	}
	return a, b
}

// slip is how one word may have become another.
type slip int

const (
	noSlip  slip = iota
	typo         // another letter, or one at an end: it may be another word as well
	fumbled      // neighbours swapped, or a letter left out or doubled inside: hardly
)

// slipOf tells whether two words are one and a slip of the pen.
func slipOf(a, b string, known map[string]int) slip {
	if tells(a) || tells(b) || known[a] > 1 && known[b] > 1 {
		return noSlip
	}
	x, y := []rune(a), []rune(b)
	if len(x) > len(y) {
		x, y = y, x
	}
	if len(x) < 5 || len(y)-len(x) > 1 {
		return noSlip
	}
	i := 0
	for i < len(x) && x[i] == y[i] {
		i++
	}
	j := 0
	for j < len(x)-i && x[len(x)-1-j] == y[len(y)-1-j] {
		j++
	}
	switch inX, inY := len(x)-i-j, len(y)-i-j; {
	case inX == 2 && inY == 2 && x[i] == y[i+1] && x[i+1] == y[i] && i > 0:
		return fumbled
	case inX == 0 && inY == 1 && i > 0 && j > 0 && len(x) >= 6:
		return fumbled
	case inX <= 1 && inY == 1:
		return typo
	}
	return noSlip
}

// alike is Sorensen and Dice's measure of two names: the share of pairs of letters
// that both have.
func alike(f, g nameForm) float64 {
	a, b := bigrams(nil, f.words), bigrams(nil, g.words)
	slices.Sort(a)
	slices.Sort(b)
	both := 0
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j]:
			both, i, j = both+1, i+1, j+1
		case a[i] < b[j]:
			i++
		default:
			j++
		}
	}
	if len(a)+len(b) == 0 {
		return 0
	}
	return 2 * float64(both) / float64(len(a)+len(b))
}

// bigrams are the pairs of letters of words, each with its beginning: endings come
// and go.
func bigrams(into []uint64, words []string) []uint64 {
	for _, w := range words {
		before := ' '
		for _, r := range w {
			into = append(into, uint64(before)<<32|uint64(r))
			before = r
		}
	}
	return into
}

// nameIndex finds names that are alike without comparing all with all.
type nameIndex struct {
	byKey, byRun map[string][]int32
	holding      map[uint64][]int32 // organisations by pair of letters
	known        map[string]int     // in how many names each word stands, of the list that has more
	shared       []uint16           // pairs of letters each organisation has with the one looked for
	touched      []int32
}

// mostVisits bounds how many entries of the index are looked at for one customer:
// the rarest pairs of letters come first, so what is left out is what most have.
const mostVisits = 6000

func indexNames(forms nameForms, rows, free []bool) *nameIndex {
	x := &nameIndex{
		byKey: map[string][]int32{}, byRun: map[string][]int32{}, holding: map[uint64][]int32{},
		known: map[string]int{}, shared: make([]uint16, len(free)),
	}
	inRows := map[string]int{}
	for i := range rows {
		count(inRows, forms.rows[i].words)
	}
	var pairs []uint64
	for n := range free {
		f := forms.organizations[n]
		if !free[n] || f.key == "" {
			continue
		}
		count(x.known, f.words)
		x.add(f, int32(n))
		if f.spelt != nil {
			x.add(*f.spelt, int32(n))
		}
		pairs = bigrams(pairs[:0], f.words)
		slices.Sort(pairs)
		for _, p := range slices.Compact(pairs) {
			x.holding[p] = append(x.holding[p], int32(n))
		}
	}
	for w, n := range inRows {
		x.known[w] = max(x.known[w], n)
	}
	return x
}

func (x *nameIndex) add(f nameForm, n int32) {
	x.byKey[f.key] = append(x.byKey[f.key], n)
	if f.run != f.key {
		x.byRun[f.run] = append(x.byRun[f.run], n)
	}
}

func count(into map[string]int, words []string) {
	for i, w := range words {
		if !slices.Contains(words[:i], w) {
			into[w]++
		}
	}
}

// near lists the organisations whose names may be a customer's.
func (x *nameIndex) near(f nameForm) []int32 {
	out := x.equal(nil, f)
	if f.spelt != nil {
		out = x.equal(out, *f.spelt)
	}
	pairs := bigrams(nil, f.words)
	slices.Sort(pairs)
	pairs = slices.Compact(pairs)
	slices.SortFunc(pairs, func(a, b uint64) int { return len(x.holding[a]) - len(x.holding[b]) })
	visits := 0
	for _, p := range pairs {
		list := x.holding[p]
		if visits += len(list); visits > mostVisits && len(x.touched) > 0 {
			break
		}
		for _, n := range list {
			if x.shared[n] == 0 {
				x.touched = append(x.touched, n)
			}
			x.shared[n]++
		}
	}
	return append(out, x.best(mostRivals, out)...)
}

func (x *nameIndex) equal(out []int32, f nameForm) []int32 {
	for _, list := range [][]int32{x.byKey[f.key], x.byRun[f.run], x.byKey[f.run]} {
		for _, n := range list[:min(len(list), mostRivals)] {
			if !slices.Contains(out, n) {
				out = append(out, n)
			}
		}
	}
	return out
}

// best are the organisations with most pairs of letters in common, and forgets the
// counts.
func (x *nameIndex) best(most int, but []int32) []int32 {
	var out []int32
	for _, n := range x.touched {
		if slices.Contains(but, n) {
			continue
		}
		at, _ := slices.BinarySearchFunc(out, n, func(o, n int32) int { return int(x.shared[n]) - int(x.shared[o]) })
		for at < len(out) && x.shared[out[at]] == x.shared[n] {
			at++
		}
		if at < most {
			out = slices.Insert(out[:min(len(out), most-1)], at, n)
		}
	}
	for _, n := range x.touched {
		x.shared[n] = 0
	}
	x.touched = x.touched[:0]
	return out
}
