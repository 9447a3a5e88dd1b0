package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

const (
	alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	base64url    = alphanumeric + "-_"
	// User codes leave out what is easily misread.
	codeLetters = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
)

// pick draws n characters of an alphabet. Like everything here that uses the
// seeded source it needs mu.
func (c *Cloud) pick(alphabet string, n int) string {
	var b strings.Builder
	for range n {
		b.WriteByte(alphabet[c.rng.IntN(len(alphabet))])
	}
	return b.String()
}

func (c *Cloud) random(n int) string { return c.pick(base64url, n) }

// guid makes a random identifier in the form of version 4.
func (c *Cloud) guid() string {
	var b [16]byte
	for i := range b {
		b[i] = byte(c.rng.Uint32())
	}
	return formatGUID(b)
}

// namedGUID is always the same for a name: tenants keep their ids from one
// sandbox to the next.
func namedGUID(name string) string {
	sum := sha256.Sum256([]byte("msbundle sandbox " + name))
	return formatGUID([16]byte(sum[:16]))
}

func formatGUID(b [16]byte) string {
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	var text [36]byte
	for i, part := range [][]byte{b[0:4], b[4:6], b[6:8], b[8:10], b[10:16]} {
		hex.Encode(text[[]int{0, 9, 14, 19, 24}[i]:], part)
	}
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return string(text[:])
}

// secretText looks like the secrets the service makes: 40 characters, the
// fourth to sixth of the form "x8Q~". A canary takes the place of some of them.
func (c *Cloud) secretText() string {
	head := c.pick(alphanumeric, 3) + "8Q~"
	tail := c.opts.Canary
	if n := 40 - len(head) - len(tail); n > 0 {
		tail = c.pick(alphanumeric+"~._-", n) + tail
	}
	return head + tail
}

// opaque is a token nobody is meant to read, with the canary in it.
func (c *Cloud) opaque(prefix string, n int) string {
	return prefix + c.random(n) + c.opts.Canary
}

// chance is true with the given probability.
func (c *Cloud) chance(p float64) bool { return c.rng.Float64() < p }
