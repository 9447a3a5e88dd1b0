package ui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"msbundle/catalog"
	"msbundle/steps"
)

// named is a permission as it was found, with the number it got.
type named struct {
	row   int
	title string // of its API
}

const permissionsHow = "Type find and a word, add or remove and a name, 1 to 4 for another base, or press Enter to go on:"

var permissionsAbout = []string{
	"A base is where the selection starts: 1 minimum, 2 recommended, 3 all stock. 4 leaves out what can change something.",
	"find and a part of a name, an API or a use lists what there is, with numbers. find recommended lists those.",
	"show and a name or a number says what a permission is for and what breaks without it.",
	"add or remove and a name or a number chooses it or leaves it out, in every kind it has; put /delegated or /application behind it for one kind.",
}

// permissions has the permissions chosen. It works the permissions screen, whose
// rules and sentences it shares.
func (l *Lines) permissions(ctx context.Context) error {
	s := newPermissions(l.w).(*permissions)
	l.offered = nil
	l.notice()
	l.selection(s)
	for {
		text, err := l.ask(ctx, query{prompt: permissionsHow, about: permissionsAbout, list: func() { l.selection(s) }})
		if err != nil {
			return err
		}
		verb, rest, _ := strings.Cut(text, " ")
		rest = strings.TrimSpace(rest)
		switch strings.ToLower(verb) {
		case "":
			if over := s.over(); over == "" {
				return nil
			}
			err = l.shorten(ctx, s)
		case "1", "minimum":
			l.based(s, catalog.Minimum)
		case "2", "recommended":
			l.based(s, catalog.Recommended)
		case "3", "stock":
			l.based(s, catalog.Stock)
		case "4", "read":
			s.readOnly()
			l.notice()
			l.selection(s)
		case "find":
			l.find(s, rest)
		case "show":
			l.showPermission(s, rest)
		case "add", "remove":
			err = l.setPermission(ctx, s, rest, strings.EqualFold(verb, "add"))
		default:
			l.say("That is not understood. " + permissionsAbout[1] + " Or type a number from 1 to 4, or ? for all commands.")
		}
		if err != nil {
			return err
		}
	}
}

func (l *Lines) based(s *permissions, tier catalog.Tier) {
	s.base(tier)
	l.notice()
	l.selection(s)
}

// selection says what is chosen and how much of the limits it uses.
func (l *Lines) selection(s *permissions) {
	l.say("Permissions chosen: " + baseName(l.w.answers.Permissions) + ".")
	l.meters(s.meter)
}

func (l *Lines) meters(m steps.Meter) {
	for _, g := range gauges(m) {
		if text := g.String() + "."; g.label != "" {
			l.say(g.label + ": " + text)
		} else {
			l.say(text)
		}
	}
}

// find lists the permissions that hold a text.
func (l *Lines) find(s *permissions, text string) {
	l.offered = nil
	for i, r := range s.rows {
		if !r.head && strings.Contains(s.list.rows[i].search, strings.ToLower(text)) {
			l.offered = append(l.offered, named{i, s.groups[r.group].title})
		}
	}
	switch {
	case text == "":
		l.offered = nil
		l.say("Type find and a part of a name, an API or a use, for example: find mailbox.")
		return
	case len(l.offered) == 0:
		l.say("Nothing found with " + text + ".")
		return
	}
	l.say(fmt.Sprintf("Found %s with %s:", count(len(l.offered), "permission", "permissions"), text))
	for n, o := range l.offered {
		l.say(fmt.Sprintf("%d. %s", n+1, s.described(s.rows[o.row], o.title)))
	}
}

// described says in one line what a row of the list shows.
func (s *permissions) described(r permRow, api string) string {
	if r.extra >= 0 {
		return r.name + ": " + chosenWord(s.extras[r.extra].on) + ". Not in the catalogue."
	}
	var parts []string
	for _, kind := range []catalog.Kind{catalog.Delegated, catalog.Application} {
		if p, ok := r.kinds[kind]; ok {
			parts = append(parts, string(kind)+" "+chosenWord(s.sel.Has(p)))
		}
	}
	tier, risk := r.rating()
	text := fmt.Sprintf("%s of %s: %s.", r.name, api, strings.Join(parts, ", "))
	switch tier {
	case catalog.Minimum:
		text += " Required."
	case catalog.Recommended, catalog.Stock:
		text += " " + sentence(tier.String())
	}
	if risk > 0 {
		text += fmt.Sprintf(" Risk %d of 4.", risk)
	}
	return text
}

func chosenWord(on bool) string {
	if on {
		return "chosen"
	}
	return "not chosen"
}

// row finds the permission a person names, by the number it was found with or by
// its name, and the kinds that are meant.
func (l *Lines) row(s *permissions, text string) (int, []catalog.Kind) {
	both := []catalog.Kind{catalog.Delegated, catalog.Application}
	name, kind, one := strings.Cut(text, "/")
	if one {
		both = []catalog.Kind{catalog.Kind(strings.ToLower(kind))}
	}
	if n, err := strconv.Atoi(name); err == nil {
		if n < 1 || n > len(l.offered) {
			l.say("No permission was found with that number. Type find and a word first.")
			return -1, nil
		}
		return l.offered[n-1].row, both
	}
	found := -1
	for i, r := range s.rows {
		switch entry := s.entry(r); {
		case r.head:
		case strings.EqualFold(r.name, text) && r.extra >= 0:
			return i, both
		case strings.EqualFold(entry, name):
			return i, both
		case strings.EqualFold(r.name, name) && found < 0:
			found = i
		}
	}
	if found < 0 {
		l.say("There is no permission called " + text + " among those of the chosen integrations. Type find and a part of the name to search.")
	}
	return found, both
}

// entry is how setup.yaml names a row of the catalogue.
func (s *permissions) entry(r permRow) string {
	if r.head || r.extra >= 0 {
		return ""
	}
	return steps.Entry{Resource: r.first().Resource, Name: r.name}.String()
}

func (l *Lines) showPermission(s *permissions, text string) {
	i, _ := l.row(s, text)
	if i < 0 {
		return
	}
	r := s.rows[i]
	l.say(s.described(r, s.groups[r.group].title))
	if r.extra >= 0 {
		return
	}
	for _, kind := range []catalog.Kind{catalog.Delegated, catalog.Application} {
		if p, ok := r.kinds[kind]; ok {
			l.say(sentence(string(kind) + ": " + riskText(p)))
		}
	}
	l.say(reasons(r.first())...)
	if note := r.first().Note; note != "" {
		l.say("Note: " + note + ".")
	}
}

// setPermission chooses a permission or leaves it out. What the vendor relies on
// goes only after a question.
func (l *Lines) setPermission(ctx context.Context, s *permissions, text string, on bool) error {
	i, kinds := l.row(s, text)
	if i < 0 {
		return nil
	}
	r := s.rows[i]
	if r.extra >= 0 {
		if s.extras[r.extra].on != on {
			s.toggleExtra(r.extra)
		}
		l.say(s.described(r, ""))
		return nil
	}
	if !slices.ContainsFunc(kinds, func(k catalog.Kind) bool { _, ok := r.kinds[k]; return ok }) {
		l.say(r.name + " has no kind of that name. " + s.described(r, s.groups[r.group].title))
		return nil
	}
	if !on && s.loses(r, kinds) {
		sure, err := l.agree(ctx, query{prompt: "Leave out " + r.name + "? " + steps.Loss(r.first()), about: reasons(r.first())})
		if err != nil && !errors.Is(err, errBack) {
			return err
		}
		if !sure {
			l.say(r.name + " stays.")
			return nil
		}
	}
	s.set(r, kinds, on)
	l.notice()
	l.say(s.described(r, s.groups[r.group].title))
	l.meters(s.meter)
	return nil
}

// shorten says which limit is broken and what can go without loss.
func (l *Lines) shorten(ctx context.Context, s *permissions) error {
	l.say(s.over())
	if s.meter.Total > catalog.ManifestPermissionLimit {
		return nil
	}
	before := s.meter
	s.shorten()
	l.notice()
	if s.proposal == nil {
		return nil
	}
	l.say("These can go without loss, because a chosen ReadWrite covers them:")
	for _, p := range s.proposal {
		l.say(p.Name + ", covered by " + catalog.CoveredBy(p.Name) + ".")
	}
	l.say(fmt.Sprintf("The scope string then has %s characters in place of %s, %s bytes in place of %s.",
		number(s.after.Chars), number(before.Chars), number(s.after.Bytes), number(before.Bytes)))
	if !s.enough {
		l.say("This is not enough by itself; leave out more afterwards.")
	}
	sure, err := l.agree(ctx, query{prompt: "Leave them out?", about: []string{"No keeps them; the limit is still broken then, and you cannot go on."}})
	if err != nil && !errors.Is(err, errBack) {
		return err
	}
	if !sure {
		s.proposal = nil
		l.say("They stay.")
		return nil
	}
	s.accept()
	l.notice()
	l.selection(s)
	return nil
}
