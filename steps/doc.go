// Package steps is the setup itself. Each step inspects the tenant (reads), plans
// (a pure function from answers and findings to changes), applies its changes,
// and verifies them by reading back. One engine carries out the plans of all
// steps: it journals an intent before each write and a receipt after it.
//
// Nothing here knows of a terminal: the wizard, the commands and the line mode
// call the same functions.
package steps
