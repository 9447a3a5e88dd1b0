package steps

import (
	"slices"
	"strings"
)

// onlyAwaited leaves of delegated administration what was agreed to when an earlier
// run began to wait: the roles at those who approve. The rest is for a plan that is
// shown before it is carried out.
func (p *Plan) onlyAwaited() {
	if len(p.options.Awaited) == 0 {
		return
	}
	before := len(p.Changes)
	p.Changes = slices.DeleteFunc(p.Changes, func(c Change) bool {
		agreed := c.Kind == KindAccess && c.Action != Remove && slices.Contains(p.options.Awaited, relationshipIn(c.Path))
		return c.Step == stepGDAP && (!agreed || strings.Contains(string(c.Body), "${")) // its group is gone
	})
	if p.Rest = before - len(p.Changes); p.Rest > 0 {
		p.note("%s more would be planned about customers. They are left for the plan of the stage GDAP, which shows them first.", plural(p.Rest, "write"))
	}
}

// keepWaiting records whom a later run can go on to wait for.
func (e *engine) keepWaiting() error {
	if !e.plan.options.has(StageGDAP) || e.plan.findings.Delegation == nil {
		return nil
	}
	var ids []string
	for _, changes := range e.later {
		if id := e.relationshipOf(changes); !strings.Contains(id, "${") {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return problem(e.store.KeepWaiting(ids), "who is waited for could not be kept")
}
