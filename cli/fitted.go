package cli

import (
	"io"
	"os"
	"strings"
	"sync"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/term"
)

// fitted breaks lines between words, where a terminal would break them anywhere. The
// rest of a line stands below its beginning, or below its last column.
type fitted struct {
	io.Writer
	columns func() int

	mu   sync.Mutex
	at   int // where on the line the next word comes
	hang int // where the rest of the line goes
}

// fit is a stream for people: fitted to the terminal when it is one.
func (a *app) fit(stream io.Writer) io.Writer {
	f, ok := stream.(*os.File)
	if !ok || a.flags.json || !term.IsTerminal(f.Fd()) {
		return stream
	}
	return &fitted{Writer: f, columns: func() int { return widthOf(f) }}
}

// widthOf is how wide a terminal is just now; 0 when there is none.
func widthOf(f *os.File) int {
	width, _, err := term.GetSize(f.Fd())
	if err != nil {
		return 0
	}
	return width
}

func (f *fitted) Write(text []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	width := f.columns() - len("^C") // which the terminal itself puts at the beginning of a line
	if width < 1 {
		return f.Writer.Write(text)
	}
	var out strings.Builder
	for rest := string(text); rest != ""; {
		word := strings.TrimLeft(rest, " ")
		blanks := len(rest) - len(word)
		n := strings.IndexAny(word, " \n")
		if n < 0 {
			n = len(word)
		}
		word, rest = word[:n], word[n:]
		cells := ansi.StringWidth(word)
		switch {
		case f.at == 0 && word == "-":
			f.hang = blanks + 2
		case f.at == 0:
			f.hang = blanks
		case blanks > 1 && f.at+blanks <= width/2:
			f.hang = f.at + blanks
		}
		if f.at > f.hang && f.at+blanks+cells > width {
			out.WriteByte('\n')
			f.at, blanks = 0, f.hang
		}
		out.WriteString(strings.Repeat(" ", blanks) + word)
		f.at += blanks + cells
		switch {
		case word == "" && rest == "": // a question: what is typed ends the line
			f.at = 0
		case rest != "" && rest[0] == '\n':
			out.WriteByte('\n')
			f.at, rest = 0, rest[1:]
		}
	}
	if _, err := io.WriteString(f.Writer, out.String()); err != nil {
		return 0, err
	}
	return len(text), nil
}

// raw is a stream without the fitting, for what is to be copied as it is.
func raw(stream io.Writer) io.Writer {
	if f, ok := stream.(*fitted); ok {
		return f.Writer
	}
	return stream
}
