package sandbox

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// shapes says which properties a body may have, at every depth, and which a
// $select may name. It is cut from the official description.
//
//go:embed data/shapes.json.gz
var shapesJSON []byte

type shape struct {
	Properties map[string]string `json:"properties"`
	Required   []string          `json:"required"`
}

type shapeTable struct {
	Bodies map[string]shape    `json:"bodies"`
	Select map[string][]string `json:"select"`
}

// shapes are read when a request first asks: who works with the real cloud does not
// wait for them.
var shapes = sync.OnceValue(func() (s shapeTable) {
	if err := json.Unmarshal(unpacked(shapesJSON), &s); err != nil {
		panic("sandbox: embedded shapes: " + err.Error())
	}
	return s
})

// read decodes and checks the body of a request.
func (q *call) read(bodyShape string) (object, error) {
	kind, _, _ := strings.Cut(q.header.Get("Content-Type"), ";")
	if strings.TrimSpace(strings.ToLower(kind)) != "application/json" {
		return nil, badRequest("Write requests (excluding DELETE) must contain the Content-Type header declaration.")
	}
	dec := json.NewDecoder(bytes.NewReader(q.body))
	dec.UseNumber()
	var body any
	if err := dec.Decode(&body); err != nil {
		return nil, fail(400, "BadRequest", "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.")
	}
	data, isObject := body.(map[string]any)
	if _, err := dec.Token(); err != io.EOF || !isObject {
		return nil, fail(400, "BadRequest", "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.")
	}
	if len(data) == 0 && q.method == "PATCH" {
		return nil, badRequest("Empty Payload. JSON content expected.")
	}
	typeName, _, _ := strings.Cut(bodyShape, "_")
	if err := checkObject(bodyShape, typeName, "", data); err != nil {
		return nil, err
	}
	for _, name := range shapes().Bodies[bodyShape].Required {
		if data[name] == nil {
			return nil, badRequest("A value is required for property '%s' of resource '%s'.", name, upperFirst(typeName)).
				with("InvalidValue", "A value is required.", name)
		}
	}
	delete(data, "@odata.type")
	return data, nil
}

func checkObject(bodyShape, typeName, path string, data object) error {
	s := shapes().Bodies[bodyShape]
	for name, value := range data {
		kind, known := s.Properties[name]
		switch {
		case known:
		case path == "" && slices.Contains(shapes().Select[typeName], name):
			return badRequest("Property '%s' is read-only and cannot be set.", name).with("ReadOnlyProperty", "The property is read-only.", name)
		default:
			return badRequest("Invalid property '%s'.", path+name).with("InvalidProperty", "The property does not exist on the resource.", path+name)
		}
		if err := checkValue(kind, path+name, value); err != nil {
			return err
		}
	}
	return nil
}

var durationPattern = regexp.MustCompile(`^-?P([0-9]+D)?(T([0-9]+H)?([0-9]+M)?([0-9]+([.][0-9]+)?S)?)?$`)

func checkValue(kind, path string, value any) error {
	kind, nullable := strings.CutSuffix(kind, "?")
	wrong := badRequest("Invalid value specified for property '%s' of the resource.", path).with("InvalidValue", "The value is not of the expected type.", path)
	if value == nil {
		if nullable {
			return nil
		}
		return wrong
	}
	if item, isList := strings.CutPrefix(kind, "["); isList {
		items, isArray := value.([]any)
		if !isArray {
			return wrong
		}
		for _, v := range items {
			if err := checkValue(strings.TrimSuffix(item, "]"), path, v); err != nil {
				return err
			}
		}
		return nil
	}
	text, isText := value.(string)
	fits := isText
	if values, isEnum := strings.CutPrefix(kind, "enum "); isEnum {
		fits = isText && slices.Contains(strings.Split(values, "|"), text)
		kind = ""
	}
	switch kind {
	case "", "string":
	case "guid":
		fits = isText && isGUID(text)
	case "time":
		_, err := time.Parse(time.RFC3339, text)
		fits = isText && err == nil
	case "duration":
		fits = isText && durationPattern.MatchString(text)
	case "bytes":
		_, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
		fits = isText && err == nil
	case "bool":
		_, fits = value.(bool)
	case "int":
		n, isNumber := value.(json.Number)
		_, err := n.Int64()
		fits = isNumber && err == nil
	case "any":
		fits = true
	default:
		child, isObject := value.(map[string]any)
		if !isObject {
			return wrong
		}
		return checkObject(kind, kind, path+".", child)
	}
	if !fits {
		return wrong
	}
	return nil
}
