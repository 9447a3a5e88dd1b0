package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"msbundle/msclient"
	"msbundle/state"
	"msbundle/steps"
)

const (
	whoSchema    = "msbundle.account/1"
	logoutSchema = "msbundle.logout/1"
)

func (a *app) loginCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "login",
		Short: "Sign in, and remember it on this machine if you agree",
		Long: "Signs in and shows the account and tenant. With your consent (--remember, a yes when asked, or " + passphraseVar + "\n" +
			"set) the sign-in is remembered for later commands in the state folder, encrypted. The key is left to this\n" +
			"machine's keyring; where there is none, or " + passphraseVar + " is set, a passphrase protects it.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.login(cmd.Context()) },
	}
}

func (a *app) login(ctx context.Context) error {
	c, err := a.connect(ctx)
	if err != nil {
		return err
	}
	if !a.agreed() && !a.fleeting(c) && a.flags.auth != authEnv && a.interactive() {
		if a.flags.remember, err = a.yes(ctx, "Remember this sign-in on this machine?"); err != nil {
			return err
		}
	}
	s, answers, err := a.session(ctx, c, true)
	if err != nil {
		return err
	}
	if _, err := a.signIn(ctx, c, s, answers); err != nil {
		return err
	}
	if err := a.printAccount(ctx, s); err != nil {
		return err
	}
	return a.tellKept(c)
}

// tellKept says what became of the sign-in.
func (a *app) tellKept(c *connection) error {
	switch {
	case a.flags.auth == authEnv:
		a.remark("The sign-in of an app is not remembered: its credentials are there every time.")
	case c.sessions == nil && a.fleeting(c):
		a.remark("The sign-in is not remembered: this rehearsal ends here. Name a --state-dir to rehearse that too.")
	case c.sessions == nil:
		a.remark("The sign-in is not remembered: with --remember it is kept, encrypted, for later commands.")
	case c.sessions.Err() != nil:
		return &exitError{code: exitFailed} // why is said at the end
	case c.sessions.Keeping() == msclient.UnderPassphrase:
		a.remark("The sign-in is remembered: %s. Later commands take that from %s, or ask for it; 'msbundle logout' forgets the sign-in.", howKept(c.sessions), passphraseVar)
	default:
		a.remark("The sign-in is remembered: %s. 'msbundle logout' forgets both.", howKept(c.sessions))
	}
	return nil
}

func (a *app) whoamiCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "whoami",
		Short: "Show the remembered account and its tenant",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.connect(cmd.Context())
			if err != nil {
				return err
			}
			s, answers, err := a.session(cmd.Context(), c, false)
			if err != nil {
				return err
			}
			if _, ok, err := s.Restore(cmd.Context(), answers); err != nil {
				return &exitError{signInExit(err), err}
			} else if !ok {
				if c.sessions == nil && a.remembered(c).Kept() != msclient.NotKept {
					return &exitError{exitNoSignIn, errors.New("the remembered sign-in could not be opened")} // why was told
				}
				return &exitError{exitNoSignIn, errors.New("nobody is signed in; run 'msbundle login --remember'")}
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
			return a.logout(c)
		},
	}
}

func (a *app) logout(c *connection) error {
	s := a.remembered(c)
	also := ""
	if s.Kept() == msclient.InKeyring && a.keyring() != nil {
		also = ", and its key in this machine's keyring"
	}
	was, err := s.Remove(a.keyring())
	switch {
	case errors.Is(err, msclient.ErrKeyring) && s.Kept() == msclient.NotKept:
		return &exitError{exitFailed, fmt.Errorf("the remembered sign-in is forgotten, but its key, which opens nothing any more, is still in the keyring: %w", err)}
	case err != nil:
		return &exitError{exitFailed, fmt.Errorf("the remembered sign-in could not be removed: %w; delete the folder yourself", err)}
	case was:
		a.remark("The remembered sign-in is forgotten on this machine: what was in %s is deleted%s. It can be ended everywhere in the Entra admin center (Users, Revoke sessions).", s.Dir(), also)
	default:
		a.remark("No sign-in was remembered.")
	}
	if a.flags.json {
		return a.printJSON(map[string]any{"schema": logoutSchema, "forgotten": was})
	}
	return nil
}

// session prepares a sign-in that serves the commands after it too; anew does
// without a remembered one. An app can only look.
func (a *app) session(ctx context.Context, c *connection, anew bool) (*steps.Setup, state.Answers, error) {
	answers := state.DefaultAnswers()
	answers.Tenant, answers.Account = a.flags.tenant, a.flags.account
	s, err := a.setup(ctx, c, purpose{reads: a.flags.auth == authEnv, account: true, anew: anew})
	return s, answers, err
}

func (a *app) printAccount(ctx context.Context, s *steps.Setup) error {
	f, err := s.WhoAmI(ctx)
	if err != nil {
		return err
	}
	kind, mfa := "member", "with multifactor authentication"
	switch {
	case f.Account.App:
		kind, mfa = "app", "by itself"
	case f.Account.Guest:
		kind = "guest"
	}
	if !f.Account.MFA && !f.Account.App {
		mfa = "without multifactor authentication"
	}
	if a.flags.json {
		return a.printJSON(map[string]any{
			"schema": whoSchema, "account": f.Account.Username, "id": f.Account.ObjectID, "type": kind, "mfa": f.Account.MFA,
			"tenant": f.Org.ID, "tenantName": f.Org.Name, "domain": f.Org.DefaultDomain, "roles": append([]string{}, f.RoleIDs...),
		})
	}
	_, err = fmt.Fprintf(a.Out, "%s, a %s of %s (%s, %s), signed in %s\n",
		plain(f.Account.Username), kind, plain(f.Org.Name), plain(f.Org.DefaultDomain), f.Org.ID, mfa)
	return err
}
