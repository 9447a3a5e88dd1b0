package cli

import (
	"context"
	"os"

	"msbundle/ui"
)

// plainLines tells whether the wizard goes line by line: it was asked for, the
// environment asks every program for it, or the terminal can do no more.
//
// ACCESSIBLE with any value is what prompts of other programs go by; the names
// some programs have of their own (GH_ACCESSIBLE_PROMPTER) are about those.
func (a *app) plainLines() bool {
	all, _ := a.env("ACCESSIBLE")
	terminal, _ := a.env("TERM")
	return a.flags.accessible || all != "" || terminal == "dumb"
}

// wizardInLines runs the wizard as questions and answers.
func (a *app) wizardInLines(ctx context.Context) error {
	cfg, err := a.wizardConfig(ctx)
	if err != nil {
		return err
	}
	w := ui.NewLines(cfg, ui.Console{Line: a.line, Out: a.Out, Columns: a.columns, Keyboard: isTerminal(a.In)})
	w.Run(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return wizardEnded(w.Outcome())
}

// columns is how wide the terminal is just now; 0 when there is none.
func (a *app) columns() int {
	f, ok := a.Out.(*os.File)
	if !ok {
		return 0
	}
	return widthOf(f)
}
