// Package state keeps what has to outlive a run: the answers (setup.yaml), the
// journal of every write, and the evidence of what was read back. It never holds
// a secret.
//
// Everything is plain data on disk. The journal is appended and synced before
// the next step is taken, so that a killed run can be picked up; one process at
// a time owns a tenant's folder.
package state
