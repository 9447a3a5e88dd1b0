package conform_test

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// shapeFile is what the sandbox knows of the bodies it takes: for each type its
// properties with a short word for their types, and what $select may name.
type shapeFile struct {
	Bodies map[string]shape    `json:"bodies"`
	Select map[string][]string `json:"select"`
}

// shape is one type.
type shape struct {
	Properties map[string]string `json:"properties"`
	Required   []string          `json:"required,omitempty"`
}

// readShapes cuts the shapes of every type out of the descriptions.
func readShapes(dir string) (shapeFile, error) {
	out := shapeFile{Bodies: map[string]shape{}, Select: map[string][]string{}}
	for _, file := range []string{"graph-beta.subset.yaml", "graph-v1.0.subset.yaml"} {
		doc, err := openapi3.NewLoader().LoadFromFile(filepath.Join(dir, file))
		if err != nil {
			return out, err
		}
		out.take(doc)
	}
	return out, nil
}

func (out shapeFile) take(doc *openapi3.T) {
	for name, ref := range doc.Components.Schemas {
		if !ref.Value.Type.Is("object") || len(ref.Value.OneOf) > 0 {
			continue
		}
		s := shape{Properties: map[string]string{}, Required: ref.Value.Required}
		for property, p := range ref.Value.Properties {
			if strings.HasPrefix(property, "@odata") && property != "@odata.type" && name != "reference_create" || strings.Contains(property, "@odata.context") {
				continue
			}
			if kind := word(p); kind != "" {
				s.Properties[property] = kind
			}
		}
		out.Bodies[shortName(name)] = s
	}
	for name, ref := range doc.Components.Parameters {
		if kind, isSelect := strings.CutPrefix(name, "select."); isSelect {
			for _, v := range ref.Value.Schema.Value.Items.Value.Enum {
				out.Select[kind] = append(out.Select[kind], v.(string))
			}
		}
	}
}

func shortName(name string) string { return strings.TrimPrefix(name, "microsoft.graph.") }

// word is the type of a property as the shapes write it; "" for a relation.
func word(ref *openapi3.SchemaRef) string {
	name := ref.Ref[strings.LastIndexByte(ref.Ref, '/')+1:]
	s := ref.Value
	if name == "expandedCollection" || name == "expandedEntity" {
		return ""
	}
	if ref.Ref == "" && len(s.AllOf) > 0 {
		return word(s.AllOf[0])
	}
	kind := "any"
	switch {
	case strings.HasPrefix(name, "Edm.Guid"):
		kind = "guid"
	case strings.HasPrefix(name, "Edm.DateTimeOffset"):
		kind = "time"
	case strings.HasPrefix(name, "Edm.Duration"):
		kind = "duration"
	case len(s.OneOf) > 0:
		return "any"
	case s.Type.Is("object") && name != "":
		kind = shortName(name)
	case s.Type.Is("array"):
		kind = "[" + word(s.Items) + "]"
	case s.Type.Is("string") && len(s.Enum) > 0:
		var values []string
		for _, v := range s.Enum {
			if text, isText := v.(string); isText && !slices.Contains(values, text) {
				values = append(values, text)
			}
		}
		kind = "enum " + strings.Join(values, "|")
	case s.Type.Is("string") && s.Format == "base64url":
		kind = "bytes"
	case s.Type.Is("string"):
		kind = "string"
	case s.Type.Is("boolean"):
		kind = "bool"
	case s.Type.Is("integer"), s.Type.Is("number"):
		kind = "int"
	}
	if s.Nullable {
		kind += "?"
	}
	return kind
}
