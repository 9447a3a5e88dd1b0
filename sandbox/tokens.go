package sandbox

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// token is what an access token says.
// https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
type token struct {
	Audience string   `json:"aud"`
	Issuer   string   `json:"iss"`
	IssuedAt int64    `json:"iat"`
	NotFrom  int64    `json:"nbf"`
	Expires  int64    `json:"exp"`
	Account  *int     `json:"acct,omitempty"` // 0 member, 1 guest
	AMR      []string `json:"amr,omitempty"`
	AppID    string   `json:"appid"`
	AppAuth  string   `json:"appidacr"` // "0" public client, "1" secret
	IDType   string   `json:"idtyp"`    // user or app
	Name     string   `json:"name,omitempty"`
	ObjectID string   `json:"oid"`
	Scopes   string   `json:"scp,omitempty"`
	Roles    []string `json:"roles,omitempty"`
	Subject  string   `json:"sub"`
	Tenant   string   `json:"tid"`
	UPN      string   `json:"upn,omitempty"`
	Username string   `json:"preferred_username,omitempty"`
	Unique   string   `json:"unique_name,omitempty"`
	Provider string   `json:"idp,omitempty"` // who vouches for somebody from elsewhere
	Nonce    string   `json:"uti"`
	Version  string   `json:"ver"`
	RoleIDs  []string `json:"wids,omitempty"`
	Session  string   `json:"sid,omitempty"`
	// What the client said it can cope with.
	Capabilities []string `json:"xms_cc,omitempty"`

	words []string // of Scopes
}

// memberMarker is in wids for every user of a tenant.
const memberMarker = "b79fbf4d-3ef9-4689-8143-76b194e85509"

// sign makes a JWT. The canary follows the signature, where it is not encoded.
func (c *Cloud) sign(claims any) string {
	head := segment(object{"typ": "JWT", "alg": "HS256"})
	text := head + "." + segment(claims)
	return text + "." + c.signature(text) + c.opts.Canary
}

func (c *Cloud) signature(text string) string {
	mac := hmac.New(sha256.New, c.key)
	mac.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func segment(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("sandbox: claims cannot be encoded: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// bearer reads and checks the access token of a request to an API.
func (c *Cloud) bearer(r *http.Request, audience string) (*token, *graphError) {
	scheme, raw, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	raw = strings.TrimSpace(raw)
	if raw == "" {
		return nil, unauthorized("Access token is empty.")
	}
	parts := strings.Split(raw, ".")
	if !strings.EqualFold(scheme, "Bearer") || len(parts) != 3 {
		return nil, unauthorized("CompactToken parsing failed with error code: 80049217")
	}
	if !hmac.Equal([]byte(parts[2]), []byte(c.signature(parts[0]+"."+parts[1])+c.opts.Canary)) {
		return nil, unauthorized("Access token validation failure. Invalid signature.")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	var t token
	if err != nil || json.Unmarshal(payload, &t) != nil {
		return nil, unauthorized("CompactToken parsing failed with error code: 80049217")
	}
	switch now := c.now().Unix(); {
	case t.Audience != audience:
		return nil, unauthorized("Access token validation failure. Invalid audience.")
	case now >= t.Expires:
		return nil, unauthorized("Lifetime validation failed, the token is expired.")
	case c.tenants[t.Tenant] == nil:
		return nil, unauthorized("Access token validation failure. Invalid tenant.")
	}
	if cloud, isGraph := cloudOfGraph(strings.TrimPrefix(audience, "https://")); isGraph {
		if c.tenants[t.Tenant].abroad(cloud.Login) {
			return nil, unauthorized("InvalidCloudInstance")
		}
		if err := c.challenge(&t); err != nil {
			return nil, err
		}
	}
	return &t, nil
}

// has tells whether the token carries a permission.
func (t *token) has(permission string) bool {
	if t.IDType == "app" {
		return slices.Contains(t.Roles, permission)
	}
	if t.words == nil {
		t.words = strings.Fields(t.Scopes)
	}
	return slices.Contains(t.words, permission)
}

// holds tells whether the signed-in person has one of these directory roles. A
// role given after the token was issued is not in it.
func (t *token) holds(roles ...string) bool {
	return slices.ContainsFunc(roles, func(r string) bool { return slices.Contains(t.RoleIDs, r) })
}

func (t *token) guest() bool { return t.Account != nil && *t.Account == 1 }

// lifetime of access tokens varies between 60 and 90 minutes.
// https://learn.microsoft.com/entra/identity-platform/access-tokens#token-lifetime
func (c *Cloud) lifetime() time.Duration {
	return time.Hour + time.Duration(c.rng.IntN(1800))*time.Second
}

// userToken is an access token for a person who uses a client.
func (c *Cloud) userToken(t *tenant, user *entity, audience string, scopes []string, s *session, can []string) (string, time.Duration) {
	person := user.read(c.master())
	life := c.lifetime()
	account := 0
	wids := append(t.effectiveRoles(c.master(), user.id), memberMarker)
	if str(person, "userType") == "Guest" {
		account = 1
		wids = nil
	}
	claims := c.baseClaims(t, audience, s.client, life)
	claims.Account, claims.AMR, claims.AppAuth, claims.IDType = &account, s.amr, "1", "user"
	if t.find(kindUser, user.id) == nil { // somebody of the partner at a customer
		claims.Account, claims.Provider, wids = nil, issuerOf(s.home), c.delegatedRoles(s.home, user.id, t.id)
	}
	if s.public {
		claims.AppAuth = "0"
	}
	claims.Session, claims.Capabilities = s.id, slices.Compact(slices.Clone(can))
	claims.Name, claims.ObjectID, claims.Scopes = str(person, "displayName"), user.id, strings.Join(scopes, " ")
	claims.Subject, claims.RoleIDs = namedGUID(user.id+audience+s.client), wids
	claims.UPN, claims.Unique, claims.Username = str(person, "userPrincipalName"), str(person, "userPrincipalName"), str(person, "userPrincipalName")
	return c.sign(claims), life
}

// appToken is an access token for an app that acts as itself.
func (c *Cloud) appToken(t *tenant, principal *entity, clientID, audience string, roles []string) (string, time.Duration) {
	life := c.lifetime()
	claims := c.baseClaims(t, audience, clientID, life)
	claims.AppAuth, claims.IDType, claims.ObjectID, claims.Subject, claims.Roles = "1", "app", principal.id, principal.id, roles
	return c.sign(claims), life
}

func (c *Cloud) baseClaims(t *tenant, audience, clientID string, life time.Duration) token {
	now := c.now()
	return token{
		Audience: audience, Issuer: "https://sts.windows.net/" + t.id + "/", IssuedAt: now.Unix(), NotFrom: now.Unix(),
		Expires: now.Add(life).Unix(), AppID: clientID, Tenant: t.id, Nonce: c.random(22), Version: "1.0",
	}
}

// idToken tells the client who signed in.
// https://learn.microsoft.com/entra/identity-platform/id-token-claims-reference
func (c *Cloud) idToken(host string, t *tenant, user *entity, clientID, nonce string) string {
	person, now := user.read(c.master()), c.now()
	claims := object{
		"aud": clientID, "iss": "https://" + host + "/" + t.id + "/v2.0", "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"name": person["displayName"], "oid": user.id, "preferred_username": person["userPrincipalName"], "sub": namedGUID(user.id + clientID),
		"tid": t.id, "uti": c.random(22), "ver": "2.0",
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	return c.sign(claims)
}

// clientInfo is how client libraries build the key of an account.
func clientInfo(t *tenant, user *entity) string {
	return segment(object{"uid": user.id, "utid": t.id})
}
