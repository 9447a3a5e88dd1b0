package catalog

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
)

// vocabulary says which words single a rule out: those few rules use.
type vocabulary struct {
	words  []map[string]bool // of each rule
	weight map[string]float64
}

func readVocabulary(rules []Rule) vocabulary {
	v := vocabulary{weight: map[string]float64{}}
	for _, r := range rules {
		text := []string{r.Cause}
		text = append(text, r.Texts...)
		for _, m := range r.Also {
			text = slices.Concat(text, m.All, m.Any, m.Clause)
		}
		words, _ := readWords(strings.Join(text, " "))
		set := map[string]bool{}
		for word := range strings.FieldsSeq(words) {
			if len(word) > 3 {
				set[word] = true
			}
		}
		for word := range set {
			v.weight[word]++
		}
		v.words = append(v.words, set)
	}
	for word, n := range v.weight {
		v.weight[word] = math.Log(float64(len(rules)) / n)
	}
	return v
}

// Weights of similarity: a number or code that is almost the same comes before
// words that are.
const (
	nearNumber = 1000
	nearCode   = 500
	// fewWords is how much shared words have to weigh: two rare ones, or several
	// that some rules use.
	fewWords = 6
)

// nearest finds at most three rules that resemble an unknown error.
func (t *table) nearest(s *signs) []Rule {
	score := map[int]float64{}
	add := func(rule int, n float64) { score[rule] = max(score[rule], n) }
	for _, n := range slices.Concat(s.aadsts, s.loose) {
		for code, rule := range t.byCode {
			number, ours := strings.CutPrefix(code, "aadsts")
			if d, near := numberDistance(n.code, number); ours && near {
				add(rule, nearNumber-d)
			}
		}
	}
	seen := map[string]bool{}
	for token := range strings.FieldsFuncSeq(s.lower, func(r rune) bool { return r >= 0x80 || !codeByte(byte(r)) }) {
		if len(token) < 8 || len(token) > 60 || seen[token] || len(seen) > 500 {
			continue
		}
		seen[token] = true
		for code, rule := range t.byCode {
			if d := distance(token, code); len(code) >= 8 && d <= 2 {
				add(rule, nearCode-float64(d))
			}
		}
	}
	t.likeWords(s, add)
	order := make([]int, 0, len(score))
	for rule := range score {
		order = append(order, rule)
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(score[b], score[a]), cmp.Compare(a, b)) })
	var out []Rule
	for _, rule := range order[:min(3, len(order))] {
		out = append(out, Rules()[rule])
	}
	return out
}

func (t *table) likeWords(s *signs, add func(int, float64)) {
	shared := map[string]bool{}
	for word := range strings.FieldsSeq(s.words) {
		if t.weight[word] > 0 {
			shared[word] = true
		}
	}
	for rule, words := range t.words {
		sum, n := 0.0, 0
		for word := range shared {
			if words[word] {
				sum += t.weight[word]
				n++
			}
		}
		if n >= 2 && sum >= fewWords {
			add(rule, min(sum, nearCode-10))
		}
	}
}

// numberDistance tells how far apart two numbers are, if they are alike: one
// digit differs, is missing or is too many.
func numberDistance(a, b string) (float64, bool) {
	if distance(a, b) != 1 {
		return 0, false
	}
	if len(a) != len(b) {
		return 100, true
	}
	x, _ := strconv.Atoi(a)
	y, _ := strconv.Atoi(b)
	return math.Min(math.Abs(float64(x-y)), 99), true
}

// distance counts the letters to insert, leave out or change to make one word of
// the other (Levenshtein); more than 2 is given as 3.
func distance(a, b string) int {
	if len(a)-len(b) > 2 || len(b)-len(a) > 2 {
		return 3
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return min(row[len(b)], 3)
}
