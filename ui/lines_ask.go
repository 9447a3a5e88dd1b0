package ui

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
)

// plainWidth is how wide lines are when nobody knows how wide they may be.
const plainWidth = 80

func (l *Lines) columns() int {
	if l.con.Columns != nil {
		if n := l.con.Columns(); n > 0 {
			return n
		}
	}
	return plainWidth
}

// write sends text to the person. Who cannot be told anything cannot agree to
// anything either, so that counts as the end of the input.
func (l *Lines) write(text string) {
	if _, err := io.WriteString(l.con.Out, text); err != nil {
		l.over = true
	}
}

// say writes sentences, each on lines of its own. A word longer than a line stays
// whole: it is an address, a code or an id.
func (l *Lines) say(texts ...string) {
	for _, text := range texts {
		for _, part := range unbroken(text, l.columns()) {
			l.write(part + "\n")
		}
	}
}

// alone writes what is to be copied on a line of its own, however long.
func (l *Lines) alone(text string) { l.write(clean(text) + "\n") }

// whole writes what is to be copied with its name before it, on the same line where
// it fits.
func (l *Lines) whole(label, text string) {
	if both := label + ": " + clean(text); ansi.StringWidth(both) <= l.columns() {
		l.alone(both)
		return
	}
	l.say(label + ":")
	l.alone(text)
}

func (l *Lines) gap() { l.write("\n") }

// unbroken makes text from outside harmless and breaks it into lines between
// words only.
func unbroken(s string, width int) []string {
	const hyphen = "\u2011" // looks the same and is never broken at
	s = ansi.Wordwrap(strings.ReplaceAll(clean(strings.TrimSpace(s)), "-", hyphen), max(width, 1), "")
	lines := strings.Split(strings.ReplaceAll(s, hyphen, "-"), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return lines
}

// query is what a question asks, and what ? says about it.
type query struct {
	prompt string
	about  []string
	list   func() // says the alternatives again
}

// notUnderstood stands before a question that is put again.
const notUnderstood = "That is not understood. What can be typed here:"

// ask puts a question until something other than ? is typed.
func (l *Lines) ask(ctx context.Context, q query) (string, error) {
	for {
		text, err := l.answer(ctx, q.prompt)
		if err != nil {
			return "", err
		}
		switch strings.ToLower(text) {
		case "?", "help":
			l.say(q.about...)
			if q.list != nil {
				q.list()
			}
			l.say("You can also type back for the question before, or quit to leave.")
		case "back":
			return "", errBack
		case "quit":
			return "", errQuit
		default:
			return text, nil
		}
	}
}

// answer prompts and waits for a line.
func (l *Lines) answer(ctx context.Context, prompt string) (string, error) {
	lines := unbroken(prompt, l.columns()-1)
	last := len(lines) - 1
	l.say(lines[:last]...)
	l.write(lines[last] + " ")
	text, err := l.line(ctx)
	switch {
	case err != nil:
		l.write("\n")
	case !l.con.Keyboard: // no terminal shows what was typed
		l.say(clip(text, l.columns()-ansi.StringWidth(lines[last])-1))
	}
	return text, err
}

// line waits for the next line, one that came early first.
func (l *Lines) line(ctx context.Context) (string, error) {
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case l.over:
		return "", errEnded
	case len(l.held) > 0:
		text := l.held[0]
		l.held = l.held[1:]
		return text, nil
	}
	select {
	case got := <-l.request():
		return l.took(ctx, got)
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// request asks for a line, unless one is on its way: reading cannot be given up,
// so a line that was asked for earlier is what the next question gets.
func (l *Lines) request() <-chan line {
	if !l.asked {
		l.asked = true
		go func() {
			text, err := l.con.Line(l.ctx)
			l.came <- line{text, err}
		}()
	}
	return l.came
}

// took takes a line that came. Nothing counts that came with an interruption.
func (l *Lines) took(ctx context.Context, got line) (string, error) {
	l.asked = false
	if got.err != nil {
		l.over = true
	}
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case l.over:
		return "", errEnded
	}
	return strings.TrimSpace(got.text), nil
}

// choose has one of several alternatives chosen by its number. at is the one that
// an empty line keeps; -1 when there is none.
func (l *Lines) choose(ctx context.Context, title string, names []string, at int, about ...string) (int, error) {
	list := func() {
		l.say(title)
		for i, name := range names {
			l.say(fmt.Sprintf("%d. %s", i+1, name))
		}
	}
	prompt := fmt.Sprintf("Type a number from 1 to %d:", len(names))
	if at >= 0 {
		prompt = fmt.Sprintf("Type a number from 1 to %d, or press Enter for %d:", len(names), at+1)
	}
	list()
	for {
		text, err := l.ask(ctx, query{prompt, about, list})
		if err != nil {
			return 0, err
		}
		n, err := strconv.Atoi(text)
		switch {
		case text == "" && at >= 0:
			return at, nil
		case err == nil && n >= 1 && n <= len(names):
			return n - 1, nil
		}
		l.say(fmt.Sprintf("That is none of the numbers from 1 to %d.", len(names)))
	}
}

// text has a text typed. An empty line keeps what there is.
func (l *Lines) text(ctx context.Context, prompt, now string, fault func(string) string, about ...string) (string, error) {
	for {
		text, err := l.ask(ctx, query{prompt: prompt, about: about})
		if err != nil {
			return "", err
		}
		if text == "" {
			text = now
		}
		bad := fault(text)
		if bad == "" {
			return text, nil
		}
		l.say("That cannot be used: " + sentence(bad))
	}
}

// agree asks a question that takes yes or no.
func (l *Lines) agree(ctx context.Context, q query) (bool, error) {
	q.prompt += " Type yes or no:"
	for {
		text, err := l.ask(ctx, q)
		if err != nil {
			return false, err
		}
		switch strings.ToLower(text) {
		case "yes", "y":
			return true, nil
		case "no", "n":
			return false, nil
		}
		l.say("Only yes or no is understood here.")
	}
}

// closed gives a text its full stop and leaves its first letter as it is: it may
// be a name.
func closed(s string) string {
	s = strings.TrimSpace(s)
	if s == "" || strings.ContainsRune(".!?:", rune(s[len(s)-1])) {
		return s
	}
	return s + "."
}

// spoken writes a duration in whole words, the way it is read aloud.
func spoken(d time.Duration) string {
	s := int(max(d, 0).Round(time.Second).Seconds())
	parts := []string{}
	for _, u := range []struct {
		in        int
		one, many string
	}{{3600, "hour", "hours"}, {60, "minute", "minutes"}, {1, "second", "seconds"}} {
		if n := s / u.in; n > 0 && len(parts) < 2 {
			parts = append(parts, count(n, u.one, u.many))
		}
		s %= u.in
	}
	if len(parts) == 0 {
		return "0 seconds"
	}
	return strings.Join(parts, " ")
}
