package state

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// Forms of secrets; none of them was ever one.
const (
	fakeSecret = "abc8Q~0123456789012345678901234567canary"
	fakeToken  = "eyJhbGciOiJub25lIn0.eyJjYW5hcnkiOiJjYW5hcnkifQ.canary"
)

func TestSetupFileErrorsNameLineAndKey(t *testing.T) {
	const head = "version: 1\n"
	name := func(s string) string { return head + "registration:\n  name: " + s + "\n" }
	for _, tt := range []struct{ name, text, want string }{
		{"empty", "", "setup.yaml: the file is empty; begin with version: 1"},
		{"only remarks", "# later\n", "setup.yaml: the file is empty; begin with version: 1"},
		{"only a separator", "---\n", "setup.yaml, line 2: expected keys such as version: and registration: at the top"},
		{"a list", "- version: 1\n", "setup.yaml, line 1: expected keys such as version: and registration: at the top"},
		{"two documents", head + "---\n" + head, "setup.yaml, line 2: the file holds more than one YAML document; keep one"},
		{"second document broken", head + "---\n[", "setup.yaml: the file holds more than one YAML document; keep one"},

		{"bad indentation", head + "registration:\n  kind: owned\n name: x\n", "setup.yaml, line 4: this is not YAML: did not find expected key"},
		{"open bracket", head + "integrations: [graph\nregion: us\n", "setup.yaml, line 2: this is not YAML: did not find expected ',' or ']'"},
		{"open brace at once", "{", "setup.yaml, line 1: this is not YAML: did not find expected node content"},
		{"tab", head + "registration:\n\tname: x\n", "setup.yaml, line 3: this is not YAML: found character that cannot start any token"},
		{"colon forgotten", head + "region us\nprofile: rewst\n", "setup.yaml, line 2: this is not YAML: could not find expected ':'"},
		{"two colons on line one", "version: 1: 2\n", "setup.yaml, line 1: this is not YAML: mapping values are not allowed in this context"},
		{"alias of nothing", head + "region: *hunter2\n", "setup.yaml, line 2: this is not YAML: put texts that begin with * in quotes"},
		{"other encoding", head + "region: \xfcs\n", "setup.yaml, line 2: this is not UTF-8 text; save the file as UTF-8"},
		{"UTF-16", "\xff\xfev\x00e\x00", "setup.yaml, line 1: this is not UTF-8 text; save the file as UTF-8"},
		{"raw control character", head + "region: u\x1bs\n", "setup.yaml, line 2: this is not YAML: control characters are not allowed"},

		{"version missing", "region: us\n", "setup.yaml, line 1, version: missing; add version: 1 at the top"},
		{"version newer", "region: us\nversion: 2\nfuture: yes\n", "setup.yaml, line 2, version: this file is version 2 and this program reads up to 1; use a newer msbundle"},
		{"version no number", "version: one\n", `setup.yaml, line 1, version: "one" is not a version; use version: 1`},
		{"version zero", "version: 0\n", `setup.yaml, line 1, version: "0" is not a version; use version: 1`},
		{"version a list", "version: [1]\n", `setup.yaml, line 1, version: "" is not a version; use version: 1`},

		{"unknown key, near", head + "regoin: us\n", "setup.yaml, line 2, regoin: unknown key; did you mean region?"},
		{"unknown key, case", head + "Region: us\n", "setup.yaml, line 2, Region: unknown key; did you mean region?"},
		{"unknown key, below", head + "registration:\n  kind: owned\n  appid: x\n", "setup.yaml, line 4, registration.appid: unknown key; did you mean appId?"},
		{"unknown key, far", head + "permissions:\n  everything: true\n", "setup.yaml, line 3, permissions.everything: unknown key; known here: add, base, remove"},
		{"key that is no word", head + "? [a, b]\n: c\n", "setup.yaml, line 2: unknown key; known here: account, azure"},
		{"merge key", head + "<<: {region: us}\n", "setup.yaml, line 2, <<: unknown key"},
		{"key twice", head + "region: us\nprofile: rewst\nregion: uk\n", "setup.yaml, line 4, region: this key stands here twice; keep one"},
		{"key twice, below", name("A\n  name: B"), "setup.yaml, line 4, registration.name: this key stands here twice; keep one"},
		{"version twice", head + "version: 1\n", "setup.yaml, line 2, version: this key stands here twice; keep one"},

		{"text wanted, list given", head + "region: [us]\n", "setup.yaml, line 2, region: expected a text"},
		{"text wanted, nothing given", head + "region:\n", "setup.yaml, line 2, region: expected a text"},
		{"text wanted, alias given", head + "region: &r us\ntenant: *r\n", "setup.yaml, line 3, tenant: expected a text"},
		{"list wanted, text given", head + "integrations: graph\n", "setup.yaml, line 2, integrations: expected a list, for example [graph, csp]"},
		{"list of lists", head + "integrations:\n  - graph\n  - [csp]\n", "setup.yaml, line 4, integrations: expected a list of texts"},
		{"list with nothing", head + "permissions:\n  add: [User.Read, ]\n  remove: [~]\n", "setup.yaml, line 4, permissions.remove: expected a list of texts"},
		{"keys wanted, text given", head + "registration: owned\n", "setup.yaml, line 2, registration: expected keys under it, such as appId, audience, kind, name"},
		{"keys wanted, nothing given", head + "permissions:\n", "setup.yaml, line 2, permissions: expected keys under it, such as add, base, remove"},

		{"region unknown", head + "region: fr\n", `setup.yaml, line 2, region: "fr" is not known; use us, uk, de or au`},
		{"profile unknown", head + "profile: other\n", `setup.yaml, line 2, profile: "other" is not known; use rewst`},
		{"integration unknown", head + "integrations: [graph, teams]\n", `setup.yaml, line 2, integrations: "teams" is not known; use graph, exchange, csp, azure or subscriptions`},
		{"integration twice", head + "integrations: [csp, csp]\n", `setup.yaml, line 2, integrations: "csp" is listed twice`},
		{"base unknown", head + "permissions: {base: optional}\n", `setup.yaml, line 2, permissions.base: "optional" is not known; use minimum, recommended or stock`},
		{"kind unknown", head + "registration:\n  kind: mine\n", `setup.yaml, line 3, registration.kind: "mine" is not known; use owned or connector`},
		{"audience unknown", head + "registration: {audience: all}\n", `setup.yaml, line 2, registration.audience: "all" is not known; use multitenant or single`},
		{"single audience with CSP", head + "integrations: [csp]\nregistration:\n  audience: single\n", "setup.yaml, line 4, registration.audience: Microsoft CSP acts in customer tenants and needs a multitenant app"},
		{"connector with app", head + "registration:\n  kind: connector\n  appId: 00000000-0000-0000-0000-000000000001\n", "setup.yaml, line 4, registration.appId: the vendor's connector is not an app of yours"},
		{"app id no id", head + "registration: {appId: my-app}\n", "setup.yaml, line 2, registration.appId: this is not an application (client) id; it looks like 00000000-"},

		{"name empty", name(`""`), "setup.yaml, line 3, registration.name: give the app a name, for example Rewst Integration"},
		{"name blank", name(`"  "`), "setup.yaml, line 3, registration.name: give the app a name"},
		{"name padded", name(`" Rewst"`), "setup.yaml, line 3, registration.name: the name begins or ends with a blank; remove it"},
		{"name too long", name(strings.Repeat("ü", 257)), "setup.yaml, line 3, registration.name: the name has 257 characters; Microsoft allows 256"},
		{"name with escape", name(`"Rewst \e[31m"`), "setup.yaml, line 3, registration.name: the name holds a control character; use plain text"},
		{"name with newline", name(`"a\nb"`), "setup.yaml, line 3, registration.name: the name holds a control character; use plain text"},
		{"name with a C1 control", name(`"a\x9bb"`), "setup.yaml, line 3, registration.name: the name holds a control character; use plain text"},

		{"tenant no id", head + "tenant: contoso\n", "setup.yaml, line 2, tenant: this is neither a tenant id (00000000-0000-0000-0000-000000000000) nor a domain (contoso.onmicrosoft.com)"},
		{"tenant cut short", head + "tenant: 11111111-1111-1111-1111-11111111111\n", "setup.yaml, line 2, tenant: this is neither"},
		{"tenant a path", head + "tenant: ../x.com\n", "setup.yaml, line 2, tenant: this is neither"},
		{"account no name", head + "account: contoso\n", `setup.yaml, line 2, account: "contoso" is no user name; it looks like admin@contoso.com`},
		{"account no domain", head + "account: admin@contoso\n", "setup.yaml, line 2, account: "},
		{"two accounts", head + "account: a@contoso.com,b@contoso.com\n", "setup.yaml, line 2, account: "},
		{"tenant common", head + "tenant: organizations\n", "setup.yaml, line 2, tenant: this is neither"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParseAnswers("setup.yaml", []byte(tt.text))
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
			var file *FileError
			if !errors.As(err, &file) {
				t.Errorf("got %T, want a *FileError", err)
			}
		})
	}
}

func TestSetupFileRefusesSecretsAndDoesNotRepeatThem(t *testing.T) {
	const head = "version: 1\n"
	for _, tt := range []struct{ name, text, want string }{
		{"by key", head + "clientSecret: hunter2-canary\n", "line 2, clientSecret: a setup file holds no secrets; remove this line"},
		{"by key, below", head + "registration:\n  Password: hunter2-canary\n", "line 3, registration.Password: "},
		{"by key, in a list", head + "integrations:\n  - {refresh_token: hunter2-canary}\n", "line 3, integrations.refresh_token: "},
		{"by key, nested value", head + "credentials:\n  - value: hunter2-canary\n", "line 2, credentials: "},
		{"API key", head + "api_key: hunter2-canary\n", "line 2, api_key: "},
		{"by key, value an alias", head + "password: *hunter2canary\n", "line 2: this is not YAML: put texts that begin with * in quotes"},
		{"by value", head + "registration:\n  name: " + fakeSecret + "\n", "line 3, registration.name: this looks like a secret; a setup file holds none; remove it"},
		{"by value, quoted", head + `region: "` + fakeSecret + `"` + "\n", "line 2, region: this looks like a secret"},
		{"by value, in a list", head + "permissions:\n  add:\n    - User.Read\n    - " + fakeSecret + "\n", "line 5, permissions.add: this looks like a secret"},
		{"by value, in a text", head + "tenant: the secret is " + fakeSecret + " ok\n", "line 2, tenant: this looks like a secret"},
		{"by value, unknown key", head + "x: " + fakeSecret + "\n", "line 2, x: this looks like a secret"},
		{"as a key", head + "registration:\n  " + fakeSecret + ": x\n", "line 3, registration: this looks like a secret"},
		{"token", head + "tenant: " + fakeToken + "\n", "line 2, tenant: this looks like a secret"},
		{"private key", head + "tenant: |\n  -----BEGIN RSA PRIVATE KEY-----\n  canary\n", "line 2, tenant: this looks like a secret"},
		{"in a remark", "# " + fakeSecret + "\n" + head, "line 1: this looks like a secret"},
		{"as an anchor", head + "region: &" + fakeSecret + " us\n", "line 2"},
		{"in a newer file", "version: 2\nx: " + fakeSecret + "\n", "line 2, x: this looks like a secret"},
		{"in a broken file", head + "region: [" + fakeSecret + "\nx: y\n", "line 2: this is not YAML"},
		{"beside another fault", head + "regoin: us\nregion: " + fakeSecret + "\n", "line 3, region: this looks like a secret"},
		{"in a second document", head + "---\nx: " + fakeSecret + "\n", "line 3: this looks like a secret"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, err := ParseAnswers("setup.yaml", []byte(tt.text))
			if err == nil || !strings.Contains(err.Error(), "setup.yaml, "+tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
			if err != nil && (strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "8Q~")) {
				t.Errorf("the error repeats the secret: %v", err)
			}
			if diff := cmp.Diff(Answers{}, a); diff != "" {
				t.Errorf("something of the file was used (-want +got):\n%s", diff)
			}
		})
	}
}

// What only looks like a secret is none.
func TestSetupFileTakesHarmlessTexts(t *testing.T) {
	for _, text := range []string{
		"version: 1\nregistration: {name: Rewst secret keeper}\n",
		"version: 1\ntenant: eyjafjallajokull.onmicrosoft.com\n",
		"version: 1\npermissions: {remove: [AppRoleAssignment.ReadWrite.All, exchange:Exchange.ManageAsApp/application]}\n",
		"version: 1\r\nregion: us\r\n", "\ufeffversion: 1\n", "# a remark\nversion: 1 # another\n",
		"version: 1\nregistration: {name: 123}\n", `{"version": 1, "region": "uk"}`,
	} {
		if _, err := ParseAnswers("setup.yaml", []byte(text)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestSetupFileNamesAllFaultsAtOnce(t *testing.T) {
	_, err := ParseAnswers("setup.yaml", []byte("version: 1\nregoin: us\nintegrations: graph\nregistration: [x]\n"))
	for _, part := range []string{"line 2, regoin", "line 3, integrations", "line 4, registration"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("got %v, want it to name %s", err, part)
		}
	}
	_, err = ParseAnswers("setup.yaml", []byte("version: 1\nregion: fr\ntenant: x\nregistration: {kind: y}\n"))
	for _, part := range []string{"line 2, region", "line 3, tenant", "line 4, registration.kind"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("got %v, want it to name %s", err, part)
		}
	}
}

func TestALongAnswerIsNotRepeatedWhole(t *testing.T) {
	_, err := ParseAnswers("setup.yaml", []byte("version: 1\nregion: "+strings.Repeat("long ", 100)+"canary\n"))
	if err == nil || len(err.Error()) > 200 || strings.Contains(err.Error(), "canary") {
		t.Errorf("got %v", err)
	}
}

func TestSetupFileRoundTrip(t *testing.T) {
	change := func(edit func(*Answers)) Answers {
		a := DefaultAnswers()
		edit(&a)
		return a
	}
	named := func(name string) Answers { return change(func(a *Answers) { a.Registration.Name = name }) }
	cases := map[string]Answers{
		"defaults": DefaultAnswers(),
		"everything": {
			Profile: ProfileRewst, Region: "au", Tenant: "contoso.onmicrosoft.com",
			Integrations: []string{"graph", "exchange", "csp", "azure", "subscriptions"},
			Registration: Registration{Kind: KindOwned, Name: "Rewst", Audience: AudienceMulti, AppID: "0AF00000-0000-0000-0000-00000000000F"},
			Permissions:  Permissions{Base: "stock", Add: []string{"User.Read", "exchange:Exchange.ManageAsApp/application"}, Remove: []string{"Mail.Send/delegated"}},
		},
		"connector":                change(func(a *Answers) { a.Registration.Kind = KindConnector }),
		"tenant id":                change(func(a *Answers) { a.Tenant = "00000000-0000-0000-0000-0000000000e1" }),
		"connector without a name": change(func(a *Answers) { a.Registration = Registration{Kind: KindConnector} }),
	}
	for _, name := range []string{
		`It's "quoted"`, "colon: here", "# no remark", "- no list", "{no: map}", "[no, list]", "*star", "&and", "!bang", "%percent", "@at", "`tick`",
		"true", "null", "~", "no", "123", "1e3", "0x1F", "2026-01-01", "<<", "=", "...", "a --- b", `back\slash`, "tab-less", "|", ">", "?",
		"Ümläut Straße", "日本語のアプリ", "שלום \u200fRTL\u200e", "\u202eevil\u202c", "عربى", "👩‍👩‍👧 family", "zero\u200bwidth", "\ufeffmark", "line\u2028sep", "nbsp\u00a0here",
		strings.Repeat("ü", 256), "a  b", "C:\\Users\\x", "=HYPERLINK(\"x\")", "100%", "$(id)", "%s%n",
	} {
		cases["name "+name] = named(name)
	}
	for label, a := range cases {
		t.Run(label, func(t *testing.T) {
			text := a.Encode()
			got, err := ParseAnswers("setup.yaml", text)
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			if diff := cmp.Diff(a, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-written +read):\n%s\n%s", diff, text)
			}
			if again := got.Encode(); string(again) != string(text) {
				t.Errorf("written twice, two texts:\n%s\n%s", text, again)
			}
		})
	}
}

func TestExamplesParse(t *testing.T) {
	files, err := filepath.Glob("../examples/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, f := range files {
		a, err := LoadAnswers(f)
		if err != nil {
			t.Error(err)
		}
		if !a.Has("graph") {
			t.Errorf("%s: graph is not among %v", f, a.Integrations)
		}
	}
}

func TestLoadAnswersSaysWhatIsWrongWithTheFile(t *testing.T) {
	dir := t.TempDir()
	absent := filepath.Join(dir, "absent.yaml")
	if _, err := LoadAnswers(absent); err == nil || !strings.HasPrefix(err.Error(), absent+": there is no such file; the wizard writes one") {
		t.Errorf("absent file: got %v", err)
	}
	if _, err := LoadAnswers(dir); err == nil || !strings.HasPrefix(err.Error(), dir+": ") {
		t.Errorf("folder: got %v", err)
	}
	path := filepath.Join(dir, "setup.yaml")
	if err := os.WriteFile(path, []byte("version: 1\nregion: fr\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadAnswers(path); err == nil || !strings.HasPrefix(err.Error(), path+", line 2, region: ") {
		t.Errorf("bad file: got %v", err)
	}
}

func TestGraphIsAlwaysThere(t *testing.T) {
	for _, text := range []string{"version: 1\n", "version: 1\nintegrations: []\n", "version: 1\nintegrations: [graph]\n"} {
		a, err := ParseAnswers("setup.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"graph"}, a.Integrations); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func TestCloneIsIndependent(t *testing.T) {
	a := DefaultAnswers()
	a.Permissions.Add, a.Permissions.Remove = []string{"x"}, []string{"y"}
	b := a.Clone()
	b.Integrations[0], b.Permissions.Add[0], b.Permissions.Remove[0] = "-", "-", "-"
	if a.Integrations[0] == "-" || a.Permissions.Add[0] == "-" || a.Permissions.Remove[0] == "-" {
		t.Errorf("the original changed: %+v", a)
	}
	if diff := cmp.Diff([]Invalid(nil), DefaultAnswers().Validate()); diff != "" {
		t.Errorf("the default answers are not valid (-want +got):\n%s", diff)
	}
}

// Nothing panics, every fault has a place, and no recognised secret comes back.
func FuzzParseAnswers(f *testing.F) {
	f.Add("version: 1\nregion: us\nintegrations: [graph, csp]\nregistration: {name: x}\n")
	f.Add("version: 1\n? [a]\n: *x\n---\n")
	f.Add("version: 1\npassword: " + fakeSecret)
	f.Add("a: &a [*a]")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ParseAnswers("f", []byte(text))
		if err == nil {
			if again, err := ParseAnswers("f", a.Encode()); err != nil || !cmp.Equal(a, again, cmpopts.EquateEmpty()) {
				t.Errorf("%q: round trip: %v\n%s", text, err, cmp.Diff(a, again))
			}
			return
		}
		if strings.Contains(err.Error(), fakeSecret) {
			t.Errorf("%q: the error repeats the secret", text)
		}
	})
}
