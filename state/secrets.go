package state

import (
	"bytes"
	"regexp"

	"go.yaml.in/yaml/v3"
)

var (
	secretKey = regexp.MustCompile(`(?i)secret|passw|passphrase|pwd|token|credential|(api|access|private).?key`)
	// The value of a client secret as Entra hands it out (40 characters with "8Q~"
	// or the like after the first three), a JSON web token, or a private key.
	secretValue = regexp.MustCompile(`[A-Za-z0-9_.~-]{3}[0-9]Q~[A-Za-z0-9_.~-]{31,34}` +
		`|eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}|eyJ[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}` +
		`|-----BEGIN [A-Z ]*PRIVATE KEY-----`)
)

const (
	secretByKey   = "a setup file holds no secrets; remove this line (and replace the secret if the file was shared)"
	secretByValue = "this looks like a secret; a setup file holds none; remove it (and replace the secret if the file was shared)"
)

// findSecrets finds secrets by the names of keys and by the form of values. A
// name that is itself a secret is not repeated.
func (p *parser) findSecrets(n *yaml.Node, key string) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			k, v := n.Content[i], n.Content[i+1]
			path := join(key, k.Value)
			switch {
			case secretValue.MatchString(k.Value):
				p.fail(k.Line, key, secretByValue)
			case secretKey.MatchString(k.Value):
				p.fail(k.Line, path, secretByKey)
			default:
				p.findSecrets(v, path)
			}
		}
	case yaml.SequenceNode:
		for _, v := range n.Content {
			p.findSecrets(v, key)
		}
	case yaml.ScalarNode:
		if secretValue.MatchString(n.Value) {
			p.fail(n.Line, key, secretByValue)
		}
	}
}

// findSecretLines finds what the tree does not show: secrets in comments, and in
// a file that is no YAML.
func (p *parser) findSecretLines(data []byte) {
	known := map[int]bool{}
	for _, err := range p.errs {
		if e, ok := err.(*FileError); ok && (e.Text == secretByKey || e.Text == secretByValue) {
			known[e.Line] = true
		}
	}
	n := 0
	for line := range bytes.Lines(data) {
		if n++; secretValue.Match(line) && !known[n] {
			p.fail(n, "", secretByValue)
		}
	}
}
