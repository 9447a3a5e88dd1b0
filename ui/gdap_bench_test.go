package ui

import (
	"testing"
	"time"

	"msbundle/state"
	"msbundle/steps"
)

// BenchmarkGDAP presses one key and draws, in a partner's tenant of a thousand
// customers.
func BenchmarkGDAP(b *testing.B) {
	f := newFake()
	manyCustomers(1000)(f)
	w := newWizard(b.Context(), Config{Setup: f, Answers: state.DefaultAnswers(), Now: epochNow})
	w.enter(steps.StageGDAP)
	account := fakeAccount()
	w.account = &account
	found, err := f.InspectTenant(b.Context(), w.toLook(), nil)
	if err != nil {
		b.Fatal(err)
	}
	read := w.toLook()
	w.findings, w.read = found, &read
	frame := Frame{Width: 116, Height: 35, Theme: newTheme(true, true)}
	page := newGDAP(w).(*gdap)
	press := func(s Screen, keys ...string) {
		for _, k := range keys {
			s.Update(keyPress(k))
		}
	}
	b.Run("form", func(b *testing.B) {
		for b.Loop() {
			press(page, "tab")
			page.View(frame)
		}
	})
	for page.focus.item != gdapCustomers {
		press(page, "tab")
	}
	press(page, "right")
	for page.focus.item != gdapRelation {
		press(page, "tab")
	}
	b.Run("name", func(b *testing.B) {
		for b.Loop() {
			press(page, "x")
			page.View(frame)
			press(page, "backspace")
		}
	})
	for page.focus.item != gdapTable {
		press(page, "tab")
	}
	press(page, "space")
	b.Run("table", func(b *testing.B) {
		for b.Loop() {
			press(page, "down")
			page.View(frame)
		}
	})
	press(page, "a")
	if n := len(w.gdap().Customers); n != 1000 {
		b.Fatalf("%d customers are chosen", n)
	}
	b.Run("tick", func(b *testing.B) {
		for b.Loop() {
			press(page, "space")
			page.View(frame)
		}
	})
	w.findings, w.read = found, &read
	g := w.gdap()
	g.All, g.Customers = true, nil
	w.setGDAP(g)
	list := newPlan(w).(*plan)
	b.Run("plan", func(b *testing.B) {
		for b.Loop() {
			press(list, "down", "up")
			list.View(frame)
		}
	})
	b.Run("opening", func(b *testing.B) {
		for b.Loop() {
			newPlan(w)
		}
	})
}

func epochNow() time.Time { return epoch }
