package sandbox

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
)

// encode writes a value as JSON, as encoding/json does. Answers are made of few
// types, and knowing them spares most of the time that answering takes.
func encode(dst []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...)
	case string:
		return encodeText(dst, v)
	case bool:
		return strconv.AppendBool(dst, v)
	case int:
		return strconv.AppendInt(dst, int64(v), 10)
	case json.RawMessage:
		return append(dst, v...)
	case object:
		return encodeMap(dst, v, encode)
	case map[string]string:
		return encodeMap(dst, v, encodeText)
	case []any:
		dst = append(dst, '[')
		for i, item := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = encode(dst, item)
		}
		return append(dst, ']')
	}
	text, err := json.Marshal(v)
	if err != nil {
		panic("sandbox: answer cannot be encoded: " + err.Error())
	}
	return append(dst, text...)
}

func encodeMap[V any](dst []byte, m map[string]V, value func([]byte, V) []byte) []byte {
	var few [40]string // enough for nearly everything, and not on the heap
	names := slices.AppendSeq(few[:0], maps.Keys(m))
	slices.Sort(names)
	dst = append(dst, '{')
	for i, name := range names {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(encodeText(dst, name), ':')
		dst = value(dst, m[name])
	}
	return append(dst, '}')
}

func encodeText(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			text, _ := json.Marshal(s) // a string can always be encoded
			return append(dst, text...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}
