package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"msbundle/steps"
)

const clientSchema = "msbundle.client/1"

// clientDocument is the registration of the program's own client and, once it was
// made, what came of it.
type clientDocument struct {
	Schema      string         `json:"schema"`
	Application map[string]any `json:"application"` // as POST /v1.0/applications takes it
	Created     *clientCreated `json:"created,omitempty"`
}

type clientCreated struct {
	Tenant  string         `json:"tenant"`
	Name    string         `json:"name"`
	AppID   string         `json:"appId"`
	Command string         `json:"command"` // that signs in with it
	Done    bool           `json:"done"`
	Written int            `json:"written"`
	Changes []steps.Change `json:"changes"`
	Notes   []steps.Note   `json:"notes"`
	Proof   map[string]any `json:"proof"`
}

func (a *app) clientCommand() *cobra.Command {
	var create, yes bool
	var name string
	c := &cobra.Command{
		Use:   "client",
		Short: "Show or make a client of your own to sign in with",
		Long: "No client of Microsoft's reaches Graph, Azure and Partner Center with one sign-in. A public client registered in\n" +
			"your tenant does: this shows the registration it takes, and with --create makes it. Give its id with --client-id.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if create {
				return a.createClient(cmd.Context(), name, yes)
			}
			if a.flags.json {
				return a.printJSON(clientDocument{Schema: clientSchema, Application: steps.ClientRegistration(name)})
			}
			printRegistration(a.Out, name)
			return nil
		},
	}
	c.Flags().BoolVar(&create, "create", false, "make it in the tenant of whoever signs in")
	c.Flags().StringVar(&name, "name", steps.ClientName, "what the app is called")
	c.Flags().BoolVar(&yes, "yes", false, "do not ask before writing")
	return c
}

func printRegistration(w io.Writer, name string) {
	fmt.Fprintf(w, "Register an app in the Entra admin center (App registrations, New registration):\n\n"+
		"  Name                       %s\n"+
		"  Supported account types    this organisation only\n"+
		"  Redirect URI               %s, as a public client (mobile and desktop)\n"+
		"  Allow public client flows  yes (Authentication, Settings)\n\n"+
		"Add these delegated permissions and grant admin consent for them:\n", plain(name), steps.ClientRedirect)
	api := ""
	for _, p := range steps.ClientPermissions() {
		if p.API != api {
			api = p.API
			fmt.Fprintf(w, "\n  %s (%s)\n", api, p.Resource)
		}
		fmt.Fprintf(w, "    %-38s %s\n", p.Name, p.ID)
	}
	fmt.Fprint(w, "\nThen sign in with it:\n\n  msbundle --tenant TENANT-ID --client-id CLIENT-ID\n\n"+
		"Do not use the app Rewst signs in with: as a public client anybody could start a sign-in in its name.\n"+
		"'msbundle client --create' does all of this, and 'msbundle undo' takes it back.\n")
}

func (a *app) createClient(ctx context.Context, name string, yes bool) error {
	if name = strings.TrimSpace(name); name == "" {
		return usage("--name: an app needs a name")
	}
	s, err := a.begin(ctx, "client --create", yes, purpose{})
	if err != nil {
		return err
	}
	f, err := s.InspectClient(ctx, name, a.watch())
	if err != nil {
		return err
	}
	if f.App == nil && len(f.SameName) > 0 {
		return usage("--name: the tenant has an app called %q already (client id %s), which this program did not make; choose another name", name, f.SameName[0].AppID)
	}
	p := steps.MakeClientPlan(name, f)
	if err := a.agree(ctx, p, yes, true); err != nil {
		return err
	}
	result, err := s.Apply(ctx, p, steps.ApplyOptions{Observe: a.watch()})
	if ctx.Err() != nil && err != nil {
		return ctx.Err()
	}
	if result == nil {
		return err
	}
	command := a.withClient(p.Tenant, result.AppID)
	if a.flags.json {
		return errors.Join(err, a.printJSON(clientDocument{
			Schema: clientSchema, Application: steps.ClientRegistration(name), Created: &clientCreated{
				Tenant: p.Tenant, Name: result.AppName, AppID: result.AppID, Command: command, Done: err == nil, Written: result.Written,
				Changes: append([]steps.Change{}, p.Changes...), Notes: append([]steps.Note{}, result.Notes...), Proof: proofDocument(result.Proof),
			},
		}))
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(a.Err, "\n%q is there: %d writes, read back %d times in a row. Sign in with it:\n", plain(result.AppName), result.Written, result.Proof.Reads)
	_, err = fmt.Fprintf(a.Out, "Client id: %s\n%s\n", result.AppID, command)
	return err
}

// withClient is the command line that signs in with a client: one of a single
// tenant takes the tenant's name, too.
func (a *app) withClient(tenant, appID string) string {
	words := []string{"msbundle", "--tenant", tenant, "--client-id", appID}
	for _, f := range []struct{ name, value, usual string }{{"sandbox", a.flags.sandbox, ""}, {"cloud", a.flags.cloudID, "global"}, {"state-dir", a.flags.stateDir, ""}} {
		if f.value != f.usual && f.value != inProcess {
			words = append(words, "--"+f.name+"="+shellWord(f.value))
		}
	}
	return strings.Join(words, " ")
}
