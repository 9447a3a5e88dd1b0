package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/charmbracelet/x/term"

	"msbundle/msclient"
)

// passphraseVar names the environment variable with the passphrase of a
// remembered sign-in. It is no flag: arguments can be seen by every process.
const passphraseVar = "MSBUNDLE_PASSPHRASE"

// rehearsalWorkFactor makes a passphrase quick where there is nothing to protect.
const rehearsalWorkFactor = 10

// tries is how often a passphrase is asked for.
const tries = 3

// errRehearsal is why a rehearsal in this process leaves the keyring alone.
var errRehearsal = errors.New("a rehearsal in this process does not use the keyring")

// remembered is where the sign-ins of a connection are remembered.
func (a *app) remembered(c *connection) *msclient.Sessions {
	id := a.flags.cloud.ID
	if c.label != "" {
		id = "sandbox-" + c.world
	}
	return msclient.NewSessions(filepath.Join(c.stateDir, id, "sign-ins"))
}

// fleeting tells whether the state folder is gone with this process.
func (a *app) fleeting(c *connection) bool { return c.label != "" && a.flags.stateDir == "" }

// keyring is this machine's, or nil where it is to be left alone.
func (a *app) keyring() *msclient.Keyring {
	if a.flags.sandbox == inProcess {
		return nil
	}
	return msclient.SystemKeyring()
}

// howKept says where a sign-in is remembered and what protects it.
func howKept(s *msclient.Sessions) string {
	how := "under a passphrase"
	if s.Keeping() == msclient.InKeyring {
		how = "with the key in this machine's keyring"
	}
	return fmt.Sprintf("encrypted in %s, %s", s.Dir(), how)
}

func (a *app) passphrase(c *connection, word msclient.Secret) *msclient.Passphrase {
	p := &msclient.Passphrase{Word: word}
	if c.label != "" {
		p.WorkFactor = rehearsalWorkFactor
	}
	return p
}

// given is the passphrase in the environment.
func (a *app) given() msclient.Secret {
	word, _ := a.env(passphraseVar)
	return msclient.NewSecret(word)
}

// agreed tells whether the person said that a sign-in is to be remembered.
func (a *app) agreed() bool { return a.flags.remember || !a.given().IsZero() }

// sessions opens what is remembered, or prepares to remember a new sign-in. It is
// nil when this run's sign-in ends with it; what could not be used was told.
func (a *app) sessions(ctx context.Context, c *connection, p purpose) (*msclient.Sessions, error) {
	keep := a.agreed() && (p.anew || !p.account) // whoami signs nobody in
	s := a.remembered(c)
	kept := s.Kept()
	if p.anew && !keep || a.fleeting(c) || kept == msclient.NotKept && !keep {
		return nil, nil
	}
	ok, err := a.unlock(ctx, c, s, kept, keep)
	if err != nil || !ok {
		return nil, err
	}
	a.onClose(func() {
		if err := s.Err(); err != nil {
			a.remark("This run's sign-in is not remembered: %v.", err)
		}
	})
	return s, nil
}

// unlock goes down the ladder: the keyring, a passphrase in the environment, one
// that is asked for, nothing.
func (a *app) unlock(ctx context.Context, c *connection, s *msclient.Sessions, kept msclient.Keeping, keep bool) (bool, error) {
	word := a.given()
	if kept == msclient.InKeyring || kept == msclient.NotKept && word.IsZero() {
		err := a.unlockByKeyring(s, keep)
		if err == nil {
			return true, nil
		}
		a.remark("%v.", err)
		if !keep {
			a.without()
			return false, nil
		}
	}
	switch {
	case !word.IsZero():
		err := a.open(s, a.passphrase(c, word), keep)
		switch {
		case errors.Is(err, msclient.ErrPassphrase):
			return false, usage("%w; set %s to the one it was kept under, unset it to go on without the remembered sign-in, or forget that with 'msbundle logout'", err, passphraseVar)
		case err != nil && keep:
			return false, &exitError{exitFailed, err}
		case err != nil:
			a.remark("%v.", err)
			a.without()
		}
		return err == nil, nil
	case kept == msclient.UnderPassphrase && a.asks():
		return a.unlockByAsking(ctx, c, s, keep)
	case keep && a.asks():
		return a.agreeOnPassphrase(ctx, c, s)
	case keep:
		return false, usage("%s: set it to a passphrase to remember the sign-in under, or leave --remember out", passphraseVar)
	}
	a.remark("A sign-in is remembered under a passphrase: set %s to use it. This run does without.", passphraseVar)
	return false, nil
}

func (a *app) unlockByKeyring(s *msclient.Sessions, keep bool) error {
	ring := a.keyring()
	if ring == nil {
		return errRehearsal
	}
	return a.open(s, ring, keep)
}

// open opens sessions. With keep a sign-in that cannot be read makes room for a
// new one, unless a passphrase or a keyring that answers may still open it.
func (a *app) open(s *msclient.Sessions, lock msclient.Lock, keep bool) error {
	err := s.Open(lock, false)
	if err == nil || !keep || errors.Is(err, msclient.ErrPassphrase) || errors.Is(err, msclient.ErrKeyring) {
		return err
	}
	a.remark("%v. The next sign-in takes its place, and the file is kept under another name.", err)
	return s.Open(lock, true)
}

func (a *app) without() {
	a.remark("This run does without the remembered sign-in. 'msbundle login --remember' keeps a new one, 'msbundle logout' forgets it.")
}

// unlockByAsking asks for the passphrase a sign-in is remembered under.
func (a *app) unlockByAsking(ctx context.Context, c *connection, s *msclient.Sessions, keep bool) (bool, error) {
	for range tries {
		word, err := a.hidden(ctx, "Passphrase of the remembered sign-in (empty: do without it): ")
		if err != nil {
			return false, err
		}
		if word.IsZero() {
			break
		}
		switch err = a.open(s, a.passphrase(c, word), keep); {
		case err == nil:
			return true, nil
		case !errors.Is(err, msclient.ErrPassphrase):
			a.remark("%v.", err)
			a.without()
			return false, nil
		}
		a.remark("That is not the passphrase it was kept under, or the file is damaged.")
	}
	a.without()
	return false, nil
}

// agreeOnPassphrase asks for a passphrase to remember a sign-in under.
func (a *app) agreeOnPassphrase(ctx context.Context, c *connection, s *msclient.Sessions) (bool, error) {
	for range tries {
		word, err := a.hidden(ctx, "Passphrase to remember the sign-in under (empty: do not remember it): ")
		if err != nil {
			return false, err
		}
		if word.IsZero() {
			break
		}
		again, err := a.hidden(ctx, "The same again: ")
		if err != nil {
			return false, err
		}
		if again.Reveal() == word.Reveal() {
			if err := s.Open(a.passphrase(c, word), true); err != nil {
				return false, &exitError{exitFailed, err}
			}
			return true, nil
		}
		a.remark("The two are not the same.")
	}
	return false, nil
}

// asks tells whether a person sits at a terminal and may be asked.
func (a *app) asks() bool { return !a.flags.noInput && isTerminal(a.In) }

// hidden asks for a word that does not show while it is typed. The end of input
// is an empty one.
func (a *app) hidden(ctx context.Context, question string) (msclient.Secret, error) {
	in := a.In.(*os.File).Fd()
	before, err := term.GetState(in)
	if err != nil {
		return msclient.Secret{}, err
	}
	fmt.Fprint(a.Err, question)
	word, err := typed(ctx, func() (string, error) {
		word, err := term.ReadPassword(in)
		return string(word), err
	})
	if ctx.Err() != nil {
		_ = term.Restore(in, before) // what is typed next is to show again
	}
	fmt.Fprintln(a.Err)
	return msclient.NewSecret(word), err
}

// yes asks a question that the end of input answers with no.
func (a *app) yes(ctx context.Context, question string) (bool, error) {
	fmt.Fprintf(a.Err, "%s [y/N] ", question)
	word, err := typed(ctx, func() (string, error) {
		var line []byte
		for b := make([]byte, 1); ; {
			// What follows the line is for others to read.
			if n, err := a.In.Read(b); n == 0 || b[0] == '\n' {
				return string(line), err
			}
			line = append(line, b[0])
		}
	})
	word = strings.ToLower(strings.TrimSpace(word))
	return word == "y" || word == "yes", err
}

// typed waits for what a person types; the end of input is nothing. Reading cannot
// be given up, but need not be waited for. No reader stays behind, as line's does:
// it would take the passphrase away.
func typed(ctx context.Context, read func() (string, error)) (string, error) {
	type answer struct {
		text string
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		text, err := read()
		if errors.Is(err, io.EOF) {
			err = nil
		}
		answers <- answer{text, err}
	}()
	select {
	case got := <-answers:
		return got.text, got.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
