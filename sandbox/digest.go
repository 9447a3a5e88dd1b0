package sandbox

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"msbundle/catalog"
)

// Digest is the state of the world in a form that can be compared between runs:
// ids stand as what they name; there are no times, no key ids, no secrets.
type Digest struct {
	SHA256  string                   `json:"sha256"` // of Tenants
	Tenants map[string]TenantDigest  `json:"tenants"`
	Deleted map[string]DeletedDigest `json:"deleted"`
}

// TenantDigest is the state of one tenant.
type TenantDigest struct {
	Applications      []ApplicationDigest `json:"applications"`
	ServicePrincipals []PrincipalDigest   `json:"servicePrincipals"` // the tenant's own and third parties'
	Resources         []string            `json:"resources"`         // Microsoft's APIs
	Clients           []PrincipalDigest   `json:"clients"`           // Microsoft's clients that left a footprint
	Users             []UserDigest        `json:"users"`
	Groups            []GroupDigest       `json:"groups"`
	Policies          []PolicyDigest      `json:"policies"`        // of Conditional Access
	Azure             *AzureDigest        `json:"azure,omitempty"` // where there is a subscription

	Relationships []RelationshipDigest `json:"relationships,omitempty"` // of a partner
}

// ApplicationDigest is an app registration.
type ApplicationDigest struct {
	Name                   string              `json:"name"`
	Tags                   []string            `json:"tags"`
	UniqueName             string              `json:"uniqueName"`
	Description            string              `json:"description"`
	Notes                  string              `json:"notes"`
	SignInAudience         string              `json:"signInAudience"`
	RedirectURIs           []string            `json:"redirectUris"` // of the web platform; others as "spa https://..."
	IDTokens               bool                `json:"idTokens"`
	AccessTokens           bool                `json:"accessTokens"`
	PublicClient           bool                `json:"publicClient"`
	RequiredResourceAccess map[string][]string `json:"requiredResourceAccess"` // by API: "Name/delegated"
	Owners                 []string            `json:"owners"`
	Secrets                int                 `json:"secrets"`
}

// PrincipalDigest is an enterprise app and what it was given.
type PrincipalDigest struct {
	Name      string              `json:"name"`
	App       string              `json:"app"` // name of a registration here, else the app id
	Tags      []string            `json:"tags"`
	Enabled   bool                `json:"enabled"`
	Required  bool                `json:"assignmentRequired"`
	Notes     string              `json:"notes"`
	Delegated []GrantDigest       `json:"delegated"`
	Roles     map[string][]string `json:"roles"` // application permissions by API
	Directory []string            `json:"directoryRoles,omitempty"`
}

// GrantDigest is one grant of delegated permissions.
type GrantDigest struct {
	Resource    string   `json:"resource"`
	ConsentType string   `json:"consentType"`
	Principal   string   `json:"principal,omitempty"`
	Scopes      []string `json:"scopes"`
}

// UserDigest is a person.
type UserDigest struct {
	Name        string   `json:"name"` // user principal name
	DisplayName string   `json:"displayName"`
	Enabled     bool     `json:"enabled"`
	Roles       []string `json:"roles"`
	MFA         string   `json:"perUserMfa,omitempty"` // "" is disabled
}

// GroupDigest is a group.
type GroupDigest struct {
	Name           string   `json:"name"`
	Members        []string `json:"members"`
	RoleAssignable bool     `json:"roleAssignable,omitempty"`
}

// DeletedDigest are the soft-deleted objects of a tenant, by name.
type DeletedDigest struct {
	Applications      []string `json:"applications"`
	ServicePrincipals []string `json:"servicePrincipals"`
	Users             []string `json:"users"`
	Vaults            []string `json:"vaults"`
}

// Digest describes the world as the primary has it, whatever the replicas show.
func (c *Cloud) Digest() Digest {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settle()
	d := Digest{Tenants: map[string]TenantDigest{}, Deleted: map[string]DeletedDigest{}}
	for _, t := range c.order {
		name := t.name
		if _, taken := d.Tenants[name]; taken {
			name += " (" + t.domain + ")"
		}
		t.enter()
		s := snapshot{t: t, v: c.master(), tenants: c.tenants, grants: map[string][]object{}, given: map[*entity][]*entity{}}
		digest := s.tenant()
		digest.Relationships = s.relationships(c)
		d.Tenants[name] = digest
		if gone := s.deleted(); len(gone.Applications)+len(gone.ServicePrincipals)+len(gone.Vaults)+len(gone.Users) > 0 {
			d.Deleted[name] = gone
		}
	}
	text, err := json.Marshal(d.Tenants)
	if err != nil {
		panic("sandbox: digest cannot be encoded: " + err.Error())
	}
	d.SHA256 = fmt.Sprintf("%x", sha256.Sum256(text))
	return d
}

// snapshot reads a tenant for its digest.
type snapshot struct {
	t       *tenant
	v       view
	tenants map[string]*tenant
	grants  map[string][]object   // by client
	given   map[*entity][]*entity // assignments by client
}

func (s snapshot) tenant() TenantDigest {
	d := TenantDigest{
		Applications: []ApplicationDigest{}, ServicePrincipals: []PrincipalDigest{}, Resources: []string{}, Clients: []PrincipalDigest{},
		Users: []UserDigest{}, Groups: []GroupDigest{},
	}
	for _, g := range s.t.all(s.v, kindGrant) {
		grant := g.read(s.v)
		s.grants[str(grant, "clientId")] = append(s.grants[str(grant, "clientId")], grant)
	}
	for _, a := range s.t.all(s.v, kindAssignment) {
		s.given[a.link.client] = append(s.given[a.link.client], a)
	}
	for _, e := range s.t.all(s.v, kindApplication) {
		d.Applications = append(d.Applications, s.application(e))
	}
	for _, e := range s.t.all(s.v, kindPrincipal) {
		data := e.read(s.v)
		known := s.t.known[str(data, "appId")]
		switch {
		case known == nil || known.owner != microsoftTenant:
			d.ServicePrincipals = append(d.ServicePrincipals, s.principal(e))
		case known.preauthorized != nil:
			d.Clients = append(d.Clients, s.principal(e))
		default:
			d.Resources = append(d.Resources, apiName(known))
		}
	}
	for _, e := range s.t.all(s.v, kindUser) {
		data := e.read(s.v)
		u := UserDigest{
			Name: str(data, "userPrincipalName"), DisplayName: str(data, "displayName"), Enabled: data["accountEnabled"] == true, Roles: s.roles(e.id),
		}
		if state := perUserMFA(data); state != mfaDisabled {
			u.MFA = state
		}
		d.Users = append(d.Users, u)
	}
	for _, e := range s.t.all(s.v, kindGroup) {
		members, _ := e.read(s.v)["_members"].([]any)
		d.Groups = append(d.Groups, GroupDigest{
			Name: str(e.read(s.v), "displayName"), Members: s.names(members), RoleAssignable: e.read(s.v)["isAssignableToRole"] == true,
		})
	}
	d.Policies = s.policies()
	sortJSON(d.Applications)
	sortJSON(d.ServicePrincipals)
	sortJSON(d.Clients)
	sortJSON(d.Users)
	sortJSON(d.Groups)
	slices.Sort(d.Resources)
	d.Azure = s.azure()
	return d
}

// sortJSON brings objects into an order that depends on nothing but their
// contents: two apps can have the same name.
func sortJSON[T any](list []T) {
	sortBy(list, func(item T) string {
		text, err := json.Marshal(item)
		if err != nil {
			panic("sandbox: digest cannot be encoded: " + err.Error())
		}
		return string(text)
	})
}

// sortBy sorts a list in place by a text of each, stably.
func sortBy[T any](list []T, key func(T) string) {
	keys := make([]string, len(list))
	for i, item := range list {
		keys[i] = key(item)
	}
	items := slices.Clone(list)
	for i, at := range inOrder(keys) {
		list[i] = items[at]
	}
}

// inOrder are the places of texts in the order of the alphabet. It sorts places,
// not things: sorting is compiled anew for each kind of thing.
func inOrder(keys []string) []int {
	order := make([]int, len(keys))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return strings.Compare(keys[a], keys[b]) })
	return order
}

// apiName tells apart the APIs that share a display name.
func apiName(a *knownApp) string {
	if _, wrong := catalog.LookAlikeByAppID(a.appID); wrong {
		return a.name + " (" + a.appID + ")"
	}
	return a.name
}

func (s snapshot) application(e *entity) ApplicationDigest {
	data := e.read(s.v)
	web, _ := data["web"].(object)
	implicit, _ := web["implicitGrantSettings"].(object)
	d := ApplicationDigest{
		Name: str(data, "displayName"), Tags: sorted(data["tags"]), UniqueName: str(data, "uniqueName"), Description: str(data, "description"),
		Notes: str(data, "notes"), SignInAudience: str(data, "signInAudience"), RedirectURIs: sorted(web["redirectUris"]),
		IDTokens: implicit["enableIdTokenIssuance"] == true, AccessTokens: implicit["enableAccessTokenIssuance"] == true,
		PublicClient: data["isFallbackPublicClient"] == true, RequiredResourceAccess: map[string][]string{},
	}
	for _, platform := range []string{"spa", "publicClient"} {
		child, _ := data[platform].(object)
		for _, uri := range sorted(child["redirectUris"]) {
			d.RedirectURIs = append(d.RedirectURIs, platform+" "+uri)
		}
	}
	owners, _ := data["_owners"].([]any)
	d.Owners = s.names(owners)
	access, _ := data["requiredResourceAccess"].([]any)
	for _, a := range access {
		entry := a.(object)
		id := strings.ToLower(str(entry, "resourceAppId"))
		known, name := s.t.known[id], id
		if known != nil {
			name = apiName(known)
		}
		permissions := []string{}
		list, _ := entry["resourceAccess"].([]any)
		for _, p := range list {
			permissions = append(permissions, permissionName(known, p.(object)))
		}
		slices.Sort(permissions)
		d.RequiredResourceAccess[name] = permissions
	}
	for _, k := range s.t.all(s.v, kindPassword) {
		if str(k.read(s.v), "_app") == e.id {
			d.Secrets++
		}
	}
	return d
}

func permissionName(known *knownApp, p object) string {
	published, kind := []any{}, "/delegated"
	if known != nil {
		published = known.scopes
	}
	if str(p, "type") == "Role" {
		kind = "/application"
		if known != nil {
			published = known.roles
		}
	}
	if name := publishedValue(published, str(p, "id")); name != "" {
		return name + kind
	}
	return strings.ToLower(str(p, "id")) + kind
}

func (s snapshot) principal(e *entity) PrincipalDigest {
	data := e.read(s.v)
	d := PrincipalDigest{
		Name: str(data, "displayName"), App: str(data, "appId"), Tags: sorted(data["tags"]), Enabled: data["accountEnabled"] == true,
		Required: data["appRoleAssignmentRequired"] == true, Notes: str(data, "notes"), Delegated: []GrantDigest{}, Roles: map[string][]string{},
		Directory: s.roles(e.id),
	}
	if app := s.t.applicationOf(s.v, d.App); app != nil {
		d.App = str(app.read(s.v), "displayName")
	}
	for _, grant := range s.grants[e.id] {
		scopes := strings.Fields(str(grant, "scope"))
		slices.Sort(scopes)
		d.Delegated = append(d.Delegated, GrantDigest{
			Resource: s.resource(str(grant, "resourceId")), ConsentType: str(grant, "consentType"),
			Principal: s.name(str(grant, "principalId")), Scopes: slices.Compact(scopes),
		})
	}
	sortJSON(d.Delegated)
	apis := map[*entity]string{}
	for _, a := range s.given[e] {
		resource := a.link.resource
		if apis[resource] == "" {
			apis[resource] = s.resource(resource.id)
		}
		role := a.link.role
		if api := resource.live(s.v); api != nil {
			if published := s.t.roleOf(api, role); published.value != "" && role != defaultAccess {
				role = published.value
			}
		}
		d.Roles[apis[resource]] = append(d.Roles[apis[resource]], role)
	}
	for _, roles := range d.Roles {
		slices.Sort(roles)
	}
	return d
}

// roles names the directory roles of somebody.
func (s snapshot) roles(id string) []string {
	names := []string{}
	for _, role := range s.t.rolesOf(s.v, id) {
		names = append(names, roleName(role))
	}
	slices.Sort(names)
	return names
}

// resource names the API behind a service principal.
func (s snapshot) resource(id string) string {
	data := s.t.seen(s.v, kindPrincipal, id)
	if known := s.t.known[str(data, "appId")]; known != nil {
		return apiName(known)
	}
	return str(data, "displayName")
}

// name is what an id stands for.
func (s snapshot) name(id string) string {
	if data := s.t.seen(s.v, kindUser, id); data != nil {
		return str(data, "userPrincipalName")
	}
	return str(s.t.seen(s.v, kindPrincipal, id), "displayName")
}

func (s snapshot) names(ids []any) []string {
	out := []string{}
	for _, id := range ids {
		out = append(out, s.name(id.(string)))
	}
	slices.Sort(out)
	return out
}

func (s snapshot) deleted() DeletedDigest {
	d := DeletedDigest{Applications: []string{}, ServicePrincipals: []string{}, Vaults: s.deletedVaults(), Users: []string{}}
	for kind, names := range map[string]*[]string{kindApplication: &d.Applications, kindPrincipal: &d.ServicePrincipals} {
		for _, e := range s.t.tables[kind] {
			if data := e.softDeleted(s.v); data != nil {
				*names = append(*names, str(data, "displayName"))
			}
		}
		slices.Sort(*names)
	}
	for _, e := range s.t.tables[kindUser] {
		if data := e.softDeleted(s.v); data != nil {
			d.Users = append(d.Users, str(data, "_name"))
		}
	}
	slices.Sort(d.Users)
	return d
}

func sorted(list any) []string {
	items, _ := list.([]any)
	out := []string{}
	for _, v := range items {
		out = append(out, fmt.Sprint(v))
	}
	slices.Sort(out)
	return out
}
