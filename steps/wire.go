package steps

import (
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"msbundle/catalog"
)

// The parts of Microsoft Graph's objects the setup reads.
// https://learn.microsoft.com/graph/api/overview

type wireOrganization struct {
	ID              string `json:"id"`
	DisplayName     string `json:"displayName"`
	VerifiedDomains []struct {
		Name      string `json:"name"`
		IsDefault bool   `json:"isDefault"`
	} `json:"verifiedDomains"`
	PartnerType string `json:"partnerTenantType"`
}

func (w wireOrganization) organization() Organization {
	o := Organization{ID: w.ID, Name: w.DisplayName, PartnerType: w.PartnerType}
	for _, d := range w.VerifiedDomains {
		o.Domains = append(o.Domains, d.Name)
		if d.IsDefault {
			o.DefaultDomain = d.Name
		}
	}
	return o
}

type wireUser struct {
	ID                string `json:"id"`
	UserPrincipalName string `json:"userPrincipalName"`
	UserType          string `json:"userType"`
}

type wireRole struct {
	RoleTemplateID string `json:"roleTemplateId"`
}

type wireApplication struct {
	ID                     string           `json:"id"`
	AppID                  string           `json:"appId"`
	DisplayName            string           `json:"displayName"`
	Created                time.Time        `json:"createdDateTime"`
	Deleted                time.Time        `json:"deletedDateTime"`
	SignInAudience         string           `json:"signInAudience"`
	Tags                   []string         `json:"tags"`
	IsFallbackPublicClient *bool            `json:"isFallbackPublicClient"`
	Required               []RequiredAccess `json:"requiredResourceAccess"`
	Passwords              []wirePassword   `json:"passwordCredentials"`
	Web                    struct {
		RedirectURIs  []string `json:"redirectUris"`
		ImplicitGrant struct {
			IDTokens     bool `json:"enableIdTokenIssuance"`
			AccessTokens bool `json:"enableAccessTokenIssuance"`
		} `json:"implicitGrantSettings"`
	} `json:"web"`
}

const applicationFields = "id,appId,displayName,createdDateTime,signInAudience,tags,isFallbackPublicClient,requiredResourceAccess,passwordCredentials,web,publicClient"

type wirePassword struct {
	KeyID       string    `json:"keyId"`
	DisplayName string    `json:"displayName"`
	End         time.Time `json:"endDateTime"`
}

type wirePrincipal struct {
	ID          string   `json:"id"`
	AppID       string   `json:"appId"`
	DisplayName string   `json:"displayName"`
	Tags        []string `json:"tags"`
	Enabled     *bool    `json:"accountEnabled"`
	Assigned    bool     `json:"appRoleAssignmentRequired"`
	AppRoles    []struct {
		ID        string `json:"id"`
		Value     string `json:"value"`
		IsEnabled bool   `json:"isEnabled"`
	} `json:"appRoles"`
	Scopes []struct {
		ID        string `json:"id"`
		Value     string `json:"value"`
		IsEnabled bool   `json:"isEnabled"`
	} `json:"oauth2PermissionScopes"`
}

const (
	principalFields = "id,appId,displayName,tags,accountEnabled,appRoleAssignmentRequired"
	resourceFields  = "id,appId,displayName,appRoles,oauth2PermissionScopes"
)

type wireGrant struct {
	ID          string `json:"id"`
	ConsentType string `json:"consentType"`
	PrincipalID string `json:"principalId"`
	ResourceID  string `json:"resourceId"`
	Scope       string `json:"scope"`
}

type wireAssignment struct {
	ID         string `json:"id"`
	ResourceID string `json:"resourceId"`
	AppRoleID  string `json:"appRoleId"`
}

type wireManagementPolicy struct {
	IsEnabled    bool `json:"isEnabled"`
	Restrictions struct {
		Passwords []struct {
			Type        string    `json:"restrictionType"`
			State       string    `json:"state"`
			MaxLifetime string    `json:"maxLifetime"`
			After       time.Time `json:"restrictForAppsCreatedAfterDateTime"`
		} `json:"passwordCredentials"`
	} `json:"applicationRestrictions"`
}

func (w wireApplication) application(raw json.RawMessage) *Application {
	a := &Application{
		AppSummary:     w.summary(),
		RedirectURIs:   w.Web.RedirectURIs,
		IDTokens:       w.Web.ImplicitGrant.IDTokens,
		AccessTokens:   w.Web.ImplicitGrant.AccessTokens,
		PublicFallback: w.IsFallbackPublicClient != nil && *w.IsFallbackPublicClient,
		Tags:           w.Tags,
		Required:       w.Required,
		Raw:            raw,
	}
	for _, p := range w.Passwords {
		a.Passwords = append(a.Passwords, PasswordFound{p.KeyID, p.DisplayName, p.End})
	}
	return a
}

func (w wireApplication) summary() AppSummary {
	s := AppSummary{
		ObjectID: w.ID, AppID: w.AppID, Name: w.DisplayName, Created: w.Created, Deleted: w.Deleted,
		Audience: w.SignInAudience, Secrets: len(w.Passwords),
	}
	for _, t := range w.Tags {
		s.Ours = s.Ours || t == catalog.OwnTag
	}
	return s
}

func (w wirePrincipal) principal() *Principal {
	return &Principal{
		ObjectID: w.ID, AppID: w.AppID, Name: w.DisplayName, Tags: w.Tags,
		Disabled: w.Enabled != nil && !*w.Enabled, Assigned: w.Assigned,
	}
}

func (w wirePrincipal) resource() Resource {
	r := Resource{ObjectID: w.ID, AppID: w.AppID, Name: w.DisplayName, Roles: map[string]string{}, Scopes: map[string]string{}}
	for _, x := range w.AppRoles {
		if x.IsEnabled && x.Value != "" {
			r.Roles[x.Value] = x.ID
		}
	}
	for _, x := range w.Scopes {
		if x.IsEnabled {
			r.Scopes[x.Value] = x.ID
		}
	}
	return r
}

// quote writes a text as an OData string literal, ready for a query.
// https://learn.microsoft.com/graph/query-parameters#escaping-single-quotes
func quote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

// query puts OData options behind a path. Graph wants blanks as %20, and url.Values
// writes them as plus signs.
func query(path string, options ...string) string {
	var b strings.Builder
	b.WriteString(path)
	for i := 0; i+1 < len(options); i += 2 {
		if i == 0 {
			b.WriteByte('?')
		} else {
			b.WriteByte('&')
		}
		b.WriteString(options[i] + "=" + strings.ReplaceAll(url.QueryEscape(options[i+1]), "+", "%20"))
	}
	return b.String()
}

func encode(v any) json.RawMessage {
	out, _ := json.Marshal(v) // only called with maps of strings
	return out
}
