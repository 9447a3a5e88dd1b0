// Package cli is the wiring: it reads flags and environment, connects the setup
// to Microsoft's cloud or to the simulated one, runs the wizard or one command
// of the pipeline, and turns the outcome into text or JSON and an exit code.
package cli
