// Package ui is the wizard: a Bubble Tea program with one file a screen. It does
// no I/O of its own and knows nothing of Microsoft's services; everything it
// needs done goes through Setup.
package ui
