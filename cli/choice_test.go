package cli

import (
	"strings"
	"testing"
	"testing/synctest"

	"msbundle/sandbox"
)

// Who changes what the app is to have hears which customers still have what was chosen
// before, and sees it in the list, until they are looked at again.
func TestCustomersOfAnEarlierChoice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
		w.run("apply", "-f", w.consenting("consent: all"), "--yes").must(t, exitDone)
		less, _, _ := strings.Cut(strings.Replace(consentAll, "{base: stock}", "{base: stock, remove: [TeamSettings.ReadWrite.All]}", 1), "customers:")
		file := w.setup(less)
		const words = "Last seen with what was chosen before: 3 customers."
		if r := w.run("apply", "-f", file, "--yes").must(t, exitDone); !strings.Contains(r.err, words) {
			t.Errorf("the result: %s", r.err)
		}
		if doc := decode[applyDocument](t, w.run("apply", "-f", file, "--yes", "--json").must(t, exitDone)); doc.Behind != 3 {
			t.Errorf("%d are behind", doc.Behind)
		}
		all := w.setup(less + "customers: {consent: all}\n")
		if r := w.run("customers", "-f", all).must(t, exitDone); strings.Count(r.out, "chosen anew") != 3 {
			t.Errorf("the list: %s", r.out)
		}
		w.run("apply", "-f", all, "--yes").must(t, exitDone)
		if r := w.run("apply", "-f", file, "--yes").must(t, exitDone); strings.Contains(r.err, words) {
			t.Errorf("afterwards: %s", r.err)
		}
		if r := w.run("customers", "-f", all).must(t, exitDone); strings.Contains(r.out, "chosen anew") {
			t.Errorf("afterwards the list: %s", r.out)
		}
	})
}
