package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"msbundle/sandbox"
)

func TestUndoEndedAtEveryWrite(t *testing.T) {
	t.Parallel()
	for scenario, least := range map[string]int{"happy": 2, "adopt": 6} {
		t.Run(scenario, func(t *testing.T) {
			t.Parallel()
			for n := 1; ; n++ {
				more := false
				for _, when := range sides(n) {
					synctest.Test(t, func(t *testing.T) {
						w := rehearsalOf(t, sandbox.Options{Scenario: scenario, Delays: sandbox.DelaysRealistic, Seed: int64(n)})
						start := w.settled()
						args := []string{"apply", "-f", ownedCSP, "--yes", "--secret-out", filepath.Join(t.TempDir(), "s")}
						if scenario == "adopt" {
							args[2] = w.adopting("stock")
							args = append(args, "--take", "swap-look-alike,remove-extras")
						}
						w.untilDone(args...)
						more = w.endedAt(n, when, "undo", "--yes") || more
						w.endedAt(1, when, "undo", "--yes") // and so does the one that takes it up
						w.undone(start, fmt.Sprintf("ended %s write %d", when, n))
					})
				}
				if !more {
					if n <= least {
						t.Errorf("only %d writes were ended; undoing has more", n-1)
					}
					return
				}
			}
		})
	}
}

func TestUndoOfAnApplyEndedAtEveryWrite(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		more := false
		for _, when := range sides(n) {
			synctest.Test(t, func(t *testing.T) {
				w := rehearsalOf(t, sandbox.Options{Delays: sandbox.DelaysRealistic, Seed: int64(n)})
				start := w.settled()
				more = w.endedAt(n, when, "apply", "-f", ownedCSP, "--yes", "--secret-out", filepath.Join(t.TempDir(), "s")) || more
				w.undone(start, fmt.Sprintf("ended %s write %d", when, n))
			})
		}
		if !more {
			if n < 10 {
				t.Errorf("only %d writes were ended; the setup has more", n-1)
			}
			return
		}
	}
}

// endedAt starts a run and ends it at its nth write. It reports whether it had so
// many.
func (w *world) endedAt(n int, when string, args ...string) bool {
	w.t.Helper()
	faults, err := sandbox.ParseFaults(fmt.Appendf(nil, `[{"match": {}, "nth": %d, "when": %q, "do": "hang"}]`, n, when))
	if err != nil {
		w.t.Fatal(err)
	}
	w.cloud.SetFaults(faults)
	defer w.cloud.SetFaults(nil)
	return w.runUntilHeld(w.outerWrites()+n, args...)
}

// undone undoes, and again when every replica agrees, and holds the tenant against
// the one from before.
func (w *world) undone(start sandbox.TenantDigest, what string) {
	w.t.Helper()
	w.run("undo", "--yes").must(w.t, exitDone)
	time.Sleep(time.Hour)
	before := len(w.writes())
	w.run("undo", "--yes").must(w.t, exitDone)
	if got := w.writes()[before:]; len(got) > 0 {
		w.t.Errorf("%s: once more undone, it wrote: %v", what, got)
	}
	if diff := cmp.Diff(start, w.settled()); diff != "" {
		w.t.Errorf("%s: the tenant differs from the start (-start +undone):\n%s", what, diff)
	}
}

func TestUndoThroughFaults(t *testing.T) {
	t.Parallel()
	for seed := range int64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := rehearsalOf(t, sandbox.Options{Scenario: "adopt", Seed: seed})
				w.checked()
				start := w.settled()
				w.run("apply", "-f", w.adopting("stock"), "--yes", "--take", "remove-extras", "--secret-out", filepath.Join(t.TempDir(), "s")).must(t, exitDone)
				w.cloud.SetFaults(mixed(t))
				w.untilDone("undo", "--yes", "--json")
				w.cloud.SetFaults(nil)
				if diff := cmp.Diff(start, w.settled()); diff != "" {
					t.Errorf("the tenant differs from the start (-start +undone):\n%s", diff)
				}
			})
		})
	}
}

func TestUndoRightAfterApply(t *testing.T) {
	t.Parallel()
	for seed := range int64(8) {
		synctest.Test(t, func(t *testing.T) {
			w := rehearsalOf(t, sandbox.Options{Delays: sandbox.DelaysRealistic, Seed: seed})
			start := w.settled()
			for range 2 {
				w.run("apply", "-f", ownedCSP, "--yes").must(t, exitDone)
				w.run("undo", "--yes").must(t, exitDone)
			}
			time.Sleep(time.Hour) // until every replica agrees
			if diff := cmp.Diff(start, w.settled()); diff != "" {
				t.Errorf("seed %d: the tenant differs from the start (-start +undone):\n%s", seed, diff)
			}
		})
	}
}

func TestUndoDoesNotWaitForWhatIsGone(t *testing.T) {
	for name, before := range map[string]func(*world){
		"answer lost": func(w *world) {
			faults, err := sandbox.ParseFaults([]byte(`[{"match": {"method": "DELETE"}, "nth": 1, "when": "after", "do": "reset"}]`))
			if err != nil {
				w.t.Fatal(err)
			}
			w.cloud.SetFaults(faults)
		},
		"deleted in the portal": func(w *world) {
			apps := object[struct {
				Value []foundID `json:"value"`
			}](w, "/applications?$filter=displayName%20eq%20'Rewst%20Integration'")
			w.elsewhere("DELETE", "/applications/"+apps.Value[0].ID, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := rehearsalOf(t, sandbox.Options{})
				start := w.settled()
				w.run("apply", "-f", ownedCSP, "--yes").must(t, exitDone)
				before(w)
				begun := time.Now()
				w.run("undo", "--yes").must(t, exitDone)
				if took := time.Since(begun); took > time.Minute {
					t.Errorf("it took %v", took)
				}
				if diff := cmp.Diff(start, w.settled()); diff != "" {
					t.Errorf("the tenant differs from the start (-start +undone):\n%s", diff)
				}
			})
		})
	}
}

func TestApplyAfterAnUndoThatWasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "adopt"})
		setup, secret := w.adopting("recommended"), filepath.Join(t.TempDir(), "s")
		w.run("apply", "-f", setup, "--yes", "--secret-out", secret).must(t, exitDone)
		w.endedAt(2, "before", "undo", "--yes") // the secret is gone, the rest is not
		w.run("apply", "-f", setup, "--yes", "--secret-out", secret+"2").must(t, exitDone)
		if _, err := os.Stat(secret + "2"); err != nil {
			t.Errorf("no secret was delivered in place of the one that was taken back: %v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{})
		start := w.settled()
		w.run("apply", "-f", ownedCSP, "--yes").must(t, exitDone)
		w.endedAt(2, "before", "undo", "--yes") // the app is gone, the API is not
		for range 2 {
			w.run("apply", "-f", ownedCSP, "--yes").must(t, exitDone)
		}
		w.run("undo", "--yes").must(t, exitDone)
		if diff := cmp.Diff(start, w.settled()); diff != "" {
			t.Errorf("the tenant differs from the start (-start +undone):\n%s", diff)
		}
	})
}

func TestWhatALostAnswerGrantedIsTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{})
		faults, err := sandbox.ParseFaults([]byte(`[{"match": {"path": "appRoleAssignedTo"}, "nth": 1, "when": "after", "do": "reset"}]`))
		if err != nil {
			t.Fatal(err)
		}
		w.cloud.SetFaults(faults)
		wide := w.setup("version: 1\nintegrations: [graph]\npermissions: {base: minimum, add: [Group.Read.All/application]}\n")
		narrow := w.setup("version: 1\nintegrations: [graph]\npermissions: {base: minimum}\n")
		w.run("apply", "-f", wide, "--yes").must(t, exitDone)
		w.cloud.SetFaults(nil)
		w.run("apply", "-f", narrow, "--yes").must(t, exitDone)
		if roles := w.settled().ServicePrincipals[0].Roles["Microsoft Graph"]; slices.Contains(roles, "Group.Read.All") {
			t.Errorf("it is still there: %v", roles)
		}
	})
}

func TestApplyAfterUndo(t *testing.T) {
	t.Parallel()
	want := undisturbed(t)
	for _, delays := range []string{sandbox.DelaysNone, sandbox.DelaysRealistic} {
		synctest.Test(t, func(t *testing.T) {
			w := rehearsalOf(t, sandbox.Options{Delays: delays})
			secret := filepath.Join(t.TempDir(), "s")
			start := w.settled()
			for round := range 2 {
				name := fmt.Sprint(secret, round)
				w.untilDone("apply", "-f", ownedCSP, "--yes", "--secret-out", name)
				if _, err := os.Stat(name); err != nil {
					t.Errorf("%s, round %d: no secret was delivered: %v", delays, round, err)
				}
				if got := w.cloud.Digest(); got.SHA256 != want.SHA256 {
					t.Errorf("%s, round %d: the tenant differs:\n%s", delays, round, cmp.Diff(want.Tenants["Contoso"], got.Tenants["Contoso"]))
				}
				w.untilDone("undo", "--yes")
			}
			time.Sleep(time.Hour)
			if diff := cmp.Diff(start, w.settled()); diff != "" {
				t.Errorf("%s: the tenant differs from the start (-start +undone):\n%s", delays, diff)
			}
		})
	}
}
