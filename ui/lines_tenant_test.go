package ui

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"msbundle/catalog"
	"msbundle/steps"
)

// Only the whole word yes lets anything be written.
func TestLinesOnlyYesWrites(t *testing.T) {
	for _, word := range []string{"", "y", "Y", "YES", "Yes", "yes please", "yess", "no", "ja", "1", "ok", "apply"} {
		talking(t, nil, func(x *talk) {
			x.toPlan()
			x.types("", word)
			x.hears("Declined. Nothing was written.", "Press Enter to apply it")
			x.types("quit")
			x.leaves(Declined)
			if len(x.f.applied) > 0 {
				t.Errorf("%q let it be written", word)
			}
		})
	}
	talking(t, nil, func(x *talk) { // somebody who thinks again
		x.toPlan()
		x.types("", "no", "", "back", "", "yes", "yes", "")
		x.leaves(Done)
	})
}

func TestLinesPlan(t *testing.T) {
	talking(t, func(f *fake, _ *Config, _ *Console) {
		f.findings.App = narrowApp()
	}, func(x *talk) {
		x.toPlan()
		x.hears("Offers, only if you tick them:", "Offer 1, not taken:")
		x.types("show 1")
		x.hears("Why:", "Risk:", "Method: PATCH", "Path: /v1.0/applications/", "Body:", `"requiredResourceAccess"`, "As it is now:")
		x.types("tick 1")
		x.hears("Offer 1, taken:")
		x.types("tick 1")
		x.hears("Offer 1, not taken:")
		x.types("list")
		x.hears("1. Change app registration")
		x.types("tick 9")
		x.hears("not understood")
	})
	talking(t, func(f *fake, _ *Config, _ *Console) { // nothing to change: nothing to agree to
		f.result = fakeResult()
	}, func(x *talk) {
		x.types("1", "", "2", "", "", "", "", "", "", "yes", "")
		x.hears("Nothing is written for the connector", "Press Enter to read back and prove it")
		x.types("")
		x.hears("Nothing to write; reading back what is there.", "Authorised.")
	})
}

func narrowApp() *steps.Application {
	return &steps.Application{
		AppSummary: steps.AppSummary{AppID: "cccccccc-0000-0000-0000-000000000001", Name: "Rewst Integration", ObjectID: "ffffffff-0000-0000-0000-000000000001", Ours: true},
		Raw:        []byte(`{"web": {"redirectUris": []}}`),
		Required:   []steps.RequiredAccess{{ResourceAppID: "00000003-0000-0000-c000-000000000000", Access: []steps.ResourceAccess{{ID: "99999999-0000-0000-0000-000000000001", Type: "Scope"}}}},
	}
}

func TestLinesSameName(t *testing.T) {
	same := func(f *fake, _ *Config, _ *Console) { f.findings.SameName = sameNamed() }
	talking(t, same, func(x *talk) {
		x.toSignIn()
		x.hears("Failed: App registration.", "Press Enter to decide about the app")
		x.types("")
		x.hears("2 apps are called Rewst Integration already.", "1. Use the app Rewst Integration: made on 1 Jul 2025, not made by this program, 2 client secrets, client id cccccccc-0000-0000-0000-000000000001.",
			"3. Give the new app another name.", "4. Stop here.")
		x.types("2")
		x.hears("Looking at the tenant.", "Press Enter to see the plan")
		if got := x.l.w.answers.Registration.AppID; got != "cccccccc-0000-0000-0000-000000000002" {
			t.Errorf("uses %q", got)
		}
	})
	talking(t, same, func(x *talk) {
		x.toSignIn()
		x.types("", "back", "apps", "3", "", "Fabrikam automation")
		x.hears("Press Enter to see the plan")
		if got := x.l.w.answers.Registration.Name; got != "Fabrikam automation" {
			t.Errorf("called %q", got)
		}
	})
	talking(t, same, func(x *talk) {
		x.toSignIn()
		x.types("", "4")
		x.leaves(Left)
		x.hears("Nothing was changed.")
	})
}

func TestLinesPreflight(t *testing.T) {
	talking(t, func(f *fake, c *Config, _ *Console) { // what the plan can mend is taken into it by number
		everything(&c.Answers)
		f.findings.App = narrowApp()
		f.findings.App.Required[0].ResourceAppID = catalog.LookAlikes()[0].AppID
	}, func(x *talk) {
		x.toPermissions()
		x.types("2", "", "", "", "", "yes")
		x.hears("The plan can do it: type fix 1.")
		x.types("fix 2")
		x.hears("not understood")
		x.types("fix 1")
		x.hears("The plan has it:")
		x.types("")
		x.hears(", taken:")
		x.types("back", "fix 1")
		x.hears("Left out of the plan:")
	})
	talking(t, func(f *fake, _ *Config, _ *Console) { f.findings.RoleIDs = nil }, func(x *talk) {
		x.toSignIn()
		x.hears("Failed: Directory roles.", "Mend that first.")
		x.types("")
		x.hears("Failed: Directory roles.") // looked again
		x.types("account")
		x.hears("Sign in, step 5 of 9.", "Enter this code: NEW000002")
		if n := len(x.f.signIns); n != 2 {
			t.Errorf("signed in %d times, want 2", n)
		}
	})
	talking(t, func(f *fake, _ *Config, _ *Console) { f.inspect = make(chan error) }, func(x *talk) {
		x.toSignIn()
		x.pass(15 * time.Second)
		x.hears("Still looking at the tenant, 15 seconds so far.")
		x.f.inspect <- errors.New("the network is gone")
		synctest.Wait()
		x.hears("Problem:", "Press Enter to look again")
		x.types("")
		x.f.inspect <- nil
		synctest.Wait()
		x.hears("checks passed")
	})
}

func TestLinesApply(t *testing.T) {
	wait := &steps.Wait{For: "what was just made to be known everywhere", Usual: "a few seconds", Since: epoch, Then: "it is tried again"}
	talking(t, func(f *fake, _ *Config, _ *Console) {
		f.step = make(chan struct{})
		f.events = []steps.Event{
			{Kind: steps.EventStarted, Changes: []string{"a", "b"}, Text: "Grant User.Read"},
			{Kind: steps.EventWaiting, Wait: wait},
			{Kind: steps.EventWaiting, Wait: wait},
			{Kind: steps.EventDone},
			{Kind: steps.EventNote, Text: "left out: one"},
			{Kind: steps.EventProof, Proof: 1, Of: 3},
		}
		f.applyErr = &steps.Problem{What: "creating the secret did not work", Do: "Ask the administrator", RequestID: "11111111-aaaa"}
	}, func(x *talk) {
		x.toApply()
		x.hears("Apply, step 8 of 9.", "ctrl+c stops after the write in flight")
		step := func() { x.heard = len(x.all()); x.f.step <- struct{}{}; synctest.Wait() }
		step()
		x.pass(15 * time.Second)
		x.hears("Still writing: Grant User.Read and 1 more. Since the beginning: 15 seconds.")
		step()
		x.hears("Waiting for what was just made to be known everywhere. It usually takes a few seconds; then it is tried again.")
		step()
		if got := x.last(); got != "" {
			t.Errorf("said twice: %q", got)
		}
		x.pass(15 * time.Second)
		x.hears("Still waiting for what was just made to be known everywhere, 30 seconds so far.")
		step()
		x.hears("Done:")
		step()
		x.hears("left out: one.")
		step()
		x.hears("Read back and right: 1 of 3.", "Problem: Creating the secret did not work.", "Request id for Microsoft's support: 11111111-aaaa", "Press Enter to look at the tenant again and do the rest")
		x.types("back")
		x.hears("There is no way back from here.")
		x.types("quit")
		x.leaves(Partial)
		if n := len(x.f.applied); n != 1 {
			t.Errorf("applied %d times after one yes", n)
		}
	})
}

// What failed is looked at again and planned anew; before that there is no way
// back to the questions.
func TestLinesRest(t *testing.T) {
	talking(t, func(f *fake, _ *Config, _ *Console) { f.applyErr = errors.New("lost") }, func(x *talk) {
		x.toApply()
		x.f.mu.Lock()
		x.f.applyErr = nil
		x.f.mu.Unlock()
		x.types("")
		x.hears("Preflight, step 6 of 9.", "Press Enter to see the plan")
		x.types("back")
		x.hears("There is no way back from here.")
		x.types("", "", "yes", "yes", "")
		x.leaves(Done)
	})
}

// Interrupted in the middle of the changes, it waits for the write in flight and
// says what stays; at a question it ends at once.
func TestLinesInterrupted(t *testing.T) {
	talking(t, func(f *fake, _ *Config, _ *Console) { f.step = make(chan struct{}) }, func(x *talk) {
		x.toApply()
		x.f.step <- struct{}{}
		synctest.Wait()
		x.heard = len(x.all())
		x.stop()
		synctest.Wait()
		x.leaves(Interrupted)
		x.hears("Finishing the write in flight", "What was done is kept.")
	})
	talking(t, nil, func(x *talk) {
		x.toPlan()
		x.types("")
		x.stop()
		synctest.Wait()
		x.leaves(Left)
		if len(x.f.applied) > 0 {
			t.Error("it was applied")
		}
	})
}

// The end of the input declines wherever it comes, and never shows the secret.
func TestLinesEndOfInput(t *testing.T) {
	answers := []string{"1", "", "", "", "", "", "", "", "", "", "", "yes", "", "", "yes", "yes"}
	for n := range answers {
		for _, keyboard := range []bool{true, false} {
			talking(t, func(_ *fake, _ *Config, con *Console) { con.Keyboard = keyboard }, func(x *talk) {
				x.types(answers[:n]...)
				close(x.in)
				synctest.Wait()
				x.leaves(Declined)
				yes := n > slices.Index(answers, "yes")+3
				if applied := len(x.f.applied) > 0; applied != yes {
					t.Errorf("after %d answers: applied %v, want %v", n, applied, yes)
				}
				x.heard = 0
				x.misses(fakeSafe)
				if yes {
					x.hears("The client secret was neither shown nor copied. The next run replaces it.")
				}
			})
		}
	}
}

func TestLinesSecret(t *testing.T) {
	talking(t, nil, func(x *talk) {
		x.toApply()
		x.types("no")
		x.hears("Leave without the client secret?", "the next run removes it and makes a new one")
		x.types("no")
		x.hears("Show the client secret now?")
		x.types("back")
		x.hears("There is no way back from here.")
		x.types("quit")
		x.hears("Leave without the client secret?")
		x.misses(fakeSafe)
		x.types("yes")
		x.hears("The next run replaces it.")
		x.leaves(Done)
		if x.f.delivered > 0 {
			t.Error("a delivery was noted")
		}
	})
	talking(t, func(f *fake, _ *Config, _ *Console) {
		f.result = fakeResult()
		f.result.Integrations[1].Authorized, f.result.Integrations[1].Missing = false, []string{"csp:user_impersonation/delegated"}
	}, func(x *talk) {
		x.toApply()
		x.hears("Not everything is authorised.", "Microsoft CSP: incomplete, 1 of 1 permission.", "Missing: csp:user_impersonation/delegated.")
		x.types("yes")
		x.hears("Press Enter to finish, or type start for the beginning, next for the service account, again to look at the tenant again:")
		x.types("again")
		x.hears("Preflight, step 6 of 9.")
		x.types("", "", "yes", "yes", "")
		x.leaves(Partial)
	})
}
