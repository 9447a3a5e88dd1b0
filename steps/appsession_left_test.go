package steps

import (
	"net/http"
	"testing"
	"testing/synctest"

	"msbundle/msclient"
	"msbundle/sandbox"
)

// A client secret of an ended run is closed by what the journal knows, though the read
// does not show it: it may come from before the secret was made, or somebody removed
// it, which is told by trying.
func TestSecretsTheReadDoesNotShow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := clienteleOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
		s := w.run()
		c, _ := w.look(t.Context(), s)
		if err := s.OpenApp(t.Context(), c.App, ApplyOptions{}); err != nil {
			t.Fatal(whole(err))
		}
		app := c.Findings.App
		if list := s.leftOfSignIn(app, nil); len(list) != 1 || list[0].KeyID != s.appKey {
			t.Errorf("a read that does not show it: %+v", list)
		}
		if _, err := s.graph.Do(t.Context(), msclient.Request{
			Method: http.MethodPost, Path: applications + "/" + app.ObjectID + "/removePassword", Body: map[string]string{"keyId": s.appKey},
		}); err != nil {
			t.Fatal(whole(err))
		}
		next := w.run()
		c, _ = w.look(t.Context(), next)
		if len(c.App.Left.Changes) != 2 {
			t.Errorf("left: %+v", c.App.Left.Changes)
		}
		if err := next.CloseApp(t.Context(), c.App, ApplyOptions{}); err != nil {
			t.Error(whole(err))
		}
		w.closed()
		if c, _ = w.look(t.Context(), w.run()); !c.App.Left.Empty() {
			t.Errorf("once more: %+v", c.App.Left.Changes)
		}
	})
}
