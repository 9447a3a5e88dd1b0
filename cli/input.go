package cli

import (
	"bufio"
	"context"
	"io"
	"strings"
	"sync"
)

// lines reads what a person types, line by line. Reading cannot be given up, so
// one goroutine does it for the whole run and a line nobody took waits for the
// next question.
type lines struct {
	once sync.Once
	from chan string // closed at the end of input

	mu   sync.Mutex
	kept []string
}

// keep puts a line back for the next question.
func (l *lines) keep(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept = append(l.kept, text)
}

func (l *lines) first() (string, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.kept) == 0 {
		return "", false
	}
	text := l.kept[0]
	l.kept = l.kept[1:]
	return text, true
}

// line waits for the next line; the end of input is io.EOF.
func (a *app) line(ctx context.Context) (string, error) {
	if text, ok := a.input.first(); ok {
		return text, nil
	}
	a.input.once.Do(func() {
		a.input.from = make(chan string)
		go func() {
			defer close(a.input.from)
			in := bufio.NewReader(a.In)
			for {
				text, err := in.ReadString('\n')
				if text != "" {
					a.input.from <- strings.TrimSpace(text)
				}
				if err != nil {
					return
				}
			}
		}()
	})
	select {
	case text, more := <-a.input.from:
		if !more {
			return "", io.EOF
		}
		return text, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// interactive tells whether somebody answers questions: on a terminal, or through
// a pipe that --accessible allows.
func (a *app) interactive() bool { return a.unattended() == "" }

// unattended says why nobody answers questions; empty where somebody does.
func (a *app) unattended() string {
	switch {
	case a.flags.noInput:
		return "--no-input rules it out (CI counts as --no-input)"
	case !a.flags.accessible && !isTerminal(a.In):
		return "there is no terminal"
	}
	return ""
}
