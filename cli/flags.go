package cli

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/adrg/xdg"
	"github.com/spf13/pflag"

	"msbundle/catalog"
	"msbundle/sandbox"
	"msbundle/state"
)

// inProcess is what --sandbox means without a URL.
const inProcess = "in-process"

// flags are those every command takes.
type flags struct {
	sandbox    string
	cloudID    string
	tenant     string
	account    string
	clientID   string
	stateDir   string
	auth       string
	noBrowser  bool
	noInput    bool
	remember   bool
	json       bool
	accessible bool
	color      string
	logFile    string
	settle     time.Duration

	rehearsal rehearsal
	cloud     catalog.Cloud
}

// rehearsal shapes the simulated cloud, in this process or as a server.
type rehearsal struct {
	scenario  string
	customers int
	seed      int64
	latency   time.Duration
	interval  time.Duration
	approve   string
	delays    string
	faults    string
	canary    string
}

func (f *flags) register(p *pflag.FlagSet) {
	p.StringVar(&f.sandbox, "sandbox", "", "use a simulated Microsoft cloud: in this process, or =URL of a running 'msbundle sandbox'; --scenario, --approve, --delays and others shape it, see 'msbundle sandbox --help'")
	p.Lookup("sandbox").NoOptDefVal = inProcess
	p.StringVar(&f.cloudID, "cloud", "global", "Microsoft cloud: global, usgov, usgovdod or china")
	p.StringVar(&f.tenant, "tenant", "", "tenant id or domain; default: the tenant of whoever signs in")
	p.StringVar(&f.account, "account", "", "user name of who is to sign in; default: anybody")
	p.StringVar(&f.clientID, "client-id", "", "public client of your own to sign in with; default: Microsoft Graph Command Line Tools")
	p.StringVar(&f.stateDir, "state-dir", "", "where answers, journal and evidence are kept; default: "+defaultStateDir())
	p.StringVar(&f.auth, "auth", "", "how to sign in: device (a code typed on any device), browser (on this machine, or on yours through ssh), or env (an app named by AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, for reads); default: browser where there is one, else device")
	p.BoolVar(&f.noBrowser, "no-browser", false, "never open a browser")
	p.BoolVar(&f.noInput, "no-input", false, "never ask; a missing value is an error. A sign-in is shown on stderr and waited for")
	p.BoolVar(&f.remember, "remember", false, "remember the sign-in on this machine, encrypted, for later commands")
	p.BoolVar(&f.json, "json", false, "one JSON document on stdout, JSON lines of progress on stderr")
	p.BoolVar(&f.accessible, "accessible", false, "plain lines for screen readers, with answers taken from a pipe too")
	p.StringVar(&f.color, "color", "auto", "colours: auto or never")
	p.StringVar(&f.logFile, "log", "", "write a log to this file")
	p.DurationVar(&f.settle, "settle", time.Minute, "how long a write of unknown outcome is looked for before it is repeated")

	p.StringVar(&f.rehearsal.scenario, "scenario", "", "sandbox: what the simulated tenant is like; 'msbundle sandbox --help' lists them")
	p.IntVar(&f.rehearsal.customers, "customers", 0, "sandbox: number of customer tenants")
	p.Int64Var(&f.rehearsal.seed, "seed", 1, "sandbox: decides ids, delays and which replica answers")
	p.DurationVar(&f.rehearsal.latency, "latency", 0, "sandbox: added to every request")
	p.DurationVar(&f.rehearsal.interval, "interval", 5*time.Second, "sandbox: polling interval of device codes")
	p.StringVar(&f.rehearsal.approve, "approve", "auto", "sandbox: who answers a sign-in by code: now, auto (after two polls) or manual (you, on its page). One in a browser, which the customers' consent takes, waits for you with a served sandbox")
	p.StringVar(&f.rehearsal.delays, "delays", "none", "sandbox: none, or realistic replication")
	p.StringVar(&f.rehearsal.faults, "faults", "", "sandbox: file with faults as JSON")
	p.StringVar(&f.rehearsal.canary, "canary", "", "sandbox: word that is part of every secret and token")
	for _, name := range rehearsalFlags {
		p.Lookup(name).Hidden = true
	}
}

var rehearsalFlags = []string{"scenario", "customers", "seed", "latency", "interval", "approve", "delays", "faults", "canary"}

func defaultStateDir() string { return filepath.Join(xdg.StateHome, "msbundle") }

func (f *flags) check() error {
	var ok bool
	if f.cloud, ok = catalog.CloudByID(f.cloudID); !ok {
		return usage("--cloud: %q is not known; use global, usgov, usgovdod or china", f.cloudID)
	}
	if text := state.CheckTenant(f.tenant); text != "" {
		return usage("--tenant: %s", text)
	}
	if text := state.CheckAccount(f.account); text != "" {
		return usage("--account: %s", text)
	}
	if f.clientID != "" && !state.IsGUID(f.clientID) {
		return usage("--client-id: this is not an application (client) id")
	}
	if !slices.Contains([]string{"", authDevice, authBrowser, authEnv}, f.auth) {
		return usage("--auth: %q is not known; use device, browser or env", f.auth)
	}
	if f.color != "auto" && f.color != "never" {
		return usage("--color: %q is not known; use auto or never", f.color)
	}
	if f.settle < 0 {
		return usage("--settle: a time cannot be negative")
	}
	return nil
}

func (r rehearsal) options() (sandbox.Options, error) {
	o := sandbox.Options{
		Scenario: r.scenario, Customers: r.customers, Seed: r.seed, Latency: r.latency,
		Interval: r.interval, Approve: r.approve, Delays: r.delays, Canary: r.canary,
	}
	if r.scenario != "" {
		if err := checkScenario(r.scenario); err != nil {
			return o, err
		}
	}
	if r.faults != "" {
		data, err := os.ReadFile(r.faults)
		if err != nil {
			return o, usage("--faults: %w", err)
		}
		if o.Faults, err = sandbox.ParseFaults(data); err != nil {
			return o, usage("--faults: %s: %w", r.faults, err)
		}
	}
	return o, nil
}

// days is a duration that takes days, too: 14d, 36h.
type days time.Duration

// String shows it as time.Duration does.
func (d *days) String() string {
	if *d == 0 {
		return "0"
	}
	return time.Duration(*d).String()
}

// Set reads it.
func (d *days) Set(text string) error {
	bad := errors.New("use a time such as 90m, 2h or 14d, of at most a year")
	n, rest := 0, text
	if before, after, found := strings.Cut(text, "d"); found {
		var err error
		if n, err = strconv.Atoi(before); err != nil || n < 0 || n > maxWait {
			return bad
		}
		rest = after
	}
	more := time.Duration(0)
	if rest != "" || rest == text {
		var err error
		if more, err = time.ParseDuration(rest); err != nil || more < 0 || more > maxWait*24*time.Hour {
			return bad
		}
	}
	total := time.Duration(n)*24*time.Hour + more
	if total > maxWait*24*time.Hour {
		return bad
	}
	*d = days(total)
	return nil
}

// Type names it in the help.
func (d *days) Type() string { return "duration" }

// workers is how many customers are worked on at a time; 0 when nobody said.
type workers int

// String shows it as a number.
func (w *workers) String() string { return strconv.Itoa(int(*w)) }

// Set reads it.
func (w *workers) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return errors.New("use a number from 1 on")
	}
	*w = workers(n)
	return nil
}

// Type names it in the help.
func (w *workers) Type() string { return "int" }

// maxWait is how many days approvals can be waited for: longer than any invitation
// lives.
const maxWait = 366
