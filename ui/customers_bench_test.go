package ui

import (
	"fmt"
	"testing"

	"msbundle/state"
	"msbundle/steps"
)

// BenchmarkCustomers presses one key and draws, among ten thousand customers and as
// many organisations.
func BenchmarkCustomers(b *testing.B) {
	f := newFake()
	f.clients.rows = clientRows(10_000)
	var list []state.Organization
	for i := range 10_000 {
		list = append(list, state.Organization{Name: fmt.Sprintf("Organisation %05d", i), Domain: fmt.Sprintf("customer%d.example", i)})
	}
	w := newWizard(b.Context(), Config{Setup: f, Answers: state.DefaultAnswers(), Now: epochNow})
	w.enter(steps.StageCustomers)
	account := fakeAccount()
	w.account = &account
	c, err := f.LookClientele(b.Context(), w.asked(), nil)
	if err != nil {
		b.Fatal(err)
	}
	w.clients = newClients(&foundClients{clientele: c, organizations: list, mapping: steps.MatchCustomers(c.Rows, list, state.Mapping{})})
	for i := range c.Rows {
		w.clients.seen(c.Rows[i].TenantID, shieldFor(steps.Shade(1+i%4), epoch))
	}
	frame := Frame{Width: 116, Height: 35, Theme: newTheme(true, true)}
	page := newCustomers(w).(*customers)
	press := func(keys ...string) {
		for _, k := range keys {
			page.Update(keyPress(k))
			page.View(frame)
		}
	}
	for _, bench := range []struct {
		name         string
		before, keys []string
	}{
		{"down", nil, []string{"down"}},
		{"end", nil, []string{"end", "home"}},
		{"choose", nil, []string{"space"}},
		{"accept", nil, []string{"n", "u", "a"}},
		{"filter", []string{"/"}, []string{"7", "backspace"}},
		{"picker", []string{"esc", "m"}, []string{"7", "backspace"}},
		{"link", nil, []string{"tab"}},
		{"state", []string{"esc", "v", "end", "up", "up"}, []string{"enter", "v"}},
	} {
		press(bench.before...)
		b.Run(bench.name, func(b *testing.B) {
			for b.Loop() {
				press(bench.keys...)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(len(bench.keys)), "µs/key")
		})
	}
}
