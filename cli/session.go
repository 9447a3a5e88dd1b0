package cli

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"msbundle/msclient"
	"msbundle/state"
	"msbundle/steps"
)

// passphraseVar names the environment variable that unlocks a remembered
// sign-in. It is no flag: arguments can be seen by every process.
const passphraseVar = "MSBUNDLE_PASSPHRASE"

// rehearsalWorkFactor makes sealing quick where there is nothing to protect.
const rehearsalWorkFactor = 10

const whoSchema = "msbundle.account/1"

// sessionFile is where a sign-in is remembered for a connection, and whether
// there is a passphrase to do it with.
func (a *app) sessionFile(c *connection) (*msclient.SessionFile, bool) {
	f := &msclient.SessionFile{Path: filepath.Join(c.stateDir, a.flags.cloud.ID, "session")}
	if c.label != "" {
		f.Path = filepath.Join(c.stateDir, "sandbox-"+c.world, "session")
		f.WorkFactor = rehearsalWorkFactor
	}
	word, ok := a.env(passphraseVar)
	f.Passphrase = msclient.NewSecret(word)
	return f, ok && word != ""
}

func (a *app) loginCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "login",
		Short: "Sign in, and remember it when " + passphraseVar + " is set",
		Long: "Signs in by a code typed on any device and shows the account and tenant. With " + passphraseVar + " set the\n" +
			"sign-in is remembered in the state folder, encrypted under it, and used by later commands.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, s, answers, err := a.session(cmd.Context(), true)
			if err != nil {
				return err
			}
			if _, err := a.signIn(cmd.Context(), c, s, answers); err != nil {
				return err
			}
			if _, kept := a.sessionFile(c); !kept {
				a.remark("The sign-in is not remembered: set %s to keep it, encrypted, for later commands.", passphraseVar)
			}
			return a.printAccount(cmd.Context(), s)
		},
	}
}

func (a *app) whoamiCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "whoami",
		Short: "Show the remembered account and its tenant",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, s, answers, err := a.session(cmd.Context(), false)
			if err != nil {
				return err
			}
			if _, ok, err := s.Restore(cmd.Context(), answers); err != nil {
				return &exitError{signInExit(err), err}
			} else if !ok {
				return &exitError{exitNoSignIn, fmt.Errorf("nobody is signed in; run 'msbundle login' with %s set, and again with the same passphrase here", passphraseVar)}
			}
			return a.printAccount(cmd.Context(), s)
		},
	}
}

func (a *app) logoutCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "logout",
		Short: "Forget the remembered sign-in",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.connect(cmd.Context())
			if err != nil {
				return err
			}
			f, _ := a.sessionFile(c)
			was, err := f.Remove()
			if err != nil {
				return &exitError{exitFailed, fmt.Errorf("the remembered sign-in could not be removed: %w; delete the file yourself", err)}
			}
			if was {
				a.remark("The remembered sign-in is forgotten on this machine. It can be ended everywhere in the Entra admin center (Users, Revoke sessions).")
			} else {
				a.remark("No sign-in was remembered.")
			}
			return nil
		},
	}
}

// session prepares a sign-in with reading permissions; anew does without a
// remembered one.
func (a *app) session(ctx context.Context, anew bool) (*connection, *steps.Setup, state.Answers, error) {
	answers := state.DefaultAnswers()
	answers.Tenant = a.flags.tenant
	c, err := a.connect(ctx)
	if err != nil {
		return nil, nil, answers, err
	}
	s, err := a.setup(c, purpose{reads: true, account: true, anew: anew})
	return c, s, answers, err
}

func (a *app) printAccount(ctx context.Context, s *steps.Setup) error {
	f, err := s.WhoAmI(ctx)
	if err != nil {
		return err
	}
	kind := "member"
	if f.Account.Guest {
		kind = "guest"
	}
	if a.flags.json {
		return a.printJSON(map[string]any{
			"schema": whoSchema, "account": f.Account.Username, "id": f.Account.ObjectID, "type": kind, "mfa": f.Account.MFA,
			"tenant": f.Org.ID, "tenantName": f.Org.Name, "domain": f.Org.DefaultDomain, "roles": append([]string{}, f.RoleIDs...),
		})
	}
	mfa := "with multifactor authentication"
	if !f.Account.MFA {
		mfa = "without multifactor authentication"
	}
	_, err = fmt.Fprintf(a.Out, "%s, a %s of %s (%s, %s), signed in %s\n",
		plain(f.Account.Username), kind, plain(f.Org.Name), plain(f.Org.DefaultDomain), f.Org.ID, mfa)
	return err
}
