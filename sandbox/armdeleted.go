package sandbox

import (
	"net/http"
	"strings"
	"time"
)

// purgedOn is when a deleted vault goes for good; false for one that is not
// deleted.
func purgedOn(data object) (time.Time, bool) {
	when, err := time.Parse(time.RFC3339, str(data, "deletedDateTime"))
	if err != nil {
		return time.Time{}, false
	}
	days, _ := data["properties"].(object)["softDeleteRetentionInDays"].(int)
	return when.AddDate(0, 0, days), true
}

// softDelete keeps a vault for those who want it back.
func (q *armCall) softDelete(e *entity) {
	q.c.write(e, with(e.read(q.c.master()), object{"deletedDateTime": stamp(q.c.now())}))
	q.forgetRoles(e.id)
}

// deleteVault answers the same whether or not there is one.
// https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/delete
func (q *armCall) deleteVault() (object, *armError) {
	id, err := q.at(3, "Microsoft.KeyVault/vaults/delete")
	switch {
	case err != nil && err.code == "ResourceNotFound":
		q.status = http.StatusNoContent
		return nil, nil
	case err != nil:
		return nil, err
	}
	q.softDelete(q.t.find(kindVault, id))
	return nil, nil
}

func (q *armCall) describeDeleted(e *entity) object {
	data := e.read(q.v)
	until, _ := purgedOn(data)
	properties := object{
		"vaultId": e.id, "location": data["location"], "deletionDate": data["deletedDateTime"], "scheduledPurgeDate": stamp(until), "tags": data["tags"],
	}
	if protected, set := data["properties"].(object)["enablePurgeProtection"]; set {
		properties["purgeProtectionEnabled"] = protected
	}
	return object{
		"id":   "/subscriptions/" + strings.ToLower(q.keys[0]) + keyVault + "/locations/" + str(data, "location") + "/deletedVaults/" + str(data, "name"),
		"name": data["name"], "type": "Microsoft.KeyVault/deletedVaults", "properties": properties,
	}
}

// recoverable lists the deleted vaults of the subscription.
func (q *armCall) recoverable() []*entity {
	var list []*entity
	for _, e := range q.t.tables[kindVault] {
		if until, deleted := purgedOn(e.read(q.v)); deleted && q.v.now.Before(until) && within(e.id, q.where(1)) {
			list = append(list, e)
		}
	}
	return list
}

// deletedVaults lists what can be recovered or purged.
// https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/list-deleted
func (q *armCall) deletedVaults() (object, *armError) {
	if _, err := q.at(1, "Microsoft.KeyVault/deletedVaults/read"); err != nil {
		return nil, err
	}
	all := []any{}
	for _, e := range q.recoverable() {
		all = append(all, q.describeDeleted(e))
	}
	return q.page(all)
}

// deletedNamed is the deleted vault a path names.
func (q *armCall) deletedNamed(action string) (*entity, *armError) {
	if _, err := q.at(1, action); err != nil {
		return nil, err
	}
	for _, e := range q.recoverable() {
		data := e.read(q.v)
		if strings.EqualFold(str(data, "name"), q.keys[2]) && strings.EqualFold(str(data, "location"), q.keys[1]) {
			return e, nil
		}
	}
	return nil, azure(http.StatusNotFound, "DeletedVaultNotFound", "The specified deleted vault '%s' does not exist.", q.keys[2])
}

func (q *armCall) deletedVault() (object, *armError) {
	e, err := q.deletedNamed("Microsoft.KeyVault/locations/deletedVaults/read")
	if err != nil {
		return nil, err
	}
	return q.describeDeleted(e), nil
}

// purgeVault removes a deleted vault for good, and frees its name.
// https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/purge-deleted
func (q *armCall) purgeVault() (object, *armError) {
	e, err := q.deletedNamed("Microsoft.KeyVault/locations/deletedVaults/purge/action")
	if err != nil {
		return nil, err
	}
	if e.read(q.v)["properties"].(object)["enablePurgeProtection"] == true {
		return nil, azure(http.StatusMethodNotAllowed, "MethodNotAllowed", "Operation 'DeletedVaultPurge' is not allowed.")
	}
	q.c.write(e, nil)
	q.accepted(q.inTime(10*time.Second, time.Minute))
	return nil, nil
}
