package sandbox

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// listing is what a list operation shows and how it may be asked.
type listing struct {
	kind    string                     // type name, for $select and for messages
	context string                     // of @odata.context
	source  func(view) []*entity       // what is in the list
	filters map[string]string          // property -> operators that $filter knows for it
	show    func(*entity, view) object // default: as stored
	mixed   bool                       // objects of several types, each named
}

// Page sizes of the directory.
// https://learn.microsoft.com/graph/paging
const (
	defaultPage = 100
	largestPage = 999
)

// pageToken is what $skiptoken carries.
type pageToken struct {
	After int  `json:"a,omitempty"` // creation number of the last object sent
	Skip  int  `json:"o,omitempty"` // objects sent, when they are ordered
	Empty bool `json:"e,omitempty"` // this page has nothing on it
}

var listParameters = []string{"$select", "$filter", "$top", "$orderby", "$count", "$search", "$expand", "$skiptoken"}

// list answers a list operation.
func (q *call) list(l listing) (*result, error) {
	if err := q.parameters(listParameters); err != nil {
		return nil, err
	}
	if err := q.checkSelect(l.kind); err != nil {
		return nil, err
	}
	if err := q.checkExpand(l.kind); err != nil {
		return nil, err
	}
	counted := q.query.Get("$count") == "true"
	if s := q.query.Get("$count"); s != "" && s != "true" && s != "false" {
		return nil, fail(http.StatusBadRequest, "BadRequest", "Invalid value '%s' for $count query option found. Valid values are 'true' and 'false'.", s)
	}
	eventual := strings.EqualFold(q.header.Get("ConsistencyLevel"), "eventual")
	needed, match, err := parseFilter(q.query.Get("$filter"), l.kind, l.filters)
	if err != nil {
		return nil, err
	}
	order := q.query.Get("$orderby")
	needed = needed || order != "" && q.query.Get("$filter") != ""
	search, err := parseSearch(q.query)
	if err != nil {
		return nil, err
	}
	switch {
	case search != nil && !eventual:
		return nil, fail(http.StatusBadRequest, "Request_UnsupportedQuery", "Request with $search query parameter only works through MSGraph with a special request header: 'ConsistencyLevel: eventual'")
	case needed && !(eventual && counted):
		return nil, fail(http.StatusBadRequest, "Request_UnsupportedQuery", "Operator or combination of query parameters is only supported with the header 'ConsistencyLevel: eventual' and $count=true.")
	}
	v := q.v
	if needed || search != nil {
		v = q.c.lookIndexed()
	}
	type item struct {
		e    *entity
		data object
	}
	var items []item
	byID := idWord.MatchString(q.query.Get("$filter"))
	for _, e := range l.source(v) {
		data := e.read(v)
		if l.show != nil {
			data = l.show(e, v)
		}
		if byID {
			data = with(data, object{"id": e.id})
		}
		if match(data) && (search == nil || search(data)) {
			items = append(items, item{e, data})
		}
	}
	if order != "" {
		property, direction, _ := strings.Cut(order, " ")
		direction = strings.TrimSpace(direction)
		if property != "displayName" || direction != "" && direction != "asc" && direction != "desc" || l.filters["displayName"] == "" {
			return nil, fail(http.StatusBadRequest, "Request_UnsupportedQuery", "Sorting not supported for current query.")
		}
		sort.SliceStable(items, func(i, j int) bool {
			a, b := strings.ToLower(str(items[i].data, property)), strings.ToLower(str(items[j].data, property))
			if direction == "desc" {
				return a > b
			}
			return a < b
		})
	}
	size, err := q.pageSize()
	if err != nil {
		return nil, err
	}
	at, err := q.pageToken()
	if err != nil {
		return nil, err
	}
	body := object{"@odata.context": q.context(l.context)}
	if counted && eventual {
		body["@odata.count"] = len(items)
	}
	start := min(at.Skip, len(items))
	if order == "" {
		start = sort.Search(len(items), func(i int) bool { return items[i].e.seq > at.After })
	}
	end := min(start+size, len(items))
	if at.Empty {
		end = start
	}
	values := []any{}
	for _, it := range items[start:end] {
		shown := q.projectOf(it.e, it.data, l.kind)
		if l.mixed {
			shown["@odata.type"] = "#microsoft.graph." + it.e.kind
		}
		values = append(values, q.expand(shown, it.e, v))
	}
	body["value"] = values
	if end < len(items) {
		next := pageToken{Skip: end, Empty: q.c.scenario.pageSize > 0 && !at.Empty}
		if order == "" {
			next.Skip, next.After = 0, at.After
			if end > start {
				next.After = items[end-1].e.seq
			}
		}
		body["@odata.nextLink"] = q.nextLink(next)
	}
	return ok(body), nil
}

func (q *call) pageSize() (int, error) {
	size := defaultPage
	if s := q.query.Get("$top"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > largestPage {
			return 0, badRequest("Invalid page size specified: '%s'. Must be between 1 and %d inclusive.", s, largestPage)
		}
		size = n
	}
	if small := q.c.scenario.pageSize; small > 0 {
		size = min(size, small)
	}
	return size, nil
}

func (q *call) pageToken() (pageToken, error) {
	var at pageToken
	text := q.query.Get("$skiptoken")
	if text == "" {
		return at, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(raw, &at) != nil {
		return at, badRequest("Specified page token value is invalid or has expired.")
	}
	return at, nil
}

// nextLink is the address of the next page: that of this one with a token.
func (q *call) nextLink(at pageToken) string {
	query := url.Values{}
	maps.Copy(query, q.query)
	query.Set("$skiptoken", segment(at))
	var parts []string
	for k := range query {
		parts = append(parts, k+"="+url.QueryEscape(query.Get(k)))
	}
	slices.Sort(parts)
	return q.url((&url.URL{Path: q.path}).EscapedPath()) + "?" + strings.Join(parts, "&")
}

// parameters refuses query options an operation does not know. What does not
// begin with a dollar sign is ignored, as the service does.
func (q *call) parameters(known []string) error {
	for name := range q.query {
		if strings.HasPrefix(name, "$") && !slices.Contains(known, name) {
			return badRequest("The query parameter '%s' is not supported.", name)
		}
		if len(q.query[name]) > 1 && strings.HasPrefix(name, "$") {
			return fail(http.StatusBadRequest, "BadRequest", "Query option '%s' was specified more than once, but it must be specified at most once.", name)
		}
	}
	return nil
}

func (q *call) selected() []string {
	if q.query.Get("$select") == "" {
		return nil
	}
	names := strings.Split(q.query.Get("$select"), ",")
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
	}
	return names
}

func (q *call) checkSelect(kind string) error {
	for _, name := range q.selected() {
		if !slices.Contains(shapes().Select[kind], name) {
			return fail(http.StatusBadRequest, "BadRequest", "Parsing OData Select and Expand failed: Could not find a property named '%s' on type 'microsoft.graph.%s'.", name, kind)
		}
	}
	return nil
}

// expandable are the relations that can be brought in, by type.
var expandable = map[string][]string{kindRoleGiven: {"roleDefinition", "principal"}, "unifiedRoleEligibilityScheduleInstance": {"roleDefinition", "principal"}, kindApplication: {"owners"}, kindPrincipal: {"owners"}}

func (q *call) checkExpand(kind string) error {
	text := q.query.Get("$expand")
	if text == "" {
		return nil
	}
	for name := range strings.SplitSeq(text, ",") {
		name, _, _ = strings.Cut(strings.TrimSpace(name), "(")
		if !slices.Contains(expandable[kind], name) {
			return fail(http.StatusBadRequest, "BadRequest", "Parsing OData Select and Expand failed: Could not find a property named '%s' on type 'microsoft.graph.%s'.", name, kind)
		}
	}
	return nil
}

// expand brings in the relations that were asked for.
func (q *call) expand(shown object, e *entity, v view) object {
	for name := range strings.SplitSeq(q.query.Get("$expand"), ",") {
		name, _, _ = strings.Cut(strings.TrimSpace(name), "(")
		data := e.read(v)
		switch name {
		case "roleDefinition":
			shown[name] = definition(roleByID(str(data, "roleDefinitionId")))
		case "principal":
			shown[name] = q.anything(v, str(data, "principalId"))
		case "owners":
			owners, _ := data["_owners"].([]any)
			found := []any{}
			for _, id := range owners {
				if o := q.anything(v, id.(string)); o != nil {
					found = append(found, o)
				}
			}
			shown[name] = found
		}
	}
	return shown
}

// anything finds a person, a service principal or a group by id. What is brought
// in comes with all its properties.
func (q *call) anything(v view, id string) any {
	for _, kind := range []string{kindUser, kindPrincipal, kindGroup} {
		if data := q.t.seen(v, kind, id); data != nil {
			shown := with(data, object{"@odata.type": "#microsoft.graph." + kind, "id": id})
			maps.DeleteFunc(shown, func(name string, _ any) bool { return strings.HasPrefix(name, "_") })
			return shown
		}
	}
	if data := q.elsewhere(id); data != nil {
		return data
	}
	return nil
}

// project leaves what $select names, or what the service sends without it. The
// sandbox's own properties never leave.
func (q *call) project(data object, kind string) object {
	names := q.selected()
	if names == nil {
		names = defaultProperties[kind]
	}
	var texts map[string]json.RawMessage
	if kind == kindPrincipal && (names == nil || slices.Contains(names, "appRoles") || slices.Contains(names, "oauth2PermissionScopes")) {
		if known := q.t.known[str(data, "appId")]; known != nil {
			texts = known.texts
		}
	}
	show := func(out object, name string, value any) {
		if text, long := texts[name]; long {
			value = text
		}
		out[name] = value
	}
	if names == nil {
		out := make(object, len(data)+1)
		for name, value := range data {
			if !strings.HasPrefix(name, "_") {
				show(out, name, value)
			}
		}
		return out
	}
	out := make(object, len(names)+1)
	for _, name := range names {
		if value, there := data[name]; there && !strings.HasPrefix(name, "_") {
			show(out, name, value)
		}
	}
	return out
}

// projectOf is project for what is stored, which does not hold its own id: copying
// a service principal to put that in costs more than all the rest.
func (q *call) projectOf(e *entity, data object, kind string) object {
	out := q.project(data, kind)
	names := q.selected()
	if names == nil {
		names = defaultProperties[kind]
	}
	if names == nil || slices.Contains(names, "id") {
		out["id"] = e.id
	}
	return out
}

// idWord finds the property id in a filter.
var idWord = regexp.MustCompile(`\bid\b`)

// defaultProperties are what is sent of a person without $select.
// https://learn.microsoft.com/graph/api/user-get
var defaultProperties = map[string][]string{
	kindUser: {
		"businessPhones", "displayName", "givenName", "id", "jobTitle", "mail", "mobilePhone", "officeLocation", "preferredLanguage",
		"surname", "userPrincipalName",
	},
}

// one answers an operation on a single object.
func (q *call) one(e *entity, data object, kind, context string) (*result, error) {
	if err := q.parameters([]string{"$select", "$expand"}); err != nil {
		return nil, err
	}
	if err := q.checkSelect(kind); err != nil {
		return nil, err
	}
	if err := q.checkExpand(kind); err != nil {
		return nil, err
	}
	shown := q.projectOf(e, data, kind)
	shown["@odata.context"] = q.context(context + "/$entity")
	return ok(q.expand(shown, e, q.v)), nil
}

// fixed makes a list of objects that are not in the world, such as domains.
func fixed(kind string, objects ...object) func(view) []*entity {
	var list []*entity
	for i, o := range objects {
		id := str(o, "id")
		list = append(list, &entity{kind: kind, id: id, seq: i + 1, versions: []version{{data: o}}})
	}
	return func(view) []*entity { return list }
}

// parseSearch reads $search="displayName:text".
func parseSearch(query url.Values) (func(object) bool, error) {
	text := query.Get("$search")
	if text == "" {
		return nil, nil
	}
	property, want, found := strings.Cut(strings.Trim(text, `"`), ":")
	if !found || !strings.HasPrefix(text, `"`) || !strings.HasSuffix(text, `"`) || property != "displayName" {
		return nil, badRequest("Unrecognized $search clause: '%s'.", text)
	}
	want = strings.ToLower(want)
	return func(o object) bool { return strings.Contains(strings.ToLower(str(o, property)), want) }, nil
}
