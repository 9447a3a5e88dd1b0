package state

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"msbundle/catalog"
)

// A section about the tenant that is there without a key has its defaults; one
// that is absent stays absent.
func TestTenantSectionsDefault(t *testing.T) {
	a, err := ParseAnswers("setup.yaml", []byte("version: 1\nserviceAccount: {}\nconditionalAccess: {}\nazure: {}\nexchange: {}\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := DefaultAnswers()
	want.NoApp = true
	want.ServiceAccount = &ServiceAccount{Create: true, Username: "rewst", DisplayName: "Rewst Service Account", Roles: RolesSetup, MFA: MFAAuto}
	want.ConditionalAccess = &ConditionalAccess{Policy: PolicyEnabled, Exclude: true}
	want.Azure = &Azure{ResourceGroup: "rewst", Location: "eastus", Role: "Contributor"}
	want.Exchange = &Exchange{Administrator: true}
	if diff := cmp.Diff(want, a); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	a, err = ParseAnswers("setup.yaml", []byte("version: 1\n"))
	if err != nil || a.Ready() {
		t.Errorf("a file without these sections: got %+v, %v", a, err)
	}
}

func TestTenantSectionsRoundTrip(t *testing.T) {
	for name, text := range map[string]string{
		"account":    "serviceAccount: {create: false, username: svc_rewst@contoso.com, displayName: \"Søren's bot\", roles: operate, mfa: perUser}\n",
		"access":     "serviceAccount: {}\nconditionalAccess: {policy: reportOnly, exclude: false}\n",
		"azure":      "azure: {subscription: Production, resourceGroup: rg-rewst_1, location: westeurope, vault: rewst-vault, role: leave}\n",
		"exchange":   "exchange: {administrator: false}\n",
		"everything": "serviceAccount: {roles: leave, mfa: leave}\nconditionalAccess: {}\nazure: {role: Reader}\nexchange: {}\n",
	} {
		t.Run(name, func(t *testing.T) {
			a, err := ParseAnswers("setup.yaml", []byte("version: 1\n"+text))
			if err != nil {
				t.Fatal(err)
			}
			again, err := ParseAnswers("setup.yaml", a.Encode())
			if err != nil {
				t.Fatalf("%v\n%s", err, a.Encode())
			}
			if diff := cmp.Diff(a, again); diff != "" {
				t.Errorf("(-read +read again):\n%s", diff)
			}
			changed := again.Clone()
			if changed.ServiceAccount != nil {
				changed.ServiceAccount.Username = "other"
			}
			if changed.Azure != nil {
				changed.Azure.Location = "eastus2"
			}
			if diff := cmp.Diff(a, again); diff != "" {
				t.Errorf("changing a copy changed the answers:\n%s", diff)
			}
		})
	}
}

func TestTenantSectionErrorsNameLineAndKey(t *testing.T) {
	const head = "version: 1\n"
	for _, tt := range []struct{ text, want string }{
		{"serviceAccount: true\n", "setup.yaml, line 2, serviceAccount: expected keys under it, such as create, displayName, mfa, roles, username"},
		{"serviceAccount: {create: perhaps}\n", "setup.yaml, line 2, serviceAccount.create: expected true or false"},
		{"serviceAccount: {user: x}\n", "setup.yaml, line 2, serviceAccount.user: unknown key; did you mean username?"},
		{"serviceAccount: {username: re wst}\n", `setup.yaml, line 2, serviceAccount.username: "re wst" is no user name`},
		{"serviceAccount: {username: .rewst}\n", `setup.yaml, line 2, serviceAccount.username: ".rewst" begins or ends with a dot`},
		{"serviceAccount: {username: rewst@contoso}\n", `setup.yaml, line 2, serviceAccount.username: "contoso" is no domain`},
		{"serviceAccount: {username: " + strings.Repeat("x", 65) + "}\n", "setup.yaml, line 2, serviceAccount.username: the name has 65 characters before the @; Microsoft allows 64"},
		{"serviceAccount: {displayName: \"\"}\n", "setup.yaml, line 2, serviceAccount.displayName: give the account a name"},
		{"serviceAccount: {displayName: \"a\\nb\"}\n", "setup.yaml, line 2, serviceAccount.displayName: the name holds a control character"},
		{"serviceAccount: {roles: all}\n", `setup.yaml, line 2, serviceAccount.roles: "all" is not known; use setup, operate or leave`},
		{"serviceAccount: {mfa: duo}\n", `setup.yaml, line 2, serviceAccount.mfa: "duo" is not known; use auto, conditionalAccess, perUser or leave`},
		{"serviceAccount: {password: hunter2}\n", "setup.yaml, line 2, serviceAccount.password: a setup file holds no secrets"},
		{"conditionalAccess: {}\n", "setup.yaml, line 2, conditionalAccess: the policies are about the service account; add serviceAccount:"},
		{"serviceAccount: {}\nconditionalAccess: {policy: \"on\"}\n", `setup.yaml, line 3, conditionalAccess.policy: "on" is not known; use enabled or reportOnly`},
		{"azure: {}\n", "setup.yaml, line 2, azure.role: the role is for the service account; add serviceAccount:"},
		{"azure: {role: leave, resourceGroup: \"a b\"}\n", `setup.yaml, line 2, azure.resourceGroup: "a b" is no name of a resource group`},
		{"azure: {role: leave, resourceGroup: rewst.}\n", `setup.yaml, line 2, azure.resourceGroup: "rewst." is no name`},
		{"azure: {role: leave, vault: 1abc}\n", `setup.yaml, line 2, azure.vault: "1abc" is no name of a key vault`},
		{"azure: {role: leave, vault: a--b}\n", `setup.yaml, line 2, azure.vault: "a--b" is no name of a key vault`},
		{"azure: {role: leave, vault: " + strings.Repeat("x", 25) + "}\n", "setup.yaml, line 2, azure.vault: "},
		{"azure: {role: leave, location: West Europe}\n", `setup.yaml, line 2, azure.location: "West Europe" is no Azure region`},
		{"azure: {role: God}\n", `setup.yaml, line 2, azure.role: "God" is not known; use Reader, Contributor, Owner or leave`},
		{"registration: {kind: connector}\nexchange: {}\n", "setup.yaml, line 3, exchange"},
	} {
		if _, err := ParseAnswers("setup.yaml", []byte(head+tt.text)); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%q\ngot  %v\nwant %s", tt.text, err, tt.want)
		}
	}
}

// What a file has no section about is left untouched: one about the tenant alone
// makes no app, and saved again it still makes none.
func TestNoApp(t *testing.T) {
	for text, want := range map[string]bool{
		"version: 1\nserviceAccount: {}\n":                                              true,
		"version: 1\nintegrations: [graph, csp]\ntenant: contoso.com\nexchange: {}\n":   true,
		"version: 1\nserviceAccount: {}\nregistration: {kind: owned}\n":                 false,
		"version: 1\nserviceAccount: {}\npermissions: {base: minimum}\n":                false,
		"version: 1\nintegrations: [graph]\n":                                           false,
		"version: 1\n":                                                                  false,
		"{\"version\": 1, \"serviceAccount\": {}, \"azure\": {\"role\": \"leave\"}}":    true,
		string(DefaultAnswers().Encode()):                                               false,
		"version: 1\n# registration: {}\nserviceAccount: {displayName: registration}\n": true,
		"version: 1\ngdap: {customers: all}\n":                                          true,
	} {
		a, err := ParseAnswers("setup.yaml", []byte(text))
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		again, err := ParseAnswers("setup.yaml", a.Encode())
		if err != nil || a.NoApp != want || again.NoApp != want {
			t.Errorf("%q: got %v, saved again %v (%v), want %v", text, a.NoApp, again.NoApp, err, want)
		}
	}
	if a := (Answers{NoApp: true}); !a.Blank() || DefaultAnswers().Blank() {
		t.Error("answers without any section are blank, and those with an app are not")
	}
}

// What answers leave untouched stays as it was kept.
func TestAnswersOver(t *testing.T) {
	gdap, account := DefaultGDAP(), DefaultServiceAccount()
	kept := DefaultAnswers()
	kept.Registration.Name, kept.Integrations, kept.ServiceAccount = "Kept", []string{catalog.Graph, catalog.CSP}, &account
	now := DefaultAnswers()
	now.NoApp, now.GDAP, now.Tenant = true, &gdap, "contoso.com"
	got := now.Over(kept)
	if got.NoApp || got.Registration.Name != "Kept" || !got.Has(catalog.CSP) || got.ServiceAccount == nil || got.GDAP == nil || got.Tenant != "contoso.com" {
		t.Errorf("an app that was kept: %+v", got)
	}
	if got = DefaultAnswers().Over(now); got.NoApp || got.Registration.Name == "Kept" || got.GDAP == nil {
		t.Errorf("an app that is new: %+v", got)
	}
}

// What the readme shows as a setup file is one.
func TestReadmeParses(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, block := range strings.Split(string(text), "```yaml\n")[1:] {
		file, _, _ := strings.Cut(block, "```")
		if _, err := ParseAnswers("README.md", []byte(file)); err != nil {
			t.Error(err)
		}
		n++
	}
	if n == 0 {
		t.Error("the readme shows no setup file")
	}
}
