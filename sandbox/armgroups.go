package sandbox

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Kinds of what Azure keeps besides resources.
const (
	kindProvider  = "resourceProvider"
	kindOperation = "azureOperation"
)

// region is where resources can be.
type region struct{ name, shown string }

// regionsOf are the regions of a cloud, as far as they are simulated.
// https://learn.microsoft.com/azure/reliability/regions-list
var regionsOf = map[string][]region{
	"global": {
		{"westeurope", "West Europe"},
		{"northeurope", "North Europe"},
		{"eastus", "East US"},
		{"eastus2", "East US 2"},
		{"westus", "West US"},
		{"westus2", "West US 2"},
		{"centralus", "Central US"},
		{"uksouth", "UK South"},
		{"germanywestcentral", "Germany West Central"},
		{"australiaeast", "Australia East"},
		{"francecentral", "France Central"},
		{"swedencentral", "Sweden Central"},
	},
	"usgov": {{"usgovvirginia", "USGov Virginia"}, {"usgovarizona", "USGov Arizona"}, {"usgovtexas", "USGov Texas"}},
	"china": {{"chinaeast2", "China East 2"}, {"chinanorth2", "China North 2"}},
}

// homeRegion is where the scenarios have their resources.
func homeRegion(cloud string) string { return azureRegions(cloud)[0].name }

func azureRegions(cloud string) []region {
	switch cloud {
	case "china":
		return regionsOf["china"]
	case "usgov", "usgovdod":
		return regionsOf["usgov"]
	}
	return regionsOf["global"]
}

func (q *armCall) regions() []region {
	cloud, _ := cloudOfARM(q.host)
	return azureRegions(cloud.ID)
}

// location reads the name of a region, which may be written as it is shown. ok
// is false for others; list then says which there are.
func (q *armCall) location(text string) (name, list string, ok bool) {
	name = strings.ToLower(strings.ReplaceAll(text, " ", ""))
	var names []string
	for _, r := range q.regions() {
		names = append(names, r.name)
	}
	return name, strings.Join(names, ","), slices.Contains(names, name)
}

// decode reads the body of a request. What it does not know is refused.
func (q *armCall) decode(into any) *armError {
	dec := json.NewDecoder(bytes.NewReader(q.body))
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if err == nil {
		if _, end := dec.Token(); end == io.EOF {
			return nil
		}
	}
	return azure(http.StatusBadRequest, "InvalidRequestContent", "The request content was invalid and could not be deserialized: '%v'.", err)
}

// store keeps a new state of something that may have been there before.
func (q *armCall) store(kind, id string, data object) *entity {
	if e := q.t.find(kind, id); e != nil {
		q.c.write(e, data)
		return e
	}
	return q.c.add(q.t, kind, id, data, false)
}

// inTime is when something that takes a while is done: at once without delays.
func (q *armCall) inTime(least, most time.Duration) time.Time {
	now := q.c.now()
	if q.c.opts.Delays != DelaysRealistic {
		return now
	}
	return now.Add(least + time.Duration(q.c.rng.Int64N(int64(most-least))))
}

// due tells whether the time has come that a property holds.
func due(data object, property string, now time.Time) bool {
	at, isTime := data[property].(time.Time)
	return isTime && !now.Before(at)
}

// accepted answers with an operation that goes on.
// https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations
func (q *armCall) accepted(done time.Time) {
	id := q.c.guid()
	q.c.add(q.t, kindOperation, id, object{"_ready": done}, true)
	q.pending(id)
}

func (q *armCall) pending(id string) {
	q.status = http.StatusAccepted
	q.header["Location"] = "https://" + q.host + "/subscriptions/" + q.keys[0] + "/operationresults/" + id + "?api-version=" + q.query.Get("api-version")
	q.header["Retry-After"] = "15"
}

func (q *armCall) operationResult() (object, *armError) {
	if _, err := q.found(); err != nil {
		return nil, err
	}
	e := q.t.find(kindOperation, q.keys[1])
	if e == nil {
		return nil, azure(http.StatusNotFound, "NotFound", "The operation '%s' was not found.", q.keys[1])
	}
	if !due(e.read(q.c.master()), "_ready", q.c.now()) {
		q.pending(e.id)
	}
	return nil, nil
}

// ---- resource providers

// registrationFree are providers every subscription may use.
var registrationFree = []string{"Microsoft.Authorization", "Microsoft.ResourceGraph", "Microsoft.Resources"}

const vaultProvider = "Microsoft.KeyVault"

// registration is whether a subscription may use a provider.
func (q *armCall) registration(sub, namespace string) string {
	if containsFold(registrationFree, namespace) {
		return "Registered"
	}
	e := q.t.find(kindProvider, "/subscriptions/"+sub+"/providers/"+namespace)
	if e == nil {
		return "NotRegistered"
	}
	if due(e.read(q.c.master()), "_ready", q.c.now()) {
		return "Registered"
	}
	return "Registering"
}

// namespace is the provider a path names, as it is spelled.
func (q *armCall) namespace() (string, *armError) {
	for _, known := range append([]string{vaultProvider}, registrationFree...) {
		if strings.EqualFold(known, q.keys[1]) {
			return known, nil
		}
	}
	return "", azure(http.StatusNotFound, "InvalidResourceNamespace", "The resource namespace '%s' is invalid.", q.keys[1])
}

func (q *armCall) describeProvider(sub, namespace string) object {
	policy, types := "RegistrationFree", []any{}
	if namespace == vaultProvider {
		policy = "RegistrationRequired"
		locations := []any{}
		for _, r := range q.regions() {
			locations = append(locations, r.shown)
		}
		types = append(types, object{
			"resourceType": "vaults", "locations": locations, "apiVersions": []any{"2024-11-01", "2023-07-01"},
			"defaultApiVersion": "2023-07-01", "capabilities": "CrossResourceGroupResourceMove, CrossSubscriptionResourceMove, SystemAssignedResourceIdentity, SupportsTags, SupportsLocation",
		})
	}
	return object{
		"id": "/subscriptions/" + sub + "/providers/" + namespace, "namespace": namespace, "resourceTypes": types,
		"registrationState": q.registration(sub, namespace), "registrationPolicy": policy,
	}
}

// provider shows a resource provider. Without delays a registration is through
// once somebody has looked at it.
// https://learn.microsoft.com/rest/api/resources/providers/get
func (q *armCall) provider() (object, *armError) {
	if _, err := q.at(1, "Microsoft.Resources/subscriptions/providers/read"); err != nil {
		return nil, err
	}
	namespace, err := q.namespace()
	if err != nil {
		return nil, err
	}
	sub := strings.ToLower(q.keys[0])
	shown := q.describeProvider(sub, namespace)
	if shown["registrationState"] == "Registering" && q.c.opts.Delays != DelaysRealistic {
		q.store(kindProvider, str(shown, "id"), object{"_ready": q.c.now()})
	}
	return shown, nil
}

// register lets a subscription use a provider, which takes a minute or two.
// https://learn.microsoft.com/rest/api/resources/providers/register
func (q *armCall) register() (object, *armError) {
	if _, err := q.found(); err != nil {
		return nil, err
	}
	namespace, err := q.namespace()
	if err != nil {
		return nil, err
	}
	if action := namespace + "/register/action"; !q.may(action, q.where(1)) {
		return nil, q.unauthorized(action, q.where(1))
	}
	sub := strings.ToLower(q.keys[0])
	if q.registration(sub, namespace) == "NotRegistered" {
		// Without delays it is never through by itself.
		ready := any("when it was looked at")
		if q.c.opts.Delays == DelaysRealistic {
			ready = q.inTime(30*time.Second, 2*time.Minute)
		}
		q.store(kindProvider, "/subscriptions/"+sub+"/providers/"+namespace, object{"_ready": ready})
	}
	return q.describeProvider(sub, namespace), nil
}

// mayUse refuses what takes a provider the subscription is not registered for.
func (q *armCall) mayUse(namespace string) *armError {
	text := "The subscription is not registered to use namespace '" + namespace + "'. See https://aka.ms/rps-not-found for how to register subscriptions."
	switch state := q.registration(strings.ToLower(q.keys[0]), namespace); state {
	case "Registered":
		return nil
	case "Registering":
		text = "The subscription registration is in '" + state + "' state. The subscription must be registered to use namespace '" + namespace +
			"'. See https://aka.ms/rps-not-found for how to register subscriptions."
	}
	e := azure(http.StatusConflict, "MissingSubscriptionRegistration", "%s", text)
	e.details = []any{object{"code": e.code, "target": namespace, "message": text}}
	return e
}

// ---- resource groups

func (q *armCall) describeGroup(e *entity) object {
	data := e.read(q.v)
	state := "Succeeded"
	if data["_gone"] != nil {
		state = "Deleting"
	}
	shown := object{
		"id": e.id, "name": lastPart(e.id), "type": "Microsoft.Resources/resourceGroups", "location": data["location"],
		"properties": object{"provisioningState": state},
	}
	if tags, tagged := data["tags"].(object); tagged {
		shown["tags"] = tags
	}
	return shown
}

func lastPart(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

const readGroups = "Microsoft.Resources/subscriptions/resourceGroups/read"

// resourceGroups lists those the caller may read.
// https://learn.microsoft.com/rest/api/resources/resource-groups/list
func (q *armCall) resourceGroups() (object, *armError) {
	sub, err := q.found()
	if err != nil {
		return nil, err
	}
	if !q.sees(sub.id) {
		return nil, q.unauthorized(readGroups, "/subscriptions/"+sub.id)
	}
	if text := q.query.Get("$filter"); text != "" {
		return nil, azure(http.StatusBadRequest, "InvalidFilterInQueryString", "Invalid $filter '%s' specified in the query string.", text)
	}
	all := []any{}
	for _, e := range q.t.all(q.v, kindResourceGroup) {
		if within(e.id, "/subscriptions/"+sub.id) && q.may(readGroups, e.id) {
			all = append(all, q.describeGroup(e))
		}
	}
	return q.page(all)
}

func (q *armCall) resourceGroup() (object, *armError) {
	id, err := q.at(2, readGroups)
	if err != nil {
		return nil, err
	}
	return q.describeGroup(q.t.find(kindResourceGroup, id)), nil
}

func (q *armCall) hasResourceGroup() (object, *armError) {
	_, err := q.at(2, readGroups)
	q.status = http.StatusNoContent
	return nil, err
}

var groupNamePattern = regexp.MustCompile(`^[-\w.()]{0,89}[-\w()]$`)

// putResourceGroup makes a group, or changes its tags.
// https://learn.microsoft.com/rest/api/resources/resource-groups/create-or-update
func (q *armCall) putResourceGroup() (object, *armError) {
	sub, err := q.found()
	if err != nil {
		return nil, err
	}
	const action = "Microsoft.Resources/subscriptions/resourceGroups/write"
	id, name := q.where(2), q.keys[1]
	if !q.may(action, id) {
		return nil, q.unauthorized(action, id)
	}
	if !groupNamePattern.MatchString(name) {
		return nil, azure(http.StatusBadRequest, "InvalidResourceGroup",
			"The provided resource group name '%s' has these invalid characters: '%s'. The name can only be a letter, digit, '-', '.', '(', ')' or '_'.", name, oddCharacters(name))
	}
	var in struct {
		Location   string            `json:"location"`
		ManagedBy  string            `json:"managedBy"`
		Tags       map[string]string `json:"tags"`
		Properties *struct{}         `json:"properties"`
	}
	if err := q.decode(&in); err != nil {
		return nil, err
	}
	location, list, known := q.location(in.Location)
	switch {
	case in.Location == "":
		return nil, azure(http.StatusBadRequest, "LocationRequired", "The location property is required for this definition.")
	case !known:
		return nil, azure(http.StatusBadRequest, "LocationNotAvailableForResourceGroup",
			"The provided location '%s' is not available for resource group. List of available regions is '%s'.", in.Location, list)
	}
	data := object{"location": location}
	if in.Tags != nil {
		data["tags"] = tagged(in.Tags)
	}
	if e := q.t.find(kindResourceGroup, id); e != nil && e.live(q.v) != nil {
		if err := q.beingDeleted(e); err != nil {
			return nil, err
		}
		if has := str(e.read(q.v), "location"); has != location {
			return nil, azure(http.StatusConflict, "InvalidResourceGroupLocation",
				"Invalid resource group location '%s'. The Resource group already exists in location '%s'.", in.Location, has)
		}
		q.c.write(e, data)
		return q.describeGroup(e), nil
	}
	q.status = http.StatusCreated
	return q.describeGroup(q.store(kindResourceGroup, "/subscriptions/"+sub.id+"/resourceGroups/"+name, data)), nil
}

// oddCharacters are what a group's name must not hold: at its end no dot either.
func oddCharacters(name string) string {
	odd := strings.Map(func(r rune) rune {
		if groupNamePattern.MatchString(string(r)) || r == '.' {
			return -1
		}
		return r
	}, name)
	if odd == "" && strings.HasSuffix(name, ".") {
		odd = "."
	}
	return odd
}

func tagged(tags map[string]string) object {
	out := object{}
	for name, value := range tags {
		out[name] = value
	}
	return out
}

func (q *armCall) beingDeleted(group *entity) *armError {
	if group.read(q.c.master())["_gone"] == nil {
		return nil
	}
	return azure(http.StatusConflict, "ResourceGroupBeingDeleted",
		"The resource group '%s' is in deprovisioning state and cannot perform this operation.", lastPart(group.id))
}

// deleteResourceGroup removes a group and everything in it.
// https://learn.microsoft.com/rest/api/resources/resource-groups/delete
func (q *armCall) deleteResourceGroup() (object, *armError) {
	id, err := q.at(2, "Microsoft.Resources/subscriptions/resourceGroups/delete")
	if err != nil {
		return nil, err
	}
	group := q.t.find(kindResourceGroup, id)
	if err := q.beingDeleted(group); err != nil {
		return nil, err
	}
	gone := q.inTime(20*time.Second, time.Minute)
	q.c.write(group, with(group.read(q.v), object{"_gone": gone}))
	q.accepted(gone)
	q.finishDeleting()
	return nil, nil
}

// finishDeleting removes the groups whose time has come.
func (q *armCall) finishDeleting() {
	v := q.c.master()
	for _, group := range q.t.all(v, kindResourceGroup) {
		if !due(group.read(v), "_gone", v.now) {
			continue
		}
		for _, vault := range q.t.all(v, kindVault) {
			if within(vault.id, group.id) {
				q.softDelete(vault)
			}
		}
		q.forgetRoles(group.id)
		q.c.write(group, nil)
	}
}

// forgetRoles takes away the roles given for something that goes.
func (q *armCall) forgetRoles(scope string) {
	v := q.c.master()
	for _, e := range q.t.all(v, kindAzureRole) {
		if within(str(e.read(v), "scope"), scope) {
			q.c.write(e, nil)
		}
	}
}
