package ui

import (
	"strings"

	"rsc.io/qr"
)

// quiet is the blank border around a QR code, in modules. Four is the standard;
// two is read just as well on screens and saves eight columns.
const quiet = 2

// qrCode draws text as a QR code of half blocks, one string a line; nil when it
// cannot be encoded. Readers expect dark on light: with colours the light comes
// from the style, without them the light modules are drawn on a dark terminal
// and the dark ones on a light terminal.
func qrCode(t *Theme, text string) []string {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return nil
	}
	drawDark := t.colour || !t.dark
	on := func(x, y int) bool { return code.Black(x, y) == drawDark }
	var out []string
	for y := -quiet; y < code.Size+quiet; y += 2 {
		var b strings.Builder
		for x := -quiet; x < code.Size+quiet; x++ {
			// An odd number of rows leaves half a line below the code, which
			// belongs to the quiet border too.
			b.WriteString(half(on(x, y), on(x, y+1)))
		}
		out = append(out, t.QR.Render(b.String()))
	}
	return out
}
