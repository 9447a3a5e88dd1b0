package ui

import (
	"strings"
	"testing"
	"time"

	"msbundle/state"
	"msbundle/steps"
)

func TestPlanIsNotAppliedByAccident(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toPlan()
		s.keys("a", "enter", "esc", "space", "p")
		s.on(pagePlan)
		if len(s.f.applied) != 0 {
			t.Error("applied without being told to")
		}
		s.keys("A")
		if len(s.f.applied) != 1 {
			t.Error("not applied")
		}
	})
}

func TestApplyGoesOnBehindThePlan(t *testing.T) {
	tell(t, func(f *fake, _ *Config) { f.step = make(chan struct{}) }, func(s *story) {
		s.toApply()
		s.steps(2)
		s.keys("esc")
		s.on(pagePlan)
		s.sees("Being applied just now", "applying 1 of 8")
		s.keys("esc")
		s.on(pagePlan)
		s.steps(2)
		s.sees("applying 2 of 8")
		s.keys("A")
		s.on(pageApply)
		s.keys("p")
		s.sees("Pausing")
		s.keys("p", "esc")
		close(s.f.step)
		s.settle()
		s.on(pageResult)
		s.keys("esc")
		s.on(pageResult)
	})
}

func TestLeavingWhileApplying(t *testing.T) {
	tell(t, func(f *fake, _ *Config) { f.step = make(chan struct{}) }, func(s *story) {
		s.toApply()
		s.steps(1)
		s.keys("ctrl+c")
		s.sees("Leave while changes are being written?")
		s.keys("esc", "ctrl+c", "y")
		if !s.ended {
			t.Fatal("the program did not end")
		}
		if s.app.Outcome() != Interrupted {
			t.Errorf("got outcome %d want Interrupted", s.app.Outcome())
		}
		if !strings.Contains(s.app.Summary(), "choose Resume") {
			t.Errorf("the summary does not say how to go on:\n%s", s.app.Summary())
		}
	})
}

func TestFailedApplyIsLookedAtAgain(t *testing.T) {
	tell(t, func(f *fake, _ *Config) {
		f.applyErr = &steps.Problem{What: "granting did not work", Do: "wait", Retry: true, RequestID: "77"}
	}, func(s *story) {
		s.toApply()
		s.on(pageApply)
		s.sees("✗ Granting did not work.", "support: 77")
		s.keys("esc") // no way back to the questions: something was written
		s.on(pageApply)
		if s.app.Err() == nil || s.app.Outcome() != Partial {
			t.Errorf("got %v, outcome %d want the problem, Partial", s.app.Err(), s.app.Outcome())
		}
		s.f.applyErr = nil
		s.press(s.app.screen.(*apply).keys.Again)
		s.on(pagePreflight)
		s.keys("esc")
		s.on(pagePreflight)
		s.keys("enter", "A")
		s.on(pageResult)
	})
}

func TestResultWithAnError(t *testing.T) {
	tell(t, func(f *fake, c *Config) {
		c.Answers.Registration.Kind = state.KindConnector
		f.result = &steps.Result{Account: fakeAccount(), Integrations: []steps.IntegrationResult{{ID: "graph", Name: "Microsoft Graph", Wanted: 13}}}
		f.applyErr = &steps.Waiting{Problem: steps.Problem{What: "the connector is not in this tenant yet", Do: "authorise it in Rewst", Retry: true}}
	}, func(s *story) {
		s.toApply()
		s.on(pageResult)
		s.sees("The connector is not in this tenant yet.", "Not everything is authorised.")
		if s.app.Outcome() != Waits {
			t.Errorf("got outcome %d want Waits", s.app.Outcome())
		}
		s.press(s.app.screen.(*result).keys.Again)
		s.on(pagePreflight)
	})
}

func TestResume(t *testing.T) {
	tell(t, func(f *fake, _ *Config) {
		f.open = []steps.Unfinished{{TenantID: tenantID, Name: "Contoso", When: epoch, Left: "a client secret nobody received"}}
		f.resumed = state.DefaultAnswers()
		f.resumed.Registration.Name = "Rewst for Contoso"
	}, func(s *story) {
		s.sees("Left: a client secret nobody received")
		s.keys("enter")
		s.on(pageAuthorize)
		s.sees("Rewst for Contoso")
	})
}

func TestKeysWaitAfterAScreenChangedByItself(t *testing.T) {
	tell(t, func(_ *fake, c *Config) { c.Grace = 400 * time.Millisecond }, func(s *story) {
		s.toPreflight()
		s.keys("enter")
		s.on(pagePreflight)
		s.pass(500 * time.Millisecond)
		s.keys("enter")
		s.on(pagePlan)
	})
}

func TestTooSmall(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toIntegrations()
		for _, size := range [][2]int{{59, 24}, {80, 19}, {20, 5}, {1, 1}} {
			s.size(size[0], size[1])
			s.keys("space")
		}
		s.size(40, 12)
		s.sees("Please make the window at least 60 x 20.")
		s.size(80, 24)
		s.sees("Choose the parts of the bundle")
	})
}

func TestTypingOwnsTheKeys(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toRegistration()
		s.keys("down", "down")
		s.types(" k? jqx")
		s.sees("Rewst Integration k? jqx")
		if v := s.app.View(); v.Cursor == nil || v.Cursor.Y != 5 {
			t.Errorf("got cursor %+v want it on line 5", v.Cursor)
		}
	})
}

func TestLeavingSavesTheAnswers(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toRegistration()
		s.keys("down", "down")
		s.types(" 2")
		s.keys("ctrl+c")
		if !s.ended {
			t.Fatal("the program did not end")
		}
		if n := len(s.f.saved); n == 0 || s.f.saved[n-1].Registration.Name != "Rewst Integration 2" {
			t.Errorf("got %d saves, the last without what was typed", n)
		}
		if got := s.app.Summary(); !strings.Contains(got, "Nothing was changed.") || !strings.Contains(got, "draft.yaml") {
			t.Errorf("got summary:\n%s", got)
		}
	})
}

func TestAnswersAreSavedForTheTenant(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toApply()
		s.size(120, 40)
		s.keys("c")
		s.sees("contoso/setup.yaml", "msbundle apply -f /home/alex/")
		s.keys("ctrl+c")
		if !strings.Contains(s.app.Summary(), "Run it again: msbundle apply -f /home/alex/.local/state/msbundle/contoso/setup.yaml") {
			t.Errorf("got summary:\n%s", s.app.Summary())
		}
	})
}

func TestAnswersThatCannotBeSaved(t *testing.T) {
	tell(t, func(f *fake, _ *Config) { f.saveErr = &steps.Problem{What: "the disk is full"} }, func(s *story) {
		s.toRegistration()
		s.sees("! The answers could not be saved: the disk is full")
		s.keys("ctrl+c")
		if !s.ended {
			t.Error("the program did not end")
		}
	})
}

func TestSecondInterruptEndsAtOnce(t *testing.T) {
	tell(t, func(f *fake, _ *Config) { f.step = make(chan struct{}) }, func(s *story) {
		s.toApply()
		s.keys("ctrl+c")
		s.send(keyPress("ctrl+c")) // no longer asks, waits for the write in flight
		s.sees("Finishing the write in flight")
		s.send(keyPress("ctrl+c"))
		s.settle()
		if !s.ended {
			t.Error("the program did not end")
		}
	})
}

func TestLeavingWhilePaused(t *testing.T) {
	tell(t, func(f *fake, _ *Config) { f.step = make(chan struct{}) }, func(s *story) {
		s.toApply()
		s.steps(1)
		s.keys("p")
		s.f.step <- struct{}{} // now it stands at the gate
		s.settle()
		s.keys("ctrl+c", "y")
		if !s.ended || s.app.Outcome() != Interrupted {
			t.Errorf("got ended %v, outcome %d want the end, Interrupted", s.ended, s.app.Outcome())
		}
	})
}

func TestHelpOpensAndCloses(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toIntegrations()
		s.keys("?")
		s.sees("Keys on this screen", "choose or leave out")
		s.keys("space")
		s.misses("Keys on this screen")
		s.sees("[ ] Microsoft CSP")
	})
}

func TestLookingAtThePlanDoesNotReadAgain(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toPlan()
		s.keys("esc", "enter")
		s.on(pagePlan)
		if n := len(s.f.inspected); n != 1 {
			t.Errorf("got %d inspections want 1", n)
		}
	})
}

func TestAnotherTenantNeedsAnotherSignIn(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toPreflight()
		s.keys("esc", "esc", "esc")
		s.on(pageRegistration)
		s.keys("shift+tab")
		s.types("fabrikam.com")
		s.keys("enter", "enter")
		s.on(pageAuthorize)
		s.misses("Signed in as")
		s.keys("enter")
		s.on(pagePreflight)
		if s.f.codes != 2 || len(s.f.inspected) != 2 {
			t.Errorf("got %d sign-ins, %d inspections want 2, 2", s.f.codes, len(s.f.inspected))
		}
	})
}

func TestFailureBehindThePlanComesUp(t *testing.T) {
	tell(t, func(f *fake, _ *Config) {
		f.step, f.applyErr = make(chan struct{}), &steps.Problem{What: "granting did not work"}
	}, func(s *story) {
		s.toApply()
		s.keys("esc")
		s.on(pagePlan)
		close(s.f.step)
		s.settle()
		s.on(pageApply)
		s.sees("Granting did not work.")
		if len(s.f.applied) != 1 {
			t.Errorf("got %d applies want 1", len(s.f.applied))
		}
	})
}

func TestSummaryAfterAFailure(t *testing.T) {
	tell(t, func(f *fake, _ *Config) {
		f.applyErr = &steps.Problem{What: "granting did not work", Do: "sign in as a Global Administrator"}
	}, func(s *story) {
		s.toApply()
		if got := s.app.Summary(); !strings.Contains(got, "Granting did not work. Sign in as a Global Administrator.") {
			t.Errorf("got summary:\n%s", got)
		}
		s.keys("r")
		s.on(pagePreflight)
		if got := s.app.Summary(); s.app.Outcome() != Partial || !strings.Contains(got, "Not everything was done.") {
			t.Errorf("got outcome %d, summary:\n%s", s.app.Outcome(), got)
		}
	})
}

func TestTooMuchStopsAtAuthorize(t *testing.T) {
	tell(t, func(f *fake, _ *Config) {
		f.open = []steps.Unfinished{unfinishedContoso()}
		f.resumed = state.DefaultAnswers()
		everything(&f.resumed)
	}, func(s *story) {
		s.keys("enter")
		s.on(pageAuthorize)
		s.sees("more than Microsoft's limits allow")
		s.keys("enter")
		s.on(pageAuthorize)
	})
}

func TestUnusableAnswersAreNotSaved(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toRegistration()
		s.keys("down", "down")
		s.clear()
		n := len(s.f.saved)
		s.keys("ctrl+c")
		if !s.ended || len(s.f.saved) != n {
			t.Errorf("got ended %v, %d more saves want the end and none", s.ended, len(s.f.saved)-n)
		}
	})
}
