package ui

import (
	"strings"

	"msbundle/steps"
)

// edit is the last change of the mapping by hand, so that it can be taken back.
type edit struct {
	at     int // the customer's place
	was    steps.Choice
	file   *steps.Mapping // the mapping before a file was given back; nil when a customer was changed
	linked []int          // of that
	asIs   bool
}

// edit changes what a customer is linked to.
func (c *clients) edit(at int, change func()) {
	c.last = &edit{at: at, was: c.mapping.Choice(at)}
	change()
}

// undo takes the last change back, and says what holds again.
func (c *clients) undo() string {
	e := c.last
	if c.last = nil; e.file != nil {
		c.setMapping(e.file, e.linked)
		c.asIs = e.asIs
		return "The links are as they were before the file: " + mappingTally(c.mapping) + "."
	}
	c.mapping.Choose(e.at, e.was)
	return shownName(c.row(e.at).Customer) + " is as before: " + closed(mappingText(c.mapping, e.at))
}

// linkedTo names the organisations of a customer.
func (c *clients) linkedTo(at int) string {
	var names []string
	for _, n := range c.row(at).Organizations {
		names = append(names, c.mapping.Organizations()[n].Name)
	}
	return strings.Join(names, ", ")
}

// editText says what became of a customer, and how to take it back.
func (c *clients) editText(at int, had string) string {
	has := c.linkedTo(at)
	text := shownName(c.row(at).Customer)
	switch {
	case has != "":
		text += " is linked to " + has
	case c.mapping.State(at) == steps.RowDeclined:
		text += " is to have none"
	default:
		text += " has no organisation now"
	}
	if had != "" && had != has {
		text += ", before: " + had
	}
	return text + ". z takes that back."
}

// change has a customer changed, which is said unless something is wrong with it.
func (t *clientTable) change(at int, with func()) {
	c := t.clients()
	had := c.linkedTo(at)
	c.edit(at, with)
	t.s.w.say("•", c.editText(at, had))
}
