package sandbox

import (
	"fmt"
	"html"
	"strings"
)

// markup fills texts into a piece of a page: each %s, with what HTML reads
// differently escaped. A template library would do the same, and its look-up of
// methods by name keeps every method of every type in the program.
func markup(format string, texts ...string) string {
	escaped := make([]any, len(texts))
	for i, t := range texts {
		escaped[i] = html.EscapeString(t)
	}
	return fmt.Sprintf(format, escaped...)
}

// listed is a list of texts as a page shows it.
func listed(texts []string) string {
	var b strings.Builder
	for _, t := range texts {
		b.WriteString(markup("<li>%s</li>", t))
	}
	return "<ul>" + b.String() + "</ul>\n"
}

// pageStyle is that of every page a person looks at.
const pageStyle = `<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 2rem auto; padding: 0 1rem; color: #1b1b1b; background: #fff }
label { display: block; margin-top: 1rem; font-weight: 600 }
input[type=text] { font: inherit; width: 100%; padding: .5rem; border: 1px solid #666; box-sizing: border-box }
button { font: inherit; margin: 1.5rem .5rem 0 0; padding: .5rem 1.25rem }
.error { border-left: .25rem solid #a4262c; padding-left: 1rem }
</style>
`

// document is a whole page: plain HTML, no scripts. Its form goes back to where it
// came from.
func document(title, heading, content string) string {
	return markup(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>%s (sandbox)</title>
`, title) + pageStyle + markup(`</head>
<body>
<main>
<h1>%s</h1>
<p>This is a rehearsal. Nothing here reaches Microsoft, and no password is asked for.</p>
`, heading) + content + "</main>\n</body>\n</html>\n"
}
