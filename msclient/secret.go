package msclient

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Secret is a token, a client secret or a device code. However it is printed,
// logged or encoded it reads "[redacted]"; only Reveal gives it away.
//
// fmt does not call the methods of a value in an unexported field, nor for %p, %T
// and a mistaken %w. It prints what it finds, so that must be a mere address. Two
// secrets are therefore never equal by ==; compare what Reveal gives.
type Secret struct{ value *string }

// NewSecret wraps a value that must not be shown.
func NewSecret(value string) Secret { return Secret{&value} }

// Reveal gives the value. Call it only where the value is to leave the program.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsZero tells whether there is no value.
func (s Secret) IsZero() bool { return s.Reveal() == "" }

// String hides the value.
func (s Secret) String() string { return redacted }

// GoString hides the value.
func (s Secret) GoString() string { return redacted }

// Format hides the value whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue hides the value.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the value, in JSON too.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
