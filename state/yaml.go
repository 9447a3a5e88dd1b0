package state

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"msbundle/catalog"
)

// Version is the format of setup.yaml this program writes and reads.
const Version = 1

// FileError is what is wrong with a setup file, with its place.
type FileError struct {
	File string
	Line int    // 0 when the file as a whole is meant
	Key  string // "registration.name"; empty when the file as a whole is meant
	Text string
}

func (e *FileError) Error() string {
	s := e.File
	if e.Line > 0 {
		s += fmt.Sprintf(", line %d", e.Line)
	}
	if e.Key != "" {
		s += ", " + e.Key
	}
	return s + ": " + e.Text
}

// LoadAnswers reads and checks a setup file. All faults found are joined, each a
// *FileError that names line and key.
func LoadAnswers(path string) (Answers, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return Answers{}, &FileError{File: path, Text: "there is no such file; the wizard writes one, and examples/ has some to copy"}
		}
		return Answers{}, &FileError{File: path, Text: err.Error()}
	}
	return ParseAnswers(path, data)
}

// ParseAnswers reads a setup file's text; name is used in errors.
func ParseAnswers(name string, data []byte) (Answers, error) {
	p := &parser{file: name, lines: map[string]int{}}
	root, err := p.document(data)
	if err != nil {
		p.errs = append(p.errs, err)
	} else {
		p.findSecrets(root, "")
	}
	p.findSecretLines(data)
	if len(p.errs) > 0 { // nothing of such a file is used or repeated
		return Answers{}, errors.Join(p.errs...)
	}
	if err := p.version(root); err != nil {
		return Answers{}, err
	}
	a := p.answers(root)
	if a.GDAP != nil {
		a.GDAP.File = beside(name, a.GDAP.File)
	}
	if a.Customers != nil {
		a.Customers.Mapping = beside(name, a.Customers.Mapping)
	}
	if len(p.errs) > 0 {
		return Answers{}, errors.Join(p.errs...)
	}
	for _, bad := range a.Validate() {
		p.errs = append(p.errs, &FileError{File: name, Line: p.line(bad.Key), Key: bad.Key, Text: bad.Text})
	}
	return a, errors.Join(p.errs...)
}

// document reads the one YAML document of a file.
func (p *parser) document(data []byte) (*yaml.Node, error) {
	if line := firstLine(data, func(l []byte) bool { return !utf8.Valid(l) }); line > 0 {
		return nil, &FileError{File: p.file, Line: line, Text: "this is not UTF-8 text; save the file as UTF-8"}
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, &FileError{File: p.file, Text: "the file is empty; begin with version: 1"}
	} else if err != nil {
		line, text := yamlErrorLine(err, data)
		return nil, &FileError{File: p.file, Line: line, Text: "this is not YAML: " + text}
	}
	var second yaml.Node
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, &FileError{File: p.file, Line: second.Line, Text: "the file holds more than one YAML document; keep one"}
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, &FileError{File: p.file, Line: root.Line, Text: "expected keys such as version: and registration: at the top"}
	}
	return root, nil
}

// firstLine is the number of the first line that is so; 0 when none is.
func firstLine(data []byte, is func([]byte) bool) int {
	n := 0
	for line := range bytes.Lines(data) {
		if n++; is(line) {
			return n
		}
	}
	return 0
}

type parser struct {
	file  string
	errs  []error
	lines map[string]int // where each key stands
}

func (p *parser) fail(line int, key, format string, args ...any) {
	p.errs = append(p.errs, &FileError{File: p.file, Line: line, Key: key, Text: fmt.Sprintf(format, args...)})
}

// line is where a key stands, or the section that lacks it.
func (p *parser) line(key string) int {
	if n, found := p.lines[key]; found {
		return n
	}
	section, _, _ := strings.Cut(key, ".")
	return p.lines[section]
}

func (p *parser) version(root *yaml.Node) error {
	for i := 0; i+1 < len(root.Content); i += 2 {
		if k, v := root.Content[i], root.Content[i+1]; k.Value == "version" {
			var n int
			if err := v.Decode(&n); err != nil || n < 1 {
				return &FileError{File: p.file, Line: v.Line, Key: "version", Text: fmt.Sprintf("%s is not a version; use version: %d", quote(v.Value), Version)}
			}
			if n > Version {
				return &FileError{File: p.file, Line: v.Line, Key: "version", Text: fmt.Sprintf(
					"this file is version %d and this program reads up to %d; use a newer msbundle", n, Version)}
			}
			return nil
		}
	}
	return &FileError{File: p.file, Line: 1, Key: "version", Text: fmt.Sprintf("missing; add version: %d at the top", Version)}
}

func (p *parser) answers(root *yaml.Node) Answers {
	a := DefaultAnswers()
	p.mapping(root, "", map[string]func(*yaml.Node, string){
		"version":      func(*yaml.Node, string) {},
		"profile":      p.text(&a.Profile),
		"region":       p.text(&a.Region),
		"tenant":       p.text(&a.Tenant),
		"account":      p.text(&a.Account),
		"integrations": p.list(&a.Integrations, "[graph, csp]"),
		"registration": func(n *yaml.Node, key string) {
			p.mapping(n, key, map[string]func(*yaml.Node, string){
				"kind":     p.text(&a.Registration.Kind),
				"name":     p.text(&a.Registration.Name),
				"audience": p.text(&a.Registration.Audience),
				"appId":    p.text(&a.Registration.AppID),
			})
		},
		"permissions": func(n *yaml.Node, key string) {
			p.mapping(n, key, map[string]func(*yaml.Node, string){
				"base":   p.text(&a.Permissions.Base),
				"add":    p.list(&a.Permissions.Add, "[User.Read.All]"),
				"remove": p.list(&a.Permissions.Remove, "[User.Read.All]"),
			})
		},
		"serviceAccount": func(n *yaml.Node, key string) {
			s := DefaultServiceAccount()
			a.ServiceAccount = &s
			p.mapping(n, key, map[string]func(*yaml.Node, string){
				"create": p.truth(&s.Create), "username": p.text(&s.Username), "displayName": p.text(&s.DisplayName),
				"roles": p.text(&s.Roles), "mfa": p.text(&s.MFA),
			})
		},
		"conditionalAccess": func(n *yaml.Node, key string) {
			c := DefaultConditionalAccess()
			a.ConditionalAccess = &c
			p.mapping(n, key, map[string]func(*yaml.Node, string){"policy": p.text(&c.Policy), "exclude": p.truth(&c.Exclude)})
		},
		"azure": func(n *yaml.Node, key string) {
			z := DefaultAzure()
			a.Azure = &z
			p.mapping(n, key, map[string]func(*yaml.Node, string){
				"subscription": p.text(&z.Subscription), "resourceGroup": p.text(&z.ResourceGroup), "location": p.text(&z.Location),
				"vault": p.text(&z.Vault), "role": p.text(&z.Role),
			})
		},
		"gdap": func(n *yaml.Node, key string) {
			g := DefaultGDAP()
			a.GDAP = &g
			named := false
			p.mapping(n, key, map[string]func(*yaml.Node, string){
				"customers": func(n *yaml.Node, key string) {
					named = true
					p.allOrList(&g.All, &g.Customers)(n, key)
				},
				"roles": func(n *yaml.Node, key string) {
					if n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
						p.fail(n.Line, key, "a relationship without a role is of no use; name roles, or leave the key out for all twelve")
					}
					p.list(&g.Roles, "[User Administrator]")(n, key)
				},
				"file": p.text(&g.File), "account": p.text(&g.Account), "groupName": p.text(&g.GroupName),
				"relationshipName": p.text(&g.RelationshipName), "days": p.number(&g.Days), "autoExtend": p.truth(&g.AutoExtend),
			})
			if !named && g.File != "" { // whoever names a table means those in it
				g.All = false
			}
		},
		"customers": func(n *yaml.Node, key string) {
			c := DefaultCustomers()
			a.Customers = &c
			p.mapping(n, key, map[string]func(*yaml.Node, string){
				"consent": p.allOrList(&c.All, &c.Consent), "mapping": p.text(&c.Mapping), "exclude": p.truth(&c.Exclude),
				"route": p.route(&c.Direct),
			})
		},
		"exchange": func(n *yaml.Node, key string) {
			x := DefaultExchange()
			a.Exchange = &x
			p.mapping(n, key, map[string]func(*yaml.Node, string){"administrator": p.truth(&x.Administrator)})
		},
	})
	_, registration := p.lines["registration"]
	_, permissions := p.lines["permissions"]
	a.NoApp = !registration && !permissions && (a.Ready() || a.GDAP != nil || a.Customers != nil)
	if !slices.Contains(a.Integrations, catalog.Graph) {
		a.Integrations = append([]string{catalog.Graph}, a.Integrations...)
	}
	return a
}

func (p *parser) mapping(n *yaml.Node, key string, fields map[string]func(*yaml.Node, string)) {
	if n.Kind != yaml.MappingNode {
		p.fail(n.Line, key, "expected keys under it, such as %s", strings.Join(sortedKeys(fields), ", "))
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		path := join(key, k.Value)
		p.lines[path] = k.Line
		read, known := fields[k.Value]
		switch {
		case seen[k.Value]:
			p.fail(k.Line, path, "this key stands here twice; keep one")
		case !known:
			p.fail(k.Line, path, "unknown key%s", suggestion(k.Value, sortedKeys(fields)))
		default:
			read(v, path)
		}
		seen[k.Value] = true
	}
}

func (p *parser) text(into *string) func(*yaml.Node, string) {
	return func(n *yaml.Node, key string) {
		if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
			p.fail(n.Line, key, "expected a text")
			return
		}
		*into = n.Value
	}
}

func (p *parser) number(into *int) func(*yaml.Node, string) {
	return func(n *yaml.Node, key string) {
		if n.Kind != yaml.ScalarNode || n.Tag != "!!int" || n.Decode(into) != nil {
			p.fail(n.Line, key, "expected a whole number")
		}
	}
}

func (p *parser) truth(into *bool) func(*yaml.Node, string) {
	return func(n *yaml.Node, key string) {
		if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" || n.Decode(into) != nil {
			p.fail(n.Line, key, "expected true or false")
		}
	}
}

func (p *parser) list(into *[]string, example string) func(*yaml.Node, string) {
	return func(n *yaml.Node, key string) {
		if n.Kind != yaml.SequenceNode {
			p.fail(n.Line, key, "expected a list, for example %s", example)
			return
		}
		out := make([]string, 0, len(n.Content))
		for _, e := range n.Content {
			if e.Kind != yaml.ScalarNode || e.Tag == "!!null" {
				p.fail(e.Line, key, "expected a list of texts")
				return
			}
			out = append(out, e.Value)
		}
		*into = out
	}
}

// allOrList reads the word all or a list of customers.
func (p *parser) allOrList(all *bool, some *[]string) func(*yaml.Node, string) {
	return func(n *yaml.Node, key string) {
		switch *all = n.Kind == yaml.ScalarNode && n.Value == AllCustomers; {
		case *all:
		case n.Kind != yaml.SequenceNode:
			p.fail(n.Line, key, "expected %s, or a list of tenant ids and domains, for example [fabrikam.onmicrosoft.com]", AllCustomers)
		default:
			p.list(some, "[fabrikam.onmicrosoft.com]")(n, key)
		}
	}
}

func (p *parser) route(direct *bool) func(*yaml.Node, string) {
	return func(n *yaml.Node, key string) {
		if n.Kind != yaml.ScalarNode || n.Value != RouteGDAP && n.Value != RouteDirect {
			p.fail(n.Line, key, "expected %s or %s", RouteGDAP, RouteDirect)
			return
		}
		*direct = n.Value == RouteDirect
	}
}

func join(parent, key string) string {
	if parent == "" {
		return key
	}
	return parent + "." + key
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// suggestion names the key that was probably meant.
func suggestion(word string, known []string) string {
	for _, k := range known {
		if word != "" && (strings.HasPrefix(strings.ToLower(k), strings.ToLower(word)) || oneEdit(k, word)) {
			return fmt.Sprintf("; did you mean %s?", k)
		}
	}
	return "; known here: " + strings.Join(known, ", ")
}

// oneEdit tells whether one inserted, removed or replaced letter, or two
// neighbours swapped, turns a into b.
func oneEdit(a, b string) bool {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	j := 0
	for j < len(a)-i && j < len(b)-i && a[len(a)-1-j] == b[len(b)-1-j] {
		j++
	}
	restA, restB := a[i:len(a)-j], b[i:len(b)-j]
	return len(restA) <= 1 && len(restB) <= 1 ||
		len(restA) == 2 && len(restB) == 2 && restA[0] == restB[1] && restA[1] == restB[0]
}

var (
	yamlLine   = regexp.MustCompile(`(?s)^yaml: (?:line (\d+): )?(.*)`)
	yamlParser = regexp.MustCompile(`^(did not find expected|found (duplicate|undefined|incompatible))`)
	yamlAlias  = regexp.MustCompile(`(?s)^unknown anchor '(.*)' referenced`)
)

// yamlErrorLine takes apart what the YAML library says. It names no line for the
// first one, and its parser (unlike its scanner) counts from 0. A text that
// begins with a star is read as an alias, which the library repeats; it may be a
// password.
func yamlErrorLine(err error, data []byte) (int, string) {
	m := yamlLine.FindStringSubmatch(err.Error())
	if m == nil {
		return 1, "it cannot be read"
	}
	text := m[2]
	if alias := yamlAlias.FindStringSubmatch(text); alias != nil {
		line := firstLine(data, func(l []byte) bool { return bytes.Contains(l, []byte("*"+alias[1])) })
		return line, "put texts that begin with * in quotes"
	}
	if line, err := strconv.Atoi(m[1]); err == nil {
		if yamlParser.MatchString(text) {
			line = min(line+1, 1+bytes.Count(bytes.TrimSpace(data), []byte("\n")))
		}
		return line, text
	}
	control := firstLine(data, func(l []byte) bool {
		return bytes.ContainsFunc(l, func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\t\r\n", r) })
	})
	return max(control, 1), text
}

// Encode writes the answers as setup.yaml text.
func (a Answers) Encode() []byte {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	type registration struct {
		Kind     string `yaml:"kind"`
		Name     string `yaml:"name"`
		Audience string `yaml:"audience"`
		AppID    string `yaml:"appId,omitempty"`
	}
	type permissions struct {
		Base   string   `yaml:"base"`
		Add    []string `yaml:"add,omitempty"`
		Remove []string `yaml:"remove,omitempty"`
	}
	type serviceAccount struct {
		Create      bool   `yaml:"create"`
		Username    string `yaml:"username"`
		DisplayName string `yaml:"displayName"`
		Roles       string `yaml:"roles"`
		MFA         string `yaml:"mfa"`
	}
	type conditionalAccess struct {
		Policy  string `yaml:"policy"`
		Exclude bool   `yaml:"exclude"`
	}
	type azure struct {
		Subscription  string `yaml:"subscription,omitempty"`
		ResourceGroup string `yaml:"resourceGroup"`
		Location      string `yaml:"location"`
		Vault         string `yaml:"vault,omitempty"`
		Role          string `yaml:"role"`
	}
	type gdap struct {
		Customers        any      `yaml:"customers"`
		File             string   `yaml:"file,omitempty"`
		Roles            []string `yaml:"roles,omitempty"`
		Account          string   `yaml:"account"`
		GroupName        string   `yaml:"groupName"`
		RelationshipName string   `yaml:"relationshipName"`
		Days             int      `yaml:"days"`
		AutoExtend       bool     `yaml:"autoExtend"`
	}
	type customers struct {
		Consent any    `yaml:"consent,omitempty"`
		Mapping string `yaml:"mapping,omitempty"`
		Exclude bool   `yaml:"exclude"`
		Route   string `yaml:"route"`
	}
	type exchange struct {
		Administrator bool `yaml:"administrator"`
	}
	file := struct {
		Version           int                `yaml:"version"`
		Profile           string             `yaml:"profile"`
		Region            string             `yaml:"region"`
		Tenant            string             `yaml:"tenant,omitempty"`
		Account           string             `yaml:"account,omitempty"`
		Integrations      []string           `yaml:"integrations,flow"`
		Registration      *registration      `yaml:"registration,omitempty"`
		Permissions       *permissions       `yaml:"permissions,omitempty"`
		ServiceAccount    *serviceAccount    `yaml:"serviceAccount,omitempty"`
		ConditionalAccess *conditionalAccess `yaml:"conditionalAccess,omitempty"`
		Azure             *azure             `yaml:"azure,omitempty"`
		Exchange          *exchange          `yaml:"exchange,omitempty"`
		GDAP              *gdap              `yaml:"gdap,omitempty"`
		Customers         *customers         `yaml:"customers,omitempty"`
	}{
		Version: Version, Profile: a.Profile, Region: a.Region, Tenant: a.Tenant, Account: a.Account,
		Integrations:   a.Integrations,
		ServiceAccount: (*serviceAccount)(a.ServiceAccount), ConditionalAccess: (*conditionalAccess)(a.ConditionalAccess),
		Azure: (*azure)(a.Azure), Exchange: (*exchange)(a.Exchange),
	}
	if !a.NoApp {
		file.Registration, file.Permissions = (*registration)(&a.Registration), (*permissions)(&a.Permissions)
	}
	if g := a.GDAP; g != nil {
		file.GDAP = &gdap{AllCustomers, g.File, g.Roles, g.Account, g.GroupName, g.RelationshipName, g.Days, g.AutoExtend}
		if !g.All {
			file.GDAP.Customers = append([]string{}, g.Customers...)
		}
	}
	if c := a.Customers; c != nil {
		file.Customers = &customers{Mapping: c.Mapping, Exclude: c.Exclude, Route: c.Route()}
		switch {
		case c.All:
			file.Customers.Consent = AllCustomers
		case len(c.Consent) > 0:
			file.Customers.Consent = c.Consent
		}
	}
	if err := enc.Encode(file); err != nil { // a struct of strings always encodes
		return nil
	}
	return b.Bytes()
}
