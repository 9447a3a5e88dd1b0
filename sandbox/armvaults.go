package sandbox

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// vaultHosts are what the addresses of key vaults end in, by cloud.
// https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates#dns-suffixes-for-object-identifiers
var vaultHosts = map[string]string{
	"global": "vault.azure.net", "usgov": "vault.usgovcloudapi.net", "usgovdod": "vault.usgovcloudapi.net", "china": "vault.azure.cn",
}

func (t *tenant) vaultURI(name string) string {
	return "https://" + strings.ToLower(name) + "." + vaultHosts[cmp.Or(t.cloud.ID, "global")] + "/"
}

// addVault puts an empty key vault into a resource group.
func (c *Cloud) addVault(t *tenant, group, name string) *entity {
	return c.add(t, kindVault, group+keyVault+"/vaults/"+name, object{
		"location": homeRegion(t.cloud.ID), "name": name, "tags": object{}, "type": "Microsoft.KeyVault/vaults",
		"properties": object{
			"accessPolicies": []any{}, "enableRbacAuthorization": true, "enableSoftDelete": true, "enabledForDeployment": false,
			"provisioningState": "Succeeded", "publicNetworkAccess": "Enabled", "sku": object{"family": "A", "name": "standard"},
			"softDeleteRetentionInDays": 90, "tenantId": t.id, "vaultUri": t.vaultURI(name),
		},
	}, true)
}

// describeVault is a vault as it is shown: its address takes a moment to work.
func (q *armCall) describeVault(e *entity) object {
	data := e.read(q.v)
	shown := object{"id": e.id}
	for name, value := range data {
		if !strings.HasPrefix(name, "_") {
			shown[name] = value
		}
	}
	if ready, isTime := data["_ready"].(time.Time); isTime && q.c.now().Before(ready) {
		shown["properties"] = with(data["properties"].(object), object{"provisioningState": "RegisteringDns"})
	}
	return shown
}

const readVaults = "Microsoft.KeyVault/vaults/read"

// vaultsIn lists the vaults in a scope that the caller may read.
func (q *armCall) vaultsIn(scope string) []*entity {
	var list []*entity
	for _, e := range q.t.all(q.v, kindVault) {
		if within(e.id, scope) && q.may(readVaults, e.id) {
			list = append(list, e)
		}
	}
	return list
}

// vaults lists the key vaults of a subscription or a resource group, which takes
// a role for all of it.
// https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/list-by-subscription
func (q *armCall) vaults() (object, *armError) {
	scope, err := q.at(len(q.keys), readVaults)
	if err != nil {
		return nil, err
	}
	all := []any{}
	for _, e := range q.vaultsIn(scope) {
		all = append(all, q.describeVault(e))
	}
	return q.page(all)
}

func (q *armCall) vault() (object, *armError) {
	id, err := q.at(3, readVaults)
	if err != nil {
		return nil, err
	}
	return q.describeVault(q.t.find(kindVault, id)), nil
}

// ---- names

var vaultNamePattern = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9-]{1,22}[a-zA-Z0-9]$`)

func badVaultName(name string) string {
	if vaultNamePattern.MatchString(name) && !strings.Contains(name, "--") {
		return ""
	}
	return "The vault name '" + name + "' is invalid. A vault's name must be between 3-24 alphanumeric characters. The name must begin with a letter, end with a letter or digit, and not contain consecutive hyphens. Follow this link for more information: https://go.microsoft.com/fwlink/?linkid=2147742"
}

func vaultNameTaken(name string) string {
	return "The vault name '" + name + "' is already in use. Vault names are globally unique so it is possible that the name is already taken. If you are sure that the vault name was not taken then it is possible that a vault with the same name was recently deleted but not purged after being placed in a recoverable state. If the vault is in a recoverable state then the vault will need to be purged before reusing the name. For more information about VaultAlreadyExists, soft delete and purging a vault follow this link https://go.microsoft.com/fwlink/?linkid=2147740."
}

// named is the vault of a name, wherever it is; deleted tells whether it is one
// that can still be recovered.
func (c *Cloud) named(name string) (e *entity, deleted bool) {
	v := c.master()
	for _, t := range c.order {
		for _, e := range t.tables[kindVault] {
			data := e.read(v)
			if data == nil || !strings.EqualFold(str(data, "name"), name) {
				continue
			}
			until, deleted := purgedOn(data)
			if !deleted || v.now.Before(until) {
				return e, deleted
			}
		}
	}
	return nil, false
}

// checkVaultName tells whether a name is free.
// https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/check-name-availability
func (q *armCall) checkVaultName() (object, *armError) {
	if _, err := q.at(1, "Microsoft.KeyVault/checkNameAvailability/read"); err != nil {
		return nil, err
	}
	if err := q.mayUse(vaultProvider); err != nil {
		return nil, err
	}
	var in struct{ Name, Type string }
	if err := q.decode(&in); err != nil {
		return nil, err
	}
	if in.Name == "" || !strings.EqualFold(in.Type, "Microsoft.KeyVault/vaults") {
		return nil, azure(http.StatusBadRequest, "BadRequest", "An invalid value was provided for 'type'.")
	}
	if text := badVaultName(in.Name); text != "" {
		return object{"nameAvailable": false, "reason": "AccountNameInvalid", "message": text}, nil
	}
	if e, _ := q.c.named(in.Name); e != nil || containsFold(q.c.scenario.vaultsElsewhere, in.Name) {
		return object{"nameAvailable": false, "reason": "AlreadyExists", "message": vaultNameTaken(in.Name)}, nil
	}
	return object{"nameAvailable": true, "reason": nil, "message": nil}, nil
}

// ---- writes

// vaultBody is what a vault is made of.
type vaultBody struct {
	Location   string            `json:"location"`
	Tags       map[string]string `json:"tags"`
	Properties *struct {
		TenantID                     string          `json:"tenantId"`
		Sku                          *vaultSku       `json:"sku"`
		AccessPolicies               *[]accessPolicy `json:"accessPolicies"`
		EnableRbacAuthorization      *bool           `json:"enableRbacAuthorization"`
		EnableSoftDelete             *bool           `json:"enableSoftDelete"`
		EnablePurgeProtection        *bool           `json:"enablePurgeProtection"`
		SoftDeleteRetentionInDays    *int            `json:"softDeleteRetentionInDays"`
		EnabledForDeployment         bool            `json:"enabledForDeployment"`
		EnabledForDiskEncryption     *bool           `json:"enabledForDiskEncryption"`
		EnabledForTemplateDeployment *bool           `json:"enabledForTemplateDeployment"`
		PublicNetworkAccess          string          `json:"publicNetworkAccess"`
		NetworkACLs                  object          `json:"networkAcls"`
		CreateMode                   string          `json:"createMode"`
		ProvisioningState            string          `json:"provisioningState"` // not for callers to decide
		VaultURI                     string          `json:"vaultUri"`
	} `json:"properties"`
}

type vaultSku struct {
	Family string `json:"family"`
	Name   string `json:"name"`
}

// accessPolicy is what somebody may do inside a vault that does not go by roles.
type accessPolicy struct {
	TenantID      string              `json:"tenantId"`
	ObjectID      string              `json:"objectId"`
	ApplicationID string              `json:"applicationId,omitempty"`
	Permissions   map[string][]string `json:"permissions"`
}

func badVault(format string, args ...any) *armError {
	return azure(http.StatusBadRequest, "BadRequest", format, args...)
}

// check tells what is wrong with the body of a vault.
func (in *vaultBody) check(tenant string) *armError {
	p := in.Properties
	switch {
	case p == nil:
		return badVault("The parameter properties is not specified.")
	case p.TenantID == "":
		return badVault("The parameter tenantId is not specified.")
	case !strings.EqualFold(p.TenantID, tenant):
		return badVault("An invalid value was provided for 'tenantId'.")
	case p.Sku == nil:
		return badVault("The parameter sku is not specified.")
	case p.Sku.Family != "A" || p.Sku.Name != "standard" && p.Sku.Name != "premium":
		return badVault("An invalid value was provided for 'sku'.")
	case p.CreateMode != "" && p.CreateMode != "default" && p.CreateMode != "recover":
		return badVault("An invalid value was provided for 'createMode'.")
	case p.CreateMode != "recover" && p.AccessPolicies == nil && (p.EnableRbacAuthorization == nil || !*p.EnableRbacAuthorization):
		return badVault("The parameter accessPolicies is not specified.")
	case p.EnableSoftDelete != nil && !*p.EnableSoftDelete:
		return badVault(`The property "enableSoftDelete" can be set to false only for creating new vault. Enabling the 'soft delete' functionality is an irreversible action.`)
	case p.EnablePurgeProtection != nil && !*p.EnablePurgeProtection:
		return badVault(`The property "enablePurgeProtection" cannot be set to false. Enabling the purge protection for a vault is an irreversible action.`)
	case p.SoftDeleteRetentionInDays != nil && (*p.SoftDeleteRetentionInDays < 7 || *p.SoftDeleteRetentionInDays > 90):
		return badVault("An invalid value was provided for 'softDeleteRetentionInDays'.")
	}
	if p.AccessPolicies != nil {
		for _, a := range *p.AccessPolicies {
			if !isGUID(a.TenantID) || a.ObjectID == "" || a.Permissions == nil {
				return badVault("An invalid value was provided for 'accessPolicies'.")
			}
		}
	}
	return nil
}

// properties are those of the vault; before are those it had.
func (in *vaultBody) properties(t *tenant, name string, before object) (object, *armError) {
	p := in.Properties
	out := object{
		"tenantId": t.id, "sku": object{"family": p.Sku.Family, "name": p.Sku.Name}, "accessPolicies": []any{},
		"enableRbacAuthorization": p.EnableRbacAuthorization != nil && *p.EnableRbacAuthorization, "enableSoftDelete": true, "softDeleteRetentionInDays": 90,
		"enabledForDeployment": p.EnabledForDeployment, "vaultUri": t.vaultURI(name), "provisioningState": "Succeeded", "publicNetworkAccess": cmp.Or(p.PublicNetworkAccess, "Enabled"),
	}
	if p.AccessPolicies != nil {
		text, err := json.Marshal(*p.AccessPolicies)
		if err != nil {
			return nil, badVault("An invalid value was provided for 'accessPolicies'.")
		}
		var list []any
		_ = json.Unmarshal(text, &list)
		out["accessPolicies"] = list
	}
	for property, value := range map[string]*bool{
		"enabledForDiskEncryption": p.EnabledForDiskEncryption, "enabledForTemplateDeployment": p.EnabledForTemplateDeployment, "enablePurgeProtection": p.EnablePurgeProtection,
	} {
		if value != nil {
			out[property] = *value
		}
	}
	if p.NetworkACLs != nil {
		out["networkAcls"] = p.NetworkACLs
	}
	days := p.SoftDeleteRetentionInDays
	if days != nil {
		out["softDeleteRetentionInDays"] = *days
	}
	if before != nil {
		if days != nil && before["softDeleteRetentionInDays"] != *days {
			return nil, badVault(`The property "softDeleteRetentionInDays" has been set already and it can't be modified.`)
		}
		out["softDeleteRetentionInDays"] = before["softDeleteRetentionInDays"]
	}
	return out, nil
}

// putVault makes a vault, changes it, or brings a deleted one back.
// https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/create-or-update
func (q *armCall) putVault() (object, *armError) {
	if _, err := q.found(); err != nil {
		return nil, err
	}
	const action = "Microsoft.KeyVault/vaults/write"
	if path := q.where(3); !q.may(action, path) {
		return nil, q.unauthorized(action, path)
	}
	group, err := q.groupForWrite()
	if err != nil {
		return nil, err
	}
	var in vaultBody
	if err := q.decode(&in); err != nil {
		return nil, err
	}
	location, list, known := q.location(in.Location)
	switch {
	case in.Location == "":
		return nil, azure(http.StatusBadRequest, "LocationRequired", "The location property is required for this definition.")
	case !known:
		return nil, azure(http.StatusBadRequest, "LocationNotAvailableForResourceType",
			"The provided location '%s' is not available for resource type 'Microsoft.KeyVault/vaults'. List of available regions for the resource type is '%s'.", in.Location, list)
	}
	if q.c.scenario.vaultPolicy {
		return nil, q.disallowed()
	}
	if err := q.mayUse(vaultProvider); err != nil {
		return nil, err
	}
	return q.makeVault(group, location, &in)
}

func (q *armCall) groupForWrite() (*entity, *armError) {
	group := q.t.find(kindResourceGroup, q.where(2))
	if group == nil || group.live(q.v) == nil {
		return nil, azure(http.StatusNotFound, "ResourceGroupNotFound", "Resource group '%s' could not be found.", q.keys[1])
	}
	return group, q.beingDeleted(group)
}

func (q *armCall) makeVault(group *entity, location string, in *vaultBody) (object, *armError) {
	name := q.keys[2]
	if text := badVaultName(name); text != "" {
		return nil, azure(http.StatusBadRequest, "VaultNameNotValid", "%s", text)
	}
	if err := in.check(q.t.id); err != nil {
		return nil, err
	}
	id := group.id + keyVault + "/vaults/" + name
	here := q.t.find(kindVault, id)
	e, deleted := q.c.named(name)
	mine := e != nil && e == here
	switch {
	case in.Properties.CreateMode == "recover" && !(mine && deleted):
		return nil, azure(http.StatusBadRequest, "SoftDeletedVaultDoesNotExist",
			"A soft deleted vault with the given name does not exist. Ensure that the name for the vault that is being attempted to recover is in a recoverable state. For more information on soft delete please follow this link https://go.microsoft.com/fwlink/?linkid=2149745")
	case in.Properties.CreateMode == "recover":
		back := maps.Clone(e.read(q.v))
		delete(back, "deletedDateTime")
		q.c.write(e, back)
		return q.describeVault(e), nil
	case deleted && within(e.id, q.where(1)):
		return nil, azure(http.StatusConflict, "ConflictError",
			"A vault with the same name already exists in deleted state. You need to either recover or purge existing key vault. Follow this link https://go.microsoft.com/fwlink/?linkid=2149745 for more information on soft delete.")
	case e != nil && !mine, containsFold(q.c.scenario.vaultsElsewhere, name):
		return nil, azure(http.StatusConflict, "VaultAlreadyExists", "%s", vaultNameTaken(name))
	}
	var before object
	if mine {
		data := e.read(q.v)
		if has := str(data, "location"); has != location {
			return nil, azure(http.StatusConflict, "InvalidResourceLocation",
				"The resource '%s' already exists in location '%s' in resource group '%s'. A resource with the same name cannot be created in location '%s'. Please select a new resource name.",
				name, has, lastPart(group.id), in.Location)
		}
		before = data["properties"].(object)
	}
	properties, err := in.properties(q.t, name, before)
	if err != nil {
		return nil, err
	}
	data := object{
		"location": location, "name": name, "type": "Microsoft.KeyVault/vaults", "tags": tagged(in.Tags), "properties": properties, "systemData": q.systemData(),
	}
	if mine {
		data["systemData"] = with(q.systemData(), createdBy(e.read(q.v)))
		q.c.write(e, data)
		return q.describeVault(e), nil
	}
	q.status = http.StatusCreated
	data["_ready"] = q.inTime(5*time.Second, 40*time.Second)
	shown := q.describeVault(q.store(kindVault, id, data))
	shown["properties"] = with(properties, object{"provisioningState": "RegisteringDns"})
	return shown, nil
}

// systemData says who wrote something.
func (q *armCall) systemData() object {
	who, kind := q.tok.UPN, "User"
	if q.tok.IDType == "app" {
		who, kind = q.tok.AppID, "Application"
	}
	now := precise(q.c.now())
	return object{"createdBy": who, "createdByType": kind, "createdAt": now, "lastModifiedBy": who, "lastModifiedByType": kind, "lastModifiedAt": now}
}

// createdBy is the part of a vault's systemData that stays.
func createdBy(data object) object {
	had, _ := data["systemData"].(object)
	out := object{}
	for _, name := range []string{"createdBy", "createdByType", "createdAt"} {
		if had[name] != nil {
			out[name] = had[name]
		}
	}
	return out
}

// disallowed is what Azure Policy says of a vault that breaks a rule.
func (q *armCall) disallowed() *armError {
	sub := q.where(1)
	text, err := json.Marshal([]any{object{
		"policyAssignment": object{"name": "Allowed resource types", "id": sub + authorization + "/policyAssignments/allowed-resource-types"},
		"policyDefinition": object{"name": "Allowed resource types", "id": authorization + "/policyDefinitions/a08ec900-254a-4555-9bf5-e42af04b5c5c"},
	}})
	if err != nil {
		panic("sandbox: policy cannot be encoded: " + err.Error())
	}
	e := azure(http.StatusForbidden, "RequestDisallowedByPolicy", "Resource '%s' was disallowed by policy. Policy identifiers: '%s'.", q.keys[2], text)
	e.target = q.keys[2]
	return e
}
