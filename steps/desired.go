package steps

import (
	"fmt"
	"slices"
	"strings"

	"msbundle/catalog"
	"msbundle/state"
)

// wanted is one permission as the tenant publishes it.
type wanted struct {
	name string
	id   string
	kind catalog.Kind
}

// desired is what the tenant should hold in the end, worked out from answers and
// findings alone.
type desired struct {
	answers     state.Answers
	tag         string // marks what is made
	why         string // delegated permissions are granted
	redirect    string
	audience    string              // signInAudience
	permissions map[string][]wanted // by app id of the API, in catalogue order
	resources   []string            // those app ids, in order
	skipped     []Note
}

func desire(a state.Answers, f *Findings) desired {
	region, _ := catalog.RegionByID(a.Region)
	d := desired{
		answers: a, tag: catalog.OwnTag, why: "Rewst acts as the account that authorises it, within these permissions.",
		redirect: region.Callback(), audience: "AzureADMultipleOrgs", permissions: map[string][]wanted{},
	}
	if a.Registration.Audience == state.AudienceSingle {
		d.audience = "AzureADMyOrg"
	}
	sel, _ := Select(a)
	for _, p := range sel.Chosen() {
		d.want(f, Entry{p.Resource, p.Name, p.Kind}, p.ID)
	}
	for _, e := range sel.Extra() {
		d.want(f, e, "")
	}
	d.order()
	return d
}

// order lists the APIs that something is wanted of.
func (d *desired) order() {
	for _, r := range catalog.Resources() {
		if len(d.permissions[r.AppID]) > 0 {
			d.resources = append(d.resources, r.AppID)
		}
	}
}

// want adds a permission with the id the tenant publishes it under. Before an API
// is provisioned its ids are known from the catalogue only.
func (d *desired) want(f *Findings, e Entry, catalogID string) {
	api, _ := catalog.ResourceByAppID(e.Resource)
	if words, refused := f.Refused[e.Resource]; refused {
		d.skip(e, fmt.Sprintf("%s is not offered in this tenant (%s)", api.Name, words))
		return
	}
	live, present := f.Resources[e.Resource]
	if !present {
		if catalogID == "" {
			d.skip(e, fmt.Sprintf("%s is not provisioned yet, so its permissions cannot be looked up; run again afterwards", api.Name))
			return
		}
		d.permissions[e.Resource] = append(d.permissions[e.Resource], wanted{e.Name, catalogID, e.Kind})
		return
	}
	kinds := []catalog.Kind{e.Kind}
	if e.Kind == "" {
		kinds = []catalog.Kind{catalog.Delegated, catalog.Application}
	}
	found := false
	for _, k := range kinds {
		if id, ok := live.PermissionID(e.Name, k); ok {
			found = true
			d.permissions[e.Resource] = append(d.permissions[e.Resource], wanted{e.Name, id, k})
			if catalogID != "" && id != catalogID {
				d.skipped = append(d.skipped, Note{Text: fmt.Sprintf("%s has the id %s in this tenant, not the usual %s; the tenant's is used", e, id, catalogID)})
			}
		}
	}
	if !found {
		d.skip(e, fmt.Sprintf("%s does not publish it in this tenant: the name is unknown or was retired", api.Name))
	}
}

func (d *desired) skip(e Entry, reason string) {
	d.skipped = append(d.skipped, Note{Text: "Left out: " + e.String(), Permission: e.String(), Reason: reason})
}

// scopes lists the delegated permission names wanted of an API.
func (d desired) scopes(resource string) []string {
	var out []string
	for _, w := range d.permissions[resource] {
		if w.kind == catalog.Delegated {
			out = append(out, w.name)
		}
	}
	return out
}

// roles lists the application permissions wanted of an API.
func (d desired) roles(resource string) []wanted {
	var out []wanted
	for _, w := range d.permissions[resource] {
		if w.kind == catalog.Application {
			out = append(out, w)
		}
	}
	return out
}

// required is the registration's list of permissions: what is wanted, and of
// what stands there already whatever keep accepts.
func (d desired) required(have []RequiredAccess, keep func(resource string, a ResourceAccess) bool) []RequiredAccess {
	byResource := map[string][]ResourceAccess{}
	var order []string
	add := func(resource string, a ResourceAccess) {
		if _, known := byResource[resource]; !known {
			order = append(order, resource)
		}
		if !slices.Contains(byResource[resource], a) {
			byResource[resource] = append(byResource[resource], a)
		}
	}
	for _, r := range have {
		for _, a := range r.Access {
			if keep(r.ResourceAppID, a) {
				add(r.ResourceAppID, a)
			}
		}
	}
	for _, resource := range d.resources {
		for _, w := range d.permissions[resource] {
			add(resource, ResourceAccess{w.id, w.kind.ManifestType()})
		}
	}
	out := make([]RequiredAccess, 0, len(order))
	for _, resource := range order {
		out = append(out, RequiredAccess{resource, byResource[resource]})
	}
	return out
}

// asks tells whether a permission the registration lists is wanted.
func (d desired) asks(resource string, a ResourceAccess) bool {
	return slices.ContainsFunc(d.permissions[resource], func(w wanted) bool {
		return w.id == a.ID && w.kind.ManifestType() == a.Type
	})
}

func sameRequired(a, b []RequiredAccess) bool {
	flat := func(list []RequiredAccess) []string {
		var out []string
		for _, r := range list {
			for _, x := range r.Access {
				out = append(out, strings.ToLower(r.ResourceAppID+" "+x.ID+" "+x.Type))
			}
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	return slices.Equal(flat(a), flat(b))
}
