package catalog

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestRulesAreComplete(t *testing.T) {
	ids, numbers, codes := map[string]bool{}, map[int]string{}, map[string]string{}
	places := Place(1<<len(placeNames) - 1)
	who := []Who{ByYou, ByYouHere, ByYouInRewst, ByAdmin, ByCustomerAdmin, ByEitherAdmin, ByNetwork, ByMicrosoft, ByDevelopers, ByNobody}
	for _, r := range Rules() {
		if ids[r.ID] || r.ID == "" {
			t.Errorf("the id %q is used twice or empty", r.ID)
		}
		ids[r.ID] = true
		if r.Cause == "" || r.Fix == "" || r.Source == "" || !slices.Contains(who, r.Who) {
			t.Errorf("%s lacks a cause, a fix, a source or somebody who can do it: %+v", r.ID, r)
		}
		if r.Where == 0 || r.Where&^places != 0 {
			t.Errorf("%s does not say where it appears", r.ID)
		}
		if r.Method != "" && r.Method != MethodBrowser {
			t.Errorf("%s advises the method %q, which does not exist", r.ID, r.Method)
		}
		for _, text := range []string{r.Cause, r.Fix, r.Here} {
			if text != "" && (!strings.HasSuffix(text, ".") || strings.Contains(text, "  ") || len(text) > 520) {
				t.Errorf("%s: not a tidy text of at most 520 letters: %q (%d)", r.ID, text, len(text))
			}
		}
		for _, n := range r.AADSTS {
			if other, taken := numbers[n]; taken {
				t.Errorf("%d belongs to %s and to %s", n, other, r.ID)
			}
			numbers[n] = r.ID
		}
		for _, c := range r.Codes {
			if other, taken := codes[strings.ToLower(c)]; taken {
				t.Errorf("%s belongs to %s and to %s", c, other, r.ID)
			}
			codes[strings.ToLower(c)] = r.ID
		}
		if got, ok := RuleByID(r.ID); !ok || got.Cause != r.Cause {
			t.Errorf("RuleByID(%q): got %v, %v", r.ID, got, ok)
		}
	}
	for i := range placeNames {
		if !slices.ContainsFunc(Rules(), func(r Rule) bool { return r.Where&(1<<i) != 0 }) {
			t.Errorf("no rule appears at %s", Place(1<<i))
		}
	}
	for _, w := range who {
		if !slices.ContainsFunc(Rules(), func(r Rule) bool { return r.Who == w }) {
			t.Errorf("nothing can be put right by %s", w)
		}
	}
}

// Where a policy wants to know the device or refuses codes, the browser may help.
func TestBrowserIsAdvised(t *testing.T) {
	for _, code := range []string{"53003", "530035", "50097", "53000", "53001", "50005", "530033"} {
		if e := Explain(Clues{Text: code}); e.Rule.Method != MethodBrowser {
			t.Errorf("%s: got the method %q, want the browser", code, e.Rule.Method)
		}
	}
	for _, code := range []string{"50126", "65001", "50057"} {
		if e := Explain(Clues{Text: code}); e.Rule.Method != "" {
			t.Errorf("%s: got the method %q, want none", code, e.Rule.Method)
		}
	}
}

func TestPlaces(t *testing.T) {
	for place, want := range map[Place]string{
		0:                           "",
		AtGraph:                     "Microsoft Graph",
		AtSignIn | AtToken:          "the sign-in page in the browser or the sign-in service",
		AtGraph | AtAzure | AtRewst: "Microsoft Graph, Azure or Rewst",
	} {
		if got := place.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// However a message was copied, it is recognised.
func TestFormsOfPastedText(t *testing.T) {
	const nbsp, zeroWidth = "\u00a0", "\u200b"
	for name, text := range map[string]string{
		"bare":             "53003",
		"bare, blanks":     "\n  53003.  ",
		"small letters":    "aadsts53003",
		"blank between":    "AADSTS 53003",
		"odd blank":        "Error" + nbsp + "code:" + nbsp + "53003",
		"zero width":       "AADSTS" + zeroWidth + "53003",
		"soft hyphen":      "Access has been blo\u00adcked by Condi\u00adtional Access policies",
		"in brackets":      "(AADSTS53003)",
		"colon and text":   "AADSTS53003: Access has been blocked",
		"wrapped number":   "AADSTS\n53003",
		"wrapped words":    "Access has been blocked\nby Conditional\r\nAccess policies.",
		"other case":       "ACCESS HAS BEEN BLOCKED BY CONDITIONAL ACCESS POLICIES",
		"entities":         "&lt;p&gt;Access&nbsp;has been blocked by &quot;Conditional&#32;Access&quot; policies",
		"tags":             "<p>Access has been <b>blocked</b> by<br/>Conditional Access policies</p>",
		"escaped JSON":     `{"error_description":"AADSTS53003: Access has been blocked.\r\nTrace ID: x\u0027s"}`,
		"escaped, wrapped": `{"message":"Access has been blocked by\r\nConditional Access policies"}`,
		"address":          "https://engine.rewst.io/callback?error=access_denied&error_description=AADSTS53003%3a+Access+has+been+blocked+by+Conditional+Access+policies.%0d%0aTrace+ID%3a+1",
		"browser page": "You cannot access this right now\nYour sign-in was successful but does not meet the criteria to access this resource.\n\n" +
			"Error Code: 53003 Request Id: aaaaaaaa-1111-2222-3333-444444444444 Correlation Id: bbbbbbbb-1111-2222-3333-444444444444 Timestamp: 2026-11-02T09:10:11Z App name: Microsoft Azure CLI",
		"German page":   "Fehlercode: 53003",
		"French page":   "Code d’erreur\u00a0: 53003",
		"log line":      `time=2026-11-02T09:10:11Z level=ERROR msg="POST /token" err="AADSTS53003: no" n=1234567`,
		"sign-in log":   "Status Failure Sign-in error code 53003 Failure reason BlockedByConditionalAccess",
		"list of codes": `"error_codes" : [ 53003 ]`,
		"a symbol":      "BlockedByConditionalAccess",
		"curly quotes":  "“error_codes”: [53003]",
		"bad bytes":     "\xff\xfeAADSTS53003\xff",
	} {
		e := Explain(Clues{Text: text})
		if !e.Found || e.Rule.ID != "AADSTS53003" {
			t.Errorf("%s, %q: got rule %q", name, text, e.Rule.ID)
		}
	}
}

// What is nearly an error, or has one's words in another sense, is not one.
func TestNearMissesFindNothing(t *testing.T) {
	for _, text := range []string{
		"AADSTS5300", "AADSTS530030", "AADSTS053003", "AADSTS999999", "AADSTS53003a", "AADSTS5300_3", "XAADSTS53003",
		"AADSTS5300 3", "error 530 031", "error 53,003", "error 53003.25", "unicode53003", "error code 53003-1111-2222", "error 1053003", "530031",
		"code 53003aaa-1111-2222-3333-444444444444", "request 53003000-1111-2222-3333-444444444444", "50126 users were imported", "port 127.0.0.1:53003",
		"zip code 53003", "took 53003 ms", "version 5.3.0.0.3",
		"Directory_QuotaExceed", "Directory_QuotaExceededs", "My_Directory_QuotaExceeded", "AuthorizationRequestDenied", "Request-Throttled", "Credential Type Allowed As Per App Policy",
		"invalid grants", "slow down", "access was denied by the doorman", "the token of my affection has expired yesterday",
		"Access has been granted by Conditional Access", "Please block conditional formatting", "There was no error while decompressing data",
		"The user was not found in the second list", "a valid credential was provided", "We have multiple customers and link them", "insufficient funds",
		"The subscription within the magazine has lapsed", "the permission already exists in our minds", "HTTP 200", "HTTP 418 teapot", "error 530", "4035 things",
		"GDAP is a good idea", "Global Administrator", "hello", "", " \n ", "}{", "%%%",
	} {
		e := Explain(Clues{Text: text})
		if e.Found {
			t.Errorf("%q: found %s, want nothing", text, e.Rule.ID)
		}
		if len(e.Nearest) > 3 {
			t.Errorf("%q: %d similar errors, want at most three", text, len(e.Nearest))
		}
	}
}

func TestNearest(t *testing.T) {
	for text, want := range map[string]string{
		"AADSTS5300":                 "AADSTS53003",
		"AADSTS530031":               "AADSTS530032",
		"AADSTS7000216":              "AADSTS7000215",
		"Directory_QuotaExceed":      "graph.quota",
		"Autorization_RequestDenied": "graph.denied",
		"policy of the tenant wants the device to be managed and compliant": "AADSTS53000",
		"hello":                     "",
		"the vault and the mailbox": "",
		"AADSTS999999":              "",
	} {
		e := Explain(Clues{Text: text})
		got := ""
		if len(e.Nearest) > 0 {
			got = e.Nearest[0].ID
		}
		if e.Found || got != want {
			t.Errorf("%q: got %q (found %v), want %q", text, got, e.Found, want)
		}
	}
	if got := Explain(Clues{Text: "AADSTS530031: nobody knows"}).Code; got != "AADSTS530031" {
		t.Errorf("an unknown code is called %q", got)
	}
}

// The most specific sign wins, and what else is in the text is named.
func TestSeveralErrorsInOneText(t *testing.T) {
	for _, c := range []struct {
		name, text, rule, code string
		others                 []string
	}{
		{"the first number", "AADSTS65001: no. Then AADSTS50076: no. AADSTS65001 again", "AADSTS65001", "AADSTS65001", []string{"AADSTS50076"}},
		{"a number before the words of another", "AADSTS50105: Access has been blocked by Conditional Access policies", "AADSTS50105", "AADSTS50105", nil},
		{"unknown beside known", "AADSTS999999: x, AADSTS50076: y", "AADSTS50076", "AADSTS50076", []string{"AADSTS999999"}},
		{"embedded in Partner Center", `{"code":"90000","description":"AADSTS53003: no"}`, "AADSTS53003", "AADSTS53003", nil},
		{"details of Graph", `{"error":{"code":"Request_BadRequest","message":"no","details":[{"code":"ObjectConflict"}]}}`, "graph.exists", "ObjectConflict", nil},
		{"a code with words before words", "There was an error configuring delegated admin: AADSTS7000215, app 9359814a-7403-4af9-9113-d5c8cab020ed", "AADSTS7000215-legacy", "AADSTS7000215", nil},
		{"a variant is not another error", "AADSTS650051: value length, DelegationScope", "AADSTS650051-scopes", "AADSTS650051", nil},
		{"words before a code", "Request_MultipleObjectsWithSameKeyValue: Permission entry already exists.", "grant.entry-exists", "", []string{"Request_MultipleObjectsWithSameKeyValue"}},
		{"a code before the status", "HTTP 403: Directory_QuotaExceeded", "graph.quota", "Directory_QuotaExceeded", nil},
		{"an unknown number is not explained by its OAuth word", `{"error":"invalid_grant","error_codes":[999999]}`, "", "AADSTS999999", nil},
		{"nor by the status", "HTTP 400 AADSTS999999", "", "AADSTS999999", nil},
		{"an unknown number of Partner Center", `{"code":"900999","source":"PartnerFD"}`, "", "900999", nil},
		{"an escaped apostrophe", `{"message":"Application ID doesn\u0027t exist"}`, "rewst.no-storage", "", nil},
		{"but by its words", "AADSTS530031: Access has been blocked by Conditional Access policies", "AADSTS53003", "", []string{"AADSTS530031"}},
	} {
		e := Explain(Clues{Text: c.text})
		var others []string
		for _, o := range e.Others {
			others = append(others, o.Code)
		}
		if e.Rule.ID != c.rule || e.Code != c.code || !slices.Equal(others, c.others) {
			t.Errorf("%s: got %s, code %q, others %q; want %s, code %q, others %q", c.name, e.Rule.ID, e.Code, others, c.rule, c.code, c.others)
		}
	}
}

// What the caller already knows counts like the text.
func TestClues(t *testing.T) {
	for _, c := range []struct {
		clues Clues
		rule  string
		code  string
	}{
		{Clues{AADSTS: []int{50105}, Codes: []string{"invalid_grant"}}, "AADSTS50105", "AADSTS50105"},
		{Clues{Codes: []string{"authorization_requestdenied"}, Status: 403}, "graph.denied", "Authorization_RequestDenied"},
		{Clues{AADSTS: []int{70020}, Codes: []string{"authorization_declined"}}, "signin.declined", "AADSTS70020"},
		{Clues{Status: 404}, "http.404", ""},
		{Clues{Text: "Permission entry already exists.", Codes: []string{"Request_BadRequest"}, Status: 400}, "grant.entry-exists", ""},
		{Clues{Codes: []string{"NoSuchCode"}}, "", ""},
		{Clues{AADSTS: []int{0, -5}}, "", ""},
	} {
		if e := Explain(c.clues); e.Rule.ID != c.rule || e.Code != c.code {
			t.Errorf("%+v: got %q with code %q, want %q with %q", c.clues, e.Rule.ID, e.Code, c.rule, c.code)
		}
	}
}

func TestContext(t *testing.T) {
	const (
		one   = "11111111-aaaa-bbbb-cccc-111111111111"
		two   = "22222222-aaaa-bbbb-cccc-222222222222"
		three = "33333333-aaaa-bbbb-cccc-333333333333"
		four  = "44444444-aaaa-bbbb-cccc-444444444444"
	)
	for name, c := range map[string]struct {
		text string
		want Context
	}{
		"token service": {
			`{"error":"invalid_grant","error_description":"AADSTS65001: The user or administrator has not consented to use the application with ID '` + one + `' named 'Rewst Integration'. Trace ID: ` + two +
				` Correlation ID: ` + three + ` Timestamp: 2026-11-02 09:10:11Z","trace_id":"` + two + `","correlation_id":"` + three + `"}`,
			Context{CorrelationID: three, TraceID: two, Timestamp: "2026-11-02 09:10:11Z", AppID: one, AppName: "Rewst Integration"},
		},
		"browser": {
			"Error Code: 53003\nRequest Id: " + one + "\nCorrelation Id: " + two + "\nTimestamp: 2026-11-02T09:10:11.123Z\nApp name: Microsoft Azure CLI\nApp id: " + three + "\nIP address: 203.0.113.7",
			Context{RequestID: one, CorrelationID: two, Timestamp: "2026-11-02T09:10:11.123Z", AppID: three, AppName: "Microsoft Azure CLI"},
		},
		"Graph": {
			`{"error":{"code":"Authorization_RequestDenied","message":"no","innerError":{"date":"2026-11-02T09:10:11","client-request-id":"` + two + `","request-id":"` + one + `"}}}`,
			Context{RequestID: one, Timestamp: "2026-11-02T09:10:11"},
		},
		"Partner Center headers": {
			"MS-RequestId: " + one + "\nMS-CorrelationId: " + two + "\n{\"code\":\"900308\"}",
			Context{RequestID: one, CorrelationID: two},
		},
		"Resource Manager headers": {
			"AuthorizationFailed\nx-ms-correlation-request-id: " + two + "\nx-ms-request-id: " + one,
			Context{RequestID: one, CorrelationID: two},
		},
		"named in prose": {
			"AADSTS700016: Application with identifier '" + one + "' was not found in the directory 'Contoso'.",
			Context{AppID: one, Tenant: "Contoso"},
		},
		"name in brackets": {
			"AADSTS50020: User account 'x' does not exist in tenant 'Fabrikam' and cannot access the application '" + one + "'(Rewst Integration) in that tenant.",
			Context{AppID: one, AppName: "Rewst Integration", Tenant: "Fabrikam"},
		},
		"address": {
			"POST https://login.microsoftonline.com/" + four + "/oauth2/v2.0/token: AADSTS7000215 for a secret added to app '" + one + "'",
			Context{AppID: one, Tenant: four},
		},
		"nobody's tenant":          {"POST https://login.microsoftonline.com/organizations/oauth2/v2.0/token: AADSTS50059", Context{}},
		"what this program prints": {"the service's words: no\n  request id: " + one, Context{RequestID: one}},
		"the nearest of several": {
			"AADSTS50020 request id: " + one + strings.Repeat("\nnothing happened here", 50) + "\nDirectory_QuotaExceeded request id: " + two,
			Context{RequestID: one},
		},
		"the nearest, further down": {
			"Directory_QuotaExceeded request id: " + two + strings.Repeat("\nnothing happened here", 50) + "\nAADSTS50020 request id: " + one,
			Context{RequestID: one},
		},
		"the address a browser is sent to": {
			"https://engine.rewst.io/callback?error_description=AADSTS65001%3a+no.%0d%0aTrace+ID%3a+" + two + "%0d%0aCorrelation+ID%3a+" + three + "%0d%0aTimestamp%3a+2026-11-02+09%3a10%3a11Z",
			Context{TraceID: two, CorrelationID: three, Timestamp: "2026-11-02 09:10:11Z"},
		},
		"nothing": {"AADSTS53003", Context{}},
	} {
		if diff := cmp.Diff(c.want, Explain(Clues{Text: c.text}).Context); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestReadWords(t *testing.T) {
	for text, want := range map[string]string{
		"":                                     " ",
		"One, two; three":                      " one two three ",
		"It doesn't, isn't and Can't":          " it does not is not and cannot ",
		"multi-factor authentication (MFA)":    " mfa mfa ",
		"multifactor\nauthentication":          " mfa ",
		"organisation, authorise, initialised": " organization authorize initialized ",
		"Premium licence":                      " premium license ",
		"AppLifecycle_2210 a.b-c/d":            " applifecycle 2210 a b c d ",
		"Größe 'x'":                            " größe x ",
	} {
		if got, _ := readWords(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string]string{
		"Error: user was not found.":   " | error | user was not found | ",
		"a (b) c":                      " | a | b | c | ",
		"v1.0 and 1:2 - next":          " | v1 0 and 1 2 | next | ",
		"one\ntwo\n\nthree":            " | one two | three | ",
		"half-done, well-known":        " | half done | well known | ",
		`{"code":"x","message":"y z"}`: " | code | x | message | y z | ",
	} {
		if _, got := readWords(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"abc", "abc", 0}, {"abc", "abd", 1}, {"abc", "ac", 1}, {"abc", "xabcx", 2}, {"abc", "xyz", 3}, {"abc", "abcdef", 3}, {"", "ab", 2}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("%q, %q: got %d, want %d", c.a, c.b, got, c.want)
		}
		if got := distance(c.b, c.a); got != c.want {
			t.Errorf("%q, %q: got %d, want %d", c.b, c.a, got, c.want)
		}
	}
}

// A whole log is looked at in a moment, and no more than a megabyte of it.
func TestBigTextIsBounded(t *testing.T) {
	line := "2026-11-02T09:10:11Z level=info GET /v1.0/users?$top=999: 200 in 53003 ms (request 4f5e6d7c-0000-1111-2222-333344445555)\n"
	log := strings.Repeat(line, maxErrorText/len(line)-10)
	began := time.Now()
	e := Explain(Clues{Text: log + "AADSTS53003: no\n" + strings.Repeat(line, 20_000)})
	if !e.Found || e.Rule.ID != "AADSTS53003" {
		t.Errorf("got %+v", e)
	}
	if e := Explain(Clues{Text: log + strings.Repeat(line, 20) + "AADSTS53003: no\n"}); e.Found {
		t.Errorf("found %s behind the end of what is looked at", e.Rule.ID)
	}
	t.Logf("two megabytes in %v", time.Since(began))
}

func FuzzExplain(f *testing.F) {
	for _, list := range documented {
		f.Add(list[0][0], 0, 0)
	}
	for _, text := range []string{
		"AADSTS", "AADSTS53003\xff", "error_codes:[1,,2,]", "\\u00", "%", "&#x;", "<a", "'", "request id: ", "-", "error_description=%zz", "\u200b\u200b", "code code code 1", "AADSTS00000",
	} {
		f.Add(text, 53003, 400)
	}
	f.Fuzz(func(t *testing.T, text string, number, status int) {
		e := Explain(Clues{Text: text, AADSTS: []int{number}, Codes: []string{text}, Status: status})
		if e.Found == (e.Rule.ID == "") || e.Found && len(e.Nearest) > 0 || len(e.Nearest) > 3 || len(e.Others) > 5 {
			t.Errorf("%q: not a sound explanation: %+v", text, e)
		}
		for _, s := range []string{e.RequestID, e.AppName, e.Tenant, e.Code} {
			if !utf8.ValidString(s) {
				t.Errorf("%q: not text: %q", text, s)
			}
		}
	})
}
