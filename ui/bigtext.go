package ui

import "strings"

// glyphs are letters five dots high, as narrow as they stay legible: a code of
// nine letters has to fit beside a QR code.
var glyphs = map[rune][5]string{
	'A': {".#.", "#.#", "###", "#.#", "#.#"},
	'B': {"##.", "#.#", "##.", "#.#", "##."},
	'C': {".##", "#..", "#..", "#..", ".##"},
	'D': {"##.", "#.#", "#.#", "#.#", "##."},
	'E': {"###", "#..", "##.", "#..", "###"},
	'F': {"###", "#..", "##.", "#..", "#.."},
	'G': {".###", "#...", "#.##", "#..#", ".###"},
	'H': {"#.#", "#.#", "###", "#.#", "#.#"},
	'I': {"###", ".#.", ".#.", ".#.", "###"},
	'J': {"..#", "..#", "..#", "#.#", ".#."},
	'K': {"#.#", "#.#", "##.", "#.#", "#.#"},
	'L': {"#..", "#..", "#..", "#..", "###"},
	'M': {"#...#", "##.##", "#.#.#", "#...#", "#...#"},
	'N': {"#..#", "##.#", "#.##", "#..#", "#..#"},
	'O': {".##.", "#..#", "#..#", "#..#", ".##."},
	'P': {"##.", "#.#", "##.", "#..", "#.."},
	'Q': {".##.", "#..#", "#..#", "#.#.", ".#.#"},
	'R': {"###.", "#..#", "###.", "#.#.", "#..#"},
	'S': {".###", "#...", ".##.", "...#", "###."},
	'T': {"###", ".#.", ".#.", ".#.", ".#."},
	'U': {"#.#", "#.#", "#.#", "#.#", "###"},
	'V': {"#.#", "#.#", "#.#", "#.#", ".#."},
	'W': {"#...#", "#...#", "#.#.#", "##.##", "#...#"},
	'X': {"#.#", "#.#", ".#.", "#.#", "#.#"},
	'Y': {"#.#", "#.#", ".#.", ".#.", ".#."},
	'Z': {"####", "...#", ".##.", "#...", "####"},
	'0': {".###.", "#..##", "#.#.#", "##..#", ".###."},
	'1': {".#.", "##.", ".#.", ".#.", "###"},
	'2': {"##.", "..#", ".#.", "#..", "###"},
	'3': {"##.", "..#", ".#.", "..#", "##."},
	'4': {"#.#", "#.#", "###", "..#", "..#"},
	'5': {"###", "#..", "###", "..#", "###"},
	'6': {"###", "#..", "###", "#.#", "###"},
	'7': {"###", "..#", ".#.", ".#.", ".#."},
	'8': {"###", "#.#", "###", "#.#", "###"},
	'9': {"###", "#.#", "###", "..#", "###"},
	'-': {"..", "..", "##", "..", ".."},
	' ': {"..", "..", "..", "..", ".."},
}

// bigText draws a code in large letters, as large as the width allows; nil when a
// letter is unknown or there is no room.
func bigText(s string, width int) []string {
	var dots [5]string
	for i, r := range strings.ToUpper(s) {
		g, ok := glyphs[r]
		if !ok {
			return nil
		}
		for y := range dots {
			if i > 0 {
				dots[y] += "."
			}
			dots[y] += g[y]
		}
	}
	switch n := len(dots[0]); {
	case n == 0 || n > width:
		return nil
	case 2*n <= width:
		return tall(dots)
	}
	return small(dots)
}

// tall makes each dot two cells.
func tall(dots [5]string) []string {
	out := make([]string, len(dots))
	for y, line := range dots {
		out[y] = strings.TrimRight(strings.NewReplacer("#", "██", ".", "  ").Replace(line), " ")
	}
	return out
}

// small puts two dots above each other into one cell.
func small(dots [5]string) []string {
	var out []string
	for y := 0; y < len(dots); y += 2 {
		var b strings.Builder
		for x := range dots[y] {
			below := y+1 < len(dots) && dots[y+1][x] == '#'
			b.WriteString(half(dots[y][x] == '#', below))
		}
		out = append(out, strings.TrimRight(b.String(), " "))
	}
	return out
}

func half(top, bottom bool) string {
	switch {
	case top && bottom:
		return "█"
	case top:
		return "▀"
	case bottom:
		return "▄"
	}
	return " "
}
