package cli

import (
	"errors"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"msbundle/sandbox"
)

// notTaken says where to look when a command does not take what stands after it.
func notTaken(cmd *cobra.Command, arg string) error {
	what, all := strconv.Quote(arg), "flags"
	switch {
	case cmd.HasSubCommands():
		what, all = "unknown command "+what, "commands"
	case cmd.Flags().Lookup("file") != nil:
		what += " stands there without a flag: a file is named with -f"
	default:
		what += " stands there without a flag"
	}
	return misunderstood(what, arg, cmd, cmd.CommandPath(), all)
}

// badFlag says what was meant by a flag, and where to look.
func badFlag(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return &exitError{exitUsage, err}
	}
	if args := cmd.Flags().Args(); cmd.HasSubCommands() && len(args) > 0 { // the flag may well be one of what was meant
		return notTaken(cmd, args[0])
	}
	name, what := "--"+unknown.GetSpecifiedName(), err.Error()
	if name == "--no-color" || name == "--no-colour" {
		what += "; use --color never"
	}
	var known cobra.Command
	cmd.Flags().VisitAll(func(f *pflag.Flag) { offer(&known, "--"+f.Name) })
	return misunderstood(what, name, &known, cmd.CommandPath(), "flags")
}

// checkScenario tells a scenario that does not exist.
func checkScenario(name string) error {
	var known cobra.Command
	for _, s := range sandbox.Scenarios() {
		if s.Name == name {
			return nil
		}
		offer(&known, s.Name)
	}
	return misunderstood("--scenario: "+strconv.Quote(name)+" is not known", name, &known, "msbundle sandbox", "scenarios")
}

// offer adds a name to those that can be meant.
func offer(to *cobra.Command, name string) {
	to.AddCommand(&cobra.Command{Use: name, Run: func(*cobra.Command, []string) {}})
}

// misunderstood says what is wrong, what was meant where that can be told, and which
// command's help lists all there are.
func misunderstood(what, typed string, known *cobra.Command, command, all string) error {
	known.SuggestionsMinimumDistance = 2
	if like := known.SuggestionsFor(typed); len(like) > 0 && len(like) <= 5 { // more are no help
		what += "; did you mean " + strings.Join(like, " or ") + "?"
	} else {
		what += ";"
	}
	return &exitError{exitUsage, errors.New(what + " '" + command + " --help' lists the " + all)}
}
