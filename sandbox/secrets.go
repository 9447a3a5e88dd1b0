package sandbox

import (
	"net/http"
	"time"
	"unicode/utf8"
)

// shownPassword is a secret as it is read: without its value.
func shownPassword(e *entity, key object, secret any) object {
	return object{
		"customKeyIdentifier": key["customKeyIdentifier"], "displayName": key["displayName"], "endDateTime": key["endDateTime"],
		"hint": key["hint"], "keyId": e.id, "secretText": secret, "startDateTime": key["startDateTime"],
	}
}

// addPassword makes a secret. Its value is in this answer and nowhere else.
// https://learn.microsoft.com/graph/api/application-addpassword
func (q *call) addPassword() (*result, error) {
	body, e, _, err := q.managed("addPassword_body", q.application)
	if err != nil {
		return nil, err
	}
	given, _ := body["passwordCredential"].(map[string]any)
	if name := str(given, "displayName"); utf8.RuneCountInString(name) > 120 {
		return nil, invalid("passwordCredential.displayName", "The value is too long.")
	}
	start := q.c.now().Truncate(time.Second)
	if s := str(given, "startDateTime"); s != "" {
		start, _ = time.Parse(time.RFC3339, s)
	}
	end := start.AddDate(2, 0, 0)
	if s := str(given, "endDateTime"); s != "" {
		end, _ = time.Parse(time.RFC3339, s)
	}
	if !end.After(start) || !end.After(q.c.now()) {
		return nil, badRequest("Key credential end date is invalid.").with("KeyCredentialsInvalidEndDate", "The end date is before the start date or in the past.", "endDateTime")
	}
	if err := q.passwordPolicy(end.Sub(start)); err != nil {
		return nil, err
	}
	if err := q.exclusive(e.id); err != nil {
		return nil, err
	}
	secret := q.c.secretText()
	key := object{
		"_app": e.id, "_secret": secret, "customKeyIdentifier": nil, "displayName": given["displayName"], "hint": secret[:3],
		"startDateTime": stamp(start), "endDateTime": stamp(end),
	}
	k := q.c.add(q.t, kindPassword, q.c.guid(), key, false)
	shown := shownPassword(k, key, secret)
	shown["@odata.context"] = q.context("microsoft.graph.passwordCredential")
	return ok(shown), nil
}

// passwordPolicy applies the tenant's app management policy.
// https://learn.microsoft.com/graph/api/resources/tenantappmanagementpolicy
func (q *call) passwordPolicy(life time.Duration) error {
	switch {
	case q.t.secretsForbidden:
		return fail(http.StatusBadRequest, "CredentialTypeNotAllowedAsPerAppPolicy", "Credential type not allowed as per assigned policy '%s'.", defaultPolicyName).
			with("CredentialTypeNotAllowedAsPerAppPolicy", "Password credentials may not be added.", "passwordCredentials")
	case q.t.secretLifetime > 0 && life > q.t.secretLifetime:
		return fail(http.StatusBadRequest, "CredentialInvalidLifetimeAsPerAppPolicy", "Credential lifetime exceeds the max value allowed as per assigned policy '%s'.", defaultPolicyName).
			with("CredentialInvalidLifetimeAsPerAppPolicy", "The lifetime is limited to "+isoDays(q.t.secretLifetime)+".", "passwordCredentials")
	}
	return nil
}

func (q *call) removePassword() (*result, error) {
	body, e, _, err := q.managed("removePassword_body", q.application)
	if err != nil {
		return nil, err
	}
	id := str(body, "keyId")
	k := q.t.find(kindPassword, id)
	if k == nil || k.live(q.c.master()) == nil || str(k.read(q.c.master()), "_app") != e.id {
		return nil, badRequest("No password credential found with keyId '%s'.", id)
	}
	if err := q.exclusive(e.id); err != nil {
		return nil, err
	}
	q.c.write(k, nil)
	return noContent(), nil
}
