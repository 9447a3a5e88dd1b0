package ui

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"msbundle/steps"
)

// TestLinesFuzz types anything at all in a tenant full of nasty names. Nothing is
// written without the word at the question that asks for it, the secret is not
// shown without a yes to that, and nothing acts on a terminal.
func TestLinesFuzz(t *testing.T) {
	words := []string{
		"", "1", "2", "3", "4", "5", "99", "-1", "2 3", "yes", "y", "no", "YES", "yes ", "ye", "back", "quit", "q", "?", "help", "again",
		"account", "apps", "list", "show 1", "show", "show 999", "tick 1", "tick x", "n", "m", "m 1", "m 2", "e", "e 53003", "s", "any", "find", "find read",
		"add 1", "remove 1", "remove 2/delegated", "add User.Read.All/", "Fabrikam automation", "contoso.onmicrosoft.com", "admin@contoso.com",
		"cccccccc-0000-0000-0000-000000000001", "next", "start", "find toys", "waiting", "mail 1", "export", "export /tmp/x", "reminded 1", "insist Contoso", "consent all", "here", "look all", "accept all", "link 1 x", "retry", "result", "show 2", "none 1", "exclude", "rewst@contoso.onmicrosoft.com",
	}
	wrote, shown := 0, 0
	for seed := range uint64(24) {
		r := rand.New(rand.NewPCG(seed, 11))
		healthy := seed%3 > 0
		talking(t, func(f *fake, c *Config, con *Console) {
			if !healthy {
				spoil(r, f)
				if r.IntN(3) == 0 {
					everything(&c.Answers)
				}
			}
			con.Keyboard = r.IntN(2) == 0
			width := r.IntN(140)
			con.Columns = func() int { return width }
			c.Rehearse = func(context.Context) (Config, error) {
				return Config{Setup: f, Answers: c.Answers, Sandbox: pick(r, nasty), DevicePage: pick(r, nasty)}, nil
			}
		}, func(x *talk) {
			x.nasty = true
			defer func() { wrote, shown = wrote+x.wrote(), shown+strings.Count(x.all(), fakeSafe) }()
			begin := []func(){func() {}, x.toIntegrations, x.toPermissions, x.toAuthorize, x.toSignIn}
			if healthy {
				begin = []func(){x.toPlan, func() { x.toPlan(); x.types("") }, func() { x.types("2") }, func() { x.types("3") }, func() { x.types("4") }, func() { x.toTenantChecks() }}
			}
			pick(r, begin)()
			agreed, asked := 0, false
			for range 150 {
				text := pick(r, words)
				switch r.IntN(8) {
				case 0:
					text = pick(r, nasty)
				case 1, 2, 3: // what leads on
					text = pick(r, []string{"", "yes"})
				}
				agrees := slices.Contains([]string{"yes", "yes "}, text)
				if agrees && strings.HasSuffix(x.last(), "anything else declines:") {
					agreed++
				}
				asked = asked || (agrees || text == "YES" || text == "y") && strings.HasSuffix(x.last(), "It is shown once. Type yes or no:")
				x.answer(r)
				x.heard = len(x.all())
				select {
				case x.in <- text:
				case <-x.ended:
					return
				default:
					time.Sleep(time.Duration(r.IntN(30)) * time.Second)
				}
				synctest.Wait()
				if x.wrote() > agreed {
					t.Fatalf("seed %d: %q let something be written:\n%s", seed, text, x.all())
				}
				if !asked && (strings.Contains(x.all(), fakeSafe) || strings.Contains(x.all(), fakePassword)) {
					t.Fatalf("seed %d: %q showed the secret:\n%s", seed, text, x.all())
				}
			}
		})
	}
	if wrote < 5 || shown < 2 {
		t.Errorf("only %d conversations wrote and %d showed the secret", wrote, shown)
	}
}

// wrote counts the plans that were carried out and held a write.
func (x *talk) wrote() int {
	n := 0
	for _, p := range x.f.applied {
		if !p.Empty() {
			n++
		}
	}
	return n
}

// answer has the sign-in under way come to something, now and then.
func (x *talk) answer(r *rand.Rand) {
	done := x.f.signIn
	if x.l.doing != callSignIn {
		done = x.f.moreDone
	}
	if r.IntN(3) == 0 {
		select {
		case done <- pick(r, []error{nil, nil, errors.New(pick(r, nasty)), &steps.Problem{What: pick(r, nasty), Raw: "AADSTS53003: " + pick(r, nasty)}}):
			synctest.Wait()
		case x.f.renew <- struct{}{}:
			synctest.Wait()
		default:
		}
	}
}
