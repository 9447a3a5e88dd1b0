package msclient

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// shapes are the ways a secret is carried about.
func shapes(s Secret) map[string]any {
	type open struct{ Name, Hidden any }
	type exported struct{ S Secret }
	type closed struct{ s Secret }
	type deep struct {
		list []closed
		m    map[string]closed
		p    *closed
	}
	return map[string]any{
		"plain": s, "pointer": &s, "slice": []Secret{s}, "array": [1]Secret{s}, "map value": map[string]Secret{"k": s},
		"map key": map[Secret]string{s: "v"}, "any": []any{s}, "struct": exported{s}, "pointer to struct": &exported{s},
		"unexported field": closed{s}, "pointer to unexported": &closed{s}, "deep": deep{[]closed{{s}}, map[string]closed{"k": {s}}, &closed{s}},
		"any field": open{"x", s}, "in a channel's type": struct{ s any }{s},
	}
}

func TestASecretIsNeverPrinted(t *testing.T) {
	s := NewSecret(canary + "-secret")
	hidden := func(where, text string) {
		t.Helper()
		// Also in its other spellings: hexadecimal, and the numbers of its bytes.
		for _, form := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary), fmt.Sprintf("% x", canary), strings.Trim(fmt.Sprint([]byte(canary)), "[]")} {
			if strings.Contains(text, form) {
				t.Errorf("%s: %s", where, text)
			}
		}
	}
	for shape, v := range shapes(s) {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%o", "%U", "%c", "%e", "%g", "%t", "%b", "%p", "%T", "%10s", "%-5v", "%w", "%z"} {
			hidden(shape+" "+verb, fmt.Sprintf(verb, v))
			hidden(shape+" Errorf "+verb, fmt.Errorf(verb, v).Error())
		}
		hidden(shape+" Print", fmt.Sprint(v)+fmt.Sprintln(v))
		for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
			"slog JSON": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
			"slog text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		} {
			var b bytes.Buffer
			log := slog.New(handler(&b))
			log.Info("x", "v", v)
			log.WithGroup("g").With("v", v).Info(fmt.Sprint(v), slog.Group("h", "v", v))
			hidden(shape+" "+name, b.String())
		}
		if data, err := json.Marshal(v); err == nil {
			hidden(shape+" JSON", string(data))
		}
		if data, err := xml.Marshal(v); err == nil {
			hidden(shape+" XML", string(data))
		}
		func() {
			defer func() { hidden(shape+" panic", fmt.Sprint(recover())) }()
			panic(v)
		}()
		hidden(shape+" joined", errors.Join(errors.New("x"), fmt.Errorf("%v", v)).Error())
	}
	for where, text := range map[string]string{
		"%v": fmt.Sprintf("%v", s), "%d": fmt.Sprintf("%d", s), "%#v": fmt.Sprintf("%#v", s), "String": s.String(), "GoString": s.GoString(),
		"LogValue": s.LogValue().String(), "JSON": jsonText(s), "JSON key": jsonText(map[Secret]int{s: 1}),
	} {
		if !strings.Contains(text, redacted) {
			t.Errorf("%s: got %s", where, text)
		}
	}
	if s.Reveal() != canary+"-secret" || s.IsZero() {
		t.Error("the value is lost")
	}
	if zero := (Secret{}); zero.Reveal() != "" || !zero.IsZero() || !NewSecret("").IsZero() || fmt.Sprint(zero) != redacted {
		t.Error("an empty secret is not empty, or tells that it is")
	}
}
